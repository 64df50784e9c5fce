"""Two ways to take a real state apart: Gaussian noise, and interpolation back to the state a window earlier.

The first is the forward process of standard diffusion models, the second that of DYffusion (arXiv 2306.01984,
figure 1). Both run over the relative time s, from 0, the state itself, to 1, where nothing of it, or the earlier state,
is left.
"""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from engine.errors import RequestError
from engine.fill_in import ends, fill_in
from engine.forecasting import plan_of
from engine.loading import load_pair
from engine.member_windows import Plan
from engine.noise import MemberNoise
from engine.requests import ForecastRequest, resolved
from engine.window import Pair

BETA_LEAST, BETA_LARGEST = 0.1, 20.0
"""The noise rate β(s) rises linearly from the first to the second (Song et al. 2021, arXiv 2011.13456, appendix C)."""


@dataclass(frozen=True, eq=False)
class ForwardProcess:
    """One state on both ways, at the same relative times, in physical units.

    shares: the relative times s (level,); kept: the share of the state's variance that Gaussian noise leaves, ᾱ(s);
    leads: where interpolation is at each, h(1 − s), in data steps after the earlier state, and times, as those of the
    run. noised, interpolated: float32 (member, level, channel, y, x); truth: the run at these times, (level, channel,
    y, x), NaN where it is not known.
    """

    shares: np.ndarray
    kept: np.ndarray
    leads: np.ndarray
    times: np.ndarray
    noised: np.ndarray
    interpolated: np.ndarray
    truth: np.ndarray

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.noised.nbytes + self.interpolated.nbytes + self.truth.nbytes


def forward_process(
    request: ForecastRequest,
    *,
    shares: Sequence[float],
    members: int = 4,
    device: str = "auto",
    cancelled: Callable[[], bool] = lambda: False,
) -> Generator[int, None, ForwardProcess]:
    """Both forward processes of the frame one window after a request's initial condition; yields how many are done.

    A member has one draw of Gaussian noise and one of the interpolator's dropout at all times, so that what is seen to
    change is the process. Raises as `fill_in`, and RequestError on a relative time outside of [0, 1].
    """
    for share in shares:
        if not 0 <= share <= 1:
            raise RequestError(f"The relative time {share:g} lies outside of the process: give times from 0 to 1.")
    plan = plan_of(resolved(request))
    leads = [plan.schedule.horizon * (1 - share) for share in shares]
    filled = yield from fill_in(
        request, leads=leads, members=members, draws="window", device=device, cancelled=cancelled
    )
    pair = load_pair(plan.request.model, device, plan.request.precision)
    noised = gaussian_noising(plan, pair, shares, members)
    kept = np.array([variance_kept(share) for share in shares])
    return ForwardProcess(np.array(shares), kept, filled.leads, filled.times, noised, filled.states, filled.truth)


def variance_kept(share: float) -> float:
    """ᾱ(s) = exp(−∫₀ˢ β): the share of the variance that is left of the state at relative time s.

    Of the variance-preserving process, which DDPM (Ho et al. 2020, arXiv 2006.11239) walks in 1000 steps.
    """
    return math.exp(-(share**2) * (BETA_LARGEST - BETA_LEAST) / 2 - share * BETA_LEAST)


def gaussian_noising(plan: Plan, pair: Pair, shares: Sequence[float], members: int) -> np.ndarray:
    """√ᾱ x + √(1 − ᾱ) ε of the later frame as networks see it, normalised; back in physical units.

    Returns float32 (member, level, channel, y, x), NaN where the frame has no data. ε is standard normal, one draw a
    member. Source: arXiv 2006.11239, equation 4.
    """
    _, last = ends(plan)
    scaling = pair.scaling_of(plan.run)
    season = plan.dataset.season(plan.start_time(1))
    x = torch.from_numpy(last).to(pair.device)
    noise = MemberNoise(plan.request.seed, tuple(range(members)), 0, plan.data_digest)
    epsilon = noise.normal("forward process", last.shape).to(pair.device)
    levels = []
    for share in shares:
        kept = variance_kept(share)
        noised = math.sqrt(kept) * scaling.normalise(x, season) + math.sqrt(1 - kept) * epsilon
        levels.append(scaling.restore(noised, season).masked_fill(x.isnan(), math.nan))
    found: np.ndarray = torch.stack(levels, dim=1).cpu().numpy()
    return found
