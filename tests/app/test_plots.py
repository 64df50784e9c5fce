"""Figures hold the numbers they were given."""

import numpy as np
import pytest

from app.plots.curves import BLUE, Curve, ratio_chart, score_chart, with_cursor
from app.plots.fan import fan_chart, normal_bands, quantile_bands
from app.plots.plume import Plume, plume_chart
from app.plots.probability import probability_chart

LEAD = np.array([0.5, 1.0])


def test_the_score_chart_has_one_line_per_curve() -> None:
    figure = score_chart((Curve("fair CRPS", LEAD, np.array([1.0, 2.0]), BLUE),), time_units="s", units="m")
    assert [line.name for line in figure.data] == ["fair CRPS"]
    assert list(figure.data[0].y) == [1.0, 2.0]
    assert figure.layout.xaxis.title.text == "lead time (s)"
    assert figure.layout.yaxis.title.text == "m"


@pytest.mark.parametrize(("baseline", "top"), [(2.0, 2.0), (50.0, 3.0)])
def test_a_baseline_far_above_does_not_flatten_the_forecast(baseline: float, top: float) -> None:
    own = Curve("fair CRPS", LEAD, np.array([np.nan, 1.0]), BLUE)
    far = Curve("CRPS of persistence", LEAD, np.array([0.0, baseline]), BLUE, "dot", is_baseline=True)
    figure = score_chart((own, far), time_units="s", units="m")
    assert figure.layout.yaxis.range == pytest.approx((0, 1.05 * top))


def test_the_ratio_chart_always_shows_one() -> None:
    low = ratio_chart(LEAD, np.array([0.1, np.nan]), time_units="s")
    assert low.layout.yaxis.range[1] >= 1.5
    none = ratio_chart(LEAD, np.array([np.nan, np.nan]), time_units="s", missing="no truth is known here")
    assert none.layout.yaxis.range == (0, 1.5)
    assert [note.text for note in none.layout.annotations] == ["no truth is known here"]


def test_the_bands_of_one_to_five_are_its_quartiles() -> None:
    bands = quantile_bands(np.array([[1.0], [2.0], [3.0], [4.0], [5.0]]))
    assert bands.percentiles[:, 0] == pytest.approx([1.4, 2.0, 3.0, 4.0, 4.6])


def test_the_bands_of_a_normal_distribution_are_symmetric() -> None:
    bands = normal_bands(np.array([10.0]), np.array([2.0])).percentiles[:, 0]
    assert bands[2] == pytest.approx(10.0)
    assert bands[4] - 10 == pytest.approx(2 * 1.2815515655446004)
    assert bands[4] - 10 == pytest.approx(10 - bands[0])


def test_the_fan_chart_shows_two_bands_median_and_truth() -> None:
    bands = normal_bands(np.zeros(2), np.ones(2))
    figure = fan_chart(LEAD, bands, np.array([0.0, np.nan]), time_units="s", units="")
    assert [trace.name for trace in figure.data] == ["10–90 %", "25–75 %", "median", "truth"]


def test_the_fan_chart_shows_the_threshold_under_median_and_truth() -> None:
    bands = normal_bands(np.zeros(2), np.ones(2))
    figure = fan_chart(LEAD, bands, np.zeros(2), time_units="days", units="°C", threshold=np.array([1.0, 1.5]))
    assert [trace.name for trace in figure.data][2:] == ["threshold", "median", "truth"]
    assert list(figure.data[2].y) == [1.0, 1.5]


def test_a_probability_is_marked_only_where_it_is_known_to_have_happened() -> None:
    lead = np.array([1.0, 2.0, 3.0])
    figure = probability_chart(lead, np.array([10.0, 50.0, 90.0]), np.array([0.0, 1.0, np.nan]), time_units="days")
    bars, happened = figure.data
    assert list(bars.y) == [10.0, 50.0, 90.0]
    assert list(happened.x) == [2.0]


def test_the_plume_shows_every_member_and_names_el_nino_and_la_nina() -> None:
    dates = np.array(["2015-06", "2015-07"], "datetime64[s]")
    members = np.array([[0.5, 1.0], [0.5, 2.0], [0.5, 6.0]])
    before = np.array(["2015-05", "2015-06"], "datetime64[s]")
    figure = plume_chart(Plume(dates, members, before, np.array([0.2, 0.5])))
    lines = {trace.name: trace for trace in figure.data}
    assert set(lines) == {"10–90 %", "25–75 %", "members", "median", "truth"}
    assert list(lines["median"].y) == [0.5, 2.0]
    drawn = np.array(lines["members"].y).reshape(3, 3)
    np.testing.assert_array_equal(drawn[:, :2], members)
    assert np.isnan(drawn[:, 2]).all()  # a gap from one member to the next
    assert [note.text for note in figure.layout.annotations] == ["El Niño", "", "La Niña"]
    assert {line.y0 for line in figure.layout.shapes} >= {0.5, 0.0, -0.5}


def test_members_are_one_line_with_gaps() -> None:
    members = np.array([[1.0, 2.0], [3.0, 4.0]])
    figure = fan_chart(LEAD, quantile_bands(members), members[0], members=members, time_units="s", units="m")
    (line,) = [each for each in figure.data if each.name == "members"]
    np.testing.assert_array_equal(line.y, [1, 2, np.nan, 3, 4, np.nan])
    np.testing.assert_array_equal(line.x, [0.5, 1, 1, 0.5, 1, 1])


def test_a_chart_says_where_every_frame_of_the_maps_stands() -> None:
    figure = with_cursor(ratio_chart(LEAD, np.array([1.0, 1.0]), time_units="s"), [0, *LEAD])
    assert figure.layout.meta["cursor"] == [0, 0.5, 1.0]
