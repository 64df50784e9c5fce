"""Dates of data steps, against the calendar that everybody uses."""

import datetime

import numpy as np
import pytest

from engine.datasets.calendar import Calendar, is_date, parse_date
from engine.errors import RequestError

DAYS, MONTHS = Calendar("D"), Calendar("M")


def test_days_and_months_count_from_1970() -> None:
    assert DAYS.time(np.datetime64("1970-01-02")) == 1
    assert (
        DAYS.time(np.datetime64("2014-12-31T23:59")) == (datetime.date(2014, 12, 31) - datetime.date(1970, 1, 1)).days
    )
    assert MONTHS.time(np.datetime64("2015-06-17")) == 12 * 45 + 5
    assert MONTHS.time(np.datetime64("1969-12-01")) == -1


def test_a_date_and_its_time_belong_together() -> None:
    for calendar in (DAYS, MONTHS):
        for time in (-30, 0, 1, 545, 600):
            assert calendar.time(calendar.date(time)) == time


def test_a_fraction_of_a_month_is_that_share_of_its_days() -> None:
    assert DAYS.date(0.25) == np.datetime64("1970-01-01T06:00")
    assert MONTHS.date(1.5) == np.datetime64("1970-02-15")  # of 28 days


def test_labels_are_iso_dates() -> None:
    assert DAYS.label(58) == "1970-02-28" and MONTHS.label(545) == "2015-06"
    assert DAYS.year(-1) == 1969 and MONTHS.year(545) == 2015


@pytest.mark.parametrize(("date", "season"), [("2015-01-01", 0.5 / 365), ("2016-12-31", 365.5 / 366)])
def test_the_season_is_the_middle_of_the_day_in_its_own_year(date: str, season: float) -> None:
    assert DAYS.season(DAYS.time(np.datetime64(date))) == pytest.approx(season)


def test_the_season_of_a_month_does_not_depend_on_the_year() -> None:
    assert [MONTHS.season(month) for month in (0, 11, 12, -1)] == pytest.approx([1 / 24, 23 / 24, 1 / 24, 23 / 24])


@pytest.mark.parametrize("text", ["2015-06", "2015-06-30", "2015-06-30T12:00", "2015-06-30 12:00:00Z"])
def test_iso_dates_are_told_from_indices_and_frames(text: str) -> None:
    assert is_date(text) and parse_date(text).astype("datetime64[M]") == np.datetime64("2015-06")
    assert not is_date("17") and not is_date("pacific:5") and not is_date("2015")


def test_a_day_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RequestError, match="2015-02-30"):
        parse_date("2015-02-30")
