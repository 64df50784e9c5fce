"""Makes the runs of a simulated data set on all cores; those that are on disk already are not made again."""

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError, RequestError
from engine.simulators import navier_stokes, spring_mesh
from engine.simulators.files import read_simulated, simulated_dir, write_simulated
from engine.simulators.run import SimulatedRun


@dataclass(frozen=True)
class Simulator:
    """How a system is simulated, simulate(split, index, integrator, fine) -> run, and what one may ask for."""

    simulate: Callable[[str, int, str, bool], SimulatedRun]
    integrators: tuple[str, ...]
    split_runs: Mapping[str, int]
    has_fine: bool  # whether the integrator steps more often than once per frame


@dataclass(frozen=True)
class Generated:
    """One run that is now on disk: the seconds it took, and how many of all are done."""

    index: int
    path: Path
    seconds: float
    skipped: bool
    done: int
    total: int


def _navier_stokes(split: str, index: int, integrator: str, fine: bool) -> SimulatedRun:
    return navier_stokes.simulate_run(split, index, integrator=integrator, fine=fine)


def _spring_mesh(split: str, index: int, integrator: str, fine: bool) -> SimulatedRun:
    return spring_mesh.simulate_run(split, index)


SIMULATORS = {
    "navier-stokes": Simulator(_navier_stokes, tuple(navier_stokes.INTEGRATORS), navier_stokes.SPLIT_RUNS, True),
    "spring-mesh": Simulator(_spring_mesh, ("accurate",), spring_mesh.SPLIT_RUNS, False),
}


def generate(
    dataset: str,
    *,
    split: str,
    integrator: str = "accurate",
    out: Path | None = None,
    runs: int | None = None,
    workers: int | None = None,
    fine: Sequence[int] = (),
) -> Iterator[Generated]:
    """Make runs 0 … runs−1 of a split as `run_0000.npz` …, yielding each once it is on disk.

    out: the folder for the files (data_dir()/simulated/<dataset>/<integrator>/<split> if None); runs: how
    many (the split's own number if None); workers: processes, one BLAS thread each (one per core if None);
    fine: the runs that keep every step of the integrator as well. A finished file is skipped, a partial or
    damaged one replaced, and the bytes depend on neither the workers nor the order.

    Raises RequestError for an unknown data set, split or integrator or a bad number; DataError if the folder
    cannot be written.
    """
    simulator = _checked(dataset, split, integrator)
    runs = simulator.split_runs[split] if runs is None else runs
    workers = _cores() if workers is None else workers
    for name, number in (("runs", runs), ("workers", workers)):
        if number < 1:
            raise RequestError(f"The number of {name} must be at least 1, not {number}.")
    if fine and not simulator.has_fine:
        raise RequestError(f"Every step of {dataset} is a frame already; leave out fine, which names {list(fine)}.")
    folder = simulated_dir(dataset, split=split, integrator=integrator) if out is None else out
    _ensure_writable(folder)
    return _generate([_Task(dataset, split, i, integrator, i in fine, folder) for i in range(runs)], min(workers, runs))


@dataclass(frozen=True)
class _Task:
    dataset: str
    split: str
    index: int
    integrator: str
    fine: bool
    folder: Path


def _checked(dataset: str, split: str, integrator: str) -> Simulator:
    if dataset not in SIMULATORS:
        raise RequestError(f"There is no simulator of {dataset!r}; choose one of {', '.join(SIMULATORS)}.")
    simulator = SIMULATORS[dataset]
    if split not in simulator.split_runs:
        raise RequestError(
            f"There is no split {split!r} of {dataset}; choose one of {', '.join(simulator.split_runs)}."
        )
    if integrator not in simulator.integrators:
        raise RequestError(
            f"There is no integrator {integrator!r} for {dataset}; choose one of {', '.join(simulator.integrators)}."
        )
    return simulator


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ensure_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be written ({error.strerror}); name another one.") from error


def _generate(tasks: Sequence[_Task], workers: int) -> Iterator[Generated]:
    # Fresh interpreters, so that the limit on threads below is in place before NumPy loads its BLAS.
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_end_with_the_parent)
    try:
        with _one_thread_each():
            futures = {pool.submit(_make, task): task for task in tasks}
        for done, future in enumerate(as_completed(futures), start=1):
            path, seconds, skipped = future.result()
            yield Generated(futures[future].index, path, seconds, skipped, done, len(tasks))
    finally:
        pool.shutdown(cancel_futures=True)


def _make(task: _Task) -> tuple[Path, float, bool]:
    path = task.folder / f"run_{task.index:04d}.npz"
    start = time.perf_counter()
    if _finished(path, task.fine):
        return path, time.perf_counter() - start, True
    run = SIMULATORS[task.dataset].simulate(task.split, task.index, task.integrator, task.fine)
    write_simulated(path, run)
    return path, time.perf_counter() - start, False


def _finished(path: Path, fine: bool) -> bool:
    try:
        run = read_simulated(path)
    except DataError:
        return False
    return not fine or run.fine_states is not None


def _end_with_the_parent() -> None:
    """A worker whose parent was killed would otherwise wait for work for ever."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
