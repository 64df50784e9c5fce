"""The sampler looked at step by step: every state it lands on, and the estimate of the horizon that led there.

A trace repeats what a forecast does, with the noise of the same members, and keeps what a forecast lets go.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.errors import Cancelled, RequestError
from engine.forecasting import plan_of
from engine.loading import load_pair
from engine.member_windows import Plan, Store, bind_window, trajectory_key
from engine.requests import ForecastRequest, resolved, window_calls
from engine.sampling import Interpolator, cold_sampling, refine
from engine.window import Pair

MEMBERS = (0, 1, 2, 3)
"""The members that are followed unless others are named."""


@dataclass(frozen=True, eq=False)
class TraceStep:
    """One step of the sampler through a window of the forecast, from `lead` to `next_lead`, data steps from its start.

    estimate: what the forecaster takes the horizon for, seen from `lead` (with Heun's rule from the predicted state at
    `next_lead`); state: where the step arrives. Both are float32 (member, channel, y, x) in physical units. calls: of
    networks for one member in the window so far.
    """

    window: int
    lead: float
    next_lead: float
    estimate: np.ndarray
    state: np.ndarray
    calls: int


@dataclass(frozen=True, eq=False)
class Trace:
    """A window as the sampler walked it with some members.

    members: their numbers in the forecast; window: which of the forecast's; initial: where it starts, float32 (member,
    channel, y, x); refined: the states that the steps before the last landed on, drawn anew from the last estimate,
    (step, member, channel, y, x), None where they were not asked for; calls: of networks for one member in the window.
    """

    members: tuple[int, ...]
    window: int
    initial: np.ndarray
    steps: tuple[TraceStep, ...]
    refined: np.ndarray | None
    calls: int

    @property
    def leads(self) -> np.ndarray:
        """The lead of every frame, 0 and then where each step arrives, in data steps from the start of the window."""
        return np.array([0.0, *(step.next_lead for step in self.steps)])

    @property
    def states(self) -> np.ndarray:
        """The state at every frame, the initial one first, (member, frame, channel, y, x)."""
        return np.stack([self.initial, *(step.state for step in self.steps)], axis=1)

    @property
    def estimates(self) -> np.ndarray:
        """The estimate of the horizon that every step used, (member, step, channel, y, x)."""
        return np.stack([step.estimate for step in self.steps], axis=1)

    @property
    def refined_states(self) -> np.ndarray | None:
        """`states` after refinement, None without: the two ends are known and stay."""
        if self.refined is None:
            return None
        return np.stack([self.initial, *self.refined, self.steps[-1].state], axis=1)

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        refined = 0 if self.refined is None else self.refined.nbytes
        return self.initial.nbytes + refined + sum(step.state.nbytes + step.estimate.nbytes for step in self.steps)


def trace(
    request: ForecastRequest,
    *,
    members: Sequence[int] = MEMBERS,
    window: int = 0,
    refined: bool = True,
    cache: Store | None = None,
    device: str = "auto",
    cancelled: Callable[[], bool] = lambda: False,
) -> Generator[TraceStep, None, Trace]:
    """Walk a window of a request with some of its members; yields every step and returns the trace.

    The states are those of `engine.forecast` for the same members; with `refined`, those of the same request with
    refinement come beside. A later window starts from each member's own last frame: earlier ones are taken from the
    cache, or walked too. Raises RequestError where the forecast has no such window or member, Cancelled before the
    next network call once cancelled() is true.
    """
    plan = plan_of(resolved(request))
    _check(plan, members, window)
    pair = load_pair(plan.request.model, device, plan.request.precision)
    walker = _Walker(plan, pair, tuple(members), cancelled)
    start = torch.from_numpy(plan.run.states[plan.frame])
    x = start.expand(len(members), *start.shape)
    for earlier in range(window):
        stored = _stored_end(plan, members, earlier, cache)
        x = (yield from walker.through(earlier, x)).end if stored is None else stored
    found = yield from walker.through(window, x)
    drawn = found.refine() if refined else None
    return Trace(tuple(members), window, _array(x), found.steps, drawn, found.calls)


def trace_calls(request: ForecastRequest, *, window: int = 0, refined: bool = True) -> int:
    """Network calls that a trace makes for one member where no earlier window is stored."""
    plan = plan_of(resolved(request))
    walked = window_calls(plan.schedule, plan.request.solver, plan.request.last_step)
    return (window + 1) * walked + (len(plan.schedule) - 1 if refined else 0)


@dataclass(frozen=True, eq=False)
class _Walked:
    """A window behind some members: its steps, and what refinement starts from."""

    steps: tuple[TraceStep, ...]
    last_estimate: Tensor
    interpolator: Interpolator
    calls: int

    @property
    def end(self) -> Tensor:
        return torch.from_numpy(self.steps[-1].state)

    def refine(self) -> np.ndarray:
        """The states before the horizon from the last estimate, (step, member, channel, y, x)."""
        leads = [step.next_lead for step in self.steps[:-1]]
        with torch.inference_mode():
            drawn = [_array(state) for _, state in refine(self.interpolator, self.last_estimate, leads)]
        return np.reshape(drawn, (len(leads), *self.last_estimate.shape)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Walker:
    """Brings some members of a forecast through its windows."""

    plan: Plan
    pair: Pair
    members: tuple[int, ...]
    cancelled: Callable[[], bool]

    def through(self, window: int, x: Tensor) -> Generator[TraceStep, None, _Walked]:
        request, schedule = self.plan.request, self.plan.schedule
        forecaster, interpolator = bind_window(self.plan, self.pair, self.members, window, x, self._before_call)
        walk = cold_sampling(
            forecaster,
            interpolator,
            x.to(self.pair.device),
            schedule,
            solver=request.solver,
            last_step=request.last_step,
        )
        steps: list[TraceStep] = []
        for lead in schedule.leads:
            with torch.inference_mode():
                step = next(walk)
            calls = forecaster.calls + interpolator.calls
            steps.append(TraceStep(window, lead, step.lead, _array(step.x_horizon), _array(step.x), calls))
            yield steps[-1]
        return _Walked(tuple(steps), step.x_horizon, interpolator, calls)

    def _before_call(self) -> None:
        if self.cancelled():
            raise Cancelled


def _check(plan: Plan, members: Sequence[int], window: int) -> None:
    if not 0 <= window < plan.windows:
        raise RequestError(f"The window is {window}, but this forecast has the windows 0 to {plan.windows - 1}.")
    if not members:
        raise RequestError("No member is named: name at least one to follow.")
    for member in members:
        if not 0 <= member < plan.request.members:
            raise RequestError(
                f"The member is {member}, but this forecast has the members 0 to {plan.request.members - 1}."
            )


def _stored_end(plan: Plan, members: Sequence[int], window: int, cache: Store | None) -> Tensor | None:
    """The members' states at the end of a window, None unless all are stored."""
    if cache is None:
        return None
    stored = [cache.get(trajectory_key(plan, member, window)) for member in members]
    shape = (len(plan.schedule) + 1, *plan.run.states.shape[1:])
    fitting = [each for each in stored if each is not None and each.shape == shape and each.dtype == np.float32]
    ends = [trajectory[-2] for trajectory in fitting]  # behind it lies the last estimate
    return torch.from_numpy(np.stack(ends)) if len(ends) == len(members) else None


def _array(x: Tensor) -> np.ndarray:
    found: np.ndarray = x.cpu().numpy()
    return found
