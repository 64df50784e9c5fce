"""`python -m engine scorecard`: score every checkpoint on its test data and write the score card."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.commands.evaluate import forecaster_of, say_done, select_runs
from engine.errors import DataError, RequestError

if TYPE_CHECKING:
    from engine.datasets.base import Dataset, Run
    from engine.requests import ResolvedRequest

HELP = "score every checkpoint on its test data into checkpoints/scorecard.csv, or render the README's tables from it"

SPLITS = ("test", "ood")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dataset", nargs="+", metavar="NAME", help="data sets (default: all whose data are here)")
    parser.add_argument("--model", nargs="+", metavar="NAME", help="checkpoints (default: all of the data sets)")
    parser.add_argument("--split", nargs="+", choices=SPLITS, default=SPLITS, help="which parts of the data to score")
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--precision", help="fp32 or bf16 (default: the model's own)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=20, help="generated runs of a split to score, where they are there")
    parser.add_argument("--bundled", action="store_true", help="score the bundled runs, not generated ones")
    parser.add_argument("--cache", action="store_true", help="store member windows, which are many gigabytes")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--readme", action="store_true", help="forecast nothing; write the README's tables anew")


def run(arguments: argparse.Namespace) -> int:
    """Score what is named, data set by data set, or write the tables of the README."""
    if arguments.readme:
        return _write_readme()
    if arguments.runs < 1:
        raise RequestError(f"The number of runs is {arguments.runs}: give 1 or more.")
    from engine.datasets import get_dataset

    for name, models in _wanted(arguments).items():
        try:
            _score_dataset(get_dataset(name), models, arguments)
        except DataError as error:
            if arguments.dataset or arguments.model:
                raise
            print(f"{name} is left out: {error}")
    return 0


def split_runs(dataset: "Dataset", split: str, *, runs: int, bundled: bool) -> tuple[list["Run"], str]:
    """The runs to score, the first `runs` generated ones where there are as many, else those that are bundled.

    Returns them and what they are in words. Raises DataError where there are none.
    """
    from engine.simulators.files import simulated_dir, simulated_files

    if dataset.calendar is not None:
        chosen = select_runs(dataset, split, "all")
        return chosen, chosen[0].name
    there = len(simulated_files(simulated_dir(dataset.name, split=split)))
    if bundled or there < runs:
        chosen = select_runs(dataset, split, "all")
        return chosen, f"{len(chosen)} bundled"
    numbers = ",".join(map(str, range(runs)))
    return select_runs(dataset, split, numbers, generated=True), f"{runs} generated"


def _wanted(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """The models to score by data set.

    Raises: RequestError if a model does not come with the project or is of none of the data sets.
    """
    from engine.checkpoint import list_checkpoints, load_card
    from engine.datasets import DATASETS, get_dataset

    named = [get_dataset(name).name for name in arguments.dataset or DATASETS]
    if arguments.model is None:
        return {name: list(list_checkpoints(name)) for name in named}
    wanted: dict[str, list[str]] = {}
    for model in arguments.model:
        if model not in list_checkpoints():
            raise RequestError(
                f"The model {model!r} does not come with the project; choose among {', '.join(list_checkpoints())}."
            )
        dataset = load_card(model).dataset
        if dataset not in named:
            raise RequestError(f"The model {model} is for {dataset}, not {' or '.join(named)}: leave one out.")
        wanted.setdefault(dataset, []).append(model)
    return wanted


def _score_dataset(dataset: "Dataset", models: Sequence[str], arguments: argparse.Namespace) -> None:
    from engine.evaluation import evaluate
    from engine.scorecard import Scored, keep_for_pairs, model_rows, renew_paired, renew_scorecard

    there = SPLITS if dataset.calendar is None else ("test",)
    splits = [split for split in there if split in arguments.split]
    if not splits:
        print(f"{dataset.name} has no {' or '.join(arguments.split)} split")
        return
    requests = {model: _request(dataset, model, arguments) for model in models}
    chosen = {split: split_runs(dataset, split, runs=arguments.runs, bundled=arguments.bundled) for split in splits}
    _score_baselines(dataset, chosen)
    for model, (request, method) in requests.items():
        for split, (runs, words) in chosen.items():
            starts = dataset.scored_starts(split, runs[0])
            print(f"{dataset.name}, {model}, {split}: {words}, {len(starts)} start(s), {request.members} members")
            forecast = forecaster_of(request, stored=arguments.cache, device=arguments.device)
            scores = evaluate(dataset, runs, starts, forecast, baselines=False, done=say_done)
            what = Scored(dataset.name, model, method, split, words, request.members, _in_words(request, method))
            rows = model_rows(scores, what)
            renew_scorecard(rows)
            keep_for_pairs(scores, what)
            renew_paired(dataset.name, split)
            for row in rows[(rows["start"] == "all") & (rows["lead"] == "all")].to_dict("records"):
                print(f"  {row['quantity']}: CRPS {row['crps']:.5f}, spread over RMSE {row['ssr']:.3f}")


def _score_baselines(dataset: "Dataset", chosen: dict[str, tuple[list["Run"], str]]) -> None:
    """Once for all splits, as fitting takes the training runs; nothing changes where baselines cannot be had."""
    from engine.evaluation import baseline_scores
    from engine.scorecard import BASELINE_METHODS, Scored, baseline_rows, renew_scorecard

    everything = [run for runs, _ in chosen.values() for run in runs]
    starts = dataset.scored_starts("test", everything[0])
    scores = baseline_scores(dataset, everything, starts, dataset.default_steps)
    if scores is None:
        print(f"{dataset.name}: no baselines, as there are no training runs; what the card has of them stays")
        return
    first = 0
    for split, (runs, words) in chosen.items():
        of_split = scores.isel(run=slice(first, first + len(runs)))
        first += len(runs)
        for name in scores["baseline"].values:
            what = Scored(dataset.name, "", BASELINE_METHODS[str(name)], split, words, None, "")
            renew_scorecard(baseline_rows(of_split.sel(baseline=name, drop=True), what))


def _request(dataset: "Dataset", model: str, arguments: argparse.Namespace) -> tuple["ResolvedRequest", str]:
    from engine.requests import ForecastRequest, card_of, resolve
    from engine.trials import check_members

    asked = ForecastRequest(
        dataset.name, model=model, members=arguments.members, seed=arguments.seed, precision=arguments.precision
    )
    request = resolve(asked)
    check_members(request)
    return request, card_of(asked).method


def _in_words(request: "ResolvedRequest", method: str) -> str:
    precision = "" if request.precision == "fp32" else f", {request.precision}"
    if method == "dropout":
        return f"one call a lead{precision}"
    solver = "" if request.solver == "cold" else f", {request.solver}"
    return f"{request.schedule}, {request.noise}{solver}{', refined' if request.refine else ''}{precision}"


def _write_readme() -> int:
    from engine.folders import checkpoints_dir
    from engine.scorecard import read_paired, read_scorecard
    from engine.scorecard_text import put_into, render

    readme = checkpoints_dir().parent / "README.md"
    put_into(readme, render(read_scorecard(), read_paired()))
    print(readme.name)
    return 0
