"""The walk: how the sampler crosses a window, step by step, and how the members part and meet on the way."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import streamlit as st

from app import sampler, session, settings, wording
from app.charts import show_chart
from app.frame import Stage
from app.player import Panel
from app.plots.curves import BLUE, GREEN, ORANGE, Curve
from app.plots.walk import along_chart
from app.summary import Scores
from app.walk.frames import request_of
from app.walk.ground import (
    Ground,
    amount,
    field_panel,
    ground_of,
    score_units,
    show_maps,
    shown_of,
    spread_of,
    spread_panel,
)
from app.walk.waiting import obtain
from app.walk.work import Found, WalkAsk
from engine.forecasting import plan_of
from engine.requests import ResolvedRequest
from engine.sampling import SOLVERS
from engine.schedules import Schedule
from engine.variables import Variable
from engine.walk_trace import MEMBERS, Trace

FEW = 8  # steps of a window that can be followed by eye
ENOUGH = 4  # steps of the forecast's own schedule from which on that is shown at first
MOST_MEMBERS = 8
NOT_BEGUN = "no estimate yet: the walk begins here"
WHY_SPREAD = {
    "none": "the interpolator draws nothing here, so only the forecaster's own noise parts the members",
    "window": "each member has one draw of the interpolator's noise for all steps, which does not add up",
}
COLOURS = {"cold": BLUE, "naive": ORANGE, "heun": GREEN}
HELP = {
    "steps": (
        "Where the sampler stops inside a window. The forecast's own schedule may have a single step, or too many to "
        "follow by eye: then look at another one, walked with the same noise."
    ),
    "window": (
        "A long forecast is a chain of windows; every member starts a window from its own last state, so the members "
        "are apart already in a later one."
    ),
    "followed": "How many members are followed: the more, the steadier their spread, and the more network calls.",
    "shown": "The maps show one member, whose fields are as sharp as the truth, or the mean of all that are followed.",
    "solvers": (
        "Walk the same window with the same noise in three ways. Cold adds the change that the interpolator sees "
        "between two stops to the state; naive takes the interpolator's state as it is; Heun looks twice at each step."
    ),
    "spread": (
        "Root mean square over the map of the members' standard deviation, times √((M+1)/M) for M members, so that it "
        "compares with the error. Cold steps add up the interpolator's draws; refinement draws every state anew from "
        "the last estimate; the spread of the estimates is that of the end of the window as each step sees it."
    ),
    "error": (
        "States against the truth at their own lead, estimates against the truth at the end of the window. RMSE is of "
        "the members' mean; the fair CRPS scores all members and does not depend on how many there are."
    ),
}


@dataclass(frozen=True, eq=False)
class Walk:
    """A variable along a trace as the maps show it: (member, frame, y, x), frame 0 where the window starts.

    refined: the states after refinement, None where there are none between the ends; estimates: NaN at frame 0; truth:
    (frame, y, x) at the frame's own lead, end: (y, x) at the end of the window, NaN where unknown. The scores are those
    of states, refined states and, from frame 1 on, estimates. at: where particles stand, by member or mean.
    """

    leads: np.ndarray
    states: np.ndarray
    refined: np.ndarray
    estimates: np.ndarray
    truth: np.ndarray
    of_states: Scores
    of_refined: Scores
    of_estimates: Scores
    calls: int


def the_walk(stage: Stage) -> None:
    """This part of the page."""
    request = request_of(stage)
    window = session.backend().window(request)
    if window.method == "dropout":
        st.info(
            "This model has no interpolator: one network call leads to each lead time, so there is no walk to watch. "
            "Choose a DYffusion model in the line above."
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        request = stepped(request, window.horizon, window.auxiliary_steps)
        number = window_control(stage, request)
        members = followed(request)
        which = shown_control(stage, members)
        compared = settings.flag(stage.dataset.name, "solvers", "Compare solvers", help=HELP["solvers"])
    solvers = [*SOLVERS] if compared else [request.solver]
    asks = {name: WalkAsk(replace(request, solver=name), members, number) for name in solvers}
    schedule = plan_of(request).schedule
    st.markdown(introduction(stage, schedule, number))
    found = obtain(list(asks.values()))
    if found is None:
        return
    ground = ground_of(request)
    walks = {name: walk_of(each, ground, stage.variable) for name, each in zip(solvers, found, strict=True)}
    traces = {name: each.result for name, each in zip(solvers, found, strict=True)}
    calls = " · ".join(f"{name} {trace.calls}" for name, trace in traces.items())
    st.caption(
        f"{ground.start} · {schedule_words(schedule, request)} · {sampler.noise_words(request.noise)} · {len(members)} "
        f"member{'s' if len(members) > 1 else ''} · network calls per member: {calls}, and "
        f"{len(schedule) - 1} to refine"
    )
    of = f"{request}/{number}"
    if compared:
        solver_maps(stage, ground, walks, traces, which, of)
        solver_charts(stage, walks)
    else:
        walk_maps(stage, ground, walks[request.solver], traces[request.solver], which, of)
        walk_charts(stage, walks[request.solver], len(members), request.noise)


# -- what is asked ------------------------------------------------------------------------------------------


def stepped(request: ResolvedRequest, horizon: int, auxiliary_steps: int) -> ResolvedRequest:
    """The request with the schedule that is to be followed."""
    own = len(plan_of(request).schedule)
    options = {
        "own": f"The forecast's own · {own}",
        "few": f"About {FEW}",
        "all": f"All that were trained · {horizon + auxiliary_steps}",
    }
    first = "own" if own >= ENOUGH else "few"
    picked = settings.choice(
        request.dataset,
        "steps-of",
        "Steps of a window",
        options,
        help=HELP["steps"],
        default=first,
        shape="list",
        width=230,
    )
    stride = math.ceil(horizon / FEW)
    return replace(request, schedule={"own": request.schedule, "few": f"stride{stride}", "all": "full"}[picked])


def window_control(stage: Stage, request: ResolvedRequest) -> int:
    """Pick a window of the forecast, counted from 0; there is nothing to pick where it has one."""
    plan = plan_of(request)
    if plan.windows == 1:
        return 0
    span = [wording.duration(stage.dataset, number * plan.schedule.horizon) for number in range(plan.windows + 1)]
    options = {str(number + 1): f"{number + 1} · from {span[number]}" for number in range(plan.windows)}
    picked = settings.choice(request.dataset, "window", "Window", options, help=HELP["window"], shape="list", width=180)
    return int(picked) - 1


def followed(request: ResolvedRequest) -> tuple[int, ...]:
    """The members to follow: the first ones, and the pinned one."""
    most = min(MOST_MEMBERS, request.members)
    count = most
    if most > 1:
        first = float(min(len(MEMBERS), most))
        found = settings.number(
            request.dataset,
            "followed",
            "Members followed",
            low=1.0,
            high=float(most),
            default=first,
            step=1.0,
            help=HELP["followed"],
            width=140,
        )
        count = int(found)
    pinned = session.look_of(request.dataset).member
    beyond = (pinned,) if pinned is not None and count <= pinned < request.members else ()
    return (*range(count - len(beyond)), *beyond)


def shown_control(stage: Stage, members: tuple[int, ...]) -> int | None:
    """Pick what the maps show: the place of a member among those that are followed, None for their mean."""
    options = {str(member + 1): f"Member {member + 1}" for member in members} | {"mean": "Mean"}
    pinned = session.look_of(stage.dataset.name).member
    first = str(pinned + 1) if pinned in members else str(members[0] + 1)
    picked = settings.choice(
        stage.dataset.name, "maps-of", "Maps show", options, help=HELP["shown"], default=first, shape="list", width=140
    )
    return None if picked == "mean" else members.index(int(picked) - 1)


# -- what is shown ------------------------------------------------------------------------------------------


def introduction(stage: Stage, schedule: Schedule, number: int) -> str:
    """What there is to see."""
    length = wording.duration(stage.dataset, schedule.horizon)
    return (
        f"A forecast crosses each window of {length} in steps. At every stop the **forecaster** looks at the state and "
        "estimates the *end of the window* in one leap, x̂ₕ. The **interpolator** then says what lies between the start "
        "and that estimate, and the state moves on to the next stop, from where the leap is shorter. Step through it "
        "with the arrows below the maps."
    )


def schedule_words(schedule: Schedule, request: ResolvedRequest) -> str:
    """How a window is walked."""
    count = len(schedule)
    return f"{count} step{'s' if count > 1 else ''} through {schedule.horizon} data steps, schedule {request.schedule}"


def walk_of(found: Found, ground: Ground, variable: Variable) -> Walk:
    """A variable along a trace."""
    return found.once("walk", variable.name, make=partial(_walk_of, found.result, ground, variable))


def _walk_of(trace: Trace, ground: Ground, variable: Variable) -> Walk:
    leads = trace.window * ground.horizon + trace.leads
    end = np.full(len(leads), (trace.window + 1.0) * ground.horizon)
    refined = trace.refined_states
    assert refined is not None
    states = ground.fields(trace.states, leads, variable)
    after = ground.fields(refined, leads, variable)
    estimates = ground.fields(trace.estimates, end[1:], variable)
    truth = ground.fields(ground.truth(leads), leads, variable)
    at_end = ground.fields(ground.truth(end), end, variable)
    nothing = np.full_like(estimates[:, :1], np.nan)
    return Walk(
        leads,
        states,
        after,
        np.concatenate([nothing, estimates], axis=1),
        np.stack([truth, at_end]),
        ground.scores(states, truth),
        ground.scores(after, truth),
        ground.scores(estimates, at_end[1:]),
        trace.calls,
    )


def frames_of(walk: Walk) -> tuple[np.ndarray, list[str]]:
    """The leads of the maps' frames, and what each is."""
    last = len(walk.leads) - 1
    return walk.leads, ["start", *(f"step {number} of {last}" for number in range(1, last + 1))]


def places_of(ground: Ground, trace: Trace, which: int | None, prefix: str = "") -> dict[str, np.ndarray]:
    """Where particles stand in states and estimates; empty on a grid."""
    states = shown_of(trace.states, which)
    estimates = np.concatenate([states[:1], shown_of(trace.estimates, which)])
    return ground.positions(states, f"{prefix}state") | ground.positions(estimates, f"{prefix}estimate")


def walk_maps(stage: Stage, ground: Ground, walk: Walk, trace: Trace, which: int | None, of: str) -> None:
    """State, estimate, what they should be, and how far the members are apart in both."""
    who = "mean of the members" if which is None else f"member {trace.members[which] + 1}"
    fields = {
        "state": shown_of(walk.states, which),
        "estimate": shown_of(walk.estimates, which),
        "truth": walk.truth[0],
        "truth-end": walk.truth[1],
        "spread": spread_of(walk.states),
        "spread-end": spread_of(walk.estimates),
        **places_of(ground, trace, which),
        **ground.positions(ground.truth(walk.leads), "truth"),
        **ground.positions(ground.truth(np.full_like(walk.leads, walk.leads[-1])), "truth-end"),
    }
    variable = stage.variable
    panels = (
        field_panel(variable, "state", "State", who),
        field_panel(variable, "estimate", "Estimate of the end, x̂ₕ", who, empty=NOT_BEGUN),
        field_panel(variable, "truth", "Truth", "at this lead"),
        field_panel(variable, "truth-end", "Truth", "at the end of the window"),
        spread_panel(variable, "spread", "Spread of the states", "state", "walk"),
        replace(
            spread_panel(variable, "spread-end", "Spread of the estimates", "estimate", "walk"),
            empty=NOT_BEGUN if len(trace.members) > 1 else "a spread needs two members",
        ),
    )
    show_maps(stage, ground, "walk", frames_of(walk), fields, panels, of=f"{of}/walk")


def solver_maps(
    stage: Stage, ground: Ground, walks: Mapping[str, Walk], traces: Mapping[str, Trace], which: int | None, of: str
) -> None:
    """State and estimate of every solver, one below the other."""
    fields: dict[str, np.ndarray] = {}
    panels: list[Panel] = []
    first = next(iter(walks.values()))
    trace = next(iter(traces.values()))
    who = "mean" if which is None else f"member {trace.members[which] + 1}"
    for name, walk in walks.items():
        title = name.capitalize()
        fields |= {f"{name}-state": shown_of(walk.states, which), f"{name}-estimate": shown_of(walk.estimates, which)}
        fields |= places_of(ground, traces[name], which, f"{name}-")
        panels += [
            field_panel(stage.variable, f"{name}-state", f"{title}: state", who),
            field_panel(stage.variable, f"{name}-estimate", f"{title}: estimate x̂ₕ", who, empty=NOT_BEGUN),
        ]
    show_maps(stage, ground, "solvers", frames_of(first), fields, tuple(panels), of=f"{of}/solvers")


def walk_charts(stage: Stage, walk: Walk, members: int, noise: str) -> None:
    """Spread and error along the leads of a walk."""
    after = walk.of_refined.spread
    lines = (
        along(stage, walk, "states", walk.of_states.spread, BLUE),
        along(stage, walk, "refined", after, GREEN, "dash"),
        along(stage, walk, "estimates x̂ₕ", walk.of_estimates.spread, ORANGE, "dot"),
    )
    st.markdown(spread_words(stage, walk, members, noise))
    left, right = st.columns(2, gap="medium")
    with left:
        chart(
            stage, walk, lines, "**Spread along the walk**", HELP["spread"], "walk-spread", "a spread needs two members"
        )
    crps = "Brier score" if stage.variable.threshold is not None else "fair CRPS"
    lines = (
        along(stage, walk, "states, RMSE", walk.of_states.rmse, BLUE),
        along(stage, walk, "x̂ₕ, RMSE", walk.of_estimates.rmse, ORANGE),
        along(stage, walk, f"x̂ₕ, {crps}", walk.of_estimates.crps, ORANGE, "dash"),
    )
    with right:
        chart(stage, walk, lines, "**Error along the walk**", HELP["error"], "walk-error", "no truth is known here")


def solver_charts(stage: Stage, walks: Mapping[str, Walk]) -> None:
    """Spread and error of the states along the leads, solver by solver."""
    first = next(iter(walks.values()))
    spreads, errors = (
        tuple(
            along(stage, walk, f"{name.capitalize()} · {walk.calls} calls", get(walk.of_states), COLOURS[name])
            for name, walk in walks.items()
        )
        for get in (lambda scores: scores.spread, lambda scores: scores.rmse)
    )
    st.markdown(
        "Cold and Heun steps add what the interpolator sees change to the state, so draws of noise that are not shared "
        "add up along the way. A naive step replaces the state by a new draw between the start and the last estimate. "
        "The right spread is as large as the error beside it."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        title = "**Spread of the states, solver by solver**"
        chart(stage, first, spreads, title, HELP["spread"], "solvers-spread", "a spread needs two members")
    with right:
        title = "**RMSE of the states' mean, solver by solver**"
        chart(stage, first, errors, title, HELP["error"], "solvers-error", "no truth is known here")


def along(stage: Stage, walk: Walk, name: str, values: np.ndarray, colour: str, dash: str = "solid") -> Curve:
    """A line over the leads that the values belong to: all frames, or those from the first step on."""
    leads = walk.leads[len(walk.leads) - len(values) :] * stage.dataset.time_step
    return Curve(name, leads, values, colour, dash)


def chart(stage: Stage, walk: Walk, lines: tuple[Curve, ...], title: str, help: str, name: str, missing: str) -> None:
    """A chart over lead time with a dot at every step."""
    step, units = stage.dataset.time_step, stage.dataset.time_units
    figure = along_chart(
        lines,
        walk.leads * step,
        x_title=f"lead time ({units})",
        units=score_units(stage.variable),
        time_units=units,
        missing=missing,
    )
    file = "_".join((stage.dataset.name, stage.variable.name, name))
    show_chart(figure, key=f"sampler/{name}", name=file, title=title, help=help)


def spread_words(stage: Stage, walk: Walk, members: int, noise: str) -> str:
    """What the spread does between the ends of the window, in numbers."""
    if members < 2:
        return "One member has no spread: follow two or more to see how the steps part them."
    inside = slice(1, len(walk.leads) - 1)
    walked, refined = (
        float(np.sqrt(np.mean(np.square(scores.spread[inside])))) if len(walk.leads) > 2 else math.nan
        for scores in (walk.of_states, walk.of_refined)
    )
    if math.isnan(walked):
        return "This schedule leaps to the end in one step: there is nothing between the ends for the steps to spread."
    why = WHY_SPREAD.get(noise, "every step adds draws of the interpolator's noise")
    change = "collapses it to" if refined < 0.8 * walked else "leaves" if refined < 1.25 * walked else "widens it to"
    return (
        f"Inside the window the states spread by {amount(walked, stage.variable)}: {why}. Refinement, which draws all "
        f"states anew from the last estimate alone, {change} {amount(refined, stage.variable)}."
    )
