"""Which frames of a run the interpolator stands between: one that a person picks, and the one a window later."""

import streamlit as st

from app import session, settings, wording
from app.frame import Stage
from app.walk.work import from_frame
from engine.datasets import Dataset
from engine.datasets.calendar import Calendar
from engine.forecasting import plan_of
from engine.member_windows import Plan
from engine.requests import ResolvedRequest

HELP = (
    "The first of the two frames of the run. The second lies one window later, for that is the stretch that the "
    "interpolator was trained to bridge."
)


def request_of(stage: Stage) -> ResolvedRequest:
    """What the controls ask for; the last that could be used."""
    return stage.request or session.request_of(stage.dataset.name)


def frames_control(dataset: Dataset, request: ResolvedRequest) -> ResolvedRequest | None:
    """Pick the first of two frames a window apart, the forecast's initial condition at first.

    Returns the request from there, None where the run is too short for two.
    """
    plan = plan_of(request)
    last = plan.run.frames - 1 - plan.schedule.horizon
    if last < 0:
        st.info(
            f"The run has {plan.run.frames} frames, and two that are {plan.schedule.horizon} apart are needed: choose "
            "another initial condition."
        )
        return None
    if dataset.calendar is not None and dataset.calendar.unit == "M":
        return from_frame(request, _month(dataset, dataset.calendar, plan, last))
    first = settings.number(
        dataset.name,
        "from",
        "First frame",
        low=0.0,
        high=float(last),
        default=float(min(plan.frame, last)),
        step=1.0,
        help=HELP,
        width=140,
    )
    return from_frame(request, int(first))


def _month(dataset: Dataset, calendar: Calendar, plan: Plan, last: int) -> int:
    """Pick the month of the first frame, by its date: frames shift as a record grows, dates do not."""
    times = [float(time) for time in plan.run.times[: last + 1]]
    options = {calendar.label(time): wording.date_title(calendar, time) for time in times}
    first = calendar.label(times[min(plan.frame, last)])
    picked = settings.choice(
        dataset.name, "from", "First frame", options, help=HELP, default=first, shape="list", width=180
    )
    return [*options].index(picked)


def frames_words(dataset: Dataset, plan: Plan) -> tuple[str, str]:
    """The two frames as times."""
    frames = (plan.frame, plan.frame + plan.schedule.horizon)
    first, second = (_moment(dataset, dataset.calendar, float(plan.run.times[frame])) for frame in frames)
    return first, second


def _moment(dataset: Dataset, calendar: Calendar | None, time: float) -> str:
    return f"{time:.2f} {dataset.time_units}" if calendar is None else wording.date_title(calendar, time)


NO_INTERPOLATOR = (
    "This model has no interpolator, and this part of the page is about that: choose a DYffusion model in the line "
    "above."
)
