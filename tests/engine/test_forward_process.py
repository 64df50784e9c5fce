"""Filling in between two frames, and both forward processes: exact ends, closed forms, refusals."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine import fill_in as fill_in_module
from engine.datasets import get_dataset
from engine.errors import Cancelled, RequestError
from engine.fill_in import fill_in
from engine.forecasting import ForecastRequest, plan_of
from engine.forward_process import forward_process, gaussian_noising, variance_kept
from engine.loading import load_pair
from engine.requests import resolve
from tests.app.small_models import save_model
from tests.engine.test_walk_trace import to_the_end

HORIZON = 134


@pytest.fixture
def mesh(mesh_model: str) -> ForecastRequest:
    return ForecastRequest("spring-mesh", model=mesh_model, init="0:20", seed=3)


@pytest.fixture
def states() -> np.ndarray:
    """The run that `mesh` starts in."""
    return get_dataset("spring-mesh").load("0").states


# -- filling in ---------------------------------------------------------------------------------------------


def test_both_ends_are_the_frames_themselves(mesh: ForecastRequest, states: np.ndarray) -> None:
    found = to_the_end(fill_in(mesh, leads=(0, 40.5, HORIZON), members=3))
    for member in found.states:
        np.testing.assert_array_equal(member[0], states[20])
        np.testing.assert_array_equal(member[-1], states[20 + HORIZON])
    assert found.states.std(axis=0)[1].max() > 0


def test_truth_and_straight_line_stand_beside(mesh: ForecastRequest, states: np.ndarray) -> None:
    found = to_the_end(fill_in(mesh, members=1))
    assert list(found.leads) == list(range(HORIZON + 1))
    np.testing.assert_array_equal(found.truth, states[20 : 21 + HORIZON])
    for lead in (0, 67, 100, HORIZON):
        line = states[20] + lead / HORIZON * (states[20 + HORIZON] - states[20])
        np.testing.assert_allclose(found.straight[lead], line, rtol=0, atol=1e-5)
    between = to_the_end(fill_in(mesh, leads=(0.25,), members=1))
    assert np.isnan(between.truth).all()


def test_an_exact_interpolator_fills_in_the_truth(
    mesh: ForecastRequest, states: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exact(plan: Any, pair: Any, members: int, draws: str, check: Callable[[], None]) -> tuple[Any, Tensor]:
        def interpolate(x_horizon: Tensor, lead: float) -> Tensor:
            return torch.from_numpy(states[20 + int(lead)]).expand(members, *states.shape[1:])

        return interpolate, interpolate(torch.empty(0), HORIZON)

    monkeypatch.setattr(fill_in_module, "between", exact)
    found = to_the_end(fill_in(mesh, members=2))
    np.testing.assert_array_equal(found.states, np.stack([found.truth] * 2))


def test_one_draw_for_the_window_is_smoother_in_time_than_draws_of_their_own(mesh: ForecastRequest) -> None:
    """Dropout masks that change from lead to lead make the departures from the straight line jump."""
    jumps = {}
    for draws in ("independent", "window"):
        found = to_the_end(fill_in(mesh, members=2, draws=draws))
        jumps[draws] = np.abs(np.diff(found.states - found.straight, axis=1)).mean()
    assert jumps["window"] < 0.5 * jumps["independent"]


def test_the_draws_of_a_model_whose_forecasts_draw_nothing_still_differ(mesh: ForecastRequest) -> None:
    found = to_the_end(fill_in(replace(mesh, noise="none"), leads=(60,), members=2))
    assert not np.allclose(found.states[0], found.states[1])


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ({"leads": (0, 135)}, "lead 135"),
        ({"leads": (-1,)}, "lead -1"),
        ({"members": 0}, "members is 0"),
        ({"draws": "banana"}, "banana"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(mesh: ForecastRequest, option: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestError, match=named):
        next(fill_in(mesh, **option))


def test_a_run_that_ends_too_early_is_refused_with_the_frames_that_do(mesh: ForecastRequest) -> None:
    last = get_dataset("spring-mesh").load("0").frames - 1
    with pytest.raises(RequestError, match=f"from 0 to {last - HORIZON}"):
        next(fill_in(replace(mesh, init=f"0:{last - HORIZON + 1}")))
    assert next(fill_in(replace(mesh, init=f"0:{last - HORIZON}"), members=1)) == 1


def test_a_model_without_an_interpolator_is_refused(checkpoints_here: Path) -> None:
    model = save_model(checkpoints_here, "spring-mesh", "dropout")
    with pytest.raises(RequestError, match="no interpolator"):
        next(fill_in(ForecastRequest("spring-mesh", model=str(checkpoints_here / model))))


@pytest.fixture
def checkpoints_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of checkpoints for this test alone."""
    for name in ("folders", "checkpoint"):
        monkeypatch.setattr(f"engine.{name}.checkpoints_dir", lambda: tmp_path)
    return tmp_path


def test_filling_in_is_cancelled_before_the_next_network_call(mesh: ForecastRequest) -> None:
    stop: list[bool] = []
    steps = fill_in(mesh, members=512, cancelled=lambda: bool(stop))  # so many that every lead is a call of its own
    next(steps), next(steps)
    stop.append(True)
    with pytest.raises(Cancelled):
        next(steps)


# -- both forward processes ----------------------------------------------------------------------------------


def test_the_share_of_variance_that_is_kept_is_that_of_the_1000_steps_of_ddpm() -> None:
    rates = np.linspace(1e-4, 0.02, 1000)
    kept = np.cumprod(1 - rates)
    ours = [variance_kept(step / 1000) for step in range(1, 1001)]
    np.testing.assert_allclose(ours, kept, rtol=0, atol=2e-3)
    assert variance_kept(0) == 1
    assert variance_kept(1) == pytest.approx(math.exp(-10.05))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_gaussian_noising_has_the_mean_and_variance_of_its_closed_form(mesh: ForecastRequest, share: float) -> None:
    plan = plan_of(resolve(mesh))
    pair = load_pair(plan.request.model, "cpu", "fp32")
    scaling, count = pair.scaling_of(plan.run), 4000
    drawn = gaussian_noising(plan, pair, [share], count)[:, 0]
    normalised = scaling.normalise(torch.from_numpy(drawn), 0.0).numpy().reshape(count, -1).astype(float)
    clean = scaling.normalise(torch.from_numpy(plan.run.states[plan.frame + HORIZON]), 0.0).numpy().ravel()
    kept = variance_kept(share)
    deviation = math.sqrt(1 - kept)
    np.testing.assert_allclose(
        normalised.mean(axis=0), math.sqrt(kept) * clean, rtol=0, atol=5 * deviation / math.sqrt(count) + 1e-5
    )
    tolerance = 6 * math.sqrt(2 / count)
    np.testing.assert_allclose(normalised.var(axis=0), 1 - kept, rtol=tolerance, atol=1e-9)


def test_interpolation_leads_from_the_later_frame_back_to_the_earlier(
    mesh: ForecastRequest, states: np.ndarray
) -> None:
    found = to_the_end(forward_process(mesh, shares=(0, 0.5, 1), members=2))
    np.testing.assert_array_equal(found.leads, [HORIZON, HORIZON / 2, 0])
    for member in range(2):
        np.testing.assert_array_equal(found.interpolated[member, 0], states[20 + HORIZON])
        np.testing.assert_array_equal(found.interpolated[member, -1], states[20])
        np.testing.assert_allclose(found.noised[member, 0], states[20 + HORIZON], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found.truth, states[[20 + HORIZON, 20 + HORIZON // 2, 20]])
    assert not np.allclose(found.noised[0, -1], found.noised[1, -1])


def test_land_stays_land_in_noise(monthly_model: str) -> None:
    request = ForecastRequest("sst-monthly", model=monthly_model, init=0)
    found = to_the_end(forward_process(request, shares=(0.5, 1), members=1))
    land = np.isnan(found.truth[0, 0])
    assert land.any() and not land.all()
    for states in (found.noised, found.interpolated):
        np.testing.assert_array_equal(np.isnan(states[0, :, 0]), np.stack([land, land]))


def test_a_relative_time_outside_of_the_process_is_refused(mesh: ForecastRequest) -> None:
    with pytest.raises(RequestError, match=r"1\.5"):
        next(forward_process(mesh, shares=(0, 1.5)))
