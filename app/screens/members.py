"""The members page: every possible future beside the others."""

import streamlit as st

from app import session, settings
from app.forecast.charts import at_a_place
from app.frame import Stage, on_a_forecast
from app.members.spaghetti import spaghetti_view
from app.members.stamps import stamps_view
from app.player import player
from app.takeaway import heading_row, take_away
from app.views import answers_of

SHAPES = {"stamps": "Small maps", "lines": "Spaghetti"}


@on_a_forecast(members=True)
def show(stage: Stage) -> None:
    """All members as small maps, or their lines over one another; below, their values at the marked place."""
    corner = heading_row(stage)
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    with controls:
        shape = settings.choice(stage.dataset.name, "as", "Show members as", SHAPES, help=SHAPE_HELP)
    view = stamps_view(stage, controls) if shape == "stamps" else spaghetti_view(stage, controls)
    take_away(stage, view, corner)
    player(view, answers_of(stage.summary, stage.variable), key=f"{stage.dataset.name}/members")
    if session.saw_maps():
        at_a_place(stage.dataset, stage.summary, stage.variable)


SHAPE_HELP = (
    "Small maps: every member beside the truth and the ensemble mean, in the same colours. Spaghetti: one map with a "
    "line for every member where the variable has a value that you choose; of particles where they stand and the path "
    "of the marked one. The pin of a small map marks its member on all pages."
)
