"""What the page about the sampler asks of the engine: small runs off the script thread, each kept for all visitors."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from engine.cache import default_cache
from engine.errors import RequestError
from engine.fill_in import FillIn, fill_in
from engine.forecasting import Progress, plan_of
from engine.forward_process import ForwardProcess, forward_process
from engine.jobs import Job, LocalExecutor
from engine.requests import ResolvedRequest
from engine.walk_trace import Trace, trace, trace_calls

KEPT_BYTES = 2**28  # of results
KEPT_JOBS = 100

T = TypeVar("T")
Steps = Generator[Progress, None, Any]


class Ask(Protocol):
    """Something to compute; equal ones are computed once."""

    def __hash__(self) -> int:
        """Asks are keys of what they give."""

    @property
    def calls(self) -> int:
        """Network calls of all members that it takes at most."""

    def run(self, cancelled: Callable[[], bool]) -> Steps:
        """Compute: yields how far it is and returns what it gives."""


@dataclass(frozen=True)
class WalkAsk:
    """A window of a forecast, step by step, with some of its members."""

    request: ResolvedRequest
    members: tuple[int, ...]
    window: int

    @property
    def calls(self) -> int:
        """As `Ask`."""
        return len(self.members) * trace_calls(self.request, window=self.window)

    def run(self, cancelled: Callable[[], bool]) -> Generator[Progress, None, Trace]:
        """As `Ask`."""
        count, total = len(self.members), self.calls
        done = before = 0
        steps = trace(
            self.request, members=self.members, window=self.window, cache=default_cache(), cancelled=cancelled
        )
        while True:
            try:
                step = next(steps)
            except StopIteration as finished:
                found: Trace = finished.value
                return found
            done += count * (step.calls - (0 if step.lead == 0 else before))
            before = step.calls
            yield Progress(0, count, step.window, self.window + 1, done, total)


@dataclass(frozen=True)
class FillAsk:
    """The states between two frames of a run."""

    request: ResolvedRequest
    leads: tuple[float, ...]
    members: int
    draws: str

    @property
    def calls(self) -> int:
        """As `Ask`."""
        return self.members * _inside(self.request, self.leads)

    def run(self, cancelled: Callable[[], bool]) -> Generator[Progress, None, FillIn]:
        """As `Ask`."""
        steps = fill_in(self.request, leads=self.leads, members=self.members, draws=self.draws, cancelled=cancelled)
        return (yield from _counted(steps, len(self.leads), self.members))


@dataclass(frozen=True)
class ForwardAsk:
    """Both forward processes of a state."""

    request: ResolvedRequest
    shares: tuple[float, ...]
    members: int

    @property
    def calls(self) -> int:
        """As `Ask`."""
        return self.members * sum(0 < share < 1 for share in self.shares)

    def run(self, cancelled: Callable[[], bool]) -> Generator[Progress, None, ForwardProcess]:
        """As `Ask`."""
        steps = forward_process(self.request, shares=self.shares, members=self.members, cancelled=cancelled)
        return (yield from _counted(steps, len(self.shares), self.members))


def _inside(request: ResolvedRequest, leads: tuple[float, ...]) -> int:
    """How many leads take a network call: both ends are known."""
    return sum(0 < lead < plan_of(request).schedule.horizon for lead in leads)


def _counted(steps: Generator[int, None, T], leads: int, members: int) -> Generator[Progress, None, T]:
    """Leads done as network calls of all members."""
    while True:
        try:
            done = next(steps)
        except StopIteration as finished:
            found: T = finished.value
            return found
        yield Progress(0, members, 0, 1, done * members, leads * members)


def from_frame(request: ResolvedRequest, frame: int) -> ResolvedRequest:
    """The same from another frame of its run."""
    return replace(request, init=f"{plan_of(request).run.name}:{frame}")


@dataclass(frozen=True, eq=False)
class Found:
    """What an ask gave, and what the page made of it, by name."""

    result: Any
    kept: dict[tuple[Hashable, ...], Any] = field(default_factory=dict)

    def once(self, *name: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made at the first call under this name."""
        if name not in self.kept:
            self.kept[name] = make()
        found: T = self.kept[name]
        return found


class Bench:
    """Runs what is asked on a thread of its own, one for all visitors, and keeps what came last."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._found: OrderedDict[Ask, Found] = OrderedDict()
        self._jobs: OrderedDict[Ask, str] = OrderedDict()
        self._executor: LocalExecutor[Ask] = LocalExecutor(self._work, results_kept=1)

    def found(self, ask: Ask) -> Found | None:
        """What an ask gave, None where it is not there."""
        with self._lock:
            if ask in self._found:
                self._found.move_to_end(ask)
            return self._found.get(ask)

    def start(self, ask: Ask, owner: str) -> None:
        """Ask for something on behalf of a visitor. Raises RequestError where too many wait."""
        job = self._executor.submit(ask, owner=owner)
        with self._lock:
            self._jobs[ask] = job
            self._jobs.move_to_end(ask)
            while len(self._jobs) > KEPT_JOBS:
                self._jobs.popitem(last=False)

    def job(self, ask: Ask) -> Job | None:
        """How an ask stands, None where it was not asked or is long finished."""
        with self._lock:
            job = self._jobs.get(ask)
        try:
            return None if job is None else self._executor.status(job)
        except RequestError:
            return None

    def cancel(self, ask: Ask, owner: str) -> None:
        """Take an ask of a visitor back."""
        job = self.job(ask)
        if job is not None:
            self._executor.cancel(job.id, owner=owner)

    def close(self) -> None:
        """End the thread."""
        self._executor.close()

    def _work(self, ask: Ask, cancelled: Callable[[], bool]) -> Steps:
        result = yield from ask.run(cancelled)
        with self._lock:
            self._found[ask] = Found(result)
            while len(self._found) > 1 and sum(each.result.nbytes for each in self._found.values()) > self._limit:
                self._found.popitem(last=False)
