"""What the interpolator draws between two frames of a run, a window apart, beside what happened in between."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.batching import fields_at_once
from engine.errors import Cancelled, RequestError
from engine.forecasting import plan_of
from engine.loading import load_pair
from engine.member_windows import Plan
from engine.models.dynamics import DirectLeads
from engine.noise import MemberNoise, parse_coupling
from engine.requests import ForecastRequest, resolved
from engine.sampling import refine
from engine.variable_fields import truth_at
from engine.window import Pair, WindowInterpolator, WindowSetting, bind

DRAWS = ("independent", "window")
"""How the interpolator draws at several leads: anew at each, or one draw of a member for all of them."""


@dataclass(frozen=True, eq=False)
class FillIn:
    """The states between two frames of a run, in physical units.

    leads: (lead,) data steps after the first frame; times: theirs, as those of the run; states: what the interpolator
    draws, (member, lead, channel, y, x); truth: what happened, (lead, channel, y, x), NaN where it is not known;
    straight: the straight line in time between the two frames, (lead, channel, y, x). All are float32.
    """

    leads: np.ndarray
    times: np.ndarray
    states: np.ndarray
    truth: np.ndarray
    straight: np.ndarray

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.states.nbytes + self.truth.nbytes + self.straight.nbytes


def fill_in(
    request: ForecastRequest,
    *,
    leads: Sequence[float] | None = None,
    members: int = 8,
    draws: str = "independent",
    device: str = "auto",
    cancelled: Callable[[], bool] = lambda: False,
) -> Generator[int, None, FillIn]:
    """Draw I(x_t, x_{t+h}, i) at `leads` from 0 to h, every data step by default; yields how many leads are done.

    x_t is the request's initial condition and x_{t+h} the frame one window later; of the request's way to sample only
    the seed counts. The interpolator's dropout is on, as it was in training, whatever the model's forecasts do. Raises
    RequestError where the model has no interpolator, the run ends too early, or a lead lies outside the window;
    Cancelled before the next network call once cancelled() is true. Source: arXiv 2306.01984, section 3.1.
    """
    plan = plan_of(resolved(request))
    horizon = plan.schedule.horizon
    asked = tuple(float(lead) for lead in (range(horizon + 1) if leads is None else leads))
    if draws not in DRAWS:
        raise RequestError(f"There is no way to draw {draws!r}; choose one of {', '.join(DRAWS)}.")
    if members < 1:
        raise RequestError(f"The number of members is {members}: give at least 1.")
    for lead in asked:
        if not 0 <= lead <= horizon:
            raise RequestError(f"The lead {lead:g} lies outside of the window: give leads from 0 to {horizon}.")
    first, last = ends(plan)

    def check() -> None:
        if cancelled():
            raise Cancelled

    pair = load_pair(plan.request.model, device, plan.request.precision)
    interpolator, x_h = between(plan, pair, members, draws, check)
    drawn = refine(interpolator, x_h, asked, batch=max(1, fields_at_once(pair) // members))
    states = []
    for _ in asked:
        with torch.inference_mode():
            states.append(next(drawn)[1].cpu().numpy())
        yield len(states)
    share = (np.array(asked) / horizon)[:, None, None, None]
    times = plan.start_time(0) + np.array(asked) * plan.dataset.time_step
    straight = ((1 - share) * first + share * last).astype(np.float32)
    return FillIn(np.array(asked), times, np.stack(states, axis=1), truth_at(plan.run, times), straight)


def ends(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """The frame that a request starts from and the one a window later, (channel, y, x).

    Raises RequestError where the run ends before, or the model has no interpolator.
    """
    if plan.card.interpolator is None:
        raise RequestError(
            f"The model {plan.card.name} has no interpolator and cannot fill in between two frames: choose one that "
            "has, such as one of the preset fast."
        )
    horizon = plan.schedule.horizon
    if plan.frame + horizon >= plan.run.frames:
        raise RequestError(
            f"The first frame is {plan.frame}, and the run ends before the second, {horizon} steps later: choose a "
            f"first frame from 0 to {plan.run.frames - 1 - horizon}."
        )
    return plan.run.states[plan.frame], plan.run.states[plan.frame + horizon]


def between(
    plan: Plan, pair: Pair, members: int, draws: str, check: Callable[[], None]
) -> tuple[WindowInterpolator, Tensor]:
    """The interpolator between two frames of a run, and the later one of them for every member."""
    assert not isinstance(pair.interpolator, DirectLeads)
    first, last = (torch.from_numpy(state).to(pair.device) for state in ends(plan))
    setting = WindowSetting(
        first.expand(members, *first.shape),
        torch.from_numpy(plan.run.static).to(pair.device),
        first,
        plan.start_time(0),
        pair.scaling_of(plan.run),
    )
    noise = MemberNoise(plan.request.seed, tuple(range(members)), 0, plan.data_digest)
    _, interpolator = bind(pair, setting, noise, parse_coupling(draws), check)
    return interpolator, last.expand(members, *last.shape)
