"""How sure a score is: 95 % intervals from resampling whole runs, or blocks of neighbouring dates of a record.

A resampling is a table of counts (resample, unit): how often each unit, a run or a start date, is drawn. The same
table applied to two models makes their comparison a paired one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.errors import RequestError

Statistic = Callable[[np.ndarray], np.ndarray]
"""(counts (resample, unit)) -> a value for every resample."""

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A statistic with the ends of its interval, which are NaN where there is nothing to resample."""

    value: float
    low: float
    high: float


def resample_clusters(count: int, *, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Draws of `count` whole runs with replacement: counts (resample, run).

    All forecasts of a run are drawn together, as they are dependent.

    Raises: RequestError if there is no run.

    Source: Davison & Hinkley 1997, Bootstrap Methods and their Application, section 3.8.
    """
    _check_units(count)
    drawn = np.random.default_rng(seed).integers(count, size=(resamples, count))
    return _counts(drawn, count)


def resample_blocks(count: int, block: int, *, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Draws of blocks of neighbouring dates, wrapped around the end of the record: counts (resample, date).

    Raises: RequestError if there is no date or a block is not 1 to `count` dates long.

    Source: Politis & Romano 1992, A circular block-resampling procedure for stationary data.
    """
    _check_units(count)
    if not 1 <= block <= count:
        raise RequestError(f"A block of {block} dates cannot be drawn from {count}; choose 1 to {count}.")
    blocks = -(-count // block)
    first = np.random.default_rng(seed).integers(count, size=(resamples, blocks, 1))
    drawn = ((first + np.arange(block)) % count).reshape(resamples, -1)[:, :count]
    return _counts(drawn, count)


def mean_estimate(values: np.ndarray, counts: np.ndarray) -> Estimate:
    """The mean score: of values (unit, lead), NaN where there is none, over units and then over leads."""
    return _estimate(lambda weights: _mean(values, weights), counts)


def root_mean_estimate(squares: np.ndarray, counts: np.ndarray) -> Estimate:
    """The root of the mean: an RMSE from squared errors (unit, lead)."""
    return _estimate(lambda weights: np.sqrt(_mean(squares, weights)), counts)


def pooled_ratio_estimate(variance: np.ndarray, squares: np.ndarray, counts: np.ndarray) -> Estimate:
    """The spread-skill ratio, root of mean variance over mean squared error, both (unit, lead)."""
    return _estimate(lambda weights: np.sqrt(_mean(variance, weights) / _mean(squares, weights)), counts)


def paired_ratio_estimate(scores: np.ndarray, rival: np.ndarray, counts: np.ndarray) -> Estimate:
    """The ratio of two mean scores of the same forecasts, both (unit, lead): below 1 the first is the better.

    Raises: RequestError if the two are not of the same units and leads.
    """
    if scores.shape != rival.shape:
        raise RequestError(f"Scores {scores.shape} and {rival.shape} are not of the same forecasts and are no pair.")
    return _estimate(lambda weights: _mean(scores, weights) / _mean(rival, weights), counts)


def _mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Weighted over units, then over leads, every lead alike: (unit, lead) and (resample, unit) to (resample,)."""
    known = np.isfinite(values)
    reached = known.any(axis=0)
    if not reached.any():  # a fair score of one member
        return np.full(len(counts), np.nan)
    if known[:, reached].all():  # every unit has the same leads: far fewer sums come to the same
        return counts @ values[:, reached].mean(axis=1) / counts.sum(axis=1)
    seen = counts @ known.astype(np.float64)
    there = seen > 0  # not every draw has a unit that reaches the last leads
    by_lead = counts @ np.where(known, values, 0.0) / np.where(there, seen, 1.0)
    mean: np.ndarray = by_lead.sum(axis=1) / there.sum(axis=1)
    return mean


def _estimate(statistic: Statistic, counts: np.ndarray) -> Estimate:
    units = counts.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):  # a score of one member, or a ratio to no error, is NaN
        (value,) = statistic(np.ones((1, units)))
        drawn = statistic(counts)
    if units == 1:
        return Estimate(float(value), float("nan"), float("nan"))
    low, high = interval(drawn)
    return Estimate(float(value), float(low), float(high))


def interval(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of what the middle 95 % of the resamples hold: of (resample, …) those of (…)."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return low, high


def _counts(drawn: np.ndarray, count: int) -> np.ndarray:
    rows = np.arange(len(drawn))[:, None] * count
    return np.bincount((drawn + rows).ravel(), minlength=len(drawn) * count).reshape(-1, count).astype(np.float64)


def _check_units(count: int) -> None:
    if count < 1:
        raise RequestError(f"There are {count} runs or dates to resample; score one at least.")
