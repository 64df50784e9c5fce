"""Forecasts off the caller's thread: one worker owns the device and shares its time fairly between visitors.

`Executor` is what the page sees; `LocalExecutor` runs in this process.
"""

import logging
import math
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from engine.errors import Cancelled, RequestError

if TYPE_CHECKING:
    from engine.forecasting import Progress

log = logging.getLogger(__name__)

Status = Literal["queued", "running", "done", "failed", "cancelled"]
_Request = TypeVar("_Request", bound=Hashable)
_Asked = TypeVar("_Asked", bound=Hashable, contravariant=True)

Work = Callable[[_Request, Callable[[], bool]], Generator["Progress", None, Any]]
"""work(request, cancelled): yields Progress after every step and returns the result.

It raises Cancelled before its next network call once cancelled() is true.
"""

RESULTS_KEPT = 8
PARTS_KEPT = 2  # of the newest cancelled runs, what had arrived
JOBS_KEPT = 1000


@dataclass(frozen=True)
class Job:
    """How a job stands at one moment.

    position: 1 is next in the queue, 0 is not in it; a long run may return there to let others have their turn.
    seconds_left: an estimate, None where nothing is known yet. error: what ended a job that failed or was cancelled;
    progress then still has what had arrived.
    """

    id: str
    status: Status
    position: int = 0
    progress: "Progress | None" = None
    seconds_left: float | None = None
    error: BaseException | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in ("done", "failed", "cancelled")


class Executor(Protocol[_Asked]):
    """Where forecasts are computed; every method may be called from any thread."""

    def submit(self, request: _Asked, *, owner: Hashable = None) -> str:
        """Queue a request and return the id of its job: that of an equal one, if one is queued or running.

        owner: whoever asks; a shared job stops only when each of its owners has cancelled it.
        Raises RequestError if the queue is full or closed.
        """

    def status(self, job_id: str) -> Job:
        """How a job stands now. Raises RequestError for an id that was never given or is long finished."""

    def cancel(self, job_id: str, *, owner: Hashable = None) -> None:
        """Take a request back: a queued job ends at once, a running one before its next network call.

        Raises RequestError for an unknown id.
        """

    def events(self, job_id: str) -> Iterator[Job]:
        """How a job stands, now and after every change until it is finished. Raises RequestError for an unknown id."""

    def result(self, job_id: str, *, timeout: float | None = None) -> Any:
        """What the computation returned, once it has, waiting up to `timeout` seconds (None: without end).

        Raises the job's error if it failed or was cancelled; RequestError if the id is unknown or the result is no
        longer kept; TimeoutError.
        """

    def close(self) -> None:
        """Accept nothing more, cancel what is queued or running, and wait for the computation to end."""


class LocalExecutor(Generic[_Request]):
    """An `Executor` on one thread of this process.

    Up to `slots` runs are under way at once, a step of one after a step of the other: the next step is that of the
    visitor who has had the least time, so a short run is not held up by a long one. Where all slots are taken, a run
    that has had its `turn`, in seconds of the device, goes behind those who wait. It keeps what it has computed in
    memory; of more than twice as many runs as there are slots, one is put away, to go on later from what is stored.

    capacity: how many requests may wait. results_kept: how many of the newest results stay at hand for `result`; an
    older one is let go unless somebody is waiting for it already. kin: of requests of equal kin one is begun when the
    other has ended, so that it finds stored what they share. estimate: seconds of the device that a request takes,
    None where nobody knows; asked once, when the request comes. resumable: whether a run that is put away finds stored
    what it had computed; where not, newcomers wait instead.
    """

    def __init__(
        self,
        work: Work[_Request],
        *,
        capacity: int = 16,
        slots: int = 3,
        turn: float = 10.0,
        results_kept: int = RESULTS_KEPT,
        kin: Callable[[_Request], Hashable] | None = None,
        estimate: Callable[[_Request], float | None] = lambda _: None,
        resumable: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, number in (("capacity", capacity), ("slots", slots), ("results_kept", results_kept)):
            if number < 1:
                raise ValueError(f"{name} is {number}: give at least 1.")
        self._work_of = work
        self._capacity, self._slots, self._turn = capacity, slots, turn
        self._results_kept = results_kept
        self._kin = kin
        self._estimate = estimate
        self._resumable = resumable
        self._clock = clock
        self._changed = threading.Condition()
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._waiting: list[_Record] = []
        self._running: list[_Record] = []
        self._had: dict[Hashable, float] = {}  # seconds of the device that each visitor has had
        self._worker: threading.Thread | None = None
        self._closed = False

    def submit(self, request: _Request, *, owner: Hashable = None) -> str:
        """As `Executor`."""
        estimate = self._estimate(request)
        with self._changed:
            if self._closed:
                raise RequestError("The queue of forecasts is closed; start the program again.")
            for record in (*self._running, *self._waiting):
                if record.request == request and not record.cancelled:
                    record.owners[owner] = None
                    return record.id
            if len(self._waiting) >= self._capacity:
                raise RequestError(f"{self._capacity} forecasts are waiting already; try again in a while.")
            kin = request if self._kin is None else self._kin(request)
            record = _Record(uuid.uuid4().hex, request, kin, {owner: None}, estimate)
            self._records[record.id] = record
            self._waiting.append(record)
            self._start_worker()
            self._changed.notify_all()
            return record.id

    def status(self, job_id: str) -> Job:
        """As `Executor`."""
        with self._changed:
            return self._snapshot(self._record(job_id))

    def cancel(self, job_id: str, *, owner: Hashable = None) -> None:
        """As `Executor`."""
        with self._changed:
            record = self._record(job_id)
            paid = self._had.get(record.payer, 0.0)
            record.owners.pop(owner, None)
            if record.owners:  # the next of them takes over, with what has been used
                self._had[record.payer] = max(self._had.get(record.payer, 0.0), paid)
                return
            if record.finished:
                return
            record.cancelled = True
            if record in self._waiting:
                record.close()
                reason = Cancelled() if record.begun else Cancelled("The forecast was cancelled before it began.")
                self._finish(record, "cancelled", error=reason)

    def events(self, job_id: str) -> Iterator[Job]:
        """As `Executor`."""
        with self._changed:
            record = self._record(job_id)
        version, job = self._news(record, after=-1)
        yield job
        while not job.finished:
            version, job = self._news(record, after=version)
            yield job

    def result(self, job_id: str, *, timeout: float | None = None) -> Any:
        """As `Executor`."""
        with self._changed:
            record = self._record(job_id)
            record.waiters += 1
            try:
                ended = self._changed.wait_for(lambda: record.finished, timeout)
            finally:
                record.waiters -= 1
            if not ended:
                raise TimeoutError(f"The forecast is still {record.status} after {timeout} seconds.")
            if record.error is not None:
                raise record.error
            if record.forgotten:
                raise RequestError("The result of this forecast is no longer kept; run it again.")
            return record.result

    def close(self) -> None:
        """As `Executor`."""
        with self._changed:
            self._closed = True
            for record in (*self._running, *self._waiting):
                record.cancelled = True
            self._changed.notify_all()
            worker = self._worker
        if worker is not None:
            worker.join()

    # -- how jobs stand ---------------------------------------------------------------------------------

    def _news(self, record: "_Record", *, after: int) -> tuple[int, Job]:
        """How a job stands, and the version of that, once it is not `after` any more."""
        with self._changed:
            self._changed.wait_for(lambda: record.version != after)
            return record.version, self._snapshot(record)

    def _record(self, job_id: str) -> "_Record":
        if job_id not in self._records:
            raise RequestError(f"There is no job {job_id!r} (any more); submit the request again.")
        return self._records[job_id]

    def _snapshot(self, record: "_Record") -> Job:
        position = self._waiting.index(record) + 1 if record in self._waiting else 0
        return Job(record.id, record.status, position, record.progress, self._seconds_left(record), record.error)

    def _seconds_left(self, record: "_Record") -> float | None:
        """Until a job ends: what is left of the turns before its own, and its own work at its share of the device."""
        own = None if record.finished else record.work_left
        if own is None:
            return None
        sharing = min(self._slots, len({each.payer for each in (*self._running, *self._waiting)}))
        if record in self._running:
            return own * sharing
        ahead = (*self._running, *self._waiting[: self._waiting.index(record)])
        before = sum(each.left_of(self._turn) for each in ahead)
        return None if math.isinf(before) else before + own * sharing

    # -- the worker -------------------------------------------------------------------------------------

    def _start_worker(self) -> None:
        if self._worker is None or not self._worker.is_alive():
            # daemon: a forecast under way does not keep the program from ending
            self._worker = threading.Thread(target=self._work, name="forecasts", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        """Compute until closed; a failure outside of the computations ends what was under way, not the worker."""
        while not self._closed:
            try:
                self._serve()
            except BaseException as error:
                log.exception("The worker failed and begins anew")
                with self._changed:
                    for record in list(self._running):
                        self._finish(record, "failed", error=error)
        with self._changed:
            for record in (*self._running, *self._waiting):
                record.close()
                self._finish(record, "cancelled", error=Cancelled("The queue was closed."))

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._running or self._waiting)
                if self._closed:
                    return
                self._fill_slots()
                record = min(self._running, key=lambda each: self._had.get(each.payer, 0.0))
            self._advance(record)

    def _fill_slots(self) -> None:
        """Begin or go on with those who wait, as long as there is room."""
        comes = self._next_in_line()
        if len(self._running) >= self._slots and comes is not None:
            longest = max(self._running, key=lambda each: each.had_in_turn)
            if longest.had_in_turn >= self._turn and self._memory_for(comes):
                self._running.remove(longest)
                self._waiting.append(longest)
                longest.had_in_turn = 0.0
                longest.change("queued")
        while len(self._running) < self._slots and (record := self._next_in_line()) is not None:
            self._waiting.remove(record)
            self._welcome(record.payer)
            self._running.append(record)
            record.change("running")
        self._changed.notify_all()

    def _memory_for(self, comes: "_Record") -> bool:
        """Whether one more run may be begun; puts one away for it where that loses nothing."""
        idle = [record for record in self._waiting if record.begun]
        if comes.begun or len(self._running) + len(idle) < 2 * self._slots:
            return True
        if not idle or not self._resumable():
            return False
        idle[-1].put_away()
        return True

    def _next_in_line(self) -> "_Record | None":
        under_way = {record.kin for record in self._running}
        begun = {record.kin for record in self._waiting if record.begun}
        return next(
            (
                record
                for record in self._waiting
                if record.kin not in under_way and (record.begun or record.kin not in begun)
            ),
            None,
        )

    def _welcome(self, owner: Hashable) -> None:
        """Who comes back has not saved up time meanwhile, and who comes anew owes none."""
        present = {record.payer for record in self._running}
        self._had = {who: had for who, had in self._had.items() if who in present or who == owner}
        least = min((self._had.get(who, 0.0) for who in present), default=0.0)
        self._had[owner] = max(self._had.get(owner, least), least)

    def _advance(self, record: "_Record") -> None:
        """One step of a job."""
        began, payer, reached = self._clock(), record.payer, record.progress
        status: Status | None = None
        result: object = None
        error: BaseException | None = None
        try:
            if record.steps is None:
                record.steps = self._work_of(record.request, lambda: record.cancelled)
            if record.cancelled:
                record.close()
                raise Cancelled
            reached = next(record.steps)
        except StopIteration as finished:
            status, result = "done", finished.value
        except Cancelled as reason:
            status, error = "cancelled", reason
        except BaseException as reason:  # whatever it is, it must not end the worker
            status, error = "failed", reason
        took = self._clock() - began
        with self._changed:
            record.progress = reached
            record.had += took
            record.had_in_turn += took
            self._had[payer] = self._had.get(payer, 0.0) + took
            if status is not None:
                self._finish(record, status, result=result, error=error)
            record.change()
            self._changed.notify_all()

    def _finish(
        self, record: "_Record", status: Status, *, result: object = None, error: BaseException | None = None
    ) -> None:
        for jobs in (self._running, self._waiting):
            if record in jobs:
                jobs.remove(record)
        record.result, record.error, record.steps = result, error, None
        record.change(status)
        if status != "cancelled":
            record.let_go_of_the_ensemble()
        self._records.move_to_end(record.id)
        finished = [record for record in self._records.values() if record.finished]
        computed = [record for record in finished if record.status != "cancelled"]
        cancelled = [record for record in finished if record.status == "cancelled"]
        for old in (*computed[: -self._results_kept], *cancelled[:-PARTS_KEPT]):
            if not old.waiters:  # whoever waits for it has not been woken yet
                old.forget()
        for old in finished[:-JOBS_KEPT]:
            del self._records[old.id]
        self._changed.notify_all()


@dataclass(eq=False)
class _Record:
    """A job's life; changed under the executor's lock.

    owners: in the order in which they came; the first is charged with its time. had: seconds of the device so far.
    """

    id: str
    request: Any
    kin: Hashable
    owners: dict[Hashable, None]
    estimate: float | None = None
    status: Status = "queued"
    version: int = 0
    steps: "Generator[Progress, None, Any] | None" = field(default=None, repr=False)
    progress: "Progress | None" = None
    had: float = 0.0
    had_in_turn: float = 0.0
    result: object = None
    error: BaseException | None = None
    cancelled: bool = False
    forgotten: bool = False
    waiters: int = 0

    @property
    def finished(self) -> bool:
        return self.status in ("done", "failed", "cancelled")

    @property
    def begun(self) -> bool:
        """Whether a run is under way, or waits to go on."""
        return self.steps is not None

    @property
    def payer(self) -> Hashable:
        return next(iter(self.owners), self.id)  # of a cancelled job, which has no owner left, itself

    @property
    def work_left(self) -> float | None:
        """Seconds of the device that it still needs, by its own pace, or by what was known when it came."""
        reached = self.progress
        made = 0 if reached is None else reached.calls_done - reached.calls_stored
        if reached is None or made <= 0:
            return self.estimate
        return self.had / made * (reached.calls_total - reached.calls_done)

    def left_of(self, turn: float) -> float:
        """Seconds of the device until its turn is over or its work done; infinite where nobody knows."""
        work = math.inf if self.work_left is None else self.work_left
        return max(0.0, min(turn - self.had_in_turn, work))

    def change(self, status: Status | None = None) -> None:
        self.status = status or self.status
        self.version += 1

    def close(self) -> None:
        """Give up a run; what its own tidying up raises is nobody's business any more."""
        try:
            if self.steps is not None:
                self.steps.close()
        except BaseException:
            log.exception("A run could not be put away")

    def put_away(self) -> None:
        """End a run that is to begin again."""
        self.close()
        self.steps, self.had = None, 0.0
        self.let_go_of_the_ensemble()

    def let_go_of_the_ensemble(self) -> None:
        if self.progress is not None:
            self.progress = replace(self.progress, ensemble=None)

    def forget(self) -> None:
        """Let go of the result, and of the arrays that the frames of an error's traceback hold."""
        self.forgotten, self.result = True, None
        self.let_go_of_the_ensemble()
        if self.error is not None:
            self.error.__traceback__ = self.error.__context__ = self.error.__cause__ = None
