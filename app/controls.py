"""Widgets, the request they make, and the link that holds it."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
import streamlit as st

from app import wording
from app.plain_text import plain
from app.variables import Threshold
from engine.checkpoint import list_checkpoints, load_card
from engine.datasets import DATASETS, Dataset, Run, get_dataset
from engine.datasets.base import OWN, InitialCondition, date_of, load_run, parse_initial_condition
from engine.datasets.calendar import Calendar
from engine.datasets.sea_surface import SeaSurface
from engine.errors import CheckpointError, EngineError, RequestError
from engine.fronts import CHOSEN, FrontPoint, best_under, read_front
from engine.noise import parse_coupling
from engine.requests import ForecastRequest, ResolvedRequest, calls_per_member
from engine.sampling import SOLVERS
from engine.schedules import Schedule, parse_schedule

Resolve = Callable[[ForecastRequest], ResolvedRequest]


class Window(Protocol):
    """The leads that a model was trained on, and whether it walks through them."""

    @property
    def horizon(self) -> int: ...
    @property
    def auxiliary_steps(self) -> int: ...
    @property
    def method(self) -> str: ...


WindowOf = Callable[[ResolvedRequest], Window]
DrawSchedule = Callable[[Schedule, Window], None]
Pace = Callable[[ResolvedRequest], float]

CUSTOM = "custom"
CORRELATION = "correlation"
NOISE = {
    "independent": "Independent at every call",
    "step": "Shared within a step",
    "window": "Frozen over the window",
    CORRELATION: "Correlated within a step …",
    "none": "Switched off",
}
PRESET_NOTES = {
    "fast": "the default, trained for reliable ensembles and quick enough to play with",
    "published": "the recipe of the DYffusion paper, whose only randomness is the interpolator's dropout",
    "dropout": "the rival: one network asked for every lead by itself, its dropout left on",
    "paper": "the networks of the DYffusion paper at their full size",
}
NO_SCHEDULE = (
    "This model has no sampling schedule: its one network is asked for every lead by itself, and its dropout makes "
    "the members differ."
)
MEMBERS_SHOWN = 50
STEPS = (("Previous", -1, ":material/chevron_left:"), ("Next", 1, ":material/chevron_right:"))
HELP = {
    "dataset": "The physical system to forecast.",
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
    "schedule": "The lead times inside a window at which the sampler stops: each stop costs network calls.",
    "leads": "Rising lead times in data steps, separated by commas; a name such as stride3 works too.",
    "solver": (
        "How the sampler moves from one stop to the next: cold adds the interpolator's change (the published "
        "way), naive takes its new state as it is, Heun averages two changes and costs twice as much."
    ),
    "noise": (
        "The interpolator is random. Independent: every network call draws its own noise, which the sampler adds up "
        "into spread. Shared within a step: the two calls whose difference is taken see the same noise, so less is "
        "added. Frozen: one draw for all of a window, the smoothest members. Correlated: between independent and "
        "shared. Switched off: the interpolator is not random, and only a forecaster that draws noise parts the "
        "members. None of them costs time; all change how far the members part."
    ),
    "correlation": "Of the noise of two calls in one step: 0 is independent, 1 is shared.",
    "seconds": (
        "Sets schedule, sampler, noise and refinement to what scored best, on runs kept aside for such choices, among "
        "all that this machine computes in so many seconds."
    ),
    "refine": "Draw the states inside a window anew from its last, best estimate; less noise, less spread.",
    "seed": "The number all randomness follows from: the same seed gives the same forecast.",
    "run_button": "Compute this forecast; what was computed before comes back at once.",
}


# -- the link --------------------------------------------------------------------------------------------


def request_from_query(
    query: Mapping[str, str], resolve: Resolve, first: Callable[[str], ForecastRequest] = ForecastRequest
) -> tuple[ResolvedRequest, list[str]]:
    """Read the link into a complete request, with one sentence for everything in it that cannot be used.

    What cannot be used falls back to its default, which `first` gives for a data set; the rest of the link is kept.
    """
    name = query.get("dataset", next(iter(DATASETS)))
    problems: list[str] = []
    try:
        get_dataset(name)
    except RequestError as error:
        name, query, problems = next(iter(DATASETS)), {}, [str(error)]
    given = first(name)
    entries = {field: query[field] for field in _FIELDS if field in query}
    try:
        return resolve(_with(given, entries)), problems
    except EngineError:  # one entry after the other, then, to name those that cannot be used and keep the rest
        pass
    try:
        complete = resolve(given)
    except EngineError as error:
        return _without_model(name), [*problems, str(error)]
    for field, text in entries.items():
        try:
            candidate = _with(given, {field: text})
            complete = resolve(candidate)
            given = candidate
        except EngineError as error:
            problems.append(str(error))
    return complete, problems


def _with(given: ForecastRequest, entries: Mapping[str, str]) -> ForecastRequest:
    return replace(given, **{field: _read(field, text) for field, text in entries.items()})


def _without_model(name: str) -> ResolvedRequest:
    """Something plausible to show in the controls while a data set has no usable model, or no data."""
    known = get_dataset(name).initial_conditions()
    return ResolvedRequest(
        dataset=name,
        init=str(known[0]) if known else 0,
        steps=get_dataset(name).default_steps,
        members=10,
        schedule="full",
        solver="cold",
        refine=True,
    )


def request_to_query(
    request: ResolvedRequest, defaults: ResolvedRequest, of_model: ResolvedRequest | None = None
) -> dict[str, str]:
    """The link of a request: the data set, the date it starts from, and whatever differs from the defaults.

    `defaults` are the data set's. Where the request is for another than its first model, the link names it, and
    `of_model`, the defaults of that model, decide on the rest.
    """
    if of_model is not None:
        defaults = replace(of_model, model=defaults.model)
    query = {"dataset": request.dataset}
    date = _date_in_link(request)
    if date is not None:
        query["init"] = date
    for field in _FIELDS:
        value = getattr(request, field)
        if value != getattr(defaults, field) and field not in query:
            query[field] = _written(value)
    return query


def _date_in_link(request: ResolvedRequest) -> str | None:
    """The initial condition as a date, where that says which it is: frames shift as a record grows, dates do not."""
    dataset = get_dataset(request.dataset)
    if dataset.calendar is None or not dataset.initial_conditions():
        return None
    start = parse_initial_condition(request.init, dataset)
    if start.run.startswith(OWN):  # whose dates may lie outside every record
        return None
    date = date_of(dataset, load_run(dataset, start.run), start.frame)
    return date if date is not None and parse_initial_condition(date, dataset) == start else None


_FIELDS = tuple(field.name for field in fields(ForecastRequest) if field.name != "dataset")


def _read(field: str, text: str) -> Any:
    return _READERS[field](field, text) if field in _READERS else text


def _whole(field: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RequestError(f"The link says {field}={text}: give a whole number, such as {field}=4.") from None


def _yes_or_no(field: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise RequestError(f"The link says {field}={text}: give true or false.")
    return text.lower() == "true"


def _numbers(field: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise RequestError(f"The link says {field}={text}: give numbers separated by commas.") from None


_READERS: dict[str, Callable[[str, str], Any]] = {
    "steps": _whole,
    "members": _whole,
    "seed": _whole,
    "refine": _yes_or_no,
    "output_leads": _numbers,
}


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(f"{number:g}" for number in value)
    return str(value)


# -- the widgets -----------------------------------------------------------------------------------------


def dataset_control(name: str) -> str:
    """Pick a data set; returns its name."""
    names = list(DATASETS)
    return st.selectbox(
        "Data set",
        names,
        index=names.index(name),
        key="dataset",
        format_func=lambda each: DATASETS[each].title.partition(":")[0],
        help=HELP["dataset"],
    )


def request_controls(
    given: ResolvedRequest, resolve: Resolve, window_of: WindowOf, draw_schedule: DrawSchedule, pace: Pace
) -> ResolvedRequest | None:
    """All widgets of one data set, set to `given` at first; returns the request they make.

    `pace` measures how many seconds a network call of one member takes. None where an entry cannot be used; the
    reason then stands below it.
    """
    dataset = get_dataset(given.dataset)
    try:
        given = model_control(given, resolve)
        window = window_of(given)
        asked = replace(
            given,
            init=init_control(dataset, given),
            steps=steps_control(dataset, given),
            members=members_control(given),
        )
        sampled = sampler_controls(asked, window, draw_schedule, pace)
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
    key = _key(given, "model")
    _begin(key, given.model)
    picked = st.selectbox("Model", names, key=key, format_func=model_title, help=model_help(names))
    if picked == given.model:
        return given
    kept = {name: getattr(given, name) for name in ("dataset", "init", "steps", "members", "seed", "output_leads")}
    return resolve(ForecastRequest(**kept, model=picked))


def model_title(name: str) -> str:
    """A model as the picker names it."""
    try:
        return load_card(name).title
    except CheckpointError:  # it is named in the link and not on this machine
        return name


def model_help(names: tuple[str, ...]) -> str:
    """What each of some models is."""
    lines = [HELP["model"]]
    for name in names:
        try:
            card = load_card(name)
        except CheckpointError:
            continue
        lines.append(f"- **{plain(card.title)}**: {PRESET_NOTES.get(card.preset, plain(card.name))}.")
    return "\n".join(lines)


def sampler_controls(given: ResolvedRequest, window: Window, draw: DrawSchedule, pace: Pace) -> ResolvedRequest | None:
    """How the window is sampled, and the seed; None where what is written is no schedule."""
    if window.method == "dropout":
        st.caption(NO_SCHEDULE)
        return replace(given, seed=seed_control(given))
    given = best_within_control(given, window, pace)
    place = st.empty()
    schedule = schedule_control(window, given, draw)
    solver = solver_control(given)
    noise = noise_control(given)
    left, right = st.columns(2, vertical_alignment="center")
    with left:
        refine = refine_control(given)
    with right:
        seed = seed_control(given)
    if schedule is None:
        return None
    sampled = replace(given, schedule=schedule, solver=solver, noise=noise, refine=refine, seed=seed)
    with place:
        say_what_was_chosen(sampled)
    return sampled


def init_control(dataset: Dataset, given: ResolvedRequest) -> str:
    """Pick where the forecast starts, or step to the previous or next initial condition."""
    start = parse_initial_condition(given.init, dataset)
    # a click is known before its button is drawn, so that the widgets beside it can still follow
    by = sum(st.session_state.get(_key(given, name), False) * step for name, step, _ in STEPS)
    if dataset.calendar is not None:
        return str(_dated_init_control(dataset, dataset.calendar, given, start, by))
    return str(_run_and_frame_control(dataset, given, start, by))


def _run_and_frame_control(
    dataset: Dataset, given: ResolvedRequest, start: InitialCondition, by: int
) -> InitialCondition:
    """Of simulated data: a run, and a frame of it."""
    if by:
        start = neighbour(dataset, start, by)
        st.session_state[_key(given, "run")] = start.run
        st.session_state[_key(given, "frame")] = start.frame
    runs = _runs_to_pick(dataset, start)
    with _in_one_line():
        run = st.selectbox(
            "Initial condition",
            runs,
            index=0 if by else runs.index(start.run),
            key=_key(given, "run"),
            format_func=wording.run_title,
            help=HELP["run"],
        )
        _step_buttons(given)
    if run.startswith(OWN):
        return InitialCondition(run, start.frame if run == start.run else 0)
    last = max(condition.frame for condition in dataset.initial_conditions())
    time = dataset.load(run).times[st.session_state.get(_key(given, "frame"), start.frame)]
    frame = st.slider(
        f"Start frame · at {time:.2f} {dataset.time_units}",
        0,
        last,
        value=None if by else start.frame,
        key=_key(given, "frame"),
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
            key=_key(given, "region"),
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
    key = _key(given, "date")
    if moved or key not in st.session_state:
        st.session_state[key] = shown
    with _in_one_line():
        day = st.date_input(
            "Initial condition",
            min_value=first,
            max_value=last,
            key=key,
            format="YYYY-MM-DD",
            help=HELP["date"],
        )
        _step_buttons(given)
    return (day - first).days


def _month_control(calendar: Calendar, run: Run, given: ResolvedRequest, frame: int, *, moved: bool) -> int:
    key = _key(given, "month")
    if moved or key not in st.session_state:
        st.session_state[key] = frame
    with _in_one_line():
        picked = st.selectbox(
            "Initial condition",
            range(run.frames),
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


def _in_one_line() -> Any:
    return st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall")


def _step_buttons(given: ResolvedRequest) -> None:
    for name, _, icon in STEPS:
        st.button("", icon=icon, key=_key(given, name), help=f"{name} initial condition")


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
    shown = st.session_state.get(_key(given, "steps"), given.steps)
    return st.slider(
        f"Horizon · {wording.duration(dataset, shown)}",
        1,
        max(2 * dataset.default_steps, given.steps),
        given.steps,
        key=_key(given, "steps"),
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
        key=_key(given, "members"),
        help=HELP["members"],
    )


def best_within_control(given: ResolvedRequest, window: Window, pace: Pace) -> ResolvedRequest:
    """Let a time limit choose how to sample, where that model's front is measured; returns what is then asked for."""
    if not is_measured(given.model):
        return given
    key = _sampler_key(given, "seconds")
    _begin(key, SECONDS)
    with _in_one_line():
        seconds = st.number_input(
            "Best under … seconds", 0.1, None, step=1.0, key=key, format="%g", help=HELP["seconds"]
        )
        pressed = st.button("Choose", key=_sampler_key(given, "choose"))
    if not pressed:
        return given
    try:
        with st.spinner("Timing a network call …"):
            each = pace(given)
        point = best_under(given.model, seconds, members=given.members, steps=given.steps, seconds_per_call=each)
    except EngineError as error:
        st.warning(plain(str(error)))
        return given
    st.session_state[_sampler_key(given, "choice")] = Choice(point, given.members, given.steps, each)
    return _set_to_point(given, window, point)


def is_measured(model: str) -> bool:
    """Whether it is known how good each way to sample a model is."""
    try:
        return bool(read_front(model))
    except EngineError:
        return False


@dataclass(frozen=True)
class Choice:
    """What a time limit chose, for how many members over how many steps, by the seconds of a member's network call."""

    point: FrontPoint
    members: int
    steps: int
    seconds_per_call: float


SECONDS = 10.0


def _set_to_point(given: ResolvedRequest, window: Window, point: FrontPoint) -> ResolvedRequest:
    """The request sampled as a point of the front is; the widgets, which are still to be drawn, are set to it."""
    noise, correlation = _noise_choice(point.noise)
    is_preset = point.schedule in schedule_presets(window)
    for name, value in {
        "schedule": point.schedule if is_preset else CUSTOM,
        "leads": point.schedule,
        "solver": point.solver,
        "noise": noise,
        "correlation": correlation,
        "refine": point.refine,
    }.items():
        st.session_state[_sampler_key(given, name)] = value
    return replace(given, **{name: getattr(point, name) for name in CHOSEN})


def say_what_was_chosen(sampled: ResolvedRequest) -> None:
    """What a time limit chose, in words, as long as the request still is that."""
    choice: Choice | None = st.session_state.get(_sampler_key(sampled, "choice"))
    if choice is None or (choice.members, choice.steps) != (sampled.members, sampled.steps):
        return
    if all(getattr(sampled, name) == getattr(choice.point, name) for name in CHOSEN):
        st.caption(choice_words(choice.point, calls_per_member(sampled), sampled.members, choice.seconds_per_call))


def choice_words(point: FrontPoint, calls: int, members: int, seconds_per_call: float) -> str:
    """What a time limit chose, what it costs and how good it was."""
    refined = "refined" if point.refine else "not refined"
    seconds = members * calls * seconds_per_call
    took = f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.2g}"
    return (
        f"Chosen: **{plain(point.schedule)}**, {point.solver}, {noise_words(point.noise)}, {refined}. About "
        f"{took} s: {calls:,} network calls for each of {members} members. On the {plain(point.split)} runs its fair "
        f"CRPS was {point.crps:.3g} and its spread {point.ssr:.2f} times its error."
    )


def schedule_control(window: Window, given: ResolvedRequest, draw: DrawSchedule) -> str | None:
    """Pick a sampling schedule by name or write its leads; None where what is written is no schedule."""
    choices = [*schedule_presets(window), CUSTOM]
    is_preset = given.schedule in choices
    key, leads = _sampler_key(given, "schedule"), _sampler_key(given, "leads")
    _begin(key, given.schedule if is_preset else CUSTOM)
    choice = st.selectbox(
        "Sampling schedule",
        choices,
        key=key,
        format_func=lambda name: _schedule_title(name, window),
        help=HELP["schedule"],
    )
    if choice == CUSTOM:
        _begin(leads, _some_leads(window.horizon) if is_preset else given.schedule)
        choice = st.text_input("Leads in data steps", key=leads, help=HELP["leads"])
    try:
        schedule = _schedule(choice, window)
    except RequestError as error:
        st.error(plain(str(error)))
        return None
    draw(schedule, window)
    return choice


AUXILIARY_PRESETS = ("first0.5", "every5th", "only_dynamics_plus4", "only_dynamics_plus1")


def schedule_presets(window: Window) -> tuple[str, ...]:
    """Schedules worth a line in the picker: all trained leads, the data steps, every 2nd, 4th … of them.

    Where there are auxiliary leads inside the first data step, also some of those, as the publication names them.
    """
    strides = [f"stride{stride}" for stride in (2, 4, 8, 16, 32) if 2 * stride <= window.horizon]
    strides.append(f"stride{window.horizon}")  # the forecaster is called once
    auxiliary = AUXILIARY_PRESETS if window.auxiliary_steps else ()
    return ("full", *auxiliary, "only_dynamics", *strides)


def _schedule(text: str, window: Window) -> Schedule:
    return parse_schedule(text, horizon=window.horizon, auxiliary_steps=window.auxiliary_steps)


def _schedule_title(name: str, window: Window) -> str:
    if name == CUSTOM:
        return "Custom leads …"
    count = len(_schedule(name, window))
    return f"{name} · {count} lead{'s' if count > 1 else ''}"


def _some_leads(horizon: int) -> str:
    """A few leads to begin with, spread over the window."""
    return ", ".join(f"{lead:g}" for lead in sorted({0, horizon // 4, horizon // 2, 3 * horizon // 4}))


def solver_control(given: ResolvedRequest) -> str:
    """Pick how the sampler steps."""
    key = _sampler_key(given, "solver")
    _begin(key, given.solver)
    picked = st.segmented_control(
        "Sampler",
        list(SOLVERS),
        key=key,
        format_func=str.capitalize,
        required=True,
        width="stretch",
        help=HELP["solver"],
    )
    return picked or given.solver


def noise_control(given: ResolvedRequest) -> str:
    """Pick how the interpolator's randomness is shared between network calls."""
    choice, correlation = _noise_choice(given.noise)
    key = _sampler_key(given, "noise")
    _begin(key, choice)
    picked = st.selectbox("Noise", list(NOISE), key=key, format_func=NOISE.__getitem__, help=HELP["noise"])
    if picked != CORRELATION:
        return picked
    key = _sampler_key(given, "correlation")
    _begin(key, correlation)
    asked = st.number_input("Correlation", 0.0, 1.0, step=0.05, key=key, format="%g", help=HELP["correlation"])
    return given.noise if (choice, correlation) == (CORRELATION, asked) else f"{asked:g}"


def _noise_choice(noise: str) -> tuple[str, float]:
    """A coupling as the picker's line and the number beside it."""
    return (noise, 0.5) if noise in NOISE else (CORRELATION, parse_coupling(noise).correlation)


def noise_words(noise: str) -> str:
    """A coupling in words, for a sentence."""
    choice, correlation = _noise_choice(noise)
    if choice == CORRELATION:
        return f"noise correlated by {correlation:g} within a step"
    return f"noise {NOISE[choice].lower()}"


def refine_control(given: ResolvedRequest) -> bool:
    """Refine the outputs inside each window, or not."""
    key = _sampler_key(given, "refine")
    _begin(key, given.refine)
    return st.toggle("Refine", key=key, help=HELP["refine"])


def seed_control(given: ResolvedRequest) -> int:
    """Pick the seed."""
    return st.number_input("Seed", 0, None, given.seed, 1, key=_key(given, "seed"), help=HELP["seed"])


def threshold_control(dataset: Dataset, typical: float) -> Threshold:
    """Pick what counts as a heatwave: a percentile of the season, or a temperature, `typical` °C at first."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = st.segmented_control(
            "Warmer than",
            list(THRESHOLDS),
            default="percentile",
            format_func=THRESHOLDS.__getitem__,
            key=f"{dataset.name}/threshold",
            required=True,
            help=HELP["threshold"],
        )
        if kind == "temperature":
            degrees = st.number_input(
                "°C", -2.0, 40.0, typical, 0.5, format="%.1f", key=f"{dataset.name}/degrees", width=120
            )
            return Threshold("temperature", degrees)
        percent = st.number_input(
            "Percentile", 1.0, 99.0, 90.0, 1.0, format="%g", key=f"{dataset.name}/percent", width=120
        )
        return Threshold("percentile", percent)


THRESHOLDS = {"percentile": "Percentile of the season", "temperature": "Temperature"}


def _key(given: ResolvedRequest, name: str) -> str:
    return f"{given.dataset}/{name}"


def _sampler_key(given: ResolvedRequest, name: str) -> str:
    """The key of what belongs to a model: another model's widgets are others, and begin with its defaults."""
    return f"{given.dataset}/{given.model}/{name}"


def _begin(key: str, value: object) -> None:
    """Set a widget that is drawn for the first time; whatever else sets it later may do so by its key."""
    st.session_state.setdefault(key, value)
