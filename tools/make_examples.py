"""Make the example of every data set that a first visit shows, from the models that come with the project.

    python tools/make_examples.py [DATASET …]

Writes data/<data set>/example.nc; `python tools/bundle.py` then renews data/SHA256SUMS.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.examples import example_path, write_example
from app.summary import summarise
from engine.datasets import get_dataset
from engine.datasets.base import parse_initial_condition
from engine.errors import EngineError
from engine.forecasting import background_fields, forecast, resolve, static_fields, truth
from engine.requests import ForecastRequest


@dataclass(frozen=True)
class Example:
    """Where the example of a data set starts, how many members it has, and every how many data steps it has a frame."""

    init: str
    members: int
    every: int = 1


# Data that do not come with the project have no example. June 2015: the great El Niño of that winter lies ahead.
EXAMPLES = {
    "sst-monthly": Example("2015-06", members=50),
    "navier-stokes": Example("0:0", members=20, every=2),
    "spring-mesh": Example("0:0", members=20, every=4),
}


def main(words: Sequence[str] | None = None) -> int:
    """Make the examples named, or all."""
    parser = argparse.ArgumentParser(description="Make the example of every data set that a first visit shows.")
    parser.add_argument("datasets", metavar="DATASET", nargs="*", help=f"of {', '.join(EXAMPLES)}; all by default")
    names = parser.parse_args(words).datasets or list(EXAMPLES)
    if unknown := [name for name in names if name not in EXAMPLES]:
        parser.error(f"there is no example of {', '.join(unknown)}: choose from {', '.join(EXAMPLES)}")
    try:
        for name in names:
            path = make(name)
            print(f"{path.parent.name}/{path.name}: {path.stat().st_size:,} bytes")
        print("Now renew data/SHA256SUMS: python tools/bundle.py")
    except EngineError as error:
        print(f"coldcast: {error}", file=sys.stderr)
        return 2
    return 0


def make(name: str) -> Path:
    """Run and write the example of one data set; returns its file."""
    example, dataset = EXAMPLES[name], get_dataset(name)
    init = str(parse_initial_condition(example.init, dataset))  # as the page writes it
    request = resolve(ForecastRequest(dataset=name, init=init, members=example.members))
    thinned = {"lead": slice(example.every - 1, None, example.every)}
    result, known = forecast(request).isel(thinned), truth(request).isel(thinned)
    background = background_fields(request).isel(thinned) if dataset.calendar is not None else None
    path = example_path(name)
    write_example(summarise(result, known, static_fields(request), dataset, background), path)
    return path


if __name__ == "__main__":
    sys.exit(main())
