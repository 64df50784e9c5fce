"""Schedules: the published vocabulary, explicit leads, and what is refused."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RequestError
from engine.schedules import SCHEDULES, Schedule, diffusion_step_of, lead_of, parse_schedule, trained_leads


def leads(text: str, horizon: int = 7, k: int = 25) -> tuple[float, ...]:
    return parse_schedule(text, horizon=horizon, auxiliary_steps=k).leads


def diffusion_steps(text: str, k: int = 25) -> list[float]:
    return [round(diffusion_step_of(lead, k), 9) for lead in leads(text, k=k)]


def test_full_holds_every_trained_lead() -> None:
    assert len(leads("full")) == 32
    assert leads("full", horizon=4, k=1) == (0, 0.5, 1, 2, 3)
    assert leads("full", horizon=16, k=0) == tuple(range(16))


def test_only_dynamics_holds_the_whole_leads_alone() -> None:
    assert leads("only_dynamics") == (0, 1, 2, 3, 4, 5, 6)


def test_only_dynamics_plus_spreads_real_valued_leads_inside_the_first_step() -> None:
    assert leads("only_dynamics_plus3", k=0) == (0, 0.25, 0.5, 0.75, 1, 2, 3, 4, 5, 6)
    assert leads("only_dynamics_plus3", k=25) == leads("only_dynamics_plus3", k=0)


def test_only_dynamics_plus_discrete_floors_to_trained_steps_and_merges_duplicates() -> None:
    # 26 · j / 4 = 6.5, 13, 19.5
    assert diffusion_steps("only_dynamics_plus3_discrete") == [0, 6, 13, 19, 26, 27, 28, 29, 30, 31]
    assert leads("only_dynamics_plus9_discrete", horizon=3, k=1) == (0, 0.5, 1, 2)
    assert leads("only_dynamics_plus3_discrete", k=0) == leads("only_dynamics", k=0)


def test_every_fifth_of_25_auxiliary_steps_is_the_published_list() -> None:
    assert diffusion_steps("every5th") == [0, 1, 6, 11, 16, 21, 26, 27, 28, 29, 30, 31]


@pytest.mark.parametrize(("text", "count"), [("first3", 3), ("first99", 25), ("first0.1", 3), ("first0.5", 13)])
def test_first_keeps_so_many_auxiliary_steps(text: str, count: int) -> None:
    assert diffusion_steps(text) == [*range(count + 1), *range(26, 32)]


def test_first_fraction_is_not_pushed_up_by_binary_rounding() -> None:
    assert len(leads("first0.1", k=30)) == 7 + 3


@pytest.mark.parametrize("text", ["every2nd", "every1st", "first5", "first0.3", "full"])
def test_without_auxiliary_steps_these_equal_only_dynamics(text: str) -> None:
    assert leads(text, k=0) == leads("only_dynamics", k=0)


def test_stride_skips_whole_dynamical_leads() -> None:
    assert leads("stride5", horizon=16, k=0) == (0, 5, 10, 15)
    assert leads("stride99", horizon=16, k=0) == (0,)


def test_explicit_leads_may_leave_out_zero_and_be_fractional() -> None:
    assert leads("1, 2.5,4") == (0, 1, 2.5, 4)
    assert leads("0,3") == (0, 3)
    assert leads("0") == (0,)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("0,2,1", "rise"),
        ("1,1", "rise"),
        ("0,7", "below the horizon"),
        ("0,nan", "finite"),
        ("nan", "finite"),
        ("1,inf", "finite"),
        ("-1,2", "rise"),
        ("", "not known"),
        ("banana", "not known"),
        ("every0th", "at least 1"),
        ("stride0", "at least 1"),
        ("first0.0", "above 0"),
        ("0,1,two", "not known"),
    ],
)
def test_what_is_no_schedule_is_refused_in_one_sentence(text: str, word: str) -> None:
    with pytest.raises(RequestError, match=word) as refusal:
        leads(text)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("horizon", [0, -3, 2.5, True])
def test_a_horizon_that_is_no_positive_whole_number_is_refused(horizon: Any) -> None:
    with pytest.raises(RequestError, match="horizon"):
        parse_schedule("full", horizon=horizon)


def test_a_negative_number_of_auxiliary_steps_is_refused() -> None:
    with pytest.raises(RequestError, match="auxiliary"):
        parse_schedule("full", horizon=7, auxiliary_steps=-1)


def test_a_schedule_made_by_hand_is_checked_too() -> None:
    assert Schedule(4, (0, 2)).leads == (0.0, 2.0)
    with pytest.raises(RequestError, match="start at lead 0"):
        Schedule(4, (1.0, 2.0))
    with pytest.raises(RequestError, match="start at lead 0"):
        Schedule(4, ())


@given(st.integers(0, 40), st.integers(1, 30))
def test_leads_and_diffusion_steps_are_inverse(k: int, horizon: int) -> None:
    for step in range(horizon + k):
        exact = Fraction(step, k + 1) if step <= k else Fraction(step - k)
        assert lead_of(step, k) == pytest.approx(float(exact))
        assert diffusion_step_of(lead_of(step, k), k) == pytest.approx(step)
    assert len(set(trained_leads(horizon, k))) == horizon + k


@given(st.integers(1, 40), st.integers(0, 30), st.integers(1, 50))
def test_every_name_gives_a_rising_schedule_with_the_dynamical_leads_where_promised(h: int, k: int, n: int) -> None:
    names = [f"only_dynamics_plus{n}", f"only_dynamics_plus{n}_discrete", f"every{n}th", f"first{n}", "full"]
    for name in names:
        found = parse_schedule(name, horizon=h, auxiliary_steps=k).leads
        assert set(map(float, range(h))) <= set(found)
    assert len(names) + 3 >= len(SCHEDULES)
