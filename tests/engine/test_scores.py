"""The labelled scores against fractions worked by hand, brute force, closed forms and two other libraries."""

import math
import warnings

import numpy as np
import pytest
import scores.probability
import scoringrules
import xarray as xr
from scipy.special import ndtri

from engine.errors import RequestError
from engine.scores import (
    SCORES,
    crps,
    radial_spectrum,
    rank_histogram,
    rmse,
    spread,
    spread_skill_ratio,
)


def case(members: int = 6, seed: int = 1) -> tuple[xr.DataArray, xr.DataArray]:
    generator = np.random.default_rng(seed)
    coords = {"lead": [1.0, 2.5, 3.0], "y": [0.0, 0.1, 0.2, 0.3], "x": [0.0, 0.1, 0.2, 0.3, 0.4]}
    forecast = xr.DataArray(
        generator.normal(size=(members, 3, 4, 5)),
        dims=("member", "lead", "y", "x"),
        coords=coords,
        attrs={"units": "m s-1"},
    )
    truth = xr.DataArray(generator.normal(size=(3, 4, 5)), dims=("lead", "y", "x"), coords=coords)
    return forecast, truth


def single(members: list[float], truth: float) -> tuple[xr.DataArray, xr.DataArray]:
    return xr.DataArray(members, dims="member"), xr.DataArray(truth)


def test_crps_of_members_0_1_3_and_truth_2_is_a_third() -> None:
    forecast, truth = single([3, 0, 1], 2)
    assert float(crps(forecast, truth)) == pytest.approx(1 / 3)
    assert float(crps(forecast, truth, fair=False)) == pytest.approx(2 / 3)


def test_crps_agrees_with_brute_force() -> None:
    forecast, truth = case()
    f, t = forecast.values, truth.values
    for divisor, fair in ((6 * 5, True), (36, False)):
        expected = np.abs(f - t).mean(0) - sum(np.abs(a - b) for a in f for b in f) / (2 * divisor)
        np.testing.assert_allclose(crps(forecast, truth, fair=fair), expected, rtol=1e-12)
        np.testing.assert_allclose(crps(forecast, truth, over=["y", "x"], fair=fair), expected.mean((1, 2)), rtol=1e-12)


@pytest.mark.parametrize("members", [2, 6, 31])
def test_crps_agrees_with_the_libraries_scores_and_scoringrules(members: int) -> None:
    forecast, truth = case(members)
    for fair, method, estimator in ((True, "fair", "fair"), (False, "ecdf", "qd")):
        ours = crps(forecast, truth, fair=fair)
        theirs = scores.probability.crps_for_ensemble(forecast, truth, "member", method=method, preserve_dims="all")
        xr.testing.assert_allclose(ours, theirs.transpose(*ours.dims))
        others = scoringrules.crps_ensemble(truth.values, forecast.values, 0, estimator=estimator)
        np.testing.assert_allclose(ours, others, rtol=1e-10, atol=1e-15)


def test_crps_of_a_standard_normal_is_the_closed_form() -> None:
    levels = (np.arange(2000) + 0.5) / 2000
    forecast = xr.DataArray(ndtri(levels), dims="member")
    assert float(crps(forecast, xr.DataArray(0.0), fair=False)) == pytest.approx(
        (math.sqrt(2) - 1) / math.sqrt(math.pi), abs=1e-4
    )


def test_the_member_dimension_may_lie_anywhere_and_have_any_name() -> None:
    forecast, truth = case()
    moved = forecast.rename(member="run").transpose("y", "run", "x", "lead")
    xr.testing.assert_allclose(crps(moved, truth, member_dim="run"), crps(forecast, truth).transpose("y", "x", "lead"))


def test_float32_read_only_big_endian_data_are_scored() -> None:
    forecast, truth = case()
    stored = forecast.astype(">f4")
    stored.values.setflags(write=False)
    np.testing.assert_allclose(crps(stored, truth.astype("float32")), crps(forecast, truth), atol=1e-6)


def test_rmse_is_averaged_before_the_root() -> None:
    forecast = xr.DataArray([[1.0, 2.0], [3.0, 4.0]], dims=("member", "x"))  # means 2 and 3
    truth = xr.DataArray([2.0, -1.0], dims="x")  # errors 0 and 4
    assert rmse(forecast, truth).values.tolist() == [0.0, 4.0]
    assert float(rmse(forecast, truth, over="x")) == pytest.approx(math.sqrt(8))


def test_spread_skill_ratio_is_pooled_before_the_ratio_and_follows_both_conventions() -> None:
    # ddof-1 variances 2 and 8, (M+1)/M = 3/2; squared errors 4 and 1
    forecast = xr.DataArray([[-1.0, -2.0], [1.0, 2.0]], dims=("member", "x"))
    truth = xr.DataArray([2.0, 1.0], dims="x")
    assert float(spread_skill_ratio(forecast, truth, over="x")) == pytest.approx(math.sqrt(5 * 1.5 / 2.5))
    paper = spread_skill_ratio(forecast, truth, over="x", corrected=False)
    assert float(paper) == pytest.approx(math.sqrt(2.5 / 2.5))
    assert float(spread(forecast, over="x")) == pytest.approx(math.sqrt(7.5))
    assert float(spread(forecast, over="x", corrected=False)) == pytest.approx(math.sqrt(2.5))
    np.testing.assert_allclose(spread_skill_ratio(forecast, truth), [math.sqrt(3) / 2, math.sqrt(12)])


@pytest.mark.parametrize("members", [2, 5, 20])
def test_an_exchangeable_ensemble_of_any_size_has_a_corrected_ratio_of_one(members: int) -> None:
    draw = np.random.default_rng(3).normal(size=(members + 1, 40000))
    forecast, truth = xr.DataArray(draw[1:], dims=("member", "x")), xr.DataArray(draw[0], dims="x")
    assert float(spread_skill_ratio(forecast, truth, over="x")) == pytest.approx(1, abs=0.02)


def test_one_member_has_an_error_but_neither_a_fair_score_nor_a_corrected_spread() -> None:
    forecast, truth = case(1)
    np.testing.assert_allclose(crps(forecast, truth, fair=False), abs(forecast[0] - truth))
    assert float(spread(forecast, corrected=False, over=["lead", "y", "x"])) == 0
    for refused in (crps, spread, spread_skill_ratio):
        with pytest.raises(RequestError, match="got 1 of them"):
            refused(forecast, truth)


def test_cells_without_truth_or_without_forecast_are_skipped() -> None:
    forecast, truth = case()
    truth[0, 1, 2] = np.nan
    forecast[2, 0, 3, 3] = np.nan
    kept = np.ones((4, 5), dtype=bool)
    kept[1, 2] = kept[3, 3] = False
    flat_forecast = xr.DataArray(forecast.values[:, 0][:, kept], dims=("member", "x"))
    flat_truth = xr.DataArray(truth.values[0][kept], dims="x")
    for score in (crps, rmse, spread, spread_skill_ratio, rank_histogram):
        masked = score(forecast, truth, over=["y", "x"]).isel(lead=0)
        np.testing.assert_allclose(masked, score(flat_forecast, flat_truth, over="x"), err_msg=score.__name__)


def test_an_average_of_nothing_is_nan_without_a_warning() -> None:
    forecast, truth = case()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for score in (crps, rmse, spread, spread_skill_ratio):
            assert np.isnan(score(forecast, truth * np.nan, over=["y", "x"])).all()


def test_rank_histogram_of_a_truth_below_inside_and_above() -> None:
    forecast = xr.DataArray([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0]], dims=("member", "x"))
    truth = xr.DataArray([0.0, 1.5, 1.5, 3.0], dims="x")
    histogram = rank_histogram(forecast, truth, over="x")
    assert histogram["rank"].values.tolist() == [1, 2, 3]
    assert histogram.values.tolist() == [0.25, 0.5, 0.25]
    assert rank_histogram(forecast, truth).values.argmax(-1).tolist() == [0, 1, 1, 2]


def test_rank_histogram_agrees_with_the_library_scores_where_nothing_is_tied() -> None:
    forecast, truth = case()
    theirs = scores.probability.rank_histogram(forecast, truth, "member", preserve_dims="lead")
    np.testing.assert_allclose(rank_histogram(forecast, truth, over=["y", "x"]), theirs.transpose("lead", "rank"))


def test_tied_ranks_are_drawn_evenly_and_reproducibly() -> None:
    forecast = xr.DataArray(np.zeros((3, 40000)), dims=("member", "x"))
    truth = xr.DataArray(np.zeros(40000), dims="x")
    histogram = rank_histogram(forecast, truth, over="x", seed=5)
    np.testing.assert_allclose(histogram, 0.25, atol=0.01)
    xr.testing.assert_identical(histogram, rank_histogram(forecast, truth, over="x", seed=5))
    assert not histogram.equals(rank_histogram(forecast, truth, over="x", seed=6))


def test_the_spectrum_sums_to_the_variance_of_the_field() -> None:
    forecast, _ = case()
    total = radial_spectrum(forecast).sum("wavenumber")
    np.testing.assert_allclose(total, forecast.var(("y", "x")), rtol=1e-12)


def test_the_spectrum_of_a_cosine_stands_at_its_wavenumber_in_cycles_per_metre() -> None:
    x = 0.05 + 0.1 * np.arange(40)
    field = xr.DataArray(
        np.broadcast_to(np.cos(2 * np.pi * 2.0 * x), (20, 40)),
        dims=("y", "x"),
        coords={"y": 0.1 * np.arange(20), "x": x},
    )
    spectrum = radial_spectrum(field)
    assert float(spectrum["wavenumber"][spectrum.values.argmax()]) == pytest.approx(2.0)
    assert float(spectrum.max()) == pytest.approx(0.5)


def test_the_spectrum_of_the_mean_lies_below_that_of_independent_members() -> None:
    forecast, truth = case(8)
    spectrum = radial_spectrum(forecast, truth, over="lead")
    assert spectrum["of"].values.tolist() == ["member", "mean", "truth"]
    total = spectrum.sum("wavenumber")
    assert float(total.sel(of="mean")) < 0.5 * float(total.sel(of="member"))
    np.testing.assert_allclose(total.sel(of="truth"), truth.var(("y", "x")).mean("lead"))


def test_missing_cells_of_a_spectrum_count_as_the_mean() -> None:
    field = xr.DataArray([[1.0, np.nan, 3.0]] * 2, dims=("y", "x"))
    np.testing.assert_allclose(radial_spectrum(field), radial_spectrum(field.fillna(2.0)))


def test_units_follow_the_forecast() -> None:
    forecast, truth = case()
    assert {score: SCORES[score](forecast, truth).attrs["units"] for score in SCORES} == {
        "crps": "m s-1",
        "rmse": "m s-1",
        "spread": "m s-1",
        "spread_skill_ratio": "1",
        "rank_histogram": "1",
        "radial_spectrum": "(m s-1)2",
    }


@pytest.mark.parametrize("name", SCORES)
def test_every_registered_score_averages_over_leads_and_refuses_what_does_not_fit(name: str) -> None:
    forecast, truth = case()
    score = SCORES[name]
    assert "lead" in score(forecast, truth).dims
    assert "lead" not in score(forecast, truth, over="lead").dims
    with pytest.raises(RequestError, match="no dimension time to average over"):
        score(forecast, truth, over=["time"])
    with pytest.raises(RequestError, match="no dimension 'run'"):
        score(forecast, truth, member_dim="run")
    with pytest.raises(RequestError, match="do not lie on the same points"):
        score(forecast, truth.isel(lead=slice(2)))
    with pytest.raises(RequestError, match="select one of its members"):
        score(forecast, forecast)
