"""The single pass over an ensemble against other libraries, brute force and the labelled scores."""

import numpy as np
import pytest
import scoringrules

import engine.ensemble_scores
from engine.ensemble_scores import ensemble_scores, labelled
from engine.errors import RequestError

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.normal(size=(6, 50)).astype(np.float32)
MEMBERS = (300 + TRUTH + RANDOM.normal(size=(7, 6, 50)) + 0.4).astype(np.float32)
KELVIN = TRUTH + np.float32(300)


def test_both_forms_of_the_crps_are_those_of_another_library() -> None:
    found = ensemble_scores(MEMBERS, KELVIN)
    for form, estimator in (("crps", "fair"), ("crps_biased", "qd")):
        each = scoringrules.crps_ensemble(
            KELVIN.astype(np.float64), MEMBERS.astype(np.float64), m_axis=0, estimator=estimator
        )
        np.testing.assert_allclose(getattr(found, form), each.mean(axis=-1), rtol=1e-5)


def test_error_and_variance_are_those_of_numpy_in_both_conventions() -> None:
    found, exact = ensemble_scores(MEMBERS, KELVIN), MEMBERS.astype(np.float64)
    np.testing.assert_allclose(found.mse, ((exact.mean(axis=0) - KELVIN) ** 2).mean(axis=-1), rtol=1e-4)
    np.testing.assert_allclose(found.variance_biased, exact.var(axis=0).mean(axis=-1), rtol=1e-5)
    np.testing.assert_allclose(found.variance, exact.var(axis=0, ddof=1).mean(axis=-1) * 8 / 7, rtol=1e-5)


def test_ranks_are_counted_lead_by_lead() -> None:
    found = ensemble_scores(MEMBERS, KELVIN).rank_counts
    for lead in range(6):
        ranks = [sum(MEMBERS[:, lead, cell] < KELVIN[lead, cell]) for cell in range(50)]
        assert found[lead].tolist() == [ranks.count(rank) for rank in range(8)]


def test_the_rank_among_ties_is_drawn_evenly_and_reproducibly() -> None:
    members = np.zeros((3, 1, 40_000), np.float32)
    members[2] = 1  # the truth ties with two of three: the ranks 1, 2 and 3 are equally likely, 4 is impossible
    truth = np.zeros((1, 40_000), np.float32)
    found = ensemble_scores(members, truth, seed=1).rank_counts
    np.testing.assert_allclose(found[0, :3] / 40_000, 1 / 3, atol=0.01)
    assert found[0, 3] == 0
    assert np.array_equal(found, ensemble_scores(members, truth, seed=1).rank_counts)
    assert not np.array_equal(found, ensemble_scores(members, truth, seed=2).rank_counts)


def test_a_calibrated_ensemble_has_a_flat_histogram() -> None:
    members, truth = RANDOM.normal(size=(4, 1, 50_000)), RANDOM.normal(size=(1, 50_000))
    np.testing.assert_allclose(ensemble_scores(members, truth).rank_counts / 50_000, 1 / 5, atol=0.01)


def test_more_than_one_block_of_leads_scores_as_each_lead_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.ensemble_scores, "BLOCK", 2 * 7 * 50)  # two leads of the six
    whole = ensemble_scores(MEMBERS, KELVIN)
    for lead in range(6):
        alone = ensemble_scores(MEMBERS[:, [lead]], KELVIN[[lead]])
        for name in ("crps", "crps_biased", "mse", "variance", "variance_biased", "rank_counts"):
            np.testing.assert_allclose(getattr(whole, name)[lead], getattr(alone, name)[0], rtol=1e-6)


def test_one_member_has_no_fair_form_and_its_biased_crps_is_its_error() -> None:
    found = ensemble_scores(MEMBERS[:1], KELVIN)
    assert np.isnan(found.crps).all() and np.isnan(found.variance).all()
    np.testing.assert_allclose(found.crps_biased, np.abs(MEMBERS[0] - KELVIN).mean(axis=-1), rtol=1e-5)
    assert found.rank_counts.shape == (6, 2)


def test_members_are_left_as_they_were() -> None:
    before = MEMBERS.copy()
    ensemble_scores(MEMBERS, KELVIN)
    assert np.array_equal(before, MEMBERS)


def test_a_truth_of_another_shape_is_refused() -> None:
    with pytest.raises(RequestError, match="cannot be scored"):
        ensemble_scores(MEMBERS, KELVIN[:2])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_forecast_that_diverged_is_refused_and_not_left_out_of_the_mean(value: float) -> None:
    members = MEMBERS.copy()
    members[2, 4, 7] = value
    with pytest.raises(RequestError, match="At 1 of 6 leads"):
        ensemble_scores(members, KELVIN)


def test_channels_are_put_together_with_their_names() -> None:
    parts = [ensemble_scores(MEMBERS, KELVIN), ensemble_scores(MEMBERS + 1, KELVIN)]
    found = labelled(parts, range(1, 7), ["a", "b"])
    assert found["crps"].dims == ("lead", "channel") and found["rank"].values.tolist() == list(range(1, 9))
    np.testing.assert_array_equal(found["mse"].sel(channel="b"), parts[1].mse)
    assert (found["rank_counts"].sum("rank") == 50).all()
