"""`python -m engine fetch`: download a published data set."""

import argparse
from dataclasses import dataclass
from pathlib import Path

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
    parser.add_argument("source", help=" or ".join(SOURCES))
    parser.add_argument("--out", type=Path, help="folder to unpack into (default: the user's data folder)")
    parser.add_argument("--keep-archive", action="store_true", help="keep the archive once it is unpacked")


def run(arguments: argparse.Namespace) -> int:
    """Download, check and unpack the named source."""
    from engine.download import download, extract_tar
    from engine.errors import RequestError
    from engine.folders import data_dir

    if arguments.source not in SOURCES:
        raise RequestError(f"There is no source {arguments.source!r}; choose one of {', '.join(SOURCES)}.")
    source = SOURCES[arguments.source]
    folder = data_dir() / "published" if arguments.out is None else arguments.out
    archive = folder / source.url.rpartition("/")[2]
    download(source.url, archive, sha256=source.sha256, progress=_show)
    print(f"\nunpacking into {folder}", flush=True)
    extract_tar(archive, folder)
    if not arguments.keep_archive:
        archive.unlink()
    return 0


def _show(done: int, total: int | None) -> None:
    share = f" of {total / 1e6:,.1f} MB ({100 * done / total:.0f} %)" if total else " MB"
    print(f"\r{done / 1e6:,.1f}{share}", end="", flush=True)
