"""The sampler: exactness, convergence orders, network calls; all with closed-form forecasters and interpolators."""

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import RequestError
from engine.requests import window_calls
from engine.sampling import SOLVERS, Interpolator, cold_sampling, refine
from engine.schedules import Schedule, parse_schedule

X0 = torch.linspace(-1.0, 2.0, 12, dtype=torch.float64).reshape(1, 3, 2, 2)
HORIZON = 8


def exact_state(lead: float) -> Tensor:
    """A trajectory through X0 at lead 0."""
    return X0 * math.cos(0.3 * lead) + math.sin(0.7 * lead)


def exact_forecaster(x: Tensor, lead: float) -> Tensor:
    return exact_state(HORIZON)


def exact_interpolator(x_horizon: Tensor, lead: float) -> Tensor:
    return exact_state(lead)


class Counting:
    """Counts calls of F, and of I where the answer is not known without a network."""

    def __init__(self, horizon: int):
        self.horizon, self.calls = horizon, 0

    def forecast(self, x: Tensor, lead: float) -> Tensor:
        self.calls += 1
        return x

    def interpolate(self, x_horizon: Tensor, lead: float) -> Tensor:
        if lead not in (0, self.horizon):
            self.calls += 1
        return x_horizon


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("last_step", ["forecast", "solver"])
@pytest.mark.parametrize("schedule", ["full", "0,3,5", "0", "0.25,0.5,6.75", "stride3", "only_dynamics_plus4"])
def test_exact_networks_return_the_exact_trajectory_on_any_schedule(solver: str, last_step: str, schedule: str) -> None:
    parsed = parse_schedule(schedule, horizon=HORIZON)
    steps = list(cold_sampling(exact_forecaster, exact_interpolator, X0, parsed, solver=solver, last_step=last_step))
    assert [step.lead for step in steps] == [*parsed.leads[1:], HORIZON]
    for step in steps:
        torch.testing.assert_close(step.x, exact_state(step.lead), rtol=0, atol=1e-13)


def end_of_linear_decay(solver: str, count: int) -> float:
    """dx/ds with I linear and F(x, s) = x e^{-(h-s)}: the solver's own update up to the horizon, h = 1."""

    def forecast(x: Tensor, lead: float) -> Tensor:
        return x * math.exp(-(1 - lead)) + torch.sin(x) * (1 - lead)

    x0 = torch.ones(1, 1, 1, 1, dtype=torch.float64)

    def interpolate(x_horizon: Tensor, lead: float) -> Tensor:
        return (1 - lead) * x0 + lead * x_horizon

    schedule = Schedule(1, tuple(i / count for i in range(count)))
    *_, last = cold_sampling(forecast, interpolate, x0, schedule, solver=solver, last_step="solver")
    return float(last.x)


@pytest.mark.parametrize(("solver", "order"), [("cold", 1), ("heun", 2)])
def test_the_error_falls_with_the_order_of_the_solver(solver: str, order: int) -> None:
    counts = np.array([64, 128, 256, 512])
    reference = end_of_linear_decay("heun", 16384)
    errors = [abs(end_of_linear_decay(solver, count) - reference) for count in counts]
    slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.2)


def test_cold_sampling_with_a_linear_interpolator_is_explicit_euler() -> None:
    x0 = torch.full((1, 1, 1, 1), 2.0, dtype=torch.float64)
    schedule = Schedule(4, (0.0, 1.0, 2.5))

    def forecast(x: Tensor, lead: float) -> Tensor:
        return 3 * x - lead

    def interpolate(x_horizon: Tensor, lead: float) -> Tensor:
        return x0 + lead / 4 * (x_horizon - x0)

    x, expected = 2.0, []
    for i, i_next in ((0.0, 1.0), (1.0, 2.5), (2.5, 4.0)):
        x += (i_next - i) * (3 * x - i - 2.0) / 4
        expected.append(x)
    walked = cold_sampling(forecast, interpolate, x0, schedule, last_step="solver")
    assert [float(step.x) for step in walked] == pytest.approx(expected)


@pytest.mark.parametrize("count", [1, 2, 5, 32])
def test_cold_costs_three_calls_a_step_and_naive_two(count: int) -> None:
    schedule = Schedule(count, tuple(range(count)))
    assert window_calls(schedule, "cold", "forecast") == (3 * (count - 1) or 1)
    assert window_calls(schedule, "naive", "forecast") == 2 * count - 1
    for solver in SOLVERS:
        for last_step in ("forecast", "solver"):
            counted = Counting(count)
            list(cold_sampling(counted.forecast, counted.interpolate, X0, schedule, solver=solver, last_step=last_step))
            assert counted.calls == window_calls(schedule, solver, last_step)


def test_the_paper_s_sst_window_costs_93_calls() -> None:
    assert window_calls(parse_schedule("full", horizon=7, auxiliary_steps=25), "cold", "forecast") == 93


def test_the_last_forecast_is_kept_as_it_is() -> None:
    def forecast(x: Tensor, lead: float) -> Tensor:
        return x + 1 + lead

    *_, last = cold_sampling(forecast, lambda x_h, i: 0.5 * x_h, X0, Schedule(3, (0, 1, 2)), last_step="forecast")
    torch.testing.assert_close(last.x, last.x_horizon)


class Pairing:
    """An interpolator that offers both leads from one batch, and notes how it was asked."""

    def __init__(self, plain: Interpolator):
        self.plain = plain
        self.asked: list[str] = []

    def __call__(self, x_horizon: Tensor, lead: float) -> Tensor:
        self.asked.append("single")
        return self.plain(x_horizon, lead)

    def pair(self, x_horizon: Tensor, lead: float, next_lead: float) -> tuple[Tensor, Tensor]:
        self.asked.append("pair")
        return self.plain(x_horizon, lead), self.plain(x_horizon, next_lead)


@pytest.mark.parametrize("solver", ["cold", "heun"])
def test_the_pair_is_used_where_offered_and_changes_nothing(solver: str) -> None:
    def forecast(x: Tensor, lead: float) -> Tensor:
        return 1.1 * x + lead

    def plain(x_horizon: Tensor, lead: float) -> Tensor:
        return X0 + torch.sin(lead * x_horizon)

    pairing = Pairing(plain)
    schedule = parse_schedule("full", horizon=5)
    ours = [step.x for step in cold_sampling(forecast, pairing, X0, schedule, solver=solver)]
    theirs = [step.x for step in cold_sampling(forecast, plain, X0, schedule, solver=solver)]
    torch.testing.assert_close(torch.stack(ours), torch.stack(theirs))
    assert set(pairing.asked) == {"pair"}


def test_naive_replaces_the_state_by_the_interpolation() -> None:
    steps = list(cold_sampling(lambda x, i: x + 1, lambda x_h, i: i * x_h, X0, Schedule(3, (0, 1, 2)), solver="naive"))
    torch.testing.assert_close(steps[0].x, 1 * (X0 + 1))
    torch.testing.assert_close(steps[1].x, 2 * (X0 + 2))


def test_refinement_interpolates_the_last_estimate_at_any_lead() -> None:
    refined = dict(refine(exact_interpolator, exact_state(HORIZON), [0.5, 3, 7.25]))
    assert list(refined) == [0.5, 3, 7.25]
    for lead, state in refined.items():
        torch.testing.assert_close(state, exact_state(lead))


def test_refining_in_batches_changes_nothing() -> None:
    class Several:
        asked: ClassVar[list[int]] = []

        def __call__(self, x_horizon: Tensor, lead: float) -> Tensor:
            return exact_interpolator(x_horizon, lead)

        def several(self, x_horizon: Tensor, leads: tuple[float, ...]) -> list[Tensor]:
            self.asked.append(len(leads))
            return [exact_interpolator(x_horizon, lead) for lead in leads]

    leads = [0.5, 1, 2, 3, 4.5]
    plain, batched = (dict(refine(Several(), X0, leads, batch=size)) for size in (1, 2))
    assert Several.asked == [2, 2]
    assert plain.keys() == batched.keys()
    for lead in leads:
        torch.testing.assert_close(plain[lead], batched[lead])


@pytest.mark.parametrize("option", [{"solver": "banana"}, {"last_step": "banana"}])
def test_an_unknown_option_is_refused_before_the_first_call(option: dict[str, str]) -> None:
    fail: Callable[[Tensor, float], Tensor] = lambda x, i: pytest.fail("called")  # noqa: E731
    with pytest.raises(RequestError, match="banana"):
        cold_sampling(fail, fail, X0, Schedule(2, (0, 1)), **option)
