"""The page about probabilities: its numbers follow from the members, and where there is nothing to see it says why."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.backend import Backend
from app.exports.table import figure_table
from app.place import Place, cell_place
from app.plots.probability import first_time_chart, probability_chart
from app.plots.reliability import reliability_chart, roc_chart
from app.probability.charts import at_place, first_words
from app.probability.event import Event, baseline_words, chance_in_baseline, event_of_threshold, threshold_of
from app.probability.work import latest, outlook, quantiles, verified
from app.summary import Summary
from engine.baseline_values import percentile_fields
from engine.datasets import get_dataset
from engine.errors import DataError
from engine.reliability import brier, diagram, roc, tally
from engine.scores import crps
from engine.variables import Threshold, exceedance, variable_named, variables_of
from tests.app.fakes import BUNDLED, forecast_summary
from tests.app.test_page import errors, maps, to_the_end, widget

MESH = {"dataset": "spring-mesh", "steps": "60", "members": "4", "init": "0:200"}
Open = Callable[..., AppTest]


def frame() -> None:
    """The page in the frame of an app of its own."""
    import streamlit as st

    from app import session
    from app.screens import probability

    session.enter("probability")
    st.navigation([st.Page(probability.show, title="Probability", default=True)]).run()


@pytest.fixture
def open_probability(backend: Backend) -> Open:
    """Opens a link to the page; where the forecast is not there yet, waits for it."""

    def visit(**link: str) -> AppTest:
        page = AppTest.from_function(frame, default_timeout=60)
        for name, value in link.items():
            page.query_params[name] = value
        return to_the_end(page.run())

    return visit


@pytest.fixture(scope="module")
def mesh() -> Summary:
    """A forecast of the spring mesh with a truth."""
    return forecast_summary("spring-mesh", "0:200", steps=60, members=4)


def speed(by: Any = "percentile", number: float = 75.0, side: Any = "above") -> Event:
    """An event of the spring mesh."""
    return Event(variable_named("spring-mesh", "speed"), by, number, side)


def captions(page: AppTest) -> str:
    """All quiet words of the page."""
    return " ".join(text.value for text in page.main.caption)


def scores_of(page: AppTest) -> dict[str, str]:
    """The table of scores."""
    (table,) = page.table
    found: pd.DataFrame = table.value
    return dict(zip(found["Score"], found["Value"], strict=True))


def members_of(summary: Summary) -> tuple[np.ndarray, np.ndarray]:
    """Speeds of all members (member, lead, y, x) and of the truth (lead, y, x) of a spring mesh."""
    assert summary.ensemble is not None
    members, truth = summary.ensemble.members, summary.ensemble.truth
    return np.hypot(members["p_x"], members["p_y"]), np.hypot(truth["p_x"], truth["p_y"])


# -- what a forecast says of an event ----------------------------------------------------------------------


@pytest.mark.parametrize("dataset", BUNDLED)
def test_the_maps_are_shares_of_the_members_of_every_variable(dataset: str) -> None:
    init = "2015-06" if dataset == "sst-monthly" else 3
    summary = forecast_summary(dataset, init, steps=3, members=4)
    for variable in variables_of(dataset):
        if variable.threshold is not None:
            continue
        found = outlook(summary, Event(variable, "percentile", 80, "below"))
        chance = found.chance[:, found.counted]
        assert set(np.unique(chance)) <= {0, 0.25, 0.5, 0.75, 1}
        assert set(np.unique(found.happened[:, found.counted])) <= {0, 1}
        np.testing.assert_array_equal(found.chance[0], found.happened[0])  # the initial condition is known
        assert found.chance.shape == found.threshold.shape == (4, *summary.solid.shape)


def test_an_event_agrees_with_a_loop_over_members_leads_and_cells(mesh: Summary) -> None:
    event = speed("value", 0.3, "below")
    found, (members, truth) = outlook(mesh, event), members_of(mesh)
    for lead, row, column in np.ndindex(members.shape[1:]):
        below = sum(member < np.float32(0.3) for member in members[:, lead, row, column])
        assert found.chance[lead + 1, row, column] == below / 4
        assert found.happened[lead + 1, row, column] == (truth[lead, row, column] < np.float32(0.3))
    for member, lead in ((0, 0), (3, 59)):
        below = members[member, lead][mesh.counted] < np.float32(0.3)
        assert found.shares[member, lead] == pytest.approx(below.mean())
        np.testing.assert_array_equal(found.members(np.array([lead]))[member, 0], below)
    assert found.true_share[5] == pytest.approx((truth[5][mesh.counted] < np.float32(0.3)).mean())


def test_a_marine_heatwave_is_the_same_event_as_the_variable_of_that_name() -> None:
    summary = forecast_summary("sst-monthly", "2015-06", steps=3, members=4)
    assert summary.ensemble is not None
    wanted = Threshold("percentile", 90)
    heatwave = exceedance(wanted)
    event = event_of_threshold("sst-monthly", heatwave)
    threshold = threshold_of(summary, event)
    members = {**summary.ensemble.members, wanted.reference: threshold[1:]}
    np.testing.assert_array_equal(outlook(summary, event).chance[1:], heatwave.of(members).mean(axis=0))
    anomaly = replace(event, variable=variable_named("sst-monthly", "anomaly"))
    counted = summary.counted  # the anomaly is above its percentile where the temperature is, but for rounding
    differ = outlook(summary, anomaly).chance[1:, counted] != outlook(summary, event).chance[1:, counted]
    assert differ.mean() < 0.001


def test_quantiles_are_those_of_numpy_with_the_initial_condition_in_front(mesh: Summary) -> None:
    members, _ = members_of(mesh)
    found = quantiles(mesh, variable_named("spring-mesh", "speed"), (10.0, 50.0, 85.0))
    np.testing.assert_allclose(found[:, 1:], np.percentile(members, [10, 50, 85], axis=0), rtol=1e-5)
    assert mesh.ensemble is not None
    start = np.hypot(mesh.ensemble.initial["p_x"], mesh.ensemble.initial["p_y"])
    np.testing.assert_allclose(found[:, 0], np.stack([start] * 3), rtol=1e-6)


def test_at_a_place_it_is_the_cell_and_of_a_box_its_mean(mesh: Summary) -> None:
    event = speed("value", 0.3)
    members, truth = members_of(mesh)
    happens, happened = at_place(mesh, event, outlook(mesh, event), cell_place(4, 6))
    np.testing.assert_array_equal(happens, members[:, :, 4, 6] > np.float32(0.3))
    np.testing.assert_array_equal(happened, truth[:, 4, 6] > np.float32(0.3))
    happens, _ = at_place(mesh, event, outlook(mesh, event), Place(2, 3, 4, 5))
    np.testing.assert_array_equal(happens, members[:, :, 3:6, 2:5].mean(axis=(2, 3)) > 0.3)


def test_what_is_verified_counts_every_cell_and_lead_once(mesh: Summary) -> None:
    event = speed()
    members, truth = members_of(mesh)
    threshold = threshold_of(mesh, event)[1:]
    counted = mesh.counted
    expected = tally((members > threshold)[..., counted].astype(float), (truth > threshold)[:, counted].astype(float))
    found = verified(mesh, event, None)
    assert found is not None
    np.testing.assert_array_equal(found.tally.forecasts.sum(axis=0), expected.forecasts[0])
    np.testing.assert_array_equal(found.tally.hits.sum(axis=0), expected.hits[0])
    one = verified(mesh, event, 7)
    assert one is not None
    assert one.tally.count == counted.sum()
    only = tally(
        (members[:, 6] > threshold[6])[:, counted].astype(float), (truth > threshold)[6, counted].astype(float)
    )
    np.testing.assert_array_equal(one.tally.hits.sum(axis=0), only.hits[0])


def test_the_fair_brier_score_is_the_fair_crps_of_the_event(mesh: Summary) -> None:
    import xarray as xr

    event = speed()
    members, truth = members_of(mesh)
    threshold = threshold_of(mesh, event)[1:]
    forecast = xr.DataArray((members > threshold)[..., mesh.counted].astype(float), dims=("member", "lead", "cell"))
    target = xr.DataArray((truth > threshold)[:, mesh.counted].astype(float), dims=("lead", "cell"))
    found = verified(mesh, event, None)
    assert found is not None
    assert brier(found.tally, fair=True) == pytest.approx(float(crps(forecast, target, over=("lead", "cell"))))


def test_the_climatology_of_a_percentile_is_what_it_says_and_of_a_value_is_counted(mesh: Summary) -> None:
    assert (chance_in_baseline(mesh, speed(number=80)) == np.float32(0.2)).all()
    assert (chance_in_baseline(mesh, speed(number=80, side="below")) == np.float32(0.8)).all()
    found = verified(mesh, speed(number=80), None)
    assert found is not None
    base = found.tally.base_rate  # (0.2 - 1)² where it happened, else 0.2²
    assert found.climatology == pytest.approx(base * 0.64 + (1 - base) * 0.04, rel=1e-5)
    counted = chance_in_baseline(mesh, speed("value", 0.3))
    assert ((counted >= 0) & (counted <= 1))[:, mesh.counted].all()
    assert np.unique(counted[0, mesh.counted]).size > 10


def test_nothing_is_verified_where_no_truth_is_known() -> None:
    summary = forecast_summary("sst-monthly", "2023-01", steps=3, members=4)
    event = Event(variable_named("sst-monthly", "sst"), "value", 28.0, "above")
    assert verified(summary, event, None) is None
    assert np.isnan(outlook(summary, event).true_share).any()


def test_the_threshold_is_put_into_words(mesh: Summary) -> None:
    assert speed(number=91).words == "above the 91st percentile"
    assert "14 other test runs" in baseline_words(mesh, speed())
    flow = Event(variable_named("navier-stokes", "u"), "value", 1.25, "below")
    assert flow.words == "below 1.25 m s⁻¹"
    summary = forecast_summary("sst-monthly", "2015-06", steps=2, members=2)
    sst = Event(variable_named("sst-monthly", "sst"), "percentile", 90, "above")
    assert "1982–2009 in the same month" in baseline_words(summary, sst)


def test_the_percentile_of_the_page_is_the_engine_s(mesh: Summary) -> None:
    dataset = get_dataset("spring-mesh")
    expected = percentile_fields(dataset, dataset.load("0"), speed().variable, np.zeros(1), 75, {})
    np.testing.assert_array_equal(threshold_of(mesh, speed())[33], expected[0])


def test_only_the_latest_few_are_kept(mesh: Summary) -> None:
    made: list[int] = []

    def make(key: int) -> int:
        made.append(key)
        return key

    for key in (1, 2, 3, 4, 5, 5, 4, 1):
        assert latest(mesh, "numbers", key, make=partial(make, key)) == key
    assert made == [1, 2, 3, 4, 5, 1]


@pytest.mark.parametrize(
    ("first", "true_first", "words"),
    [
        (
            [1, 3, 2, np.inf],
            2.0,
            "At any lead time: **75 %**, 3 of 4 members. Half of these by 2. In truth first at 2.",
        ),
        ([np.inf, np.inf], np.inf, "At any lead time: **0 %**, 0 of 2 members. In truth it did not happen."),
        ([5], np.nan, "At any lead time: **100 %**, 1 of 1 member. Of the truth too little is known."),
    ],
)
def test_first_times_in_words(first: list[float], true_first: float, words: str) -> None:
    assert first_words(np.array(first, float), true_first, lambda lead: f"{lead:g}") == words


# -- charts ------------------------------------------------------------------------------------------------


def test_the_chart_of_first_times_has_a_dot_for_every_member_that_is_reached() -> None:
    lead = np.array([1.0, 2.0, 3.0])
    figure = first_time_chart(lead, np.array([2.0, np.inf, 1.0, 2.0]), 3.0, time_units="days", pinned=3)
    line = {trace.name: trace for trace in figure.data}
    assert list(line["so far"].y) == [25, 75, 75]
    assert list(line["members"].customdata) == ["member 3", "member 1", "member 4"]
    assert list(line["members"].y) == [25, 50, 75]
    assert len(set(line["members"].marker.color)) == 2
    assert list(line["truth"].x) == [3.0, 3.0]
    never = first_time_chart(lead, np.array([np.inf]), np.inf, time_units="days")
    assert [trace.name for trace in never.data] == ["so far", "members"]


def test_probabilities_of_many_leads_are_a_curve() -> None:
    few, many = (
        probability_chart(np.arange(count), np.full(count, 50.0), np.ones(count), time_units="s") for count in (12, 200)
    )
    assert (few.data[0].type, many.data[0].type) == ("bar", "scatter")
    assert many.data[0].fill == "tozeroy"


def test_the_reliability_diagram_and_the_roc_curve_hold_the_engine_s_numbers_also_as_tables() -> None:
    random = np.random.default_rng(0)
    found = tally((random.random((5, 300)) < 0.4).astype(float), (random.random(300) < 0.4).astype(float))
    shown, curve = diagram(found), roc(found)
    assert curve is not None
    bars = shown.frequency - 0.1, shown.frequency + 0.2
    figure = reliability_chart(shown, bars, found.base_rate)
    lines = {trace.name: trace for trace in figure.data}
    assert list(lines["forecasts"].y) == pytest.approx(100 * shown.frequency)
    assert list(lines["count"].y) == list(shown.count)
    low = np.array(lines["consistency"].y) - np.array(lines["consistency"].error_y.array)
    assert low == pytest.approx(100 * bars[0])
    assert list(lines["no skill"].y) == pytest.approx([50 * found.base_rate, 50 + 50 * found.base_rate])
    table = figure_table(figure)
    assert list(table.filter(like="forecasts").iloc[:, 0].dropna()) == pytest.approx(100 * shown.frequency)
    drawn = {trace.name: trace for trace in roc_chart(curve).data}["forecasts"]
    assert list(drawn.y) == pytest.approx(100 * curve.hits)
    assert drawn.customdata[0] == "never warned"
    without = reliability_chart(shown, (np.full(6, np.nan), np.full(6, np.nan)), found.base_rate)
    assert "consistency" not in [trace.name for trace in without.data]


# -- the page ----------------------------------------------------------------------------------------------


def test_the_page_shows_maps_charts_and_scores(open_probability: Open, mesh: Summary) -> None:
    page = open_probability(**MESH, percent="75")
    assert not page.exception
    assert not errors(page)
    assert len(maps(page)) == 1
    assert len(page.get("plotly_chart")) == 5
    found = verified(mesh, speed(number=75), None)
    assert found is not None
    shown = scores_of(page)
    assert float(shown["Brier score"]) == pytest.approx(brier(found.tally), abs=1e-6)
    assert float(shown["Fair Brier score"]) == pytest.approx(brier(found.tally, fair=True), abs=1e-6)
    reliability, resolution, uncertainty = (
        float(value) for name, value in shown.items() if name.startswith(("Reliability", "Resolution", "Uncertainty"))
    )
    assert reliability - resolution + uncertainty == pytest.approx(float(shown["Brier score"]), abs=3e-6)
    assert "a multiple of 25 %" in captions(page)
    assert "14 other test runs" in captions(page)


def test_what_is_picked_stands_in_the_link_and_a_link_gives_the_same_numbers(open_probability: Open) -> None:
    page = open_probability(**MESH)
    widget(page, "button_group", "/by").set_value("value").run()
    value = widget(page, "number_input", "/value-speed")
    assert value.value > 0
    value.set_value(0.25).run()
    widget(page, "button_group", "/side").set_value("below").run()
    assert not errors(page)
    link = {name: page.query_params[name] for name in ("by", "value-speed", "side")}
    assert link == {"by": "value", "value-speed": "0.25", "side": "below"}
    again = open_probability(**MESH, **link)
    assert scores_of(again) == scores_of(page)
    assert any("Speed below 0.25" in text.value for text in again.markdown)


def test_quantiles_of_ones_own_choice_are_shown_in_rising_order(open_probability: Open) -> None:
    page = open_probability(**MESH, maps="quantiles", low="95", high="20", width="true")
    assert not errors(page)
    assert {name: page.query_params[name] for name in ("maps", "low", "high", "width")} == {
        "maps": "quantiles",
        "low": "95",
        "high": "20",
        "width": "true",
    }
    assert len(maps(page)) == 1


def test_a_link_that_says_nonsense_gives_the_default(open_probability: Open) -> None:
    page = open_probability(**MESH, by="guess", percent="120", side="beside", maps="none", low="1")
    assert not page.exception
    assert widget(page, "button_group", "/by").value == "percentile"
    assert widget(page, "number_input", "/percent").value == 90


def test_a_heatwave_keeps_the_threshold_of_its_own(open_probability: Open) -> None:
    link = {"dataset": "sst-monthly", "init": "2015-06", "steps": "3", "members": "4"}
    page = open_probability(**link, variable="above-percentile-90", threshold="temperature-28.5")
    assert not errors(page)
    assert not [each for each in page.number_input if (each.key or "").endswith("/percent")]
    assert any(re.search(r"SST above 28\.5 °C", text.value) for text in page.markdown)
    assert len(page.get("plotly_chart")) == 5


def test_a_real_forecast_says_that_it_cannot_be_verified_yet(open_probability: Open) -> None:
    page = open_probability(dataset="sst-monthly", init="2023-01", steps="3", members="4")
    page = to_the_end(next(button for button in page.button if button.label == "Run").click().run())
    assert not page.exception
    assert any("cannot be verified yet" in info.value for info in page.info)
    assert not page.table
    assert len(page.get("plotly_chart")) == 3


def test_one_member_says_what_it_lacks(open_probability: Open) -> None:
    page = open_probability(**(MESH | {"members": "1"}))
    assert not page.exception
    assert "With one member every probability is 0 or 100 %" in captions(page)
    assert any("needs two at least" in info.value for info in page.info)
    assert not page.table


@pytest.mark.parametrize(
    ("value", "words"), [("900", "No member is above 900"), ("-900", "Every member is above -900")]
)
def test_a_threshold_beyond_all_values_is_said_to_be_so(open_probability: Open, value: str, words: str) -> None:
    page = open_probability(**MESH, by="value", **{"value-speed": value})
    assert not page.exception
    (info,) = page.info
    assert info.value.startswith(words)
    assert "The truth agrees." in info.value
    assert scores_of(page)["Skill against the base rate"] == "–"
    assert "there is no skill" in captions(page)


def test_the_lead_time_of_the_maps_can_be_verified_alone(open_probability: Open) -> None:
    page = open_probability(**MESH, leads="one")
    assert not page.exception
    assert "at the lead time 0.47 s" in captions(page)
    assert "90 cases" in captions(page)


def test_without_a_baseline_the_page_says_so_and_a_value_still_works(
    open_probability: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> np.ndarray:
        raise DataError("There are no training years on the grid of 'own-1': give a value.")

    for name in ("percentile_fields", "chance_fields"):
        monkeypatch.setattr(f"app.probability.event.{name}", none)
    page = open_probability(**(MESH | {"seed": "5"}))
    assert not page.exception
    assert any("no training years" in warning.value for warning in page.warning)
    assert not maps(page)
    widget(page, "button_group", "/by").set_value("value").run()
    assert not page.warning
    assert len(maps(page)) == 1
    assert "Skill against climatology" not in scores_of(page)
