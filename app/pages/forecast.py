"""The forecast page: pick, run, look."""

import json
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from app import controls, downloads, sampler, session, wording
from app.backend import Cost, Shown, run_of
from app.notes import guarded
from app.plain_text import plain
from app.player import View, player
from app.plots.curves import BLUE, GREEN, GREY, ORANGE, Curve, ratio_chart, score_chart
from app.plots.fan import Bands, fan_chart, normal_bands, quantile_bands
from app.plots.plume import Plume, plume_chart
from app.plots.probability import probability_chart
from app.summary import Summary
from app.takeaway import static_map_controls
from app.variables import CLIMATOLOGY, Variable, exceedance, pretty_units, variable_named, variables_of
from engine.coastlines import coastlines
from engine.datasets import Dataset, Run, get_dataset
from engine.datasets.base import axes_of
from engine.errors import EngineError
from engine.indices import Index, indices_of
from engine.jobs import Job
from engine.record_evaluation import anomalies_of, quantities
from engine.requests import ResolvedRequest

BADGES = {
    "example": ":orange-badge[example] ",
    "computed": ":green-badge[done] ",
    "stored": ":blue-badge[from store] ",
    "arriving": ":violet-badge[arriving] ",
    "cancelled": ":orange-badge[cancelled] ",
}
QUIET = {"displayModeBar": False}
MONTHS_BEFORE = 12  # of an index, shown before the start of its forecast


@guarded
def show() -> None:
    """The page, top to bottom."""
    visit = session.visit()
    with st.sidebar:
        dataset = get_dataset(controls.dataset_control(visit.dataset))
        there = downloads.is_there(dataset) or session.starts_from_an_own_field(dataset.name)
        request, given = sidebar(dataset) if there else (None, None)
    if given is None:
        session.look_at(dataset.name)
        downloads.offer(dataset)
        return
    session.keep(request or given)
    for problem in visit.problems:
        st.error(plain(problem))
    shown = session.shown(dataset.name, request)
    if visit.run is not None:
        st.fragment(progress_strip, run_every=0.5)(dataset.name)
    if shown is None:
        begin(dataset, request)
        return
    heading(shown, None if visit.run is not None else request)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        variable = variable_control(dataset, shown.summary)
        drawer = st.container(width="content")
    cell = session.cell_of(shown.summary)
    view = view_of(dataset, shown.summary, variable, cell)
    with drawer:
        static_map_controls(dataset, view)
    picked = player(view, key=f"{dataset.name}/player")
    if picked is not None and picked != cell:
        session.visit().cells[dataset.name] = cell = picked
    curves(dataset, shown.summary, variable, cell)


def begin(dataset: Dataset, request: ResolvedRequest | None) -> None:
    """Where there is nothing to show, the first forecast starts by itself, once."""
    visit = session.visit()
    if request is not None and visit.run is None and not visit.problems and dataset.name not in visit.begun:
        visit.begun.add(dataset.name)
        session.start(request)
        st.rerun()
    if visit.run is None:
        st.info("There is no forecast to show yet: press **Run**.")


def sidebar(dataset: Dataset) -> tuple[ResolvedRequest | None, ResolvedRequest]:
    """The controls; returns the request they make, None where an entry cannot be used, and the one they began with."""
    given = session.request_of(dataset.name)
    backend = session.backend()
    request = controls.request_controls(given, backend.resolve, backend.window, backend.pace)
    run_controls(request)
    return request, given


# -- running ---------------------------------------------------------------------------------------------


def run_controls(request: ResolvedRequest | None) -> None:
    """The cost of the request and the button that runs it."""
    if request is not None:
        st.caption(cost_words(request, session.backend().cost(request)))
    pressed = st.button(
        "Run",
        type="primary",
        width="stretch",
        icon=":material/play_arrow:",
        disabled=request is None or session.visit().run is not None,
        help=controls.HELP["run_button"],
    )
    if pressed and request is not None:
        session.start(request)
        st.rerun()


def cost_words(request: ResolvedRequest, cost: Cost) -> str:
    """What a request takes before it is run."""
    if cost.left == 0:
        return "Stored: shown at once."
    members = f"{request.members} member{'s' if request.members > 1 else ''}"
    calls = f"{members} × {cost.per_member:,} network calls"
    stored = 1 - cost.left / (request.members * cost.per_member)
    if stored > 0:
        calls += f", {max(1, round(100 * stored))} % of them stored"
    if cost.seconds is None:
        return calls
    return f"{calls} ≈ {cost.seconds:,.0f} s" if cost.seconds >= 1 else f"{calls}: under 1 s"


def progress_strip(dataset: str) -> None:
    """Follow the job of this visitor; draws the page anew when more has arrived for the data set that it shows."""
    job = session.look()
    if job is None or job.finished:
        if job is not None:
            session.collect(job)
        st.rerun()
    if session.has_more(job, dataset):
        st.rerun()
    bar, stop = st.columns([6, 1], vertical_alignment="center")
    bar.progress(progress_share(job), text=progress_text(job))
    if stop.button("Cancel", width="stretch", help="Stop this run; what has arrived stays."):
        session.cancel()
        st.rerun()


def progress_share(job: Job) -> float:
    """Share of the network calls that are made, 0 to 1."""
    done = job.progress
    return min(1.0, done.calls_done / done.calls_total) if done is not None and done.calls_total else 0.0


def progress_text(job: Job) -> str:
    """A job's progress in words."""
    done = job.progress
    if job.status == "queued":
        left = "" if job.seconds_left is None else f" · about {job.seconds_left:.0f} s until it is done"
        return f"Waiting: number {job.position} in the queue{left}"
    if done is None:
        return "Loading the model …"
    if done.calls_done >= done.calls_total:
        return "Drawing the maps …"
    left = "" if job.seconds_left is None else f" · about {job.seconds_left:.0f} s left"
    return (
        f"{done.members_done} of {done.members} members · window {done.window + 1} of {done.windows} · "
        f"{done.calls_done:,} of {done.calls_total:,} network calls{left}"
    )


# -- what is shown ---------------------------------------------------------------------------------------


def heading(shown: Shown, request: ResolvedRequest | None) -> None:
    """Say which forecast the maps show, and whether the request in the controls is another one by now."""
    said = json.loads(shown.summary.request)
    words = [
        *start_words(shown.summary, said["init"], *extent_words(shown.summary, said)),
        *sampling_words(said),
        f"seed {said['seed']}",
        plain(wording.model_title(said["model"])),
    ]
    if shown.seconds is not None:
        words.append(f"{shown.seconds:.1f} s")
    st.markdown(BADGES[shown.origin] + " · ".join(words))
    if request is not None and json.loads(json.dumps(asdict(request))) != said:
        st.caption("The settings have changed since: press Run for a forecast that follows them.")


def sampling_words(said: dict[str, Any]) -> list[str]:
    """How the windows of a forecast were sampled; with schedule 0 there are no steps, and so no sampler."""
    if said["schedule"] == "0":
        return ["one forecaster call per window"]
    noise = [] if said["noise"] == "independent" else [sampler.noise_words(said["noise"])]
    return [", ".join([said["schedule"], said["solver"], *noise, *(["refined"] if said["refine"] else [])])]


def extent_words(summary: Summary, said: dict[str, Any]) -> tuple[str, str]:
    """How far a forecast goes and how many members it has; of one under way, how much of that is there."""
    dataset = get_dataset(summary.dataset)
    there, steps = int(summary.leads[-1]), said["steps"]
    count = f"{summary.members} of {said['members']}" if summary.members < said["members"] else f"{said['members']}"
    if dataset.calendar is None:
        return f"{there} of {steps} steps" if there < steps else f"{steps} steps", f"{count} members"
    reach = wording.duration(dataset, steps)
    return f"{wording.duration(dataset, there)} of {reach}" if there < steps else reach, f"{count} members"


def start_words(summary: Summary, init: str, reach: str, members: str) -> list[str]:
    """Where a forecast starts, how many members it has and how far it goes."""
    dataset = get_dataset(summary.dataset)
    run, _, frame = init.rpartition(":")
    if dataset.calendar is None:
        return [f"{wording.run_title(run)}, frame {frame}", members, reach]
    region = [wording.region_title(run)] if dataset.runs() != (run,) else []
    start = f"from {wording.date_title(dataset.calendar, summary.init_time)}, {reach}"
    return [*region, start, members]


def variable_control(dataset: Dataset, summary: Summary) -> Variable:
    """Pick what the maps show; of a heatwave also the threshold."""
    known = {variable.name: variable for variable in variables_of(dataset.name)}
    picked = st.segmented_control(
        "Variable",
        list(known),
        key=f"{dataset.name}/variable",
        default=next(iter(known)),
        format_func=lambda name: short_title(known[name], summary),
        required=True,
        label_visibility="collapsed",
    )
    variable = known[picked]
    if variable.threshold is None:
        return variable
    asked = exceedance(controls.threshold_control(dataset, typical(summary)))
    try:
        with st.spinner("Finding the threshold …", show_time=True):
            session.backend().refer(summary, asked)
    except EngineError as error:
        st.warning(plain(str(error)))
        return next(iter(known.values()))
    return asked


def short_title(variable: Variable, summary: Summary) -> str:
    """The name of a variable; an anomaly's names the years of its baseline."""
    is_anomaly = CLIMATOLOGY in variable.references
    return f"{variable.short} ({summary.baseline})" if is_anomaly and summary.baseline else variable.short


def typical(summary: Summary) -> float:
    """A warm but common temperature of the forecast, in whole degrees: nine tenths of the first map are colder."""
    maps = summary.maps(variable_named(summary.dataset, "sst"))
    return float(np.round(np.nanpercentile(maps.truth[0], 90)))


def view_of(dataset: Dataset, summary: Summary, variable: Variable, cell: int) -> View:
    """What the player needs of a forecast; times in the data set's units."""
    maps = summary.maps(variable)
    grid = dataset.name != "spring-mesh"
    leads = np.concatenate([[0.0], summary.leads * dataset.time_step])
    share = 100.0 if variable.threshold is not None else 1.0
    return View(
        kind="grid" if grid else "particles",
        forecast=summary.request,
        variable=variable.name,
        title=variable.title,
        units="%" if variable.threshold is not None else pretty_units(variable.units),
        diverging=variable.scale == "balance",
        leads=leads,
        valid=summary.times,
        time_units=dataset.time_units,
        x=summary.x,
        y=summary.y,
        length_units=pretty_units(dataset.axes[1].units),
        mean=share * maps.mean,
        truth=share * maps.truth,
        spread=maps.spread,
        solid=summary.solid,
        mean_positions=None if grid else _positions(dataset, summary, "mean"),
        truth_positions=None if grid else _positions(dataset, summary, "truth"),
        springs=None if grid else springs(len(summary.y), len(summary.x)),
        cell=cell,
        **_on_earth(dataset, summary, variable),
    )


def _on_earth(dataset: Dataset, summary: Summary, variable: Variable) -> dict[str, Any]:
    """What a view of observed data has besides: dates, coastlines and, for a probability, the distance to go."""
    if dataset.calendar is None:
        return {}
    frames = zip(np.concatenate([[0.0], summary.leads]), summary.times, strict=True)
    labels = [(wording.duration(dataset, lead), dataset.calendar.label(float(time))) for lead, time in frames]
    found: dict[str, Any] = {"labels": labels, "coastlines": coastlines(_span(summary.x), _span(summary.y))}
    if variable.threshold is not None and summary.ensemble is not None:
        sst = summary.maps(variable_named(dataset.name, "sst")).mean
        margin = sst - summary.ensemble.references[variable.threshold.reference]
        found |= {"margin": margin, "margin_units": "°C"}
    return found


def _span(axis: np.ndarray) -> tuple[float, float]:
    """The outer edges of the cells along an axis in degrees."""
    half = (axis[1] - axis[0]) / 2
    return float(axis[0] - half), float(axis[-1] + half)


def _positions(dataset: Dataset, summary: Summary, kind: str) -> np.ndarray:
    places = [v for v in variables_of(dataset.name) if v.name in ("q_x", "q_y")]
    return np.stack([getattr(summary.maps(place), kind) for place in places], axis=1)


def springs(rows: int, columns: int) -> np.ndarray:
    """Pairs of neighbouring cells, diagonals included: (spring, 2) indices into the flattened grid."""
    cells = np.arange(rows * columns).reshape(rows, columns)
    pairs = [
        (cells[:, :-1], cells[:, 1:]),
        (cells[:-1], cells[1:]),
        (cells[:-1, :-1], cells[1:, 1:]),
        (cells[:-1, 1:], cells[1:, :-1]),
    ]
    return np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in pairs])


def curves(dataset: Dataset, summary: Summary, variable: Variable, cell: int) -> None:
    """Scores by lead time, spread against error, the forecast at one place, and the plumes of indices."""
    indices = indices_of(dataset.name)
    charts = [*(partial(plume, dataset, summary, index) for index in indices), partial(at_a_place, dataset, summary)]
    scores = [partial(scores_by_lead, dataset, summary), partial(spread_and_error, dataset, summary)]
    if variable.threshold is not None:
        scores[1:] = [partial(chance_at_a_place, dataset, summary)]
    rows = [charts, scores] if indices else [[*scores, *charts]]
    for row in rows:
        for column, chart in zip(st.columns(len(row), gap="medium"), row, strict=True):
            with column:
                chart(variable, cell)


def plume(dataset: Dataset, summary: Summary, index: Index, variable: Variable, cell: int) -> None:
    """The plume of a climate index, with the year before."""
    del variable, cell  # an index is the same whatever the maps show
    if summary.ensemble is None or dataset.calendar is None:
        return
    st.markdown(f"**{index.title} plume** · anomaly against {summary.baseline}", help=PLUME_HELP)
    run = run_of(summary)
    start = int(np.searchsorted(run.times, summary.init_time))
    try:
        observed = index_of_record(dataset, run, index)
    except EngineError as error:  # an own field on a grid without climatology
        st.caption(str(error))
        return
    first, last = max(0, start - MONTHS_BEFORE), start + int(summary.leads[-1]) + 1
    weights = index.weights(axes_of(dataset, run), summary.ensemble.scored)
    members = summary.ensemble.area_mean(variable_named(dataset.name, "anomaly"), weights)
    dates = [dataset.calendar.date(float(time)) for time in summary.times]
    chart = plume_chart(
        Plume(
            np.array(dates),
            np.concatenate([np.full((len(members), 1), observed[start]), members], axis=1),
            np.array([dataset.calendar.date(float(time)) for time in run.times[first:last]]),
            observed[first:last],
        )
    )
    st.plotly_chart(chart, key=f"plume-{index.name}", config=QUIET)


def index_of_record(dataset: Dataset, run: Run, index: Index) -> np.ndarray:
    """An index of all the record, (frame,)."""
    background = dataset.background(run)
    quantity = next(each for each in quantities(dataset, run, background) if each.name == index.name)
    return quantity.of(anomalies_of(dataset, background, run.states[:, 0], run.times))[:, 0]


def scores_by_lead(dataset: Dataset, summary: Summary, variable: Variable, cell: int) -> None:
    """CRPS, RMSE and spread; of a probability its Brier score."""
    del cell  # they are averages over all
    scores, units = summary.maps(variable).scores, pretty_units(variable.units)
    lead = summary.leads * dataset.time_step
    if variable.threshold is not None:
        st.markdown("**Brier score by lead time**", help=BRIER_HELP)
        lines: tuple[Curve, ...] = (Curve("fair Brier score", lead, scores.crps, BLUE),)
    else:
        st.markdown("**Scores by lead time**", help=SCORES_HELP)
        lines = (
            Curve("fair CRPS", lead, scores.crps, BLUE),
            Curve("RMSE", lead, scores.rmse, ORANGE),
            Curve("spread", lead, scores.spread, GREEN, "dash"),
            *baseline_curves(dataset, summary, variable),
        )
    st.plotly_chart(score_chart(lines, time_units=dataset.time_units, units=units), key="scores", config=QUIET)
    if variable.threshold is None and session.backend().awaits_baselines(summary):
        st.fragment(wait_for_baselines, run_every=2)(summary)


def wait_for_baselines(summary: Summary) -> None:
    """Draw the page again once the baselines are scored."""
    if not session.backend().awaits_baselines(summary):
        st.rerun()
    st.caption("Scoring persistence and climatology …")


def spread_and_error(dataset: Dataset, summary: Summary, variable: Variable, cell: int) -> None:
    """Whether the spread is as large as the error."""
    del cell  # it is an average over all
    st.markdown("**Spread ÷ RMSE**", help=RATIO_HELP)
    ratio = summary.maps(variable).scores.ratio
    lead = summary.leads * dataset.time_step
    st.plotly_chart(ratio_chart(lead, ratio, time_units=dataset.time_units), key="ratio", config=QUIET)


def at_a_place(dataset: Dataset, summary: Summary, variable: Variable, cell: int) -> None:
    """The members at the marked place; of a heatwave the temperature and its threshold."""
    row, column = divmod(cell, len(summary.x))
    shown, threshold = variable, None
    if variable.threshold is not None and summary.ensemble is not None:
        shown = variable_named(dataset.name, "sst")
        threshold = summary.ensemble.references[variable.threshold.reference][1:, row, column]
    st.markdown(f"**At {place(dataset, summary, row, column)}**", help=FAN_HELP)
    chart = fan_chart(
        summary.leads * dataset.time_step,
        bands_at(summary, shown, row, column),
        summary.maps(shown).truth[1:, row, column],
        time_units=dataset.time_units,
        units=pretty_units(shown.units),
        threshold=threshold,
    )
    st.plotly_chart(chart, key="fan", config=QUIET)


def chance_at_a_place(dataset: Dataset, summary: Summary, variable: Variable, cell: int) -> None:
    """How likely it is at the marked place, by lead time."""
    row, column = divmod(cell, len(summary.x))
    maps = summary.maps(variable)
    st.markdown(f"**Probability at {place(dataset, summary, row, column)}**", help=CHANCE_HELP)
    chart = probability_chart(
        summary.leads * dataset.time_step,
        100 * maps.mean[1:, row, column],
        maps.truth[1:, row, column],
        time_units=dataset.time_units,
    )
    st.plotly_chart(chart, key="chance", config=QUIET)


def place(dataset: Dataset, summary: Summary, row: int, column: int) -> str:
    """The marked place in words."""
    x, y = float(summary.x[column]), float(summary.y[row])
    if dataset.calendar is not None:
        return wording.place(y, x)
    return f"x {x:g}, y {y:g} {pretty_units(dataset.axes[1].units)}".strip()


def baseline_curves(dataset: Dataset, summary: Summary, variable: Variable) -> list[Curve]:
    """CRPS of what must be beaten, where it is known for this forecast."""
    found = session.backend().baselines(summary, variable.name)
    return [
        Curve(BASELINE_NAMES.get(name, name), leads * dataset.time_step, crps, GREY, dash, is_baseline=True)
        for (name, (leads, crps)), dash in zip(found.items(), ("dot", "dashdot", "longdash"), strict=False)
    ]


BASELINE_NAMES = {"damped persistence": "damped"}  # short enough for a third of the legend's line


def bands_at(summary: Summary, variable: Variable, row: int, column: int) -> Bands:
    """The members' distribution at one cell; a stored example has mean and spread alone."""
    if summary.ensemble is not None:
        return quantile_bands(summary.ensemble.at(variable, row, column))
    maps = summary.maps(variable)
    return normal_bands(maps.mean[1:, row, column], maps.spread[1:, row, column])


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
    "The members at the marked place, which a click on a map moves: the ranges that hold the middle 80 % and "
    "50 % of them, and their median. A stored example shows the normal distribution of its mean and spread."
)
