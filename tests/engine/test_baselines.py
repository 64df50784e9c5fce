"""Baselines on a small invented data set, by hand and against other libraries."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import scoringrules
import torch
import xarray as xr

import engine.baselines
from engine.baselines import (
    BASELINES,
    TrainingStates,
    climatology,
    dressed_persistence,
    find_baselines,
    fit_table,
    load_training,
    read_table,
    score_baselines,
)
from engine.datasets import DATASETS
from engine.datasets.base import Channel, Dataset, Run
from engine.errors import DataError
from engine.scores import crps

FRAMES = 6


def walk(name: str, seed: int, *, blocked: tuple[int, int] | None = None) -> Run:
    """A random walk of two channels on 3 x 4 cells; nothing moves where it is blocked."""
    steps = np.random.default_rng(seed).normal(size=(FRAMES, 2, 3, 4)).astype(np.float32)
    static = np.zeros((1, 3, 4), np.float32)
    static[:, 0] = 1
    if blocked is not None:
        steps[:, :, blocked[0], blocked[1]] = 0
        static[:, blocked[0], blocked[1]] = 1
    return Run(name, steps.cumsum(axis=0), static, 0.1 * np.arange(FRAMES))


@dataclass
class Walks:
    """As much of a data set as baselines look at."""

    name: str = "walks"
    channels: tuple[Channel, ...] = (Channel("a", "1", "a"), Channel("b", "1", "b"))
    tests: dict[str, Run] = field(default_factory=lambda: {str(i): walk(str(i), 100 + i) for i in range(2)})

    def runs(self) -> tuple[str, ...]:
        return tuple(self.tests)

    def load(self, run: str) -> Run:
        return self.tests[run]

    def scored(self, run: Run) -> np.ndarray:
        return run.static[0] == 0

    def scored_starts(self, split: str, run: Run) -> tuple[int, ...]:
        return (0, 2)


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(engine.baselines, "bundled_dir", lambda: tmp_path / "bundled")
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path / "data"))
    return cast(Dataset, Walks())


def train(dataset: Dataset, count: int) -> TrainingStates:
    runs = [walk(str(seed), seed) for seed in range(count)]
    return TrainingStates(
        torch.from_numpy(np.stack([run.states for run in runs])),
        torch.from_numpy(np.stack([dataset.scored(run) for run in runs])),
    )


def save(run: Run, folder: Path, number: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / f"run_{number:04d}.npz", states=run.states, static=run.static, times=run.times, seed=0)


def two_runs(values: tuple[float, float], scored: tuple[bool, bool] = (True, True)) -> TrainingStates:
    """Two training runs of one cell that go from 10 at frame 0 to the values at frame 1."""
    states = torch.tensor([[10.0, values[0]], [10.0, values[1]]])[:, :, None, None, None]
    return TrainingStates(states, torch.tensor(scored)[:, None, None])


def test_persistence_is_dressed_with_the_mean_square_of_the_training_changes() -> None:
    initial = torch.full((1, 1, 1, 1), 7.0)
    forecast = dressed_persistence(two_runs((11.0, 13.0)), initial, 0, 1)  # changes 1 and 3
    assert forecast.mean.item() == 7
    assert forecast.std.item() == pytest.approx(5**0.5)


def test_persistence_learns_nothing_from_runs_that_have_an_obstacle_in_the_cell() -> None:
    initial = torch.zeros(1, 1, 1, 1)
    assert dressed_persistence(two_runs((11.0, 13.0), (True, False)), initial, 0, 1).std.item() == 1
    assert dressed_persistence(two_runs((11.0, 13.0), (False, False)), initial, 0, 1).std.item() == 0


def test_persistence_is_scored_as_the_gaussian_that_it_is(dataset: Dataset) -> None:
    training = train(dataset, 5)
    run = dataset.load("1")
    result = score_baselines(dataset, [run], [2], training)
    spread = dressed_persistence(training, torch.zeros(1), 2, 3).std.numpy()
    free = dataset.scored(run)
    expected = scoringrules.crps_normal(run.states[5][:, free], run.states[2][:, free], spread[:, free]).mean(axis=1)
    np.testing.assert_allclose(result["crps"].sel(baseline="persistence", lead=3).squeeze(), expected, rtol=1e-5)
    change = (run.states[5] - run.states[2])[:, free]
    np.testing.assert_allclose(
        result["mse"].sel(baseline="persistence", lead=3).squeeze(), (change**2).mean(axis=1), rtol=1e-5
    )


def test_climatology_is_scored_as_the_ensemble_of_training_states_at_that_time(dataset: Dataset) -> None:
    training = train(dataset, 5)
    runs = [dataset.load(name) for name in dataset.runs()]
    result = score_baselines(dataset, runs, [2], training)
    members = xr.DataArray(training.states[:, 4].numpy(), dims=("member", "channel", "y", "x"))
    for run in runs:
        truth = xr.DataArray(np.where(dataset.scored(run), run.states[4], np.nan), dims=("channel", "y", "x"))
        expected = crps(members, truth, over=["y", "x"])
        found = result["crps"].sel(baseline="climatology", run=run.name, lead=2).squeeze()
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert climatology(training, torch.zeros(1), 2, 2).mean.shape == (2, 3, 4)


def test_both_baselines_of_a_random_walk_have_the_scores_that_follow_from_its_variance(dataset: Dataset) -> None:
    # changes over l steps are N(0, l): the mean CRPS of the true distribution is sqrt(l / pi)
    result = score_baselines(dataset, [walk(str(i), 1000 + i) for i in range(60)], [0], train(dataset, 200))
    mean = result["crps"].mean(("run", "start", "channel"))
    leads = np.arange(1, FRAMES)
    np.testing.assert_allclose(mean.sel(baseline="persistence"), np.sqrt(leads / np.pi), rtol=0.08)
    np.testing.assert_allclose(mean.sel(baseline="climatology"), np.sqrt((leads + 1) / np.pi), rtol=0.08)


def test_leads_beyond_the_end_of_a_run_are_nan(dataset: Dataset) -> None:
    result = score_baselines(dataset, [dataset.load("0")], [0, 4], train(dataset, 3))
    assert result["lead"].values.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    known = result["crps"].notnull().all(("baseline", "run", "channel"))
    assert known.sel(start=0).all()
    assert known.sel(start=4).values.tolist() == [True, False, False, False, False]


def test_training_runs_are_loaded_with_their_obstacles(dataset: Dataset, tmp_path: Path) -> None:
    for number in range(3):
        save(walk("", number, blocked=(2, number)), tmp_path / "runs", number)
    training = load_training(dataset, tmp_path / "runs")
    assert training.states.shape == (3, FRAMES, 2, 3, 4)
    assert not training.scored[1, 2, 1] and training.scored[0, 2, 1]


def test_missing_training_runs_are_said_with_the_command_that_makes_them(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="python -m engine simulate walks --split train"):
        load_training(dataset)


def test_the_table_holds_the_scores_to_four_digits_and_is_used_without_training_runs(dataset: Dataset) -> None:
    assert read_table(dataset) is None
    assert find_baselines(dataset, [dataset.load("1")], [0]) is None
    training = train(dataset, 4)
    fit_table(dataset, training)
    found = find_baselines(dataset, [dataset.load("1")], [2])
    assert found is not None
    exact = score_baselines(dataset, [dataset.load("1")], [2], training)
    assert found["run"].values.tolist() == ["1"] and found["start"].values.tolist() == [2]
    for score in ("crps", "mse"):
        np.testing.assert_allclose(found[score].sel(lead=exact["lead"]), exact[score], rtol=2e-4)
    assert found.attrs["training_runs"] == 4


@pytest.mark.parametrize(
    ("run", "start"),
    [(lambda data: walk("1", 7), 0), (lambda data: walk("run_0000", 7), 0), (lambda data: data.load("1"), 1)],
    ids=["another run of the same name", "a run that is not bundled", "another start"],
)
def test_the_table_is_not_used_for_what_it_does_not_hold(
    dataset: Dataset, tmp_path: Path, run: Callable[[Dataset], Run], start: int
) -> None:
    fit_table(dataset, train(dataset, 4))
    wanted = run(dataset)
    assert find_baselines(dataset, [wanted], [start]) is None
    for number in range(3):
        save(walk("", number), tmp_path / "data" / "simulated" / "walks" / "accurate" / "train", number)
    found = find_baselines(dataset, [wanted], [start])
    assert found is not None and found.attrs["training_runs"] == 3


def test_a_damaged_table_is_said_in_a_sentence(dataset: Dataset, tmp_path: Path) -> None:
    fit_table(dataset, train(dataset, 2))
    path = tmp_path / "bundled" / "walks" / "baselines.nc"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="damaged"):
        read_table(dataset)


@pytest.mark.parametrize("name", ["navier-stokes", "spring-mesh"])
def test_simulated_runs_are_scored_from_frame_0_on_and_leave_a_window_to_forecast(name: str) -> None:
    starts = DATASETS[name].scored_starts("test", DATASETS[name].load("0"))
    assert starts[0] == 0 and list(starts) == sorted(set(starts))
    assert starts[-1] + DATASETS[name].horizon <= DATASETS[name].default_steps


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_is_a_distribution_over_all_runs_at_once(name: str, dataset: Dataset) -> None:
    training = train(dataset, 3)
    truth = torch.stack([torch.from_numpy(dataset.load(run).states[3]) for run in dataset.runs()])
    assert BASELINES[name](training, truth, 1, 2).crps(truth).shape == truth.shape
