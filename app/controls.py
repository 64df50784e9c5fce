"""Widgets, the request they make, and the link that holds it."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import streamlit as st

from engine.datasets import DATASETS, Dataset, get_dataset
from engine.datasets.base import InitialCondition, parse_initial_condition
from engine.errors import EngineError, RequestError
from engine.requests import ForecastRequest, ResolvedRequest
from engine.sampling import SOLVERS
from engine.schedules import Schedule, parse_schedule

DrawSchedule = Callable[[Schedule], None]
Resolve = Callable[[ForecastRequest], ResolvedRequest]

CUSTOM = "custom"
MEMBERS_SHOWN = 50
STEPS = (("Previous", -1, ":material/chevron_left:"), ("Next", 1, ":material/chevron_right:"))
HELP = {
    "dataset": "The physical system to forecast.",
    "run": "The simulated trajectory that the forecast starts from; no model has seen it in training.",
    "frame": "The moment of that trajectory at which the forecast starts.",
    "steps": "How far to forecast, in steps of the data; beyond the end of the run no truth is known.",
    "members": "How many equally likely futures to draw; more give a smoother spread and take longer.",
    "schedule": "The lead times inside a window at which the sampler stops: each stop costs network calls.",
    "leads": "Rising lead times in data steps, separated by commas; a name such as stride3 works too.",
    "solver": (
        "How the sampler moves from one stop to the next: cold adds the interpolator's change (the published "
        "way), naive takes its new state as it is, Heun averages two changes and costs twice as much."
    ),
    "refine": "Draw the states inside a window anew from its last, best estimate; less noise, less spread.",
    "seed": "The number all randomness follows from: the same seed gives the same forecast.",
    "run_button": "Compute this forecast; what was computed before comes back at once.",
}


# -- the link --------------------------------------------------------------------------------------------


def request_from_query(query: Mapping[str, str], resolve: Resolve) -> tuple[ResolvedRequest, list[str]]:
    """Read the link into a complete request, with one sentence for everything in it that cannot be used.

    What cannot be used falls back to its default; the rest of the link is kept.
    """
    name = query.get("dataset", next(iter(DATASETS)))
    problems: list[str] = []
    try:
        get_dataset(name)
    except RequestError as error:
        name, query, problems = next(iter(DATASETS)), {}, [str(error)]
    given = ForecastRequest(dataset=name)
    try:
        complete = resolve(given)
    except EngineError as error:
        return _without_model(name), [*problems, str(error)]
    entries = {field: query[field] for field in _FIELDS if field in query}
    try:
        return resolve(_with(given, entries)), problems
    except EngineError:  # one entry after the other, then, to name those that cannot be used and keep the rest
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
    """Something plausible to show in the controls while a data set has no usable model."""
    return ResolvedRequest(
        dataset=name,
        init="0:0",
        steps=get_dataset(name).default_steps,
        members=10,
        schedule="full",
        solver="cold",
        refine=True,
    )


def request_to_query(request: ResolvedRequest, defaults: ResolvedRequest) -> dict[str, str]:
    """The link of a request: the data set, and whatever differs from the defaults."""
    query = {"dataset": request.dataset}
    for field in _FIELDS:
        value = getattr(request, field)
        if value != getattr(defaults, field):
            query[field] = _written(value)
    return query


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


def request_controls(given: ResolvedRequest, resolve: Resolve, draw_schedule: DrawSchedule) -> ResolvedRequest | None:
    """All widgets of one data set, set to `given` at first; returns the request they make.

    None where an entry cannot be used; the reason then stands below it.
    """
    dataset = get_dataset(given.dataset)
    init = init_control(dataset, given)
    steps = steps_control(dataset, given)
    members = members_control(given)
    schedule = schedule_control(dataset, given, draw_schedule)
    solver = solver_control(given)
    left, right = st.columns(2, vertical_alignment="center")
    with left:
        refine = refine_control(given)
    with right:
        seed = seed_control(given)
    if schedule is None:
        return None
    try:
        return resolve(
            replace(
                given,
                init=init,
                steps=steps,
                members=members,
                schedule=schedule,
                solver=solver,
                refine=refine,
                seed=seed,
            )
        )
    except EngineError as error:
        st.error(str(error))
        return None


def init_control(dataset: Dataset, given: ResolvedRequest) -> str:
    """Pick a run and a frame of it, or step to the previous or next initial condition."""
    start = parse_initial_condition(given.init, dataset)
    # a click is known before its button is drawn, so that run and frame can still follow it
    by = sum(st.session_state.get(_key(given, name), False) * step for name, step, _ in STEPS)
    if by:
        start = neighbour(dataset, start, by)
        st.session_state[_key(given, "run")] = start.run
        st.session_state[_key(given, "frame")] = start.frame
    runs = dataset.runs()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        run = st.selectbox(
            "Initial condition",
            runs,
            index=0 if by else runs.index(start.run),
            key=_key(given, "run"),
            format_func=run_title,
            help=HELP["run"],
        )
        for name, _, icon in STEPS:
            st.button("", icon=icon, key=_key(given, name), help=f"{name} initial condition")
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
    return f"{run}:{frame}"


def neighbour(dataset: Dataset, start: InitialCondition, by: int) -> InitialCondition:
    """The next initial condition of the test split, or the same frame of the next run out of distribution."""
    known = dataset.initial_conditions()
    if start not in known:
        tests = {condition.run for condition in known}
        known = tuple(InitialCondition(run, start.frame) for run in dataset.runs() if run not in tests)
    return known[(known.index(start) + by) % len(known)]


def run_title(run: str) -> str:
    """A run as the picker names it."""
    if run.startswith("ood-"):
        return f"Unlike training, run {run.removeprefix('ood-')}"
    return f"Test run {run}"


def steps_control(dataset: Dataset, given: ResolvedRequest) -> int:
    """Pick the length of the forecast in data steps."""
    shown = st.session_state.get(_key(given, "steps"), given.steps)
    return st.slider(
        f"Horizon · {shown * dataset.time_step:.2f} {dataset.time_units}",
        1,
        max(2 * dataset.default_steps, given.steps),
        given.steps,
        key=_key(given, "steps"),
        format="%d steps",
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


def schedule_control(dataset: Dataset, given: ResolvedRequest, draw: DrawSchedule) -> str | None:
    """Pick a sampling schedule by name or write its leads; None where what is written is no schedule."""
    choices = [*schedule_presets(dataset.horizon), CUSTOM]
    is_preset = given.schedule in choices
    choice = st.selectbox(
        "Sampling schedule",
        choices,
        index=choices.index(given.schedule if is_preset else CUSTOM),
        key=_key(given, "schedule"),
        format_func=lambda name: _schedule_title(name, dataset.horizon),
        help=HELP["schedule"],
    )
    if choice == CUSTOM:
        choice = st.text_input(
            "Leads in data steps",
            _some_leads(dataset.horizon) if is_preset else given.schedule,
            key=_key(given, "leads"),
            help=HELP["leads"],
        )
    try:
        schedule = parse_schedule(choice, horizon=dataset.horizon)
    except RequestError as error:
        st.error(str(error))
        return None
    draw(schedule)
    return choice


def schedule_presets(horizon: int) -> tuple[str, ...]:
    """Schedules worth a line in the picker: all trained leads, the data steps, every 2nd, 4th … of them."""
    strides = [stride for stride in (2, 4, 8, 16, 32) if 2 * stride <= horizon]
    return ("full", "only_dynamics", *(f"stride{stride}" for stride in strides))


def _schedule_title(name: str, horizon: int) -> str:
    if name == CUSTOM:
        return "Custom leads …"
    return f"{name} · {len(parse_schedule(name, horizon=horizon))} leads"


def _some_leads(horizon: int) -> str:
    return ", ".join(f"{lead:g}" for lead in (0, horizon // 4, horizon // 2, 3 * horizon // 4))


def solver_control(given: ResolvedRequest) -> str:
    """Pick how the sampler steps."""
    picked = st.segmented_control(
        "Sampler",
        list(SOLVERS),
        default=given.solver,
        key=_key(given, "solver"),
        format_func=str.capitalize,
        required=True,
        width="stretch",
        help=HELP["solver"],
    )
    return picked or given.solver


def refine_control(given: ResolvedRequest) -> bool:
    """Refine the outputs inside each window, or not."""
    return st.toggle("Refine", given.refine, key=_key(given, "refine"), help=HELP["refine"])


def seed_control(given: ResolvedRequest) -> int:
    """Pick the seed."""
    return st.number_input("Seed", 0, None, given.seed, 1, key=_key(given, "seed"), help=HELP["seed"])


def _key(given: ResolvedRequest, name: str) -> str:
    return f"{given.dataset}/{name}"
