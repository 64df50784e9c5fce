"""One window of some members: taken from the store where it holds them, else sampled and stored.

Member m of a forecast depends on what `Plan.walk_digest` and `trajectory_key` list and on nothing else; refinement and
output leads never change a trajectory, so they are stored apart from it.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.checkpoint import ModelCard
from engine.datasets import Dataset, Run
from engine.noise import MemberNoise, parse_coupling
from engine.requests import ResolvedRequest, refined_leads, window_calls, window_leads
from engine.sampling import cold_sampling, refine
from engine.schedules import Schedule
from engine.window import Pair, WindowForecaster, WindowInterpolator, WindowSetting, bind

NUMERICS_VERSION = 3
"""Raised whenever a change alters the numbers of a forecast: stored windows of older versions are then not used."""


class Store(Protocol):
    """Where finished windows are kept (`engine.cache.ArrayCache` is one)."""

    def get(self, key: str, /) -> np.ndarray | None:
        """What was put under the key, or None."""

    def holds(self, key: str, /) -> bool:
        """Whether something was put under the key."""

    def put(self, key: str, array: np.ndarray, /) -> bool:
        """Keep an array; False where it could not be kept."""


@dataclass(frozen=True)
class Plan:
    """A resolved request with all that it names looked up."""

    request: ResolvedRequest
    dataset: Dataset
    card: ModelCard
    schedule: Schedule
    run: Run
    frame: int

    @cached_property
    def data_digest(self) -> str:
        """Sha256 of what the forecast starts from: initial state, static fields, time, and the run's climatology."""
        content = hashlib.sha256()
        for array in (self.run.states[self.frame], self.run.static, self.run.times[self.frame]):
            content.update(np.ascontiguousarray(array).tobytes())
        if self.run.background is not None:
            content.update(self.run.background.digest.encode())
        return content.hexdigest()

    @cached_property
    def walk_digest(self) -> str:
        """Sha256 of all that can change a number in the trajectory of any member."""
        request = self.request
        return _digest(
            {
                "numerics": NUMERICS_VERSION,
                "checkpoint": self.card.digest,
                "data": self.data_digest,
                "leads": self.schedule.leads,
                "horizon": self.schedule.horizon,
                "solver": request.solver,
                "last_step": request.last_step,
                "noise": asdict(parse_coupling(request.noise)),
                "precision": request.precision,
                "seed": request.seed,
            }
        )

    @property
    def windows(self) -> int:
        """How many windows the forecast walks, the last perhaps beyond its end."""
        return math.ceil(self.request.steps / self.schedule.horizon)

    def window_leads(self, window: int) -> tuple[float, ...]:
        """Leads to deliver from a window, counted from its start."""
        return window_leads(self.request, self.schedule.horizon, window)

    def start_time(self, window: int) -> float:
        """The time at which a window starts, as the times of the run."""
        return float(self.run.times[self.frame]) + window * self.schedule.horizon * self.dataset.time_step


class MemberWindows:
    """The members' trajectories through one window and the frames to deliver from it.

    x: where the window starts, (member, channel, y, x). frames: where the states at the leads to deliver are written,
    (member, lead, channel, y, x). fields: how many fields a network call may see where leads are
    drawn together. before_call: called before every network call; what it raises ends the work.
    """

    def __init__(
        self,
        plan: Plan,
        pair: Pair,
        cache: Store | None,
        members: Sequence[int],
        window: int,
        x: Tensor,
        frames: np.ndarray,
        *,
        fields: int,
        before_call: Callable[[], None],
    ):
        self._plan, self._pair, self._cache, self._window = plan, pair, cache, window
        self._fields, self._before_call = fields, before_call
        self._members = tuple(members)
        self._x, self._frames = x, frames
        self._landed = (*plan.schedule.leads[1:], float(plan.schedule.horizon))
        # the states that the steps land on, then the last estimate of the horizon, which refinement starts from
        self._states = np.empty((len(self._members), len(self._landed) + 1, *x.shape[1:]), np.float32)

    @property
    def last(self) -> Tensor:
        """The members' states at the end of the window, (member, channel, y, x)."""
        return torch.from_numpy(self._states[:, -2]).clone()

    def advance(self) -> Iterator[int]:
        """Bring `last` about and fill in the frames; yields calls of members after every step."""
        keys = [trajectory_key(self._plan, member, self._window) for member in self._members]
        missing = self._take_stored(keys, self._states)
        if missing:
            yield from self._sample(missing)
            self._store(keys, self._states, missing)
        yield from self._deliver(keys)

    def _sample(self, missing: list[int]) -> Iterator[int]:
        forecaster, interpolator = self._bind(missing)
        request = self._plan.request
        walk = cold_sampling(
            forecaster,
            interpolator,
            self._x[missing].to(self._pair.device),
            self._plan.schedule,
            solver=request.solver,
            last_step=request.last_step,
        )
        spent, states = 0, []  # the states stay on the device until the end: a copy would wait for it
        for _ in self._landed:
            with torch.inference_mode():
                step = next(walk)
            states.append(step.x)
            yield len(missing) * (forecaster.calls + interpolator.calls - spent)
            spent = forecaster.calls + interpolator.calls
        self._states[missing] = torch.stack([*states, step.x_horizon], dim=1).cpu().numpy()

    def _deliver(self, keys: list[str]) -> Iterator[int]:
        leads = self._plan.window_leads(self._window)
        at = dict(zip(self._landed, np.moveaxis(self._states, 1, 0), strict=False))
        refined = refined_leads(self._plan.request, self._plan.schedule, self._window)
        if refined:
            inside = np.empty((len(self._members), len(refined), *self._x.shape[1:]), np.float32)
            yield from self._refine(keys, refined, inside)
            at |= dict(zip(refined, np.moveaxis(inside, 1, 0), strict=True))
        for index, lead in enumerate(leads):
            self._frames[:, index] = at[lead]

    def _refine(self, trajectories: list[str], leads: tuple[float, ...], into: np.ndarray) -> Iterator[int]:
        keys = [_refined_key(key, leads) for key in trajectories]
        missing = self._take_stored(keys, into)
        if not missing:
            return
        forecaster, interpolator = self._bind(missing)
        forecaster.calls = self._forecaster_calls()  # masks are keyed by the x_h they go with: here the last one
        x_horizon = torch.from_numpy(self._states[missing, -1]).to(self._pair.device)
        walk = refine(interpolator, x_horizon, leads, batch=self._refined_at_once(len(missing)))
        states = []
        for _ in leads:
            with torch.inference_mode():
                states.append(next(walk)[1])
            yield len(missing)
        into[missing] = torch.stack(states, dim=1).cpu().numpy()
        self._store(keys, into, missing)

    def _refined_at_once(self, members: int) -> int:
        return max(1, self._fields // members)

    def _forecaster_calls(self) -> int:
        steps = len(self._landed)
        return 2 * steps - 1 if self._plan.request.solver == "heun" else steps

    def _bind(self, missing: list[int]) -> tuple[WindowForecaster, WindowInterpolator]:
        members = [self._members[index] for index in missing]
        return bind_window(self._plan, self._pair, members, self._window, self._x[missing], self._before_call)

    def _take_stored(self, keys: list[str], into: np.ndarray) -> list[int]:
        """Fill in what the store holds; returns the positions that it does not."""
        missing = []
        for index, key in enumerate(keys):
            stored = None if self._cache is None else self._cache.get(key)
            if stored is None or stored.shape != into[index].shape or stored.dtype != into.dtype:
                missing.append(index)
            else:
                into[index] = stored
        return missing

    def _store(self, keys: list[str], arrays: np.ndarray, positions: list[int]) -> None:
        if self._cache is not None:
            for index in positions:
                self._cache.put(keys[index], arrays[index])


def bind_window(
    plan: Plan, pair: Pair, members: Sequence[int], window: int, x: Tensor, before_call: Callable[[], None]
) -> tuple[WindowForecaster, WindowInterpolator]:
    """The two callables that bring some members, by their numbers, from x (member, channel, y, x) through a window."""
    device = pair.device
    setting = WindowSetting(
        x.to(device),
        torch.from_numpy(plan.run.static).to(device),
        torch.from_numpy(plan.run.states[plan.frame]).to(device),
        plan.start_time(window),
        pair.scaling_of(plan.run),
    )
    noise = MemberNoise(plan.request.seed, tuple(members), window, plan.data_digest)
    return bind(pair, setting, noise, parse_coupling(plan.request.noise), before_call)


def trajectory_key(plan: Plan, member: int, window: int) -> str:
    """Sha256 of all that can change a number in a member's trajectory through a window."""
    return _digest({"walk": plan.walk_digest, "member": member, "window": window})


def _refined_key(trajectory: str, leads: tuple[float, ...]) -> str:
    return _digest({"trajectory": trajectory, "refined": leads})


def calls_to_make(plan: Plan, store: Store) -> int:
    """Network calls of single members that a forecast still needs; keys are looked up, no array is read."""
    request, schedule = plan.request, plan.schedule
    sampling = window_calls(schedule, request.solver, request.last_step)
    calls = 0
    for window in range(plan.windows):
        refined = refined_leads(request, schedule, window)
        for member in range(request.members):
            key = trajectory_key(plan, member, window)
            calls += 0 if store.holds(key) else sampling
            calls += 0 if not refined or store.holds(_refined_key(key, refined)) else len(refined)
    return calls


def window_keys(plan: Plan) -> frozenset[str]:
    """All keys under which a forecast stores what it computes; those of its trajectories it may share with others."""
    keys: set[str] = set()
    for window in range(plan.windows):
        refined = refined_leads(plan.request, plan.schedule, window)
        for member in range(plan.request.members):
            key = trajectory_key(plan, member, window)
            keys |= {key, _refined_key(key, refined)} if refined else {key}
    return frozenset(keys)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
