"""The sampler looked at step by step: the forecast's own numbers, the exact trajectory of exact networks, refusals."""

import math
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
from torch import Tensor

from engine import walk_trace
from engine.datasets import get_dataset
from engine.errors import Cancelled, RequestError
from engine.forecasting import ForecastRequest, forecast
from engine.walk_trace import Trace, TraceStep, trace, trace_calls
from tests.engine.test_forecasting import DictCache

HORIZON = 134
LEADS = (0.0, 30.0, 67.0)
CHANNELS = [channel.name for channel in get_dataset("spring-mesh").channels]
T = TypeVar("T")


@pytest.fixture
def mesh(mesh_model: str) -> ForecastRequest:
    """Two windows of a spring mesh in three steps each."""
    return ForecastRequest("spring-mesh", model=mesh_model, steps=2 * HORIZON, members=3)


def to_the_end(steps: Generator[Any, None, T]) -> T:
    """What a generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            found: T = finished.value
            return found


def delivered(request: ForecastRequest, leads: list[float]) -> np.ndarray:
    """The forecast of a request at some leads, (member, lead, channel, y, x)."""
    result = forecast(request).sel(lead=leads)
    return np.stack([result[name].values for name in CHANNELS], axis=2)


@pytest.mark.parametrize("solver", ["cold", "naive", "heun"])
@pytest.mark.parametrize("window", [0, 1])
def test_a_trace_walks_as_the_forecast_does(mesh: ForecastRequest, solver: str, window: int) -> None:
    asked = replace(mesh, solver=solver)
    found = to_the_end(trace(asked, members=(0, 1, 2), window=window))
    leads = [window * HORIZON + lead for lead in found.leads[1:]]
    np.testing.assert_allclose(found.states[:, 1:], delivered(asked, leads), rtol=0, atol=1e-5)
    assert list(found.leads) == [*LEADS, HORIZON]


def test_refined_states_are_those_of_a_forecast_with_refinement(mesh: ForecastRequest) -> None:
    found = to_the_end(trace(mesh, members=(0, 1, 2)))
    assert found.refined_states is not None
    expected = delivered(replace(mesh, refine=True), list(found.leads[1:]))
    np.testing.assert_allclose(found.refined_states[:, 1:], expected, rtol=0, atol=1e-5)
    assert not np.allclose(found.refined_states[:, 1:-1], found.states[:, 1:-1], atol=1e-4)
    assert to_the_end(trace(mesh, refined=False, members=(0,))).refined_states is None


def test_members_are_followed_by_their_numbers(mesh: ForecastRequest) -> None:
    all_, some = (to_the_end(trace(mesh, members=members)) for members in ((0, 1, 2), (2, 0)))
    assert some.members == (2, 0)
    np.testing.assert_allclose(some.states, all_.states[[2, 0]], rtol=0, atol=1e-5)


def test_a_later_window_starts_from_what_the_store_holds(mesh: ForecastRequest) -> None:
    store = DictCache()
    forecast(replace(mesh, members=2), cache=store)
    walked: list[TraceStep] = []
    taken: list[TraceStep] = []
    plain = to_the_end(noted(trace(mesh, members=(0, 1), window=1), walked))
    stored = to_the_end(noted(trace(mesh, members=(0, 1), window=1, cache=store), taken))
    assert [step.window for step in walked] == [0, 0, 0, 1, 1, 1]
    assert [step.window for step in taken] == [1, 1, 1]
    np.testing.assert_allclose(stored.states, plain.states, rtol=0, atol=1e-5)
    first = to_the_end(trace(mesh, members=(0, 1)))
    np.testing.assert_allclose(plain.initial, first.steps[-1].state, rtol=0, atol=1e-5)


def noted(steps: Generator[T, None, Any], into: list[T]) -> Generator[T, None, Any]:
    """A generator whose steps are noted."""
    while True:
        try:
            into.append(next(steps))
        except StopIteration as finished:
            return finished.value
        yield into[-1]


def test_the_last_estimate_is_where_the_window_ends(mesh: ForecastRequest) -> None:
    found = to_the_end(trace(mesh, members=(0, 1)))
    np.testing.assert_array_equal(found.estimates[:, -1], found.states[:, -1])
    assert [(step.lead, step.next_lead) for step in found.steps] == [(0, 30), (30, 67), (67, HORIZON)]


class Counted:
    """A callable that counts its calls, as the networks of a window do."""

    def __init__(self, of: Callable[[Tensor, float], Tensor]) -> None:
        self.of, self.calls = of, 0

    def __call__(self, x: Tensor, lead: float) -> Tensor:
        self.calls += 1
        return self.of(x, lead)


@pytest.mark.parametrize("solver", ["cold", "naive", "heun"])
def test_exact_networks_leave_the_exact_trajectory(
    mesh: ForecastRequest, monkeypatch: pytest.MonkeyPatch, solver: str
) -> None:
    start: list[Tensor] = []

    def exact(lead: float) -> Tensor:
        return start[0] * math.cos(0.01 * lead) + math.sin(0.02 * lead)

    def bind(plan: Any, pair: Any, members: Any, window: int, x: Tensor, check: Any) -> tuple[Counted, Counted]:
        start[:] = [x]
        return Counted(lambda _, lead: exact(HORIZON)), Counted(lambda _, lead: exact(lead))

    monkeypatch.setattr(walk_trace, "bind_window", bind)
    found = to_the_end(trace(replace(mesh, solver=solver), members=(0, 1)))
    for index, lead in enumerate(found.leads):
        np.testing.assert_allclose(found.states[:, index], exact(lead).numpy(), rtol=0, atol=1e-5)
    for index in range(len(found.steps)):
        np.testing.assert_allclose(found.estimates[:, index], exact(HORIZON).numpy(), rtol=0, atol=1e-6)
    assert found.refined_states is not None
    np.testing.assert_allclose(found.refined_states, found.states, rtol=0, atol=1e-5)


@pytest.mark.parametrize("solver", ["cold", "naive", "heun"])
@pytest.mark.parametrize("schedule", ["0", "0,30,67", "stride16"])
def test_the_calls_of_a_trace_are_known_beforehand(mesh: ForecastRequest, solver: str, schedule: str) -> None:
    asked = replace(mesh, solver=solver, schedule=schedule)
    found = to_the_end(trace(asked, members=(0,), refined=False))
    assert found.calls == trace_calls(asked, refined=False) == found.steps[-1].calls
    assert trace_calls(asked, window=1, refined=True) == 2 * found.calls + len(found.steps) - 1


def test_a_trace_is_cancelled_before_the_next_network_call(mesh: ForecastRequest) -> None:
    stop: list[bool] = []
    steps = trace(mesh, members=(0,), cancelled=lambda: bool(stop))
    next(steps)
    stop.append(True)
    with pytest.raises(Cancelled):
        next(steps)


@pytest.mark.parametrize(
    ("option", "named"),
    [({"window": 2}, "window is 2"), ({"members": (0, 3)}, "member is 3"), ({"members": ()}, "at least one")],
)
def test_what_the_forecast_does_not_have_is_refused(mesh: ForecastRequest, option: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestError, match=named):
        next(trace(mesh, **option))


def test_a_trace_says_what_it_weighs(mesh: ForecastRequest) -> None:
    found: Trace = to_the_end(trace(mesh, members=(0, 1)))
    state = 4 * 2 * 4 * 10 * 10  # bytes × members × channels × particles
    assert found.nbytes == (1 + 3 + 3 + 2) * state
