"""`python -m engine evaluate`: scores of forecasts of the test runs, lead by lead, beside the baselines."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.commands.forecast import add_request_arguments, request_from, show_progress
from engine.commands.one_forecast import as_table, check_ending, lines_of, write
from engine.errors import DataError, RequestError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from engine.datasets.base import Dataset, Run
    from engine.evaluation import RunForecast
    from engine.requests import ResolvedRequest

HELP = "score forecasts of known runs by lead, beside persistence and climatology"

WIDTH = 25  # of a column
SPLITS = ("test", "ood", "validation")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", choices=SPLITS, help="test by default; validation needs the simulated runs")
    parser.add_argument(
        "--generated", action="store_true", help="score the simulated runs in the data folder, not the bundled ones"
    )
    parser.add_argument("--runs", help="all (the default), or the numbers of runs in the split, such as 0,2")
    parser.add_argument("--starts", help="start frames, such as 0,16 (default: the data set's own)")
    parser.add_argument(
        "--init",
        help="verify one forecast alone, with intervals, ranks, spectra and physics: index, RUN:FRAME or a date",
    )
    parser.add_argument(
        "--variable",
        help="score one variable, also one that follows from the channels, such as speed, vorticity, anomaly or "
        "above-percentile-90 (default: all channels; with --init the one that the page shows first)",
    )
    add_request_arguments(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor store member windows")
    parser.add_argument("--paper-convention", action="store_true", help="biased CRPS, uncorrected spread")
    parser.add_argument("--every", type=int, default=8, help="print every N-th lead")
    parser.add_argument(
        "--out",
        type=Path,
        help="write every number to this file, by its ending: csv, json or nc (with --init also maps)",
    )
    parser.add_argument(
        "--fit-baselines",
        action="store_true",
        help="forecast nothing; renew the table of baseline scores from the simulated training runs",
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, or fit the baselines, and print what came out."""
    from engine.datasets import get_dataset

    dataset = get_dataset(arguments.dataset)
    if arguments.fit_baselines and dataset.calendar is not None:
        raise RequestError(f"The baselines of {dataset.name} are fitted anew each time: leave --fit-baselines out.")
    if arguments.fit_baselines:
        return _fit_baselines(dataset)
    if arguments.out is not None:
        check_ending(arguments.out)
    if arguments.init is not None:
        return _verify_one(dataset, arguments)
    scores = _evaluate(dataset, arguments)
    convention = "paper" if arguments.paper_convention else "fair"
    print("\n".join(report(scores, convention=convention, every=arguments.every)))
    if arguments.out is not None:
        write(scores, arguments.out, lambda found: _flat(found).to_csv())
    return 0


def _verify_one(dataset: "Dataset", arguments: argparse.Namespace) -> int:
    from engine.cache import default_cache
    from engine.forecasting import resolve
    from engine.variables import parse_variable, variables_of
    from engine.verifying import verify_request

    given = [f"--{name}" for name in ("runs", "starts", "generated", "split") if getattr(arguments, name)]
    if given:
        raise RequestError(f"--init verifies one forecast: leave {', '.join(given)} out, or leave out --init.")
    if arguments.paper_convention:
        raise RequestError("The paper's convention is for many forecasts: leave --paper-convention or --init out.")
    request = resolve(request_from(arguments, dataset.name))
    name = arguments.variable
    variable = variables_of(dataset.name)[0] if name is None else parse_variable(dataset.name, name)
    cache = None if arguments.no_cache else default_cache()
    found = verify_request(request, variable, cache=cache, device=arguments.device, progress=show_progress)
    print(file=sys.stderr)
    print(
        f"{dataset.name}, model {request.model}, {request.members} members from {request.init}; schedule "
        f"{request.schedule}, solver {request.solver}, noise {request.noise}, {request.precision}"
    )
    print("\n".join(lines_of(found, every=arguments.every)))
    if arguments.out is not None:
        write(found, arguments.out, lambda whole: as_table(whole).to_csv(index=False))
    return 0


def report(scores: "xr.Dataset", *, convention: str = "fair", every: int = 8) -> list[str]:
    """The lines of the score table: by lead, channels joined, then over all leads by start and by channel."""
    from engine.evaluation import CONVENTIONS, across_channels, by_lead, overall

    if "mean" in scores:
        return _record_report(scores, convention=convention)
    leads = across_channels(by_lead(scores, convention=convention))
    shown = leads.sel(lead=[lead for lead in leads["lead"].values if lead % every == 0 or lead % 1 != 0])
    lines = [CONVENTIONS[convention].description + "; channels joined in physical units", _header(scores)]
    lines += [_line(f"lead {lead:g}", shown.sel(lead=lead)) for lead in shown["lead"].values]
    for start in scores["start"].values:
        part = overall(scores.sel(start=[start]), convention=convention)
        lines.append(_line(f"from frame {start}", across_channels(part)))
    whole = overall(scores, convention=convention)
    lines.append(_line("all", across_channels(whole)))
    lines += [_line(f"all, {channel}", whole.sel(channel=channel)) for channel in whole["channel"].values]
    lines.append(_sureness(scores, convention))
    if "training_runs" in scores.attrs:
        lines.append(f"baselines fitted on {scores.attrs['training_runs']} training runs")
    else:
        lines.append("no baselines: they are not bundled for these runs and starts, nor are there training runs")
    return lines


def _record_report(scores: "xr.Dataset", *, convention: str) -> list[str]:
    """A table by lead for every quantity of an observed record, with the correlation of indices."""
    from engine.evaluation import CONVENTIONS, by_lead, overall
    from engine.record_evaluation import correlation

    leads, whole, indices = (
        by_lead(scores, convention=convention),
        overall(scores, convention=convention),
        correlation(scores),
    )
    years = scores.attrs.get("baseline_years")
    beside = "no baselines of this variable" if years is None else f"baselines and anomalies of {years}"
    lines = [f"{CONVENTIONS[convention].description}; {beside}"]
    for channel in scores["channel"].values:
        lines += ["", f"{channel}", _header(scores)]
        lines += [_line(f"lead {lead:g}", leads.sel(lead=lead, channel=channel)) for lead in leads["lead"].values]
        lines.append(_line("all", whole.sel(channel=channel)))
        lines.append(_sureness(scores.sel(channel=[channel]), convention))
    for channel in indices["channel"].values:
        names = [f"{name}" for name in scores["baseline"].values if name != "climatology"]
        titles = ["forecasts", "correlation", *names]
        lines += ["", f"{channel}: correlation with the truth", " " * 16 + "".join(f"{title:>20}" for title in titles)]
        of_index = indices.sel(channel=channel)
        for lead in of_index["lead"].values:
            at = of_index.sel(lead=lead)
            values = [
                float(at["correlation"]),
                *(float(at["baseline_correlation"].sel(baseline=name)) for name in names),
            ]
            cells = [f"{int(at['count'])}", *(f"{value:.3f}" for value in values)]
            lines.append(f"lead {lead:<11g}" + "".join(f"{cell:>20}" for cell in cells))
    return lines


def _sureness(scores: "xr.Dataset", convention: str) -> str:
    """The intervals of the line "all", and how far the rank histogram is from flat."""
    from engine.evaluation import skill

    whole = skill(scores, convention=convention)
    named = (("CRPS", whole.crps), ("RMSE", whole.rmse), ("pooled ratio", whole.ratio))
    intervals = ", ".join(f"{name} {_number(each.low)} to {_number(each.high)}" for name, each in named)
    return f"95 % intervals: {intervals}; rank deviation {whole.rank_deviation:.3f}"


def select_runs(dataset: "Dataset", split: str, wanted: str, *, generated: bool = False) -> list["Run"]:
    """The runs of a split by their numbers in it; generated: those in the data folder, not the bundled ones.

    Raises: RequestError for a number or split that is not there, DataError where there are no runs.
    """
    from engine.datasets.simulated import load_simulated
    from engine.simulators.files import simulated_dir, simulated_files

    if dataset.calendar is not None and generated:
        raise RequestError(f"The data of {dataset.name} are observed, none are generated: leave --generated out.")
    if dataset.calendar is not None and split == "ood":
        raise RequestError(f"The record of {dataset.name} has no ood split: choose test or validation.")
    if dataset.calendar is not None:
        if not dataset.runs():
            raise DataError(f"There are no data of {dataset.name} on this machine: {dataset.remedy}.")
        return [dataset.load(dataset.runs()[0])]
    if generated or split == "validation":
        files = simulated_files(simulated_dir(dataset.name, split=split))
        return [load_simulated(files[number]) for number in _numbers(wanted, len(files), dataset.name, split)]
    names = [name for name in dataset.runs() if name.startswith("ood-") == (split == "ood")]
    return [dataset.load(names[number]) for number in _numbers(wanted, len(names), dataset.name, split)]


def _evaluate(dataset: "Dataset", arguments: argparse.Namespace) -> "xr.Dataset":
    from engine.evaluation import check_starts, evaluate
    from engine.forecasting import resolve
    from engine.variables import parse_variable

    arguments.init = 0  # the runs and starts say where forecasts begin
    request = resolve(request_from(arguments, dataset.name))
    name = arguments.variable
    variable = None if name is None else parse_variable(dataset.name, name)
    split = arguments.split or "test"
    runs = select_runs(dataset, split, arguments.runs or "all", generated=arguments.generated)
    given = arguments.starts
    starts = dataset.scored_starts(split, runs[0]) if given is None else _whole_numbers(given)
    check_starts(runs, starts)
    forecast = forecaster_of(request, stored=not arguments.no_cache, device=arguments.device)
    print(
        f"{dataset.name}, model {request.model}, {request.members} members;"
        f" {len(runs)} {split} run(s) from {_described(dataset, runs[0], starts)};"
        f" schedule {request.schedule}, solver {request.solver}, noise {request.noise}, {request.precision}"
    )
    return evaluate(dataset, runs, starts, forecast, steps=arguments.steps, variable=variable, done=say_done)


def forecaster_of(request: "ResolvedRequest", *, stored: bool, device: str) -> "RunForecast":
    """Forecasts of any run from any frame by one request, as long as is wanted; stored: through the cache."""
    from dataclasses import replace

    from engine.cache import default_cache
    from engine.forecasting import forecast_from

    cache = default_cache() if stored else None

    def forecast(run: "Run", start: int, steps: int) -> "xr.Dataset":
        inside = tuple(lead for lead in request.output_leads if lead <= steps)
        wanted = replace(request, steps=steps, output_leads=inside)
        return forecast_from(run, start, wanted, cache=cache, device=device)

    return forecast


def _described(dataset: "Dataset", run: "Run", starts: Sequence[int]) -> str:
    from engine.datasets.base import date_of

    first, last = (date_of(dataset, run, start) for start in (starts[0], starts[-1]))
    if first is None:
        return f"frame(s) {', '.join(map(str, starts))}"
    return f"{len(starts)} dates, {first} to {last}"


def _fit_baselines(dataset: "Dataset") -> int:
    from engine.baselines import fit_table, load_training

    training = load_training(dataset)
    table = fit_table(dataset, training)
    print(f"baselines fitted on {table.attrs['training_runs']} training runs; CRPS over all runs and leads:")
    for name in table["baseline"].values:
        one = table["crps"].sel(baseline=name).mean(("run", "start"))
        print(f"  {name:12}{float(one.mean()):.5f}")
    print("Now renew data/SHA256SUMS: python tools/bundle.py")
    return 0


def _header(scores: "xr.Dataset") -> str:
    baselines = [f"{name} CRPS" for name in scores["baseline"].values] if "baseline" in scores.coords else []
    titles = ["CRPS", "RMSE", "spread/RMSE", "(pooled)", *map(str, baselines), "ratio to best"]
    return " " * 16 + "".join(f"{title:>{WIDTH}}" for title in titles)


def _line(label: str, row: "xr.Dataset") -> str:
    values = [float(row["crps"]), float(row["rmse"]), float(row["ratio"])]
    values.append(float(row["pooled_ratio"]) if "pooled_ratio" in row else float(row["ratio"]))
    if "baseline_crps" in row:
        values += [*map(float, row["baseline_crps"]), float(row["crps"] / row["baseline_crps"].min())]
    else:
        values.append(float("nan"))
    return f"{label:16}" + "".join(f"{_number(value):>{WIDTH}}" for value in values)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.5f}"


def _numbers(wanted: str, count: int, dataset: str, split: str) -> list[int]:
    if count == 0:
        raise DataError(
            f"There are no {split} runs of {dataset};"
            f" make them with python -m engine simulate {dataset} --split {split}{_how_many(split)}."
        )
    if wanted == "all":
        return list(range(count))
    numbers = _whole_numbers(wanted)
    if not all(0 <= number < count for number in numbers):
        raise RequestError(f"runs is {wanted!r}, but the {split} split of {dataset} has runs 0 to {count - 1}.")
    return numbers


def _how_many(split: str) -> str:
    return "" if split == "validation" else " --runs 20"


def _whole_numbers(text: str) -> list[int]:
    try:
        return sorted({int(word) for word in text.split(",")})
    except ValueError:
        raise RequestError(f"{text!r} is no list of whole numbers; give one such as 0,16.") from None


def _flat(scores: "xr.Dataset") -> "pd.DataFrame":
    """A row for every run, start, lead and channel, the baselines as columns, but for the counts of ranks."""
    of_baselines = [str(name) for name, values in scores.data_vars.items() if "baseline" in values.dims]
    flat = scores.drop_vars([*of_baselines, "baseline", "rank_counts", "rank"], errors="ignore")
    if "baseline" in scores.coords:
        for name in scores["baseline"].values:
            for score in (each.removeprefix("baseline_") for each in of_baselines):
                flat[f"{name}_{score}"] = scores[f"baseline_{score}"].sel(baseline=name, drop=True)
    return flat.to_dataframe().dropna(subset=["mse"])


def say_done(finished: int, wanted: int) -> None:
    """A line on standard error that counts forecasts."""
    print(
        f"\r{finished} of {wanted} forecasts",
        end="\n" if finished == wanted else "",
        file=sys.stderr,
        flush=True,
    )
