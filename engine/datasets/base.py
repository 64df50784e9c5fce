"""What a data set is to the rest of the engine: channels on a grid, runs, initial conditions, boundaries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

import numpy as np
from torch import Tensor

from engine.errors import RequestError


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

    `states` is float32 (frame, channel, y, x) in physical units, `static` float32 (static channel, y, x),
    `times` float64 (frame,) since the start of the run. `fine_states` and `fine_times` hold truth between the
    frames where it is known.
    """

    name: str
    states: np.ndarray
    static: np.ndarray
    times: np.ndarray
    fine_states: np.ndarray | None = None
    fine_times: np.ndarray | None = None
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.states)


@dataclass(frozen=True)
class Mirror:
    """A symmetry of the physics: flipping the tensor axis `axis` and negating the channels `negated`."""

    axis: int
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
        """The grid: y, then x."""

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

    def runs(self) -> tuple[str, ...]:
        """Names of the bundled runs: the test split, then those out of distribution."""

    def load(self, run: str) -> Run:
        """The named run. Raises DataError where it is unknown or its file is absent or damaged."""

    def initial_conditions(self) -> tuple[InitialCondition, ...]:
        """Those of the test split: frame 0 of each run first, then run-major through the frames."""

    def scored(self, run: Run) -> np.ndarray:
        """Cells that count in losses and scores, bool (y, x)."""

    def background(self) -> np.ndarray:
        """What is taken off a state before a network sees it, float32, broadcasts to (channel, y, x)."""

    def constrain(self, x: Tensor, *, static: Tensor, initial: Tensor, time: float) -> Tensor:
        """Impose the boundary conditions on every member of `x`, (member, channel, y, x).

        `time` counts from the start of the run; `initial` (…, channel, y, x) is the
        state that the forecast started from, `static` (…, static channel, y, x).
        """


@lru_cache
def ordered_initial_conditions(runs: tuple[str, ...], frames: int) -> tuple[InitialCondition, ...]:
    """Frame 0 of each run first, then run-major through the later frames; the last frame starts nothing."""
    first = [InitialCondition(run, 0) for run in runs]
    later = [InitialCondition(run, frame) for run in runs for frame in range(1, frames - 1)]
    return (*first, *later)


def parse_initial_condition(text: str | int, dataset: Dataset) -> InitialCondition:
    """Read an index into the test split's initial conditions or `"RUN:FRAME"`.

    Raises RequestError where there is no such initial condition.
    """
    known = dataset.initial_conditions()
    words = str(text).strip()
    if ":" in words:
        run, _, frame = words.rpartition(":")
        return _named_initial_condition(run, frame, dataset)
    try:
        index = int(words)
    except ValueError:
        raise RequestError(
            f"init is {words!r}: give an index from 0 to {len(known) - 1} or RUN:FRAME, such as {known[0]}."
        ) from None
    if not 0 <= index < len(known):
        raise RequestError(f"init is {index}, but {dataset.name} has the initial conditions 0 to {len(known) - 1}.")
    return known[index]


def _named_initial_condition(run: str, frame: str, dataset: Dataset) -> InitialCondition:
    if run not in dataset.runs():
        raise RequestError(f"init names the run {run!r}, but {dataset.name} has {', '.join(dataset.runs())}.")
    last = 1 + max(condition.frame for condition in dataset.initial_conditions())
    if not frame.isdigit() or int(frame) >= last:
        raise RequestError(f"init names the frame {frame!r}, but a run of {dataset.name} starts from 0 to {last - 1}.")
    return InitialCondition(run, int(frame))
