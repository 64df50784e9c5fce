"""What is taken off a state before a network sees it: a constant field, or a climatology that follows the year."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.errors import DataError


@dataclass(frozen=True, eq=False)
class Background:
    """A field that depends on the season, as a harmonic series, and the size of the departures from it.

    coefficients: float32 (1 + 2K, channel, y, x), of 1, cos 2πs, sin 2πs, cos 4πs … with s the fraction of the year
    that has passed; K = 0 is a constant field. scale: float32, broadcasts to (channel, y, x), the standard deviation
    of a state's departure from the field. baseline: the years it was fitted on, "" where it is no climatology.
    """

    coefficients: np.ndarray
    scale: np.ndarray
    baseline: str = ""

    @property
    def harmonics(self) -> int:
        """K, the number of harmonics of the year."""
        return len(self.coefficients) // 2

    def at(self, season: float) -> np.ndarray:
        """The field at a fraction of the year, float32 (channel, y, x)."""
        return self.series([season])[0]

    def series(self, seasons: Sequence[float] | np.ndarray) -> np.ndarray:
        """The field at every one of some fractions of the year, float32 (season, channel, y, x)."""
        return np.tensordot(season_basis(seasons, self.harmonics), self.coefficients, 1).astype(np.float32)

    @cached_property
    def digest(self) -> str:
        """Sha256 of all that can change a number."""
        content = hashlib.sha256()
        for array in (self.coefficients, self.scale):
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()


def constant_background(field: np.ndarray) -> Background:
    """The same field (channel, y, x) all the time; departures keep their units."""
    return Background(field.astype(np.float32)[None], np.ones((len(field), 1, 1), np.float32))


def fit_background(states: np.ndarray, seasons: Sequence[float], harmonics: int, baseline: str) -> Background:
    """The climatology of a record by least squares, and the standard deviation of the anomalies, cell by cell.

    states: (frame, channel, y, x), NaN on land, where the climatology is 0 with scale 1; seasons: the fraction of the
    year of every frame. Twelve months with six harmonics give the monthly means exactly.

    Raises: DataError where there are fewer frames than coefficients.
    """
    basis = season_basis(seasons, harmonics)
    if len(states) < basis.shape[1]:
        raise DataError(
            f"A climatology of {baseline} needs at least {basis.shape[1]} times and there are {len(states)};"
            " fetch whole years."
        )
    known = np.isfinite(states).all(axis=0)
    flat = np.where(known, states, 0).astype(np.float64).reshape(len(states), -1)
    coefficients = np.linalg.lstsq(basis, flat, rcond=None)[0]
    anomaly = (flat - basis @ coefficients).reshape(states.shape)
    scale = np.where(known, anomaly.std(axis=0), 1.0)
    return Background(
        coefficients.reshape(-1, *states.shape[1:]).astype(np.float32),
        np.where(scale > 0, scale, 1.0).astype(np.float32),
        baseline,
    )


def season_basis(seasons: Sequence[float] | np.ndarray, harmonics: int) -> np.ndarray:
    """Values of 1, cos 2πs, sin 2πs, cos 4πs … at every season s: float64 (season, 1 + 2K)."""
    angle = 2 * math.pi * np.asarray(seasons, np.float64)
    columns = [np.ones_like(angle)]
    for order in range(1, harmonics + 1):
        columns += [np.cos(order * angle), np.sin(order * angle)]
    return np.stack(columns, axis=-1)
