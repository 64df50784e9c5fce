"""The band of a reliable ensemble: brute force, closed forms, and how often it holds."""

import numpy as np
from scipy.stats import binom

from engine.ensemble_scores import cell_scores, count_ranks
from engine.rank_consistency import consistency_band, effective_cells, member_rank_counts


def test_the_members_own_ranks_are_those_of_a_loop() -> None:
    members = np.random.default_rng(0).normal(size=(4, 3, 20))
    found = member_rank_counts(members, np.random.default_rng(1))
    for lead in range(3):
        for member in range(4):
            ranks = [int((members[:, lead, cell] < members[member, lead, cell]).sum()) for cell in range(20)]
            assert found[lead, member].tolist() == [ranks.count(rank) for rank in range(4)]


def test_the_ranks_of_equal_members_are_drawn_evenly() -> None:
    found = member_rank_counts(np.zeros((4, 1, 8000)), np.random.default_rng(0))
    np.testing.assert_allclose(found / 8000, 0.25, atol=0.02)


def test_independent_cells_count_as_what_they_are() -> None:
    members = np.random.default_rng(2).normal(size=(20, 8, 4000))
    found = effective_cells(member_rank_counts(members, np.random.default_rng(0)))
    np.testing.assert_allclose(1 / np.mean(1 / found), 4000, rtol=0.15)


def test_cells_that_are_equal_in_groups_count_as_their_groups() -> None:
    members = np.random.default_rng(3).normal(size=(20, 8, 250)).repeat(16, axis=2)
    found = effective_cells(member_rank_counts(members, np.random.default_rng(0)))
    np.testing.assert_allclose(1 / np.mean(1 / found), 250, rtol=0.15)


def test_the_band_of_independent_cells_is_the_binomial_one() -> None:
    low, high = consistency_band(np.array([400.0]), 5)
    assert low[0] * 400 == binom.ppf(0.025, 400, 0.2) and high[0] * 400 == binom.ppf(0.975, 400, 0.2)


def test_a_reliable_ensemble_of_dependent_cells_lies_inside_at_about_19_ranks_of_20() -> None:
    random = np.random.default_rng(4)
    inside, by_cells, all_ = 0, 0, 0
    for _ in range(60):
        drawn = random.normal(size=(11, 1, 200)).repeat(12, axis=2)  # ten members and a truth like them
        counts = count_ranks(cell_scores(drawn[1:], drawn[0], random).ranks, 11)[0]
        share = counts / counts.sum()
        low, high = consistency_band(effective_cells(member_rank_counts(drawn[1:], random))[0], 11)
        narrow = consistency_band(np.array(2400.0), 11)
        inside += int(((share >= low) & (share <= high)).sum())
        by_cells += int(((share >= narrow[0]) & (share <= narrow[1])).sum())
        all_ += 11
    assert 0.92 <= inside / all_ <= 0.99
    assert by_cells / all_ < 0.6  # cells taken for independent would reject a reliable ensemble most of the time


def test_an_ensemble_that_is_too_sure_lies_outside_at_both_ends() -> None:
    random = np.random.default_rng(5)
    truth, members = random.normal(size=(1, 3000)), 0.3 * random.normal(size=(10, 1, 3000))
    counts = count_ranks(cell_scores(members, truth, random).ranks, 11)[0] / 3000
    _, high = consistency_band(effective_cells(member_rank_counts(members, random))[0], 11)
    assert counts[0] > high and counts[-1] > high


def test_one_member_tells_nothing_of_dependence() -> None:
    counts = member_rank_counts(np.zeros((1, 2, 30)), np.random.default_rng(0))
    assert effective_cells(counts).tolist() == [30, 30]
