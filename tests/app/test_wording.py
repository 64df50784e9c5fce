"""Times and places in words."""

import pytest

from app import wording
from engine.datasets import get_dataset
from engine.datasets.calendar import Calendar


@pytest.mark.parametrize(("unit", "time", "words"), [("M", 545, "June 2015"), ("D", 16070, "31 December 2013")])
def test_a_date_is_written_with_the_name_of_its_month(unit: str, time: float, words: str) -> None:
    assert wording.date_title(Calendar("M" if unit == "M" else "D"), time) == words


@pytest.mark.parametrize(
    ("dataset", "steps", "words"),
    [
        ("sst-monthly", 1, "1 month"),
        ("sst-monthly", 12, "12 months"),
        ("sst-daily", 0, "0 days"),
        ("navier-stokes", 2, "0.16 s"),
    ],
)
def test_a_length_has_the_units_of_its_data(dataset: str, steps: int, words: str) -> None:
    assert wording.duration(get_dataset(dataset), steps) == words


@pytest.mark.parametrize(
    ("latitude", "longitude", "words"),
    [(-42.375, 150.125, "42.4°S 150.1°E"), (2.5, 190.0, "2.5°N 170°W"), (0.0, 180.0, "0° 180°"), (-1, 360, "1°S 0°")],
)
def test_a_place_is_written_with_its_hemispheres(latitude: float, longitude: float, words: str) -> None:
    assert wording.place(latitude, longitude) == words


@pytest.mark.parametrize(
    ("run", "words"), [("tasman", "Tasman"), ("45S-37S_147E-155E", "45°S to 37°S, 147°E to 155°E")]
)
def test_a_region_is_named_by_its_name_or_its_edges(run: str, words: str) -> None:
    assert wording.region_title(run) == words


@pytest.mark.parametrize(("run", "words"), [("3", "Test run 3"), ("ood-1", "Unlike training, run 1")])
def test_a_simulated_run_is_named_by_its_kind(run: str, words: str) -> None:
    assert wording.run_title(run) == words


@pytest.mark.parametrize(
    ("first", "last", "ticks"),
    [(120.0, 290.0, [120, 150, 180, 210, 240, 270]), (-44.875, -37.125, [-44, -42, -40, -38]), (0.1, 0.55, None)],
)
def test_degrees_are_round_and_few(first: float, last: float, ticks: list[float] | None) -> None:
    found = wording.degree_ticks(first, last)
    assert found == ticks if ticks else 2 <= len(found) <= 6
