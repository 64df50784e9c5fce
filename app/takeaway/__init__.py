"""Take away: maps, animations, data, and the lines and the link that make them again."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.frame import Stage, stage_heading
from app.notes import guarded
from app.player import View
from app.takeaway.again import again_tab
from app.takeaway.data import data_tab
from app.takeaway.film import film_tab
from app.takeaway.still import still_tab

WIDTH = 420  # pixels, or as many as there are
TABS = {"Map": still_tab, "Animation": film_tab, "Data": data_tab, "Code & link": again_tab}


def heading_row(stage: Stage) -> DeltaGenerator:
    """Say which forecast is shown; returns the place beside it, for what can be taken away."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        stage_heading(stage)
        return st.container(width="content")


def take_away(stage: Stage, view: View, place: DeltaGenerator) -> None:
    """What can be saved of what is shown; only what is open is made, and a press in it runs nothing else again."""
    with place:
        st.fragment(_popover)(stage, view)


def _popover(stage: Stage, view: View) -> None:
    popover = st.popover(
        "Take away",
        icon=":material/download:",
        key="take-away",
        on_change="rerun",
        help="Save a map, an animation or the numbers, or copy the link and the lines of code that make them again.",
    )
    if not popover.open:
        return
    with popover, st.container(width=WIDTH):
        tabs = st.tabs(list(TABS), key="take-away-tab", on_change="rerun")
        for tab, show in zip(tabs, TABS.values(), strict=True):
            if tab.open:
                with tab:
                    guarded(show)(stage, view)
