"""Coastlines of any box of longitudes and latitudes, from the Natural Earth files that come with the project."""

import math
import struct
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import shapefile
import shapely
from shapely.geometry import shape as geometry_of

from engine.errors import DataError, RequestError
from engine.folders import bundled_dir

Resolution = Literal["110m", "50m", "10m"]
Range = tuple[float, float]

# The widest shorter side, in degrees, that a resolution is drawn for: the rule of cartopy's `auto_scaler`.
WIDEST: dict[Resolution, float] = {"10m": 15.0, "50m": 50.0, "110m": math.inf}

# Where the 10m files hold anything, west, south, east, north: the boxes of the data sets with a margin.
DETAILED = ((114.0, -31.0, 296.0, 31.0), (139.0, -51.0, 166.0, -29.0))

_TURN = 360.0


def coastlines_dir() -> Path:
    """The project's copy of Natural Earth, in the layout of `cartopy.config["pre_existing_data_dir"]`."""
    return bundled_dir() / "coastlines"


def natural_earth_path(resolution: str, name: str) -> Path:
    """Where the shapefile of "coastline" or "land" lies."""
    return coastlines_dir() / "shapefiles" / "natural_earth" / "physical" / f"ne_{resolution}_{name}.shp"


def resolution_for(lon_range: Range, lat_range: Range) -> Resolution:
    """The resolution that cartopy would choose for a box, or the next coarser one where the finest is not bundled."""
    shorter_side = min(lon_range[1] - lon_range[0], lat_range[1] - lat_range[0])
    fitting = [name for name, widest in WIDEST.items() if shorter_side <= widest]
    return fitting[1] if fitting[0] == "10m" and not _is_detailed(lon_range, lat_range) else fitting[0]


def coastlines(lon_range: Range, lat_range: Range, resolution: Resolution | None = None) -> list[np.ndarray]:
    """The coastlines inside a box, cut at its edges.

    Longitudes are degrees east, at most a full turn from west to east and counted as the box counts them, so that
    both 120…290 and −180…180 will do. Without a resolution it follows from the size of the box. Each line is a
    read-only float64 array (point, 2) of longitude and latitude.

    Raises RequestError where the box or the resolution does not exist, DataError where the bundled files are missing.
    """
    west, east = (float(edge) for edge in lon_range)
    south, north = (float(edge) for edge in lat_range)
    if not west < east <= west + _TURN:
        raise RequestError(
            f"The longitudes {west:g} to {east:g} are no box: give west first, then east, at most 360° further."
        )
    if not -90 <= south < north <= 90:
        raise RequestError(f"The latitudes {south:g} to {north:g} are no box: give south first, within -90 to 90.")
    if resolution is not None and resolution not in WIDEST:
        raise RequestError(f"There are no coastlines of resolution {resolution!r}: choose {', '.join(WIDEST)}.")
    chosen = resolution or resolution_for((west, east), (south, north))
    return list(_clipped(chosen, west, south, east, north))


def _is_detailed(lon_range: Range, lat_range: Range) -> bool:
    return any(
        south <= lat_range[0] and lat_range[1] <= north and west <= lon_range[0] + turn and lon_range[1] + turn <= east
        for west, south, east, north in DETAILED
        for turn in (-_TURN, 0.0, _TURN)
    )


@lru_cache(maxsize=64)
def _clipped(resolution: Resolution, west: float, south: float, east: float, north: float) -> tuple[np.ndarray, ...]:
    """Every copy of the world's coastlines, a turn apart, that reaches into the box."""
    found: list[np.ndarray] = []
    world = _lines(resolution)
    for turn in range(math.floor((west + 180) / _TURN), math.floor((east + 180) / _TURN) + 1):
        shift = turn * _TURN
        inside = shapely.clip_by_rect(world, west - shift, south, east - shift, north)
        for line in shapely.get_parts(inside):
            points = np.add(shapely.get_coordinates(line), (shift, 0.0))
            if len(points) > 1:
                points.flags.writeable = False
                found.append(points)
    return tuple(found)


@lru_cache(maxsize=len(WIDEST))
def _lines(resolution: Resolution) -> np.ndarray:
    """The lines of one bundled file, longitudes −180…180."""
    path = natural_earth_path(resolution, "coastline")
    try:
        with path.open("rb") as file, shapefile.Reader(shp=file) as reader:
            lines = [geometry_of(shape) for shape in reader.iterShapes()]
    except (OSError, ValueError, LookupError, struct.error, shapefile.ShapefileException) as error:
        raise DataError(f"The coastlines {path.name} cannot be read ({error}): install the project again.") from error
    return shapely.get_parts(lines)
