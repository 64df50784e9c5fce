"""Downloads that a person asked for: one at a time on a thread of their own, which every page can follow."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.datasets.oisst_fetch import FetchProgress, estimate, fetch_daily
from engine.datasets.regions import Box
from engine.datasets.sst_boxes import box_files
from engine.datasets.zenodo_fetch import RecordFile, fetch_boxes
from engine.errors import Cancelled, DataError, EngineError, RequestError

log = logging.getLogger(__name__)

State = Literal["running", "stopping", "done", "stopped", "failed"]
MOST_BYTES = 2 * 10**9  # of one download from the page; whoever wants more has the command line


@dataclass(frozen=True)
class Reached:
    """How far a download is: what is coming and the share of it, and the share of all; None where it is not known."""

    part: str
    part_share: float | None
    whole: str = ""
    whole_share: float | None = None


@dataclass(frozen=True)
class Download:
    """A download as it stands; `message` says how it ended."""

    title: str
    state: State = "running"
    reached: Reached | None = None
    message: str = ""

    @property
    def is_under_way(self) -> bool:
        """Whether its thread still works."""
        return self.state in ("running", "stopping")


Work = Callable[[Callable[[Reached], None], Callable[[], bool]], str]
"""Called as work(report, cancelled); returns what there is at the end, as a sentence."""


class Downloads:
    """The download under way, or the last that ended. One of this for the whole process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: Download | None = None
        self._stop = threading.Event()

    def start(self, title: str, work: Work) -> None:
        """Begin a download. Raises RequestError while another is under way."""
        with self._lock:
            if self._current is not None and self._current.is_under_way:
                raise RequestError(f"{self._current.title} is being downloaded: wait for its end, or stop it.")
            self._current, self._stop = Download(title), threading.Event()
            stop = self._stop
        # A daemon ends with the server; what has come by then is continued by the next download.
        threading.Thread(target=self._run, args=(work, stop), name="coldcast-download", daemon=True).start()

    def look(self) -> Download | None:
        """How it stands; None where there is nothing to say."""
        with self._lock:
            return self._current

    def cancel(self) -> None:
        """Stop the download under way; what is whole stays."""
        with self._lock:
            self._stop.set()
            if self._current is not None and self._current.state == "running":
                self._current = replace(self._current, state="stopping")

    def dismiss(self) -> None:
        """Forget how the last download ended."""
        with self._lock:
            if self._current is not None and not self._current.is_under_way:
                self._current = None

    def _run(self, work: Work, stop: threading.Event) -> None:
        try:
            self._end("done", work(self._report, stop.is_set))
        except Cancelled:
            self._end("stopped", "The download was stopped; what is whole stays, and starting it again continues it.")
        except EngineError as error:
            self._end("failed", str(error))
        except Exception:
            log.exception("A download failed")
            self._end("failed", "The download failed for a reason that was not foreseen; the server's log has it.")

    def _report(self, reached: Reached) -> None:
        with self._lock:
            if self._current is not None:
                self._current = replace(self._current, reached=reached)

    def _end(self, state: State, message: str) -> None:
        with self._lock:
            if self._current is not None:
                self._current = replace(self._current, state=state, message=message)


# -- what can be downloaded --------------------------------------------------------------------------------


def daily(box: Box, years: Sequence[int], *, server: str | None = None) -> Work:
    """Daily sea surface temperature of a box from NOAA, year by year."""

    def work(report: Callable[[Reached], None], cancelled: Callable[[], bool]) -> str:
        fetch_daily(box, years, server=server, progress=_Years(box, report), cancelled=cancelled)
        return f"{years_in_words(years)} {'are' if len(years) > 1 else 'is'} there."

    return work


def boxes() -> Work:
    """The paper's boxes from Zenodo, file by file."""

    def work(report: Callable[[Reached], None], cancelled: Callable[[], bool]) -> str:
        coming = ""

        def announce(file: RecordFile) -> None:
            nonlocal coming
            coming = file.name
            report(Reached(coming, 0.0))

        def progress(done: int, total: int | None) -> None:
            share = min(done / total, 1.0) if total else None
            report(Reached(f"{coming}: {megabytes(done)}{f' of {megabytes(total)}' if total else ''}", share))

        folder = fetch_boxes(announce=announce, progress=progress, cancelled=cancelled)
        return f"{len(box_files(folder))} boxes are there."

    return work


class _Years:
    """Tells the year that is coming from all of them."""

    def __init__(self, box: Box, report: Callable[[Reached], None]) -> None:
        self._box, self._report = box, report
        self._year = 0
        self._before = 0  # bytes of the years before this one
        self._received = 0

    def __call__(self, reached: FetchProgress) -> None:
        if reached.year != self._year:
            self._year, self._before = reached.year, self._received
        self._received = reached.received
        size = estimate(self._box, (reached.year,))
        self._report(
            Reached(
                f"{reached.year}: {megabytes(reached.received - self._before)} of about {megabytes(size)}",
                min((reached.received - self._before) / size, 1.0),
                f"{reached.years_there} of {reached.years} years · {megabytes(reached.received)} of about "
                f"{megabytes(reached.expected)}",
                reached.fraction,
            )
        )


def check_size(box: Box, years: Sequence[int]) -> int:
    """Bytes that the years of a box will be to download. Raises DataError where the page does not fetch so much."""
    size = estimate(box, years)
    if size > MOST_BYTES:
        raise DataError(
            f"That is {megabytes(size)}, and the page downloads at most {megabytes(MOST_BYTES)} at once: "
            "choose a smaller box or fewer years, or use the command line."
        )
    return size


def megabytes(size: int) -> str:
    """A size in bytes as a person reads it."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def years_in_words(years: Sequence[int]) -> str:
    """Years as a person writes them: "1982–1984, 1990"."""
    spans: list[list[int]] = []
    for year in sorted(years):
        if spans and year == spans[-1][1] + 1:
            spans[-1][1] = year
        else:
            spans.append([year, year])
    return ", ".join(f"{first}" if first == last else f"{first}–{last}" for first, last in spans)
