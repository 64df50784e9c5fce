"""Dates of observed data: data steps are days or months, and times count them since the start of 1970."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.errors import RequestError

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}([T ]\d{2}(:\d{2}(:\d{2})?)?Z?)?)?)?")


@dataclass(frozen=True)
class Calendar:
    """Times in days ("D") or months ("M") since 1970-01-01; the fraction of a time is that of its day or month."""

    unit: Literal["D", "M"]

    def date(self, time: float) -> np.datetime64:
        """The moment of a time, to the second."""
        whole = int(np.floor(time))
        first, after = (np.datetime64(whole + n, self.unit).astype("datetime64[s]") for n in (0, 1))
        return first + np.timedelta64(round((time - whole) * int((after - first).astype(int))), "s")

    def time(self, date: np.datetime64) -> float:
        """The time of the day or month that a moment lies in."""
        return float(date.astype(f"datetime64[{self.unit}]").astype(int))

    def season(self, time: float) -> float:
        """Fraction of the year that has passed at the middle of the day or month; January is 1/24 of monthly data."""
        if self.unit == "M":
            return (time % 12 + 0.5) / 12
        date = np.datetime64(int(np.floor(time)), "D")
        year = date.astype("datetime64[Y]")
        length = int(((year + 1).astype("datetime64[D]") - year.astype("datetime64[D]")).astype(int))
        passed = int((date - year.astype("datetime64[D]")).astype(int))
        return (passed + time % 1 + 0.5) / length

    def year(self, time: float) -> int:
        """The year that a time lies in."""
        return int(self.date(time).astype("datetime64[Y]").astype(int)) + 1970

    def label(self, time: float) -> str:
        """A time as a person writes it: 2015-06 or 2015-06-30."""
        return str(np.datetime_as_string(self.date(time), unit=self.unit))


def is_date(text: str) -> bool:
    """Whether a text looks like an ISO date with at least year and month, such as 2015-06 or 2015-06-30T12:00."""
    return "-" in text and _DATE.fullmatch(text) is not None


def parse_date(text: str) -> np.datetime64:
    """Read an ISO date. Raises RequestError where there is no such day."""
    try:
        return np.datetime64(text.removesuffix("Z").replace(" ", "T"), "s")
    except ValueError:
        raise RequestError(f"{text!r} is no date: write one such as 2015-06 or 2015-06-30.") from None
