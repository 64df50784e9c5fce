"""Take away: maps, animations, data, and the lines and the link that make them again."""

from typing import TYPE_CHECKING

import streamlit as st

from app.notes import guarded
from app.player import View
from app.takeaway.again import again_tab
from app.takeaway.data import data_tab
from app.takeaway.film import film_tab
from app.takeaway.still import still_tab

if TYPE_CHECKING:
    from app.frame import Stage

WIDTH = 420  # pixels, or as many as there are
TABS = {"Map": still_tab, "Animation": film_tab, "Data": data_tab, "Code & link": again_tab}


def take_away(stage: "Stage", view: View) -> None:
    """What can be saved of what is shown; only what is open is made, and a press in it runs nothing else again."""
    st.fragment(_popover)(stage, view)


def _popover(stage: "Stage", view: View) -> None:
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
