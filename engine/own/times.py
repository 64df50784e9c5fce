"""The times of a file as steps of a data set: dates of any calendar, or seconds since the start of a run."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from engine.datasets.base import Dataset
from engine.datasets.calendar import Calendar, is_date, parse_date
from engine.errors import DataError, RequestError
from engine.own.files import Variable
from engine.own.units import conversion

LONGEST_AXIS = 1_000_000
"""Times that a file may have."""

_YEARS = (1, 9999)
_MONTHS_OR_YEARS = re.compile(r"(month|year)s? since (\d{1,4})-(\d{1,2})(?:-(\d{1,2}))?\b.*", re.IGNORECASE)
_AS_NUMBERS = re.compile(r"day as %Y%m%d(\.%f)?", re.IGNORECASE)
_USUAL = ("", "standard", "gregorian", "proleptic_gregorian")
_CLOSE = 1e-3  # of a step


@dataclass(frozen=True, eq=False)
class Steps:
    """Which times of a file make which step of the data set.

    times: float64 (step,), rising, as a run counts them; sources: for each the positions in the file whose mean it is.
    """

    times: np.ndarray
    sources: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...] = ()


def steps_of(values: np.ndarray, axis: Variable, dataset: Dataset, file: str) -> Steps:
    """The time axis of a file, its numbers and their attributes, as steps of the data set. Raises DataError."""
    if dataset.calendar is None:
        return _simulated_steps(values, axis, dataset)
    dates, notes = _dates(values, axis, file)
    usable = np.flatnonzero(~np.isnat(dates))
    if not usable.size:
        raise DataError(
            f"{file} has no time in {axis.name!r} that can be read; give its units as 'days since 1970-01-01'."
        )
    if usable.size < len(dates):
        notes += (f"{len(dates) - usable.size} of {len(dates)} times are missing or no dates and were left out",)
    _, first = np.unique(dates[usable], return_index=True)
    if len(first) < usable.size:
        notes += (f"{usable.size - len(first)} times are there twice; the first field of each was taken",)
    groups: dict[float, list[int]] = {}
    for position in usable[first]:
        groups.setdefault(dataset.calendar.time(dates[position]), []).append(int(position))
    return Steps(
        np.array(list(groups)), tuple(map(tuple, groups.values())), (*notes, *_grouped(groups, dataset.calendar))
    )


def single_step(time: str, dataset: Dataset) -> Steps:
    """The one step of a file without times, at the moment a person gave. Raises RequestError."""
    return Steps(np.array([moment(time, dataset)]), ((0,),), (f"the file has no times: its field was taken as {time}",))


def moment(text: str, dataset: Dataset) -> float:
    """A time as a person writes it, as a run counts it. Raises RequestError."""
    if dataset.calendar is not None:
        if not is_date(text):
            raise RequestError(f"The time {text!r} is no date: write one such as 2015-06 or 2015-06-30.")
        return dataset.calendar.time(parse_date(text))
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise RequestError(f"The time {text!r} is no number of {dataset.time_units} since the start of the run.")
    return value


def label(time: float, dataset: Dataset) -> str:
    """A time as a person writes it."""
    return f"{time:g} {dataset.time_units}" if dataset.calendar is None else dataset.calendar.label(time)


def _grouped(groups: Mapping[float, list[int]], calendar: Calendar) -> tuple[str, ...]:
    most = max(map(len, groups.values()))
    unit = {"D": "day", "M": "month"}[calendar.unit]
    return () if most == 1 else (f"up to {most} fields of one {unit} were averaged",)


def _simulated_steps(values: np.ndarray, axis: Variable, dataset: Dataset) -> Steps:
    units = axis.text("units").split(" since ")[0]
    seconds = conversion(units or dataset.time_units, dataset.time_units, f"The time {axis.name!r}")
    times = seconds(values.astype(np.float64))
    usable = np.flatnonzero(np.isfinite(times))
    if not usable.size:
        raise DataError(f"The time {axis.name!r} has no values: write the file anew.")
    rising, first = np.unique(times[usable], return_index=True)
    notes = () if units else (f"the times have no units and were taken as {dataset.time_units}",)
    return Steps(rising, tuple((int(position),) for position in usable[first]), notes)


def on_steps_from(steps: Steps, start: int, dataset: Dataset) -> Steps:
    """Those of a simulated run's times that lie whole data steps from the initial condition."""
    if dataset.calendar is not None:
        return steps
    away = (steps.times - steps.times[start]) / dataset.time_step
    kept = np.flatnonzero(np.abs(away - np.rint(away)) < _CLOSE)
    if len(kept) == len(away):
        return steps
    note = f"{len(away) - len(kept)} of {len(away)} times lie between the data steps of {dataset.time_step:g}"
    return Steps(
        steps.times[kept], tuple(steps.sources[index] for index in kept), (*steps.notes, f"{note} and were left out")
    )


def _dates(values: np.ndarray, axis: Variable, file: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Moments, datetime64[s], NaT where there are none."""
    units, calendar = axis.text("units"), axis.text("calendar").lower()
    values = values.astype(np.float64)
    if match := _MONTHS_OR_YEARS.fullmatch(units):
        months = values * (12 if match[1].lower() == "year" else 1)
        start = 12 * (int(match[2]) - 1970) + int(match[3]) - 1
        return _counted(start + months), (f"times in {units!r} were counted in calendar months",)
    if _AS_NUMBERS.fullmatch(units):
        return _written(values), ()
    finite = np.isfinite(values)
    dates = np.full(values.shape, "NaT", "datetime64[s]")
    coded = xr.Variable(("t",), values[finite], {"units": units, "calendar": calendar or "standard"})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            decoded = xr.coders.CFDatetimeCoder(use_cftime=True).decode(coded, name=axis.name).values
        dates[finite] = [_moment(date) for date in decoded]
    except (ValueError, OverflowError, TypeError, AttributeError, KeyError):
        raise DataError(
            f"The time {axis.name!r} in {file} has the units {units!r} and the calendar {calendar or 'standard'!r}, "
            "which give no dates: write them as 'days since 1970-01-01'."
        ) from None
    odd = calendar not in _USUAL
    return dates, ((f"dates of the calendar {calendar!r} were taken as they are written",) if odd else ())


def _moment(date: object) -> np.datetime64:
    """A date of any calendar; one that our calendar does not have is the last day of its month."""
    year, month, day, hour, minute, second = (
        getattr(date, part) for part in ("year", "month", "day", "hour", "minute", "second")
    )
    if not _YEARS[0] <= year <= _YEARS[1]:
        return np.datetime64("NaT", "s")
    of_month = np.datetime64(f"{year:04d}-{month:02d}", "M")
    last = ((of_month + 1).astype("datetime64[D]") - of_month.astype("datetime64[D]")).astype(int)
    day_start = of_month.astype("datetime64[D]") + (min(day, int(last)) - 1)
    return day_start.astype("datetime64[s]") + np.timedelta64(3600 * hour + 60 * minute + second, "s")


def _counted(months: np.ndarray) -> np.ndarray:
    """Months since 1970-01, the fraction that of the month, to moments."""
    sane = np.isfinite(months) & (np.abs(months) < 12 * (_YEARS[1] - 1970))
    calendar = Calendar("M")
    return np.array(
        [calendar.date(month) if good else np.datetime64("NaT", "s") for month, good in zip(months, sane, strict=True)],
        "datetime64[s]",
    )


def _written(values: np.ndarray) -> np.ndarray:
    """Numbers such as 20160131.5 to moments."""
    dates = np.full(values.shape, "NaT", "datetime64[s]")
    for index, value in enumerate(values):
        whole = f"{value:.0f}" if np.isfinite(value) and 10101 <= value < 99991232 else ""
        if len(text := f"{int(value):08d}" if whole else "") == 8:
            try:
                day = np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}", "s")
            except ValueError:
                continue
            dates[index] = day + np.timedelta64(round(86400 * (value % 1)), "s")
    return dates
