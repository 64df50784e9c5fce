"""All scores of one ensemble in a single pass over its members: arrays in, averages over cells out.

Evaluations use this, as `engine.scores` would sort and copy the members anew for every score.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from engine.errors import RequestError

BLOCK = 1_000_000
"""Values that are worked on at once: few enough to stay near the processor."""


@dataclass(frozen=True, eq=False)
class EnsembleScores:
    """Averages over cells, float64 (lead,), and the ranks of the truth.

    `crps` and `variance` are the fair and corrected forms, NaN of one member; `crps_biased` and `variance_biased` those
    of the DYffusion paper; `rank_counts` (lead, M + 1) says in how many cells the truth has each rank.
    """

    crps: np.ndarray
    crps_biased: np.ndarray
    mse: np.ndarray
    variance: np.ndarray
    variance_biased: np.ndarray
    rank_counts: np.ndarray


def labelled(
    parts: Sequence[EnsembleScores], leads: Sequence[float] | np.ndarray, channels: Sequence[str]
) -> xr.Dataset:
    """The scores of every channel with their names: dims (lead, channel), the ranks' one more, `rank` from 1 on."""
    fields = {
        name: (("lead", "channel"), np.stack([getattr(part, name) for part in parts], axis=1))
        for name in ("crps", "crps_biased", "mse", "variance", "variance_biased")
    }
    ranks = np.stack([part.rank_counts for part in parts], axis=1)
    coordinates = {"lead": leads, "channel": channels, "rank": np.arange(1, ranks.shape[-1] + 1)}
    return xr.Dataset({**fields, "rank_counts": (("lead", "channel", "rank"), ranks)}, coordinates)


@dataclass(frozen=True, eq=False)
class CellScores:
    """What every cell adds to the averages, (lead, cell), in the precision of the members.

    error: the mean distance of the members from the truth; distance: half that of two different members; bias: of
    their mean, less the truth; variance: theirs with ddof 0; ranks: how many of them lie below the truth, ties drawn.
    """

    error: np.ndarray
    distance: np.ndarray
    bias: np.ndarray
    variance: np.ndarray
    ranks: np.ndarray
    members: int

    @property
    def crps(self) -> np.ndarray:
        """The fair CRPS, NaN of one member."""
        return self.error - self.distance if self.members > 1 else np.full_like(self.error, np.nan)

    @property
    def corrected_variance(self) -> np.ndarray:
        """With ddof 1 and times (M + 1)/M, to compare with the squared error of the mean; NaN of one member."""
        return self.variance * correction(self.members)


def correction(members: int) -> float:
    """What turns a variance with ddof 0 into the corrected one, NaN of one member."""
    return (members + 1) / (members - 1) if members > 1 else float("nan")


def cell_scores(members: np.ndarray, truth: np.ndarray, random: np.random.Generator) -> CellScores:
    """Score members (M, lead, cell) against the truth (lead, cell) cell by cell; no value is checked."""
    distance = members - truth
    below, ties = np.count_nonzero(distance < 0, axis=0), np.count_nonzero(distance == 0, axis=0)
    if ties.any():
        below = below + np.floor(random.random(ties.shape) * (ties + 1)).astype(below.dtype)
    error = np.abs(distance).mean(axis=0)
    distance.sort(axis=0)  # of distances: rounding does not grow with how far the values are from 0
    mean = distance.mean(axis=0)
    half = np.tensordot(_order_weights(len(members), distance.dtype), distance, axes=1)
    variance = ((distance - mean) ** 2).mean(axis=0)
    return CellScores(error, half, mean, variance, below, len(members))


def ensemble_scores(members: np.ndarray, truth: np.ndarray, *, seed: int = 0) -> EnsembleScores:
    """Score members (M, lead, cell) against the truth (lead, cell), in the precision of the members.

    Where the truth equals members its rank is drawn evenly among the tied ones, reproducibly by `seed`.

    Raises: RequestError if there is no member, the shapes do not fit, or a value is not finite: a forecast that
    diverged must not drop out of a mean as if it had not been made.

    Source: Zamo & Naveau 2018 (doi:10.1007/s11004-017-9709-7), Fortin et al. 2014 (doi:10.1175/JHM-D-14-0008.1),
    Hamill 2001 (doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2).
    """
    count = len(members)
    if count == 0 or members.shape[1:] != truth.shape:
        raise RequestError(f"Members {members.shape} cannot be scored against a truth {truth.shape}.")
    leads, cells = truth.shape
    random = np.random.default_rng(seed)
    at_once = max(1, BLOCK // (count * cells))
    parts = [
        _averages(cell_scores(members[:, first : first + at_once], truth[first : first + at_once], random))
        for first in range(0, leads, at_once)
    ]
    error, distance, mse, variance, ranks = (np.concatenate(column) for column in zip(*parts, strict=True))
    check_finite(mse)
    return EnsembleScores(
        crps=error - distance if count > 1 else error * np.nan,
        crps_biased=error - distance * (count - 1) / count,
        mse=mse,
        variance=variance * correction(count),
        variance_biased=variance,
        rank_counts=ranks,
    )


def check_finite(mse: np.ndarray) -> None:
    """Raises RequestError where a lead has no error, (lead,): its forecast diverged."""
    if bad := np.count_nonzero(~np.isfinite(mse)):
        raise RequestError(
            f"At {bad} of {len(mse)} leads the forecast or its truth is not finite and has no score: it diverged; try"
            " another schedule, solver or noise."
        )


def _averages(cells: CellScores) -> tuple[np.ndarray, ...]:
    """Over the cells, float64 (lead,): error, distance, squared error, variance; and how often each rank occurs."""
    averages = (
        field.mean(axis=-1, dtype=np.float64) for field in (cells.error, cells.distance, cells.bias**2, cells.variance)
    )
    return (*averages, count_ranks(cells.ranks, cells.members + 1))


def _order_weights(count: int, kind: np.dtype) -> np.ndarray:
    """Weights of sorted members whose sum is half the mean distance between two different ones."""
    ranks = np.arange(1, count + 1)
    weights: np.ndarray = ((2 * ranks - count - 1) / max(count * (count - 1), 1)).astype(kind)
    return weights


def count_ranks(ranks: np.ndarray, bins: int) -> np.ndarray:
    """How often each rank occurs in every row: (lead, cell) to (lead, bins)."""
    rows = np.arange(len(ranks))[:, None] * bins
    return np.bincount((ranks + rows).ravel(), minlength=len(ranks) * bins).reshape(len(ranks), bins)
