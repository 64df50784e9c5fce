"""What a forecast must beat: persistence dressed with a fitted Gaussian, and climatology by run time.

Both are probabilistic. They are fitted on the simulated training runs; their scores on the bundled runs come
with the project (`data/<data set>/baselines.nc`), so that a machine without training runs can compare too.
"""

import datetime
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from engine import _score_kernels as kernels
from engine.datasets.base import Dataset, Run
from engine.datasets.netcdf import NETCDF_LOCK, open_dataset
from engine.datasets.simulated import load_simulated
from engine.errors import DataError
from engine.folders import bundled_dir
from engine.simulators.files import simulated_dir, simulated_files


@dataclass(frozen=True, eq=False)
class TrainingStates:
    """All training runs of a data set: states (run, frame, channel, y, x), scored bool (run, y, x)."""

    states: Tensor
    scored: Tensor


@dataclass(frozen=True, eq=False)
class Gaussian:
    """An independent normal distribution at every point: mean (run, channel, y, x), std (channel, y, x)."""

    mean: Tensor
    std: Tensor

    def crps(self, truth: Tensor) -> Tensor:
        """Closed form, truth (run, channel, y, x)."""
        return kernels.gaussian_crps(self.mean, self.std, truth)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The same members for every run: (member, channel, y, x)."""

    members: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean over the members, (channel, y, x)."""
        return kernels.ensemble_mean(self.members)

    def crps(self, truth: Tensor) -> Tensor:
        """Fair CRPS, truth (run, channel, y, x); the members are sorted once for all runs."""
        error = torch.stack([(self.members - one).abs().mean(dim=0) for one in truth])
        return error - kernels.half_mean_difference(self.members - self.mean)


def dressed_persistence(training: TrainingStates, initial: Tensor, frame: int, lead: int) -> Gaussian:
    """The initial state (run, channel, y, x) at `frame` for ever, with the variance that training runs show.

    The variance per cell and channel is the mean square of x[frame + lead] - x[frame] over the training runs
    in which the cell is scored (not inside an obstacle); from the same frame, as the spin-up is part of it.
    """
    change = training.states[:, frame + lead] - training.states[:, frame]
    weight = training.scored[:, None].to(change.dtype)
    variance = (change**2 * weight).sum(dim=0) / weight.sum(dim=0).clamp(min=1)
    return Gaussian(initial, variance.sqrt())


def climatology(training: TrainingStates, initial: Tensor, frame: int, lead: int) -> Ensemble:
    """The states of all training runs at the time that is forecast; knows nothing of `initial`."""
    return Ensemble(training.states[:, frame + lead])


BASELINES: dict[str, Callable[[TrainingStates, Tensor, int, int], Gaussian | Ensemble]] = {
    "persistence": dressed_persistence,
    "climatology": climatology,
}


def load_training(dataset: Dataset, folder: Path | None = None) -> TrainingStates:
    """Every simulated training run, in memory (Navier-Stokes: 0.7 GB).

    Raises: DataError where there are fewer than two, naming the command that makes them.
    """
    paths = simulated_files(folder or simulated_dir(dataset.name, split="train"))
    if len(paths) < 2:
        raise DataError(
            f"Baselines of {dataset.name} need training runs and the data folder has {len(paths)} of them;"
            f" make some with python -m engine simulate {dataset.name} --split train."
        )
    runs = [load_simulated(path) for path in paths]
    return TrainingStates(
        states=torch.from_numpy(np.stack([run.states for run in runs])),
        scored=torch.from_numpy(np.stack([dataset.scored(run) for run in runs])),
    )


def score_baselines(
    dataset: Dataset, runs: Sequence[Run], starts: Sequence[int], training: TrainingStates
) -> xr.Dataset:
    """Scores of every baseline for runs of equal length, from each start frame to their end.

    Returns `crps` (fair) and `mse`, averaged over scored cells, dims (baseline, run, start, lead, channel),
    NaN beyond the end of a run; attrs["training_runs"] is the number fitted on.
    """
    states = torch.from_numpy(np.stack([run.states for run in runs]))
    scored = torch.from_numpy(np.stack([dataset.scored(run) for run in runs]))
    leads = np.arange(1, states.shape[1] - min(starts))
    shape = (len(BASELINES), len(runs), len(starts), len(leads), len(dataset.channels))
    crps, mse = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for frame in range(min(starts) + 1, states.shape[1]):
        for row, baseline in enumerate(BASELINES.values()):
            scores: tuple[np.ndarray, np.ndarray] | None = None
            for column, start in enumerate(starts):
                if start >= frame:
                    continue
                if scores is None or baseline is not climatology:  # which depends on the frame alone
                    forecast = baseline(training, states[:, start], start, frame - start)
                    errors = (forecast.crps(states[:, frame]), (forecast.mean - states[:, frame]) ** 2)
                    scores = (_cell_mean(errors[0], scored), _cell_mean(errors[1], scored))
                crps[row, :, column, frame - start - 1], mse[row, :, column, frame - start - 1] = scores
    dims = ("baseline", "run", "start", "lead", "channel")
    return xr.Dataset(
        {"crps": (dims, crps), "mse": (dims, mse)},
        coords={
            "baseline": list(BASELINES),
            "run": [run.name for run in runs],
            "start": list(starts),
            "lead": leads.astype(np.float64),
            "channel": [channel.name for channel in dataset.channels],
        },
        attrs={"dataset": dataset.name, "training_runs": len(training.states)},
    )


def fit_table(dataset: Dataset, training: TrainingStates, path: Path | None = None) -> xr.Dataset:
    """Score the baselines on all bundled runs and write the table that comes with the project.

    Raises: DataError where there are no bundled runs or the file cannot be written.
    """
    runs = [dataset.load(name) for name in dataset.runs()]
    if not runs:
        raise DataError(f"{dataset.name} has no bundled runs to score baselines on; restore the data folder.")
    table = score_baselines(dataset, runs, dataset.scored_starts("test", runs[0]), training)
    table.attrs |= {
        "title": f"Scores of persistence and climatology on the bundled runs of {dataset.name}",
        "history": f"fitted {datetime.date.today().isoformat()} by python -m engine evaluate --fit-baselines",
        "license": "Apache-2.0",
    }
    _write(table, table_path(dataset.name) if path is None else path)
    return table


def read_table(dataset: Dataset) -> xr.Dataset | None:
    """The table that comes with the project, as from `score_baselines`; None where there is none.

    Raises: DataError if its file is damaged.
    """
    path = table_path(dataset.name)
    return open_dataset(path) if path.exists() else None


def table_path(dataset: str) -> Path:
    """The file of the table."""
    return bundled_dir() / dataset / "baselines.nc"


def find_baselines(dataset: Dataset, runs: Sequence[Run], starts: Sequence[int]) -> xr.Dataset | None:
    """Baseline scores for these runs and starts: from the table, else fitted now.

    The table counts for the bundled runs alone; None where it does not and there are no training runs.
    """
    table = read_table(dataset)
    bundled = set(dataset.runs())
    if table is not None and all(run.name in bundled and dataset.load(run.name) is run for run in runs):
        names = [run.name for run in runs]
        if set(names) <= set(table["run"].values) and set(starts) <= set(table["start"].values):
            return table.sel(run=names, start=list(starts))
    if len(simulated_files(simulated_dir(dataset.name, split="train"))) < 2:
        return None
    return score_baselines(dataset, runs, starts, load_training(dataset))


def _cell_mean(values: Tensor, scored: Tensor) -> np.ndarray:
    """Average of (run, channel, y, x) over the scored cells (run, y, x) of each run: (run, channel)."""
    weight = scored[:, None].to(torch.float64)
    return ((values * weight).sum(dim=(-2, -1)) / weight.sum(dim=(-2, -1))).numpy()


def _write(table: xr.Dataset, path: Path) -> None:
    packed = {"zlib": True, "complevel": 9, "shuffle": True, "significant_digits": 4}
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NETCDF_LOCK:
            table.to_netcdf(partial, engine="netcdf4", encoding=dict.fromkeys(table.data_vars, packed))
        os.replace(partial, path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); free some space or name another folder."
        ) from error
