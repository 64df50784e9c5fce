"""Training runs in memory as normalised tensors, and the random windows that training draws from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.datasets.base import Dataset, Run
from engine.models.dynamics import Scaling


@dataclass(frozen=True, eq=False)
class TrainingRuns:
    """Runs as tensors: states (run, frame, channel, y, x) normalised, static (run, s, y, x), scored (run, 1, y, x).

    `times` and `seasons` (frame,) are those of the first run, and the same for all where there are several.
    """

    states: Tensor
    static: Tensor
    scored: Tensor
    times: tuple[float, ...]
    seasons: Tensor
    scaling: Scaling

    def __len__(self) -> int:
        return len(self.states)


@dataclass(frozen=True, eq=False)
class Windows:
    """A batch of windows: `run` and `start` (b,), the tensors at both ends, and what networks see beside them."""

    run: Tensor
    start: Tensor
    initial: Tensor
    x_horizon: Tensor
    side: Tensor
    scored: Tensor


def channel_statistics(dataset: Dataset, runs: Sequence[Run]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all scored cells and frames, less the background.

    Channels that the data set's mirror negates have mean 0, so that normalised states keep the symmetry.
    """
    of_channel = [np.moveaxis(_departures(dataset, run)[..., dataset.scored(run)], 1, 0) for run in runs]
    flat = np.concatenate([values.reshape(len(values), -1) for values in of_channel], axis=1)
    mean, std = flat.mean(axis=1, dtype=np.float64), flat.std(axis=1, dtype=np.float64)
    if dataset.mirror is not None:
        mean[list(dataset.mirror.negated)] = 0.0
    return tuple(map(float, mean)), tuple(map(float, std))


def _departures(dataset: Dataset, run: Run) -> np.ndarray:
    """States less the background, in units of its scale."""
    background = dataset.background(run)
    departures: np.ndarray = run.states - background.series([dataset.season(time) for time in run.times])
    return departures / background.scale


def to_tensors(dataset: Dataset, runs: Sequence[Run], scaling: Scaling, device: torch.device) -> TrainingRuns:
    """Stack runs of equal length on the device, normalised."""
    seasons = [dataset.season(float(time)) for time in runs[0].times]
    return TrainingRuns(
        torch.stack([_normalised(run, seasons, scaling).to(device) for run in runs]),
        torch.stack([torch.from_numpy(run.static).to(device) for run in runs]),
        torch.stack([torch.from_numpy(dataset.scored(run)).to(device)[None] for run in runs]),
        tuple(map(float, runs[0].times)),
        torch.tensor(seasons, device=device),
        scaling,
    )


def _normalised(run: Run, seasons: Sequence[float], scaling: Scaling) -> Tensor:
    states = torch.from_numpy(run.states).to(scaling.scale.device)
    return torch.stack([scaling.normalise(state, season) for state, season in zip(states, seasons, strict=True)])


def draw_windows(dataset: Dataset, runs: TrainingRuns, horizon: int, batch: int, generator: torch.Generator) -> Windows:
    """Random windows, their starts at frame 0 with an extra chance of the data set's `start_oversampling`."""
    frames = runs.states.shape[1]
    run = torch.randint(len(runs), (batch,), generator=generator)
    start = torch.randint(frames - horizon, (batch,), generator=generator)
    start[torch.rand(batch, generator=generator) < dataset.start_oversampling] = 0
    return windows_at(dataset, runs, horizon, run, start)


def windows_at(dataset: Dataset, runs: TrainingRuns, horizon: int, run: Tensor, start: Tensor) -> Windows:
    """The windows of the given runs and start frames (b,)."""
    return Windows(
        run,
        start,
        runs.states[run, start],
        runs.states[run, start + horizon],
        dataset.side_inputs(runs.static[run], runs.seasons[start]),
        runs.scored[run],
    )


def draw_mirrored(batch: int, generator: torch.Generator) -> Tensor:
    """Which samples of a batch to mirror, bool (b,)."""
    return torch.rand(batch, generator=generator) < 0.5


def mirror_states(x: Tensor, dataset: Dataset, chosen: Tensor) -> Tensor:
    """Mirror the chosen samples of normalised states (b, channel, y, x)."""
    if dataset.mirror is None:
        return x
    flipped = x.clone() if dataset.mirror.axis is None else x.flip(dataset.mirror.axis)
    flipped[:, list(dataset.mirror.negated)] *= -1
    return torch.where(chosen.to(x.device)[:, None, None, None], flipped, x)


def mirror_fields(fields: Tensor, dataset: Dataset, chosen: Tensor) -> Tensor:
    """Mirror the chosen samples of static fields or masks (b, s, y, x)."""
    if dataset.mirror is None or dataset.mirror.axis is None:
        return fields
    return torch.where(chosen.to(fields.device)[:, None, None, None], fields.flip(dataset.mirror.axis), fields)
