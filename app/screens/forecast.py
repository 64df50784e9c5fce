"""The forecast page: pick, run, look, ask why."""

import streamlit as st

from app import session
from app.forecast.charts import charts
from app.frame import Stage, on_a_forecast, stage_heading
from app.player import player
from app.takeaway import take_away
from app.views import answers_of, moments_view


@on_a_forecast()
def show(stage: Stage) -> None:
    """What is shown of a forecast."""
    view = moments_view(stage.dataset, stage.shown, stage.variable)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        stage_heading(stage)
        take_away(stage, view)
    player(view, answers_of(stage.summary, stage.variable), key=f"{stage.dataset.name}/player")
    if session.saw_maps():
        charts(stage.dataset, stage.summary, stage.variable)
