"""From the grid of a file to the grid of a data set, cell by cell, land left out of every mean.

A rectangular grid goes axis by axis: the weights of a point are products of a latitude's and a longitude's. Where the
file's cells are small they are averaged by the area they share with a cell (first-order conservative: Jones 1999,
10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2), else values are interpolated linearly along both axes. A curvilinear
grid takes the four nearest points by inverse distance, as CDO's remapdis does.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

KNOWN_SHARE = 0.05
"""A cell is known where at least this part of its weight lies on known values."""

_FINE = 0.5  # of a cell of the data set: from here on the file's cells are averaged
_SAME = 1e-3  # of a spacing: points closer than this are the same
_NEIGHBOURS = 4
_MARGIN = 5.0  # degrees round a target grid within which a curvilinear grid's points are looked at

Pieces = tuple[tuple[int, int], ...]
"""Ranges [first, after) of positions along a dimension of the file, to be read one after the other."""


class Regridder(Protocol):
    """Where to read in a file and what to make of it. kind: "same", "linear", "mean" or "nearest"."""

    @property
    def kind(self) -> str:
        """What is done."""

    @property
    def pieces(self) -> tuple[Pieces, Pieces]:
        """The parts of the file that are needed, along y and along x."""

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values (y, x) of the pieces, side by side, to float32 on the target grid, NaN where too little is known."""


@dataclass(frozen=True, eq=False)
class AxisWeights:
    """One axis: positions in the file that are needed, and the weight of each for every target point.

    positions: int (n,), rising; weights: float64 (target, n), rows that sum to the part of the point that the file
    covers. kind: "same", "linear" or "mean"; spacing: the file's mean distance of points.
    """

    positions: np.ndarray
    weights: np.ndarray
    kind: str
    spacing: float

    @cached_property
    def pieces(self) -> Pieces:
        """What to read."""
        if not self.positions.size:
            return ((0, 1),)
        breaks = np.flatnonzero(np.diff(self.positions) > 1) + 1
        if len(breaks) >= _NEIGHBOURS:  # better some values too many than a thousand small reads
            return ((int(self.positions[0]), int(self.positions[-1]) + 1),)
        return tuple((int(part[0]), int(part[-1]) + 1) for part in np.split(self.positions, breaks))

    @cached_property
    def read_weights(self) -> np.ndarray:
        """The weights of all positions that the pieces read."""
        read = np.concatenate([np.arange(*piece) for piece in self.pieces])
        weights = np.zeros((len(self.weights), len(read)))
        weights[:, np.searchsorted(read, self.positions)] = self.weights
        return weights


def axis_weights(
    source: np.ndarray, target: np.ndarray, *, period: float | None = None, on_sphere: bool = False
) -> AxisWeights:
    """The weights that take values at the points `source`, in any order, to the points `target`, which rise.

    period: 360 for longitudes; on_sphere: latitudes, whose cells count by the sine.
    """
    points, positions = _ordered(source, target, period)
    spacing = float(np.ptp(points)) / (len(points) - 1) if len(points) > 1 else 0.0
    if period is not None and len(points) > 1 and np.ptp(points) + 1.5 * spacing >= period:
        points = np.concatenate([[points[-1] - period], points, [points[0] + period]])
        positions = np.concatenate([positions[-1:], positions, positions[:1]])
    step = float(np.ptp(target)) / (len(target) - 1)
    if 0 < spacing <= _FINE * step * (1 + _SAME):
        kind, dense = "mean", _overlaps(points, target, on_sphere)
    else:
        dense = _linear(points, target, spacing or step)
        kind = "same" if np.isin(dense, (0.0, 1.0)).all() else "linear"
    needed = np.flatnonzero(dense.any(axis=0))
    used, place = np.unique(positions[needed], return_inverse=True)
    weights = np.zeros((len(target), len(used)))
    np.add.at(weights.T, place, dense[:, needed].T)  # a column twice where longitudes close round the globe
    return AxisWeights(used, weights, kind, spacing)


def _ordered(source: np.ndarray, target: np.ndarray, period: float | None) -> tuple[np.ndarray, np.ndarray]:
    """The points, each once and rising, round the target's centre where they are periodic; and where they stand."""
    points = np.asarray(source, np.float64)
    if period is not None:
        start = 0.5 * (target[0] + target[-1]) - 0.5 * period
        points = start + (points - start) % period
    points, positions = np.unique(points, return_index=True)
    closest = _SAME * float(np.median(np.diff(points))) if len(points) > 1 else 0.0
    apart = np.concatenate([[True], np.diff(points) > closest])  # 359.99999 and 0 are one meridian
    return points[apart], positions[apart]


def _linear(points: np.ndarray, target: np.ndarray, spacing: float) -> np.ndarray:
    """Linear interpolation; the outermost cells reach half a spacing beyond their points."""
    weights = np.zeros((len(target), len(points)))
    place = np.interp(target, points, np.arange(len(points)))
    nearest = np.rint(place).astype(int)
    place = np.where(np.abs(points[nearest] - target) < _SAME * spacing, nearest, place)
    left = np.floor(place).astype(int)
    rows = np.arange(len(target))
    weights[rows, left] = 1 - (place - left)
    inside = left + 1 < len(points)
    weights[rows[inside], left[inside] + 1] = (place - left)[inside]
    reach = (0.5 + _SAME) * spacing
    weights[(target < points[0] - reach) | (target > points[-1] + reach)] = 0.0
    return weights


def _overlaps(points: np.ndarray, target: np.ndarray, on_sphere: bool) -> np.ndarray:
    """The part of each target cell that each source cell covers; by area on the sphere."""
    of_source, of_target = (_edges(values, on_sphere) for values in (points, target))
    low = np.maximum(of_source[None, :-1], of_target[:-1, None])
    high = np.minimum(of_source[None, 1:], of_target[1:, None])
    return np.clip(high - low, 0, None) / np.diff(of_target)[:, None]


def _edges(points: np.ndarray, on_sphere: bool) -> np.ndarray:
    """Edges of the cells, midway between the points; sines of them on the sphere."""
    between = 0.5 * (points[1:] + points[:-1])
    edges = np.concatenate([[2 * points[0] - between[0]], between, [2 * points[-1] - between[-1]]])
    return np.sin(np.radians(np.clip(edges, -90, 90))) if on_sphere else edges


@dataclass(frozen=True, eq=False)
class Rectangular:
    """A grid of two axes, with weights for each."""

    y: AxisWeights
    x: AxisWeights

    @property
    def kind(self) -> str:
        """What is done: "same", "linear" or "mean"."""
        kinds = {self.y.kind, self.x.kind}
        return "mean" if "mean" in kinds else "linear" if "linear" in kinds else "same"

    @property
    def pieces(self) -> tuple[Pieces, Pieces]:
        """The parts of the file that are needed, along y and along x."""
        return self.y.pieces, self.x.pieces

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values (y, x) of the pieces to the target grid."""
        known = np.isfinite(values)
        to_y, to_x = self.y.read_weights, self.x.read_weights
        total = to_y @ np.where(known, values, 0.0) @ to_x.T
        return _normalised(total, to_y @ known.astype(np.float64) @ to_x.T)


@dataclass(frozen=True, eq=False)
class Scattered:
    """Points in no rows: a sparse weight (target cell, point of the pieces) for each pair."""

    weights: sparse.csr_matrix
    shape: tuple[int, int]
    pieces: tuple[Pieces, Pieces]
    kind: str

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values (y, x) of the pieces to the target grid."""
        known = np.isfinite(values).ravel()
        total = self.weights @ np.where(known, values.ravel(), 0.0)
        return _normalised(total, self.weights @ known.astype(np.float64)).reshape(self.shape)


def scattered(lat: np.ndarray, lon: np.ndarray, target_lat: np.ndarray, target_lon: np.ndarray) -> Scattered | None:
    """The weights that take values at the points lat, lon (y, x) in degrees to a grid; None where no point is near."""
    step = max(float(np.ptp(axis)) / (len(axis) - 1) for axis in (target_lat, target_lon))
    start = 0.5 * (target_lon[0] + target_lon[-1]) - 180.0
    lon = start + (lon - start) % 360.0
    margin = _MARGIN + step
    near = (lat > target_lat[0] - margin) & (lat < target_lat[-1] + margin)
    near &= (lon > target_lon[0] - margin) & (lon < target_lon[-1] + margin)
    if not near.any():
        return None
    rows, columns = (np.flatnonzero(near.any(axis=axis)) for axis in (1, 0))
    (top, bottom), (left, right) = ((int(found[0]), int(found[-1]) + 1) for found in (rows, columns))
    part = (slice(top, bottom), slice(left, right))
    points = _on_unit_sphere(lat[part], lon[part])
    apart = np.linalg.norm(np.diff(points, axis=1), axis=-1)
    spacing = float(np.nanmedian(apart)) if np.isfinite(apart).any() else 0.0
    flat, usable = points.reshape(-1, 3), near[part].ravel()
    cells = _on_unit_sphere(*np.meshgrid(target_lat, target_lon, indexing="ij")).reshape(-1, 3)
    width = np.radians(step)
    fine = spacing <= _FINE * width
    build = _cell_means if fine else _inverse_distances
    weights = build(flat, np.flatnonzero(usable), cells, max(spacing, width))
    pieces = (((top, bottom),), ((left, right),))
    return Scattered(weights, (len(target_lat), len(target_lon)), pieces, "mean" if fine else "nearest")


def _on_unit_sphere(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Latitude and longitude in degrees -> (…, 3)."""
    phi, theta = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)], axis=-1)


def _inverse_distances(points: np.ndarray, usable: np.ndarray, cells: np.ndarray, reach: float) -> sparse.csr_matrix:
    """Every cell from the nearest points within reach, weighted by the inverse of their distance."""
    count = min(_NEIGHBOURS, len(usable))
    distances, found = cKDTree(points[usable]).query(cells, k=[*range(1, count + 1)], distance_upper_bound=reach)
    rows, columns = np.nonzero(np.isfinite(distances))
    inverse = 1 / np.maximum(distances, 1e-9)
    inverse[~np.isfinite(distances)] = 0
    share = (inverse / np.maximum(inverse.sum(axis=1, keepdims=True), 1e-300))[rows, columns]
    return sparse.csr_matrix((share, (rows, usable[found[rows, columns]])), shape=(len(cells), len(points)))


def _cell_means(points: np.ndarray, usable: np.ndarray, cells: np.ndarray, reach: float) -> sparse.csr_matrix:
    """Every cell the mean of the points that lie closer to it than to any other cell."""
    distances, found = cKDTree(cells).query(points[usable], distance_upper_bound=reach)
    inside = np.isfinite(distances)
    rows = found[inside]
    share = 1 / np.bincount(rows, minlength=len(cells))[rows]
    return sparse.csr_matrix((share, (rows, usable[inside])), shape=(len(cells), len(points)))


def _normalised(total: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.where(share >= KNOWN_SHARE, total / np.where(share >= KNOWN_SHARE, share, 1.0), np.nan).astype(np.float32)
