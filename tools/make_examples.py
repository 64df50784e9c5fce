"""Make the example of every data set that a first visit shows, from the models that come with the project.

    python tools/make_examples.py [DATASET …]

Writes data/<data set>/example.nc; `python tools/bundle.py` then renews data/SHA256SUMS.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.examples import example_path, write_example
from app.summary import summarise
from engine.datasets import DATASETS, get_dataset
from engine.errors import EngineError
from engine.forecasting import forecast, resolve, static_fields, truth
from engine.requests import ForecastRequest

INIT = "0:0"
MEMBERS = 20
EVERY = {"navier-stokes": 2, "spring-mesh": 4}  # data steps between frames: enough to move, and small


def main(words: Sequence[str] | None = None) -> int:
    """Make the examples named, or all."""
    parser = argparse.ArgumentParser(description="Make the example of every data set that a first visit shows.")
    parser.add_argument("datasets", metavar="DATASET", nargs="*", help=f"of {', '.join(DATASETS)}; all by default")
    try:
        for name in parser.parse_args(words).datasets or DATASETS:
            path = make(name)
            print(f"{path.parent.name}/{path.name}: {path.stat().st_size:,} bytes")
        print("Now renew data/SHA256SUMS: python tools/bundle.py")
    except EngineError as error:
        print(f"coldcast: {error}", file=sys.stderr)
        return 2
    return 0


def make(name: str) -> Path:
    """Run and write the example of one data set; returns its file."""
    request = resolve(ForecastRequest(dataset=name, init=INIT, members=MEMBERS))
    every = EVERY.get(name, 1)
    thinned = {"lead": slice(every - 1, None, every)}
    summary = summarise(
        forecast(request).isel(thinned), truth(request).isel(thinned), static_fields(request), get_dataset(name)
    )
    path = example_path(name)
    write_example(summary, path)
    return path


if __name__ == "__main__":
    sys.exit(main())
