"""Records of sea surface temperature as netCDF files: one file, or one per year."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from engine.datasets.base import Axis
from engine.datasets.calendar import Calendar
from engine.datasets.netcdf import open_dataset
from engine.errors import DataError

Record = tuple[np.ndarray, np.ndarray, tuple[Axis, Axis], dict[str, str]]

_PLAUSIBLE = (-5.0, 45.0)  # °C


def read_record(paths: Sequence[Path], calendar: Calendar) -> Record:
    """The files of a record joined: values float32 (frame, lat, lon) in °C, times, axes and attributes.

    Every file holds `sst` (time, lat, lon) with rising axes; together they have every day or month between the first
    and the last.

    Raises: DataError where a file is absent, damaged or of another form, or where times are missing between them.
    """
    parts = [_read(path) for path in paths]
    first = parts[0]
    for path, part in zip(paths, parts, strict=True):
        if not all(np.array_equal(part[axis].values, first[axis].values) for axis in ("lat", "lon")):
            raise DataError(f"{path} has another grid than {paths[0]}; fetch both again for one region.")
    times = np.concatenate([_times(part, calendar) for part in parts])
    if not np.array_equal(np.diff(times), np.ones(len(times) - 1)):
        raise DataError(
            f"The files from {paths[0]} on do not follow one another without a gap; fetch the missing years."
        )
    values = np.concatenate([part["sst"].values for part in parts]).astype(np.float32)
    axes = (
        Axis("lat", first["lat"].values.astype(np.float64), "degrees_north", "latitude"),
        Axis("lon", first["lon"].values.astype(np.float64), "degrees_east", "longitude"),
    )
    return values, times, axes, {name: str(value) for name, value in first.attrs.items()}


def _read(path: Path) -> xr.Dataset:
    content = open_dataset(path)
    if "sst" not in content or content["sst"].dims != ("time", "lat", "lon"):
        raise DataError(f"{path} has no variable sst with the dimensions time, lat, lon; fetch it again.")
    sst = content["sst"].values
    if not all(np.all(np.diff(content[axis].values) > 0) for axis in ("lat", "lon")):
        raise DataError(f"Latitude or longitude does not rise in {path}; fetch it again.")
    low, high = float(np.nanmin(sst, initial=99)), float(np.nanmax(sst, initial=-99))
    if not (_PLAUSIBLE[0] <= low <= high <= _PLAUSIBLE[1]):
        raise DataError(f"The sea surface temperatures in {path} range from {low:g} to {high:g} °C; fetch it again.")
    return content


def _times(content: xr.Dataset, calendar: Calendar) -> np.ndarray:
    dates = xr.decode_cf(content[["time"]])["time"].values
    return np.array([calendar.time(date.astype("datetime64[s]")) for date in dates])
