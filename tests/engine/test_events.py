"""Events against fractions worked by hand and plain loops."""

import numpy as np
import pytest

from engine.events import area_share, beyond, chance, first_lead, so_far

NAN = np.nan


def test_a_value_equal_to_the_threshold_is_neither_above_nor_below() -> None:
    values = np.array([0.9, 1.0, 1.1, NAN])
    np.testing.assert_array_equal(beyond(values, 1.0, "above"), [0, 0, 1, NAN])
    np.testing.assert_array_equal(beyond(values, 1.0, "below"), [1, 0, 0, NAN])


def test_where_the_threshold_is_not_known_neither_is_the_event() -> None:
    threshold = np.array([[0.5, NAN]])
    np.testing.assert_array_equal(beyond(np.ones((2, 1, 2)), threshold, "above"), [[[1, NAN]], [[1, NAN]]])


def test_the_chance_is_the_share_of_the_members() -> None:
    happens = np.array([[1, 0, 1], [1, 0, NAN], [1, 0, 1], [0, 0, 0]], np.float32)
    np.testing.assert_array_equal(chance(happens), np.array([0.75, 0, NAN], np.float32))


def test_of_seven_members_a_chance_is_a_seventh_and_nothing_between() -> None:
    happens = (np.random.default_rng(0).random((7, 500)) < 0.4).astype(np.float32)
    np.testing.assert_allclose(7 * chance(happens), np.round(7 * chance(happens)), atol=1e-6)


def test_so_far_and_the_first_lead_agree_with_a_loop() -> None:
    random = np.random.default_rng(1)
    happens = (random.random((50, 6)) < 0.2).astype(np.float32)
    happens[random.random(happens.shape) < 0.1] = NAN
    leads = np.array([0.5, 1, 2, 3, 5, 8])
    for member, reached, first in zip(happens, so_far(happens), first_lead(happens, leads), strict=True):
        expected_first = np.nan if np.isnan(member).any() else np.inf
        for index in range(6):
            before = member[: index + 1]
            expected = 1.0 if 1 in before else NAN if np.isnan(before).any() else 0.0
            assert reached[index] == pytest.approx(expected, nan_ok=True)
        for lead, value in zip(leads, member, strict=True):
            if value == 1:
                expected_first = lead
                break
        assert first == pytest.approx(expected_first, nan_ok=True)


def test_the_chance_at_any_lead_is_joint_over_the_members() -> None:
    # two members, each at another lead: half at either lead, certain at any
    happens = np.array([[1, 0], [0, 1]], np.float32)
    assert list(chance(happens)) == [0.5, 0.5]
    assert list(chance(so_far(happens))) == [0.5, 1.0]


def test_the_share_of_an_area_counts_cells_by_their_weight_where_they_are_known() -> None:
    happens = np.array([[[1, 0], [1, NAN]], [[NAN, NAN], [NAN, NAN]]], np.float32)
    weights = np.array([[1.0, 1.0], [0.5, 0.5]])
    assert area_share(happens, weights) == pytest.approx([1.5 / 2.5, NAN], nan_ok=True)
    assert area_share(happens[0], np.array([[0.0, 1.0], [1.0, 0.0]])) == pytest.approx(0.5)
