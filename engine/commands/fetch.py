"""`python -m engine fetch`: download a published data set."""

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.datasets.oisst_fetch import FetchProgress
    from engine.datasets.zenodo_fetch import RecordFile

HELP = "download a published data set, checked against its digest; an interrupted download continues"

_BASE = "https://archive.nyu.edu/bitstream/2451/"


@dataclass(frozen=True)
class Source:
    """Where an archive lies, and the digest that its bytes must have."""

    url: str
    sha256: str


SOURCES = {
    "navier-stokes-published": Source(
        f"{_BASE}63316/5/nn-benchmark-data-navier-stokes-multi.tar.gz",
        "affa7e210f5eec8d443c4c7cd54afc7632ec65be640a4b6a5dc5d96356f5ce59",
    ),
    "spring-mesh-published": Source(
        f"{_BASE}63316/3/nn-benchmark-data-spring-mesh.tar.gz",
        "548bf16fbbf7dc06fcc29b968a3f8ecb7e81999252c83e41446bc3b975c013a6",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    # A box in the south begins with a minus. Up to Python 3.13 argparse lets only a lone number begin so.
    parser._negative_number_matcher = re.compile(r"-\.?\d")
    parser.add_argument("source", help=" or ".join((*SOURCES, *_FETCHERS)))
    parser.add_argument("--out", type=Path, help="folder to put the data in (default: in the user's data folder)")
    parser.add_argument("--keep-archive", action="store_true", help="keep a published archive once it is unpacked")
    daily = parser.add_argument_group("of sst-daily")
    daily.add_argument(
        "--box", metavar="S,N,W,E", help="degrees, such as -45,-37,147,155 or 45S,37S,147E,155E (default: tasman)"
    )
    daily.add_argument("--years", help="such as 1982-2014 (the default) or 2013,2014")
    daily.add_argument(
        "--server", help="coastwatch (the default), psl, or an address of their form that ends in /erddap or /thredds"
    )


def run(arguments: argparse.Namespace) -> int:
    """Download, check and store the named source."""
    from engine.errors import RequestError

    name = arguments.source
    if name not in SOURCES and name not in _FETCHERS:
        raise RequestError(f"There is no source {name!r}; choose one of {', '.join((*SOURCES, *_FETCHERS))}.")
    for option in ("box", "years", "server"):
        if name != "sst-daily" and getattr(arguments, option) is not None:
            raise RequestError(f"--{option} is for sst-daily, not for {name}; leave it out.")
    if arguments.keep_archive and name not in SOURCES:
        raise RequestError(f"--keep-archive is not for {name}; leave it out.")
    _FETCHERS.get(name, _fetch_published)(arguments)
    return 0


def _fetch_published(arguments: argparse.Namespace) -> None:
    from engine.download import download, extract_tar
    from engine.folders import data_dir

    source = SOURCES[arguments.source]
    folder = data_dir() / "published" if arguments.out is None else arguments.out
    archive = folder / source.url.rpartition("/")[2]
    download(source.url, archive, sha256=source.sha256, progress=_show)
    print(f"\nunpacking into {folder}", flush=True)
    extract_tar(archive, folder)
    if not arguments.keep_archive:
        archive.unlink()


def _fetch_daily(arguments: argparse.Namespace) -> None:
    from engine.datasets.oisst_fetch import DEFAULT_YEARS, estimate, fetch_daily, missing_years, parse_years
    from engine.datasets.oisst_servers import find_server
    from engine.datasets.regions import TASMAN, parse_box

    box = TASMAN if arguments.box is None else parse_box(arguments.box)
    years = DEFAULT_YEARS if arguments.years is None else parse_years(arguments.years)
    host = find_server(arguments.server).host
    missing = missing_years(box, years, folder=arguments.out)
    _say(
        f"{len(missing)} of {len(years)} years to fetch from {host}: about {estimate(box, missing) / 1e6:,.1f} MB"
        if missing
        else f"all of the {len(years)} years are there"
    )
    folder = fetch_daily(box, years, folder=arguments.out, server=arguments.server, progress=_show_year)
    _say(f"\n{folder}" if missing else str(folder))


def _fetch_boxes(arguments: argparse.Namespace) -> None:
    from engine.datasets.sst_boxes import box_files
    from engine.datasets.zenodo_fetch import fetch_boxes

    folder = fetch_boxes(folder=arguments.out, announce=_announce, progress=_show_file)
    _say(f"\n{len(box_files(folder))} boxes in {folder}")


_FETCHERS: dict[str, Callable[[argparse.Namespace], None]] = {"sst-daily": _fetch_daily, "sst-boxes": _fetch_boxes}


def _announce(file: "RecordFile") -> None:
    _say(f"{file.name}: {file.size / 1e6:,.1f} MB")


def _show_year(progress: "FetchProgress") -> None:
    _say(
        f"\r{progress.years_there}/{progress.years} years, {progress.year}: {progress.received / 1e6:,.1f} of about "
        f"{progress.expected / 1e6:,.1f} MB ({100 * progress.fraction:.0f} %)",
        end="",
    )


def _show_file(done: int, total: int | None) -> None:
    _say(f"\r{_amount(done, total)}", end="")


def _show(done: int, total: int | None) -> None:
    print(f"\r{_amount(done, total)}", end="", flush=True)


def _amount(done: int, total: int | None) -> str:
    share = f" of {total / 1e6:,.1f} MB ({100 * done / total:.0f} %)" if total else " MB"
    return f"{done / 1e6:,.1f}{share}"


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)
