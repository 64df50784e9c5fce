"""Widgets for how a forecast is sampled: schedule, sampler, noise, refinement, seed, or a time limit that decides."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import streamlit as st

from app.plain_text import plain
from app.widgets import held, held_index, in_one_line, key_of
from engine.errors import EngineError, RequestError
from engine.fronts import FrontPoint, best_under, read_front
from engine.noise import parse_coupling
from engine.requests import ResolvedRequest, calls_per_member
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
NO_SCHEDULE = (
    "This model has no sampling schedule: its one network is asked for every lead by itself, and its dropout makes "
    "the members differ."
)
HELP = {
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
}


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


def best_within_control(given: ResolvedRequest, window: Window, pace: Pace) -> ResolvedRequest:
    """Let a time limit choose how to sample, where that model's front is measured; returns what is then asked for."""
    if not is_measured(given.model):
        return given
    key = _sampler_key(given, "seconds")
    with in_one_line():
        seconds = st.number_input(
            "Best under … seconds", 0.1, None, held(key, SECONDS), 1.0, key=key, format="%g", help=HELP["seconds"]
        )
        pressed = st.button("Choose", key=_sampler_key(given, "choose"))
    if not pressed:
        return given
    try:
        with st.spinner("Timing a network call …"):
            each = pace(given)
        point = best_under(given, seconds, seconds_per_call=each)
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
    return point.apply(given)


def say_what_was_chosen(sampled: ResolvedRequest) -> None:
    """What a time limit chose, in words, as long as the request still is that."""
    choice: Choice | None = st.session_state.get(_sampler_key(sampled, "choice"))
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


def schedule_control(window: Window, given: ResolvedRequest, draw: DrawSchedule) -> str | None:
    """Pick a sampling schedule by name or write its leads; None where what is written is no schedule."""
    choices = [*schedule_presets(window), CUSTOM]
    is_preset = given.schedule in choices
    key, leads = _sampler_key(given, "schedule"), _sampler_key(given, "leads")
    choice = st.selectbox(
        "Sampling schedule",
        choices,
        held_index(choices, key, given.schedule if is_preset else CUSTOM),
        key=key,
        format_func=lambda name: _schedule_title(name, window),
        help=HELP["schedule"],
    )
    if choice == CUSTOM:
        written = held(leads, _some_leads(window.horizon) if is_preset else given.schedule)
        choice = st.text_input("Leads in data steps", written, key=leads, help=HELP["leads"])
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
    key = _sampler_key(given, "noise")
    names = list(NOISE)
    at = held_index(names, key, choice)
    picked = st.selectbox("Noise", names, at, key=key, format_func=NOISE.__getitem__, help=HELP["noise"])
    if picked != CORRELATION:
        return picked
    key = _sampler_key(given, "correlation")
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


def refine_control(given: ResolvedRequest) -> bool:
    """Refine the outputs inside each window, or not."""
    key = _sampler_key(given, "refine")
    return st.toggle("Refine", held(key, given.refine), key=key, help=HELP["refine"])


def seed_control(given: ResolvedRequest) -> int:
    """Pick the seed."""
    return st.number_input("Seed", 0, None, given.seed, 1, key=key_of(given, "seed"), help=HELP["seed"])


def _sampler_key(given: ResolvedRequest, name: str) -> str:
    """The key of what belongs to a model: another model's widgets are others, and begin with its defaults."""
    return f"{given.dataset}/{given.model}/{name}"
