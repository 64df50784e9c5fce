"""Forecasts off the caller's thread: one worker owns the device, the rest wait in a bounded queue."""

import threading
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from engine.errors import Cancelled, RequestError

if TYPE_CHECKING:
    from engine.forecasting import Progress

Status = Literal["queued", "running", "done", "failed", "cancelled"]
_Request = TypeVar("_Request", bound=Hashable)

Compute = Callable[[_Request, Callable[["Progress"], None], Callable[[], bool]], Any]
"""compute(request, progress, cancelled): reports Progress, and raises Cancelled soon after cancelled() is true."""

RESULTS_KEPT = 8
JOBS_KEPT = 1000


@dataclass(frozen=True)
class Job:
    """How a job stands at one moment.

    position: 1 is next in the queue, 0 is not in it. seconds_left: an estimate while it runs, None where nothing
    is known yet. error: what ended a job that failed or was cancelled.
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


class JobQueue(Generic[_Request]):
    """A queue of requests that one worker thread computes in turn; every method may be called from any thread.

    capacity: how many requests may wait. results_kept: how many of the newest results stay at hand for `result`;
    an older one is let go unless somebody is waiting for it already.
    """

    def __init__(
        self,
        compute: Compute[_Request] | None = None,
        *,
        capacity: int = 16,
        results_kept: int = RESULTS_KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._compute: Compute[Any] = _forecast if compute is None else compute
        self._capacity = capacity
        self._results_kept = results_kept
        self._clock = clock
        self._changed = threading.Condition()
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._waiting: deque[_Record] = deque()
        self._running: _Record | None = None
        self._worker: threading.Thread | None = None
        self._closed = False

    def submit(self, request: _Request, *, owner: Hashable = None) -> str:
        """Queue a request and return the id of its job: that of an equal one, if one is queued or running.

        owner: whoever asks; a shared job stops only when each of its owners has cancelled it.

        Raises: RequestError if the queue is full or closed.
        """
        with self._changed:
            if self._closed:
                raise RequestError("The queue of forecasts is closed; start the program again.")
            for record in (*self._waiting, *([self._running] if self._running else ())):
                if record.request == request and not record.cancelled:
                    record.owners.add(owner)
                    return record.id
            if len(self._waiting) >= self._capacity:
                raise RequestError(f"{self._capacity} forecasts are waiting already; try again in a while.")
            record = _Record(uuid.uuid4().hex, request, owners={owner})
            self._records[record.id] = record
            self._waiting.append(record)
            self._start_worker()
            self._changed.notify_all()
            return record.id

    def job(self, job_id: str) -> Job:
        """How a job stands now. Raises RequestError for an id that was never given or is long finished."""
        with self._changed:
            return self._snapshot(self._record(job_id))

    def cancel(self, job_id: str, *, owner: Hashable = None) -> None:
        """Take a request back: a queued job ends at once, a running one as soon as its computation looks.

        Raises: RequestError for an unknown id.
        """
        with self._changed:
            record = self._record(job_id)
            record.owners.discard(owner)
            if record.owners or record.finished:
                return
            record.cancelled = True
            if record in self._waiting:
                self._waiting.remove(record)
                self._finish(record, "cancelled", error=Cancelled("The forecast was cancelled before it began."))

    def result(self, job_id: str, *, timeout: float | None = None) -> Any:
        """What the computation returned, once it has, waiting up to `timeout` seconds (None: without end).

        Raises: the job's error if it failed or was cancelled; RequestError if the id is unknown or the result is
        no longer kept; TimeoutError.
        """
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
        """Accept nothing more, cancel what is queued or running, and wait for the worker to end."""
        with self._changed:
            self._closed = True
            while self._waiting:
                self._finish(self._waiting.popleft(), "cancelled", error=Cancelled("The queue was closed."))
            if self._running is not None:
                self._running.cancelled = True
            self._changed.notify_all()
            worker = self._worker
        if worker is not None:
            worker.join()

    def _record(self, job_id: str) -> "_Record":
        if job_id not in self._records:
            raise RequestError(f"There is no job {job_id!r} (any more); submit the request again.")
        return self._records[job_id]

    def _snapshot(self, record: "_Record") -> Job:
        position = self._waiting.index(record) + 1 if record in self._waiting else 0
        seconds_left = self._seconds_left(record) if record.status == "running" else None
        return Job(record.id, record.status, position, record.progress, seconds_left, record.error)

    def _seconds_left(self, record: "_Record") -> float | None:
        reached = record.progress
        if reached is None or reached.calls_done == 0:
            return None
        per_call = (self._clock() - record.began) / reached.calls_done
        return per_call * (reached.calls_total - reached.calls_done)

    def _start_worker(self) -> None:
        if self._worker is None:
            # daemon: a forecast under way does not keep the program from ending
            self._worker = threading.Thread(target=self._work, name="forecasts", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                record = self._running = self._waiting.popleft()
                record.status, record.began = "running", self._clock()
            self._run(record)

    def _run(self, record: "_Record") -> None:
        status: Status = "done"
        result: object = None
        error: BaseException | None = None
        try:
            result = self._compute(record.request, record.report, lambda: record.cancelled)
        except Cancelled as reason:
            status, error = "cancelled", reason
        except BaseException as reason:  # whatever it is, it must not end the worker
            status, error = "failed", reason
        with self._changed:
            self._running = None
            self._finish(record, status, result=result, error=error)

    def _finish(
        self, record: "_Record", status: Status, *, result: object = None, error: BaseException | None = None
    ) -> None:
        record.status, record.result, record.error = status, result, error
        self._records.move_to_end(record.id)
        finished = [record for record in self._records.values() if record.finished]
        computed = [record for record in finished if record.status != "cancelled"]
        for old in computed[: -self._results_kept]:
            if not old.waiters:  # whoever waits for it has not been woken yet
                old.forget()
        for old in finished[:-JOBS_KEPT]:
            del self._records[old.id]
        self._changed.notify_all()


@dataclass(eq=False)
class _Record:
    """A job's life; changed under the queue's lock, except for `progress`, which only the worker replaces."""

    id: str
    request: Any
    owners: set[Hashable]
    status: Status = "queued"
    progress: "Progress | None" = None
    began: float = 0.0
    result: object = None
    error: BaseException | None = None
    cancelled: bool = False
    forgotten: bool = False
    waiters: int = 0

    @property
    def finished(self) -> bool:
        return self.status in ("done", "failed", "cancelled")

    def report(self, progress: "Progress") -> None:
        self.progress = progress

    def forget(self) -> None:
        """Let go of the result, and of the arrays that the frames of an error's traceback hold."""
        self.forgotten, self.result = True, None
        if self.error is not None:
            self.error.__traceback__ = self.error.__context__ = self.error.__cause__ = None


def _forecast(request: Any, progress: Callable[["Progress"], None], cancelled: Callable[[], bool]) -> object:
    from engine.cache import default_cache
    from engine.forecasting import forecast

    return forecast(request, cache=default_cache(), progress=progress, cancelled=cancelled)
