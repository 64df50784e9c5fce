"""Reliability, Brier score, its parts and ROC: worked by hand, by brute force, and by the library `scores`."""

import numpy as np
import pytest
import xarray as xr
from scores import probability as oracle

from engine.errors import RequestError
from engine.reliability import (
    Tally,
    bins_of,
    brier,
    consistency_bars,
    decompose,
    diagram,
    roc,
    skill,
    tally,
)

HAND = (
    # four members, five cells: 4, 2, 2, 0 and 1 of them are beyond; it happens in the first two
    np.array([[1, 1, 1, 0, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0]], float),
    np.array([1, 1, 0, 0, 0], float),
)


def random_case(members: int, cells: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Events that are related to their truth, but neither perfectly nor reliably."""
    random = np.random.default_rng(seed)
    chance = random.beta(0.6, 1.0, cells)
    happens = (random.random((members, cells)) < chance).astype(float)
    return happens, (random.random(cells) < chance**1.5).astype(float)


def test_a_tally_worked_by_hand() -> None:
    found = tally(*HAND)
    assert found.forecasts.tolist() == [[1, 1, 2, 0, 1]]
    assert found.hits.tolist() == [[0, 0, 1, 0, 1]]
    assert found.member_hits[0].tolist() == [[0, 1, 2, 0, 1], [0, 0, 2, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]]
    assert (found.members, found.count, found.base_rate) == (4, 5, 0.4)


def test_scores_worked_by_hand() -> None:
    found = tally(*HAND)
    # squared differences: 0, 1/4, 1/4, 0, 1/16
    assert brier(found) == pytest.approx((1 / 4 + 1 / 4 + 1 / 16) / 5)
    # the fair score takes off p (1 - p) / 3: 1/12 twice and 1/16
    assert brier(found, fair=True) == pytest.approx((1 / 4 + 1 / 4 + 1 / 16 - 1 / 12 - 1 / 12 - 1 / 16) / 5)
    parts = decompose(found)
    # bins: p = 1, f = 1; p = 1/2, f = 1/2 of two; p = 1/4, f = 0; p = 0, f = 0; base rate 2/5
    assert parts.reliability == pytest.approx((1 / 16) / 5)
    assert parts.resolution == pytest.approx((9 / 25 + 2 / 100 + 4 / 25 + 4 / 25) / 5)
    assert parts.uncertainty == pytest.approx(6 / 25)
    assert parts.within == pytest.approx(0)
    assert skill(brier(found), parts.uncertainty) == pytest.approx(1 - 0.1125 / 0.24)


def test_the_diagram_worked_by_hand() -> None:
    shown = diagram(tally(*HAND))
    assert shown.probability == pytest.approx([0, 0.25, 0.5, 1])
    assert shown.frequency == pytest.approx([0, 0, 0.5, 1])
    assert shown.count.tolist() == [1, 1, 2, 1]


def test_cells_that_are_not_known_do_not_count() -> None:
    happens, truth = HAND
    happens, truth = np.c_[happens, [1, 1, np.nan, 1], np.ones(4)], np.r_[truth, 1, np.nan]
    assert tally(happens, truth).forecasts.tolist() == tally(*HAND).forecasts.tolist()
    assert tally(happens, truth).hits.tolist() == tally(*HAND).hits.tolist()


@pytest.mark.parametrize("members", [1, 2, 7, 20, 21, 50])
def test_brier_scores_agree_with_the_library(members: int) -> None:
    happens, truth = random_case(members, 400)
    found = tally(happens, truth)
    forecast, observed = xr.DataArray(happens, dims=("member", "cell")), xr.DataArray(truth, dims="cell")
    for fair in (False, True)[: 1 + (members > 1)]:
        expected = oracle.brier_score_for_ensemble(forecast, observed, "member", 0.5, fair_correction=fair)
        assert brier(found, fair=fair) == pytest.approx(float(expected.squeeze()), abs=1e-12)
    assert brier(found) == pytest.approx(float(oracle.brier_score(forecast.mean("member"), observed)))


def test_one_member_has_no_fair_score() -> None:
    assert np.isnan(brier(tally(*random_case(1, 10)), fair=True))


@pytest.mark.parametrize("members", [1, 3, 20, 21, 50, 100])
def test_the_parts_add_up_to_the_score(members: int) -> None:
    found = tally(*random_case(members, 700, seed=members))
    parts = decompose(found)
    assert parts.brier == pytest.approx(brier(found), abs=1e-12)
    assert parts.uncertainty == pytest.approx(found.base_rate * (1 - found.base_rate))
    assert (parts.within == pytest.approx(0, abs=1e-12)) == (members <= 20)


def test_the_parts_agree_with_a_loop_over_joined_bins() -> None:
    happens, truth = random_case(50, 900)
    p, bins = happens.mean(axis=0), bins_of(50)[happens.sum(axis=0).astype(int)]
    reliability = resolution = within = 0.0
    for number in set(bins):
        here = bins == number
        reliability += here.sum() * (p[here].mean() - truth[here].mean()) ** 2
        resolution += here.sum() * (truth[here].mean() - truth.mean()) ** 2
        within += here.sum() * (p[here].var() - 2 * np.cov(p[here], truth[here], ddof=0)[0, 1])
    parts = decompose(tally(happens, truth))
    assert parts.reliability == pytest.approx(reliability / 900)
    assert parts.resolution == pytest.approx(resolution / 900)
    assert parts.within == pytest.approx(within / 900)


def test_up_to_twenty_members_every_probability_is_a_bin_and_more_are_joined_about_tenths() -> None:
    assert bins_of(20).tolist() == list(range(21))
    joined = bins_of(40)
    # 0/40 and 1/40 are nearest to 0; 2/40 = 0.05 stands between and goes up
    assert joined.tolist()[:7] == [0, 0, 1, 1, 1, 1, 2]
    assert joined[-1] == 10
    assert set(bins_of(100)) == set(range(11))


def test_the_roc_agrees_with_the_library() -> None:
    happens, truth = random_case(10, 500)
    found = roc(tally(happens, truth))
    assert found is not None
    p = happens.mean(axis=0)
    expected = oracle.roc_curve_data(xr.DataArray(p, dims="cell"), xr.DataArray(truth, dims="cell"), "auto")
    assert found.hits[::-1] == pytest.approx(expected["POD"].values)
    assert found.false_alarms[::-1] == pytest.approx(expected["POFD"].values)
    assert found.area == pytest.approx(float(expected["AUC"]))


def test_the_area_below_the_roc_is_how_often_the_two_are_told_apart() -> None:
    happens, truth = random_case(6, 200)
    p = happens.mean(axis=0)
    yes, no = p[truth == 1][:, None], p[truth == 0]
    found = roc(tally(happens, truth))
    assert found is not None
    assert found.area == pytest.approx(((yes > no) + 0.5 * (yes == no)).mean())


@pytest.mark.parametrize("always", [0.0, 1.0])
def test_of_an_event_that_always_or_never_happens_there_is_neither_roc_nor_skill(always: float) -> None:
    happens, _ = random_case(5, 30)
    found = tally(happens, np.full(30, always))
    assert roc(found) is None
    assert np.isnan(skill(brier(found), decompose(found).uncertainty))
    assert decompose(found).brier == pytest.approx(brier(found))


def test_without_any_truth_there_is_no_diagram_and_no_score() -> None:
    happens, _ = random_case(5, 30)
    found = tally(happens, np.full(30, np.nan))
    assert np.isnan(brier(found))
    assert np.isnan(found.base_rate)
    with pytest.raises(RequestError, match="truth is known"):
        diagram(found)
    with pytest.raises(RequestError, match="truth is known"):
        decompose(found)


def test_tallies_of_parts_make_the_tally_of_the_whole() -> None:
    happens, truth = random_case(5, 60)
    blocks = np.repeat(np.arange(6), 10)
    whole = tally(np.stack([happens, happens], axis=1), np.stack([truth, truth]), blocks)
    two = tally(happens, truth, blocks) + tally(happens, truth, blocks)
    for name in ("forecasts", "hits", "member_hits"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(two, name))
    assert whole.forecasts.shape == (6, 6)
    np.testing.assert_array_equal(whole.forecasts[2], 2 * tally(happens[:, 20:30], truth[20:30]).forecasts[0])


# -- consistency -------------------------------------------------------------------------------------------


def patches(members: int, blocks: int, size: int, seed: int, *, sure: bool = False) -> Tally:
    """An ensemble and its truth from one distribution, alike within patches; `sure`: with far too little spread."""
    random = np.random.default_rng(seed)
    centre = random.normal(0, 1, blocks)

    def draw(spread: float) -> np.ndarray:
        return np.repeat(centre + spread * random.normal(0, 1, blocks), size)

    happens = np.stack([draw(0.1 if sure else 1.0) > 0.5 for _ in range(members)]).astype(float)
    return tally(happens, (draw(1.0) > 0.5).astype(float), np.repeat(np.arange(blocks), size))


def share_within(found: Tally) -> float:
    """The share of the diagram's bins whose frequency lies between the bars."""
    low, high = consistency_bars(found, resamples=300)
    frequency = diagram(found).frequency
    return float(((low <= frequency) & (frequency <= high)).mean())


def test_a_reliable_ensemble_lies_on_the_diagonal_within_its_bars() -> None:
    # 50 members, so that what a finite ensemble costs is small; 90 % bars, 11 bins, 30 ensembles
    assert np.mean([share_within(patches(50, 300, 20, seed)) for seed in range(30)]) > 0.85


def test_an_ensemble_that_is_too_sure_lies_outside_of_its_bars() -> None:
    assert np.mean([share_within(patches(50, 1000, 5, seed, sure=True)) for seed in range(10)]) < 0.55


def test_bars_are_wider_where_neighbours_depend_on_each_other() -> None:
    def width(found: Tally) -> float:
        low, high = consistency_bars(found, resamples=300)
        return float(np.mean(high - low))

    assert width(patches(20, 200, 20, 0)) > 2 * width(patches(20, 4000, 1, 0))


def test_bars_of_independent_cells_are_those_of_a_binomial_distribution() -> None:
    from scipy.stats import binom

    random = np.random.default_rng(3)
    happens = (random.random((2, 800)) < 0.5).astype(float)
    found = tally(happens, happens[0], np.arange(800))
    low, high = consistency_bars(found, resamples=4000)
    count = int(found.forecasts[:, 1].sum())
    assert diagram(found).probability == pytest.approx([0, 0.5, 1])
    assert (low[0], high[0], low[2], high[2]) == (0, 0, 1, 1)
    assert low[1] == pytest.approx(binom.ppf(0.05, count, 0.5) / count, abs=0.008)
    assert high[1] == pytest.approx(binom.ppf(0.95, count, 0.5) / count, abs=0.008)


def test_of_one_block_there_are_no_bars() -> None:
    low, high = consistency_bars(tally(*HAND))
    assert np.isnan(low).all()
    assert np.isnan(high).all()
    assert len(low) == 4
