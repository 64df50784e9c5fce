"""The place that the charts are about: one cell of the grid, or a box of cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Place:
    """Cells from column `west` to `east` and row `south` to `north`, both ends included."""

    west: int
    south: int
    east: int
    north: int

    @property
    def is_cell(self) -> bool:
        """Whether it is a single cell."""
        return self.west == self.east and self.south == self.north

    @property
    def rows(self) -> slice:
        """The rows of the grid."""
        return slice(self.south, self.north + 1)

    @property
    def columns(self) -> slice:
        """The columns of the grid."""
        return slice(self.west, self.east + 1)

    def part(self, fields: np.ndarray) -> np.ndarray:
        """The cells of fields (…, y, x)."""
        return fields[..., self.rows, self.columns]


def cell_place(row: int, column: int) -> Place:
    """The place that is a single cell."""
    return Place(column, row, column, row)


def coordinates_of(place: Place, x: np.ndarray, y: np.ndarray) -> tuple[float, ...]:
    """The centre of a cell as (x, y); of a box the centres of its first and last cell, (x, y, x, y)."""
    ends = [float(x[place.west]), float(y[place.south]), float(x[place.east]), float(y[place.north])]
    return tuple(ends[:2] if place.is_cell else ends)


def place_at(coordinates: Sequence[float], x: np.ndarray, y: np.ndarray, *, turn: float | None = None) -> Place:
    """The cells nearest to coordinates (x, y), or to the corners (x, y, x, y) of a box.

    turn: what may be added to x, 360 for longitudes, of which -150 and 210 are the same.
    """
    along = [each if turn is None else each + turn * round((x.mean() - each) / turn) for each in coordinates[0::2]]
    columns = sorted(int(np.abs(x - each).argmin()) for each in along)
    rows = sorted(int(np.abs(y - each).argmin()) for each in coordinates[1::2])
    return Place(columns[0], rows[0], columns[-1], rows[-1])


def middle(free: np.ndarray) -> Place:
    """The free cell nearest to the middle of a grid; free: bool (y, x)."""
    rows, columns = np.indices(free.shape)
    away = np.hypot(rows - free.shape[0] // 2, columns - free.shape[1] // 2)
    row, column = divmod(int(np.where(free, away, np.inf).argmin()), free.shape[1])
    return cell_place(row, column)


def span(axis: np.ndarray) -> tuple[float, float]:
    """The outer edges of the cells along an axis."""
    half = (axis[1] - axis[0]) / 2
    return float(axis[0] - half), float(axis[-1] + half)
