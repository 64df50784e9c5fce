"""Scores of forecasts of an observed record: the field in its units and in standard deviations, and climate indices.

Everything is scored as anomalies; the CRPS and the RMSE of the field itself are the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr

from engine.datasets.background import Background
from engine.datasets.base import Dataset, Run, axes_of
from engine.ensemble_scores import ensemble_scores, labelled
from engine.errors import DataError
from engine.indices import Index, indices_of
from engine.record_baselines import RECORD_BASELINES, TrainingAnomalies, score_record_baselines

STANDARDISED = "standardised"
"""The name, as a channel of scores, of the field in standard deviations of each cell's anomalies."""


@dataclass(frozen=True)
class Quantity:
    """Something scored: made of anomalies (frame, y, x) of a record's one channel, values (frame, cell)."""

    name: str
    units: str
    of: Callable[[np.ndarray], np.ndarray]


def quantities(dataset: Dataset, run: Run, background: Background) -> tuple[Quantity, ...]:
    """What is scored of a record: the field, the field in standard deviations, the data set's indices."""
    scored, channel = dataset.scored(run), dataset.channels[0]
    scale = np.broadcast_to(background.scale[0], scored.shape)[scored]
    weights = [index.weights(axes_of(dataset, run), scored)[scored] for index in indices_of(dataset.name)]
    return (
        Quantity(channel.name, channel.units, lambda anomalies: anomalies[..., scored]),
        Quantity(STANDARDISED, "1", lambda anomalies: anomalies[..., scored] / scale),
        *(_index_quantity(index, scored, w) for index, w in zip(indices_of(dataset.name), weights, strict=True)),
    )


def anomalies_of(dataset: Dataset, background: Background, states: np.ndarray, times: np.ndarray) -> np.ndarray:
    """States (…, frame, y, x) of the one channel less the climatology of their times (frame,)."""
    departures: np.ndarray = states - background.series([dataset.season(float(time)) for time in times])[:, 0]
    return departures


def score_record_forecast(forecast: xr.Dataset, run: Run, start: int, dataset: Dataset) -> xr.Dataset:
    """Scores of one forecast of `run` from frame `start`, for every quantity as a channel.

    Returns `crps`, `mse`, `variance`, `crps_biased`, `variance_biased` as `engine.evaluation.score_forecast` does,
    `rank_counts`, and of indices `mean` and `truth`, NaN of fields; dims (lead, channel). Leads beyond the record are
    left out.
    """
    background = dataset.background(run)
    leads = np.array([lead for lead in forecast["lead"].values if lead % 1 == 0 and start + lead < run.frames])
    frames = start + leads.astype(int)
    members = forecast[dataset.channels[0].name].sel(lead=leads).values
    of_members = anomalies_of(dataset, background, members, run.times[frames])
    of_truth = anomalies_of(dataset, background, run.states[frames, 0], run.times[frames])
    scored = quantities(dataset, run, background)
    pairs = [(quantity.of(of_members), quantity.of(of_truth)) for quantity in scored]
    # in float64: an index is a mean over many cells, and small
    parts = [ensemble_scores(ensemble.astype(np.float64), target, seed=start) for ensemble, target in pairs]
    result = labelled(parts, leads, [quantity.name for quantity in scored])
    result["mean"] = ("lead", "channel"), _of_indices([ensemble.mean(axis=0) for ensemble, _ in pairs])
    result["truth"] = ("lead", "channel"), _of_indices([target for _, target in pairs])
    return result


def record_baselines(dataset: Dataset, run: Run, starts: Sequence[int], steps: int) -> xr.Dataset:
    """Scores of the baselines from the start frames of a record, for every quantity as a channel.

    Returns `crps`, `mse` and, of indices, `mean`; dims (baseline, start, lead, channel). attrs: the training years.

    Raises: DataError where there are no training years.
    """
    background = dataset.background(run)
    training, seasons = _training(dataset, run)
    values = anomalies_of(dataset, background, run.states[:, 0], run.times)
    past = anomalies_of(dataset, background, training.states[:, 0], training.times)
    of_frames = np.array([dataset.season(float(time)) for time in run.times])
    scored = quantities(dataset, run, background)
    parts = [
        score_record_baselines(TrainingAnomalies(of(past), seasons), of(values), of_frames, starts, steps)
        for of in (quantity.of for quantity in scored)
    ]
    dims = ("baseline", "start", "lead", "channel")
    return xr.Dataset(
        {name: (dims, np.stack([getattr(part, name) for part in parts], axis=-1)) for name in ("crps", "mse", "mean")},
        {
            "baseline": list(RECORD_BASELINES),
            "start": list(starts),
            "lead": np.arange(1.0, steps + 1),
            "channel": [quantity.name for quantity in scored],
        },
        {"baseline_years": background.baseline, "training_frames": training.frames},
    )


def correlation(scores: xr.Dataset) -> xr.Dataset:
    """Correlation of an index's ensemble mean with the truth over the starts, by lead, beside each baseline's.

    scores: as from `engine.evaluation.evaluate`; returns `correlation`, `baseline_correlation` and `count`, the number
    of forecasts, dims (lead, channel) for the indices alone.
    """
    of_indices = scores.sel(channel=scores["mean"].notnull().any(("run", "start", "lead")))
    truth = of_indices["truth"]
    result = xr.Dataset({"correlation": xr.corr(of_indices["mean"], truth, ("run", "start"))})
    result["count"] = truth.notnull().sum(("run", "start"))
    if "baseline_mean" in scores:
        result["baseline_correlation"] = xr.corr(of_indices["baseline_mean"], truth, ("run", "start"))
    return result


def _index_quantity(index: Index, scored: np.ndarray, weights: np.ndarray) -> Quantity:
    return Quantity(index.name, index.units, lambda anomalies: (anomalies[..., scored] @ weights)[..., None])


def _of_indices(values: Sequence[np.ndarray]) -> np.ndarray:
    """Values (lead, cell) of every quantity as (lead, quantity): those of one cell, NaN of the fields."""
    return np.stack([of[:, 0] if of.shape[1] == 1 else np.full(len(of), np.nan) for of in values], axis=1)


@lru_cache(maxsize=4)
def _training(dataset: Dataset, run: Run) -> tuple[Run, np.ndarray]:
    """The training years on the grid of a run, and the fraction of the year of each frame."""
    parts = dataset.training_runs("train")
    own = [part for part in parts if part.name == run.name]
    same_grid = [part for part in parts if part.axes is None and run.axes is None]
    if not (own or same_grid):
        raise DataError(
            f"There are no training years on the grid of {run.name!r} to fit baselines on: {dataset.remedy}."
        )
    training = (own or same_grid)[0]
    return training, np.array([dataset.season(float(time)) for time in training.times])
