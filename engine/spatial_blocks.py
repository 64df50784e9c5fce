"""How sure the scores of one forecast are: 95 % intervals from drawing blocks of neighbouring cells anew.

Neighbouring cells err together, so single cells must not be drawn. Blocks are twice as long as the lag at which the
error of the ensemble mean has lost its memory. The intervals say how far a score might move with other cells of the
same forecast; another initial condition, or other members, may move it further.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from engine.bootstrap import LEVEL, resample_clusters

FEWEST_BLOCKS = 4  # along an axis that is long enough
LEAST_SEEN = 0.3  # along an axis; of less the blocks say too little, and what is shown of them that they are too short
RESAMPLES = 1000
NEVER_NEGATIVE = ("rmse", "spread", "ratio")


@dataclass(frozen=True, eq=False)
class Blocks:
    """Cells in rectangular blocks: of (rows, columns) cells each, the edge's smaller.

    of_cell: the block of every scored cell, int (cell,), 0 … count - 1. long_enough: whether they are as long as the
    memory asks for; else the grid is too small for it and intervals are too narrow.
    """

    shape: tuple[int, int]
    of_cell: np.ndarray
    count: int
    long_enough: bool

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over every block, float64 (block, lead), of values (lead, cell)."""
        rows = np.arange(len(values))[:, None] * self.count
        total = np.bincount(
            (rows + self.of_cell).ravel(),
            weights=values.ravel().astype(np.float64),
            minlength=len(values) * self.count,
        )
        sums: np.ndarray = total.reshape(-1, self.count).T
        return sums


@dataclass(frozen=True, eq=False)
class Interval:
    """A score by lead with the ends of its interval, (lead,) each; NaN where there is none."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def blocks_of(error: np.ndarray, scored: np.ndarray) -> Blocks:
    """Blocks that suit errors (lead, y, x) on the scored cells, bool (y, x)."""
    wanted = [2 * memory(np.moveaxis(error, axis, -1), np.moveaxis(scored, axis - 1, -1)) for axis in (1, 2)]
    most = [max(1, -(-size // FEWEST_BLOCKS)) for size in scored.shape]
    shape = min(wanted[0], most[0]), min(wanted[1], most[1])
    row, column = (np.arange(size) // edge for size, edge in zip(scored.shape, shape, strict=True))
    number = (row[:, None] * (column[-1] + 1) + column)[scored]
    known, of_cell = np.unique(number, return_inverse=True)
    return Blocks(shape, of_cell, len(known), all(a <= b for a, b in zip(wanted, most, strict=True)))


def memory(error: np.ndarray, scored: np.ndarray) -> int:
    """The first lag along the last axis at which the autocorrelation of errors (lead, …, x) is below 1/e, 1 at least.

    Every lead counts the same, its mean taken off; cells that are not scored are left out.
    """
    error = np.where(scored, error, np.nan).astype(np.float64)
    error = error - np.nanmean(error, axis=(1, 2), keepdims=True)
    size = np.sqrt(np.nanmean(error**2, axis=(1, 2), keepdims=True))
    flat = size[:, 0, 0] > 0
    values = np.where(scored, error[flat] / size[flat], 0.0)
    length = values.shape[-1]
    for lag in range(1, length):
        pairs = np.count_nonzero(scored[..., lag:] & scored[..., :-lag]) * len(values)
        if pairs == 0 or (values[..., lag:] * values[..., :-lag]).sum() / pairs < 1 / np.e:
            return lag
    return length


def intervals(
    blocks: Blocks,
    crps: np.ndarray,
    squares: np.ndarray,
    variance: np.ndarray,
    bias: np.ndarray,
    *,
    seen: float = 1.0,
    seed: int = 0,
) -> dict[str, Interval]:
    """CRPS, RMSE, spread, spread-skill ratio and bias by lead, from what every scored cell adds, (lead, cell) each.

    squares: squared errors of the mean; variance: corrected. All are averaged before roots and ratios are taken. seen:
    the share of the variance of a mean that blocks show, as `seen_share` finds it.
    """
    sums = [blocks.sums(values) for values in (crps, squares, variance, bias)]
    cells = blocks.sums(np.ones((1, crps.shape[1])))
    counts = resample_clusters(blocks.count, resamples=RESAMPLES, seed=seed)
    whole = _scores(sums, cells, np.ones((1, blocks.count)))
    drawn = _scores(sums, cells, counts)
    found = {name: interval_of(whole[name][0], drawn[name], blocks.count, seen) for name in whole}
    return {name: at_least_0(each) if name in NEVER_NEGATIVE else each for name, each in found.items()}


def at_least_0(given: Interval) -> Interval:
    """The interval of a score that is never negative, which widening may have forgotten."""
    return Interval(given.value, np.maximum(given.low, 0.0), given.high)


def seen_share(blocks: Blocks, apart: np.ndarray, scored: np.ndarray) -> float:
    """The share of the variance of the mean of errors or differences (lead, y, x) that is seen between blocks of them.

    Blocks that touch are alike at their common edge: of a correlation exp(-(d/L)²) along an axis, blocks as long as b
    miss the share L/(√π b). L is where the correlation has fallen to 1/e.

    Source: the first order of Künsch 1989 (doi:10.1214/aos/1176347265), Theorem 3.1, for this correlation.
    """
    share = 1.0
    for axis, edge in zip((1, 2), blocks.shape, strict=True):
        lag = memory(np.moveaxis(apart, axis, -1), np.moveaxis(scored, axis - 1, -1))
        length = lag - 0.5 if lag > 1 else 0.0  # a whole lag is half a cell late; at lag 1 neighbours are independent
        share *= max(LEAST_SEEN, 1 - length / (np.sqrt(np.pi) * edge))
    return share


def expanded_tail(count: int) -> float:
    """The share of the resamples beyond each end of a 95 % interval from `count` independent units, two at least."""
    quantile = stdtrit(count - 1, (1 + LEVEL) / 2) * np.sqrt(count / (count - 1))
    return float(ndtr(-quantile))


def interval_of(value: np.ndarray, drawn: np.ndarray, count: int, seen: float) -> Interval:
    """A value (…) with its 95 % interval from draws (draw, …) of `count` blocks; NaN where there is one block alone.

    Source: the expanded percentile interval of Hesterberg 2015 (doi:10.1080/00031305.2015.1089789), which is as wide as
    few blocks make it necessary, and wider by what the blocks do not see.
    """
    if count < 2:
        return Interval(value, np.full_like(value, np.nan), np.full_like(value, np.nan))
    tail = expanded_tail(count)
    usable = np.where(np.isfinite(drawn), drawn, np.nan)  # a draw may miss all cells with an error, and has no ratio
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where no draw has a value there is no interval
        low, high = np.nanquantile(usable, [tail, 1 - tail], axis=0)
    wider = 1 / np.sqrt(seen)
    return Interval(value, value + wider * (low - value), value + wider * (high - value))


def _scores(sums: list[np.ndarray], cells: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Every score under every draw: (resample, lead)."""
    crps, squares, variance, bias = (counts @ each / (counts @ cells) for each in sums)
    with np.errstate(invalid="ignore", divide="ignore"):  # where there is no error there is no ratio
        ratio = np.where(squares > 0, np.sqrt(variance / squares), np.nan)
    return {"crps": crps, "rmse": np.sqrt(squares), "spread": np.sqrt(variance), "ratio": ratio, "bias": bias}
