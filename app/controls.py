"""Widgets, the request they make, and the link that holds it."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import streamlit as st

from engine.datasets import DATASETS, Dataset, get_dataset
from engine.datasets.base import parse_initial_condition
from engine.errors import EngineError, RequestError
from engine.requests import ForecastRequest, ResolvedRequest
from engine.schedules import Schedule, parse_schedule

DrawSchedule = Callable[[Schedule], None]
Resolve = Callable[[ForecastRequest], ResolvedRequest]

CUSTOM = "custom"
SOLVERS = {
    "cold": "Cold sampling (x − I + I)",
    "naive": "Naive (interpolate anew)",
    "heun": "Heun (second order)",
}
MEMBERS_SHOWN = 50
HELP = {
    "dataset": "The physical system to forecast.",
    "run": "The simulated trajectory that the forecast starts from; no model has seen it in training.",
    "frame": "The moment of that trajectory at which the forecast starts.",
    "steps": "How far to forecast, in steps of the data; beyond the end of the run no truth is known.",
    "members": "How many equally likely futures to draw; more give a smoother spread and take longer.",
    "schedule": "The lead times inside a window at which the sampler stops: each stop costs network calls.",
    "leads": "Rising lead times in data steps, separated by commas; a name such as stride3 works too.",
    "solver": "How the sampler moves from one stop to the next: cold sampling is the published way.",
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
    for field in _FIELDS:
        if field not in query:
            continue
        try:
            candidate = replace(given, **{field: _read(field, query[field])})
            complete = resolve(candidate)
            given = candidate
        except EngineError as error:
            problems.append(str(error))
    return complete, problems


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
    titles = {each: DATASETS[each].title for each in names}
    _remember("dataset", name)
    return st.selectbox("Data set", names, key="dataset", format_func=lambda n: titles[n], help=HELP["dataset"])


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
    run_key, frame_key = _key(given, "run"), _key(given, "frame")
    start = parse_initial_condition(given.init, dataset)
    _remember(run_key, start.run)
    _remember(frame_key, start.frame)
    pick, back, on = st.columns([5, 1, 1], gap="xsmall", vertical_alignment="bottom")
    run = pick.selectbox("Initial condition", dataset.runs(), key=run_key, format_func=run_title, help=HELP["run"])
    for column, name, sign, by in ((back, "Previous", "‹", -1), (on, "Next", "›", 1)):
        column.button(
            sign,
            key=_key(given, name),
            help=f"{name} initial condition",
            on_click=_step_init,
            args=(dataset, given, by),
            width="stretch",
        )
    last = max(condition.frame for condition in dataset.initial_conditions())
    time = dataset.load(run).times[st.session_state[frame_key]]
    label = f"Start frame · at {time:.2f} {dataset.time_units}"
    frame = st.slider(label, 0, last, key=frame_key, help=HELP["frame"])
    return f"{run}:{frame}"


def run_title(run: str) -> str:
    """A run as the picker names it."""
    if run.startswith("ood-"):
        return f"Unlike training, run {run.removeprefix('ood-')}"
    return f"Test run {run}"


def _step_init(dataset: Dataset, given: ResolvedRequest, by: int) -> None:
    """Move along the test split's initial conditions, or along the runs out of distribution."""
    run_key, frame_key = _key(given, "run"), _key(given, "frame")
    run, frame = st.session_state[run_key], st.session_state[frame_key]
    known = [(condition.run, condition.frame) for condition in dataset.initial_conditions()]
    if (run, frame) not in known:
        known = [(other, frame) for other in dataset.runs() if other not in {test for test, _ in known}]
    run, frame = known[(known.index((run, frame)) + by) % len(known)]
    st.session_state[run_key], st.session_state[frame_key] = run, frame


def steps_control(dataset: Dataset, given: ResolvedRequest) -> int:
    """Pick the length of the forecast in data steps."""
    steps = given.steps
    key = _key(given, "steps")
    _remember(key, steps)
    shown = st.session_state[key]
    label = f"Horizon · {shown * dataset.time_step:.2f} {dataset.time_units}"
    return st.slider(label, 1, max(2 * dataset.default_steps, steps), key=key, format="%d steps", help=HELP["steps"])


def members_control(given: ResolvedRequest) -> int:
    """Pick the number of ensemble members."""
    members = given.members
    key = _key(given, "members")
    _remember(key, members)
    return st.slider("Ensemble members", 1, max(MEMBERS_SHOWN, members), key=key, help=HELP["members"])


def schedule_control(dataset: Dataset, given: ResolvedRequest, draw: DrawSchedule) -> str | None:
    """Pick a sampling schedule by name or write its leads; None where what is written is no schedule."""
    presets = schedule_presets(dataset.horizon)
    written = given.schedule
    choice_key, text_key = _key(given, "schedule"), _key(given, "leads")
    _remember(choice_key, written if written in presets else CUSTOM)
    _remember(text_key, written if written not in presets else _some_leads(dataset.horizon))
    choice = st.selectbox(
        "Sampling schedule",
        [*presets, CUSTOM],
        key=choice_key,
        format_func=lambda name: _schedule_title(name, dataset.horizon),
        help=HELP["schedule"],
    )
    if choice == CUSTOM:
        choice = st.text_input("Leads in data steps", key=text_key, help=HELP["leads"])
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
    key = _key(given, "solver")
    _remember(key, given.solver)
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


def refine_control(given: ResolvedRequest) -> bool:
    """Refine the outputs inside each window, or not."""
    key = _key(given, "refine")
    _remember(key, given.refine)
    return st.toggle("Refine", key=key, help=HELP["refine"])


def seed_control(given: ResolvedRequest) -> int:
    """Pick the seed."""
    key = _key(given, "seed")
    _remember(key, given.seed)
    return int(st.number_input("Seed", min_value=0, step=1, key=key, help=HELP["seed"]))


def _key(given: ResolvedRequest, name: str) -> str:
    return f"{given.dataset}/{name}"


def _remember(key: str, value: object) -> None:
    """A widget's first value; afterwards the widget keeps its own."""
    st.session_state.setdefault(key, value)
