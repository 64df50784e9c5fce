"""Training runs in memory as normalised tensors, and the random windows that training draws from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.datasets.base import Dataset, Run
from engine.datasets.simulated import load_simulated
from engine.errors import DataError
from engine.models.dynamics import Scaling
from engine.simulators.files import simulated_dir, simulated_files

START_OVERSAMPLING = 0.15
"""Share of windows that start at frame 0: the spin-up is one window start of many, yet every forecast of it counts."""


@dataclass(frozen=True, eq=False)
class TrainingRuns:
    """Runs as tensors: states (run, frame, channel, y, x) normalised, static (run, s, y, x), scored (run, 1, y, x).

    `times` (frame,) are seconds since the start of a run, the same for all.
    """

    states: Tensor
    static: Tensor
    scored: Tensor
    times: tuple[float, ...]
    scaling: Scaling

    def __len__(self) -> int:
        return len(self.states)


@dataclass(frozen=True, eq=False)
class Windows:
    """A batch of windows: `run`, `start` and `lead` (b,) and the tensors at both ends."""

    run: Tensor
    start: Tensor
    initial: Tensor
    x_horizon: Tensor
    static: Tensor
    scored: Tensor


def load_runs(dataset: Dataset, split: str, *, folder: Path | None = None, limit: int | None = None) -> tuple[Run, ...]:
    """Generated runs of a split. Raises DataError where there are none, naming the command that makes them."""
    folder = folder or simulated_dir(dataset.name, split=split)
    paths = simulated_files(folder, limit)
    if not paths:
        raise DataError(
            f"There are no {split} runs of {dataset.name} in the data folder: "
            f"make them with python -m engine simulate {dataset.name} --split {split}."
        )
    return tuple(load_simulated(path) for path in paths)


def channel_statistics(dataset: Dataset, runs: Sequence[Run]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all scored cells and frames, less the background.

    Channels that the data set's mirror negates have mean 0, so that normalised states keep the symmetry.
    """
    background = dataset.background()
    of_channel = [np.moveaxis((run.states - background)[..., dataset.scored(run)], 1, 0) for run in runs]
    flat = np.concatenate([values.reshape(len(values), -1) for values in of_channel], axis=1)
    mean, std = flat.mean(axis=1, dtype=np.float64), flat.std(axis=1, dtype=np.float64)
    if dataset.mirror is not None:
        mean[list(dataset.mirror.negated)] = 0.0
    return tuple(map(float, mean)), tuple(map(float, std))


def to_tensors(dataset: Dataset, runs: Sequence[Run], scaling: Scaling, device: torch.device) -> TrainingRuns:
    """Stack runs of equal length on the device, normalised."""
    return TrainingRuns(
        torch.stack([scaling.normalise(torch.from_numpy(run.states).to(device)) for run in runs]),
        torch.stack([torch.from_numpy(run.static).to(device) for run in runs]),
        torch.stack([torch.from_numpy(dataset.scored(run)).to(device)[None] for run in runs]),
        tuple(map(float, runs[0].times)),
        scaling,
    )


def draw_windows(runs: TrainingRuns, horizon: int, batch: int, generator: torch.Generator) -> Windows:
    """Random windows, their starts at frame 0 with an extra chance of `START_OVERSAMPLING`."""
    frames = runs.states.shape[1]
    run = torch.randint(len(runs), (batch,), generator=generator)
    start = torch.randint(frames - horizon, (batch,), generator=generator)
    start[torch.rand(batch, generator=generator) < START_OVERSAMPLING] = 0
    return Windows(
        run,
        start,
        runs.states[run, start],
        runs.states[run, start + horizon],
        runs.static[run],
        runs.scored[run],
    )


def draw_mirrored(batch: int, generator: torch.Generator) -> Tensor:
    """Which samples of a batch to mirror, bool (b,)."""
    return torch.rand(batch, generator=generator) < 0.5


def mirror_states(x: Tensor, dataset: Dataset, chosen: Tensor) -> Tensor:
    """Mirror the chosen samples of normalised states (b, channel, y, x)."""
    if dataset.mirror is None:
        return x
    flipped = x.flip(dataset.mirror.axis)
    flipped[:, list(dataset.mirror.negated)] *= -1
    return torch.where(chosen.to(x.device)[:, None, None, None], flipped, x)


def mirror_fields(fields: Tensor, dataset: Dataset, chosen: Tensor) -> Tensor:
    """Mirror the chosen samples of static fields or masks (b, s, y, x)."""
    if dataset.mirror is None:
        return fields
    return torch.where(chosen.to(fields.device)[:, None, None, None], fields.flip(dataset.mirror.axis), fields)
