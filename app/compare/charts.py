"""What two forecasts are worth: scores by lead and their difference, a table over all leads, both at one place."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import session, settings
from app.charts import show_chart
from app.compare.words import change_words, headline, verdict
from app.compare.work import comparison
from app.exports.names import forecast_name
from app.forecast.charts import place_title
from app.frame import Stage
from app.plain_text import plain
from app.plots.compare import difference_chart, pair_chart, two_fans
from app.plots.curves import with_cursor
from app.plots.fan import quantile_bands
from app.skill.words import number
from app.summary import Summary
from app.wording import pretty_units
from engine.errors import EngineError
from engine.paired import Comparison
from engine.variables import Variable, variable_named

SCORES = {"crps": "Fair CRPS", "rmse": "RMSE", "ratio": "Spread ÷ RMSE"}
TABLE = {"crps": "Fair CRPS", "rmse": "RMSE", "spread": "Spread", "ratio": "Spread ÷ RMSE"}
HELP = {
    "score": (
        "Fair CRPS judges the whole ensemble, RMSE its mean, and spread ÷ RMSE whether it is as sure as it is right: 1 "
        "is a reliable ensemble."
    ),
    "difference": (
        "The score of A less that of B at every lead, with its 95 % interval: where the band holds 0, the two cannot "
        "be told apart at that lead."
    ),
    "fan": (
        "Both forecasts at the marked place, which a click on a map moves: the middle 80 % of the members of each, "
        "their medians and the truth. A pinned member is dotted, the same number in both. A click on the chart moves "
        "the maps to that lead time."
    ),
    "table": (
        "Over all leads with a truth: CRPS is averaged over cells and leads; variance and squared error are, before "
        "roots and ratios are taken. Spread is the root mean variance times (M+1)/M, which equals the RMSE of a "
        "reliable ensemble."
    ),
}


def charts(stage: Stage, rival: Summary) -> None:
    """Scores and their difference, both at a place, and the table over all leads."""
    found = _found(stage, rival)
    if found is None:
        _at_a_place(stage, rival)
        return
    scores = names_of(stage.variable, SCORES)
    picked = next(iter(scores))
    if len(scores) > 1:
        picked = settings.choice(stage.dataset.name, "score", "Score", scores, help=HELP["score"])
    left, middle, right = st.columns(3, gap="medium")
    with left:
        _both(stage, found, picked, scores[picked])
    with middle:
        _difference(stage, found, picked, scores[picked])
    with right:
        _at_a_place(stage, rival)
    _table(stage, rival, found)


def names_of(variable: Variable, scores: dict[str, str]) -> dict[str, str]:
    """The scores that a variable has: of a probability the Brier score alone."""
    return scores if variable.threshold is None else {"crps": "Fair Brier score"}


def _found(stage: Stage, rival: Summary) -> Comparison | None:
    """The scores of both, or the reason why there are none."""
    if stage.shown.origin == "arriving":
        st.caption("Scores are compared once all of A is there.")
        return None
    try:
        with st.spinner("Comparing …", show_time=True):
            return comparison(stage.summary, rival, stage.variable)
    except EngineError as error:
        st.info(plain(str(error)))
        return None


def _both(stage: Stage, found: Comparison, score: str, title: str) -> None:
    pair, lead = found.by_lead[score], found.leads * stage.dataset.time_step
    y_title = pretty_units(stage.variable.units) or "dimensionless" if score != "ratio" else "spread ÷ RMSE"
    aim = 1.0 if score == "ratio" else None
    figure = pair_chart(lead, pair.first, pair.second, time_units=stage.dataset.time_units, y_title=y_title, aim=aim)
    _show(stage, figure, lead, "compare-scores", f"{score}_compared", f"**{title} by lead time**", HELP["score"])


def _difference(stage: Stage, found: Comparison, score: str, title: str) -> None:
    each, lead = found.by_lead[score].difference, found.leads * stage.dataset.time_step
    y_title = pretty_units(stage.variable.units) or "dimensionless" if score != "ratio" else "A − B"
    sides = {"above": "B is better", "below": "A is better"} if score != "ratio" else {}
    units = stage.dataset.time_units
    figure = difference_chart(lead, each.value, each.low, each.high, time_units=units, y_title=y_title, **sides)
    _show(stage, figure, lead, "compare-difference", f"{score}_difference", f"**{title}: A − B**", HELP["difference"])


def _at_a_place(stage: Stage, rival: Summary) -> None:
    summary, variable = stage.summary, stage.variable
    if variable.threshold is not None:
        variable = variable_named(stage.dataset.name, "sst")
    place, leads = session.place_of(summary), min(len(summary.leads), len(rival.leads))
    a, b = (each.members_at(variable, place) for each in (summary, rival))
    if a is None or b is None:
        return
    a, b = a[:, :leads], b[:, :leads]
    lead = summary.leads[:leads] * stage.dataset.time_step
    figure = two_fans(
        lead,
        quantile_bands(a),
        quantile_bands(b),
        summary.maps_at(summary.maps(variable).truth, place)[:leads],
        time_units=stage.dataset.time_units,
        units=pretty_units(variable.units),
        pinned=_pinned(stage, a, b),
    )
    where = place_title(stage.dataset, summary, place)
    _show(stage, figure, lead, "compare-fan", f"{variable.name}_{where}_compared", f"**{where}**", HELP["fan"])


def _pinned(stage: Stage, a: np.ndarray, b: np.ndarray) -> tuple[str, np.ndarray | None, np.ndarray | None]:
    """The pinned member in both, where they have it; (member, lead) each."""
    number_ = session.look_of(stage.dataset.name).member
    if number_ is None:
        return "", None, None
    of_both = [each[number_] if number_ < len(each) else None for each in (a, b)]
    return f"member {number_ + 1}", of_both[0], of_both[1]


def _show(stage: Stage, figure: go.Figure, lead: np.ndarray, key: str, what: str, title: str, help_: str) -> None:
    """A chart that shares the maps' time, which has the initial condition as frame 0."""
    name = forecast_name(stage.dataset, stage.summary, f"{stage.variable.name}_{what}")
    show_chart(with_cursor(figure, [0, *lead]), key=key, name=name, title=title, help=help_)


def _table(stage: Stage, rival: Summary, found: Comparison) -> None:
    """Who is better over all leads, in words and numbers, and what the intervals cover."""
    scores = names_of(stage.variable, TABLE)
    first = next(iter(scores))
    said = headline(found, first, scores[first].replace("Fair", "fair"))
    st.markdown("**Over all lead times**", help=HELP["table"])
    if said:
        st.markdown(said)
    st.table(table(found, stage.variable), border="horizontal", hide_index=True)
    st.caption(coverage_words(stage, rival, found))


def table(found: Comparison, variable: Variable) -> pd.DataFrame:
    """A row per score, numbers as text."""
    units = pretty_units(variable.units)
    rows = []
    for name, title in names_of(variable, TABLE).items():
        pair = found.overall[name]
        heading = f"{title} ({units})" if units and name != "ratio" else title
        values = (number(float(each)) for each in (pair.first, pair.second))
        rows.append((heading, *values, change_words(pair), verdict(name, dict(found.overall))))
    return pd.DataFrame(rows, columns=("Score", "A", "B", "B against A (95 % interval)", "Verdict"))


def coverage_words(stage: Stage, rival: Summary, found: Comparison) -> str:
    """What is paired, and what the intervals say and do not say."""
    rows, columns = found.blocks.shape
    what = "particles" if stage.dataset.name == "spring-mesh" else "cells"
    return " ".join(
        [
            f"Paired are the {found.cells:,} {what} that count: A and B are scored in the same ones against the same",
            f"truth, and {found.blocks.count} blocks of {rows} × {columns} neighbours are drawn anew for both at once.",
            f"The intervals cover which {what} are looked at; another initial condition or seed may move a difference",
            "further." if found.blocks.long_enough else TOO_SHORT,
            f"Members ({stage.summary.members} of A, {rival.members} of B) are not paired in the scores; those of the",
            "same number and model share their random numbers in the network calls that both schedules make alike.",
        ]
    )


TOO_SHORT = (
    "further. The errors reach further than such blocks, and the grid has room for no larger ones: take the intervals "
    "as too narrow."
)
