"""Forecasts in a process of their own, so that they and the threads of a page do not wait for each other.

Python runs one thread of a process at a time, and a network call gives way after each of its hundred operations: one
busy thread beside it makes a forecast twenty times slower. `ComputingProcess.run` is `engine.forecasting.run` from the
outside. What has arrived lies in memory that both processes map. Where the process ends unexpectedly, those who asked
are told, and the next run starts another.
"""

import itertools
import logging
import mmap
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import Cancelled, EngineError
from engine.growing import GrowingEnsemble
from engine.requests import ResolvedRequest, output_leads

if TYPE_CHECKING:
    import xarray as xr

    from engine.forecasting import Progress
    from engine.member_windows import Store

log = logging.getLogger(__name__)

STEPS_AHEAD = 3
"""Steps that the process may be ahead of who follows it, so that it need not wait for a busy page."""

LOOK_SECONDS = 0.05  # between two looks at whether a run was cancelled
NICENESS = 5  # the page goes first: it needs little
PATIENT_THREADS = {"OMP_WAIT_POLICY": "passive"}
"""Threads that wait for each other leave the processor to the page and the browser meanwhile."""

ENDED = (
    "The process that computes forecasts ended unexpectedly, perhaps for want of memory; run it again, with fewer "
    "members or a shorter horizon."
)


class ComputingProcess:
    """A child process that computes; `run` is for one thread, which may take steps of several runs in turn."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._wire: Connection[Any, Any] | None = None
        self._inboxes: dict[int, deque[tuple[Any, ...]]] = {}
        self._numbers = itertools.count()

    def start(self) -> None:
        """Start the process unless it is there; it loads what it needs while nobody waits for it."""
        if self._child is not None and self._child.poll() is None:
            return
        self._wire, other = Pipe()
        root = str(Path(__file__).resolve().parents[1])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self._child = subprocess.Popen(
            [sys.executable, "-m", "engine.remote", str(other.fileno())],
            pass_fds=(other.fileno(),),
            env={**os.environ, "PYTHONPATH": paths, **PATIENT_THREADS},
        )
        other.close()

    @property
    def pid(self) -> int | None:
        """Of the process, None where it was not started."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the process."""
        if self._wire is not None:
            self._wire.close()
        if self._child is not None:
            self._child.terminate()
            self._child.wait()

    def run(
        self, request: ResolvedRequest, *, cache: "Store | None" = None, cancelled: Callable[[], bool] = lambda: False
    ) -> "Generator[Progress, None, xr.Dataset]":
        """As `engine.forecasting.run`; with a cache, the process uses its own on the same folder.

        Raises what that raises, and EngineError if the process ends.
        """
        from engine.forecasting import partial_forecast

        self.start()
        run = next(self._numbers)
        self._inboxes[run] = deque()
        ensemble: GrowingEnsemble | None = None
        try:
            self._tell("start", run, request, cache is not None)
            for _ in range(STEPS_AHEAD):
                self._tell("step", run)
            while True:
                kind, *content = self._hear(run, cancelled)
                if kind == "failed":
                    raise content[0]
                if kind == "memory":
                    ensemble = GrowingEnsemble.over(_mapped(*content), output_leads(request))
                    continue
                assert ensemble is not None
                if kind == "done":
                    return partial_forecast(request, ensemble)
                reached, block = content
                ensemble.extend_to(block)
                self._tell("step", run)
                yield replace(reached, ensemble=ensemble)
        finally:
            self._inboxes.pop(run, None)
            self._tell("cancel", run)

    def _tell(self, *message: Any) -> None:
        try:
            if self._wire is not None:
                self._wire.send(message)
        except OSError:  # it has ended; who listens hears of it
            pass

    def _hear(self, run: int, cancelled: Callable[[], bool]) -> tuple[Any, ...]:
        """The next message for a run."""
        told = False
        inbox = self._inboxes[run]
        while not inbox:
            try:
                assert self._wire is not None
                if self._wire.poll(LOOK_SECONDS):
                    number, *message = self._wire.recv()
                    if number in self._inboxes:
                        self._inboxes[number].append(tuple(message))
            except (EOFError, OSError, pickle.UnpicklingError):
                self._mourn()
            if not told and cancelled():
                self._tell("cancel", run)
                told = True
        return inbox.popleft()

    def _mourn(self) -> None:
        """Tell every run that the process is no more."""
        log.error("The process that computes forecasts ended unexpectedly")
        self.close()
        self._child = self._wire = None
        for inbox in self._inboxes.values():
            inbox.append(("failed", EngineError(ENDED)))


# -- in the child -----------------------------------------------------------------------------------------


class _Runs:
    """The runs of the child: told by messages what to do next, it answers with messages."""

    def __init__(self, wire: "Connection[Any, Any]") -> None:
        self._wire = wire
        self._tasks: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._steps: dict[int, Generator[Progress, None, object]] = {}
        self._cancelled: set[int] = set()

    def listen(self) -> None:
        """Take messages as they come; ends the process when nobody is left to answer."""
        try:
            while True:
                message = self._wire.recv()
                if message[0] == "cancel":
                    self._cancelled.add(message[1])  # seen before the next network call
                self._tasks.put(message)
        except (EOFError, OSError):
            os._exit(0)

    def serve(self) -> None:
        """Do what was asked, in the order in which it was."""
        while True:
            kind, run, *content = self._tasks.get()
            try:
                if kind == "start":
                    self._start(run, *content)
                elif kind == "step" and run in self._steps:
                    reached = next(self._steps[run])
                    block = (0, 0) if reached.ensemble is None else reached.ensemble.block_shape
                    self._wire.send((run, "progress", replace(reached, ensemble=None), block))
                elif kind == "cancel":
                    self._cancelled.discard(run)
                    if run in self._steps:
                        raise Cancelled
            except StopIteration:
                self._end(run)
                self._wire.send((run, "done"))
            except BaseException as error:
                self._end(run)
                self._wire.send((run, "failed", _sendable(error)))

    def _start(self, run: int, request: ResolvedRequest, is_stored: bool) -> None:
        from engine import forecasting
        from engine.cache import default_cache

        def allocate(shape: tuple[int, ...]) -> np.ndarray:
            path, array = _shared(shape)
            self._wire.send((run, "memory", path, shape))
            return array

        self._steps[run] = forecasting.run(
            request,
            cache=default_cache() if is_stored else None,
            cancelled=lambda: run in self._cancelled,
            allocate=allocate,
        )

    def _end(self, run: int) -> None:
        steps = self._steps.pop(run, None)
        if steps is not None:
            steps.close()


def _sendable(error: BaseException) -> BaseException:
    """An error without what it holds, as far as it can be sent at all."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
    try:
        pickle.dumps(error)
    except Exception:
        return RuntimeError(repr(error))
    return error


def _shared(shape: tuple[int, ...]) -> tuple[str, np.ndarray]:
    """Memory that another process can map by a file's name, as float32 of a shape.

    Raises MemoryError where there is no room for it.
    """
    size = max(1, 4 * int(np.prod(shape)))
    for folder in filter(os.path.isdir, ("/dev/shm", tempfile.gettempdir())):
        handle, path = tempfile.mkstemp(prefix="coldcast-", dir=folder)
        try:
            os.posix_fallocate(handle, 0, size)  # now, for later there is no way to say that it is full
            return path, np.ndarray(shape, np.float32, mmap.mmap(handle, size))
        except OSError:
            os.unlink(path)
        finally:
            os.close(handle)
    raise MemoryError(f"There is no room for {size} bytes in shared memory.")


def _mapped(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """What the other process shares; its name goes at once, the memory when nobody holds it any more."""
    with open(path, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    os.unlink(path)
    return np.ndarray(shape, np.float32, memory)


def main(handle: int) -> None:
    """Serve the process at the other end of a pipe until it goes."""
    os.nice(NICENESS)
    runs = _Runs(Connection(handle))
    threading.Thread(target=runs.listen, daemon=True).start()
    import engine.forecasting  # noqa: F401  (so that the first run need not wait for it)

    runs.serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
