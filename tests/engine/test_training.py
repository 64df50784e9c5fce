"""Training on a handful of tiny runs: it learns, resumes, survives damage, publishes what the engine loads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.checkpoint import Defaults, load_checkpoint
from engine.datasets import get_dataset
from engine.datasets.base import Run
from engine.datasets.simulated import load_simulated
from engine.errors import DataError, RequestError
from engine.forecasting import ForecastRequest, forecast
from engine.models.dynamics import Scaling
from engine.requests import calls_per_member
from engine.simulators.generate import generate
from engine.training.data import channel_statistics, draw_windows, mirror_states, to_tensors
from engine.training.loop import TrainingOptions, train
from engine.training.publish import publish
from engine.training.stages import LOSSES, pooled
from engine.training.state import load_best

DATASET = get_dataset("spring-mesh")
MINUTES = 0.05


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training runs and one validation run of the spring mesh; the folder of the former."""
    folder = tmp_path_factory.mktemp("runs")
    for split, count in (("train", 2), ("validation", 1)):
        for _ in generate("spring-mesh", split=split, out=folder / split, runs=count, workers=1):
            pass
    return folder / "train"


@pytest.fixture
def options(runs: Path, tmp_path: Path) -> TrainingOptions:
    return TrainingOptions(
        DATASET, "fast", "direct", MINUTES, data=runs, folder=tmp_path, batch=4, validate_seconds=1.0
    )


def test_every_stage_trains_and_the_pair_is_published_and_forecasts(options: TrainingOptions, tmp_path: Path) -> None:
    for stage in ("direct", "interpolator", "forecaster"):
        progress = list(train(replace(options, stage=stage)))
        assert progress[-1].validation is not None
        assert np.isfinite(progress[-1].loss)
        assert (tmp_path / f"{stage}.csv").read_text().count("\n") == len(progress) + 1
    defaults = Defaults(10, 2, "0,67", "cold", "forecast", "step", True, "fp32")
    card = publish(DATASET, "fast", defaults=defaults, folder=tmp_path, target=tmp_path / "made")
    assert card.training["forecaster"]["stage"] == "forecaster"
    assert card.training["forecaster_start"]["stage"] == "direct"
    weights, _ = load_best(tmp_path / "forecaster.safetensors")
    loaded = load_checkpoint(tmp_path / "made")
    for name, tensor in weights.items():
        torch.testing.assert_close(loaded.forecaster[name], tensor, rtol=1e-3, atol=1e-6)  # half precision
    result = forecast(ForecastRequest("spring-mesh", model=str(tmp_path / "made")))
    assert np.isfinite(result.q_x.values).all()


def test_the_rival_without_interpolator_trains_and_its_dropout_makes_the_ensemble(
    options: TrainingOptions, tmp_path: Path
) -> None:
    options = replace(options, preset="dropout", stage="dropout")
    assert np.isfinite(list(train(options))[-1].loss)
    with pytest.raises(RequestError, match="--stage dropout"):
        train(replace(options, stage="interpolator"))
    with pytest.raises(RequestError, match="--preset dropout"):
        train(replace(options, preset="fast", folder=tmp_path / "other"))
    defaults = Defaults(134, 3, "0", "cold", "forecast", "window", False, "fp32")
    for wrong, words in (
        ({"defaults": replace(defaults, schedule="full")}, "ask for schedule 0"),
        ({"defaults": defaults, "stage": "interpolator"}, "trains no forecaster: choose direct, forecaster, dropout"),
    ):
        with pytest.raises(RequestError, match=words):
            publish(DATASET, "dropout", folder=tmp_path, target=tmp_path / "made", **wrong)
    assert not (tmp_path / "made").exists()
    card = publish(DATASET, "dropout", defaults=defaults, folder=tmp_path, target=tmp_path / "made")
    assert card.method == "dropout"
    assert "interpolator" not in card.training
    request = ForecastRequest("spring-mesh", model=str(tmp_path / "made"))
    result = forecast(request)
    assert (result.q_x.std("member").isel(y=slice(0, 8)).max(("y", "x")) > 0).all()
    alone = forecast(replace(request, members=2, steps=20))
    np.testing.assert_allclose(alone.p_y, result.p_y.isel(member=slice(2), lead=slice(20)), atol=1e-5)
    assert calls_per_member(request) == 134
    with pytest.raises(RequestError, match="ask for schedule 0"):
        forecast(replace(request, schedule="0,67"))


@pytest.mark.parametrize("loss", ["mse", "l1", "crps"])
def test_the_interpolator_learns_from_every_loss(options: TrainingOptions, loss: str) -> None:
    progress = list(train(replace(options, stage="interpolator", loss=loss, validate_seconds=0.5)))
    scores = [item.validation for item in progress if item.validation is not None]
    assert min(scores) < scores[0]


def test_a_resumed_run_goes_on_from_its_counters(options: TrainingOptions, tmp_path: Path) -> None:
    first = list(train(options))[-1]
    assert list(train(replace(options, resume=True))) == []  # its minutes are spent
    second = list(train(replace(options, resume=True, minutes=2 * MINUTES)))[-1]
    assert second.steps > first.steps
    assert second.seconds >= 2 * 60 * MINUTES
    _, counters = load_best(tmp_path / "direct.safetensors")
    assert counters.steps == second.steps


def test_a_fresh_run_keeps_the_earlier_one_under_another_name(options: TrainingOptions, tmp_path: Path) -> None:
    list(train(options))
    first = (tmp_path / "direct.safetensors").read_bytes()
    list(train(options))
    assert (tmp_path / "direct-previous.safetensors").read_bytes() == first
    assert (tmp_path / "direct.csv").read_text().count("steps") == 1


def test_a_damaged_state_is_refused_in_one_sentence(options: TrainingOptions, tmp_path: Path) -> None:
    list(train(options))
    path = tmp_path / "direct.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="without --resume"):
        train(replace(options, resume=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stage": "banana"}, "banana"),
        ({"loss": "banana"}, "banana"),
        ({"preset": "banana"}, "banana"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": float("nan")}, "minutes"),
        ({"batch": 0}, "batch"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_bad_options_are_refused(options: TrainingOptions, change: dict, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        train(replace(options, **change))


def test_stage_two_needs_stage_one(options: TrainingOptions) -> None:
    with pytest.raises(DataError, match="interpolator"):
        train(replace(options, stage="forecaster"))


def test_missing_training_runs_name_the_command_that_makes_them(options: TrainingOptions, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="simulate spring-mesh --split train"):
        train(replace(options, data=tmp_path / "nothing"))


def test_a_damaged_run_is_named(runs: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "run_0000.npz"
    damaged.write_bytes((runs / "run_0000.npz").read_bytes()[:999])
    with pytest.raises(DataError, match="run_0000"):
        load_simulated(damaged)


def test_channel_statistics_are_those_of_the_scored_cells() -> None:
    states = np.zeros((5, 4, 10, 10), np.float32)
    static = np.zeros((1, 10, 10), np.float32)
    static[0, 9] = 1
    states += DATASET.background(Run("", states, static, np.arange(5.0))).at(0.0)
    states[:, 1, :9] += 3.0
    states[:, 1, 9] += 99.0  # a fixed particle: does not count
    states[::2, 3, :9] += 2.0
    mean, std = channel_statistics(DATASET, [Run("made", states, static, np.arange(5.0))])
    assert mean == pytest.approx((0.0, 3.0, 0.0, 1.2))
    assert std == pytest.approx((0.0, 0.0, 0.0, 0.96**0.5), abs=1e-6)


def test_windows_start_at_frame_zero_more_often_and_end_a_horizon_later(runs: Path) -> None:
    loaded = DATASET.training_runs("train", folder=runs)
    scaling = Scaling.of_channels(DATASET.background(loaded[0]), (0.0,) * 4, (1.0,) * 4, torch.device("cpu"))
    tensors = to_tensors(DATASET, loaded, scaling, torch.device("cpu"))
    windows = draw_windows(DATASET, tensors, 134, 2000, torch.Generator().manual_seed(0))
    assert float((windows.start == 0).float().mean()) == pytest.approx(0.15, abs=0.03)
    assert int(windows.start.max()) <= 804 - 134
    torch.testing.assert_close(windows.x_horizon, tensors.states[windows.run, windows.start + 134])


def test_mirroring_touches_the_chosen_samples_alone() -> None:
    x = torch.randn(2, 4, 10, 10)
    mirrored = mirror_states(x, DATASET, torch.tensor([True, False]))
    torch.testing.assert_close(mirrored[1], x[1])
    torch.testing.assert_close(mirrored[0, 0], -x[0, 0].flip(-1))
    torch.testing.assert_close(mirrored[0, 1], x[0, 1].flip(-1))


def test_pooling_averages_the_scored_cells_of_each_block() -> None:
    field = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])[None, None]
    scored = torch.ones(1, 1, 3, 3, dtype=torch.bool)
    scored[..., 0, 0] = False
    scored[..., 2, 2] = False
    means, counts = pooled(torch.stack([field, 2 * field]), scored, 2)
    torch.testing.assert_close(means[0, 0, 0], torch.tensor([[11 / 3, 4.5], [7.5, 0.0]]))
    torch.testing.assert_close(means[1], 2 * means[0])
    assert counts[0, 0].tolist() == [[True, True], [True, False]]


def test_the_multiscale_loss_asks_for_spread_in_the_block_means() -> None:
    """Two ensembles of equal spread in every cell: one differs in patterns, the other in noise that averages out."""
    generator = torch.Generator().manual_seed(0)
    cells = (400, 1, 16, 16)
    scored = torch.ones(400, 1, 16, 16, dtype=torch.bool)
    target = torch.randn(400, 1, 1, 1, generator=generator).expand(cells)
    coherent = iter([torch.randn(400, 1, 1, 1, generator=generator).expand(cells) for _ in range(2)])
    noise = iter([torch.randn(cells, generator=generator) for _ in range(2)])
    assert LOSSES["multiscale"](lambda: next(coherent), target, scored) < 0.9 * LOSSES["multiscale"](
        lambda: next(noise), target, scored
    )
