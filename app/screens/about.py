"""What this is, how its models were made, where its data come from, what it stands on, and this machine."""

import streamlit as st

from app.about.machine import machine
from app.about.models import models
from app.about.software import software
from app.about.sources import sources
from app.about.words import METHOD
from app.notes import guarded
from app.screens import skill
from app.widgets import keep_in_link
from engine.member_windows import NUMERICS_VERSION
from engine.version import version

KEY = "about-section"
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
    tabs = what, cards, data, packages, here = st.tabs(SECTIONS, default=first(), key=KEY, on_change="rerun")
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
    shown = next((name for name, tab in zip(SECTIONS, tabs, strict=True) if tab.open), SECTIONS[0])
    keep_in_link(section="" if shown == SECTIONS[0] else shown)


def first() -> str:
    """The section that the page began with, by its link; tabs with another beginning would be others."""
    if KEY not in st.session_state:
        asked = st.query_params.get("section")
        st.session_state[f"{KEY}/first"] = asked if asked in SECTIONS else SECTIONS[0]
    name: str = st.session_state[f"{KEY}/first"]
    return name
