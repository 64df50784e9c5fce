"""The compare page: two ways to make the same forecast, and which is the better."""

import streamlit as st

from app import session, settings
from app.backend import Shown
from app.compare.charts import charts
from app.compare.controls import at_hand, rival_controls, say_and_run
from app.compare.front import front
from app.compare.maps import SHOWN, alone_view, compare_view
from app.compare.rival import first_request
from app.frame import Stage, on_a_forecast, stage_heading
from app.player import View, player
from app.takeaway import take_away
from app.views import answers_of

SHOWN_HELP = (
    "What the maps show of A and B: the mean of the members, their standard deviation, or how far the mean is from "
    "the truth, without its sign."
)
NOTHING_YET = "Pick above how B should differ from A, the forecast that the maps show."


@on_a_forecast(members=True)
def show(stage: Stage) -> None:
    """A, B and what parts them."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("**A**", width="content")
        stage_heading(stage)
        corner = st.container(width="content")
    first = first_request(stage.summary, session.backend().resolve)
    with st.container():  # so that the maps keep their place on the page, whatever stands above them
        second = rival_controls(first)
        rival = None if second is None else at_hand(second)
        if second is None:
            st.info(NOTHING_YET, icon=":material/compare:")
        else:
            say_and_run(first, second, rival)
        view = alone_view(stage) if rival is None else view_of_both(stage, rival)
    take_away(stage, view, corner)
    player(view, answers_of(stage.summary, stage.variable), key=f"{stage.dataset.name}/compare")
    if second is not None and rival is not None and session.saw_maps():
        charts(stage, rival.summary)
        front(stage, first, second)


def view_of_both(stage: Stage, rival: Shown) -> View:
    """What the maps show of A and B, and the control that picks it."""
    session.backend().refer(rival.summary, stage.variable)
    shown = "mean"
    if stage.variable.threshold is None:
        shown = settings.choice(stage.dataset.name, "maps", "Maps", SHOWN, help=SHOWN_HELP)
    return compare_view(stage, rival.summary, shown)
