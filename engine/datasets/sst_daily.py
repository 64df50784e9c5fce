"""Daily sea surface temperature at 0.25°: regional boxes of NOAA OISST that the user has fetched."""

from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from engine.datasets.base import Axis, Run
from engine.datasets.calendar import Calendar
from engine.datasets.sea_surface import SeaSurface
from engine.errors import DataError
from engine.folders import data_dir

REGION = "tasman"


class DailySeaSurface(SeaSurface):
    """NOAA OISST daily means (Reynolds et al. 2007; Huang et al. 2021); the models know the Tasman Sea off Tasmania.

    The records are in the user's data folder: python -m engine fetch sst-daily gets them.
    """

    name = "sst-daily"
    title = "Daily SST: Tasman Sea, 0.25°"
    calendar = Calendar("D")
    splits = MappingProxyType({"train": (1982, 2010), "validation": (2011, 2012), "test": (2013, 2014)})
    harmonics = 4
    starts_apart = 7
    axes = (
        Axis("lat", np.arange(-44.875, -37, 0.25), "degrees_north", "latitude"),
        Axis("lon", np.arange(147.125, 155, 0.25), "degrees_east", "longitude"),
    )
    horizon = 7
    default_steps = 7
    time_units = "days"
    remedy = "get them with python -m engine fetch sst-daily"

    def runs(self) -> tuple[str, ...]:
        """Names of the regions in the user's data folder, the Tasman Sea first."""
        found = {path.stem for path in folder().glob("*.nc")} | {path.parent.name for path in folder().glob("*/*.nc")}
        return tuple(sorted(found, key=lambda name: (name != REGION, name)))

    def load(self, run: str) -> Run:
        """The record of a region, kept in memory once read. Raises DataError where there is none or it is damaged."""
        if run not in self.runs():
            there = f"it has {', '.join(self.runs())}" if self.runs() else self.remedy
            raise DataError(f"{self.name} has no record {run!r}; {there}.")
        paths = files_of(run)
        return _load(self, run, paths, tuple(path.stat().st_mtime_ns for path in paths))


def folder() -> Path:
    """Where the records lie."""
    return data_dir() / "sst-daily"


def files_of(region: str) -> tuple[Path, ...]:
    """The files of a region's record, in order: one of all years, or one for each."""
    whole = folder() / f"{region}.nc"
    return (whole,) if whole.exists() else tuple(sorted((folder() / region).glob("sst-*.nc")))


@lru_cache(maxsize=4)
def _load(dataset: DailySeaSurface, region: str, paths: tuple[Path, ...], changed: tuple[int, ...]) -> Run:
    from engine.datasets.sst_files import read_record  # training does without xarray and netCDF4

    values, times, axes, attributes = read_record(paths, dataset.calendar)
    own_grid = all(np.array_equal(axis.values, own.values) for axis, own in zip(axes, dataset.axes, strict=True))
    return dataset.make_run(region, values, times, attributes, None if own_grid else axes)
