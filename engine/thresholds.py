"""Seasonal percentiles of an observed record: the thresholds of marine heatwaves (Hobday et al. 2016).

A marine heatwave is a period above the 90th percentile of the baseline years at the same time of year
(doi:10.1016/j.pocean.2015.12.014).
"""

from functools import lru_cache

import numpy as np

from engine.datasets.base import Dataset, Run
from engine.datasets.calendar import Calendar
from engine.errors import DataError, RequestError

WINDOW_DAYS = 11
"""Days of the baseline years around a day of the year whose values make its percentile."""

SMOOTHING_DAYS = 31
"""Days over which daily percentiles are averaged."""

DAYS = 366


def seasonal_percentile(dataset: Dataset, run: Run, time: float, percentile: float) -> np.ndarray:
    """The threshold (channel, y, x) of a run's grid at a time, from the training years, in physical units.

    Daily data: of all values within 5 days of the day of the year, then averaged over 31 days; monthly data: of the
    values of the same month. NaN on land.

    Raises: RequestError for a percentile outside (0, 100); DataError where there are no training years on that grid.
    """
    if not 0 < percentile < 100:
        raise RequestError(f"The percentile is {percentile:g}: give a number between 0 and 100, such as 90.")
    if dataset.calendar is None:
        raise RequestError(f"{dataset.name} has no seasons: thresholds by percentile need an observed record.")
    record = _baseline(dataset, run)
    if dataset.calendar.unit == "M":
        return _percentile_of_month(dataset, record, int(np.floor(time)) % 12, percentile)
    day = _day_of_year(dataset.calendar, time)
    around = range(day - SMOOTHING_DAYS // 2, day + SMOOTHING_DAYS // 2 + 1)
    days = np.stack([_percentile_of_day(dataset, record, each % DAYS, percentile) for each in around])
    return np.asarray(days.mean(axis=0))


def seasonal_values(dataset: Dataset, run: Run, time: float) -> np.ndarray:
    """All states of the training years at the season of a time, (state, channel, y, x), on a run's grid.

    Daily data: those within 5 days of the day of the year; monthly data: those of the same month. NaN on land.

    Raises: RequestError where there are no seasons; DataError where there are no training years on that grid.
    """
    if dataset.calendar is None:
        raise RequestError(f"{dataset.name} has no seasons: its values of a season need an observed record.")
    record = _baseline(dataset, run)
    if dataset.calendar.unit == "M":
        return _states_of_month(dataset, record, int(np.floor(time)) % 12)
    return _states_of_day(dataset, record, _day_of_year(dataset.calendar, time))


@lru_cache(maxsize=64)
def _percentile_of_month(dataset: Dataset, record: Run, month: int, percentile: float) -> np.ndarray:
    return _percentile(_states_of_month(dataset, record, month), percentile)


@lru_cache(maxsize=2 * DAYS)
def _percentile_of_day(dataset: Dataset, record: Run, day: int, percentile: float) -> np.ndarray:
    return _percentile(_states_of_day(dataset, record, day), percentile)


def _states_of_month(dataset: Dataset, record: Run, month: int) -> np.ndarray:
    training = _training(dataset, record)
    return training.states[np.floor(training.times) % 12 == month]


def _states_of_day(dataset: Dataset, record: Run, day: int) -> np.ndarray:
    apart = np.abs((_days(dataset, record) - day + DAYS // 2) % DAYS - DAYS // 2)
    return _training(dataset, record).states[apart <= WINDOW_DAYS // 2]


def _percentile(states: np.ndarray, percentile: float) -> np.ndarray:
    """Over the frames, linear between order statistics; NaN stays NaN."""
    return np.asarray(np.percentile(states, percentile, axis=0)).astype(np.float32)


@lru_cache(maxsize=4)
def _days(dataset: Dataset, record: Run) -> np.ndarray:
    assert dataset.calendar is not None
    return np.array([_day_of_year(dataset.calendar, float(time)) for time in _training(dataset, record).times])


def _day_of_year(calendar: Calendar, time: float) -> int:
    """0 to 365, counted as in a leap year: the days after February have the same number in every year."""
    date = calendar.date(np.floor(time)).astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    same_month = np.datetime64("2000-01", "M") + int(month.astype(int)) % 12
    day = same_month.astype("datetime64[D]") - np.datetime64("2000-01-01") + (date - month.astype("datetime64[D]"))
    return int(day.astype(int))


def _baseline(dataset: Dataset, run: Run) -> Run:
    """The record whose training years give the thresholds of a run: its own, else one on the same grid."""
    records = [dataset.load(name) for name in dataset.runs()]
    complete = [record for record in records if record.background is not None]
    own = [record for record in complete if record.name == run.name]
    same_grid = [record for record in complete if record.axes is None and run.axes is None]
    for record in (*own, *same_grid):
        return record
    raise DataError(
        f"There are no training years on the grid of {run.name!r} to take a percentile of: {dataset.remedy}."
    )


@lru_cache(maxsize=4)
def _training(dataset: Dataset, record: Run) -> Run:
    return next(part for part in dataset.training_runs("train") if part.name == record.name)
