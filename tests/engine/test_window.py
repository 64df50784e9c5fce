"""A bound window: exact ends, one batch for two leads, masks keyed by what they belong to, boundaries."""

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.datasets import DATASETS, get_dataset
from engine.loading import load_pair
from engine.noise import MemberNoise, parse_coupling
from engine.window import WindowForecaster, WindowInterpolator, WindowSetting, bind
from tests.engine.conftest import save_small_checkpoint

BUNDLED = tuple(name for name in DATASETS if name != "sst-daily")  # whose data the user fetches


def bound(
    model: str, coupling: str, members: tuple[int, ...] = (0, 1, 2)
) -> tuple[WindowForecaster, WindowInterpolator]:
    dataset = get_dataset("spring-mesh")
    run = dataset.load("0")
    state = torch.from_numpy(run.states[0])
    pair = load_pair(model, "cpu", "fp32")
    setting = WindowSetting(
        state.expand(len(members), *state.shape),
        torch.from_numpy(run.static),
        state,
        float(run.times[0]),
        pair.scaling_of(run),
    )
    return bind(pair, setting, MemberNoise(3, members, 0), parse_coupling(coupling))


def horizon_state(interpolator: WindowInterpolator) -> torch.Tensor:
    return interpolator.setting.initial + 0.1


def test_both_ends_are_known_without_a_network_call(mesh_model: str) -> None:
    _, interpolate = bound(mesh_model, "independent")
    x_h = horizon_state(interpolate)
    assert interpolate(x_h, 0) is interpolate.setting.initial
    assert interpolate(x_h, 134) is x_h
    assert interpolate.calls == 0


@pytest.mark.parametrize("coupling", ["independent", "step", "window", "0.5"])
def test_a_pair_equals_two_single_calls(mesh_model: str, coupling: str) -> None:
    _, interpolate = bound(mesh_model, coupling)
    x_h = horizon_state(interpolate)
    for leads in ((30.0, 60.0), (0.0, 30.0), (90.0, 134.0)):
        paired = interpolate.pair(x_h, *leads)
        for lead, state in zip(leads, paired, strict=True):
            torch.testing.assert_close(state, interpolate(x_h, lead), rtol=0, atol=1e-6)


def noise_of(interpolate: WindowInterpolator, lead: float) -> torch.Tensor:
    """Which units the first dropout site keeps."""
    dropout = interpolate._dropout((lead,))
    assert dropout is not None
    return dropout(torch.ones(3, 8, 10, 10), 0.5, 0) > 0


def test_couplings_share_masks_within_a_step_within_a_window_or_not_at_all(mesh_model: str) -> None:
    shared_within, shared_across = {}, {}
    for coupling in ("independent", "step", "window"):
        forecast, interpolate = bound(mesh_model, coupling)
        x = interpolate.setting.initial
        forecast(x, 0.0)
        first, second = noise_of(interpolate, 30.0), noise_of(interpolate, 60.0)
        forecast(x, 30.0)
        later = noise_of(interpolate, 60.0)
        shared_within[coupling] = torch.equal(first, second)
        shared_across[coupling] = torch.equal(second, later)
    assert shared_within == {"independent": False, "step": True, "window": True}
    assert shared_across == {"independent": False, "step": False, "window": True}


def test_a_forecaster_s_noise_is_drawn_anew_for_every_call(tmp_path: Path) -> None:
    model = save_small_checkpoint(tmp_path / "noisy", "spring-mesh", conditioning="data+noise")
    for coupling in ("independent", "step", "window"):
        forecast, interpolate = bound(model, coupling)
        x = interpolate.setting.initial
        assert not torch.equal(forecast(x, 0.0), forecast(x, 0.0))


@pytest.mark.parametrize("kept", [False, True])
def test_a_forecaster_that_keeps_its_dropout_draws_masks_for_every_call(tmp_path: Path, kept: bool) -> None:
    forecast, interpolate = bound(save_small_checkpoint(tmp_path / "model", "spring-mesh", keeps_dropout=kept), "none")
    x = interpolate.setting.initial
    assert torch.equal(forecast(x, 0.0), forecast(x, 0.0)) != kept


@pytest.mark.parametrize("name", DATASETS)
def test_boundary_conditions_leave_the_truth_as_it_is(name: str) -> None:
    dataset = DATASETS[name]
    for run_name in dataset.runs():
        run = dataset.load(run_name)
        static, initial = torch.from_numpy(run.static), torch.from_numpy(run.states[0])
        for frame in (0, 1, run.frames // 2, run.frames - 1):
            state = torch.from_numpy(run.states[frame])[None]
            kept = dataset.constrain(state, static=static, initial=initial, time=float(run.times[frame]))
            np.testing.assert_allclose(kept.numpy(), state.numpy(), rtol=0, atol=2e-4)  # the files are quantised


@pytest.mark.parametrize("name", BUNDLED)
def test_constraining_twice_is_constraining_once_and_members_do_not_mix(name: str) -> None:
    dataset = DATASETS[name]
    run = dataset.load(dataset.runs()[0])
    static, initial = torch.from_numpy(run.static), torch.from_numpy(run.states[0])
    x = torch.randn(4, *initial.shape, generator=torch.Generator().manual_seed(1))
    once = dataset.constrain(x, static=static, initial=initial, time=0.5)
    twice = dataset.constrain(once, static=static, initial=initial, time=0.5)
    alone = dataset.constrain(x[2:3], static=static, initial=initial, time=0.5)
    torch.testing.assert_close(twice, once, equal_nan=True)  # land stays without a value
    torch.testing.assert_close(alone, once[2:3], equal_nan=True)
    free = torch.from_numpy(dataset.scored(run))
    torch.testing.assert_close(once[..., free], x[..., free])


@pytest.mark.parametrize("name", [name for name, dataset in DATASETS.items() if dataset.mirror and dataset.mirror.axis])
def test_the_mirror_is_a_symmetry_of_the_boundaries_and_its_own_inverse(name: str) -> None:
    dataset = DATASETS[name]
    mirror = dataset.mirror
    assert mirror is not None and mirror.axis is not None
    axis = mirror.axis

    def reflect(x: torch.Tensor) -> torch.Tensor:
        flipped = (x - background).flip(axis)
        flipped[..., list(mirror.negated), :, :] *= -1
        return flipped + background

    run = dataset.load("0")
    background = torch.from_numpy(dataset.background(run).at(0.0))
    static, initial = torch.from_numpy(run.static), torch.from_numpy(run.states[0])
    x = torch.randn(2, *initial.shape, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(reflect(reflect(x)), x)
    here = dataset.constrain(x, static=static, initial=initial, time=0.5)
    there = dataset.constrain(reflect(x), static=static.flip(axis), initial=reflect(initial[None])[0], time=0.5)
    torch.testing.assert_close(there, reflect(here))
