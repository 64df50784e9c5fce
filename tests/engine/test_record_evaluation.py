"""Scores of observed records: by hand, beside the baselines, with indices and correlation; and the command's report."""

from collections.abc import Callable

import numpy as np
import pytest
import scoringrules
import xarray as xr

from engine.commands.evaluate import report
from engine.datasets import get_dataset
from engine.datasets.base import Run
from engine.evaluation import by_lead, evaluate
from engine.indices import INDICES
from engine.record_evaluation import correlation, record_baselines, score_record_forecast

DATASET = get_dataset("sst-monthly")
RUN = DATASET.load("pacific")
SEA = DATASET.scored(RUN)
STARTS = [400, 410, 420, 430, 485]


def forecasting(members: Callable[[np.ndarray], np.ndarray]) -> Callable[[Run, int, int], xr.Dataset]:
    """A forecast made of the truth: members (member, lead, lat, lon) from the true (lead, lat, lon)."""

    def forecast(run: Run, start: int, steps: int) -> xr.Dataset:
        values = members(run.states[start + 1 : start + 1 + steps, 0])
        coordinates = {"lead": np.arange(1.0, len(values[0]) + 1)}
        return xr.Dataset({"sst": (("member", "lead", "lat", "lon"), values)}, coordinates)

    return forecast


def spread_about(truth: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=(8, *truth.shape))
    return (truth + 0.3 + noise).astype(np.float32)


def test_the_field_is_scored_in_degrees_over_the_sea_alone() -> None:
    forecast = forecasting(spread_about)(RUN, 400, 3)
    scores = score_record_forecast(forecast, RUN, 400, DATASET)
    members, truth = forecast["sst"].values[..., SEA], RUN.states[401:404, 0, SEA]
    expected = scoringrules.crps_ensemble(truth, members, m_axis=0, estimator="fair").mean(axis=-1)
    np.testing.assert_allclose(scores["crps"].sel(channel="sst"), expected, rtol=1e-4)
    error = ((members.mean(axis=0) - truth) ** 2).mean(axis=-1)
    np.testing.assert_allclose(scores["mse"].sel(channel="sst"), error, rtol=1e-4)
    np.testing.assert_allclose(
        scores["variance"].sel(channel="sst"), members.var(axis=0, ddof=1).mean(axis=-1) * 9 / 8, rtol=1e-4
    )
    assert scores["mean"].sel(channel="sst").isnull().all()


def test_standardised_scores_weigh_every_cell_by_its_variability() -> None:
    forecast = forecasting(spread_about)(RUN, 400, 3)
    scores = score_record_forecast(forecast, RUN, 400, DATASET)
    members, truth = forecast["sst"].values[..., SEA], RUN.states[401:404, 0, SEA]
    scale = DATASET.background(RUN).scale[0][SEA]
    each = scoringrules.crps_ensemble(truth, members, m_axis=0, estimator="fair") / scale
    np.testing.assert_allclose(scores["crps"].sel(channel="standardised"), each.mean(axis=-1), rtol=1e-4)


def test_the_index_is_scored_as_one_number() -> None:
    forecast = forecasting(spread_about)(RUN, 400, 3)
    scores = score_record_forecast(forecast, RUN, 400, DATASET).sel(channel="nino34")
    weights = INDICES["nino34"].weights(DATASET.axes, SEA)[SEA]
    of_members = forecast["sst"].values[..., SEA] @ weights
    of_truth = RUN.states[401:404, 0, SEA] @ weights
    expected = scoringrules.crps_ensemble(of_truth, of_members, m_axis=0, estimator="fair")
    np.testing.assert_allclose(scores["crps"], expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(scores["mean"] - scores["truth"], of_members.mean(axis=0) - of_truth, atol=1e-4)


def test_a_perfect_forecast_beats_every_baseline_and_correlates_fully() -> None:
    perfect = forecasting(lambda truth: np.repeat(truth[None], 3, axis=0))
    scores = evaluate(DATASET, [RUN], STARTS, perfect)
    assert scores["lead"].size == 12 and scores["start"].values.tolist() == STARTS
    assert float(scores["crps"].max()) == pytest.approx(0, abs=1e-6)
    known = scores["mse"].notnull()
    assert known.sel(start=485, lead=8).all() and not known.sel(start=485, lead=9).any()  # the record ends
    assert bool((scores["baseline_crps"] > scores["crps"]).where(known, True).all())
    related = correlation(scores)
    assert related["channel"].values.tolist() == ["nino34"]
    assert related["count"].sel(lead=[8, 9]).values.ravel().tolist() == [5, 4]
    np.testing.assert_allclose(related["correlation"], 1, atol=1e-9)
    assert (related["baseline_correlation"].sel(baseline="persistence") < 1).all()


def test_persistence_s_correlation_is_that_of_the_index_with_itself() -> None:
    perfect = forecasting(lambda truth: np.repeat(truth[None], 2, axis=0))
    scores = evaluate(DATASET, [RUN], STARTS[:4], perfect, steps=3)
    truth = scores["truth"].sel(run="pacific", channel="nino34")
    start = record_baselines(DATASET, RUN, STARTS[:4], 1)["mean"].sel(baseline="persistence", channel="nino34", lead=1)
    found = correlation(scores)["baseline_correlation"].sel(baseline="persistence", lead=3, channel="nino34")
    assert float(found) == pytest.approx(np.corrcoef(start, truth.sel(lead=3))[0, 1], abs=1e-5)


def test_the_field_s_baselines_are_the_same_in_degrees_and_scaled_in_deviations() -> None:
    baselines = record_baselines(DATASET, RUN, STARTS, 4)
    assert baselines["baseline"].values.tolist() == ["persistence", "damped persistence", "climatology"]
    assert baselines.attrs["baseline_years"] == "1982–2009"
    averages = baselines["crps"].mean("start")
    assert (averages.sel(channel="sst") < averages.sel(channel="standardised")).all()  # anomalies are below 1 °C here
    climate = averages.sel(channel="sst", baseline="climatology")
    assert (averages.sel(channel="sst", baseline="damped persistence", lead=1) < climate.sel(lead=1)).all()


def test_the_report_has_a_table_for_every_quantity_and_the_sample_size() -> None:
    perfect = forecasting(lambda truth: np.repeat(truth[None], 3, axis=0))
    lines = report(evaluate(DATASET, [RUN], STARTS, perfect, steps=2))
    assert "1982–2009" in lines[0]
    assert [line for line in lines if line in ("sst", "standardised", "nino34")] == ["sst", "standardised", "nino34"]
    (last,) = [line for line in lines if line.startswith("lead 2") and line.split()[2] == "5"]
    assert last.split()[3] == "1.000"
    by_lead_titles = next(line for line in lines if "damped persistence CRPS" in line)
    assert "climatology CRPS" in by_lead_titles
    assert by_lead(evaluate(DATASET, [RUN], STARTS, perfect, steps=2))["baseline_crps"].sizes["baseline"] == 3
