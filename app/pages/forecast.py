"""The forecast page: pick, run, look."""

import json
from dataclasses import asdict

import numpy as np
import streamlit as st

from app import controls, session
from app.backend import Shown
from app.notes import guarded
from app.player import View, player
from app.plots.curves import BLUE, GREEN, GREY, ORANGE, Curve, ratio_chart, score_chart
from app.plots.fan import Bands, fan_chart, normal_bands, quantile_bands
from app.plots.schedule import schedule_chart
from app.summary import Summary
from app.variables import Variable, pretty_units, variables_of
from engine.datasets import Dataset, get_dataset
from engine.jobs import Job
from engine.requests import ResolvedRequest
from engine.schedules import Schedule

BADGES = {
    "example": ":orange-badge[example] ",
    "computed": ":green-badge[done] ",
    "stored": ":blue-badge[from store] ",
}
QUIET = {"displayModeBar": False}


@guarded
def show() -> None:
    """The page, top to bottom."""
    visit = session.visit()
    with st.sidebar:
        dataset = get_dataset(controls.dataset_control(visit.dataset))
        given = session.request_of(dataset.name)
        request = controls.request_controls(given, session.backend().resolve, draw_schedule)
        run_controls(request)
    session.keep(request or given)
    for problem in visit.problems:
        st.error(problem)
    if visit.run is not None:
        st.fragment(progress_strip, run_every=0.5)()
    shown = session.shown(dataset.name, request)
    if shown is None:
        st.info("There is no forecast to show yet: press **Run**.")
        return
    heading(shown, None if visit.run is not None else request)
    variable = variable_control(dataset)
    cell = session.cell_of(dataset.name)
    picked = player(view_of(dataset, shown.summary, variable, cell), key=f"{dataset.name}/player")
    if picked is not None and picked != cell:
        session.visit().cells[dataset.name] = cell = picked
    curves(dataset, shown.summary, variable, cell)


def draw_schedule(schedule: Schedule) -> None:
    """The schedule's leads on the time axis of a window."""
    st.plotly_chart(schedule_chart(schedule), key="schedule-ticks", config=QUIET)


# -- running ---------------------------------------------------------------------------------------------


def run_controls(request: ResolvedRequest | None) -> None:
    """The cost of the request and the button that runs it."""
    if request is not None:
        calls, seconds = session.backend().cost(request)
        measured = "" if seconds is None else f", about {seconds:.0f} s" if seconds >= 1 else ", under 1 s"
        st.caption(f"{calls:,} network calls per member{measured}")
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


def progress_strip() -> None:
    """Follow the job of this visitor; only reads how it stands."""
    job = session.look()
    if job is None or job.finished:
        if job is not None:
            session.collect(job)
        st.rerun()
    bar, stop = st.columns([6, 1], vertical_alignment="center")
    bar.progress(progress_share(job), text=progress_text(job))
    if stop.button("Cancel", width="stretch", help="Stop this run; what is shown stays."):
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
        return f"Waiting: number {job.position} in the queue"
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
    run, _, frame = said["init"].rpartition(":")
    words = [
        f"{controls.run_title(run)}, frame {frame}",
        f"{said['members']} members",
        f"{said['steps']} steps",
        f"{said['schedule']}, {said['solver']}{', refined' if said['refine'] else ''}",
        f"seed {said['seed']}",
        said["model"],
    ]
    if shown.seconds is not None:
        words.append(f"{shown.seconds:.1f} s")
    st.markdown(BADGES[shown.origin] + " · ".join(words))
    if request is not None and json.loads(json.dumps(asdict(request))) != said:
        st.caption("The settings have changed since: press Run for a forecast that follows them.")


def variable_control(dataset: Dataset) -> Variable:
    """Pick what the maps show."""
    known = {variable.name: variable for variable in variables_of(dataset.name)}
    picked = st.segmented_control(
        "Variable",
        list(known),
        key=f"{dataset.name}/variable",
        default=next(iter(known)),
        format_func=lambda name: known[name].short,
        required=True,
        label_visibility="collapsed",
    )
    return known[picked]


def view_of(dataset: Dataset, summary: Summary, variable: Variable, cell: int) -> View:
    """What the player needs of a forecast; times in the data set's units."""
    maps = summary.maps(variable)
    grid = dataset.name != "spring-mesh"
    leads = np.concatenate([[0.0], summary.leads * dataset.time_step])
    return View(
        kind="grid" if grid else "particles",
        forecast=f"{summary.request}/{summary.members}",
        variable=variable.name,
        title=variable.title,
        units=pretty_units(variable.units),
        diverging=variable.scale == "balance",
        leads=leads,
        valid=np.concatenate([[summary.init_time], summary.valid_times]),
        time_units=dataset.time_units,
        x=summary.x,
        y=summary.y,
        length_units=pretty_units(dataset.axes[1].units),
        mean=maps.mean,
        truth=maps.truth,
        spread=maps.spread,
        solid=summary.solid,
        mean_positions=None if grid else _positions(dataset, summary, "mean"),
        truth_positions=None if grid else _positions(dataset, summary, "truth"),
        springs=None if grid else springs(len(summary.y), len(summary.x)),
        cell=cell,
    )


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
    """Scores by lead time, spread against error, and the forecast at one place."""
    scores, units = summary.maps(variable).scores, pretty_units(variable.units)
    lead, time_units = summary.leads * dataset.time_step, dataset.time_units
    left, middle, right = st.columns(3, gap="medium")
    with left:
        st.markdown("**Scores by lead time**", help=SCORES_HELP)
        lines = (
            Curve("fair CRPS", lead, scores.crps, BLUE),
            Curve("RMSE", lead, scores.rmse, ORANGE),
            Curve("spread", lead, scores.spread, GREEN, "dash"),
            *baseline_curves(dataset, summary, variable),
        )
        st.plotly_chart(score_chart(lines, time_units=time_units, units=units), key="scores", config=QUIET)
    with middle:
        st.markdown("**Spread ÷ RMSE**", help=RATIO_HELP)
        st.plotly_chart(ratio_chart(lead, scores.ratio, time_units=time_units), key="ratio", config=QUIET)
    with right:
        row, column = divmod(cell, len(summary.x))
        place = f"x {summary.x[column]:g}, y {summary.y[row]:g} {pretty_units(dataset.axes[1].units)}".strip()
        st.markdown(f"**At {place}**", help=FAN_HELP)
        bands = bands_at(summary, variable, row, column)
        truth = summary.maps(variable).truth[1:, row, column]
        st.plotly_chart(fan_chart(lead, bands, truth, time_units=time_units, units=units), key="fan", config=QUIET)


def baseline_curves(dataset: Dataset, summary: Summary, variable: Variable) -> list[Curve]:
    """CRPS of persistence and climatology, where the project's table knows this forecast."""
    found = session.backend().baselines(summary, variable.name)
    return [
        Curve(name, leads * dataset.time_step, crps, GREY, dash, is_baseline=True)
        for (name, (leads, crps)), dash in zip(found.items(), ("dot", "dashdot"), strict=False)
    ]


def bands_at(summary: Summary, variable: Variable, row: int, column: int) -> Bands:
    """The members' distribution at one cell; a stored example has mean and spread alone."""
    if summary.ensemble is not None:
        return quantile_bands(summary.ensemble.at(variable, row, column))
    maps = summary.maps(variable)
    return normal_bands(maps.mean[1:, row, column], maps.spread[1:, row, column])


SCORES_HELP = (
    "Averages over all cells that count (no walls, obstacles or held particles). CRPS is the fair form, RMSE "
    "that of the ensemble mean; spread is the root mean variance of the members times (M+1)/M, which equals the "
    "RMSE of a reliable ensemble. Dotted, for the channels: the CRPS of persistence with a fitted Gaussian, "
    "and of climatology."
)
RATIO_HELP = "1 is a reliable ensemble; below 1 it is too sure of itself, above 1 not sure enough."
FAN_HELP = (
    "The members at the marked place, which a click on a map moves: the ranges that hold the middle 80 % and "
    "50 % of them, and their median. A stored example shows the normal distribution of its mean and spread."
)
