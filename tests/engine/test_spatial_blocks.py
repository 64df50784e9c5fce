"""Intervals from blocks of cells: closed forms, and how often they hold what they should."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats

from engine.spatial_blocks import Blocks, blocks_of, expanded_tail, intervals, memory, seen_share
from tests.engine.made_fields import smooth

ALL = np.ones((40, 60), bool)


def patches(random: np.random.Generator, edge: int, leads: int = 3) -> np.ndarray:
    """Noise that is constant over patches of edge x edge cells, (lead, 40, 60)."""
    coarse = random.normal(size=(leads, 40 // edge, 60 // edge))
    return coarse.repeat(edge, axis=1).repeat(edge, axis=2)


def test_noise_without_memory_has_blocks_of_two_cells() -> None:
    blocks = blocks_of(np.random.default_rng(0).normal(size=(4, 40, 60)), ALL)
    assert blocks.shape == (2, 2) and blocks.count == 600 and blocks.long_enough


def test_the_memory_of_a_wave_is_where_its_cosine_falls_below_one_over_e() -> None:
    wave = np.sin(2 * np.pi * np.arange(60) / 30) * np.ones((1, 40, 1))
    expected = next(lag for lag in range(60) if np.cos(2 * np.pi * lag / 30) < 1 / np.e)
    assert abs(memory(wave, ALL) - expected) <= 1


def test_the_memory_does_not_depend_on_the_size_of_errors_or_on_cells_that_are_not_scored() -> None:
    error = patches(np.random.default_rng(1), 4)
    scored = ALL.copy()
    scored[:5] = False
    spoilt = np.where(scored, error, 1e6)
    assert memory(spoilt, scored) == memory(1000 * error, scored) == memory(error, scored)


def test_every_scored_cell_lies_in_one_block_and_sums_are_those_of_a_loop() -> None:
    random = np.random.default_rng(2)
    scored = random.random((40, 60)) > 0.3
    blocks = blocks_of(random.normal(size=(2, 40, 60)), scored)
    values = random.normal(size=(2, scored.sum()))
    sums = blocks.sums(values)
    places = np.argwhere(scored)
    expected: dict[tuple[int, int], np.ndarray] = {}
    for (row, column), value in zip(places, values.T, strict=True):
        key = row // blocks.shape[0], column // blocks.shape[1]
        expected[key] = expected.get(key, 0.0) + value
    np.testing.assert_allclose(sums, [expected[key] for key in sorted(expected)])


def test_blocks_that_the_grid_has_no_room_for_are_said_to_be_too_short() -> None:
    ramp = np.broadcast_to(np.linspace(-1, 1, 60), (1, 40, 60))
    assert not blocks_of(ramp, ALL).long_enough


def test_scores_by_lead_are_averages_before_roots_and_ratios() -> None:
    random = np.random.default_rng(3)
    crps, squares, variance, bias = random.random((4, 2, ALL.sum()))
    found = intervals(blocks_of(patches(random, 2), ALL), crps, squares, variance, bias)
    np.testing.assert_allclose(found["crps"].value, crps.mean(axis=1))
    np.testing.assert_allclose(found["rmse"].value, squares.mean(axis=1) ** 0.5)
    np.testing.assert_allclose(found["spread"].value, variance.mean(axis=1) ** 0.5)
    np.testing.assert_allclose(found["ratio"].value, (variance.mean(axis=1) / squares.mean(axis=1)) ** 0.5)
    np.testing.assert_allclose(found["bias"].value, bias.mean(axis=1))
    for each in found.values():
        assert (each.low < each.value).all() and (each.value < each.high).all()


def test_an_interval_of_independent_cells_is_that_of_the_normal_distribution() -> None:
    noise = np.random.default_rng(4).normal(size=(1, 40, 60))
    flat = noise[:, ALL]
    found = intervals(blocks_of(noise, ALL), flat, flat**2, flat**2, flat)["bias"]
    half = 1.96 * flat.std() / np.sqrt(flat.size)
    np.testing.assert_allclose(found.high - found.low, 2 * half, rtol=0.1)


def test_intervals_hold_the_mean_that_dependent_errors_come_from_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    held, held_by_cells = 0, 0
    for _ in range(150):
        error = patches(random, 4, leads=1)
        flat = error[:, ALL]
        blocks = blocks_of(error, ALL)
        seen = seen_share(blocks, error, ALL)
        found = intervals(blocks, flat, flat**2, flat**2, flat, seen=seen)["bias"]
        held += bool(found.low[0] <= 0 <= found.high[0])
        held_by_cells += bool(abs(flat.mean()) <= 1.96 * flat.std() / np.sqrt(flat.size))
    assert held >= 0.88 * 150  # 95 % but for the few blocks
    assert held_by_cells <= 0.6 * 150  # cells taken for independent would be far too sure


def test_intervals_hold_the_mean_of_smooth_errors_as_often_as_they_say() -> None:
    random = np.random.default_rng(6)
    held = 0
    for _ in range(200):
        error = smooth(random, 1, *ALL.shape, width=2.0)
        flat, blocks = error[:, ALL], blocks_of(error, ALL)
        seen = seen_share(blocks, error, ALL)
        found = intervals(blocks, flat, flat**2, flat**2, flat, seen=seen)["bias"]
        held += bool(found.low[0] <= 0 <= found.high[0])
    assert 0.91 * 200 <= held <= 0.99 * 200


def test_draws_without_an_error_have_no_ratio_and_leave_an_interval_of_the_others() -> None:
    squares = np.zeros((1, ALL.sum()))
    blocks = blocks_of(smooth(np.random.default_rng(7), 1, *ALL.shape), ALL)
    squares[:, blocks.of_cell == 3] = 1.0
    found = intervals(blocks, squares, squares, 2 * squares, squares)["ratio"]
    assert found.value == pytest.approx(2**0.5)
    assert found.low == pytest.approx(2**0.5) and found.high == pytest.approx(2**0.5)


def test_what_is_never_negative_has_no_negative_end_however_little_the_blocks_see() -> None:
    random = np.random.default_rng(8)
    squares = smooth(random, 1, *ALL.shape, width=6.0)[:, ALL] ** 4
    blocks = blocks_of(smooth(random, 1, *ALL.shape, width=6.0), ALL)
    found = intervals(blocks, squares, squares, squares, squares, seen=0.09)
    assert min(found[name].low.min() for name in ("rmse", "spread", "ratio")) >= 0
    assert found["bias"].low < 0


def test_one_block_has_no_interval() -> None:
    one = np.zeros((40, 60), bool)
    one[3, 4] = True
    blocks = blocks_of(np.ones((1, 40, 60)), one)
    found = intervals(blocks, *np.ones((4, 1, 1)))
    assert blocks.count == 1 and np.isnan(found["crps"].low).all() and found["crps"].value[0] == 1


def test_the_tail_of_many_blocks_is_the_usual_one_and_of_few_a_smaller_one() -> None:
    assert expanded_tail(100_000) == pytest.approx(0.025, rel=1e-3)
    assert expanded_tail(16) == pytest.approx(scipy.stats.norm.cdf(-2.13145 * np.sqrt(16 / 15)), rel=1e-4)
    assert expanded_tail(4) < expanded_tail(16) < expanded_tail(64) < 0.025


def test_blocks_see_the_share_that_a_sum_over_all_pairs_of_cells_gives() -> None:
    """Of a correlation exp(-(d/4)²) along each axis, in blocks of 12 × 12: a double sum over pairs within a block."""
    side, edge, length = 480, 12, 4.0
    lags = np.arange(-40, 41)
    correlation = np.exp(-((lags / length) ** 2))
    within = sum(np.exp(-(((i - j) / length) ** 2)) for i in range(edge) for j in range(edge)) / edge
    field = smooth(np.random.default_rng(20), 1, side, side, width=length / 2)
    blocks = Blocks((edge, edge), np.zeros(side * side, int), 1, True)
    found = seen_share(blocks, field, np.ones((side, side), bool))
    assert found == pytest.approx((within / correlation.sum()) ** 2, abs=0.05)


def test_of_independent_cells_blocks_see_all() -> None:
    field = np.random.default_rng(21).standard_normal((2, 30, 30))
    blocks = Blocks((2, 2), np.zeros(900, int), 1, True)
    assert seen_share(blocks, field, np.ones((30, 30), bool)) == 1
