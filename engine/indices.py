"""Climate indices: one number a month from the anomalies of a field."""

from dataclasses import dataclass

import numpy as np

from engine.datasets.base import Axis


@dataclass(frozen=True)
class Index:
    """The area mean of anomalies over a box of degrees: south, north, west, east (0 to 360)."""

    name: str
    title: str
    units: str
    box: tuple[float, float, float, float]

    def weights(self, axes: tuple[Axis, Axis], scored: np.ndarray) -> np.ndarray:
        """What every scored cell counts, (y, x), summing to 1: its area inside the box.

        A cell that the edge of the box cuts counts with the part inside.
        """
        south, north, west, east = self.box
        lat, lon = (axis.values for axis in axes)
        up, across = _share_inside(lat, south, north), _share_inside(lon, west, east)
        weight = (np.cos(np.deg2rad(lat)) * up)[:, None] * across * scored
        return weight / weight.sum()


INDICES: dict[str, Index] = {
    "nino34": Index("nino34", "Niño 3.4", "degree_Celsius", (-5.0, 5.0, 190.0, 240.0)),
}
"""Niño 3.4: 5°S–5°N, 170°W–120°W (Trenberth 1997, doi:10.1175/1520-0477(1997)078<2771:TDOENO>2.0.CO;2)."""

INDICES_OF: dict[str, tuple[str, ...]] = {"sst-monthly": ("nino34",)}
"""The indices that are shown and scored for a data set."""


def indices_of(dataset: str) -> tuple[Index, ...]:
    """The indices of a data set."""
    return tuple(INDICES[name] for name in INDICES_OF.get(dataset, ()))


def _share_inside(centres: np.ndarray, low: float, high: float) -> np.ndarray:
    half = (centres[1] - centres[0]) / 2
    inside = np.minimum(centres + half, high) - np.maximum(centres - half, low)
    return np.clip(inside / (2 * half), 0, 1)
