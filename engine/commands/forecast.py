"""`python -m engine forecast`: one request to a netCDF file."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError, RequestError

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
    parser.add_argument("--noise", help="independent, step, window, none or a correlation from 0 to 1")
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
    parser.add_argument("--init", default="0", help="index, RUN:FRAME or a date such as 2015-06")
    parser.add_argument("--init-file", type=Path, help="start from a field in this netCDF file, which is kept")
    parser.add_argument(
        "--init-variable",
        action="append",
        default=[],
        metavar="CHANNEL=NAME",
        help="the file's variable for a channel, such as sst=tos, or for an axis, such as lat=nav_lat",
    )
    parser.add_argument("--init-time", help="which time of the file to start from, such as 2016-01")
    add_request_arguments(parser)
    parser.add_argument("--within", type=float, metavar="SECONDS", help="run in the best way that takes no longer here")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--no-cache", action="store_true", help="neither read nor write stored windows")
    parser.add_argument("--out", type=Path, required=True, help="netCDF file to write")


def run(arguments: argparse.Namespace) -> int:
    """Run the request with progress on standard error, then write the file."""
    from engine.cache import default_cache
    from engine.forecasting import forecast
    from engine.netcdf_files import write_netcdf

    if not arguments.out.parent.is_dir():
        raise DataError(f"The folder {arguments.out.parent} does not exist: make it or name another --out.")
    if arguments.init_file is not None:
        arguments.init = _keep_own(arguments)
    request = request_from(arguments, arguments.dataset)
    if arguments.within is not None:
        request = _within(request, arguments.within, arguments.device)
    cache = None if arguments.no_cache else default_cache()
    result = forecast(request, cache=cache, device=arguments.device, progress=show_progress)
    print(file=sys.stderr)
    try:
        write_netcdf(result, arguments.out)
    except OSError as error:
        raise DataError(f"{arguments.out} cannot be written ({error}): name another --out.") from None
    print(arguments.out)
    return 0


def _within(request: "ForecastRequest", seconds: float, device: str) -> "ForecastRequest":
    """The request run as the time allows; says how."""
    from engine.fronts import within

    chosen = within(request, seconds, device=device)
    refined = ", refined" if chosen.refine else ""
    print(f"schedule {chosen.schedule}, solver {chosen.solver}, noise {chosen.noise}{refined}", file=sys.stderr)
    return chosen


def _keep_own(arguments: argparse.Namespace) -> str:
    """Read the person's file, say what was done with it, keep it; returns the init of its forecast."""
    from engine.datasets import get_dataset
    from engine.own.fields import read_own
    from engine.own.store import keep_own

    dataset = get_dataset(arguments.dataset)
    own = read_own(arguments.init_file, dataset, variables=_names(arguments.init_variable), time=arguments.init_time)
    for note in own.notes:
        print(note, file=sys.stderr)
    for warning in own.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    keep_own(own, dataset)
    init = f"{own.run.name}:{own.frame}"
    print(f"kept: --init {init} starts from it again", file=sys.stderr)
    return init


def _names(pairs: list[str]) -> dict[str, str]:
    named = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(named.values()):
        raise RequestError(f"--init-variable is {' '.join(pairs)!r}: write CHANNEL=NAME, such as sst=tos.")
    return named


def show_progress(progress: "Progress") -> None:
    """The share that is done, on one line of standard error."""
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
