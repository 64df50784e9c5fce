"""netCDF files as people bring them, for the tests of own fields; the field is linear in place and time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import netCDF4
import numpy as np

from engine.datasets import Dataset, Run, get_dataset
from engine.datasets.background import Background
from engine.datasets.netcdf import NETCDF_LOCK
from engine.errors import DataError
from engine.own import reader
from engine.own.files import Bounds, OwnFile, header_of

LAND = ((2, 3), (10, 40))
"""Land cells of the reference, as (row, column)."""


def field_at(lat: np.ndarray, lon: np.ndarray, step: float = 0.0) -> np.ndarray:
    """°C, (y, x): 20 + lat/10 + (lon − 200)/50 + step/100, for longitudes from 0 to 360."""
    return 20 + 0.1 * np.asarray(lat)[:, None] + 0.02 * (np.asarray(lon)[None, :] - 200) + 0.01 * step


def monthly() -> Dataset:
    """The data set that most of these files are read for."""
    return get_dataset("sst-monthly")


def reference_run() -> Run:
    """A month on the data set's grid with two land cells and a climatology of 20 ± 2 °C in every season."""
    lat, lon = (axis.values for axis in monthly().axes)
    static = np.zeros((1, lat.size, lon.size), np.float32)
    for cell in LAND:
        static[(0, *cell)] = 1
    states = np.where(static > 0, np.nan, field_at(lat, lon)).astype(np.float32)[None]
    background = Background(np.full((1, 1, lat.size, lon.size), 20, np.float32), np.full_like(static, 2.0), "1982–2009")
    return Run("reference", states, static, np.array([552.0]), background=background)


def expected(step: float = 0.0) -> np.ndarray:
    """What a complete file of `field_at` must give: (y, x), NaN on land."""
    return reference_run().states[0, 0] + np.float32(0.01 * step)


@dataclass
class Sketch:
    """A file to write: axes in the order and direction in which they stand, values (time, lat, lon) in °C."""

    lat: np.ndarray
    lon: np.ndarray
    times: Sequence[float] = (0.0,)
    values: np.ndarray | None = None
    units: str | None = "degC"
    name: str = "sst"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    time_units: str | None = "days since 2016-01-15"
    calendar: str | None = None
    order: tuple[str, ...] = ("time", "lat", "lon")
    axis_names: Mapping[str, str] = field(default_factory=dict)
    axis_attributes: bool = True
    packed: tuple[float, float] | None = None
    format: Literal["NETCDF4", "NETCDF4_CLASSIC", "NETCDF3_CLASSIC"] = "NETCDF4"

    def filled(self) -> np.ndarray:
        """The values, those of `field_at` where none are given."""
        if self.values is not None:
            return self.values
        return np.stack([field_at(self.lat, self.lon % 360, step) for step in range(len(self.times))])

    def write(self, path: Path) -> Path:
        """Write the file."""
        with NETCDF_LOCK, netCDF4.Dataset(path, "w", format=self.format) as file:
            self._axes(file)
            values = self.filled().transpose([("time", "lat", "lon").index(dim) for dim in self._with_time(self.order)])
            if "time" not in self.order:
                values = values[0]
            dims = tuple(self.axis_names.get(dim, dim) for dim in self.order)
            if self.packed is None:
                variable = file.createVariable(self.name, "f4", dims)
            else:
                variable = file.createVariable(self.name, "i2", dims, fill_value=-32768)
                variable.scale_factor, variable.add_offset = self.packed
                values = np.ma.masked_array(np.nan_to_num(values), ~np.isfinite(values))
            if self.units is not None:
                variable.units = self.units
            variable.setncatts(dict(self.attributes))
            variable[:] = values
        return path

    @staticmethod
    def _with_time(order: tuple[str, ...]) -> tuple[str, ...]:
        return order if "time" in order else ("time", *order)

    def _axes(self, file: netCDF4.Dataset) -> None:
        described = {"lat": "degrees_north", "lon": "degrees_east"}
        for dim, values in (("lat", self.lat), ("lon", self.lon), ("time", np.asarray(self.times, float))):
            if dim not in self.order:
                continue
            name = self.axis_names.get(dim, dim)
            file.createDimension(name, None if dim == "time" else len(values))
            if dim == "time" and self.time_units is None:
                continue
            variable = file.createVariable(name, "f8", (name,))
            variable[:] = values
            if dim == "time":
                variable.units = self.time_units
                if self.calendar is not None:
                    variable.calendar = self.calendar
            elif self.axis_attributes:
                variable.units = described[dim]


def monthly_sketch(**changes: Any) -> Sketch:
    """A file on the data set's own grid, one month unless told otherwise."""
    lat, lon = (axis.values for axis in monthly().axes)
    return Sketch(**({"lat": lat, "lon": lon} | changes))


@contextmanager
def open_here(path: Path) -> Iterator[OwnFile]:
    """The file read in this process: what the isolated reader does, without a start of Python for each file."""
    with NETCDF_LOCK:
        try:
            file = reader.NetcdfFile(path)
        except reader.FileRefused as refused:
            raise DataError(f"{path.name} {refused}; write it anew or name another file.") from None
        try:
            yield _OpenHere(path.name, file)
        finally:
            file.close()


class _OpenHere:
    def __init__(self, name: str, file: reader.NetcdfFile) -> None:
        self.name = name
        self._file = file
        try:
            self.header = header_of(file.header())
        except reader.FileRefused as refused:
            raise DataError(f"{name} {refused}; write it anew or name another file.") from None

    def read(self, name: str, bounds: Bounds, dtype: str = "f4") -> np.ndarray:
        try:
            return self._file.read(name, bounds, dtype)
        except reader.FileRefused as refused:
            raise DataError(f"{self.name} {refused}; write it anew or name another file.") from None
