"""Thresholds of marine heatwaves against a plain reading of Hobday et al. 2016."""

from typing import cast

import numpy as np
import pytest

from engine.datasets import Dataset, get_dataset
from engine.datasets.base import Run
from engine.datasets.calendar import Calendar
from engine.datasets.sea_surface import SeaSurface
from engine.datasets.sst_monthly import MonthlySeaSurface
from engine.errors import DataError, RequestError
from engine.thresholds import seasonal_percentile

YEARS = (2001, 2003)


class Pond(SeaSurface):
    """Three training years of a pond of two cells, one of them land."""

    name = "pond"
    calendar = Calendar("D")
    splits = {"train": YEARS, "validation": (2004, 2004), "test": (2005, 2005)}  # noqa: RUF012 (never changed)
    harmonics = 1
    starts_apart = 1
    remedy = "dig it"

    def __init__(self) -> None:
        dates = np.arange(np.datetime64("2001-01-01"), np.datetime64("2006-01-01"))
        self.dates = dates
        values = np.random.default_rng(1).normal(15, 2, size=(len(dates), 1, 2))
        values[:, 0, 1] = np.nan
        times = np.array([self.calendar.time(date) for date in dates])
        self.record = self.make_run("pond", values, times, {}, None)

    def runs(self) -> tuple[str, ...]:
        return ("pond",)

    def load(self, run: str) -> Run:
        return self.record


POND = Pond()
DATASET = cast(Dataset, POND)


def by_the_book(date: str, percentile: float) -> float:
    """Loops over days and years as the definition reads; the pond's years before 2004 have no leap day."""
    values = {str(day): value for day, value in zip(POND.dates, POND.record.states[:, 0, 0, 0], strict=True)}
    smoothed = []
    for shift in range(-15, 16):
        day = np.datetime64(date) + shift
        pool = []
        for year in range(YEARS[0], YEARS[1] + 1):
            centre = np.datetime64(f"{year}-{str(day)[5:]}")
            for near in range(-5, 6):
                found = str(centre + near)
                if YEARS[0] <= int(found[:4]) <= YEARS[1]:
                    pool.append(values[found])
        smoothed.append(np.percentile(pool, percentile))
    return float(np.mean(smoothed))


@pytest.mark.parametrize(("date", "percentile"), [("2005-07-10", 90.0), ("2005-09-30", 95.0), ("2005-05-01", 10.0)])
def test_a_daily_threshold_is_the_published_one(date: str, percentile: float) -> None:
    threshold = seasonal_percentile(DATASET, POND.record, POND.calendar.time(np.datetime64(date)), percentile)
    assert threshold.shape == (1, 1, 2)
    assert threshold[0, 0, 0] == pytest.approx(by_the_book(date, percentile), abs=1e-4)
    assert np.isnan(threshold[0, 0, 1])


def test_the_leap_day_and_the_turn_of_the_year_have_thresholds() -> None:
    for date in ("2004-02-29", "2005-01-01", "2005-12-31"):
        threshold = seasonal_percentile(DATASET, POND.record, POND.calendar.time(np.datetime64(date)), 90)
        assert 16 < threshold[0, 0, 0] < 19  # 15 + 1.28 · 2 = 17.6


def test_a_monthly_threshold_is_the_percentile_of_the_same_month() -> None:
    dataset = MonthlySeaSurface()
    run = dataset.load("pacific")
    months = [str(dataset.calendar.label(time)) for time in run.times]
    junes = [
        run.states[i, 0, 10, 40] for i, month in enumerate(months) if month.endswith("-06") and "1982" <= month < "2010"
    ]
    threshold = seasonal_percentile(dataset, run, dataset.calendar.time(np.datetime64("2015-06")), 90)
    assert len(junes) == 28
    assert threshold[0, 10, 40] == pytest.approx(float(np.percentile(junes, 90)), abs=1e-4)


def test_what_cannot_be_is_said() -> None:
    flow = get_dataset("navier-stokes")
    with pytest.raises(RequestError, match="100"):
        seasonal_percentile(DATASET, POND.record, 0.0, 100)
    with pytest.raises(RequestError, match="no seasons"):
        seasonal_percentile(flow, flow.load("0"), 0.0, 90)
    elsewhere = Run("elsewhere", POND.record.states[:5], POND.record.static, POND.record.times[:5], axes=POND_AXES)
    with pytest.raises(DataError, match="dig it"):
        seasonal_percentile(DATASET, elsewhere, 0.0, 90)


POND_AXES = get_dataset("sst-daily").axes
