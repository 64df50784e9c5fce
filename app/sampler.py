"""Widgets for how a forecast is sampled: schedule, sampler, noise, refinement, seed, or a time limit that decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.link import LARGEST
from app.plain_text import plain
from app.schedule_editor import SAME, front_picker, schedule_editor
from app.widgets import held, held_index, in_one_line, key_of
from app.wording import duration
from engine.datasets import get_dataset
from engine.errors import EngineError, RequestError
from engine.fronts import FrontPoint, best_under, read_front
from engine.noise import parse_coupling
from engine.requests import PRECISIONS, ResolvedRequest, calls_by_window, calls_per_member, window_calls
from engine.sampling import SOLVERS
from engine.schedules import Schedule, parse_schedule


class Window(Protocol):
    """The leads that a model was trained on, and whether it walks through them."""

    @property
    def horizon(self) -> int: ...
    @property
    def auxiliary_steps(self) -> int: ...
    @property
    def method(self) -> str: ...


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
LAST_STEP = {"forecast": "The forecaster's own state", "solver": "The sampler's own update"}
PRECISION = {"fp32": "Single (fp32)", "bf16": "Half (bf16)"}
NO_SCHEDULE = (
    "This model has no sampling schedule: its one network is asked for every lead by itself, and its dropout makes "
    "the members differ."
)
HELP = {
    "schedule": (
        "The lead times inside a window at which the sampler stops: each stop costs network calls. Click a tick below "
        "to skip a lead or to stop there."
    ),
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
    "last_step": (
        "What ends a window. The forecaster's own state: what that network says of the window's end, from the last "
        "stop (the published way). The sampler's own update: the change from the last stop to the end is added to the "
        "state, as at every other stop, which keeps what the sampler has added up and costs one network call more."
    ),
    "precision": (
        "How exactly the networks compute. Single: some seven digits. Half: some three, which is quicker on machines "
        "made for it; the forecast differs a little, less than two members do."
    ),
    "seconds": (
        "Sets schedule, sampler, noise and refinement to what scored best, on runs kept aside for such choices, among "
        "all that this machine computes in so many seconds."
    ),
    "refine": "Draw the states inside a window anew from its last, best estimate; less noise, less spread.",
    "seed": "The number all randomness follows from: the same seed gives the same forecast.",
}


def sampler_controls(given: ResolvedRequest, window: Window, pace: Pace) -> ResolvedRequest | None:
    """How the window is sampled, and the seed; None where what is written is no schedule."""
    if window.method == "dropout":
        st.caption(NO_SCHEDULE)
        seed = seed_control(given)
        with _more():
            return replace(given, seed=seed, precision=precision_control(given))
    points = front_of(given.model)
    first, more = st.container(), _more()
    with more:
        given = best_within_control(given, window, points, pace)  # before the widgets that it may set
        place = st.empty()
    with first:
        schedule = schedule_control(window, given)
        beside = st.container()
        given = replace(given, solver=solver_control(given))
        left, right = st.columns(2, vertical_alignment="center")
        with left:
            given = replace(given, refine=refine_control(given))
        with right:
            given = replace(given, seed=seed_control(given))
    with more:
        given = replace(given, noise=noise_control(given), last_step=last_step_control(given))
        given = replace(given, precision=precision_control(given))
    if schedule is None:
        return None
    sampled = replace(given, schedule=schedule)
    with place:
        say_what_was_chosen(sampled)
    with beside:
        say_what_it_costs(sampled, window, points)
    return sampled


def _more() -> DeltaGenerator:
    """A place for what few people change, which stays open once it is."""
    return st.expander("More about the sampler", key="more-about-the-sampler")


def best_within_control(
    given: ResolvedRequest, window: Window, points: Sequence[FrontPoint], pace: Pace
) -> ResolvedRequest:
    """Let a time limit choose how to sample, where that model's front is measured; returns what is then asked for."""
    if not points:
        return given
    key = sampler_key(given, "seconds")
    with in_one_line():
        seconds = st.number_input(
            "Best under … seconds", 0.1, None, held(key, SECONDS), 1.0, key=key, format="%g", help=HELP["seconds"]
        )
        pressed = st.button("Choose", key=sampler_key(given, "choose"))
    if not pressed:
        return given
    try:
        with st.spinner("Timing a network call …"):
            each = pace(given)
        point = best_under(given, seconds, seconds_per_call=each)
    except EngineError as error:
        st.warning(plain(str(error)))
        return given
    st.session_state[sampler_key(given, "choice")] = Choice(point, given.members, given.steps, each)
    _set_to_point(given, window, point)
    return point.apply(given)


def front_of(model: str) -> tuple[FrontPoint, ...]:
    """How good each measured way to sample a model is, empty where that is not known."""
    try:
        return read_front(model)
    except EngineError:
        return ()


@dataclass(frozen=True)
class Choice:
    """What a time limit chose, for how many members over how many steps, by the seconds of a member's network call."""

    point: FrontPoint
    members: int
    steps: int
    seconds_per_call: float


SECONDS = 10.0


def _set_to_point(given: ResolvedRequest, window: Window, point: FrontPoint) -> None:
    """Set the widgets, which are still to be drawn, to a point of the front."""
    noise, correlation = _noise_choice(point.noise)
    is_preset = point.schedule in schedule_presets(window)
    for name, value in {
        "schedule": point.schedule if is_preset else CUSTOM,
        "leads": point.schedule,
        "solver": point.solver,
        "last_step": point.last_step,
        "noise": noise,
        "correlation": correlation,
        "refine": point.refine,
    }.items():
        st.session_state[sampler_key(given, name)] = value


def say_what_was_chosen(sampled: ResolvedRequest) -> None:
    """What a time limit chose, in words, as long as the request still is that."""
    choice: Choice | None = st.session_state.get(sampler_key(sampled, "choice"))
    if choice is None or (choice.members, choice.steps) != (sampled.members, sampled.steps):
        return
    if choice.point.is_way_of(sampled):
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


def schedule_control(window: Window, given: ResolvedRequest) -> str | None:
    """Pick a sampling schedule by name, by its ticks or by its leads; None where what is written is no schedule."""
    choices = [*schedule_presets(window), CUSTOM]
    is_preset = given.schedule in choices
    key, leads = sampler_key(given, "schedule"), sampler_key(given, "leads")
    choice = st.selectbox(
        "Sampling schedule",
        choices,
        held_index(choices, key, given.schedule if is_preset else CUSTOM),
        key=key,
        format_func=lambda name: _schedule_title(name, window),
        help=HELP["schedule"],
    )
    under_the_picker = st.container()  # where it stays while the field below comes and goes
    if choice == CUSTOM:
        first = held(leads, _some_leads(window.horizon) if is_preset else given.schedule)
        choice = st.text_input("Leads in data steps", first, key=leads, help=HELP["leads"])
    try:
        schedule = _schedule(choice, window)
    except RequestError as error:
        st.error(plain(str(error)))
        return None
    with under_the_picker:
        schedule_editor(
            schedule,
            window,
            key=sampler_key(given, "ticks"),
            on_edit=partial(take_edit, given, window),
            title=window_words(given.dataset, window.horizon),
        )
    return choice


def take_edit(given: ResolvedRequest, window: Window, leads: Sequence[float]) -> None:
    """Set the picker, which is still to be drawn, to the preset that has these leads, else the text to them."""
    preset = preset_with(leads, window)
    st.session_state[sampler_key(given, "schedule")] = preset or CUSTOM
    if preset is None:
        st.session_state[sampler_key(given, "leads")] = written(leads)


def preset_with(leads: Sequence[float], window: Window) -> str | None:
    """The first preset that stops at these leads, None where none does."""
    for name in schedule_presets(window):
        others = _schedule(name, window).leads
        if len(others) == len(leads) and all(abs(a - b) < SAME for a, b in zip(others, leads, strict=True)):
            return name
    return None


def written(leads: Sequence[float]) -> str:
    """Leads as a person writes them; nine digits are all that the networks' single precision tells apart."""
    return ",".join(f"{lead:.9g}" for lead in leads)


def window_words(dataset: str, horizon: int) -> str:
    """How long a window is: "16 data steps · 1.28 s"."""
    steps = f"{horizon} data step{'s' if horizon > 1 else ''}"
    return f"{steps} · {duration(get_dataset(dataset), horizon)}"


# -- what the schedule costs and is worth ------------------------------------------------------------------


def say_what_it_costs(sampled: ResolvedRequest, window: Window, points: Sequence[FrontPoint]) -> None:
    """Network calls of a window and, where the model's front is measured, where on it the request is."""
    schedule = _schedule(sampled.schedule, window)
    calls = calls_in_window(sampled, schedule)
    st.caption(calls_words(sampled, schedule))
    if not points:
        return
    front_picker(
        points,
        [point_words(point) for point in points],
        calls=calls,
        current=measured_as(sampled, points),
        key=sampler_key(sampled, "front"),
        on_pick=partial(_set_to_point, sampled, window),
    )
    st.caption(front_words(sampled, points, calls), help=front_help(points))


def calls_in_window(sampled: ResolvedRequest, schedule: Schedule) -> int:
    """Network calls of one member in one window of which all whole leads are delivered, as a front counts them."""
    return sum(calls_by_window(replace(sampled, steps=schedule.horizon, output_leads=()), schedule))


def calls_words(sampled: ResolvedRequest, schedule: Schedule) -> str:
    """Stops and network calls of one window, and how many of the calls are for leads that are no stops."""
    stops, calls = len(schedule), calls_in_window(sampled, schedule)
    words = f"{stops} stop{'s' if stops > 1 else ''}, {calls:,} network call{'s' if calls > 1 else ''} per window"
    further = calls - window_calls(schedule, sampled.solver, sampled.last_step)
    purpose = "refine" if sampled.refine else "fill in between stops"
    return f"{words}, {further:,} of them to {purpose}" if further else words


def measured_as(sampled: ResolvedRequest, points: Sequence[FrontPoint]) -> FrontPoint | None:
    """The point of a front that is sampled as a request is, None where that is not measured."""
    return next((point for point in points if point.is_way_of(sampled)), None)


def front_words(sampled: ResolvedRequest, points: Sequence[FrontPoint], calls: int) -> str:
    """How good the way to sample was when it was measured, beside the best of those that cost no more."""
    point = measured_as(sampled, points)
    best = min((each for each in points if each.calls <= calls), key=lambda each: each.crps, default=None)
    if point is None and best is None:
        cheapest = min(points, key=lambda each: (each.calls, each.crps))
        return f"Not measured; the cheapest that is takes {cheapest.calls:,} calls and has CRPS {cheapest.crps:#.3g}."
    better = "" if best is None else f"; the best at this cost has CRPS {best.crps:#.3g}"
    if point is None:
        return f"Not measured{better}."
    words = f"Measured: CRPS {point.crps:#.3g}, spread {point.ssr:.2f} × error"
    return f"{words}." if best is None or best.crps > NEARLY * point.crps else f"{words}{better}."


NEARLY = 0.99  # of a CRPS: what is that near is as good


def point_words(point: FrontPoint) -> str:
    """A measured way to sample with its cost and its scores."""
    calls = f"{point.calls:,} call{'s' if point.calls > 1 else ''}"
    return f"{way_words(point)}: {calls}, CRPS {point.crps:#.3g}, spread {point.ssr:.2f} × error"


def way_words(point: FrontPoint) -> str:
    """A way to sample in words."""
    refined = ", refined" if point.refine else ""
    return f"{point.schedule}, {point.solver}, {noise_words(point.noise)}{refined}"


def front_help(points: Sequence[FrontPoint]) -> str:
    """How to read the drawing of a front."""
    first = points[0]
    return (
        "Each dot is a way to sample this model, its fair CRPS (lower is better) against its cost, measured with "
        f"{first.members} members on {first.initial_conditions} initial conditions of the {plain(first.split)} data. "
        "The dotted line is the best at each cost. The one in the controls is ringed; one that is not "
        "measured is a line at its cost. Click a dot to sample that way."
    )


AUXILIARY_PRESETS = ("first0.5", "every5th", "only_dynamics_plus4", "only_dynamics_plus1")


def schedule_presets(window: Window) -> tuple[str, ...]:
    """Schedules worth a line in the picker: all trained leads, the data steps, every 2nd, 4th … of them.

    Where there are auxiliary leads inside the first data step, also some of those, as the publication names them.
    """
    strides = [f"stride{stride}" for stride in (2, 4, 8, 16, 32, 64) if 2 * stride <= window.horizon]
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
    key = sampler_key(given, "solver")
    picked = st.segmented_control(
        "Sampler",
        list(SOLVERS),
        default=held(key, given.solver),
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
    key = sampler_key(given, "noise")
    names = list(NOISE)
    at = held_index(names, key, choice)
    picked = st.selectbox("Noise", names, at, key=key, format_func=NOISE.__getitem__, help=HELP["noise"])
    if picked != CORRELATION:
        return picked
    key = sampler_key(given, "correlation")
    asked = st.number_input(
        "Correlation", 0.0, 1.0, held(key, correlation), 0.05, key=key, format="%g", help=HELP["correlation"]
    )
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


def last_step_control(given: ResolvedRequest) -> str:
    """Pick what ends a window."""
    key, names = sampler_key(given, "last_step"), list(LAST_STEP)
    at = held_index(names, key, given.last_step)
    return st.selectbox("Last step", names, at, key=key, format_func=LAST_STEP.__getitem__, help=HELP["last_step"])


def precision_control(given: ResolvedRequest) -> str:
    """Pick how exactly the networks compute."""
    key, names = sampler_key(given, "precision"), list(PRECISIONS)
    at = held_index(names, key, given.precision)
    return st.selectbox("Precision", names, at, key=key, format_func=PRECISION.__getitem__, help=HELP["precision"])


def refine_control(given: ResolvedRequest) -> bool:
    """Refine the outputs inside each window, or not."""
    key = sampler_key(given, "refine")
    return st.toggle("Refine", held(key, given.refine), key=key, help=HELP["refine"])


def seed_control(given: ResolvedRequest) -> int:
    """Pick the seed."""
    return st.number_input("Seed", 0, LARGEST["seed"], given.seed, 1, key=key_of(given, "seed"), help=HELP["seed"])


def sampler_key(given: ResolvedRequest, name: str) -> str:
    """The key of what belongs to a model: another model's widgets are others, and begin with its defaults."""
    return key_of(given, f"{given.model}/{name}")
