"""The compare page: two ways to make the same forecast, and which is the better."""

import streamlit as st

from app import session, settings
from app.compare.charts import charts
from app.compare.controls import at_hand, rival_controls, say_and_run
from app.compare.front import front
from app.compare.maps import SHOWN, alone_view, compare_view
from app.compare.rival import first_request
from app.frame import Stage, on_a_forecast, stage_heading
from app.player import View, player
from app.summary import Summary
from app.takeaway import take_away
from app.views import answers_of
from engine.requests import ResolvedRequest

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
    second = rival_controls(first)
    rival = None if second is None else at_hand(second)
    if second is None:
        st.info(NOTHING_YET, icon=":material/compare:")
    else:
        say_and_run(first, second, rival)
    if second is None or rival is None:
        alone = alone_view(stage)
        take_away(stage, alone, corner)
        player(alone, answers_of(stage.summary, stage.variable), key=f"{stage.dataset.name}/compare-a")
        return
    session.backend().refer(rival.summary, stage.variable)
    take_away(stage, both(stage, first, second, rival.summary), corner)


def both(stage: Stage, first: ResolvedRequest, second: ResolvedRequest, rival: Summary) -> View:
    """Maps, scores and cost of both; returns what the maps show."""
    name, shown = stage.dataset.name, "mean"
    if stage.variable.threshold is None:
        shown = settings.choice(name, "maps", "Maps", SHOWN, help=SHOWN_HELP)
    view = compare_view(stage, rival, shown)
    player(view, answers_of(stage.summary, stage.variable), key=f"{name}/compare")
    if session.saw_maps():
        charts(stage, rival)
        front(stage, first, second)
    return view
