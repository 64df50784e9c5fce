"""What the drawn schedule and the drawn front are told, and what they tell."""

from dataclasses import dataclass
from typing import Any

import pytest

from app.schedule_editor import edited_leads, picked_point, ticks
from engine.schedules import Schedule, parse_schedule, trained_leads
from tests.app.small_models import BEST, CHEAP, MIDDLE

POINTS = (CHEAP, MIDDLE, BEST)


@dataclass(frozen=True)
class Trained:
    """A window as a model was trained on it."""

    horizon: int
    auxiliary_steps: int = 0


def kept(drawn: list[dict[str, Any]]) -> list[float]:
    return [tick["lead"] for tick in drawn if tick["on"]]


def test_every_trained_lead_is_a_tick_and_those_of_the_schedule_are_on() -> None:
    drawn = ticks(Schedule(2, (0, 0.5)), Trained(2, auxiliary_steps=3))
    assert [tick["lead"] for tick in drawn] == [0, 0.25, 0.5, 0.75, 1]
    assert [tick["whole"] for tick in drawn] == [True, False, False, False, True]
    assert kept(drawn) == [0, 0.5]
    assert all(tick["trained"] for tick in drawn)


def test_a_lead_that_training_does_not_know_is_drawn_too() -> None:
    drawn = ticks(Schedule(4, (0, 2.5)), Trained(4))
    assert [(tick["lead"], tick["trained"]) for tick in drawn] == [
        (0, True),
        (1, True),
        (2, True),
        (2.5, False),
        (3, True),
    ]
    assert kept(drawn) == [0, 2.5]


def test_a_trained_lead_written_with_few_digits_is_that_tick() -> None:
    window = Trained(7, auxiliary_steps=25)
    drawn = ticks(parse_schedule("0,0.0384615,4", horizon=7), window)
    assert [tick["lead"] for tick in drawn] == list(trained_leads(7, 25))
    assert kept(drawn) == [0, 1 / 26, 4]


def test_the_leads_that_a_click_leaves_are_read() -> None:
    assert edited_leads({"number": 3, "leads": [0, 0.5, 2]}, 4) == (0.0, 0.5, 2.0)


@pytest.mark.parametrize(
    "click",
    [None, {}, 7, {"leads": None}, {"leads": ["a"]}, {"leads": [1, 2]}, {"leads": [0, 3, 2]}, {"leads": [0, 4]}],
)
def test_what_is_no_schedule_is_no_edit(click: Any) -> None:
    assert edited_leads(click, 4) is None


def test_a_click_on_a_dot_means_its_point() -> None:
    assert picked_point({"number": 1, "pick": 1}, POINTS) == MIDDLE


@pytest.mark.parametrize("click", [None, {}, {"pick": -1}, {"pick": 3}, {"pick": "0"}, {"pick": None}])
def test_what_is_no_dot_picks_nothing(click: Any) -> None:
    assert picked_point(click, POINTS) is None
