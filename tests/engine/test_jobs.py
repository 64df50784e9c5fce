"""One worker, a bounded queue, shared and cancelled jobs: all with computations that the tests control."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import engine.jobs
from engine.errors import Cancelled, RequestError
from engine.forecasting import Progress
from engine.jobs import RESULTS_KEPT, JobQueue

LONG = 60.0  # seconds; only a broken queue waits that long


def reached(calls: int) -> Progress:
    """A quarter of the work is one call."""
    return Progress(members_done=0, members=1, window=0, windows=1, calls_done=calls, calls_total=4)


@dataclass
class Bench:
    """A computation that says when it begins and ends when it is told to."""

    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go_on: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    computed: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def compute(self, request: str, progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> str:
        self.threads.add(threading.get_ident())
        self.computed.append(request)
        progress(reached(1))
        self.began.release()
        assert self.go_on.acquire(timeout=LONG)
        if cancelled():
            raise Cancelled("taken back")
        if request.startswith("bad"):
            raise ValueError(f"{request} failed")
        return request.upper()

    def wait_for_beginning(self) -> None:
        assert self.began.acquire(timeout=LONG)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def queue(bench: Bench) -> Iterator[JobQueue[str]]:
    queue: JobQueue[str] = JobQueue(bench.compute, capacity=3)
    yield queue
    bench.go_on.release(100)
    queue.close()


def test_a_job_is_queued_then_running_then_done(queue: JobQueue[str], bench: Bench) -> None:
    first, second = queue.submit("a"), queue.submit("b")
    bench.wait_for_beginning()
    assert (queue.job(first).status, queue.job(first).position) == ("running", 0)
    assert (queue.job(second).status, queue.job(second).position) == ("queued", 1)
    bench.go_on.release(2)
    assert queue.result(first, timeout=LONG) == "A"
    assert queue.result(second, timeout=LONG) == "B"
    assert queue.job(second).status == "done"
    assert bench.computed == ["a", "b"]


def test_one_thread_computes_everything(queue: JobQueue[str], bench: Bench) -> None:
    bench.go_on.release(3)
    for job in [queue.submit(name) for name in "abc"]:
        queue.result(job, timeout=LONG)
    assert len(bench.threads) == 1
    assert threading.get_ident() not in bench.threads


def test_a_full_queue_refuses_in_a_sentence(queue: JobQueue[str], bench: Bench) -> None:
    queue.submit("running")
    bench.wait_for_beginning()
    for name in "abc":
        queue.submit(name)
    with pytest.raises(RequestError, match="3 forecasts are waiting already"):
        queue.submit("d")


def test_equal_requests_share_a_job_while_it_is_queued_or_running(queue: JobQueue[str], bench: Bench) -> None:
    first = queue.submit("a")
    bench.wait_for_beginning()
    second = queue.submit("b")
    assert queue.submit("a") == first
    assert queue.submit("b") == second
    bench.go_on.release(2)
    queue.result(second, timeout=LONG)
    assert bench.computed == ["a", "b"]
    assert queue.submit("a") != first


def test_a_cancelled_queued_job_is_never_computed(queue: JobQueue[str], bench: Bench) -> None:
    first = queue.submit("a")
    bench.wait_for_beginning()
    second, third = queue.submit("b"), queue.submit("c")
    queue.cancel(second)
    assert queue.job(second).status == "cancelled"
    assert queue.job(third).position == 1
    bench.go_on.release(2)
    queue.result(third, timeout=LONG)
    assert bench.computed == ["a", "c"]
    assert queue.job(first).status == "done"


def test_a_cancelled_running_job_ends_where_its_computation_looks(queue: JobQueue[str], bench: Bench) -> None:
    job = queue.submit("a")
    bench.wait_for_beginning()
    queue.cancel(job)
    again = queue.submit("a")
    assert again != job  # nobody joins a job that is about to end
    bench.go_on.release(2)
    with pytest.raises(Cancelled, match="taken back"):
        queue.result(job, timeout=LONG)
    assert queue.job(job).status == "cancelled"
    assert queue.result(again, timeout=LONG) == "A"


def test_a_shared_job_goes_on_until_every_owner_has_cancelled_it(queue: JobQueue[str], bench: Bench) -> None:
    queue.submit("busy")
    bench.wait_for_beginning()
    job = queue.submit("a", owner="one")
    assert queue.submit("a", owner="two") == job
    queue.cancel(job, owner="one")
    queue.cancel(job, owner="one")
    assert queue.job(job).status == "queued"
    queue.cancel(job, owner="two")
    assert queue.job(job).status == "cancelled"


def test_cancelling_a_finished_job_changes_nothing(queue: JobQueue[str], bench: Bench) -> None:
    job = queue.submit("a")
    bench.go_on.release()
    queue.result(job, timeout=LONG)
    queue.cancel(job)
    assert queue.job(job).status == "done"
    assert queue.result(job) == "A"


@pytest.mark.parametrize("failure", [ValueError("no"), MemoryError(), SystemExit(3)])
def test_the_worker_survives_whatever_a_computation_raises(failure: BaseException) -> None:
    def compute(request: str, *_: object) -> str:
        if request == "bad":
            raise failure
        return request

    queue: JobQueue[str] = JobQueue(compute)
    bad, good = queue.submit("bad"), queue.submit("good")
    assert queue.result(good, timeout=LONG) == "good"
    assert (queue.job(bad).status, queue.job(bad).error) == ("failed", failure)
    with pytest.raises(type(failure)):
        queue.result(bad)
    queue.close()


def test_progress_and_the_time_left_are_seen_while_a_job_runs(bench: Bench) -> None:
    now = [100.0]
    queue: JobQueue[str] = JobQueue(bench.compute, clock=lambda: now[0])
    job = queue.submit("a")
    bench.wait_for_beginning()
    now[0] = 110.0  # one of four calls took 10 s
    assert queue.job(job).progress == reached(1)
    assert queue.job(job).seconds_left == pytest.approx(30.0)
    bench.go_on.release()
    queue.result(job, timeout=LONG)
    assert queue.job(job).seconds_left is None
    queue.close()


def test_only_the_last_results_are_kept_and_every_job_is_remembered() -> None:
    queue: JobQueue[int] = JobQueue(lambda request, *_: request)
    jobs = []
    for number in range(RESULTS_KEPT + 1):
        jobs.append(queue.submit(number))
        queue.result(jobs[-1], timeout=LONG)  # so that they finish in order
    assert queue.result(jobs[1]) == 1
    assert queue.job(jobs[0]).status == "done"
    with pytest.raises(RequestError, match="no longer kept"):
        queue.result(jobs[0])
    queue.close()


def test_an_unknown_job_is_refused(queue: JobQueue[str]) -> None:
    for call in (queue.job, queue.cancel, queue.result):
        with pytest.raises(RequestError, match="no job 'x'"):
            call("x")


def test_a_result_that_takes_too_long_times_out(queue: JobQueue[str], bench: Bench) -> None:
    job = queue.submit("a")
    bench.wait_for_beginning()
    with pytest.raises(TimeoutError, match="still running"):
        queue.result(job, timeout=0.01)


def test_closing_cancels_what_waits_and_what_runs_and_takes_nothing_more(bench: Bench) -> None:
    queue: JobQueue[str] = JobQueue(bench.compute)
    running = queue.submit("a")
    bench.wait_for_beginning()
    waiting = queue.submit("b")
    bench.go_on.release()
    queue.close()
    assert queue.job(waiting).status == "cancelled"
    assert queue.job(running).finished
    assert bench.computed == ["a"]
    with pytest.raises(RequestError, match="closed"):
        queue.submit("c")


def test_many_threads_may_submit_and_cancel_at_once() -> None:
    # every result is kept: a thread may sleep between its submission and its question while many others are served
    queue: JobQueue[int] = JobQueue(lambda request, *_: request * 2, capacity=1000, results_kept=160)
    results: dict[int, int] = {}

    def visit(visitor: int) -> None:
        for step in range(20):
            cancelled = queue.submit(-1 - visitor * 100 - step, owner=visitor)
            queue.cancel(cancelled, owner=visitor)
            results[visitor * 100 + step] = queue.result(queue.submit(visitor * 100 + step), timeout=LONG)

    visitors = [threading.Thread(target=visit, args=(visitor,)) for visitor in range(8)]
    for thread in visitors:
        thread.start()
    for thread in visitors:
        thread.join()
    assert len(results) == 160 and all(value == 2 * key for key, value in results.items())
    queue.close()


def test_the_module_brings_no_torch_along() -> None:
    root = Path(engine.jobs.__file__).resolve().parents[1]
    script = "import sys, engine.jobs; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
