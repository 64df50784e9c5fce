"""Times and places as a person writes them."""

import re

from engine.datasets import Dataset
from engine.datasets.base import OWN
from engine.datasets.calendar import Calendar

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def run_title(run: str) -> str:
    """A simulated run as the picker names it."""
    if run.startswith(OWN):
        return "Your own field"
    if run.startswith("ood-"):
        return f"Unlike training, run {run.removeprefix('ood-')}"
    return f"Test run {run}"


def region_title(run: str) -> str:
    """A region as the picker names it: "Tasman", or the degrees of its edges."""
    if run.startswith(OWN):
        return "Your own field"
    edges = re.fullmatch(r"(.+[NS])-(.+[NS])_(.+[EW])-(.+[EW])", run)
    if edges is None:
        return run.capitalize()
    south, north, west, east = (f"{edge[:-1]}°{edge[-1]}" for edge in edges.groups())
    return f"{south} to {north}, {west} to {east}"


def date_title(calendar: Calendar, time: float) -> str:
    """A time of observed data: "June 2015" or "30 June 2015"."""
    year, month, *day = calendar.label(time).split("-")
    return " ".join([*(str(int(each)) for each in day), MONTHS[int(month) - 1], year])


def duration(dataset: Dataset, steps: float) -> str:
    """So many data steps as a time: "12 months", "1 day", "5.12 s"."""
    if dataset.calendar is None:
        return f"{steps * dataset.time_step:.2f} {dataset.time_units}"
    units = dataset.time_units.removesuffix("s") if steps == 1 else dataset.time_units
    return f"{steps:g} {units}"


def place(latitude: float, longitude: float) -> str:
    """A place on Earth: "42.4°S 150.1°E"."""
    return f"{latitude_title(round(latitude, 1))} {longitude_title(round(longitude, 1))}"


def latitude_title(degrees: float) -> str:
    """Degrees north of the equator: 40°S, 0°, 2.5°N."""
    return f"{abs(degrees):g}°" + ("N" if degrees > 0 else "S" if degrees < 0 else "")


def longitude_title(degrees: float) -> str:
    """Degrees east in any convention: 160°E, 180°, 120°W, 0°."""
    wrapped = (degrees + 180) % 360 - 180
    if wrapped in (-180, 0):
        return f"{abs(wrapped):g}°"
    return f"{abs(round(wrapped, 6)):g}°{'E' if wrapped > 0 else 'W'}"
