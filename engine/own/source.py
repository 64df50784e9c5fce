"""One channel of a file as fields on the grid of a data set: read, put into its units, brought to its grid."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.datasets.base import Axis, Dataset
from engine.errors import DataError, RequestError
from engine.own.files import OwnFile, Variable
from engine.own.matching import Field
from engine.own.regridding import AxisWeights, Pieces, Rectangular, Regridder, axis_weights, scattered
from engine.own.units import Conversion, conversion, guessed_conversion

LONGEST_AXIS = 100_000
"""Points that one axis of a file may have."""

AT_ONCE = 4_000_000
"""Values of several fields that are read together."""

LARGEST_MESH = 20_000_000
"""Points that a curvilinear grid may have."""


@dataclass(frozen=True, eq=False)
class Source:
    """A channel of a file, ready to be read."""

    file: OwnFile
    field: Field
    regridder: Regridder
    units: Conversion

    @property
    def cells(self) -> int:
        """Values that one field takes to read."""
        return _cells(self.regridder.pieces)

    def at(self, groups: Sequence[tuple[int, ...]]) -> np.ndarray:
        """For each group of positions in time the mean of their fields, float32 (group, y, x), NaN where unknown."""
        return np.concatenate([self._together(batch) for batch in self._batches(groups)])

    def _batches(self, groups: Sequence[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
        """Groups that lie side by side in the file, as many as may be read at once; at least one."""
        most = AT_ONCE // self.cells
        batch: list[tuple[int, ...]] = []
        first, last = min(groups[0]), max(groups[0])
        for group in groups:
            first, last = min(first, *group), max(last, *group)
            if batch and last + 1 - first > most:
                yield batch
                batch, first, last = [], min(group), max(group)
            batch.append(group)
        yield batch

    def _together(self, groups: list[tuple[int, ...]]) -> np.ndarray:
        first, after = min(map(min, groups)), max(map(max, groups)) + 1
        block = self._read(first, after) if (after - first) * self.cells <= AT_ONCE else None

        def fields(group: tuple[int, ...]) -> Iterator[np.ndarray]:
            for position in group:
                yield self._read(position, position + 1)[0] if block is None else block[position - first]

        return np.stack([self.regridder(self.units(_mean(fields(group)))) for group in groups])

    def _read(self, first: int, after: int) -> np.ndarray:
        return read_fields(self.file, self.field, self.regridder.pieces, first, after)


def _mean(fields: Iterator[np.ndarray]) -> np.ndarray:
    """The mean of what is known, one field in memory at a time."""
    total, count = np.zeros(1), np.zeros(1)
    for values in fields:
        known = np.isfinite(values)
        total, count = total + np.where(known, values, 0.0), count + known
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def prepare(file: OwnFile, field: Field, axes: tuple[Axis, Axis], dataset: Dataset, first: int) -> Source:
    """Find out units and grid of a channel; `first` is the position in time to guess missing units from."""
    regridder = grid_of(file, field, axes, dataset)
    target = field.channel.units
    what = f"{field.variable.name!r} in {file.name}"
    if _cells(regridder.pieces) > LARGEST_MESH:
        raise DataError(
            f"{what} has {_cells(regridder.pieces):,} values in one field of this region; thin it out first."
        )
    if field.units:
        return Source(file, field, regridder, conversion(field.units, target, what))
    values = read_fields(file, field, regridder.pieces, first, first + 1)
    return Source(file, field, regridder, guessed_conversion(values, target, what))


def read_fields(
    file: OwnFile, field: Field, pieces: tuple[Pieces, Pieces], first: int = 0, after: int = 1
) -> np.ndarray:
    """The fields at the positions [first, after) in time, (time, y, x) of the pieces side by side, NaN for infinite."""
    rows = [
        np.concatenate([_block(file, field, of_y, of_x, (first, after)) for of_x in pieces[1]], axis=2)
        for of_y in pieces[0]
    ]
    values = np.concatenate(rows, axis=1)
    return np.where(np.isfinite(values), values, np.float32(np.nan))


def _block(
    file: OwnFile, field: Field, of_y: tuple[int, int], of_x: tuple[int, int], times: tuple[int, int]
) -> np.ndarray:
    ranges = {dim: (at, at + 1) for dim, at in field.fixed.items()} | {field.y: of_y, field.x: of_x}
    if field.time_dim:
        ranges[field.time_dim] = times
    dims = field.variable.dims
    values = file.read(field.variable.name, [ranges[dim] for dim in dims])
    wanted = [*field.fixed, *([field.time_dim] if field.time_dim else []), field.y, field.x]
    order = [dims.index(dim) for dim in wanted]
    shape = [ranges[dim][1] - ranges[dim][0] for dim in (field.y, field.x)]
    return values.transpose(order).reshape(-1, *shape)


def grid_of(file: OwnFile, field: Field, axes: tuple[Axis, Axis], dataset: Dataset) -> Regridder:
    """How to get from the file's grid to the data set's. Raises DataError where the file's is none."""
    y, x = (axis.values for axis in axes)
    if dataset.calendar is None:
        return Rectangular(*(_simulated_axis(file, field, axis) for axis in axes))
    assert field.lat is not None and field.lon is not None
    lat, lon = _degrees(file, field.lat, 90.0), _degrees(file, field.lon, 720.0)
    if lat.ndim == 1:
        return Rectangular(axis_weights(lat, y, on_sphere=True), axis_weights(lon, x, period=360.0))
    found = scattered(lat, lon, y, x)
    if found is None:
        raise RequestError(f"{file.name} has no points near the region of {dataset.name}; name a file that has.")
    return found


def _degrees(file: OwnFile, coordinate: Variable, most: float) -> np.ndarray:
    """Latitudes or longitudes; NaN only where the grid is curvilinear."""
    values = _coordinate(file, coordinate)
    if "rad" in coordinate.text("units").lower():
        values = np.degrees(values)
    known = values[np.isfinite(values)]
    if not known.size or (values.ndim == 1 and known.size < values.size):
        raise DataError(f"{coordinate.name!r} in {file.name} has missing values; write the file anew.")
    if np.abs(known).max() > most + 1e-3:
        raise DataError(
            f"{coordinate.name!r} in {file.name} goes from {known.min():g} to {known.max():g}, which are no degrees; "
            "name other axes or regrid the file to latitude and longitude."
        )
    return values


def _simulated_axis(file: OwnFile, field: Field, axis: Axis) -> AxisWeights:
    """Along an axis of a simulated system; points without coordinates must be as many as the system has."""
    dim, coordinate = (field.y, field.lat) if axis.name == "y" else (field.x, field.lon)
    if coordinate is not None:
        values = _coordinate(file, coordinate)
        if not np.isfinite(values).all():
            raise DataError(f"{coordinate.name!r} in {file.name} has missing values; write the file anew.")
        units = coordinate.text("units") or axis.units
        return axis_weights(conversion(units, axis.units, f"{coordinate.name!r} in {file.name}")(values), axis.values)
    if file.header.dims[dim] != len(axis.values):
        raise DataError(
            f"{dim!r} in {file.name} has {file.header.dims[dim]} points without coordinates and the system has "
            f"{len(axis.values)}; write the axis into the file."
        )
    return axis_weights(axis.values, axis.values)


def _coordinate(file: OwnFile, coordinate: Variable) -> np.ndarray:
    most = LONGEST_AXIS if len(coordinate.shape) == 1 else LARGEST_MESH
    if np.prod(coordinate.shape, dtype=float) > most or not coordinate.is_numeric:
        raise DataError(f"{coordinate.name!r} in {file.name} is no axis of at most {most:,} numbers; name another.")
    return file.read(coordinate.name, [(0, size) for size in coordinate.shape], "f8")


def _cells(pieces: tuple[Pieces, Pieces]) -> int:
    along = [sum(after - first for first, after in part) for part in pieces]
    return along[0] * along[1]
