"""Intervals of scores against scipy, closed forms, brute force and simulated coverage."""

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import xarray as xr

from engine.bootstrap import (
    Estimate,
    mean_estimate,
    paired_ratio_estimate,
    pooled_ratio_estimate,
    resample_blocks,
    resample_clusters,
    root_mean_estimate,
)
from engine.errors import RequestError
from engine.evaluation import by_unit, rank_deviation, resampling, skill

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.gamma(2.0, size=(20, 5))


def test_the_interval_of_a_mean_is_that_of_scipy() -> None:
    values = SCORES[:, :1]
    ours = mean_estimate(values, resample_clusters(20, resamples=20_000))
    theirs = scipy.stats.bootstrap(
        (values[:, 0],), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.02)


def test_every_draw_has_as_many_units_as_there_are_and_each_is_as_likely() -> None:
    for counts in (resample_clusters(7, resamples=4000), resample_blocks(7, 3, resamples=4000)):
        assert counts.shape == (4000, 7) and (counts.sum(axis=1) == 7).all()
        np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.08)


def test_draws_of_one_seed_are_the_same_and_of_another_are_others() -> None:
    assert np.array_equal(resample_clusters(9, seed=3), resample_clusters(9, seed=3))
    assert not np.array_equal(resample_clusters(9, seed=3), resample_clusters(9, seed=4))


def test_a_block_as_long_as_the_record_gives_the_record_itself_and_no_width() -> None:
    counts = resample_blocks(12, 12)
    assert (counts == 1).all()
    estimate = mean_estimate(RANDOM.normal(size=(12, 2)), counts)
    assert estimate.low == pytest.approx(estimate.value) and estimate.high == pytest.approx(estimate.value)


def test_blocks_are_neighbours_and_go_on_from_the_end_to_the_beginning() -> None:
    drawn = {tuple(counts) for counts in resample_blocks(4, 3, resamples=500)}
    # of the two blocks that fill four dates the second is cut to one date
    possible = set()
    for first in range(4):
        for second in range(4):
            dates = [first, first + 1, first + 2, second]
            possible.add(tuple(float(sum(date % 4 == place for date in dates)) for place in range(4)))
    assert drawn == possible


def test_alike_scores_have_an_interval_of_no_width() -> None:
    same = np.full((10, 3), 0.25)
    for counts in (resample_clusters(10), resample_blocks(10, 4)):
        assert mean_estimate(same, counts) == Estimate(0.25, 0.25, 0.25)
        assert root_mean_estimate(same, counts) == Estimate(0.5, 0.5, 0.5)
        assert pooled_ratio_estimate(same, 4 * same, counts) == Estimate(0.5, 0.5, 0.5)


def test_statistics_are_those_of_the_drawn_runs_one_by_one() -> None:
    counts = resample_clusters(20, resamples=300, seed=5)
    squares, variance = SCORES**2, RANDOM.gamma(2.0, size=SCORES.shape)
    drawn = [np.repeat(np.arange(20), row.astype(int)) for row in counts]
    roots = [np.sqrt(squares[rows].mean()) for rows in drawn]
    ratios = [np.sqrt(variance[rows].sum() / squares[rows].sum()) for rows in drawn]
    for estimate, values in (
        (root_mean_estimate(squares, counts), roots),
        (pooled_ratio_estimate(variance, squares, counts), ratios),
    ):
        assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_missing_scores_leave_every_lead_the_same_weight() -> None:
    values = np.array([[1.0, 4.0], [3.0, np.nan]])
    assert mean_estimate(values, resample_clusters(2)).value == pytest.approx((2 + 4) / 2)
    # drawn twice, the second unit has no second lead: the mean is that of the first lead alone
    estimate = mean_estimate(values, np.array([[0.0, 2.0], [0.0, 2.0]]))
    assert (estimate.low, estimate.high) == (3.0, 3.0)


@pytest.mark.filterwarnings("error")
def test_scores_that_are_not_there_have_no_mean() -> None:
    estimate = mean_estimate(np.full((4, 3), np.nan), resample_clusters(4))
    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()


def test_the_ratio_of_identical_forecasts_is_exactly_one() -> None:
    assert paired_ratio_estimate(SCORES, SCORES.copy(), resample_clusters(20)) == Estimate(1.0, 1.0, 1.0)


def test_a_pair_is_surer_than_two_separate_scores() -> None:
    rival = SCORES * RANDOM.uniform(1.2, 1.3, size=SCORES.shape)
    counts = resample_clusters(20)
    paired = paired_ratio_estimate(SCORES, rival, counts)
    assert paired.high < 1 and paired.high - paired.low < 0.05
    apart = mean_estimate(SCORES, counts), mean_estimate(rival, counts)
    assert apart[0].high > apart[1].low  # their own intervals overlap


def test_forecasts_of_other_leads_are_no_pair() -> None:
    with pytest.raises(RequestError, match="not of the same forecasts"):
        paired_ratio_estimate(SCORES, SCORES[:, :2], resample_clusters(20))


def test_intervals_of_dependent_forecasts_hold_the_truth_as_often_as_they_say_only_when_runs_are_drawn_whole() -> None:
    random = np.random.default_rng(11)
    runs, starts, trials = 25, 6, 200
    whole = single = 0
    for trial in range(trials):
        # forecasts of one run share most of their score
        scores = random.normal(size=(runs, 1)) + 0.3 * random.normal(size=(runs, starts))
        estimate = mean_estimate(scores, resample_clusters(runs, resamples=300, seed=trial))
        whole += estimate.low < 0 < estimate.high
        apart = mean_estimate(scores.reshape(-1, 1), resample_clusters(runs * starts, resamples=300, seed=trial))
        single += apart.low < 0 < apart.high
    assert 0.89 < whole / trials < 0.98
    assert single / trials < 0.75


def test_blocks_cover_the_mean_of_a_record_with_memory_better_than_single_dates() -> None:
    random = np.random.default_rng(12)
    dates, trials, held = 200, 150, {1: 0, 15: 0}
    for trial in range(trials):
        series = scipy.signal.lfilter([1.0], [1.0, -0.7], random.normal(size=dates + 50))[-dates:, None]
        for block in held:
            estimate = mean_estimate(series, resample_blocks(dates, block, resamples=300, seed=trial))
            held[block] += estimate.low < 0 < estimate.high
    assert held[15] / trials > 0.85
    assert held[1] / trials < 0.7


def test_one_run_has_a_score_and_no_interval() -> None:
    estimate = mean_estimate(SCORES[:1], resample_clusters(1))
    assert estimate.value == pytest.approx(SCORES[0].mean())
    assert np.isnan(estimate.low) and np.isnan(estimate.high)


@pytest.mark.parametrize(("count", "block"), [(0, 1), (5, 6), (5, 0)])
def test_what_cannot_be_drawn_is_refused(count: int, block: int) -> None:
    with pytest.raises(RequestError, match=r"to resample|choose 1 to 5"):
        resample_blocks(count, block)


# -- of evaluations ----------------------------------------------------------------------------------------


def evaluation(runs: int, starts: list[int], *, record: bool) -> xr.Dataset:
    """Scores in the form of `engine.evaluation.evaluate`: later starts reach fewer leads."""
    dims = ("run", "start", "lead", "channel")
    shape = (runs, len(starts), 4, 2)
    names = ("crps", "mse", "variance", "crps_biased", "variance_biased")
    scores = xr.Dataset(
        {name: (dims, np.random.default_rng(index).gamma(2.0, size=shape)) for index, name in enumerate(names)},
        {"run": range(runs), "start": starts, "lead": [1.0, 2.0, 3.0, 4.0], "channel": ["a", "b"]},
    )
    scores = scores.where((scores["start"] < starts[-1]) | (scores["lead"] < 3))
    scores["rank_counts"] = (*dims, "rank"), np.ones((*shape, 5))
    return scores.assign(mean=scores["crps"]) if record else scores


def test_the_middle_of_the_interval_is_the_score_that_is_printed() -> None:
    from engine.evaluation import across_channels, overall

    for scores in (evaluation(6, [0, 2], record=False), evaluation(1, list(range(10)), record=True)):
        for convention in ("fair", "paper"):
            found = skill(scores, convention=convention)
            expected = across_channels(overall(scores, convention=convention))
            assert found.crps.value == pytest.approx(float(expected["crps"]))
            assert found.rmse.value == pytest.approx(float(expected["rmse"]))
            assert found.ratio.value == pytest.approx(float(expected["pooled_ratio"]))
            assert found.crps.low < found.crps.value < found.crps.high


def test_simulated_runs_are_drawn_whole_and_dates_of_a_record_in_blocks_as_long_as_a_forecast() -> None:
    simulated = evaluation(6, [0, 2], record=False)
    assert resampling(simulated).shape[1] == 6 and by_unit(simulated, "crps").shape == (6, 4)
    record = evaluation(1, list(range(0, 40, 2)), record=True)
    # a forecast of 4 leads overlaps two starts that are 2 apart; the cube root of 20 dates is about 3
    assert np.array_equal(resampling(record), resample_blocks(20, 3))
    assert np.array_equal(resampling(record.isel(start=slice(8))), resample_blocks(8, 2))


def test_the_deviation_of_ranks_is_zero_when_flat_and_worst_when_all_are_one() -> None:
    flat = xr.DataArray(np.full((3, 4), 7.0), dims=("run", "rank"))
    assert rank_deviation(flat) == 0
    lopsided = xr.DataArray(np.array([[9.0, 0, 0, 0]]), dims=("run", "rank"))
    assert rank_deviation(lopsided) == pytest.approx(2 * (1 - 1 / 4))
    assert rank_deviation(xr.concat([flat * np.nan, flat], "start")) == 0  # leads that no start reaches
