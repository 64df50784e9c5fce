"""The history of runs: what was asked for on this machine, when, and how good it was. It outlives the server.

It belongs to the page, not to the engine: a forecast is a function of its request and leaves nothing behind but
numbers in the cache, which may be deleted at any time. Names and pins are a person's own and lie in the data folder.
"""

import functools
import hashlib
import json
import logging
import math
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from engine.errors import DataError
from engine.folders import data_dir
from engine.requests import ForecastRequest, ResolvedRequest

log = logging.getLogger(__name__)

MOST_KEPT = 500  # of runs that are not pinned
LONGEST_NAME = 80
PATIENCE = 5.0  # s, for another process that writes
SCHEMA = """CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, ended REAL NOT NULL, times INTEGER NOT NULL, pinned INTEGER NOT NULL, name TEXT NOT NULL,
    content TEXT NOT NULL
)"""

Outcome = Literal["computed", "stored", "cancelled"]


@dataclass(frozen=True)
class Headline:
    """Scores of one variable over all leads and scored cells; None where no truth is known, or with one member.

    crps: fair CRPS; rmse: of the ensemble mean; ratio: spread ÷ RMSE, variance and squared error averaged over the
    leads before they are divided.
    """

    variable: str
    units: str
    crps: float | None
    rmse: float | None
    ratio: float | None


@dataclass(frozen=True)
class Ended:
    """A run that has ended.

    date: where observed data start, for the frames of a record shift as it grows; None for simulated ones and own
    fields. seconds: computing and reading; calls: network calls of single members that were made; arrived: members;
    device: what computed it, "" where all was stored.
    """

    request: ResolvedRequest
    outcome: Outcome
    seconds: float
    calls: int
    arrived: int
    device: str
    date: str | None = None
    scores: Headline | None = None

    @property
    def id(self) -> str:
        """What equal requests have in common."""
        said = asdict(self.request) | ({} if self.date is None else {"init": self.date})
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def asked(self) -> ForecastRequest:
        """The request to make again."""
        given = {item.name: getattr(self.request, item.name) for item in fields(ForecastRequest)}
        return ForecastRequest(**(given | ({} if self.date is None else {"init": self.date})))


@dataclass(frozen=True)
class Entry:
    """A line of the history. ended: seconds since 1970, of the newest of its `times` runs."""

    id: str
    ended: float
    times: int
    pinned: bool
    name: str
    run: Ended


@dataclass(frozen=True)
class Listed:
    """All that is in the history, pinned ones first, then the newest; damaged: entries that cannot be read."""

    entries: tuple[Entry, ...] = ()
    damaged: tuple[str, ...] = ()


@dataclass
class History:
    """The history in a folder, a small SQLite file; several threads and processes may use it.

    Adding and listing never raise for the state of the folder: `problem` then says in one sentence what is wrong. Of
    runs that are not pinned the newest `most` are kept. A damaged file is moved aside, and a new one begun.
    """

    folder: Path
    most: int = MOST_KEPT
    problem: str | None = field(default=None, init=False)

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / "runs.sqlite"

    def add(self, run: Ended, *, ended: float | None = None) -> None:
        """Write down a run; one of an equal request takes the place of the former, its name and pin stay.

        What is read from store leaves the seconds, calls and device of the computation; a cancelled run leaves a
        finished one as it is.
        """
        with self._reporting(), self._writing() as database:
            known = self._known(database, run.id)
            if known is not None:
                if run.outcome == "cancelled" and known.outcome != "cancelled":
                    return
                if run.outcome == "stored" and known.outcome == "computed":
                    run = _as_computed(run, known)
            database.execute(
                "INSERT INTO runs VALUES (?, ?, 1, 0, '', ?) ON CONFLICT (id) DO UPDATE SET"
                " ended = excluded.ended, times = times + 1, content = excluded.content",
                (run.id, time.time() if ended is None else ended, _written(run)),
            )
            database.execute(
                "DELETE FROM runs WHERE NOT pinned AND id NOT IN"
                " (SELECT id FROM runs WHERE NOT pinned ORDER BY ended DESC LIMIT ?)",
                (self.most,),
            )

    def listing(self) -> Listed:
        """What is in the history."""
        if not self.path.exists():
            return Listed()
        entries, damaged = [], []
        with self._reporting(), closing(self._connect()) as database:
            for row in database.execute("SELECT * FROM runs ORDER BY pinned DESC, ended DESC"):
                entry = _entry(row)
                if entry is None:
                    damaged.append(str(row[0]))
                else:
                    entries.append(entry)
        return Listed(tuple(entries), tuple(damaged))

    def pin(self, id_: str, pinned: bool) -> None:
        """Keep a run at the top and for good, or no longer. Raises DataError where it cannot be written."""
        self._change("UPDATE runs SET pinned = ? WHERE id = ?", (int(pinned), id_))

    def rename(self, id_: str, name: str) -> None:
        """Call a run by a name, "" for none. Raises DataError where it cannot be written."""
        self._change("UPDATE runs SET name = ? WHERE id = ?", (" ".join(name.split())[:LONGEST_NAME], id_))

    def delete(self, *ids: str) -> None:
        """Drop runs from the history. Raises DataError where it cannot be written."""
        for id_ in ids:
            self._change("DELETE FROM runs WHERE id = ?", (id_,))

    def _change(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            with self._writing() as database:
                database.execute(statement, values)
        except (OSError, sqlite3.Error) as error:
            raise DataError(f"{self.path} cannot be written ({error}): free some space or try again.") from error

    def _known(self, database: sqlite3.Connection, id_: str) -> Ended | None:
        row = database.execute("SELECT * FROM runs WHERE id = ?", (id_,)).fetchone()
        entry = None if row is None else _entry(row)
        return None if entry is None else entry.run

    def _connect(self) -> sqlite3.Connection:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside; on an error nothing of it is written."""
        with closing(self._connect()) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(SCHEMA)
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Turn failures of the file into `problem`."""
        try:
            yield
            if self.problem is not None and not self.problem.startswith(DAMAGED):
                self.problem = None
        except sqlite3.OperationalError as error:  # locked, read-only, on a full disk, or of another version
            self._complain(error)
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
        except OSError as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        log.warning("The history of runs cannot be used: %s", error)
        reason = getattr(error, "strerror", None) or error
        self.problem = f"The history of runs is not being kept: {self.path} cannot be used ({reason})."

    def _set_aside(self, error: Exception) -> None:
        """Move a damaged file out of the way; the last one is kept to look at."""
        aside = self.path.with_name("runs-damaged.sqlite")
        log.warning("The history of runs is damaged: %s", error)
        try:
            if not _is_sound(self.path):  # else another process has begun a new one already
                os.replace(self.path, aside)
                self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
        except OSError as problem:
            self._complain(problem)
            return
        self.problem = f"{DAMAGED}: it was moved to {aside}, and a new one has begun."


DAMAGED = "The history of runs was damaged"


def default_history() -> History:
    """The history in the user's data folder (`COLDCAST_DATA_DIR` moves it)."""
    return _history_in(data_dir() / "history")


@functools.cache
def _history_in(folder: Path) -> History:
    return History(folder)


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE)) as database:
            return database.execute("PRAGMA quick_check").fetchone() == ("ok",)
    except sqlite3.DatabaseError:
        return False


def _as_computed(run: Ended, known: Ended) -> Ended:
    """A run from store with what its computation took."""
    kept = {name: getattr(known, name) for name in ("outcome", "seconds", "calls", "device")}
    return Ended(**{item.name: getattr(run, item.name) for item in fields(Ended)} | kept)


# -- as text ---------------------------------------------------------------------------------------------

_KINDS: Mapping[str, tuple[type, ...]] = {
    "dataset": (str,),
    "model": (str,),
    "init": (str,),
    "steps": (int,),
    "members": (int,),
    "schedule": (str,),
    "solver": (str,),
    "last_step": (str,),
    "noise": (str,),
    "refine": (bool,),
    "seed": (int,),
    "output_leads": (list,),
    "precision": (str,),
}
"""The types of a request's fields in the history."""


def _written(run: Ended) -> str:
    return json.dumps(asdict(run), allow_nan=False)


def _entry(row: tuple[Any, ...]) -> Entry | None:
    """A row of the file; None where it is not as it was written."""
    try:
        id_, ended, times, pinned, name, content = row
        run = _read(json.loads(content))
        if run.id != id_ or not math.isfinite(ended):
            return None
        return Entry(id_, float(ended), int(times), bool(pinned), str(name), run)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _read(said: dict[str, Any]) -> Ended:
    """What `_written` wrote. Raises ValueError, TypeError or KeyError for anything else."""
    request = said["request"]
    if request.keys() != _KINDS.keys() or any(type(request[name]) not in kinds for name, kinds in _KINDS.items()):
        raise ValueError("the request has other fields")
    if said["outcome"] not in get_args(Outcome) or not isinstance(said["device"], str):
        raise ValueError("it ended in another way")
    if said["date"] is not None and not isinstance(said["date"], str):
        raise TypeError("the date is no text")
    leads = tuple(float(lead) for lead in request["output_leads"])
    return Ended(
        request=ResolvedRequest(**(request | {"output_leads": leads})),
        outcome=said["outcome"],
        seconds=float(said["seconds"]),
        calls=int(said["calls"]),
        arrived=int(said["arrived"]),
        device=said["device"],
        date=said["date"],
        scores=None if said["scores"] is None else _headline(said["scores"]),
    )


def _headline(said: dict[str, Any]) -> Headline:
    numbers = {name: None if said[name] is None else float(said[name]) for name in ("crps", "rmse", "ratio")}
    return Headline(str(said["variable"]), str(said["units"]), **numbers)
