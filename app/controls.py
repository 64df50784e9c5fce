"""Widgets of the forecast page, and the request they make."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import wording
from app.link import Resolve
from app.plain_text import plain
from app.sampler import Pace, Window, sampler_controls
from app.widgets import held, held_index, in_one_line, key_in, key_of
from engine.checkpoint import list_checkpoints
from engine.datasets import DATASETS, Dataset, Run, get_dataset
from engine.datasets.base import OWN, InitialCondition, load_run, parse_initial_condition
from engine.datasets.calendar import Calendar
from engine.datasets.sea_surface import SeaSurface
from engine.errors import EngineError
from engine.requests import ForecastRequest, ResolvedRequest
from engine.variables import Threshold

WindowOf = Callable[[ResolvedRequest], Window]

MEMBERS_SHOWN = 50
STEPS = (("Previous", -1, ":material/chevron_left:"), ("Next", 1, ":material/chevron_right:"))
HELP = {
    "dataset": "The physical system to forecast.",
    "variable": "What the maps and charts show: a channel of the data, or what follows from it.",
    "model": "The trained networks that make the forecast.",
    "run": "The simulated trajectory that the forecast starts from; no model has seen it in training.",
    "frame": "The moment of that trajectory at which the forecast starts.",
    "region": "The part of the ocean to forecast, of those whose data are on this machine.",
    "date": "The forecast starts from what was observed then.",
    "month": "The forecast starts from what was observed in that month, on average.",
    "threshold": (
        "A marine heatwave is water warmer than the 90th percentile of the baseline years at the same time of the "
        "year (Hobday et al. 2016); other percentiles, or a temperature, may be asked about too."
    ),
    "steps": "How far to forecast, in steps of the data; beyond the end of the run no truth is known.",
    "members": "How many equally likely futures to draw; more give a smoother spread and take longer.",
    "run_button": "Compute this forecast; what was computed before comes back at once.",
    "preview_button": "Compute four members of this forecast for a first look; Run then only adds the others.",
}


def dataset_control(name: str, *, width: int | Literal["stretch"] = "stretch") -> str:
    """Pick a data set; returns its name."""
    names = list(DATASETS)
    return st.selectbox(
        "Data set",
        names,
        index=names.index(name),
        key="dataset",
        format_func=lambda each: DATASETS[each].title.partition(":")[0],
        help=HELP["dataset"],
        width=width,
    )


def request_controls(
    given: ResolvedRequest, resolve: Resolve, window_of: WindowOf, pace: Pace, model_place: DeltaGenerator
) -> ResolvedRequest | None:
    """All widgets of one data set, set to `given` at first; returns the request they make.

    `pace` measures how many seconds a network call of one member takes; the model is picked in `model_place`. None
    where an entry cannot be used; the reason then stands below it.
    """
    dataset = get_dataset(given.dataset)
    try:
        with model_place:
            given = model_control(given, resolve)
        window = window_of(given)
        asked = replace(
            given,
            init=init_control(dataset, given),
            steps=steps_control(dataset, given),
            members=members_control(given),
        )
        sampled = sampler_controls(asked, window, pace)
        return None if sampled is None else resolve(sampled)
    except EngineError as error:
        st.error(plain(str(error)))
        return None


def model_control(given: ResolvedRequest, resolve: Resolve) -> ResolvedRequest:
    """Pick a model where there are several; another one brings its own way to sample. Raises EngineError."""
    names = list_checkpoints(given.dataset)
    if given.model and given.model not in names:
        names = (*names, given.model)
    if len(names) < 2:
        return given
    key = key_of(given, "model")
    picked = st.selectbox(
        "Model",
        names,
        held_index(names, key, given.model),
        key=key,
        format_func=wording.model_title,
        help=wording.models_help(HELP["model"], names),
        width=240,
    )
    if picked == given.model:
        return given
    kept = {name: getattr(given, name) for name in ("dataset", "init", "steps", "members", "seed", "output_leads")}
    return resolve(ForecastRequest(**kept, model=picked))


def init_control(dataset: Dataset, given: ResolvedRequest) -> str:
    """Pick where the forecast starts, or step to the previous or next initial condition."""
    start = parse_initial_condition(given.init, dataset)
    # a click is known before its button is drawn, so that the widgets beside it can still follow
    by = sum(st.session_state.get(key_of(given, name), False) * step for name, step, _ in STEPS)
    if dataset.calendar is not None:
        return str(_dated_init_control(dataset, dataset.calendar, given, start, by))
    return str(_run_and_frame_control(dataset, given, start, by))


def _run_and_frame_control(
    dataset: Dataset, given: ResolvedRequest, start: InitialCondition, by: int
) -> InitialCondition:
    """Of simulated data: a run, and a frame of it."""
    if by:
        start = neighbour(dataset, start, by)
        st.session_state[key_of(given, "run")] = start.run
        st.session_state[key_of(given, "frame")] = start.frame
    runs = _runs_to_pick(dataset, start)
    with in_one_line():
        run = st.selectbox(
            "Initial condition",
            runs,
            index=runs.index(start.run),
            key=key_of(given, "run"),
            format_func=wording.run_title,
            help=HELP["run"],
        )
        _step_buttons(given)
    if run.startswith(OWN):
        return InitialCondition(run, start.frame if run == start.run else 0)
    last = max(condition.frame for condition in dataset.initial_conditions())
    time = dataset.load(run).times[st.session_state.get(key_of(given, "frame"), start.frame)]
    frame = st.slider(
        f"Start frame · at {time:.2f} {dataset.time_units}",
        0,
        last,
        value=start.frame,
        key=key_of(given, "frame"),
        help=HELP["frame"],
    )
    return InitialCondition(run, frame)


def _dated_init_control(
    dataset: Dataset, calendar: Calendar, given: ResolvedRequest, start: InitialCondition, by: int
) -> InitialCondition:
    """Of observed data: a region, where there are several, and a day or a month of its record."""
    runs, name = _runs_to_pick(dataset, start), start.run
    if len(runs) > 1:
        name = st.selectbox(
            "Region",
            runs,
            runs.index(start.run),
            key=key_of(given, "region"),
            format_func=wording.region_title,
            help=HELP["region"],
        )
    run = load_run(dataset, name)
    shown = start.frame if name == start.run else _frame_at_the_same_time(dataset, start, run)
    frame = min(max(shown + by, 0), run.frames - 1)
    pick = _day_control if calendar.unit == "D" else _month_control
    frame = pick(calendar, run, given, frame, moved=bool(by) or name != start.run)
    st.caption(split_note(dataset, run, frame))
    return InitialCondition(name, frame)


def _runs_to_pick(dataset: Dataset, start: InitialCondition) -> tuple[str, ...]:
    """The runs of a data set, and the own field that a forecast starts from."""
    known = dataset.runs()
    return known if start.run in known else (*known, start.run)


def _day_control(calendar: Calendar, run: Run, given: ResolvedRequest, frame: int, *, moved: bool) -> int:
    first, last, shown = (_day(calendar, run.times[index]) for index in (0, -1, frame))
    key = key_of(given, "date")
    if moved:
        st.session_state[key] = shown
    with in_one_line():
        day = st.date_input(
            "Initial condition",
            held(key, shown),
            min_value=first,
            max_value=last,
            key=key,
            format="YYYY-MM-DD",
            help=HELP["date"],
        )
        _step_buttons(given)
    return (day - first).days


def _month_control(calendar: Calendar, run: Run, given: ResolvedRequest, frame: int, *, moved: bool) -> int:
    key = key_of(given, "month")
    if moved:
        st.session_state[key] = frame
    with in_one_line():
        picked = st.selectbox(
            "Initial condition",
            range(run.frames),
            held(key, frame),
            key=key,
            format_func=lambda index: wording.date_title(calendar, float(run.times[index])),
            help=HELP["month"],
        )
        _step_buttons(given)
    return picked


def _day(calendar: Calendar, time: float) -> datetime.date:
    day: datetime.date = calendar.date(float(time)).astype("datetime64[D]").astype(object)
    return day


def _frame_at_the_same_time(dataset: Dataset, start: InitialCondition, run: Run) -> int:
    """The frame of another region's record at the time of an initial condition, or the nearest it has."""
    time = load_run(dataset, start.run).times[start.frame]
    return int(np.abs(run.times - time).argmin())


def split_note(dataset: Dataset, run: Run, frame: int) -> str:
    """Whether a model has seen the time of a frame in training, and whether there is truth ahead."""
    assert dataset.calendar is not None
    if frame == run.frames - 1:
        return "The last of the record: a real forecast, nobody knows its truth here."
    year = dataset.calendar.year(float(run.times[frame]))
    splits = dataset.splits if isinstance(dataset, SeaSurface) else {}
    for split, (first, last) in splits.items():
        if first <= year <= last:
            return f"In the {split} years, {first}–{last}: {SPLIT_NOTES[split]}"
    return "Outside the years of training, validation and test."


SPLIT_NOTES = {
    "train": "the model has seen them.",
    "validation": "they chose the model.",
    "test": "no model has seen them.",
}


def _step_buttons(given: ResolvedRequest) -> None:
    """An arrow each; app/style.css leaves their names to those who listen."""
    for name, _, icon in STEPS:
        st.button(name, icon=icon, key=key_of(given, name), help=f"{name} initial condition")


def neighbour(dataset: Dataset, start: InitialCondition, by: int) -> InitialCondition:
    """The next initial condition of the test split, or the same frame of the next run out of distribution."""
    known = dataset.initial_conditions()
    if start.run.startswith(OWN):
        return known[0 if by > 0 else -1]
    if start not in known:
        tests = {condition.run for condition in known}
        known = tuple(InitialCondition(run, start.frame) for run in dataset.runs() if run not in tests)
    return known[(known.index(start) + by) % len(known)]


def steps_control(dataset: Dataset, given: ResolvedRequest) -> int:
    """Pick the length of the forecast in data steps."""
    shown = st.session_state.get(key_of(given, "steps"), given.steps)
    return st.slider(
        f"Horizon · {wording.duration(dataset, shown)}",
        1,
        max(2 * dataset.default_steps, given.steps),
        given.steps,
        key=key_of(given, "steps"),
        format="%d steps" if dataset.calendar is None else f"%d {dataset.time_units}",
        help=HELP["steps"],
    )


def members_control(given: ResolvedRequest) -> int:
    """Pick the number of ensemble members."""
    return st.slider(
        "Ensemble members",
        1,
        max(MEMBERS_SHOWN, given.members),
        given.members,
        key=key_of(given, "members"),
        help=HELP["members"],
    )


def threshold_control(dataset: Dataset, given: Threshold, typical: float) -> Threshold:
    """Pick what counts as a heatwave: a percentile of the season, or a temperature, `typical` °C at first."""
    kind_key, degrees_key, percent_key = (key_in(dataset.name, name) for name in ("threshold", "degrees", "percent"))
    known = {given.kind: given.value}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = st.segmented_control(
            "Warmer than",
            list(THRESHOLDS),
            default=held(kind_key, given.kind),
            format_func=THRESHOLDS.__getitem__,
            key=kind_key,
            required=True,
            help=HELP["threshold"],
        )
        if kind == "temperature":
            degrees = held(degrees_key, known.get("temperature", typical))
            degrees = st.number_input("°C", -2.0, 40.0, degrees, 0.5, format="%.1f", key=degrees_key, width=120)
            return Threshold("temperature", degrees)
        percent = held(percent_key, known.get("percentile", 90.0))
        return Threshold(
            "percentile",
            st.number_input("Percentile", 1.0, 99.0, percent, 1.0, format="%g", key=percent_key, width=120),
        )


THRESHOLDS = {"percentile": "Percentile of the season", "temperature": "Temperature"}
