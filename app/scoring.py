"""A score card of one's own: the forecasts of one request from several initial conditions, scored in the background."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from engine.datasets import Dataset, get_dataset
from engine.datasets.base import load_run
from engine.evaluation import assembled, score_one
from engine.forecasting import Progress
from engine.requests import ResolvedRequest
from engine.variables import parse_variable

if TYPE_CHECKING:
    import xarray as xr

COUNTS = (5, 10, 20, 40)  # of the start dates of a record, as many as it has


@dataclass(frozen=True)
class Conditions:
    """Initial conditions: every one of some runs from every one of some start frames."""

    runs: tuple[str, ...]
    starts: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.runs) * len(self.starts)


@dataclass(frozen=True)
class Scoring:
    """A request's sampler, members and steps from other initial conditions, and the variable that is scored.

    request: its own initial condition is not looked at.
    """

    request: ResolvedRequest
    conditions: Conditions
    variable: str

    @property
    def requests(self) -> tuple[ResolvedRequest, ...]:
        """What is forecast, one after the other."""
        return tuple(
            replace(self.request, init=f"{run}:{start}")
            for run, start in product(self.conditions.runs, self.conditions.starts)
        )


Run = Callable[[ResolvedRequest], "Generator[Progress, None, xr.Dataset]"]


def choices_of(dataset: Dataset, run: str, steps: int) -> tuple[Conditions, ...]:
    """The sets of initial conditions of the test split to choose from, small ones first; none where there are no two.

    Forecasts of `steps` data steps from each of them have a truth to their end. Of a simulated system they are whole
    runs, from their first frame and then from later ones too; of a record, dates over all the test years of its `run`.
    """
    if dataset.calendar is not None:
        record = load_run(dataset, run)
        dates = [start for start in dataset.scored_starts("test", record) if start + steps < record.frames]
        counts = [count for count in COUNTS if count < len(dates)] + [len(dates)] * (len(dates) > 1)
        return tuple(Conditions((run,), _spread_out(dates, count)) for count in counts)
    runs = tuple(name for name in dataset.runs() if not name.startswith("ood-"))
    if not runs:
        return ()
    first = dataset.load(runs[0])
    starts = tuple(start for start in dataset.scored_starts("test", first) if start + steps < first.frames)
    if not starts:
        return ()
    some = [Conditions(runs[:count], starts[:1]) for count in range(2, len(runs) + 1)]
    return (*some, *(Conditions(runs, starts[:count]) for count in range(2, len(starts) + 1)))


def _spread_out(dates: list[int], count: int) -> tuple[int, ...]:
    """Some of the dates, from the first to the last at nearly the same distances."""
    return tuple(dates[index] for index in np.linspace(0, len(dates) - 1, count).round().astype(int))


def score_all(scoring: Scoring, run: Run) -> "Generator[Progress, None, xr.Dataset]":
    """Forecast and score one initial condition after the other; returns what `engine.evaluation.evaluate` does.

    Progress counts initial conditions as members, and the network calls of them all.
    """
    dataset, count = get_dataset(scoring.request.dataset), scoring.conditions.count
    variable = parse_variable(dataset.name, scoring.variable)
    runs = [load_run(dataset, name) for name in scoring.conditions.runs]
    rows: list[list[xr.Dataset]] = []
    for number, (request, (trajectory, start)) in enumerate(
        zip(scoring.requests, product(runs, scoring.conditions.starts), strict=True)
    ):
        result = yield from _counted(run(request), number, count)
        scored = score_one(
            dataset, trajectory, start, lambda *_, made=result: made, steps=request.steps, variable=variable
        )
        if number % len(scoring.conditions.starts) == 0:
            rows.append([])
        rows[-1].append(scored)
    return assembled(dataset, runs, scoring.conditions.starts, rows, variable=variable)


def _counted(
    steps: "Generator[Progress, None, xr.Dataset]", number: int, count: int
) -> "Generator[Progress, None, xr.Dataset]":
    """The steps of one forecast among several; all take about as many network calls."""
    while True:
        try:
            reached = next(steps)
        except StopIteration as finished:
            found: xr.Dataset = finished.value
            return found
        before = reached.calls_total * number
        # those before count as stored: what is left is not to be guessed from the pace of forecasts that were at hand
        stored = before + reached.calls_stored
        yield Progress(number, count, 0, 1, before + reached.calls_done, reached.calls_total * count, stored)
