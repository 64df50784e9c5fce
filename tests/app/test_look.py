"""What a person looks at, and its part of the link."""

from dataclasses import replace

import pytest

from app.look import Look, first_look, look_from_query, look_to_query
from engine.datasets import DATASETS
from engine.variables import Threshold, exceedance, variables_of

FLOW = first_look("navier-stokes")


@pytest.mark.parametrize(
    "look",
    [
        FLOW,
        replace(FLOW, variable="vorticity", at=(1.12, 0.2)),
        replace(FLOW, at=(0.6, 0.1, 1.0, 0.3), traces=True),
        FLOW.with_limits("speed", {"field": (0.0, 1.6), "spread": (0.0, 0.25), "error": (-0.5, 0.5)}, chosen=True),
    ],
)
def test_a_look_survives_its_link(look: Look) -> None:
    assert look_from_query(look_to_query(look, "navier-stokes"), "navier-stokes") == (look, [])


@pytest.mark.parametrize("threshold", [Threshold("percentile", 97.5), Threshold("temperature", 28.5)])
def test_a_threshold_survives_its_link_with_its_colours(threshold: Threshold) -> None:
    look = replace(first_look("sst-daily"), variable=variables_of("sst-daily")[-1].name, threshold=threshold)
    look = look.with_limits(exceedance(threshold).name, {"field": (0.0, 50.0)}, chosen=True)
    assert look_from_query(look_to_query(look, "sst-daily"), "sst-daily") == (look, [])


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_first_look_needs_no_words(dataset: str) -> None:
    assert look_to_query(first_look(dataset), dataset) == {}


def test_colours_that_nobody_chose_stay_out_of_the_link() -> None:
    held = FLOW.with_limits("speed", {"field": (0.0, 1.6)})
    assert look_to_query(held, "navier-stokes") == {}
    assert held.with_limits("speed", None) == FLOW


def test_colours_of_another_variable_are_kept_beside_each_other() -> None:
    both = FLOW.with_limits("speed", {"field": (0.0, 1.0)}).with_limits("u", {"field": (0.0, 2.0)}, chosen=True)
    assert both.limits == {"speed": {"field": (0.0, 1.0)}, "u": {"field": (0.0, 2.0)}}
    assert both.chosen == {"u"}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"variable": "salinity"}, "variable=salinity"),
        ({"threshold": "warm"}, "threshold=warm"),
        ({"threshold": "percentile-101"}, "percentile-101"),
        ({"at": "1"}, "at=1"),
        ({"at": "1,2,3"}, "at=1,2,3"),
        ({"at": "nan,1"}, "at=nan,1"),
        ({"limits": "field:2:1"}, "limits=field:2:1"),
        ({"limits": "hue:0:1"}, "limits=hue:0:1"),
        ({"limits": "field:0"}, "limits=field:0"),
        ({"limits": "field:0:inf"}, "inf"),
        ({"traces": "maybe"}, "traces=maybe"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_sentence(query: dict[str, str], named: str) -> None:
    look, problems = look_from_query({"at": "1,0.2", "traces": "true"} | query, "navier-stokes")
    assert look == replace(FLOW, traces="traces" not in query, at=() if "at" in query else (1.0, 0.2))
    assert len(problems) == 1 and named in problems[0]


def test_a_followed_link_keeps_the_colours_that_were_shown() -> None:
    before = FLOW.with_limits("speed", {"field": (0.0, 1.0)}).with_limits("u", {"field": (0.0, 2.0)}, chosen=True)
    after = replace(FLOW, at=(1.0, 0.2)).keeping_limits(before)
    assert (after.limits, after.chosen) == (before.limits, before.chosen)


def test_a_followed_link_without_colours_ends_those_that_were_chosen_for_its_variable() -> None:
    before = FLOW.with_limits("speed", {"field": (0.0, 1.0)}, chosen=True)
    assert FLOW.keeping_limits(before).limits == {}
    named = FLOW.with_limits("speed", {"field": (0.0, 3.0)}, chosen=True)
    assert named.keeping_limits(before) == named
