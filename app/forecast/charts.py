"""The charts below the maps: scores by lead time, one place, and the plumes of indices. All share the maps' time."""

from functools import partial

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app import session, wording
from app.backend import run_of
from app.charts import show_chart
from app.exports.names import forecast_name
from app.place import Place
from app.plain_text import plain
from app.plots.curves import BLUE, GREEN, GREY, ORANGE, Curve, ratio_chart, score_chart, with_cursor
from app.plots.fan import Bands, fan_chart, normal_bands, quantile_bands
from app.plots.plume import Plume, plume_chart
from app.plots.probability import probability_chart
from app.summary import Summary
from app.wording import pretty_units
from engine.datasets import Dataset, Run
from engine.datasets.base import axes_of
from engine.datasets.calendar import Calendar
from engine.errors import EngineError
from engine.indices import Index, indices_of
from engine.record_evaluation import anomalies_of, quantities
from engine.variables import Variable, variable_named

MONTHS_BEFORE = 12  # of an index, shown before the start of its forecast


def charts(dataset: Dataset, summary: Summary, variable: Variable) -> None:
    """Scores by lead time, spread against error, the forecast at one place, and the plumes of indices."""
    indices = indices_of(dataset.name)
    places = [*(partial(plume, dataset, summary, index) for index in indices), partial(at_a_place, dataset, summary)]
    scores = [partial(scores_by_lead, dataset, summary), partial(spread_and_error, dataset, summary)]
    if variable.threshold is not None:
        scores[1:] = [partial(chance_at_a_place, dataset, summary)]
    rows = [places, scores] if indices else [[*scores, *places]]
    for row in rows:
        for column, chart in zip(st.columns(len(row), gap="medium"), row, strict=True):
            with column:
                chart(variable)


def plume(dataset: Dataset, summary: Summary, index: Index, variable: Variable) -> None:
    """The plume of a climate index, with the year before."""
    del variable  # an index is the same whatever the maps show
    if summary.ensemble is None or dataset.calendar is None:
        return
    title = f"**{index.title} plume** · anomaly against {summary.baseline}"
    pinned = session.pinned(summary)
    try:
        of_index = summary.once("plume", index.name, make=partial(_plume, dataset, dataset.calendar, summary, index))
        chart = summary.once(
            "plume chart",
            index.name,
            pinned,
            make=lambda: with_cursor(plume_chart(of_index, pinned=pinned), [str(date) for date in of_index.dates]),
        )
    except EngineError as error:  # an own field on a grid without climatology
        st.markdown(title, help=PLUME_HELP)
        st.caption(plain(str(error)))
        return
    name = forecast_name(dataset, summary, index.name)
    show_chart(chart, key=f"plume-{index.name}", name=name, title=title, help=PLUME_HELP)


def _plume(dataset: Dataset, calendar: Calendar, summary: Summary, index: Index) -> Plume:
    assert summary.ensemble is not None
    run = run_of(summary)
    start = int(np.searchsorted(run.times, summary.init_time))
    observed = index_of_record(dataset, run, index)
    first, last = max(0, start - MONTHS_BEFORE), start + int(summary.leads[-1]) + 1
    weights = index.weights(axes_of(dataset, run), summary.ensemble.scored)
    members = summary.ensemble.area_mean(variable_named(dataset.name, "anomaly"), weights)
    return Plume(
        np.array([calendar.date(float(time)) for time in summary.times]),
        np.concatenate([np.full((len(members), 1), observed[start]), members], axis=1),
        np.array([calendar.date(float(time)) for time in run.times[first:last]]),
        observed[first:last],
    )


def index_of_record(dataset: Dataset, run: Run, index: Index) -> np.ndarray:
    """An index of all the record, (frame,)."""
    background = dataset.background(run)
    quantity = next(each for each in quantities(dataset, run, background) if each.name == index.name)
    return quantity.of(anomalies_of(dataset, background, run.states[:, 0], run.times))[:, 0]


def scores_by_lead(dataset: Dataset, summary: Summary, variable: Variable) -> None:
    """CRPS, RMSE and spread; of a probability its Brier score."""
    title, help_ = ("**Scores by lead time**", SCORES_HELP)
    if variable.threshold is not None:
        title, help_ = ("**Brier score by lead time**", BRIER_HELP)
    waits = variable.threshold is None and session.backend().awaits_baselines(summary)
    chart = summary.once("scores", variable.name, waits, make=partial(_scores, dataset, summary, variable))
    name = forecast_name(dataset, summary, f"{variable.name}_scores")
    show_chart(chart, key="scores", name=name, title=title, help=help_)
    if waits:
        st.fragment(wait_for_baselines, run_every=2)(summary)


def _scores(dataset: Dataset, summary: Summary, variable: Variable) -> go.Figure:
    scores, lead = summary.maps(variable).scores, summary.leads * dataset.time_step
    if variable.threshold is not None:
        lines: tuple[Curve, ...] = (Curve("fair Brier score", lead, scores.crps, BLUE),)
    else:
        lines = (
            Curve("fair CRPS", lead, scores.crps, BLUE),
            Curve("RMSE", lead, scores.rmse, ORANGE),
            Curve("spread", lead, scores.spread, GREEN, "dash"),
            *baseline_curves(dataset, summary, variable),
        )
    chart = score_chart(lines, time_units=dataset.time_units, units=pretty_units(variable.units))
    return with_cursor(chart, [0, *lead])


def wait_for_baselines(summary: Summary) -> None:
    """Draw the page again once the baselines are scored."""
    if not session.backend().awaits_baselines(summary):
        st.rerun()
    st.caption("Scoring persistence and climatology …")


def spread_and_error(dataset: Dataset, summary: Summary, variable: Variable) -> None:
    """Whether the spread is as large as the error."""
    chart = summary.once("ratio", variable.name, make=partial(_ratio, dataset, summary, variable))
    name = forecast_name(dataset, summary, f"{variable.name}_spread-skill-ratio")
    show_chart(chart, key="ratio", name=name, title="**Spread ÷ RMSE**", help=RATIO_HELP)


def _ratio(dataset: Dataset, summary: Summary, variable: Variable) -> go.Figure:
    lead = summary.leads * dataset.time_step
    missing = "a spread needs two members" if summary.members < 2 else "no truth is known here"
    ratio = summary.maps(variable).scores.ratio
    chart = ratio_chart(lead, ratio, time_units=dataset.time_units, missing=missing)
    return with_cursor(chart, [0, *lead])


def at_a_place(dataset: Dataset, summary: Summary, variable: Variable) -> None:
    """The members at the marked place; of a heatwave the temperature and its threshold."""
    place, shown, threshold = session.place_of(summary), variable, None
    if variable.threshold is not None and summary.ensemble is not None:
        shown = variable_named(dataset.name, "sst")
        threshold = summary.maps_at(summary.ensemble.references[variable.threshold.reference], place)
    members = summary.members_at(shown, place)
    lead = summary.leads * dataset.time_step
    chart = fan_chart(
        lead,
        bands_at(summary, shown, place, members),
        summary.maps_at(summary.maps(shown).truth, place),
        members=members,
        time_units=dataset.time_units,
        units=pretty_units(shown.units),
        threshold=threshold,
        pinned=session.pinned(summary),
    )
    where = place_title(dataset, summary, place)
    name = forecast_name(dataset, summary, f"{shown.name}_{where}")
    show_chart(with_cursor(chart, [0, *lead]), key="fan", name=name, title=f"**{where}**", help=FAN_HELP)
    if members is None and not place.is_cell:
        st.caption("The example holds maps, not members: press **Run** for the spread of a box's mean.")


def chance_at_a_place(dataset: Dataset, summary: Summary, variable: Variable) -> None:
    """How likely it is at the marked place, by lead time."""
    place, maps = session.place_of(summary), summary.maps(variable)
    title = place_title(dataset, summary, place)
    lead = summary.leads * dataset.time_step
    chart = probability_chart(
        lead,
        100 * summary.maps_at(maps.mean, place),
        summary.maps_at(maps.truth, place),
        time_units=dataset.time_units,
    )
    name = forecast_name(dataset, summary, f"{variable.name}_{title}")
    title = f"**Probability {title[0].lower()}{title[1:]}**"
    show_chart(with_cursor(chart, [0, *lead]), key="chance", name=name, title=title, help=CHANCE_HELP)


def place_title(dataset: Dataset, summary: Summary, place: Place) -> str:
    """The marked place in words."""
    first, last = (
        point_words(dataset, float(summary.x[column]), float(summary.y[row]))
        for column, row in ((place.west, place.south), (place.east, place.north))
    )
    return f"At {first}" if place.is_cell else f"Mean over {first} to {last}"


def point_words(dataset: Dataset, x: float, y: float) -> str:
    """A point of the map in words."""
    if dataset.calendar is not None:
        return wording.place(y, x)
    return f"x {x:.4g}, y {y:.4g} {pretty_units(dataset.axes[1].units)}".strip()


def baseline_curves(dataset: Dataset, summary: Summary, variable: Variable) -> list[Curve]:
    """CRPS of what must be beaten, where it is known for this forecast."""
    found = session.backend().baselines(summary, variable.name)
    return [
        Curve(BASELINE_NAMES.get(name, name), leads * dataset.time_step, crps, GREY, dash, is_baseline=True)
        for (name, (leads, crps)), dash in zip(found.items(), ("dot", "dashdot", "longdash"), strict=False)
    ]


BASELINE_NAMES = {"damped persistence": "damped"}  # short enough for a third of the legend's line


def bands_at(summary: Summary, variable: Variable, place: Place, members: np.ndarray | None) -> Bands:
    """The members' distribution at a place; of stored maps the normal one of a cell's mean and spread."""
    if members is not None:
        return quantile_bands(members)
    maps = summary.maps(variable)
    mean = summary.maps_at(maps.mean, place)
    return normal_bands(mean, summary.maps_at(maps.spread, place) if place.is_cell else np.zeros_like(mean))


SCORES_HELP = (
    "Averages over all cells that count (no land, walls, obstacles or held particles). CRPS is the fair form, RMSE "
    "that of the ensemble mean; spread is the root mean variance of the members times (M+1)/M, which equals the "
    "RMSE of a reliable ensemble. Grey, for the channels: the CRPS of persistence with a fitted Gaussian (for observed "
    "data also damped towards the climatology) and of climatology."
)
BRIER_HELP = (
    "The mean squared difference between the probability and what happened, 1 or 0, over all cells that count: 0 is "
    "perfect. The fair form does not depend on the number of members."
)
CHANCE_HELP = "The share of the members above the threshold at the marked place; a diamond where it happened."
PLUME_HELP = (
    "The anomaly of the sea surface temperature averaged over 5°S–5°N, 170°W–120°W (Trenberth 1997). Beyond +0.5 °C "
    "NOAA speaks of El Niño conditions, beyond −0.5 °C of La Niña. The dashed line is the start of the forecast."
)
RATIO_HELP = "1 is a reliable ensemble; below 1 it is too sure of itself, above 1 not sure enough."
FAN_HELP = (
    "The members at the marked place, which a click on a map moves; a drag marks a box, whose mean is shown (cells "
    "count by their area; the number beside the Spread map is the mean of its cells' spreads, which is more). Ranges "
    "hold the middle 80 % and 50 % of the members. A stored example without members shows the normal distribution of "
    "its mean and spread. A click on the chart moves the maps to that lead time."
)
