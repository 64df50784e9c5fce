"""`python -m engine ablate`: what each part of the method is worth, as one table."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.ablation import Row
    from engine.trials import Ground

HELP = "score forecasts with one part of the method changed at a time"


def add_ground_arguments(parser: argparse.ArgumentParser, *, split: str) -> None:
    """On what forecasts are tried."""
    parser.add_argument("--split", default=split, choices=("test", "ood", "validation"))
    parser.add_argument(
        "--generated", action="store_true", help="take the simulated runs in the data folder, not the bundled ones"
    )
    parser.add_argument("--runs", default="all", help="all, or the numbers of runs in the split, such as 0,1")
    parser.add_argument("--starts", type=_frames, help="start frames, such as 0,32 (default: the data set's own)")
    parser.add_argument("--every-start", type=int, default=1, metavar="N", help="only every N-th of these start frames")
    parser.add_argument("--steps", type=int, help="forecast length (default: to the end of a run)")
    parser.add_argument("--precision", help="fp32 or bf16 (default: the model's own)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")


def ground_of(arguments: argparse.Namespace, dataset: str) -> "Ground":
    """What the arguments of `add_ground_arguments` name. Raises RequestError or DataError where it is not there."""
    from engine.commands.evaluate import select_runs
    from engine.datasets import get_dataset
    from engine.trials import Ground

    chosen = get_dataset(dataset)
    if arguments.every_start < 1:
        raise RequestError(f"--every-start is {arguments.every_start}: give a whole number of at least 1.")
    if arguments.steps is not None and arguments.steps < 1:
        raise RequestError(f"--steps is {arguments.steps}: give a whole number of at least 1.")
    runs = select_runs(chosen, arguments.split, arguments.runs, generated=arguments.generated)
    starts = arguments.starts or chosen.scored_starts(arguments.split, runs[0])
    thinned = tuple(starts)[:: arguments.every_start]
    return Ground(chosen, arguments.split, tuple(runs), thinned, arguments.steps, arguments.device)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dataset", action="append", help="only this data set; may be given several times")
    parser.add_argument("--model", help="another model than the data set's default")
    parser.add_argument("--experiment", action="append", help="only this experiment; may be given several times")
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    add_ground_arguments(parser, split="test")
    parser.add_argument(
        "--folder",
        action="append",
        default=[],
        metavar="RUNS=PATH",
        help="for training-runs: a checkpoint folder and how many runs it was trained on",
    )
    parser.add_argument("--out", type=Path, help="table to renew (default: the one that comes with the project)")


def run(arguments: argparse.Namespace) -> int:
    """Run the experiments, print their rows, and renew those of the table as each experiment ends."""
    from engine.ablation import EXPERIMENTS, Setting, ablate, ablations_path
    from engine.commands.evaluate import say_done
    from engine.requests import ForecastRequest, card_of, resolve

    path = arguments.out or ablations_path()
    if not path.parent.is_dir():
        raise DataError(f"The folder {path.parent} does not exist: make it or name another --out.")
    if arguments.model is not None and len(arguments.dataset or ()) != 1:
        raise RequestError(f"The model {arguments.model!r} is for one data set: name that with --dataset.")
    trained = _folders(arguments.folder)
    for dataset in arguments.dataset or _datasets():
        asked = ForecastRequest(
            dataset,
            arguments.model,
            members=arguments.members,
            seed=arguments.seed,
            precision=arguments.precision,
        )
        setting = Setting(card_of(asked), resolve(asked), trained)
        ground = ground_of(arguments, dataset)
        print(f"{dataset}, model {setting.card.name}: {ground.initial_conditions} initial conditions, {ground.split}")
        experiments = arguments.experiment or [name for name in EXPERIMENTS if trained or name != "training-runs"]
        for experiment, rows in ablate(ground, setting, experiments, done=say_done):
            print("\n".join(report(experiment, rows)))
            _renew(path, rows)
    print(path)
    return 0


def report(experiment: str, rows: "Iterable[Row]") -> list[str]:
    """The lines of an experiment."""
    titles = ("calls", "members", "CRPS", "low", "high", "RMSE", "spread/RMSE")
    lines = [f"{experiment:32}" + "".join(f"{title:>12}" for title in titles)]
    for row in rows:
        label = row.setting if row.lead is None else f"{row.setting}, lead {row.lead:g}"
        values = (row.crps, row.crps_low, row.crps_high, row.rmse, row.ssr)
        cells = (f"{row.calls}", f"{row.members}", *(f"{value:.5g}" for value in values))
        lines.append(f"  {label:30}" + "".join(f"{cell:>12}" for cell in cells))
    return lines if len(lines) > 1 else [f"{experiment}: does not apply"]


def _renew(path: Path, rows: "Iterable[Row]") -> None:
    from engine.ablation import KEYS, as_table, read_ablations
    from engine.tables import with_rows_replaced, write_csv_table

    new = as_table(rows)
    table = with_rows_replaced(read_ablations(path), new, KEYS) if path.exists() else new
    write_csv_table(path, table)


def _frames(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(word) for word in text.split(",")}))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of frames such as 0,32") from None


def _datasets() -> list[str]:
    from engine.checkpoint import list_checkpoints
    from engine.datasets import DATASETS

    return [name for name, dataset in DATASETS.items() if list_checkpoints(name) and dataset.runs()]


def _folders(pairs: list[str]) -> dict[int, str]:
    found = {}
    for pair in pairs:
        count, _, folder = pair.partition("=")
        if not (count.isdecimal() and folder):
            raise RequestError(f"--folder is {pair!r}: write RUNS=PATH, such as 10=models/ten.")
        found[int(count)] = str(Path(folder).absolute())  # with a separator, so that it is no name
    return found
