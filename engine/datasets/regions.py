"""Boxes of latitude and longitude, and the cells of the 0.25° grid of NOAA OISST inside them."""

import math
import re
from dataclasses import dataclass

import numpy as np

from engine.errors import RequestError

CELL = 0.25
"""Width of a cell in degrees; centres lie at …, −0.125, 0.125, 0.375, …"""

_AROUND = 1440  # cells around the globe
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)\s*([NSEW]?)", re.IGNORECASE)
_FORM = "write S,N,W,E in degrees, such as -45,-37,147,155 or 45S,37S,147E,155E"


@dataclass(frozen=True)
class Box:
    """The degrees between two latitudes and, going east, two longitudes.

    Longitudes may be given in any convention; they are kept with west in −180…180 and east beyond west, so that a box
    across the date line reaches past 180.

    Raises RequestError where it is no box of the globe or holds no cell centre.
    """

    south: float
    north: float
    west: float
    east: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(edge) for edge in (self.south, self.north, self.west, self.east)):
            raise RequestError(f"{self} is no box; {_FORM}.")
        if not -90 <= self.south < self.north <= 90:
            raise RequestError(
                f"The box reaches from latitude {self.south:g} to {self.north:g}; {_FORM}, latitudes rising in -90…90."
            )
        if not -360 <= self.west <= 360 or not -360 <= self.east <= 360 or self.east - self.west > 360:
            raise RequestError(
                f"The box reaches from longitude {self.west:g} to {self.east:g}; {_FORM}, longitudes in -180…360."
            )
        width = (self.east - self.west) % 360
        if width == 0 and self.east == self.west:
            raise RequestError(f"The box has no width, its longitudes are {self.west:g} and {self.east:g}; {_FORM}.")
        west = (self.west + 180) % 360 - 180
        object.__setattr__(self, "west", west)
        object.__setattr__(self, "east", west + (width or 360))
        if 0 in (len(axis) for axis in cells(self)):
            raise RequestError(f"The box {self} holds no centre of a {CELL}° cell; make it at least {CELL}° wide.")

    def __str__(self) -> str:
        return f"{self.south:g},{self.north:g},{self.west:g},{self.east:g}"


def cells(box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes of the cell centres in a box, both rising, float64 (y,) and (x,) in degrees."""
    lat = _centres(-90.0, box.south, box.north)
    lon = _centres(-180.0, box.west, box.east)
    return lat, lon[:_AROUND]  # a box once around may touch its first centre again


def _centres(origin: float, low: float, high: float) -> np.ndarray:
    first = math.ceil((low - origin) / CELL - 0.5)
    last = math.floor((high - origin) / CELL - 0.5)
    return origin + (np.arange(first, last + 1) + 0.5) * CELL


TASMAN = Box(-45.0, -37.0, 147.0, 155.0)
"""The default: 32 × 32 cells off eastern Tasmania."""

NAMED_BOXES = {"tasman": TASMAN}


def parse_box(text: str) -> Box:
    """Read `"S,N,W,E"` in degrees, signed or with a letter, or the name of a box.

    Raises RequestError where it is neither.
    """
    if text.strip().lower() in NAMED_BOXES:
        return NAMED_BOXES[text.strip().lower()]
    words = text.split(",")
    if len(words) != 4:
        raise RequestError(f"The box is {text!r}; {_FORM}.")
    south, north = (_degrees(word, "S", "N", text) for word in words[:2])
    west, east = (_degrees(word, "W", "E", text) for word in words[2:])
    return Box(south, north, west, east)


def _degrees(word: str, negative: str, positive: str, text: str) -> float:
    match = _NUMBER.fullmatch(word.strip())
    letter = match[2].upper() if match else "?"
    if match is None or letter not in ("", negative, positive):
        raise RequestError(f"The box is {text!r}, where {word.strip()!r} is no number of degrees; {_FORM}.")
    return -float(match[1]) if letter == negative else float(match[1])


def region_name(box: Box) -> str:
    """What the folder of a box is called: "tasman" or, from the edges of its outermost cells, "45S-37S_147E-155E"."""
    lat, lon = cells(box)
    for name, named in NAMED_BOXES.items():
        if all(np.array_equal(own, other) for own, other in zip((lat, lon), cells(named), strict=True)):
            return name
    south, north = (_label(edge, "S", "N") for edge in (lat[0] - CELL / 2, lat[-1] + CELL / 2))
    west, east = (_label(_wrapped(edge), "W", "E") for edge in (lon[0] - CELL / 2, lon[-1] + CELL / 2))
    return f"{south}-{north}_{west}-{east}"


def _wrapped(lon: float) -> float:
    return lon - 360 if lon > 180 else lon


def _label(degrees: float, negative: str, positive: str) -> str:
    return f"{abs(degrees):g}{negative if degrees < 0 else positive}"


def longitude_pieces(lon: np.ndarray, west: float) -> list[np.ndarray]:
    """Rising longitudes as a server counts them, from `west` to `west` + 360: cut in two where the box crosses that."""
    counted = (lon - west) % 360 + west
    return np.split(counted, np.flatnonzero(np.diff(counted) < 0) + 1)
