"""The numbers behind a chart as CSV: what is read back is what was drawn."""

import io
from datetime import date

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from app.exports.table import figure_csv, figure_table, heading
from app.plots.curves import BLUE, GREY, Curve, ratio_chart, score_chart
from app.plots.fan import fan_chart, quantile_bands
from app.plots.plume import Plume, plume_chart
from app.plots.probability import probability_chart
from app.plots.skill import Dots, category_chart, setting_chart, trend_chart

LEAD = np.array([0.5, 1.0, 1.5])
MEMBERS = np.random.default_rng(0).normal(size=(4, 3))


def read(figure: go.Figure) -> pd.DataFrame:
    """The file as a program reads it."""
    return pd.read_csv(io.BytesIO(figure_csv(figure)), encoding="utf-8-sig")


def test_curves_stand_side_by_side_over_lead_time_with_their_units() -> None:
    truth = np.array([0.25, np.nan, 1 / 3])
    curves = (Curve("fair CRPS", LEAD, truth, BLUE), Curve("RMSE", LEAD, 2 * truth, BLUE))
    found = read(score_chart(curves, time_units="s", units="m s⁻¹"))
    assert list(found) == ["lead time (s)", "fair CRPS (m s⁻¹)", "RMSE (m s⁻¹)"]
    np.testing.assert_array_equal(found["lead time (s)"], LEAD)
    np.testing.assert_array_equal(found["fair CRPS (m s⁻¹)"], truth)
    np.testing.assert_array_equal(found["RMSE (m s⁻¹)"], 2 * truth)


def test_a_curve_over_other_leads_gets_rows_of_its_own() -> None:
    curves = (Curve("a", LEAD, LEAD, BLUE), Curve("b", np.array([1.0, 4.0]), np.array([7.0, 8.0]), GREY))
    found = read(score_chart(curves, time_units="d", units="K"))
    assert found["lead time (d)"].tolist() == [0.5, 1.0, 1.5, 4.0]
    np.testing.assert_array_equal(found["b (K)"], [np.nan, 7, np.nan, 8])


def test_every_member_is_a_column_and_a_range_has_two_ends() -> None:
    bands = quantile_bands(MEMBERS)
    found = read(fan_chart(LEAD, bands, LEAD, members=MEMBERS, time_units="s", units="m"))
    for number, member in enumerate(MEMBERS, 1):
        np.testing.assert_allclose(found[f"member {number} (m)"], member, rtol=1e-15)
    for name, row in (("10–90 % low", 0), ("25–75 % low", 1), ("median", 2), ("25–75 % high", 3), ("10–90 % high", 4)):
        np.testing.assert_allclose(found[f"{name} (m)"], bands.percentiles[row], rtol=1e-15)
    assert len(found) == 3


def test_one_member_is_a_column_too() -> None:
    found = read(fan_chart(LEAD, quantile_bands(MEMBERS[:1]), LEAD, members=MEMBERS[:1], time_units="s", units="m"))
    np.testing.assert_array_equal(found["member 1 (m)"], MEMBERS[0])


def test_a_member_that_ends_early_keeps_its_gap() -> None:
    members = MEMBERS.copy()
    members[1, 2] = np.nan
    found = read(fan_chart(LEAD, quantile_bands(MEMBERS), LEAD, members=members, time_units="s", units="m"))
    np.testing.assert_array_equal(found["member 2 (m)"], members[1])


def test_a_plume_has_dates_and_the_year_before() -> None:
    before, after = [date(2015, month, 1) for month in (4, 5, 6)], [date(2015, month, 1) for month in (6, 7, 8)]
    figure = plume_chart(Plume(np.array(after), MEMBERS, np.array([*before, *after[1:]]), np.arange(5.0)))
    found = read(figure)
    assert found["date"].tolist() == ["2015-04-01", "2015-05-01", "2015-06-01", "2015-07-01", "2015-08-01"]
    np.testing.assert_allclose(found["member 4 (°C)"], [np.nan, np.nan, *MEMBERS[3]])
    np.testing.assert_array_equal(found["truth (°C)"], np.arange(5.0))


def test_a_mark_says_that_it_happened_not_how_high_it_is_drawn() -> None:
    figure = probability_chart(LEAD, np.array([10.0, 20.0, 30.0]), np.array([0.0, 1.0, np.nan]), time_units="d")
    found = read(figure)
    assert found["probability (%)"].tolist() == [10, 20, 30]
    np.testing.assert_array_equal(found["happened"], [np.nan, 1, np.nan])


def test_intervals_of_dots_are_columns_and_categories_have_their_names() -> None:
    dots = Dots("a", np.array([10, 20]), np.array([1.0, 2.0]), np.array([0.5, np.nan]), np.array([1.5, np.nan]))
    found = read(category_chart((dots,), x_title="horizon", y_title="CRPS (K)"))
    assert found["horizon"].tolist() == [10, 20]
    assert found["CRPS (K)"].tolist() == [1.0, 2.0]
    assert (found["low"][0], found["high"][0]) == (0.5, 1.5)
    trend = read(trend_chart((dots,), x_title="n", y_title="CRPS (K)"))
    assert trend["n"].tolist() == [10, 20]


def test_settings_that_stand_in_lines_keep_their_names() -> None:
    names = np.array(["cold, full", "naive"])
    dots = Dots("", names, np.array([1.0, 2.0]), np.array([0.5, 1.5]), np.array([1.5, 2.5]))
    found = read(setting_chart(dots, np.array([0.9, 1.1]), unit="K"))
    assert found["name"].tolist() == ["cold, full", "naive"] * 2
    assert found["fair CRPS (K)"].dropna().tolist() == [1.0, 2.0]
    assert found["spread ÷ RMSE"].dropna().tolist() == [0.9, 1.1]


def test_a_heat_map_has_a_row_per_cell() -> None:
    figure = go.Figure(go.Heatmap(x=[1, 2, 3], y=[10, 20], z=[[1, 2, 3], [4, 5, None]], name="spread"))
    figure.update_xaxes(title="lead").update_yaxes(title="rank")
    found = read(figure)
    assert list(found) == ["lead", "rank", "spread"]
    assert found["lead"].tolist() == [1, 2, 3, 1, 2, 3] and found["rank"].tolist() == [10, 10, 10, 20, 20, 20]
    np.testing.assert_array_equal(found["spread"], [1, 2, 3, 4, 5, np.nan])


def test_a_chart_without_truth_is_a_table_without_values() -> None:
    found = read(ratio_chart(LEAD, np.full(3, np.nan), time_units="s", missing="no truth"))
    assert list(found) == ["lead time (s)", "spread ÷ RMSE"]
    assert found["spread ÷ RMSE"].isna().all()


def test_an_empty_chart_is_an_empty_table() -> None:
    assert figure_table(go.Figure()).empty


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2"])
def test_a_hostile_name_is_no_formula(name: str) -> None:
    figure = go.Figure(go.Scatter(x=[1, 1], y=[2, 3], name=name, text=[name, name], mode="markers"))
    assert read(figure)["curve"].tolist() == [f"'{name}"] * 2
    assert read(figure)["note"].tolist() == [f"'{name}"] * 2


def test_names_with_commas_quotes_and_marks_of_layout_are_read_back() -> None:
    figure = go.Figure()
    figure.add_scatter(x=[1.0], y=[2.0], name='a, "b"<br>c', mode="lines")
    figure.add_scatter(x=[1.0], y=[3.0], name="x &lt; y", mode="lines")
    figure.add_scatter(x=[1.0], y=[4.0], name="x &lt; y", mode="lines")
    assert list(read(figure)) == ["x", 'a, "b" c', "x < y", "x < y 2"]


def test_a_trace_can_stay_out_of_the_file() -> None:
    figure = go.Figure(
        [go.Scatter(x=[1], y=[2], name="line", meta={"file": False}), go.Scatter(x=[1], y=[3], name="a")]
    )
    assert list(read(figure)) == ["x", "a"]


def test_a_heading_says_units_once() -> None:
    assert heading("RMSE", "K") == "RMSE (K)"
    assert heading("probability", "probability (%)") == "probability (%)"
    assert heading("", "CRPS (K)") == "CRPS (K)"
    assert heading("mean", "") == "mean"
