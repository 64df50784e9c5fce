"""A person's own netCDF files: asked about, read, kept, listed and deleted. No widgets."""

import datetime
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import netCDF4
import numpy as np

from app.wording import date_title
from engine.datasets import DATASETS, Dataset, Run
from engine.datasets.netcdf import NETCDF_LOCK
from engine.errors import DataError, RequestError
from engine.folders import data_dir
from engine.own.fields import OwnField, read_own
from engine.own.files import open_isolated
from engine.own.matching import candidates, match
from engine.own.store import own_runs

LONGEST_NAME = 80


@dataclass(frozen=True)
class Source:
    """A file to read. identity: another file has another; opened: gives its path for as long as it is needed."""

    identity: str
    name: str
    opened: Callable[[], AbstractContextManager[Path]]


def uploaded(identity: str, name: str, content: memoryview) -> Source:
    """A file that was sent: it lies on disk only while it is read, in a folder that nobody else may open."""

    @contextmanager
    def opened() -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="coldcast-") as folder:  # of mode 0700
            path = Path(folder) / file_name(name)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            yield path

    return Source(identity, file_name(name), opened)


def on_this_machine(text: str) -> Source:
    """A file that lies here. Raises DataError where there is none."""
    path = Path(text.strip()).expanduser()
    try:
        status = path.stat()
        is_file = path.is_file()
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        raise DataError(f"There is no file {path}: give the whole path of a netCDF file.")
    return Source(f"{path}/{status.st_mtime_ns}/{status.st_size}", path.name, lambda: nullcontext(path))


def file_name(name: str) -> str:
    """The name of a file as its sender calls it, as far as a file system and a sentence can take it."""
    harmless = re.sub(r"[^\w.+ -]", "_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".")
    return harmless[-LONGEST_NAME:] or "upload.nc"


# -- asking ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What a person has to say before a file can be read.

    names: for a channel or an axis the variables that it could be. Once there are none to ask for: the number of times
    in the file, 0 where it says none; and of each channel whose units it does not say, the variable.
    """

    names: Mapping[str, tuple[str, ...]]
    times: int = 1
    without_units: Mapping[str, str] = field(default_factory=dict)


def ask(source: Source, dataset: Dataset, named: Mapping[str, str]) -> Asked:
    """What is unclear in a file, given what was named already. Raises DataError or RequestError as reading it would."""
    with source.opened() as path, open_isolated(path) as file:
        unclear = candidates(file, dataset, named).asked
        if unclear and all(unclear.values()):
            return Asked(unclear)
        fields = match(file, dataset, named)  # where nothing fits, this says so
        dim = fields[0].time_dim
        times = file.header.dims[dim] if dim else 1
    return Asked(
        {},
        times=times if all(each.time is not None for each in fields) else 0,
        without_units={
            each.channel.name: each.variable.name for each in fields if not each.units and each.channel.units != "1"
        },
    )


def read(source: Source, dataset: Dataset, named: Mapping[str, str], time: str | None) -> OwnField:
    """The file as a run. Raises DataError or RequestError."""
    with source.opened() as path:
        return read_own(path, dataset, variables=named, time=time)


# -- words -------------------------------------------------------------------------------------------------


def when(dataset: Dataset, time: float) -> str:
    """A time of a run in words."""
    if dataset.calendar is None:
        return f"{time:.4g} {dataset.time_units}"
    return date_title(dataset.calendar, time)


def written(dataset: Dataset, time: float) -> str:
    """A time of a run as `read` takes it."""
    return repr(float(time)) if dataset.calendar is None else dataset.calendar.label(float(time))


def covered(dataset: Dataset, run: Run, frame: int) -> str:
    """How much truth there is after a frame."""
    later = run.frames - 1 - frame
    if not later:
        return "Nothing later is in the file: a forecast without truth."
    last = when(dataset, float(run.times[-1]))
    return f"{later} later {'field serves' if later == 1 else 'fields serve'} as truth, up to {last}."


# -- what is kept ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """An own field in the data folder. source: the file it came from; added: when it was kept."""

    dataset: str
    name: str
    source: str
    frame: int
    start: str
    added: datetime.datetime

    @property
    def init(self) -> str:
        """The init of its forecast."""
        return f"{self.name}:{self.frame}"


def kept_fields() -> list[Kept]:
    """All own fields that are kept and can be read, the latest first."""
    found = []
    for dataset in DATASETS.values():
        for name in own_runs(dataset):
            path = _path(dataset.name, name)
            try:
                found.append(_described(dataset, name, path, path.stat().st_mtime))
            except (OSError, RuntimeError, KeyError, ValueError, IndexError, AttributeError):
                continue  # it is being written, or deleted, or damaged: it starts no forecast
    return sorted(found, key=lambda kept: kept.added, reverse=True)


@lru_cache(maxsize=256)
def _described(dataset: Dataset, name: str, path: Path, changed: float) -> Kept:
    with NETCDF_LOCK, netCDF4.Dataset(path) as file:
        frame = int(file.getncattr("initial_frame"))
        start = when(dataset, float(file["time"][frame]))
        source = str(file.getncattr("source"))
    return Kept(dataset.name, name, source, frame, start, datetime.datetime.fromtimestamp(changed))


def forget(kept: Kept) -> None:
    """Delete an own field. Raises RequestError where there is none of its name, DataError where it cannot be."""
    if kept.name not in own_runs(DATASETS[kept.dataset]):
        raise RequestError(f"There is no own field {kept.name!r} any more: load the page again.")
    path = _path(kept.dataset, kept.name)
    try:
        path.unlink()
    except OSError as error:
        raise DataError(f"{path} cannot be deleted ({error.strerror}): delete it by hand.") from error


def _path(dataset: str, name: str) -> Path:
    return data_dir() / "own" / dataset / f"{name}.nc"


def values_of(run: Run, frame: int, dataset: Dataset) -> dict[str, np.ndarray]:
    """The channels of one frame, (y, x) each."""
    return {channel.name: run.states[frame, index] for index, channel in enumerate(dataset.channels)}
