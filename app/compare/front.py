"""Where both forecasts are on the measured front of skill against cost."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app import sampler, session, wording
from app.charts import show_chart
from app.frame import Stage
from app.plain_text import plain
from app.plots.compare import Mark, with_marks
from app.plots.curves import GREY
from app.plots.skill import Dots, front_chart
from app.sampler import calls_in_window, front_of
from app.skill.front import front_dots
from app.skill.words import crps_title, nothing_yet, units_of
from engine.fronts import CHOSEN, FrontPoint, pareto
from engine.requests import ResolvedRequest
from engine.schedules import parse_schedule

HELP = (
    "Every dot is a way to sample a model that was measured over several initial conditions; the dotted line joins "
    "those that none beats in both. A ring is a forecast that was measured in this very way, a dashed line the cost of "
    "one that was not."
)
SYMBOLS = ("circle", "diamond")


def front(stage: Stage, first: ResolvedRequest, second: ResolvedRequest) -> None:
    """The fronts of the models of A and B, with both marked."""
    models = tuple(dict.fromkeys((first.model, second.model)))
    points = {model: found for model in models if (found := front_of(model))}
    if not points:
        command = f"python -m engine calibrate --dataset {stage.dataset.name} --model {first.model}"
        nothing_yet("Neither way to sample is measured over several initial conditions. To measure those of A", command)
        return
    marks = [mark_of(name, each, points.get(each.model, ())) for name, each in (("A", first), ("B", second))]
    figure = with_marks(_fronts(stage, points), marks)
    title = "**Skill against cost, over several initial conditions**"
    show_chart(figure, key="compare-front", name=f"{stage.dataset.name}_front_compared", title=title, help=HELP)
    lines = [
        place_words(mark, each, points.get(each.model, ())) for mark, each in zip(marks, (first, second), strict=True)
    ]
    st.caption(f"{measured_on(points)} {' '.join(lines)}")


def _fronts(stage: Stage, points: dict[str, tuple[FrontPoint, ...]]) -> go.Figure:
    series: list[Dots] = []
    for (model, found), symbol in zip(points.items(), SYMBOLS, strict=False):
        series.append(front_dots(found, wording.model_title(model), GREY, symbol))
    everything = tuple(point for found in points.values() for point in found)
    line = front_dots(pareto(everything), "best at its cost")
    return front_chart(tuple(series), line, None, y_title=crps_title(units_of(stage.dataset)))


def mark_of(name: str, request: ResolvedRequest, points: tuple[FrontPoint, ...]) -> Mark:
    """A forecast on the chart: with the CRPS of its way to sample, where that is measured."""
    point = sampler.measured_as(request, points)
    words = f"{name}: {request.schedule}, {request.solver}"
    return Mark(name, calls_of(request), None if point is None else point.crps, words)


def calls_of(request: ResolvedRequest) -> int:
    """Network calls of one member in one window, as a front counts them."""
    window = session.backend().window(request)
    schedule = parse_schedule(request.schedule, horizon=window.horizon, auxiliary_steps=window.auxiliary_steps)
    return calls_in_window(request, schedule)


def nearest(request: ResolvedRequest, points: tuple[FrontPoint, ...]) -> FrontPoint | None:
    """The measured way that has most in common with a request; of such the one with the cost nearest to it."""
    calls = calls_of(request)

    def distance(point: FrontPoint) -> tuple[int, float]:
        others = sum(getattr(point, name) != getattr(request, name) for name in CHOSEN)
        return others, abs(float(np.log(point.calls / calls)))

    return min(points, key=distance, default=None)


def place_words(mark: Mark, request: ResolvedRequest, points: tuple[FrontPoint, ...]) -> str:
    """Where a forecast is on the front, in words."""
    calls = f"**{mark.name}** takes {mark.calls:,.0f} calls per window"
    point = sampler.measured_as(request, points)
    if point is not None:
        return f"{calls}: CRPS {point.crps:#.3g}, spread {point.ssr:.2f} × error."
    close = nearest(request, points)
    if close is None:
        return f"{calls}: {plain(wording.model_title(request.model))} is not measured."
    return f"{calls} and is not measured; nearest to it is {plain(sampler.point_words(close))}."


def measured_on(points: dict[str, tuple[FrontPoint, ...]]) -> str:
    """What the front was measured on."""
    one = next(iter(points.values()))[0]
    return (
        f"Measured on {one.initial_conditions} initial conditions of the {plain(one.split)} data with {one.members} "
        "members, all channels joined: not the initial condition above."
    )
