"""Forecasts of known runs under one request after another: what ablations and calibrations compare."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import xarray as xr

from engine.checkpoint import ModelCard
from engine.datasets.base import Dataset, Run
from engine.errors import RequestError
from engine.evaluation import check_starts, forecast_length, joined, scorer_of
from engine.forecasting import forecast_from
from engine.requests import ResolvedRequest, calls_per_member
from engine.schedules import parse_schedule

Done = Callable[[int, int], None]
"""Told how many forecasts are finished, and of how many."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What forecasts are tried on: every run of a split from every start frame.

    steps: forecast length in data steps; None: to the end of a simulated run, a record's default.

    Raises: RequestError if a run has no frame after a start, or there is nothing to try on.
    """

    dataset: Dataset
    split: str
    runs: tuple[Run, ...]
    starts: tuple[int, ...]
    steps: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.runs or not self.starts:
            raise RequestError(
                f"The {self.split} split of {self.dataset.name} leaves no run or start to try: name some."
            )
        check_starts(self.runs, self.starts)

    @property
    def initial_conditions(self) -> int:
        """How many there are."""
        return len(self.runs) * len(self.starts)

    @property
    def longest(self) -> int:
        """Data steps of the longest forecast."""
        return max(self.length(run, start) for run in self.runs for start in self.starts)

    def length(self, run: Run, start: int) -> int:
        """Data steps of the forecast of a run from a start."""
        return forecast_length(self.dataset, run, start, self.steps)


def check_members(request: ResolvedRequest) -> None:
    """Raises RequestError where a request has too few members for a fair score."""
    if request.members < 2:
        raise RequestError(f"{request.members} member(s) have no spread to score: ask for 2 or more.")


def score_members(
    ground: Ground, request: ResolvedRequest, counts: Iterable[int], *, done: Done | None = None
) -> dict[int, xr.Dataset]:
    """Scores of a request with each number of members, dims (run, start, lead, channel).

    Of a record only the field itself is scored. One forecast of the largest ensemble serves all numbers: member m is
    the same in each.
    """
    counts = sorted(set(counts))
    score = scorer_of(ground.dataset)
    channels = [channel.name for channel in ground.dataset.channels]
    rows: dict[int, list[xr.Dataset]] = {count: [] for count in counts}
    for number, run in enumerate(ground.runs):
        row: dict[int, list[xr.Dataset]] = {count: [] for count in counts}
        for place, start in enumerate(ground.starts):
            wanted = replace(request, members=counts[-1], steps=ground.length(run, start), output_leads=())
            forecast = forecast_from(run, start, wanted, device=ground.device)
            for count in counts:
                of_count = score(forecast.isel(member=slice(count)), run, start, ground.dataset)
                row[count].append(of_count.sel(channel=channels))
            if done is not None:
                done(number * len(ground.starts) + place + 1, ground.initial_conditions)
        for count in counts:
            rows[count].append(joined(row[count], "start", ground.starts))
    return {count: joined(rows[count], "run", [run.name for run in ground.runs]) for count in counts}


def schedules_to_try(card: ModelCard) -> tuple[str, ...]:
    """Names of schedules from the longest to one forecaster call, each with leads of its own."""
    if card.interpolator is None:
        return ("0",)
    strides = [2**power for power in range(1, card.horizon.bit_length()) if 2**power < card.horizon]
    names = ("full", "every5th", "only_dynamics", *(f"stride{stride}" for stride in (*strides, card.horizon)))
    leads = {name: parse_schedule(name, horizon=card.horizon, auxiliary_steps=card.auxiliary_steps) for name in names}
    return tuple({schedule: name for name, schedule in reversed(leads.items())}.values())[::-1]


def calls_in_window(request: ResolvedRequest, horizon: int) -> int:
    """Network calls of one member in one window, those for leads to deliver that no step lands on included."""
    return calls_per_member(replace(request, steps=horizon, output_leads=()))
