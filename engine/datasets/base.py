"""What a data set is to the rest of the engine: channels on a grid, runs, initial conditions, boundaries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
from torch import Tensor

from engine.datasets.background import Background
from engine.datasets.calendar import Calendar, is_date, parse_date
from engine.errors import RequestError

OWN = "own-"
"""What the names of own fields begin with."""


@dataclass(frozen=True)
class Channel:
    """One physical field of a state."""

    name: str
    units: str
    long_name: str


@dataclass(frozen=True, eq=False)
class Axis:
    """One spatial axis of the grid."""

    name: str
    values: np.ndarray
    units: str
    long_name: str


@dataclass(frozen=True, eq=False)
class Run:
    """One trajectory, with what stays fixed along it.

    `states` is float32 (frame, channel, y, x) in physical units, NaN where there are none (land), `static` float32
    (static channel, y, x), `times` float64 (frame,) since the start of the run or as the data set's calendar counts.
    `fine_states` and `fine_times` hold truth between the frames where it is known. `axes` is None on the data set's
    own grid; `background` is the climatology of an observed record, where it has the years for one.
    """

    name: str
    states: np.ndarray
    static: np.ndarray
    times: np.ndarray
    fine_states: np.ndarray | None = None
    fine_times: np.ndarray | None = None
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    axes: tuple[Axis, Axis] | None = None
    background: Background | None = None

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.states)


@dataclass(frozen=True)
class Mirror:
    """A symmetry of the physics: flipping the tensor axis `axis`, None for no flip, and negating departures from the
    background in the channels `negated`."""

    axis: int | None
    negated: tuple[int, ...]


@dataclass(frozen=True)
class InitialCondition:
    """Where a forecast starts: a frame of a run."""

    run: str
    frame: int

    def __str__(self) -> str:
        return f"{self.run}:{self.frame}"


class Dataset(Protocol):
    """A data set; every member of `DATASETS` offers this."""

    def __hash__(self) -> int:
        """Data sets are keys of what is computed once."""

    @property
    def name(self) -> str:
        """Name in requests and on the command line."""

    @property
    def title(self) -> str:
        """Name on the page."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of a state, in order."""

    @property
    def static_channels(self) -> tuple[str, ...]:
        """Names of the static fields, in order."""

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """The grid: y, then x; a run may have its own (`axes_of`)."""

    @property
    def calendar(self) -> Calendar | None:
        """What dates the times of observed data stand for; None where times count from the start of a run."""

    @property
    def horizon(self) -> int:
        """The trained window, in data steps."""

    @property
    def default_steps(self) -> int:
        """Usual forecast length, in data steps."""

    @property
    def time_step(self) -> float:
        """Length of a data step, in `time_units`."""

    @property
    def time_units(self) -> str:
        """Unit of times."""

    @property
    def mirror(self) -> Mirror | None:
        """A symmetry that training may use."""

    @property
    def start_oversampling(self) -> float:
        """Share of training windows that start at frame 0 whatever chance says, for runs with a spin-up."""

    @property
    def remedy(self) -> str:
        """What to do where its data are not there, for the end of a sentence."""

    def runs(self) -> tuple[str, ...]:
        """Names of the runs at hand: those of the test split first."""

    def load(self, run: str) -> Run:
        """The named run. Raises DataError where it is unknown or its file is absent or damaged."""

    def initial_conditions(self) -> tuple[InitialCondition, ...]:
        """Those of the test split: frame 0 of each run first, then run-major through the frames."""

    def training_runs(self, split: str, *, folder: Path | None = None, limit: int | None = None) -> tuple[Run, ...]:
        """Runs of the split "train" or "validation" (simulated ones: in `folder`), the first `limit` of them.

        Raises DataError where there are none, saying how to get them.
        """

    def scored_starts(self, split: str, run: Run) -> tuple[int, ...]:
        """The frames from which forecasts of a split are scored unless others are named."""

    def scored(self, run: Run) -> np.ndarray:
        """Cells that count in losses and scores, bool (y, x)."""

    def season(self, time: float) -> float:
        """Fraction of the year that has passed; 0 where nothing depends on the season."""

    def background(self, run: Run) -> Background:
        """What is taken off a state before a network sees it. Raises DataError where a run has none."""

    def side_inputs(self, static: Tensor, season: Tensor) -> Tensor:
        """What networks see beside states: static (…, s, y, x), season (…) -> (…, side input, y, x)."""

    def constrain(self, x: Tensor, *, static: Tensor, initial: Tensor, time: float) -> Tensor:
        """Impose the boundary conditions on every member of `x`, (member, channel, y, x).

        `time` is that of the state, as in `Run.times`; `initial` (…, channel, y, x) is the
        state that the forecast started from, `static` (…, static channel, y, x).
        """


@lru_cache
def ordered_initial_conditions(runs: tuple[str, ...], frames: int) -> tuple[InitialCondition, ...]:
    """Frame 0 of each run first, then run-major through the later frames; the last frame starts nothing."""
    first = [InitialCondition(run, 0) for run in runs]
    later = [InitialCondition(run, frame) for run in runs for frame in range(1, frames - 1)]
    return (*first, *later)


def axes_of(dataset: Dataset, run: Run) -> tuple[Axis, Axis]:
    """The grid of a run."""
    return dataset.axes if run.axes is None else run.axes


def missing_cells(dataset: Dataset, run: Run) -> np.ndarray | None:
    """Cells without data at any time, bool (y, x): those of observed data that are not scored; None for simulations."""
    return None if dataset.calendar is None else ~dataset.scored(run)


def parse_initial_condition(text: str | int, dataset: Dataset) -> InitialCondition:
    """Read an index into the test split's initial conditions, `"RUN:FRAME"` or an ISO date of the first run.

    Raises RequestError where there is no such initial condition.
    """
    words = str(text).strip()
    if is_date(words):
        return _dated_initial_condition(words, dataset)
    known = dataset.initial_conditions()
    if ":" in words:
        run, _, frame = words.rpartition(":")
        return _named_initial_condition(run, frame, dataset)
    if not known:
        raise RequestError(f"{dataset.name} has no data on this machine: {dataset.remedy}.")
    try:
        index = int(words)
    except ValueError:
        raise RequestError(
            f"init is {words!r}: give an index from 0 to {len(known) - 1} or RUN:FRAME, such as {_an_example(dataset)}."
        ) from None
    if not 0 <= index < len(known):
        raise RequestError(f"init is {index}, but {dataset.name} has the initial conditions 0 to {len(known) - 1}.")
    return known[index]


def load_run(dataset: Dataset, name: str) -> Run:
    """A run of the data set, or a person's own field that was kept, "own-" and its digest.

    Raises: DataError where there is none of that name or its file is damaged.
    """
    return _load_own(dataset, name) if name.startswith(OWN) else dataset.load(name)


@lru_cache(maxsize=8)
def _load_own(dataset: Dataset, name: str) -> Run:
    from engine.own.store import load_own  # which reads files with libraries that training does without

    return load_own(name, dataset)


def date_of(dataset: Dataset, run: Run, frame: int) -> str | None:
    """The date of a frame as a person writes it; None where the data set knows no dates."""
    return None if dataset.calendar is None else dataset.calendar.label(float(run.times[frame]))


def _named_initial_condition(run: str, frame: str, dataset: Dataset) -> InitialCondition:
    own = run.startswith(OWN)
    if not own and run not in dataset.runs():
        raise RequestError(f"init names the run {run!r}, but {dataset.name} has {', '.join(dataset.runs()) or 'none'}.")
    # a simulated run ends with nothing ahead; the last frame of a record or of an own field starts a real forecast
    starts = load_run(dataset, run).frames - (dataset.calendar is None and not own)
    if not frame.isdigit() or int(frame) >= starts:
        raise RequestError(
            f"init names the frame {frame!r}, but a run of {dataset.name} starts from 0 to {starts - 1}."
        )
    return InitialCondition(run, int(frame))


def _dated_initial_condition(text: str, dataset: Dataset) -> InitialCondition:
    if dataset.calendar is None:
        raise RequestError(f"init is the date {text!r}, but {dataset.name} has no dates: give an index or RUN:FRAME.")
    time = dataset.calendar.time(parse_date(text))
    for name in dataset.runs():
        run = dataset.load(name)
        if run.times[0] <= time <= run.times[-1]:
            return InitialCondition(name, int(np.searchsorted(run.times, time)))
    spans = [dataset.load(name).times[[0, -1]] for name in dataset.runs()]
    there = "; ".join(f"{dataset.calendar.label(first)} to {dataset.calendar.label(last)}" for first, last in spans)
    raise RequestError(f"init is {text}, but the data of {dataset.name} cover {there or 'nothing yet'}.")


def _an_example(dataset: Dataset) -> str:
    condition = dataset.initial_conditions()[0]
    date = date_of(dataset, dataset.load(condition.run), condition.frame)
    return str(condition) if date is None else f"{condition}, or a date such as {date}"
