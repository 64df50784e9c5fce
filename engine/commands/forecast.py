"""`python -m engine forecast`: one request to a netCDF file."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError

if TYPE_CHECKING:
    from engine.forecasting import Progress
    from engine.requests import ForecastRequest

HELP = "run a forecast and write it as netCDF"


def add_request_arguments(parser: argparse.ArgumentParser) -> None:
    """The fields of a ForecastRequest, all but the data set and the initial condition."""
    parser.add_argument("--model")
    parser.add_argument("--members", type=int)
    parser.add_argument("--steps", type=int, help="forecast length in data steps")
    parser.add_argument("--schedule", help="full, only_dynamics, stride4 … or rising leads such as 0,1,2.5")
    parser.add_argument("--solver", help="cold, naive or heun")
    parser.add_argument("--last-step", help="forecast or solver")
    parser.add_argument("--noise", help="independent, step, window or a correlation from 0 to 1")
    parser.add_argument("--refine", action=argparse.BooleanOptionalAction, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output-leads", type=_leads, default=(), help="further leads, such as 0.5,1.25")
    parser.add_argument("--precision", help="fp32 or bf16")


def request_from(arguments: argparse.Namespace, dataset: str) -> "ForecastRequest":
    """The request that the parsed arguments spell out."""
    from engine.requests import ForecastRequest

    fields = ForecastRequest.__dataclass_fields__
    given = {name: value for name, value in vars(arguments).items() if name in fields}
    return ForecastRequest(**(given | {"dataset": dataset}))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--init", default="0", help="index or RUN:FRAME")
    add_request_arguments(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor write stored windows")
    parser.add_argument("--out", type=Path, required=True, help="netCDF file to write")


def run(arguments: argparse.Namespace) -> int:
    """Run the request with progress on standard error, then write the file."""
    from engine.cache import default_cache
    from engine.datasets.netcdf import NETCDF_LOCK
    from engine.forecasting import forecast

    request = request_from(arguments, arguments.dataset)
    if not arguments.out.parent.is_dir():
        raise DataError(f"The folder {arguments.out.parent} does not exist: make it or name another --out.")
    cache = None if arguments.no_cache else default_cache()
    result = forecast(request, cache=cache, device=arguments.device, progress=_show)
    print(file=sys.stderr)
    try:
        with NETCDF_LOCK:
            result.to_netcdf(arguments.out)
    except OSError as error:
        raise DataError(f"{arguments.out} cannot be written ({error}): name another --out.") from None
    print(arguments.out)
    return 0


def _show(progress: "Progress") -> None:
    share = progress.calls_done / max(progress.calls_total, 1)
    print(
        f"\r{share:4.0%}  window {min(progress.window + 1, progress.windows)} of {progress.windows}",
        end="",
        file=sys.stderr,
        flush=True,
    )


def _leads(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of leads such as 0.5,1.25") from None
