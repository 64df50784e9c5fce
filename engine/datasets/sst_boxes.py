"""Reader of the paper's sea surface temperature boxes (Zenodo record 7259555), for those who have them.

Each file `sst.day.mean.boxNN.nc` holds `sst` (time, lat, lon) of 60 × 60 cells of daily OISST v2: less the mean and
divided by the standard deviation of the calendar day, cell by cell, over the years up to 2018, and 0 on land
(Rühling Cachay et al. 2023, arXiv:2306.01984).
"""

import re
from pathlib import Path

import netCDF4
import numpy as np

from engine.datasets.base import Axis, Channel, Run
from engine.datasets.netcdf import NETCDF_LOCK
from engine.errors import DataError, RequestError

CHANNEL = Channel("sst", "1", "standardised anomaly of sea surface temperature")

SPLITS = {
    "train": (np.datetime64("0001-01-01"), np.datetime64("2018-12-31")),
    "validation": (np.datetime64("2019-01-01"), np.datetime64("2019-12-31")),
    "test": (np.datetime64("2020-01-01"), np.datetime64("2020-12-31")),
}
"""First and last day of each split, as in the paper."""

_SIDE = 60  # cells
_LONGEST = 40_000  # days: far more than there are since 1981, so that no header makes the reader ask for all memory
_FILE = re.compile(r"sst\.day\.mean\.(?:60x60)?box(\d+)(?:\.standardized)?\.nc")
_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError)


def box_files(folder: Path) -> dict[int, Path]:
    """Number -> file of the boxes in a folder and the folders inside it, in order."""
    found = {int(match[1]): path for path in folder.rglob("*.nc") if (match := _FILE.fullmatch(path.name))}
    return {number: found[number] for number in sorted(found)}


def read_boxes(folder: Path, split: str | None = None) -> tuple[Run, ...]:
    """All boxes in a folder, in the order of their numbers.

    Raises: DataError where there are none, or one is damaged; RequestError where there is no such split.
    """
    files = box_files(folder)
    if not files:
        raise DataError(f"{folder} holds no sst.day.mean.boxNN.nc; get them with python -m engine fetch sst-boxes.")
    return tuple(read_box(path, split) for path in files.values())


def read_box(path: Path, split: str | None = None) -> Run:
    """One box as a run named "box84" and the like: the days of a split, or all there are.

    States are standardised, float32 (frame, 1, lat, lon), NaN on land; the static field is the land mask; times count
    days since 1970-01-01; both axes rise.

    Raises: DataError where the file is absent, damaged or of another form; RequestError where there is no such split.
    """
    match = _FILE.fullmatch(path.name)
    if match is None:
        raise DataError(f"{path} is not named as a box is, sst.day.mean.boxNN.nc; name another file.")
    if split is not None and split not in SPLITS:
        raise RequestError(f"There is no split {split!r} of the boxes; choose one of {', '.join(SPLITS)}.")
    if not path.exists():
        raise DataError(f"There is no file {path}; get it with python -m engine fetch sst-boxes.")
    try:
        with NETCDF_LOCK, netCDF4.Dataset(path) as file:
            return _read(file, f"box{match[1]}", path, split)
    except _UNREADABLE as error:
        raise DataError(f"{path} is not a readable box ({error}); fetch it again.") from error


def _read(file: netCDF4.Dataset, name: str, path: Path, split: str | None) -> Run:
    if "sst" not in file.variables or file["sst"].dimensions != ("time", "lat", "lon"):
        raise DataError(f"{path} has no variable sst with the dimensions time, lat, lon; fetch it again.")
    shape = file["sst"].shape
    if shape[1:] != (_SIDE, _SIDE) or not 0 < shape[0] <= _LONGEST:
        raise DataError(f"sst in {path} has the shape {shape}, not (days, {_SIDE}, {_SIDE}); fetch it again.")
    days = _read_days(file["time"])
    if not np.array_equal(np.diff(days), np.ones(len(days) - 1, "timedelta64[D]")):
        raise DataError(f"The days in {path} do not follow one another; fetch it again.")
    frames = _frames(days, split, path)
    lat, lon = (np.asarray(file[axis][:], np.float64) for axis in ("lat", "lon"))
    values = np.ma.filled(np.ma.asarray(file["sst"][frames], np.float32), np.nan)
    values = values[:, np.argsort(lat)][:, :, np.argsort(lon)]
    land = _land(values)
    if land.all():
        raise DataError(f"{path} holds no sea, all cells are missing or 0; fetch it again.")
    if not np.isfinite(values[:, ~land]).all():
        raise DataError(f"sst in {path} has missing values at sea; fetch it again.")
    return Run(
        name=name,
        states=np.where(land, np.float32(np.nan), values)[:, None],
        static=land.astype(np.float32)[None],
        times=days[frames].astype(np.float64),
        attributes={"source": "Zenodo record 7259555", "units": CHANNEL.units},
        axes=(
            Axis("lat", np.sort(lat), "degrees_north", "latitude"),
            Axis("lon", np.sort(lon), "degrees_east", "longitude"),
        ),
    )


def _read_days(time: netCDF4.Variable) -> np.ndarray:
    dates = netCDF4.num2date(
        np.asarray(time[:]),
        time.units,
        getattr(time, "calendar", "standard"),
        only_use_cftime_datetimes=False,
        only_use_python_datetimes=True,
    )
    return np.asarray(dates).astype("datetime64[D]")


def _frames(days: np.ndarray, split: str | None, path: Path) -> slice:
    if split is None:
        return slice(0, len(days))
    first, last = SPLITS[split]
    inside = np.flatnonzero((days >= first) & (days <= last))
    if not inside.size:
        raise DataError(f"{path} reaches from {days[0]} to {days[-1]} and has no day of the {split} split.")
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _land(values: np.ndarray) -> np.ndarray:
    """Cells that are missing, or 0, on every day: the paper's files have 0 there, as no sea cell always has."""
    return np.isnan(values).all(axis=0) | (values == 0).all(axis=0)
