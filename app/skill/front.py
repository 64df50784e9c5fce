"""Skill against cost: the measured ways to sample a model, and those that none beats."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app import sampler
from app.charts import show_chart
from app.plain_text import plain
from app.plots.curves import GREEN, GREY, ORANGE
from app.plots.skill import PURPLE, Dots, front_chart
from app.skill.words import crps_title, nothing_yet, number, units_of
from engine.checkpoint import ModelCard, checkpoint_folder, load_card
from engine.datasets import Dataset
from engine.fronts import CALIBRATED, FRONT_FILE, FrontPoint, pareto, read_front

LOW, HIGH = CALIBRATED
RELIABILITY: dict[str, tuple[Callable[[float], bool], str, str]] = {
    f"too sure (spread ÷ RMSE < {LOW})": (lambda ratio: ratio < LOW, ORANGE, "triangle-down"),
    f"reliable ({LOW} to {HIGH})": (lambda ratio: LOW <= ratio <= HIGH, GREEN, "circle"),
    f"not sure enough (> {HIGH})": (lambda ratio: ratio > HIGH, PURPLE, "triangle-up"),
}
"""What a ratio means, with the colour and the symbol of its dots."""


def front(dataset: Dataset, model: str) -> None:
    """All measured ways to sample a model, as a chart and a table. Raises DataError, CheckpointError."""
    card = load_card(model)
    if card.method == "dropout":
        st.caption(sampler.NO_SCHEDULE)
        return
    if not (checkpoint_folder(model) / FRONT_FILE).exists():
        command = f"python -m engine calibrate --dataset {dataset.name} --model {model}"
        nothing_yet("The ways to sample this model have not been compared yet. To compare them", command)
        return
    points = read_front(model)
    best, default = pareto(points), [point for point in points if point.is_way_of(card.defaults)]
    st.caption(front_words(card, points, is_ringed=bool(default)))
    series = tuple(
        front_dots(found, name, colour, symbol)
        for name, (applies, colour, symbol) in RELIABILITY.items()
        if (found := [point for point in points if applies(point.ssr)])
    )
    chosen = front_dots(default[:1], "default") if default else None
    figure = front_chart(series, front_dots(best, "best at its cost"), chosen, y_title=crps_title(units_of(dataset)))
    show_chart(figure, key=f"skill/{model}/front", name=f"{model}_skill-against-cost")
    with st.expander("The best at each cost, as a table"):
        st.table(front_table(best), border="horizontal", hide_index=True)


def front_words(card: ModelCard, points: Sequence[FrontPoint], *, is_ringed: bool) -> str:
    """How to read the chart."""
    first = points[0]
    ringed = (
        " The default, ringed in red, also has to have a spread that fits its error, so it need not be the lowest."
        if is_ringed
        else ""
    )
    return (
        f"Each dot is one way to sample {plain(card.title)}, measured on {first.initial_conditions} initial conditions "
        f"of the {plain(first.split)} data with {first.members} members. The dotted line joins those that no other "
        f"beats in both cost and CRPS.{ringed} On the Forecast page, *Best under … seconds* picks from these."
    )


def front_dots(points: Sequence[FrontPoint], name: str, colour: str = GREY, symbol: str = "circle") -> Dots:
    """Points of a front as dots of a chart, without intervals."""
    unknown = np.full(len(points), np.nan)
    calls, crps = (np.array([getattr(point, field) for point in points], float) for field in ("calls", "crps"))
    words = [f"{sampler.way_words(point)}<br>spread ÷ RMSE {point.ssr:.2f}" for point in points]
    return Dots(name, calls, crps, unknown, unknown, colour, symbol, words)


def front_table(best: Sequence[FrontPoint]) -> pd.DataFrame:
    """The best at each cost, numbers as text."""
    lines = [
        (sampler.way_words(each), f"{each.calls:g}", number(each.crps), number(each.ssr, "{:.2f}")) for each in best
    ]
    return pd.DataFrame(lines, columns=("Way to sample", "Calls", "Fair CRPS", "Spread ÷ RMSE"))
