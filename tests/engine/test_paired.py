"""Two forecasts compared, against brute force, closed forms, other libraries and simulated coverage."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import scoringrules

from engine.case import Case
from engine.errors import RequestError
from engine.paired import Cells, compare, paired_scores
from engine.spatial_blocks import Blocks, blocks_of, seen_share
from engine.variables import variable_named
from tests.engine.made_fields import smooth

P = variable_named("navier-stokes", "p")
ROWS, COLUMNS, LEADS = 12, 20, 3


def case(seed: int, *, members: int = 6, error: float = 1.0, truth: np.ndarray | None = None) -> Case:
    """A forecast whose members scatter about a truth with so large an error, a few cells not scored."""
    random = np.random.default_rng(seed)
    truth = smooth(np.random.default_rng(99), LEADS, ROWS, COLUMNS) if truth is None else truth
    scored = np.ones((ROWS, COLUMNS), bool)
    scored[3:6, 4:9] = False
    return Case(
        "navier-stokes",
        np.arange(1.0, len(truth) + 1),
        {"p": truth + error * smooth(random, members, *truth.shape)},
        {"p": truth},
        np.arange(COLUMNS, dtype=float),
        np.arange(ROWS, dtype=float),
        scored,
    )


def test_a_forecast_compared_with_itself_differs_by_exactly_nothing() -> None:
    found = compare(case(0), case(0), P)
    for pair in (*found.by_lead.values(), *found.overall.values()):
        assert np.array_equal(pair.first, pair.second)
        for each in (pair.difference, pair.change):
            assert np.all(each.value == 0) and np.all(each.low == 0) and np.all(each.high == 0)


def test_the_scores_of_both_are_those_of_the_libraries() -> None:
    pair = {"first": case(1), "second": case(2, members=9, error=0.6)}
    found = compare(pair["first"], pair["second"], P)
    for name, each in pair.items():
        members, truth = each.members["p"][..., each.scored], each.truth["p"][:, each.scored]
        crps = scoringrules.crps_ensemble(truth, np.moveaxis(members, 0, -1), estimator="fair").mean(axis=-1)
        rmse = np.sqrt(((members.mean(axis=0) - truth) ** 2).mean(axis=-1))
        count = len(members)
        spread = np.sqrt(members.var(axis=0, ddof=1).mean(axis=-1) * (count + 1) / count)
        for score, expected in (("crps", crps), ("rmse", rmse), ("spread", spread), ("ratio", spread / rmse)):
            np.testing.assert_allclose(getattr(found.by_lead[score], name), expected, rtol=1e-6)
        np.testing.assert_allclose(getattr(found.overall["crps"], name), crps.mean(), rtol=1e-6)
        pooled = np.sqrt((spread**2).mean() / (rmse**2).mean())
        np.testing.assert_allclose(getattr(found.overall["ratio"], name), pooled, rtol=1e-6)
        np.testing.assert_allclose(getattr(found.overall["miss"], name), abs(pooled - 1), rtol=1e-5)


def test_a_score_that_is_shifted_in_every_cell_differs_by_just_that_and_surely() -> None:
    random = np.random.default_rng(3)
    scored = np.ones((ROWS, COLUMNS), bool)
    crps = 2 + smooth(random, LEADS, ROWS, COLUMNS)[:, scored]
    bias, variance = smooth(random, LEADS, ROWS, COLUMNS)[:, scored], np.ones((LEADS, ROWS * COLUMNS))
    blocks = blocks_of(bias.reshape(LEADS, ROWS, COLUMNS), scored)
    by_lead, overall = paired_scores(blocks, Cells(crps + 0.25, bias, variance), Cells(crps, bias, variance))
    for pair in (by_lead["crps"], overall["crps"]):
        for ends in (pair.difference.value, pair.difference.low, pair.difference.high):
            np.testing.assert_allclose(ends, 0.25)
    assert overall["crps"].change.value == pytest.approx(crps.mean() / (crps.mean() + 0.25) - 1)
    # its share of the first does move with the cells, as the first itself does
    assert overall["crps"].change.low < overall["crps"].change.value < overall["crps"].change.high


def test_doubling_all_errors_halves_the_score_of_the_other_in_every_draw() -> None:
    random = np.random.default_rng(4)
    of_cell = np.arange(60) // 5
    cells = Cells(random.random((2, 60)), random.standard_normal((2, 60)), random.random((2, 60)))
    twice = Cells(2 * cells.crps, 2 * cells.bias, 4 * cells.variance)
    by_lead, overall = paired_scores(Blocks((1, 5), of_cell, 12, True), twice, cells)
    for found in (by_lead, overall):
        for score in ("crps", "rmse", "spread"):
            for ends in (found[score].change.value, found[score].change.low, found[score].change.high):
                np.testing.assert_allclose(ends, -0.5)
        for ends in (found["ratio"].difference.low, found["ratio"].difference.high):
            np.testing.assert_allclose(ends, 0, atol=1e-12)


def test_intervals_are_those_of_a_loop_over_draws_of_whole_blocks() -> None:
    random = np.random.default_rng(5)
    blocks = Blocks((1, 4), np.arange(40) // 4, 10, True)
    first = Cells(random.random((1, 40)), random.standard_normal((1, 40)), random.random((1, 40)))
    second = Cells(random.random((1, 40)), random.standard_normal((1, 40)), random.random((1, 40)))
    found, _ = paired_scores(blocks, first, second, seed=7)
    draws: dict[str, list[float]] = {"crps": [], "rmse": [], "ratio": []}
    for drawn in np.random.default_rng(7).integers(10, size=(2000, 10)):
        at = np.concatenate([np.arange(40)[blocks.of_cell == block] for block in drawn])
        crps, rmse, ratio = [], [], []
        for cells in (first, second):
            crps.append(cells.crps[0, at].mean())
            rmse.append(np.sqrt((cells.bias[0, at] ** 2).mean()))
            ratio.append(np.sqrt(cells.variance[0, at].mean()) / rmse[-1])
        for name, (a, b) in {"crps": crps, "rmse": rmse, "ratio": ratio}.items():
            draws[name].append(a - b)
    tail = scipy.stats.norm.cdf(-np.sqrt(10 / 9) * scipy.stats.t.ppf(0.975, 9))
    for name, values in draws.items():
        low, high = np.quantile(values, [tail, 1 - tail])
        assert found[name].difference.low[0] == pytest.approx(low)
        assert found[name].difference.high[0] == pytest.approx(high)


def test_the_interval_holds_the_true_difference_as_often_as_it_says_and_is_narrower_for_being_paired() -> None:
    """Two scores that share most of what varies between cells; their expected difference is 0.1."""
    random, side, held, paired, alone = np.random.default_rng(6), 40, 0, [], []
    scored = np.ones((side, side), bool)
    ones = np.ones((1, side * side))
    for _ in range(300):
        common, own = smooth(random, 1, side, side, width=2), 0.3 * smooth(random, 2, side, side, width=2)
        first, second = (3 + common + each for each in own)
        blocks = blocks_of(own[:1], scored)
        cells = [Cells(each.reshape(1, -1), ones, ones) for each in (first + 0.1, second)]
        seen = seen_share(blocks, first - second, scored)
        by_lead, _ = paired_scores(blocks, *cells, seen=seen)
        difference = by_lead["crps"].difference
        held += bool(difference.low[0] <= 0.1 <= difference.high[0])
        paired.append(difference.high[0] - difference.low[0])
        unpaired, _ = paired_scores(blocks, cells[0], Cells(0 * ones, ones, ones), seen=seen)
        alone.append(unpaired["crps"].difference.high[0] - unpaired["crps"].difference.low[0])
    assert 0.91 <= held / 300 <= 0.99
    assert np.mean(paired) < 0.6 * np.mean(alone)


def test_what_blocks_do_not_see_makes_intervals_wider_about_the_same_value() -> None:
    random = np.random.default_rng(22)
    blocks = Blocks((1, 4), np.arange(40) // 4, 10, True)
    cells = [Cells(*random.random((3, 1, 40))) for _ in range(2)]
    whole, half = (paired_scores(blocks, *cells, seen=seen)[0]["crps"].difference for seen in (1.0, 0.25))
    assert half.value == whole.value
    np.testing.assert_allclose(half.high - half.value, 2 * (whole.high - whole.value))
    np.testing.assert_allclose(half.low - half.value, 2 * (whole.low - whole.value))


def test_two_reliable_ensembles_of_another_seed_are_not_told_apart_but_a_worse_one_is() -> None:
    truth = smooth(np.random.default_rng(11), LEADS, ROWS, COLUMNS)
    alike = compare(case(12, truth=truth), case(13, truth=truth), P).overall["crps"].difference
    assert alike.low < 0 < alike.high
    worse = compare(case(12, truth=truth, error=3), case(13, truth=truth), P).overall["crps"].difference
    assert worse.low > 0


def test_leads_without_a_truth_are_not_scored_and_do_not_count() -> None:
    first, second = case(0), case(1)
    truth = first.truth["p"].copy()
    truth[1] = np.nan
    found = compare(replace(first, truth={"p": truth}), replace(second, truth={"p": truth}), P)
    whole = compare(first, second, P)
    assert np.isnan(found.by_lead["crps"].first[1]) and np.isnan(found.by_lead["crps"].difference.low[1])
    np.testing.assert_allclose(found.by_lead["crps"].first[[0, 2]], whole.by_lead["crps"].first[[0, 2]])
    np.testing.assert_allclose(found.overall["crps"].first, whole.by_lead["crps"].first[[0, 2]].mean())


def test_a_single_member_has_no_fair_score_but_an_error() -> None:
    found = compare(case(0, members=1), case(1), P)
    assert np.isnan(found.by_lead["crps"].first).all() and np.isfinite(found.by_lead["crps"].second).all()
    assert np.isnan(found.overall["ratio"].difference.value)
    assert np.isfinite(found.overall["rmse"].difference.low)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(case(1), leads=np.arange(2.0, LEADS + 2)), "same leads and cells"),
        (replace(case(1), scored=np.ones((ROWS, COLUMNS), bool)), "same leads and cells"),
        (replace(case(1), truth={"p": np.zeros((LEADS, ROWS, COLUMNS))}), "start from different"),
    ],
)
def test_what_is_no_pair_is_refused(other: Case, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        compare(case(0), other, P)


def test_without_any_truth_nothing_is_scored() -> None:
    unknown = {"p": np.full((LEADS, ROWS, COLUMNS), np.nan)}
    with pytest.raises(RequestError, match="No truth is known"):
        compare(replace(case(0), truth=unknown), replace(case(1), truth=unknown), P)


def test_a_forecast_that_diverged_is_named() -> None:
    broken = case(1)
    broken.members["p"][2, 1] = np.inf
    with pytest.raises(RequestError, match="diverged"):
        compare(case(0), broken, P)
