"""The page that compares: how B differs in words and in the link, what is run, and what is shown of both."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from streamlit.testing.v1 import AppTest

from app.backend import Backend, Cost
from app.compare.charts import table
from app.compare.controls import estimated_seconds
from app.compare.front import nearest
from app.compare.maps import panels_of
from app.compare.rival import (
    Preset,
    best_under_half,
    differences_of,
    first_request,
    heun_schedule,
    presets,
    rival_of,
)
from app.compare.words import change_words, cost_sentence, difference_sentence, headline, verdict
from app.compare.work import comparison
from app.history import Ended, History
from app.plots.compare import Mark, difference_chart, two_fans, with_marks
from app.plots.fan import quantile_bands
from app.plots.skill import Dots, front_chart
from app.screens.compare import NOTHING_YET
from engine.datasets import get_dataset
from engine.errors import EngineError, RequestError
from engine.fronts import FrontPoint, read_front
from engine.paired import Comparison, Pair
from engine.requests import ForecastRequest, ResolvedRequest, calls_per_member, resolve
from engine.spatial_blocks import Blocks, Interval
from engine.variables import variable_named, variables_of
from tests.app.conftest import Open
from tests.app.fakes import FakeEngine, forecast_summary
from tests.app.small_models import RealRequests
from tests.app.test_page import errors, heading, maps, run_to_the_end, to_the_end

FLOW = resolve(ForecastRequest("navier-stokes", init="0:0", schedule="stride4"))


# -- B as a request and in the link ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"schedule": "full"},
        {"solver": "heun", "noise": "0.25"},
        {"refine": True, "last_step": "solver", "precision": "bf16", "members": 3},
        {"model": "navier-stokes-published"},
    ],
)
def test_what_the_link_says_of_b_gives_b_again(changed: dict[str, Any]) -> None:
    second = resolve(replace(FLOW, **changed))
    said = differences_of(FLOW, second, resolve)
    assert set(said) >= set(changed)
    assert rival_of(FLOW, said, resolve) == second


def test_of_what_is_the_same_the_link_says_nothing() -> None:
    assert differences_of(FLOW, FLOW, resolve) == {}
    assert differences_of(FLOW, replace(FLOW, seed=7), resolve) == {}


def test_another_model_brings_its_own_way_to_sample_and_keeps_what_both_have_in_common() -> None:
    first = replace(FLOW, seed=5, members=7, steps=20, init="1:3")
    second = rival_of(first, {"model": "navier-stokes-published"}, resolve)
    assert second.schedule == "stride2"
    assert (second.seed, second.members, second.steps, second.init) == (5, 7, 20, "1:3")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"schedule": "0,4,2"}, "2 follows 4"),
        ({"noise": "loud"}, "loud"),
        ({"members": "many"}, "members=many"),
        ({"refine": "perhaps"}, "refine=perhaps"),
        ({"model": "spring-mesh-fast"}, "spring-mesh-fast"),
    ],
)
def test_what_b_cannot_be_is_named(said: dict[str, str], named: str) -> None:
    with pytest.raises(EngineError, match=named):
        rival_of(FLOW, said, resolve)


def test_a_is_the_forecast_that_is_shown() -> None:
    summary = forecast_summary("spring-mesh", "2:0", steps=5, members=3)
    first = first_request(summary, FakeEngine().resolve)
    assert json.loads(summary.request) == json.loads(json.dumps(first.__dict__))


# -- presets -----------------------------------------------------------------------------------------------


def named(first: ResolvedRequest, backend: Backend) -> dict[str, Preset]:
    return {preset.name: preset for preset in presets(first, backend.window(FLOW), resolve)}


def test_every_preset_can_be_run_and_makes_a_difference() -> None:
    backend = Backend(FakeEngine())
    found = named(FLOW, backend)
    assert {"paper", "one-call", "heun", "dropout", "published"} <= found.keys()
    for preset in found.values():
        assert rival_of(FLOW, preset.differences, resolve) != FLOW
    paper = rival_of(FLOW, found["paper"].differences, resolve)
    assert (paper.schedule, paper.solver, paper.noise, paper.refine) == ("full", "cold", "independent", True)
    assert rival_of(FLOW, found["one-call"].differences, resolve).schedule == "stride16"
    assert rival_of(FLOW, found["dropout"].differences, resolve).model == "navier-stokes-dropout"
    assert "paper" not in named(paper, backend)


def test_heun_gets_stops_to_average_over_where_a_has_none() -> None:
    window = Backend(FakeEngine()).window(FLOW)
    assert heun_schedule(replace(FLOW, schedule="stride16"), window) == "stride4"
    assert heun_schedule(replace(FLOW, schedule="stride2"), window) == "stride2"


def test_beside_a_model_without_schedule_presets_are_of_one_that_has_some() -> None:
    dropout = resolve(ForecastRequest("navier-stokes", model="navier-stokes-dropout"))
    found = named(dropout, Backend(FakeEngine()))
    assert rival_of(dropout, found["heun"].differences, resolve).model == "navier-stokes-fast"
    assert "dropout" not in found


def test_the_best_under_half_the_cost_is_the_lowest_crps_of_those() -> None:
    first = resolve(ForecastRequest("navier-stokes", schedule="full", solver="heun"))
    points = read_front("navier-stokes-fast")
    found = best_under_half(first, first, points)
    cheap = [each for each in points if 2 * calls_per_member(each.apply(first)) <= calls_per_member(first)]
    assert found is not None and len(cheap) > 1
    assert found.crps == min(each.crps for each in cheap)
    cheapest = resolve(ForecastRequest("navier-stokes", schedule="stride16", refine=False))
    assert best_under_half(cheapest, cheapest, points) is None


# -- words -------------------------------------------------------------------------------------------------


def test_b_is_told_by_what_differs_alone() -> None:
    second = replace(FLOW, schedule="full", refine=True, members=5)
    assert difference_sentence(FLOW, second) == (
        "B differs in schedule **full** (A: stride4), refinement **on** (A: off) and members **5** (A: 20)."
    )
    assert difference_sentence(FLOW, FLOW) == "B is the same as A so far."
    dropout = resolve(ForecastRequest("navier-stokes", model="navier-stokes-dropout"))
    assert "schedule" not in difference_sentence(FLOW, dropout)


def test_what_b_takes_is_told_beside_what_a_takes() -> None:
    words = cost_sentence(FLOW, Cost(30, 600, None), 12.0, 15)
    assert words == "B takes 20 members × 30 network calls ≈ 12 s. A takes 15 network calls per member."
    assert "known after the first run" in cost_sentence(FLOW, Cost(30, 600, None), None, 15)
    assert cost_sentence(FLOW, Cost(30, 0, None), None, 15) == "B is stored: shown at once."


def test_before_a_run_of_this_server_seconds_come_from_the_newest_run_of_the_model(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    history = History(tmp_path / "history")
    monkeypatch.setattr(Backend, "history", history)
    assert estimated_seconds(FLOW, None, 100) is None
    history.add(Ended(FLOW, "computed", seconds=50.0, calls=100, arrived=20, device="cpu"), ended=1.0)
    history.add(Ended(replace(FLOW, seed=1), "computed", seconds=20.0, calls=100, arrived=20, device="cpu"), ended=2.0)
    assert estimated_seconds(replace(FLOW, schedule="full"), None, 300) == pytest.approx(60.0)
    assert estimated_seconds(FLOW, 4.0, 300) == 4.0
    assert estimated_seconds(replace(FLOW, model="navier-stokes-published"), None, 300) is None


def pair(a: float, b: float, difference: tuple[float, float], change: tuple[float, float] = (0, 0)) -> Pair:
    return Pair(
        np.array(a),
        np.array(b),
        Interval(np.array(a - b), *map(np.array, difference)),
        Interval(np.array(b / a - 1), *map(np.array, change)),
    )


BETTER = pair(1.0, 0.88, (0.08, 0.15), (-0.15, -0.08))
UNSURE = pair(1.0, 0.99, (-0.02, 0.04), (-0.04, 0.02))
NOTHING = pair(1.0, 1.0, (0.0, 0.0))


def compared(overall: Pair) -> Comparison:
    low, high = np.array([0.1, -0.1, -0.2, np.nan]), np.array([0.2, 0.1, -0.1, np.nan])
    by_lead = Pair(low, low, Interval((low + high) / 2, low, high), Interval(low, low, high))
    names = ("crps", "rmse", "spread", "ratio", "miss")
    blocks = Blocks((2, 2), np.zeros(4, int), 1, True)
    return Comparison(np.arange(1.0, 5), dict.fromkeys(names, by_lead), dict.fromkeys(names, overall), 4, blocks)


def test_the_verdict_follows_the_interval() -> None:
    cases: list[tuple[Pair, list[str]]] = [
        (BETTER, ["B is better", "B is nearer to 1", "B spreads less"]),
        (pair(0.88, 1.0, (-0.15, -0.08)), ["A is better", "A is nearer to 1", "B spreads more"]),
        (UNSURE, ["not distinguishable"] * 3),
        (NOTHING, ["the same"] * 3),
    ]
    for overall, expected in cases:
        scores: dict[str, Pair] = {"crps": overall, "miss": overall, "ratio": overall, "spread": overall}
        assert [verdict(name, scores) for name in ("crps", "ratio", "spread")] == expected


def test_the_headline_says_how_much_and_how_surely() -> None:
    assert headline(compared(BETTER), "crps", "fair CRPS") == (
        "B's fair CRPS is **12 % lower**, interval 8 to 15 %. By lead it is lower at 1, higher at 1 and not "
        "distinguishable at 1."
    )
    assert "**not distinguishable**" in headline(compared(UNSURE), "crps", "fair CRPS")
    assert headline(compared(NOTHING), "crps", "fair CRPS") == "B's fair CRPS is exactly A's."
    assert change_words(BETTER) == "−12.0 % (−15.0 to −8.0 %)"


def test_of_a_probability_only_the_brier_score_is_compared() -> None:
    heatwave = next(each for each in variables_of("sst-monthly") if each.threshold is not None)
    assert list(table(compared(BETTER), heatwave)["Score"]) == ["Fair Brier score"]
    assert len(table(compared(BETTER), variable_named("sst-monthly", "sst"))) == 4


# -- maps and numbers of both ------------------------------------------------------------------------------


def test_particles_have_no_divider_and_each_stands_where_its_forecast_has_it() -> None:
    panels = {each.name: each for each in panels_of(variable_named("spring-mesh", "speed"), "mean", is_grid=False)}
    assert "swipe" not in panels
    assert panels["a"].positions == ("mean_x", "mean_y") and panels["b"].positions == ("b_x", "b_y")
    grid = panels_of(variable_named("navier-stokes", "speed"), "mean", is_grid=True)
    assert grid[0].swipe == ("b",) and grid[0].values == ("a",)


def test_scores_of_a_comparison_are_those_that_the_other_pages_show() -> None:
    a = forecast_summary("spring-mesh", "0:0", steps=6, members=4)
    b = forecast_summary("spring-mesh", "0:0", steps=6, members=7)
    speed = variable_named("spring-mesh", "speed")
    found = comparison(a, b, speed)
    for name in ("crps", "rmse", "spread", "ratio"):
        np.testing.assert_allclose(found.by_lead[name].first, getattr(a.maps(speed).scores, name), rtol=1e-5)
        np.testing.assert_allclose(found.by_lead[name].second, getattr(b.maps(speed).scores, name), rtol=1e-5)
    assert comparison(a, b, speed) is found


def test_of_an_a_that_was_cancelled_only_the_leads_that_are_there_are_compared() -> None:
    a = forecast_summary("spring-mesh", "0:0", steps=4, members=4)
    b = forecast_summary("spring-mesh", "0:0", steps=6, members=4)
    assert len(comparison(a, b, variable_named("spring-mesh", "speed")).leads) == 4


def test_the_nearest_measured_way_has_most_in_common_then_the_nearest_cost() -> None:
    def point(schedule: str, noise: str, calls: int) -> FrontPoint:
        return FrontPoint(schedule, "cold", "forecast", noise, False, calls, 1.0, 1.0, 6, 6, "validation")

    points = (point("full", "none", 46), point("stride2", "step", 30), point("stride8", "step", 19))
    asked = replace(FLOW, schedule="stride4", noise="step", refine=False)  # 10 calls and 12 to fill in
    assert nearest(asked, points) == points[2]
    assert nearest(replace(asked, noise="none"), points) == points[0]
    assert nearest(asked, ()) is None


# -- the page ----------------------------------------------------------------------------------------------

SHORT = {"dataset": "spring-mesh", "steps": "5", "members": "3"}


class Ways(RealRequests):
    """Forecasts whose members scatter the more, the more stops a schedule has."""

    def _result(self, request: ResolvedRequest) -> xr.Dataset:
        found = super()._result(request)
        if request.schedule == "full":
            for channel in get_dataset(request.dataset).channels:
                values = found[channel.name].values
                found[channel.name].values[:] = values.mean(axis=0) + 3 * (values - values.mean(axis=0))
        return found


@pytest.fixture
def engine() -> FakeEngine:
    """An engine without networks that knows the models of the project."""
    return Ways()


def frame() -> None:
    """The page in the frame of an app of its own."""
    import streamlit as st

    from app import session
    from app.screens import compare

    page = st.navigation([st.Page(compare.show, title="Compare", default=True)])
    session.enter("compare")
    page.run()


@pytest.fixture
def open_compare(backend: Backend) -> Open:
    """Opens the page by a link, and waits until A is there."""

    def visit(**link: str) -> AppTest:
        page = AppTest.from_function(frame, default_timeout=60)
        for name, value in link.items():
            page.query_params[name] = value
        return to_the_end(page.run())

    return visit


def button(page: AppTest, label: str) -> Any:
    return next((each for each in page.button if each.label == label), None)


def knob(page: AppTest, name: str) -> Any:
    """A widget of B's."""
    widgets: list[Any] = [*page.selectbox, *page.number_input]
    return next(each for each in widgets if "/b/" in each.key and each.key.endswith(name))


def pills(page: AppTest) -> Any:
    return next(each for each in page.pills if "preset" in str(each.key))


def charts(page: AppTest) -> int:
    return len(page.main.get("plotly_chart"))


def run_b(page: AppTest) -> AppTest:
    return to_the_end(button(page, "Run B").click().run())


def test_without_a_difference_the_page_asks_for_one_and_shows_a(open_compare: Open) -> None:
    page = open_compare(**SHORT)
    assert not page.exception and not page.error
    assert heading(page).startswith(":green-badge[done]")
    assert [each.value for each in page.info] == [NOTHING_YET]
    assert len(maps(page)) == 1 and charts(page) == 0
    assert button(page, "Run B") is None


def test_b_from_the_link_is_run_and_compared(open_compare: Open, engine: FakeEngine) -> None:
    page = open_compare(**SHORT, **{"b.schedule": "full"})
    assert "schedule **full** (A: stride64)" in page.main.markdown[2].value
    assert engine.forecasts == 1
    page = run_b(page)
    assert not page.exception and not page.error
    assert engine.forecasts == 2
    assert button(page, "Run B") is None
    assert "stride64" in heading(page)  # A has stayed
    assert charts(page) == 4  # a score of both, its difference, the place, the front
    verdicts = page.main.table[0].value["Verdict"].tolist()
    assert verdicts[2] == "B spreads more"
    assert page.query_params["b.schedule"] == "full"


def test_another_visitor_who_follows_the_link_sees_the_same_numbers_at_once(
    open_compare: Open, engine: FakeEngine
) -> None:
    link = SHORT | {"b.schedule": "full"}
    first = run_b(open_compare(**link)).main.table[0].value
    again = open_compare(**link).main.table[0].value
    assert engine.forecasts == 2
    assert first.equals(again)


def test_a_preset_is_one_click_and_another_click_ends_it(open_compare: Open) -> None:
    page = open_compare(**SHORT)
    pills(page).set_value("one-call").run()
    assert page.query_params["b.schedule"] == "stride134"
    assert knob(page, "/schedule").value == "stride134"
    pills(page).set_value(None).run()
    assert "b.schedule" not in page.query_params
    assert knob(page, "/schedule").value == "stride64"


def test_a_knob_that_is_turned_back_leaves_the_link(open_compare: Open) -> None:
    page = open_compare(**SHORT)
    knob(page, "/solver").set_value("heun").run()
    knob(page, "/members").set_value(6).run()
    assert page.query_params["b.solver"] == "heun" and page.query_params["b.members"] == "6"
    knob(page, "/solver").set_value("cold").run()
    assert "b.solver" not in page.query_params and page.query_params["b.members"] == "6"


def test_another_model_leaves_nothing_of_the_way_that_b_sampled_before(open_compare: Open) -> None:
    page = open_compare(**SHORT, **{"b.schedule": "full", "b.members": "4"})
    knob(page, "/model").set_value("spring-mesh-dropout").run()
    assert not page.exception and not page.error
    said = {name: page.query_params[name] for name in page.query_params if name.startswith("b.")}
    assert said == {"b.model": "spring-mesh-dropout", "b.members": "4"}


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ({"b.schedule": "0,4,2"}, "2 follows 4"),
        ({"b.model": "nosuch"}, "nosuch"),
        ({"b.solver": "leapfrog"}, "leapfrog"),
        ({"b.refine": "perhaps"}, "refine=perhaps"),
        ({"b.noise": "loud"}, "loud"),
    ],
)
def test_what_b_cannot_be_gives_one_sentence_and_a_working_page(
    open_compare: Open, link: dict[str, str], words: str
) -> None:
    page = open_compare(**SHORT, **link)
    assert not page.exception
    assert len(errors(page)) == 1 and words in errors(page)[0]
    assert len(maps(page)) == 1
    pills(page).set_value("paper").run()
    assert not page.error and button(page, "Run B") is not None


def test_a_and_b_change_places(open_compare: Open, engine: FakeEngine) -> None:
    page = run_b(open_compare(**SHORT, **{"b.schedule": "full", "b.members": "4"}))
    before = page.main.table[0].value
    page = to_the_end(button(page, "Swap A and B").click().run())
    assert not page.exception and not page.error
    assert "full" in heading(page) and "4 members" in heading(page)
    assert page.query_params["schedule"] == "full" and page.query_params["b.schedule"] == "stride64"
    after = page.main.table[0].value
    assert after["A"].tolist() == before["B"].tolist() and after["B"].tolist() == before["A"].tolist()
    assert engine.forecasts == 2
    page = to_the_end(button(page, "Swap A and B").click().run())
    assert page.main.table[0].value.equals(before)


def test_b_can_be_cancelled_and_a_stays(open_compare: Open, engine: FakeEngine) -> None:
    page = open_compare(**SHORT, **{"b.schedule": "full"})
    engine.pause = 0.3
    page = button(page, "Run B").click().run()
    assert any("Forecast B" in str(each.proto) for each in page.main.get("progress"))
    assert button(page, "Run B").disabled
    page = button(page, "Cancel").click().run()
    assert "stride64" in heading(page) and heading(page).startswith(":green-badge[done]")
    assert not button(page, "Run B").disabled
    engine.pause = 0.0
    assert charts(run_b(page)) == 4


def test_while_b_runs_another_visitor_sees_only_a(open_compare: Open, engine: FakeEngine) -> None:
    page = open_compare(**SHORT, **{"b.schedule": "full"})
    engine.pause = 0.3
    page = button(page, "Run B").click().run()
    other = open_compare(**SHORT)
    assert not other.exception and len(maps(other)) == 1
    assert button(other, "Cancel") is None
    engine.pause = 0.0
    assert charts(to_the_end(page)) == 4


def test_a_run_of_b_that_fails_says_why_and_can_be_tried_again(open_compare: Open, engine: FakeEngine) -> None:
    page = open_compare(**SHORT, **{"b.schedule": "full"})
    engine.failure = RequestError("The flow diverged: ask for fewer steps.")
    page = run_b(page)
    assert errors(page) == ["The flow diverged: ask for fewer steps."]
    engine.failure = None
    page = run_b(page)
    assert not page.error and charts(page) == 4


def test_maps_and_score_that_are_chosen_stand_in_the_link(open_compare: Open) -> None:
    page = run_b(open_compare(**SHORT, **{"b.schedule": "full"}))
    group = {each.label: each for each in page.segmented_control}
    group["Maps"].set_value("spread").run()
    group = {each.label: each for each in page.segmented_control}
    group["Score"].set_value("ratio").run()
    assert not page.exception and not page.error
    assert page.query_params["maps"] == "spread" and page.query_params["score"] == "ratio"


def test_beyond_the_truth_maps_and_place_are_compared_and_the_page_says_why_no_scores(open_compare: Open) -> None:
    page = run_to_the_end(
        open_compare(dataset="sst-monthly", init="2023-01", steps="2", members="3", **{"b.members": "4"})
    )
    page = run_b(page)
    assert not page.exception and errors(page) == []
    assert any("No truth is known" in each.value for each in page.info)
    assert len(maps(page)) == 1 and charts(page) >= 1


def test_of_a_heatwave_probabilities_are_compared(open_compare: Open) -> None:
    link = {"dataset": "sst-monthly", "steps": "2", "members": "4", "variable": "above-percentile-90"}
    page = run_b(open_compare(**link, **{"b.members": "5"}))
    assert not page.exception and not page.error
    assert page.main.table[0].value["Score"].tolist() == ["Fair Brier score"]
    assert [each.label for each in page.segmented_control if each.label in ("Maps", "Score")] == []


# -- charts ------------------------------------------------------------------------------------------------


def test_the_band_of_a_difference_is_its_interval_and_leads_without_one_are_left_out() -> None:
    lead, value = np.arange(1.0, 5), np.array([0.1, 0.2, 0.3, np.nan])
    figure = difference_chart(lead, value, value - 0.05, value + 0.1, time_units="s", y_title="m")
    band, line = figure.data
    np.testing.assert_allclose(band.x, [1, 2, 3, 3, 2, 1])
    np.testing.assert_allclose(band.y, [0.2, 0.3, 0.4, 0.25, 0.15, 0.05])
    np.testing.assert_allclose(line.y, value)
    low, high = figure.layout.yaxis.range
    assert low == -high and high > 0.4


def test_both_fans_have_their_own_medians_and_a_pinned_member_of_each() -> None:
    lead, truth = np.arange(1.0, 4), np.zeros(3)
    a, b = quantile_bands(np.arange(15.0).reshape(5, 3)), quantile_bands(np.ones((4, 3)))
    figure = two_fans(lead, a, b, truth, time_units="s", units="m", pinned=("member 2", truth + 7, None))
    lines = {trace.name: trace.y for trace in figure.data}
    np.testing.assert_allclose(lines["A median"], [6, 7, 8])
    np.testing.assert_allclose(lines["B median"], 1)
    np.testing.assert_allclose(lines["A member 2"], 7)
    assert "B member 2" not in lines


def test_on_the_front_what_is_measured_is_ringed_and_what_is_not_is_a_line_at_its_cost() -> None:
    unknown = np.full(2, np.nan)
    dots = Dots("model", np.array([10.0, 20.0]), np.array([2.0, 1.0]), unknown, unknown, words=("a", "b"))
    marks = [Mark("A", 20, 1.0, "A"), Mark("B", 300, None, "B")]
    figure = with_marks(front_chart((dots,), dots, None, y_title="CRPS"), marks)
    ring = figure.data[-1]
    assert (ring.name, *ring.x, *ring.y) == ("A", 20, 1.0)
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == 300
    assert 10 ** figure.layout.xaxis.range[1] > 300
    assert [each.text for each in figure.layout.annotations] == ["B, not measured"]
