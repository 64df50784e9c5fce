"""The sampler page: how a forecast comes about, step by step."""

from collections.abc import Callable

import streamlit as st

from app import settings
from app.frame import Stage, on_a_forecast
from app.skill.experiments import ablations
from app.walk.fill import the_fill_in
from app.walk.forward import the_forward_process
from app.walk.frames import request_of
from app.walk.steps import the_walk

TITLES = {"walk": "The walk", "forward": "Forward process", "fill": "Fill in", "ablations": "Ablations"}
HELP = (
    "The walk: every step of the sampler. Forward process: what the steps undo, beside the Gaussian noise of other "
    "diffusion models. Fill in: the interpolator alone, between two known frames. Ablations: what each part of the "
    "method is worth."
)


@on_a_forecast()
def show(stage: Stage) -> None:
    """One part of the page at a time."""
    part = settings.choice(stage.dataset.name, "part", "Look at", TITLES, help=HELP)
    PARTS[part](stage)


def the_ablations(stage: Stage) -> None:
    """What each part of the method is worth, by experiment."""
    st.markdown(
        "Each experiment changes one part of the method at a time and scores forecasts of runs that no model was "
        "trained on. The Skill page sets these beside the scores on test data."
    )
    ablations(stage.dataset, request_of(stage).model)


PARTS: dict[str, Callable[[Stage], None]] = {
    "walk": the_walk,
    "forward": the_forward_process,
    "fill": the_fill_in,
    "ablations": the_ablations,
}
