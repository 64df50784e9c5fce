"""Times, places and models as a person writes them."""

import math
import re

from app.plain_text import plain
from engine.checkpoint import load_card
from engine.datasets import Dataset
from engine.datasets.base import OWN
from engine.datasets.calendar import Calendar
from engine.errors import CheckpointError

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
PRESET_NOTES = {
    "fast": "the default, trained for reliable ensembles and quick enough to play with",
    "published": "the recipe of the DYffusion paper, whose only randomness is the interpolator's dropout",
    "dropout": "the rival: one network asked for every lead by itself, its dropout left on",
    "paper": "the networks of the DYffusion paper at their full size",
}


def pretty_units(units: str) -> str:
    """Units as a person writes them: `m s-1` becomes `m s⁻¹`, `1` becomes nothing."""
    if units in SPELLED:
        return SPELLED[units]
    return units.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


SPELLED = {"1": "", "degree_Celsius": "°C", "degrees_north": "°", "degrees_east": "°"}


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


def degree_ticks(low: float, high: float) -> list[float]:
    """A handful of round degrees from one edge of a map to the other."""
    step = next(step for step in DEGREES if (high - low) / step <= MOST_TICKS)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * index, 6) for index in range(first, last + 1)]


DEGREES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 90)
MOST_TICKS = 6


def model_title(name: str) -> str:
    """A model as the picker names it."""
    try:
        return load_card(name).title
    except CheckpointError:  # it is named in the link and not on this machine
        return name


def models_help(first: str, names: tuple[str, ...]) -> str:
    """Help that begins with a sentence and says what each of some models is."""
    lines = [first]
    for name in names:
        try:
            card = load_card(name)
        except CheckpointError:
            continue
        lines.append(f"- **{plain(card.title)}**: {PRESET_NOTES.get(card.preset, plain(card.name))}.")
    return "\n".join(lines)
