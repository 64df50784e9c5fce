"""Sampling schedules: the leads inside a window at which the sampler stops.

A *lead* is a real lead time in data steps from the start of the window. Training knows whole leads 0 … h−1 and,
with k auxiliary steps, k more spread evenly inside (0, 1). The *diffusion step* d numbers these trained leads.
Vocabulary after the published implementation of DYffusion (arXiv 2306.01984, appendix on sampling schedules).
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import RequestError


@dataclass(frozen=True)
class Schedule:
    """The diffusion leads of one window: 0 = i_0 < i_1 < … < i_{N−1} < horizon, in data steps.

    Raises RequestError where the leads do not rise from 0 to below a horizon of at least 1.
    """

    horizon: int
    leads: tuple[float, ...]

    def __post_init__(self) -> None:
        if isinstance(self.horizon, bool) or not isinstance(self.horizon, int) or self.horizon < 1:
            raise RequestError(f"The window's horizon is {self.horizon!r}: it must be a whole number of at least 1.")
        object.__setattr__(self, "leads", tuple(float(lead) for lead in self.leads))
        for lead in self.leads:
            if not math.isfinite(lead):
                raise RequestError(f"The schedule holds the lead {lead}: every lead must be a finite number.")
        if not self.leads or self.leads[0] != 0:
            raise RequestError(f"The schedule {_shown(self.leads)} does not start at lead 0: add 0 in front.")
        for lead, following in zip(self.leads, (*self.leads[1:], math.inf), strict=True):
            if not lead < following:
                raise RequestError(f"The schedule does not rise: {following:g} follows {lead:g}; sort the leads.")
            if lead >= self.horizon:
                raise RequestError(
                    f"The schedule holds the lead {lead:g}: every lead must lie below the horizon {self.horizon}."
                )

    def __len__(self) -> int:
        return len(self.leads)


def trained_leads(horizon: int, auxiliary_steps: int = 0) -> tuple[float, ...]:
    """The leads that training knows: 0, k auxiliary ones inside (0, 1), then 1 … horizon − 1."""
    return tuple(lead_of(step, auxiliary_steps) for step in range(horizon + auxiliary_steps))


def lead_of(diffusion_step: float, auxiliary_steps: int) -> float:
    """The lead of a diffusion step d, real-valued: d/(k+1) up to lead 1, then d − k."""
    k = auxiliary_steps
    return diffusion_step / (k + 1) if diffusion_step <= k + 1 else float(diffusion_step - k)


def diffusion_step_of(lead: float, auxiliary_steps: int) -> float:
    """The diffusion step of a lead, linear between the trained ones; the inverse of `lead_of`."""
    k = auxiliary_steps
    return lead * (k + 1) if lead <= 1 else float(lead + k)


def parse_schedule(text: str, *, horizon: int, auxiliary_steps: int = 0) -> Schedule:
    """Read a schedule: a name of `SCHEDULES` or comma-separated leads, of which 0 may be left out.

    Raises RequestError where the text is neither, or the leads do not rise to below the horizon.
    """
    if isinstance(auxiliary_steps, bool) or not isinstance(auxiliary_steps, int) or auxiliary_steps < 0:
        raise RequestError(f"The number of auxiliary steps is {auxiliary_steps!r}: it must be 0 or more.")
    Schedule(horizon, (0.0,))  # a horizon that is no horizon is named as such, whatever the text
    words = str(text).strip()
    for pattern, leads_of in SCHEDULES.items():
        if match := re.fullmatch(pattern, words):
            leads = leads_of(match, horizon, auxiliary_steps)
            return Schedule(horizon, tuple(sorted(lead for lead in set(leads) if lead < horizon)))
    return Schedule(horizon, _explicit(words))


def _explicit(words: str) -> tuple[float, ...]:
    try:
        leads = [float(word) for word in words.split(",") if word.strip()]
    except ValueError:
        leads = []
    if not leads:
        raise RequestError(
            f"The schedule {words!r} is not known: use full, only_dynamics, only_dynamics_plusN, everyNth, firstN, "
            "first0.x, strideN or rising leads such as 0,1,2.5,4."
        )
    return tuple(leads) if leads[0] == 0 else (0.0, *leads)


def _shown(leads: tuple[float, ...]) -> str:
    return ",".join(f"{lead:g}" for lead in leads) or "without leads"


def _dynamical(horizon: int) -> tuple[float, ...]:
    return tuple(float(lead) for lead in range(horizon))


def _auxiliary(auxiliary_steps: int) -> tuple[float, ...]:
    return tuple(lead_of(step, auxiliary_steps) for step in range(1, auxiliary_steps + 1))


def _full(match: re.Match[str], horizon: int, auxiliary_steps: int) -> tuple[float, ...]:
    return trained_leads(horizon, auxiliary_steps)


def _only_dynamics(match: re.Match[str], horizon: int, auxiliary_steps: int) -> tuple[float, ...]:
    return _dynamical(horizon)


def _only_dynamics_plus(match: re.Match[str], horizon: int, auxiliary_steps: int) -> tuple[float, ...]:
    extra = _positive(match)
    steps = [(auxiliary_steps + 1) * j / (extra + 1) for j in range(extra + 1)]
    if match.group("discrete"):
        steps = [math.floor(step) for step in steps]
    return (*(lead_of(step, auxiliary_steps) for step in steps), *_dynamical(horizon))


def _every_nth(match: re.Match[str], horizon: int, auxiliary_steps: int) -> tuple[float, ...]:
    return (*_auxiliary(auxiliary_steps)[:: _positive(match)], *_dynamical(horizon))


def _first_n(match: re.Match[str], horizon: int, auxiliary_steps: int) -> tuple[float, ...]:
    return (*_auxiliary(auxiliary_steps)[: _positive(match)], *_dynamical(horizon))


def _first_fraction(match: re.Match[str], horizon: int, auxiliary_steps: int) -> tuple[float, ...]:
    fraction = float(match["fraction"])
    if fraction == 0:
        raise RequestError(f"The schedule {match.group()!r} keeps nothing: give a fraction above 0, such as first0.1.")
    # rounded before ceil: 0.1 · 30 is 3.0000000000000004 in binary
    return (
        *_auxiliary(auxiliary_steps)[: math.ceil(round(fraction * auxiliary_steps, 9))],
        *_dynamical(horizon),
    )


def _stride(match: re.Match[str], horizon: int, auxiliary_steps: int) -> tuple[float, ...]:
    return _dynamical(horizon)[:: _positive(match)]


def _positive(match: re.Match[str]) -> int:
    number = int(match["n"])
    if number < 1:
        raise RequestError(f"The schedule {match.group()!r} names {number}: give a number of at least 1.")
    return number


Leads = Callable[[re.Match[str], int, int], tuple[float, ...]]

SCHEDULES: dict[str, Leads] = {
    r"full": _full,
    r"only_dynamics": _only_dynamics,
    r"only_dynamics_plus(?P<n>\d{1,6})(?P<discrete>_discrete)?": _only_dynamics_plus,
    r"every(?P<n>\d{1,6})(?:st|nd|rd|th)?": _every_nth,
    r"first(?P<n>\d{1,6})": _first_n,
    r"first(?P<fraction>0\.\d{1,9})": _first_fraction,
    r"stride(?P<n>\d{1,6})": _stride,
}
