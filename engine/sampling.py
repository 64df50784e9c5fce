"""Cold sampling of DYffusion (arXiv 2306.01984, Algorithm 2) and its relatives.

Notation: x is the state at lead i, x_h the forecaster's estimate of the state at the horizon h, F the forecaster and
I the stochastic interpolator between the window's initial condition and x_h. Cold sampling is the explicit Euler
step of dx/ds = d/ds I(F(x, s), s) with F frozen over the step.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from torch import Tensor

from engine.errors import RequestError

Forecaster = Callable[[Tensor, float], Tensor]
"""(x at lead i, i) -> x at the horizon; x is (member, channel, y, x)."""

Interpolator = Callable[[Tensor, float], Tensor]
"""(x at the horizon, i) -> x at lead i. I(x_h, 0) is the initial condition and I(x_h, h) is x_h.

It may also offer `.pair(x_h, i, i_next)`, which returns both leads from one batch.
"""


class Window(Protocol):
    """What the sampler needs to know of a schedule (`engine.schedules.Schedule` is one)."""

    @property
    def horizon(self) -> int:
        """The trained horizon h, in data steps."""

    @property
    def leads(self) -> tuple[float, ...]:
        """The diffusion leads, rising from 0 to below the horizon."""


Solver = Callable[[Forecaster, Interpolator, Tensor, float, float], tuple[Tensor, Tensor]]
LastStep = Literal["forecast", "solver"]
LAST_STEPS: tuple[LastStep, ...] = ("forecast", "solver")


@dataclass(frozen=True, eq=False)
class Step:
    """Where one diffusion step arrived: `x` at `lead`, with the estimate `x_horizon` that led there."""

    lead: float
    x: Tensor
    x_horizon: Tensor


def cold_sampling(
    forecast: Forecaster,
    interpolate: Interpolator,
    x0: Tensor,
    schedule: Window,
    *,
    solver: str = "cold",
    last_step: str = "forecast",
) -> Iterator[Step]:
    """Walk one window along the schedule, yielding a Step at every lead after 0 and at the horizon.

    x0 is (member, channel, y, x). `last_step="forecast"` ends on x_h = F(x, i) itself, the published default;
    `"solver"` applies the solver's own update up to the horizon. Network calls per window: cold 3(N−1), naive 2N−1,
    one more for cold with `"solver"`. Raises RequestError on an unknown solver or last step.
    Source: arXiv 2306.01984, Algorithm 2.
    """
    if solver not in SOLVERS:
        raise RequestError(f"There is no solver {solver!r}; choose one of {', '.join(SOLVERS)}.")
    if last_step not in LAST_STEPS:
        raise RequestError(f"There is no last step {last_step!r}; choose one of {', '.join(LAST_STEPS)}.")
    return _walk(forecast, interpolate, x0, schedule, SOLVERS[solver], last_step)


def _walk(
    forecast: Forecaster,
    interpolate: Interpolator,
    x0: Tensor,
    schedule: Window,
    step: Solver,
    last_step: str,
) -> Iterator[Step]:
    x = x0
    for i, i_next in pairwise((*schedule.leads, float(schedule.horizon))):
        last = i_next == schedule.horizon
        if last and last_step == "forecast":
            x = x_h = forecast(x, i)
        elif last and step is heun_step:  # F is not trained at the horizon; the global order stays 2
            x, x_h = cold_step(forecast, interpolate, x, i, i_next)
        else:
            x, x_h = step(forecast, interpolate, x, i, i_next)
        yield Step(i_next, x, x_h)


def refine(
    interpolate: Interpolator, x_horizon: Tensor, leads: Iterable[float], *, batch: int = 1
) -> Iterator[tuple[float, Tensor]]:
    """Interpolate the last x_h to every wanted lead, whole or fractional (arXiv 2306.01984, Algorithm 2, line 6).

    With `batch` above 1, so many leads are evaluated at once where the interpolator offers `.several(x_h, leads)`.
    """
    several = getattr(interpolate, "several", None)
    for chunk in _chunks(tuple(leads), batch):
        if several is not None and len(chunk) > 1:
            yield from zip(chunk, several(x_horizon, chunk), strict=True)
        else:
            yield from ((lead, interpolate(x_horizon, lead)) for lead in chunk)


def _chunks(leads: tuple[float, ...], size: int) -> Iterator[tuple[float, ...]]:
    return (leads[first : first + size] for first in range(0, len(leads), size))


def cold_step(
    forecast: Forecaster, interpolate: Interpolator, x: Tensor, i: float, i_next: float
) -> tuple[Tensor, Tensor]:
    """x ← x − I(x_h, i) + I(x_h, i_next) with x_h = F(x, i); returns (x, x_h)."""
    x_h = forecast(x, i)
    return x + _increment(interpolate, x_h, i, i_next), x_h


def naive_step(
    forecast: Forecaster, interpolate: Interpolator, x: Tensor, i: float, i_next: float
) -> tuple[Tensor, Tensor]:
    """x ← I(x_h, i_next) with x_h = F(x, i); returns (x, x_h)."""
    x_h = forecast(x, i)
    return interpolate(x_h, i_next), x_h


def heun_step(
    forecast: Forecaster, interpolate: Interpolator, x: Tensor, i: float, i_next: float
) -> tuple[Tensor, Tensor]:
    """Heun's rule on the equation whose Euler step is the cold step; returns (x, x_h), x_h of the predicted state."""
    first = _increment(interpolate, forecast(x, i), i, i_next)
    x_h = forecast(x + first, i_next)
    return x + (first + _increment(interpolate, x_h, i, i_next)) / 2, x_h


def _increment(interpolate: Interpolator, x_h: Tensor, i: float, i_next: float) -> Tensor:
    pair = getattr(interpolate, "pair", None)
    if pair is not None:
        at_i, at_next = pair(x_h, i, i_next)
    else:
        at_next, at_i = interpolate(x_h, i_next), interpolate(x_h, i)
    return at_next - at_i


SOLVERS: dict[str, Solver] = {"cold": cold_step, "naive": naive_step, "heun": heun_step}
