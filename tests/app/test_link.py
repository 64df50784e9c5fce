"""The link and the request it stands for."""

from dataclasses import replace
from typing import Any

import pytest

from app.backend import Window
from app.controls import neighbour
from app.link import request_from_query, request_to_query
from app.sampler import schedule_presets
from engine.datasets import DATASETS, get_dataset
from engine.datasets.base import InitialCondition
from engine.errors import CheckpointError, RequestError
from engine.requests import ForecastRequest, ResolvedRequest
from engine.schedules import parse_schedule
from tests.app.fakes import FakeEngine

RESOLVE = FakeEngine().resolve


def defaults(dataset: str) -> ResolvedRequest:
    return RESOLVE(ForecastRequest(dataset=dataset))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"init": "ood-1:5"},
        {"steps": 7, "members": 2, "seed": 2**40},
        {"schedule": "0,0.5,3"},
        {"solver": "naive", "last_step": "solver", "noise": "0.25", "precision": "bf16"},
        {"refine": False},
        {"output_leads": (0.25, 1.0, 1.5)},
    ],
)
def test_a_request_survives_its_link(changes: dict[str, Any]) -> None:
    request = replace(defaults("spring-mesh"), **changes)
    link = request_to_query(request, defaults("spring-mesh"))
    assert request_from_query(link, RESOLVE) == (request, [])


def test_the_link_of_the_defaults_names_the_data_set_alone() -> None:
    assert request_to_query(defaults("spring-mesh"), defaults("spring-mesh")) == {"dataset": "spring-mesh"}


def test_what_the_link_does_not_know_is_passed_over() -> None:
    request, problems = request_from_query({"dataset": "spring-mesh", "utm": "x"}, RESOLVE)
    assert request == defaults("spring-mesh")
    assert problems == []


def test_every_unusable_entry_is_named_once_and_the_others_count() -> None:
    link = {"dataset": "spring-mesh", "steps": "-4", "seed": "3", "schedule": "0,5,5"}
    request, problems = request_from_query(link, RESOLVE)
    assert request == replace(defaults("spring-mesh"), seed=3)
    assert len(problems) == 2


def test_entries_that_only_fit_together_are_taken_together() -> None:
    def small(request: ForecastRequest) -> ResolvedRequest:
        complete = RESOLVE(request)
        if complete.steps * complete.members > 2000:
            raise RequestError("That does not fit into memory.")
        return complete

    request, problems = request_from_query({"dataset": "spring-mesh", "steps": "900", "members": "2"}, small)
    assert (request.steps, request.members, problems) == (900, 2, [])


@pytest.mark.parametrize("text", ["9223372036854775807", "9" * 5000, "²"])
def test_a_number_that_no_field_of_the_page_can_hold_is_one_sentence(text: str) -> None:
    request, problems = request_from_query({"dataset": "spring-mesh", "seed": text, "members": "3"}, RESOLVE)
    assert (request.seed, request.members) == (0, 3)
    assert len(problems) == 1 and "seed=" in problems[0] and len(problems[0]) < 200


def test_an_unknown_data_set_falls_back_to_the_first() -> None:
    request, problems = request_from_query({"dataset": "mars", "steps": "3"}, RESOLVE)
    assert request == defaults(next(iter(DATASETS)))
    assert len(problems) == 1
    assert "mars" in problems[0]


def test_a_data_set_without_a_model_still_fills_the_controls() -> None:
    def no_model(request: ForecastRequest) -> ResolvedRequest:
        raise CheckpointError("There is no trained model.")

    request, problems = request_from_query({"dataset": "spring-mesh"}, no_model)
    assert request.steps == get_dataset("spring-mesh").default_steps
    assert problems == ["There is no trained model."]


@pytest.mark.parametrize(
    ("start", "by", "end"),
    [
        (("0", 0), 1, ("1", 0)),
        (("14", 0), 1, ("0", 1)),  # frame 0 of every run comes first
        (("0", 1), 1, ("0", 2)),
        (("0", 0), -1, ("14", 803)),
        (("ood-0", 5), 1, ("ood-1", 5)),
        (("ood-0", 5), -1, ("ood-2", 5)),
    ],
)
def test_neighbours_follow_the_order_of_the_test_split(start: tuple[str, int], by: int, end: tuple[str, int]) -> None:
    found = neighbour(get_dataset("spring-mesh"), InitialCondition(*start), by)
    assert (found.run, found.frame) == end


def test_the_link_of_observed_data_says_the_date() -> None:
    request = replace(defaults("sst-monthly"), init="pacific:402")  # December 1981 is frame 0
    link = request_to_query(request, defaults("sst-monthly"))
    assert link == {"dataset": "sst-monthly", "init": "2015-06"}
    read, problems = request_from_query(link, RESOLVE)
    assert (read.init, problems) == ("2015-06", [])


@pytest.mark.parametrize("date", ["2015-13", "2031-01", "1900-01"])
def test_a_date_without_data_is_named(date: str) -> None:
    request, problems = request_from_query({"dataset": "sst-monthly", "init": date}, RESOLVE)
    assert request == defaults("sst-monthly")
    assert len(problems) == 1
    assert date in problems[0]


def test_a_data_set_without_data_still_fills_the_controls() -> None:
    request, problems = request_from_query({"dataset": "sst-daily"}, RESOLVE)
    assert request.dataset == "sst-daily"
    assert not request.model
    assert len(problems) == 1


def test_what_a_data_set_shows_at_first_is_what_the_link_leaves_out() -> None:
    request, _ = request_from_query(
        {"dataset": "sst-monthly"}, RESOLVE, lambda name: ForecastRequest(name, init="2015-06", members=5)
    )
    assert (request.init, request.members) == ("2015-06", 5)


@pytest.mark.parametrize("auxiliary_steps", [0, 25])
def test_every_preset_is_a_schedule_of_the_window_and_no_two_are_alike(auxiliary_steps: int) -> None:
    names = schedule_presets(Window(7, auxiliary_steps))
    leads = [parse_schedule(name, horizon=7, auxiliary_steps=auxiliary_steps).leads for name in names]
    assert len(set(leads)) == len(leads) - (auxiliary_steps == 0)  # full is only_dynamics where there are no others
    assert ("first0.5" in names) is (auxiliary_steps > 0)
