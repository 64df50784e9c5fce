"""The forecast page: pick, run, look, ask why."""

import json

import streamlit as st

from app import session
from app.backend import Shown
from app.forecast.charts import charts
from app.frame import Stage, on_a_forecast
from app.player import player
from app.takeaway import heading_row, take_away
from app.views import answers_of, moments_view


@on_a_forecast()
def show(stage: Stage) -> None:
    """What is shown of a forecast."""
    view = moments_view(stage.dataset, stage.shown, stage.variable)
    take_away(stage, view, heading_row(stage))
    player(view, answers_of(stage.summary, stage.variable), key=f"{stage.dataset.name}/player")
    if not session.saw_maps():
        return
    if awaits_leads(stage.shown):
        st.caption("The curves follow once all lead times are there.")
    else:
        charts(stage.dataset, stage.summary, stage.variable)


def awaits_leads(shown: Shown) -> bool:
    """Whether lead times are still to come: until then every part would draw curves of another length."""
    return shown.origin == "arriving" and shown.summary.leads[-1] < json.loads(shown.summary.request)["steps"]
