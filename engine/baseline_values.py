"""What a variable is like before any forecast: percentiles of the baseline, and how often it is beyond a value.

The baseline of an observed record are its training years at the same season (engine.thresholds). Simulated data have
no seasons: theirs are all times of the other test runs that come with the data set, never the run of the forecast.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from engine.datasets.base import Dataset, Run
from engine.errors import DataError, RequestError
from engine.events import Side, beyond
from engine.thresholds import seasonal_percentile, seasonal_values
from engine.variables import Variable

UNLIKE_TRAINING = "ood-"
"""What the names of runs begin with that are no part of a baseline."""


def percentile_fields(
    dataset: Dataset,
    run: Run,
    variable: Variable,
    times: np.ndarray,
    percentile: float,
    references: Mapping[str, np.ndarray],
) -> np.ndarray:
    """The percentile of a variable in every cell at some times, float32 (time, y, x).

    references: what the variable needs of observed data beside its channels, (time, y, x). NaN where there is no
    baseline: on land, or where every other run has an obstacle.

    Raises: RequestError for a percentile outside (0, 100); DataError where there is no baseline on the run's grid.
    """
    if not 0 < percentile < 100:
        raise RequestError(f"The percentile is {percentile:g}: give a number between 0 and 100, such as 90.")
    if dataset.calendar is None:
        field = _percentile(dataset, other_runs(dataset, run), variable, percentile)
        return np.broadcast_to(field, (len(times), *field.shape))
    states = np.stack([seasonal_percentile(dataset, run, float(time), percentile) for time in times], axis=1)
    found: np.ndarray = variable.of({**_channels(dataset, states), **references}).astype(np.float32)  # rises with SST
    return found


def chance_fields(
    dataset: Dataset,
    run: Run,
    variable: Variable,
    times: np.ndarray,
    limit: float,
    side: Side,
    references: Mapping[str, np.ndarray],
) -> np.ndarray:
    """How often a variable is beyond a limit in the baseline, as a share in every cell, float32 (time, y, x).

    Raises: DataError where there is no baseline on the run's grid.
    """
    if dataset.calendar is None:
        values = _values(dataset, other_runs(dataset, run), variable)
        field = _share(beyond(values, limit, side))
        return np.broadcast_to(field, (len(times), *field.shape))
    fields = []
    for index, time in enumerate(times):
        states = seasonal_values(dataset, run, float(time)).swapaxes(0, 1)
        beside = {name: values[index] for name, values in references.items()}
        fields.append(_share(beyond(variable.of({**_channels(dataset, states), **beside}), limit, side)))
    return np.stack(fields)


def other_runs(dataset: Dataset, run: Run) -> tuple[str, ...]:
    """The runs of simulated data that make the baseline of a run: those of the test split but itself.

    Raises: DataError where there are none, or the run has a grid of its own.
    """
    names = tuple(name for name in dataset.runs() if name != run.name and not name.startswith(UNLIKE_TRAINING))
    if run.axes is not None or not names:
        raise DataError(f"There are no other runs on the grid of {run.name!r} to take a percentile of: give a value.")
    return names


@lru_cache(maxsize=32)
def _percentile(dataset: Dataset, runs: tuple[str, ...], variable: Variable, percentile: float) -> np.ndarray:
    values = _values(dataset, runs, variable)
    known = np.isfinite(values).any(axis=0)
    found = np.full(values.shape[1:], np.nan, np.float32)
    found[known] = np.nanpercentile(values[:, known], percentile, axis=0)
    return found


@lru_cache(maxsize=2)
def _values(dataset: Dataset, runs: tuple[str, ...], variable: Variable) -> np.ndarray:
    """A variable at all times of some runs, float32 (time, y, x), NaN in the cells that do not count there."""
    y, x = (axis.values for axis in dataset.axes)
    along, across = np.meshgrid(x, y)
    found = []
    for run in (dataset.load(each) for each in runs):
        channels = {channel.name: run.states[:, index] for index, channel in enumerate(dataset.channels)}
        values = variable.of({**channels, "x": along, "y": across})
        found.append(np.where(dataset.scored(run), values, np.nan).astype(np.float32))
    return np.concatenate(found)


def _channels(dataset: Dataset, states: np.ndarray) -> dict[str, np.ndarray]:
    """States (channel, …) by the names of their channels."""
    return dict(zip((channel.name for channel in dataset.channels), states, strict=True))


def _share(happens: np.ndarray) -> np.ndarray:
    """The share of those that are known, (…) of (state, …)."""
    known = np.isfinite(happens).sum(axis=0)
    with np.errstate(invalid="ignore"):
        share: np.ndarray = (np.nansum(happens, axis=0) / known).astype(np.float32)
    return share


def typical(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """A high but common value among some, to two digits, and a step to change it by: 1, 2 or 5 times a power of 10.

    (1, 0.1) where there are none.
    """
    known = np.asarray(values)[np.isfinite(values)]
    if not known.size:
        return 1.0, 0.1
    width = float(np.subtract(*np.percentile(known, [90, 10]))) or abs(float(known[0])) or 1.0
    power = 10.0 ** np.floor(np.log10(width / 10))
    step = power * next(digit for digit in (5, 2, 1) if digit * power <= width / 10 or digit == 1)
    return float(f"{np.round(np.percentile(known, 90) / step) * step:.6g}"), float(f"{step:.6g}")
