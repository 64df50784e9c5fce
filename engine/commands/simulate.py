"""`python -m engine simulate`: make the runs of a simulated data set."""

import argparse
from pathlib import Path

HELP = "make the runs of a simulated data set on all cores; a killed command continues where it was"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("dataset", help="navier-stokes or spring-mesh")
    parser.add_argument("--split", required=True, help="train, validation, test or ood (out of distribution)")
    parser.add_argument(
        "--integrator", default="accurate", help="accurate (the default) or, for navier-stokes, reference"
    )
    parser.add_argument("--out", type=Path, help="folder for the runs (default: the user's data folder)")
    parser.add_argument("--runs", type=int, help="how many runs, from the first (default: all of the split)")
    parser.add_argument("--workers", type=int, help="processes of one thread each (default: one per core)")
    parser.add_argument(
        "--fine",
        type=int,
        nargs="+",
        default=[],
        metavar="INDEX",
        help="runs that keep every step of the integrator too",
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the runs, one line for each: how many are done, how long it took, how long the rest will take."""
    import time

    from engine.simulators.generate import generate

    start = time.perf_counter()
    made = 0
    for run in generate(
        arguments.dataset,
        split=arguments.split,
        integrator=arguments.integrator,
        out=arguments.out,
        runs=arguments.runs,
        workers=arguments.workers,
        fine=arguments.fine,
    ):
        made += not run.skipped
        # Runs are made side by side, so what counts is the wall time per run, not the sum of their times.
        left = (run.total - run.done) * (time.perf_counter() - start) / max(made, 1)
        took = "already there" if run.skipped else f"{run.seconds:.1f} s"
        print(f"{run.done}/{run.total}  {run.path}  {took}  {_clock(left)} left", flush=True)
    return 0


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
