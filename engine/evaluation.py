"""Forecasts of known runs scored lead by lead, beside the baselines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from engine.baselines import find_baselines
from engine.datasets.base import Dataset, Run
from engine.errors import RequestError
from engine.record_evaluation import record_baselines, score_record_forecast
from engine.results import state_at
from engine.scores import crps, rmse, spread

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
    `variance_biased`, dims (lead, channel). Leads whose truth is not known are left out; with one member
    the fair forms are NaN.
    """
    names = [channel.name for channel in dataset.channels]
    known = {
        lead: state
        for lead in forecast["lead"].values
        if (state := state_at(run, run.times[start] + lead * dataset.time_step)) is not None
    }
    members = forecast[names].sel(lead=list(known)).to_dataarray("channel")
    states = np.stack(list(known.values()))
    truth = xr.DataArray(
        np.where(dataset.scored(run), states, np.nan).swapaxes(0, 1),
        dims=("channel", "lead", *members.dims[-2:]),
    )
    cells = members.dims[-2:]
    count = members.sizes["member"]
    result = xr.Dataset(
        {
            "mse": rmse(members, truth, over=cells) ** 2,
            "crps_biased": crps(members, truth, over=cells, fair=False),
            "variance_biased": spread(members, truth, over=cells, corrected=False) ** 2,
        }
    )
    result["crps"] = crps(members, truth, over=cells) if count > 1 else result["crps_biased"] * np.nan
    result["variance"] = result["variance_biased"] * ((count + 1) / (count - 1) if count > 1 else np.nan)
    return result.drop_attrs().reset_coords(drop=True).transpose("lead", "channel")


def evaluate(
    dataset: Dataset,
    runs: Sequence[Run],
    starts: Sequence[int],
    forecast: RunForecast,
    *,
    steps: int | None = None,
    done: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Score the forecasts of every run from every start frame, `steps` steps long or to the end of the run.

    Observed records are forecast for the data set's default steps unless `steps` says otherwise. Returns the variables
    of `score_forecast`, of a record those of `score_record_forecast`, with dims (run, start, lead, channel), NaN beyond
    the end of a run, and where baselines are known `baseline_crps` and `baseline_mse` (of a record `baseline_mean` too)
    with one dimension more, `baseline`.
    `done` is told how many forecasts are finished, and of how many.

    Raises: RequestError if a run has no frame after a start.
    """
    for run in runs:
        if not all(0 <= start < run.frames - 1 for start in starts):
            raise RequestError(
                f"Run {run.name} cannot be forecast from frames {', '.join(map(str, starts))};"
                f" choose among 0 to {run.frames - 2}."
            )
    score = score_forecast if dataset.calendar is None else score_record_forecast
    rows: list[xr.Dataset] = []
    for number, run in enumerate(runs):
        row: list[xr.Dataset] = []
        longest = run.frames if dataset.calendar is None else dataset.default_steps
        for start in starts:
            length = min(steps or longest, run.frames - 1 - start)
            row.append(score(forecast(run, start, length), run, start, dataset))
            if done is not None:
                done(number * len(starts) + len(row), len(runs) * len(starts))
        rows.append(_joined(row, "start", list(starts)))
    result = _joined(rows, "run", [run.name for run in runs]).assign_attrs(dataset=dataset.name)
    baselines = _baselines(dataset, runs, starts, int(result["lead"].values[-1]))
    if baselines is None:
        return result
    names = {name: f"baseline_{name}" for name in ("crps", "mse", "mean") if name in baselines}
    beside = baselines.rename(names).reindex(lead=result["lead"])
    result.attrs |= {
        name: baselines.attrs[name] for name in ("training_runs", "baseline_years") if name in baselines.attrs
    }
    return result.merge(beside.where(result["mse"].notnull()), combine_attrs="override")


def _baselines(dataset: Dataset, runs: Sequence[Run], starts: Sequence[int], steps: int) -> xr.Dataset | None:
    if dataset.calendar is None:
        return find_baselines(dataset, runs, starts)
    of_each = [record_baselines(dataset, run, starts, steps) for run in runs]
    return _joined(of_each, "run", [run.name for run in runs])


def by_lead(scores: xr.Dataset, *, convention: str = "fair") -> xr.Dataset:
    """Averages over runs and starts of what `evaluate` returns, dims (lead, channel).

    `crps`, `rmse`, `variance` and `ratio` (spread over RMSE, pooled before root and ratio), and where
    baselines are known `baseline_crps` and `baseline_rmse` with one dimension more, `baseline`.
    """
    return _summary(scores, ("run", "start"), convention=convention)


def overall(scores: xr.Dataset, *, convention: str = "fair") -> xr.Dataset:
    """As `by_lead`, averaged over leads too: every lead counts the same, however many starts reach it."""
    return _summary(scores.mean(("run", "start")), ("lead",), convention=convention)


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


def _joined(parts: Sequence[xr.Dataset], dim: str, labels: Sequence[object]) -> xr.Dataset:
    index = xr.DataArray(np.array(labels), dims=dim, name=dim)
    return xr.concat(parts, dim=index, join="outer")  # starts reach different leads; what is missing is NaN


def _summary(scores: xr.Dataset, dims: tuple[str, ...], *, convention: str) -> xr.Dataset:
    forms = CONVENTIONS[convention]
    means = scores.mean(dims)
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
