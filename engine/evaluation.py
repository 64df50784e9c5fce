"""Forecasts of known runs scored lead by lead, beside the baselines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from engine.baselines import find_baselines
from engine.bootstrap import (
    Estimate,
    mean_estimate,
    pooled_ratio_estimate,
    resample_blocks,
    resample_clusters,
    root_mean_estimate,
)
from engine.datasets.base import Dataset, Run
from engine.ensemble_scores import ensemble_scores, labelled
from engine.errors import RequestError
from engine.record_evaluation import record_baselines, score_record_forecast
from engine.results import state_at
from engine.variable_fields import variable_of
from engine.variables import CLIMATOLOGY, Variable

RunForecast = Callable[[Run, int, int], xr.Dataset]
"""(run, start frame, steps) -> a forecast as `engine.forecast` returns it."""


@dataclass(frozen=True)
class Convention:
    """Which variables of `score_forecast` a summary is made from."""

    crps: str
    variance: str
    description: str


CONVENTIONS: dict[str, Convention] = {
    "fair": Convention("crps", "variance", "fair CRPS, spread with ddof 1 and (M + 1)/M"),
    "paper": Convention("crps_biased", "variance_biased", "biased CRPS, spread with ddof 0 (arXiv 2306.01984)"),
}


def score_forecast(forecast: xr.Dataset, run: Run, start: int, dataset: Dataset) -> xr.Dataset:
    """Scores of one forecast of `run` from frame `start`, averaged over scored cells.

    Returns `crps`, `mse`, `variance` (corrected, to compare with mse) and the paper's forms `crps_biased` and
    `variance_biased`, dims (lead, channel), and `rank_counts`, in how many cells the truth has which rank among the
    members, dims (lead, channel, rank). Leads whose truth is not known are left out; with one member the fair forms
    are NaN.
    """
    known = {
        lead: state
        for lead in forecast["lead"].values
        if (state := state_at(run, run.times[start] + lead * dataset.time_step)) is not None
    }
    scored, chosen = dataset.scored(run), forecast.sel(lead=list(known))
    truth = np.stack([state[:, scored] for state in known.values()])
    names = [channel.name for channel in dataset.channels]
    parts = [
        ensemble_scores(chosen[name].values[..., scored], truth[:, index], seed=start)
        for index, name in enumerate(names)
    ]
    return labelled(parts, list(known), names)


def scorer_of(dataset: Dataset) -> Callable[[xr.Dataset, Run, int, Dataset], xr.Dataset]:
    """What scores a forecast: `score_forecast`, of an observed record `score_record_forecast`."""
    return score_forecast if dataset.calendar is None else score_record_forecast


def score_variable_forecast(
    forecast: xr.Dataset, run: Run, start: int, dataset: Dataset, variable: Variable
) -> xr.Dataset:
    """As `score_forecast`, of one variable that may follow from the channels; its name is the one channel.

    Of a record `mean` and `truth` are there too, NaN as those of fields.
    """
    known = {
        index: state
        for index, lead in enumerate(forecast["lead"].values)
        if (state := state_at(run, run.times[start] + lead * dataset.time_step)) is not None
    }
    leads = forecast["lead"].values[list(known)]
    times, background = run.times[start] + leads * dataset.time_step, dataset.background(run)
    channels = [forecast[channel.name].values[:, list(known)] for channel in dataset.channels]
    members = variable_of(np.stack(channels, axis=2), times, variable, dataset, run, background)
    truth = variable_of(np.stack(list(known.values())), times, variable, dataset, run, background)
    scored = dataset.scored(run)
    result = labelled([ensemble_scores(members[..., scored], truth[..., scored], seed=start)], leads, [variable.name])
    if dataset.calendar is not None:
        result["mean"] = result["truth"] = ("lead", "channel"), np.full((len(leads), 1), np.nan)
    return result


def forecast_length(dataset: Dataset, run: Run, start: int, steps: int | None = None) -> int:
    """Data steps of a scored forecast: as asked, else to the end of a simulated run, a record's default."""
    longest = run.frames if dataset.calendar is None else dataset.default_steps
    return min(steps or longest, run.frames - 1 - start)


def check_starts(runs: Sequence[Run], starts: Sequence[int]) -> None:
    """Raises RequestError where a run has no frame after a start."""
    for run in runs:
        if not all(0 <= start < run.frames - 1 for start in starts):
            raise RequestError(
                f"Run {run.name} cannot be forecast from frames {', '.join(map(str, starts))};"
                f" choose among 0 to {run.frames - 2}."
            )


def evaluate(
    dataset: Dataset,
    runs: Sequence[Run],
    starts: Sequence[int],
    forecast: RunForecast,
    *,
    steps: int | None = None,
    baselines: bool = True,
    variable: Variable | None = None,
    done: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Score the forecasts of every run from every start frame, `steps` steps long or to the end of the run.

    Observed records are forecast for the data set's default steps unless `steps` says otherwise. Returns the variables
    of `score_forecast`, of a record those of `score_record_forecast`, with dims (run, start, lead, channel), NaN beyond
    the end of a run (`rank_counts` one more, `rank`), and where baselines are wanted and known `baseline_crps` and
    `baseline_mse` (of a record `baseline_mean` too) with one dimension more, `baseline`. variable: score it alone.
    `done` is told how many forecasts are finished, and of how many.

    Raises: RequestError if a run has no frame after a start.
    """
    check_starts(runs, starts)
    rows: list[list[xr.Dataset]] = []
    for run in runs:
        rows.append([])
        for start in starts:
            rows[-1].append(score_one(dataset, run, start, forecast, steps=steps, variable=variable))
            if done is not None:
                done((len(rows) - 1) * len(starts) + len(rows[-1]), len(runs) * len(starts))
    return assembled(dataset, runs, starts, rows, baselines=baselines, variable=variable)


def score_one(
    dataset: Dataset, run: Run, start: int, forecast: RunForecast, *, steps: int | None, variable: Variable | None
) -> xr.Dataset:
    """The scores of one of the forecasts of `evaluate`."""
    made = forecast(run, start, forecast_length(dataset, run, start, steps))
    if variable is not None:
        return score_variable_forecast(made, run, start, dataset, variable)
    return scorer_of(dataset)(made, run, start, dataset)


def assembled(
    dataset: Dataset,
    runs: Sequence[Run],
    starts: Sequence[int],
    rows: Sequence[Sequence[xr.Dataset]],
    *,
    baselines: bool = True,
    variable: Variable | None = None,
) -> xr.Dataset:
    """What `evaluate` returns, of the scores of every run (row) from every start."""
    of_runs = [joined(row, "start", list(starts)) for row in rows]
    result = joined(of_runs, "run", [run.name for run in runs]).assign_attrs(dataset=dataset.name)
    channel = None if variable is None else baseline_channel(dataset, variable)
    if not baselines or (variable is not None and channel is None):
        return result
    beside = baseline_scores(dataset, runs, starts, int(result["lead"].values[-1]))
    if beside is None:
        return result
    if channel is not None and variable is not None:
        beside = beside.sel(channel=[channel]).assign_coords(channel=[variable.name])
    names = {name: f"baseline_{name}" for name in ("crps", "mse", "mean") if name in beside}
    result.attrs |= {name: beside.attrs[name] for name in ("training_runs", "baseline_years") if name in beside.attrs}
    beside = beside.rename(names).reindex(lead=result["lead"])
    return result.merge(beside.where(result["mse"].notnull()), combine_attrs="override")


def baseline_channel(dataset: Dataset, variable: Variable) -> str | None:
    """The channel whose baselines are those of a variable, None where there is none.

    The scores of an anomaly are those of the field: the climatology is taken off forecast and truth alike.
    """
    name = dataset.channels[0].name if variable.references == (CLIMATOLOGY,) else variable.name
    return name if name in [channel.name for channel in dataset.channels] else None


def baseline_scores(dataset: Dataset, runs: Sequence[Run], starts: Sequence[int], steps: int) -> xr.Dataset | None:
    """`crps` and `mse` of the baselines, dims (baseline, run, start, lead, channel); None where they are not known."""
    if dataset.calendar is None:
        return find_baselines(dataset, runs, starts)
    of_each = [record_baselines(dataset, run, starts, steps) for run in runs]
    return joined(of_each, "run", [run.name for run in runs])


def by_lead(scores: xr.Dataset, *, convention: str = "fair") -> xr.Dataset:
    """Averages over runs and starts of what `evaluate` returns, dims (lead, channel).

    `crps`, `rmse`, `variance` and `ratio` (spread over RMSE, pooled before root and ratio), and where
    baselines are known `baseline_crps` and `baseline_rmse` with one dimension more, `baseline`.
    """
    return _summary(scores, ("run", "start"), convention=convention)


def overall(scores: xr.Dataset, *, convention: str = "fair") -> xr.Dataset:
    """As `by_lead`, averaged over leads too: every lead counts the same, however many starts reach it."""
    means = scores.drop_vars("rank_counts", errors="ignore").mean(("run", "start"))
    return _summary(means, ("lead",), convention=convention)


def across_channels(summary: xr.Dataset) -> xr.Dataset:
    """Channels joined, in physical units as the DYffusion paper does.

    `crps` is the plain mean, `rmse` the root of the mean squared error, `ratio` the mean of the channels'
    ratios and `pooled_ratio` the root of mean variance over mean squared error.
    """
    result = summary.mean("channel")
    result["rmse"] = (summary["rmse"] ** 2).mean("channel") ** 0.5
    result["pooled_ratio"] = (summary["variance"].mean("channel") ** 0.5) / result["rmse"]
    if "baseline_rmse" in summary:
        result["baseline_rmse"] = (summary["baseline_rmse"] ** 2).mean("channel") ** 0.5
    return result


@dataclass(frozen=True)
class Skill:
    """The scores of many forecasts in one line, over all leads, channels and cells, with 95 % intervals.

    `rank_deviation` is the sum over ranks of |frequency - 1/(M + 1)| of the pooled rank histogram: 0 is flat,
    2M/(M + 1) the worst.
    """

    crps: Estimate
    rmse: Estimate
    ratio: Estimate
    rank_deviation: float


def skill(scores: xr.Dataset, *, convention: str = "fair", seed: int = 0) -> Skill:
    """What `evaluate` returns, or a selection of its starts, leads or channels, as a whole; channels are joined.

    The means are those of `overall` and `across_channels`, the ratio is the pooled one.
    """
    forms, counts = CONVENTIONS[convention], resampling(scores, seed=seed)
    squares, variance = by_unit(scores, "mse"), by_unit(scores, forms.variance)
    return Skill(
        crps=mean_estimate(by_unit(scores, forms.crps), counts),
        rmse=root_mean_estimate(squares, counts),
        ratio=pooled_ratio_estimate(variance, squares, counts),
        rank_deviation=rank_deviation(scores["rank_counts"]),
    )


def resampling(scores: xr.Dataset, *, seed: int = 0) -> np.ndarray:
    """Draws for the bootstrap, counts (resample, unit): whole runs, of a record blocks of neighbouring start dates.

    Blocks reach as far as the last lead, as neighbouring forecasts share their truth, and at least the cube root of the
    number of dates.
    """
    count = scores.sizes[_unit(scores)]
    if _unit(scores) == "run" or count == 1:
        return resample_clusters(count, seed=seed)
    shared = np.ceil(float(scores["lead"].values[-1]) / float(np.diff(scores["start"].values).min()))
    return resample_blocks(count, min(count, max(int(shared), round(count ** (1 / 3)))), seed=seed)


def by_unit(scores: xr.Dataset, name: str) -> np.ndarray:
    """A score (unit, lead) for every unit of `resampling`, the mean over all else; NaN beyond the end of a run."""
    unit = _unit(scores)
    others = [str(dim) for dim in scores[name].dims if dim not in (unit, "lead")]
    values: np.ndarray = scores[name].mean(others).transpose(unit, "lead").values
    return values


def rank_deviation(counts: xr.DataArray) -> float:
    """The sum over ranks of |frequency - 1/(M + 1)|, everything else pooled."""
    pooled = counts.sum([str(dim) for dim in counts.dims if dim != "rank"]).values
    return float(np.abs(pooled / pooled.sum() - 1 / len(pooled)).sum())


def _unit(scores: xr.Dataset) -> str:
    """What is independent of one another: the runs of a simulated system, the start dates of an observed record."""
    return "start" if "mean" in scores else "run"


def joined(parts: Sequence[xr.Dataset], dim: str, labels: Sequence[object]) -> xr.Dataset:
    """Scores of one forecast after the other along a new dimension."""
    index = xr.DataArray(np.array(labels), dims=dim, name=dim)
    return xr.concat(parts, dim=index, join="outer")  # starts reach different leads; what is missing is NaN


def _summary(scores: xr.Dataset, dims: tuple[str, ...], *, convention: str) -> xr.Dataset:
    forms = CONVENTIONS[convention]
    means = scores.drop_vars("rank_counts", errors="ignore").mean(dims)
    result = xr.Dataset(
        {
            "crps": means[forms.crps],
            "rmse": means["mse"] ** 0.5,
            "variance": means[forms.variance],
            "ratio": (means[forms.variance] / means["mse"]) ** 0.5,
        }
    )
    if "baseline_crps" in means:
        result["baseline_crps"] = means["baseline_crps"]
        result["baseline_rmse"] = means["baseline_mse"] ** 0.5
    return result
