"""What this is, how its models were made, where its data come from, what it stands on, and this machine."""

import streamlit as st

from app.about.machine import machine
from app.about.models import models
from app.about.software import software
from app.about.sources import sources
from app.about.words import METHOD
from app.notes import guarded
from app.screens import skill
from app.widgets import tabs_in_link
from engine.member_windows import NUMERICS_VERSION
from engine.version import version

SECTIONS = ("What this is", "Models", "Data and licences", "Software", "This machine")


@guarded
def show() -> None:
    """The page; of its parts only the one that is open is made."""
    st.markdown("# About Coldcast")
    st.caption(
        f"Version {version()} · numerics version {NUMERICS_VERSION}",
        help="The numerics version is raised whenever a change alters the numbers of a forecast; forecasts that were "
        "stored by another one are computed anew.",
    )
    what, cards, data, packages, here = tabs_in_link("section", SECTIONS)
    if what.open:
        with what:
            st.markdown(METHOD)
    if cards.open:
        with cards:
            models()
            st.page_link(
                st.Page(skill.show, title="Skill", icon=":material/leaderboard:", url_path="skill"),
                label="All scores, beside those of simpler forecasts",
            )
    if data.open:
        with data:
            sources()
    if packages.open:
        with packages:
            software()
    if here.open:
        with here:
            machine()
