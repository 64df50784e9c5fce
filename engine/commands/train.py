"""`python -m engine train`: one training stage within a time budget."""

import argparse
from pathlib import Path

HELP = "train one stage of a preset within a time budget; resumable"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("dataset")
    parser.add_argument("--preset", default="fast")
    parser.add_argument(
        "--stage",
        required=True,
        help="direct, interpolator, forecaster or calibration, best in this order; or dropout, the rival",
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="time budget in all, earlier sessions counted in")
    parser.add_argument("--resume", action="store_true", help="continue the stage's saved state")
    parser.add_argument(
        "--loss", help="mse, l1, crps (almost-fair, two members) or multiscale; default: the stage's own"
    )
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--weight-decay", type=float, default=1e-4)
    parser.add_argument("--runs", type=int, help="use only the first N training runs")
    parser.add_argument(
        "--synthetic",
        type=int,
        default=0,
        help="add N invented runs of a linear inverse model fitted on the training years (observed records alone)",
    )
    parser.add_argument("--data", type=Path, help="folder of the training runs, with validation beside it")
    parser.add_argument("--folder", type=Path, help="folder of the training states")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--validate-seconds", type=float, default=300.0)


def run(arguments: argparse.Namespace) -> int:
    """Train, printing a line of progress about every ten seconds."""
    from engine.datasets import get_dataset
    from engine.training.loop import TrainingOptions, train

    options = vars(arguments) | {"dataset": get_dataset(arguments.dataset)}
    options.pop("command", None)
    for progress in train(TrainingOptions(**options)):
        validation = "" if progress.validation is None else f"  validation CRPS {progress.validation:.5f}"
        print(
            f"{progress.seconds / 60:6.1f} min  step {progress.steps:6d}  loss {progress.loss:.5f}{validation}",
            flush=True,
        )
    return 0
