"""Monthly sea surface temperature of the tropical Pacific on a 2.5° grid, where El Niño happens."""

from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from engine.datasets.base import Axis, Run
from engine.datasets.calendar import Calendar
from engine.datasets.sea_surface import SeaSurface
from engine.errors import DataError
from engine.folders import bundled_dir

REGION = "pacific"


class MonthlySeaSurface(SeaSurface):
    """NOAA OI SST V2 monthly means (Reynolds et al. 2002), 1981-12 to 2023-01; the record comes with the project."""

    name = "sst-monthly"
    title = "Monthly SST: tropical Pacific"
    calendar = Calendar("M")
    splits = MappingProxyType({"train": (1982, 2009), "validation": (2010, 2014), "test": (2015, 2023)})
    harmonics = 6
    starts_apart = 1
    axes = (
        Axis("lat", np.arange(-25, 25.1, 2.5), "degrees_north", "latitude"),
        Axis("lon", np.arange(120, 290.1, 2.5), "degrees_east", "longitude"),
    )
    horizon = 6
    default_steps = 12
    time_units = "months"
    remedy = "restore the file data/sst-monthly/pacific.nc"

    def runs(self) -> tuple[str, ...]:
        """The one region."""
        return (REGION,) if record_path().exists() else ()

    def load(self, run: str) -> Run:
        """The record of the tropical Pacific, kept in memory once read. Raises DataError."""
        if run != REGION:
            raise DataError(f"{self.name} has no record {run!r}; it has {REGION}.")
        return _load(self, record_path())


def record_path() -> Path:
    """The file of the record."""
    return bundled_dir() / "sst-monthly" / f"{REGION}.nc"


@lru_cache
def _load(dataset: MonthlySeaSurface, path: Path) -> Run:
    from engine.datasets.sst_files import read_record  # training does without xarray and netCDF4

    values, times, axes, attributes = read_record((path,), dataset.calendar)
    expected = tuple(axis.values for axis in dataset.axes)
    if not all(np.array_equal(axis.values, values_) for axis, values_ in zip(axes, expected, strict=True)):
        raise DataError(f"{path} is not on the grid of {dataset.name}: {dataset.remedy}.")
    return dataset.make_run(REGION, values, times, attributes, None)
