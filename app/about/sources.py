"""The data that come with Coldcast: how much, from where, under which terms, and whether they are whole."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from app.about.words import DATA
from app.sizes import Folder, in_words, measure
from engine.folders import bundled_dir

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Source:
    """A folder of bundled data, where it comes from, and under which terms."""

    folder: str
    title: str
    origin: str
    licence: str


SOURCES = (
    Source("navier-stokes", "Navier–Stokes", "simulated by Coldcast, after nn-benchmark's set-up", "Apache-2.0"),
    Source("spring-mesh", "Spring mesh", "simulated by Coldcast, after nn-benchmark's set-up", "Apache-2.0"),
    Source("sst-monthly", "Monthly SST", "NOAA OI SST V2, by way of easyclimate 2025.3.0", "public domain"),
    Source(
        "coastlines",
        "Coastlines",
        "Natural Earth 4.1.0, by way of world-atlas 2.0.2",
        "public domain; world-atlas: ISC",
    ),
)


def sources() -> None:
    """The data, their terms, and a check of the files."""
    st.markdown(DATA)
    st.markdown("#### What comes with Coldcast")
    st.table(table(), border="horizontal", hide_index=True)
    st.caption(
        "Licences in full, sources and the commands that made the files are in `data/README.md` and "
        "`data/coastlines/README.md`."
    )
    if st.button(
        "Check the files",
        icon=":material/fact_check:",
        key="about-check",
        help="Compare every bundled file with the SHA-256 that stands beside it.",
    ):
        say(damaged(bundled_dir()), count(bundled_dir()))


def say(bad: list[str], files: int) -> None:
    """How the check went."""
    if bad:
        st.error(f"{len(bad)} of {files} files are damaged or missing: {', '.join(bad)}. Fetch Coldcast again.")
    else:
        st.success(f"All {files} files are as they were published.")


def table() -> pd.DataFrame:
    """One line for each folder of bundled data."""
    rows = []
    for each in SOURCES:
        there = measure(bundled_dir() / each.folder)
        rows.append((each.title, each.origin, each.licence, extent(there)))
    return pd.DataFrame(rows, columns=["Data", "Source", "Licence", "Size"])


def extent(folder: Folder) -> str:
    """Files and bytes of a folder."""
    return f"{folder.files:,} file{'' if folder.files == 1 else 's'}, {in_words(folder.size)}"


def sums(folder: Path) -> dict[Path, str]:
    """The files of a folder and of those in it with the digests that stand in their lists."""
    found = {}
    for listing in (folder / SUMS, *sorted(folder.glob(f"*/{SUMS}"))):
        if listing.is_file():
            for line in listing.read_text(encoding="utf-8").splitlines():
                digest, _, name = line.partition("  ")
                found[listing.parent / name] = digest
    return found


def count(folder: Path) -> int:
    """How many files have a digest."""
    return len(sums(folder))


def damaged(folder: Path) -> list[str]:
    """Names of the files that are not as their digests say."""
    bad = []
    for path, digest in sums(folder).items():
        try:
            whole = hashlib.sha256(path.read_bytes()).hexdigest() == digest
        except OSError:
            whole = False
        if not whole:
            bad.append(path.relative_to(folder).as_posix())
    return bad
