"""One worker, a bounded queue, fair turns, shared and cancelled jobs: with computations that the tests control."""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import engine.jobs
from engine.errors import Cancelled, RequestError
from engine.forecasting import Progress
from engine.growing import GrowingEnsemble
from engine.jobs import RESULTS_KEPT, LocalExecutor

Steps = Generator[Progress, None, Any]
LONG = 60.0  # seconds; only a broken queue waits that long


def reached(calls: int) -> Progress:
    """A quarter of the work is one call."""
    return Progress(members_done=0, members=1, window=0, windows=1, calls_done=calls, calls_total=4)


def wait_until(condition: Callable[[], bool]) -> bool:
    """Whether something came true before only a broken executor would still be waited for."""
    deadline = time.monotonic() + LONG
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


def at_once(request: int, cancelled: Callable[[], bool]) -> Steps:
    return request
    yield


def twice(request: int, cancelled: Callable[[], bool]) -> Steps:
    return request * 2
    yield


@dataclass
class Bench:
    """A computation that says when it begins and ends when it is told to."""

    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go_on: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    computed: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def work(self, request: str, cancelled: Callable[[], bool]) -> Steps:
        self.threads.add(threading.get_ident())
        self.computed.append(request)
        yield reached(1)
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
def queue(bench: Bench) -> Iterator[LocalExecutor[str]]:
    queue: LocalExecutor[str] = LocalExecutor(bench.work, capacity=3, slots=1, turn=math.inf)
    yield queue
    bench.go_on.release(100)
    queue.close()


def test_a_job_is_queued_then_running_then_done(queue: LocalExecutor[str], bench: Bench) -> None:
    first, second = queue.submit("a"), queue.submit("b")
    bench.wait_for_beginning()
    assert (queue.status(first).status, queue.status(first).position) == ("running", 0)
    assert (queue.status(second).status, queue.status(second).position) == ("queued", 1)
    bench.go_on.release(2)
    assert queue.result(first, timeout=LONG) == "A"
    assert queue.result(second, timeout=LONG) == "B"
    assert queue.status(second).status == "done"
    assert bench.computed == ["a", "b"]


def test_one_thread_computes_everything(queue: LocalExecutor[str], bench: Bench) -> None:
    bench.go_on.release(3)
    for job in [queue.submit(name) for name in "abc"]:
        queue.result(job, timeout=LONG)
    assert len(bench.threads) == 1
    assert threading.get_ident() not in bench.threads


def test_a_full_queue_refuses_in_a_sentence(queue: LocalExecutor[str], bench: Bench) -> None:
    queue.submit("running")
    bench.wait_for_beginning()
    for name in "abc":
        queue.submit(name)
    with pytest.raises(RequestError, match="3 forecasts are waiting already"):
        queue.submit("d")


def test_equal_requests_share_a_job_while_it_is_queued_or_running(queue: LocalExecutor[str], bench: Bench) -> None:
    first = queue.submit("a")
    bench.wait_for_beginning()
    second = queue.submit("b")
    assert queue.submit("a") == first
    assert queue.submit("b") == second
    bench.go_on.release(2)
    queue.result(second, timeout=LONG)
    assert bench.computed == ["a", "b"]
    assert queue.submit("a") != first


def test_a_cancelled_queued_job_is_never_computed(queue: LocalExecutor[str], bench: Bench) -> None:
    first = queue.submit("a")
    bench.wait_for_beginning()
    second, third = queue.submit("b"), queue.submit("c")
    queue.cancel(second)
    assert queue.status(second).status == "cancelled"
    assert queue.status(third).position == 1
    bench.go_on.release(2)
    queue.result(third, timeout=LONG)
    assert bench.computed == ["a", "c"]
    assert queue.status(first).status == "done"


def test_a_cancelled_running_job_ends_where_its_computation_looks(queue: LocalExecutor[str], bench: Bench) -> None:
    job = queue.submit("a")
    bench.wait_for_beginning()
    queue.cancel(job)
    again = queue.submit("a")
    assert again != job  # nobody joins a job that is about to end
    bench.go_on.release(2)
    with pytest.raises(Cancelled, match="taken back"):
        queue.result(job, timeout=LONG)
    assert queue.status(job).status == "cancelled"
    assert queue.result(again, timeout=LONG) == "A"


def test_a_shared_job_goes_on_until_every_owner_has_cancelled_it(queue: LocalExecutor[str], bench: Bench) -> None:
    queue.submit("busy")
    bench.wait_for_beginning()
    job = queue.submit("a", owner="one")
    assert queue.submit("a", owner="two") == job
    queue.cancel(job, owner="one")
    queue.cancel(job, owner="one")
    assert queue.status(job).status == "queued"
    queue.cancel(job, owner="two")
    assert queue.status(job).status == "cancelled"


def test_cancelling_a_finished_job_changes_nothing(queue: LocalExecutor[str], bench: Bench) -> None:
    job = queue.submit("a")
    bench.go_on.release()
    queue.result(job, timeout=LONG)
    queue.cancel(job)
    assert queue.status(job).status == "done"
    assert queue.result(job) == "A"


@pytest.mark.parametrize("failure", [ValueError("no"), MemoryError(), SystemExit(3)])
def test_the_worker_survives_whatever_a_computation_raises(failure: BaseException) -> None:
    def work(request: str, cancelled: Callable[[], bool]) -> Steps:
        yield reached(1)
        if request == "bad":
            raise failure
        return request

    queue: LocalExecutor[str] = LocalExecutor(work)
    bad, good = queue.submit("bad"), queue.submit("good")
    assert queue.result(good, timeout=LONG) == "good"
    assert (queue.status(bad).status, queue.status(bad).error) == ("failed", failure)
    with pytest.raises(type(failure)):
        queue.result(bad)
    queue.close()


def test_progress_and_the_time_left_are_seen_while_a_job_runs(bench: Bench) -> None:
    now = [100.0]

    def work(request: str, cancelled: Callable[[], bool]) -> Steps:
        now[0] += 10.0  # one of four calls takes 10 s
        return (yield from bench.work(request, cancelled))

    known = {"b": 7.0}
    queue: LocalExecutor[str] = LocalExecutor(work, slots=1, turn=math.inf, clock=lambda: now[0], estimate=known.get)
    job, waiting, unknown = queue.submit("a"), queue.submit("b"), queue.submit("c")
    bench.wait_for_beginning()
    assert queue.status(job).progress == reached(1)
    assert queue.status(job).seconds_left == pytest.approx(30.0)
    assert queue.status(waiting).seconds_left == pytest.approx(37.0)
    assert queue.status(unknown).seconds_left is None
    bench.go_on.release(3)
    queue.result(unknown, timeout=LONG)
    assert queue.status(job).seconds_left is None
    queue.close()


def test_only_the_last_results_are_kept_and_every_job_is_remembered() -> None:
    queue: LocalExecutor[int] = LocalExecutor(at_once)
    jobs = []
    for number in range(RESULTS_KEPT + 1):
        jobs.append(queue.submit(number))
        queue.result(jobs[-1], timeout=LONG)  # so that they finish in order
    assert queue.result(jobs[1]) == 1
    assert queue.status(jobs[0]).status == "done"
    with pytest.raises(RequestError, match="no longer kept"):
        queue.result(jobs[0])
    queue.close()


def test_an_unknown_job_is_refused(queue: LocalExecutor[str]) -> None:
    for call in (queue.status, queue.cancel, queue.result, lambda name: next(queue.events(name))):
        with pytest.raises(RequestError, match="no job 'x'"):
            call("x")


def test_a_result_that_takes_too_long_times_out(queue: LocalExecutor[str], bench: Bench) -> None:
    job = queue.submit("a")
    bench.wait_for_beginning()
    with pytest.raises(TimeoutError, match="still running"):
        queue.result(job, timeout=0.01)


def test_closing_cancels_what_waits_and_what_runs_and_takes_nothing_more(bench: Bench) -> None:
    queue: LocalExecutor[str] = LocalExecutor(bench.work, slots=1)
    running = queue.submit("a")
    bench.wait_for_beginning()
    waiting = queue.submit("b")
    bench.go_on.release()
    queue.close()
    assert queue.status(waiting).status == "cancelled"
    assert queue.status(running).finished
    assert bench.computed == ["a"]
    with pytest.raises(RequestError, match="closed"):
        queue.submit("c")


def test_many_threads_may_submit_and_cancel_at_once() -> None:
    # every result is kept: a thread may sleep between its submission and its question while many others are served
    queue: LocalExecutor[int] = LocalExecutor(twice, capacity=1000, results_kept=160)
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


# -- turns -----------------------------------------------------------------------------------------------


@dataclass
class Walks:
    """Requests (name, steps): each step takes a second of a clock that only they move, and is written down."""

    now: float = 0.0
    log: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    leave: Callable[[], None] = lambda: None

    def work(self, request: tuple[str, int], cancelled: Callable[[], bool]) -> Steps:
        name, steps = request
        for step in range(steps):
            assert self.gate.wait(LONG)
            self.now += 1.0
            self.log.append(name)
            self.leave()
            yield Progress(0, 1, 0, 1, step + 1, steps)
        return name

    def executor(self, **options: Any) -> LocalExecutor[tuple[str, int]]:
        return LocalExecutor(self.work, clock=lambda: self.now, **options)


def test_a_short_run_is_not_held_up_by_a_long_one() -> None:
    walks = Walks()
    queue = walks.executor()
    jobs = [queue.submit(("long", 50), owner="a"), queue.submit(("short", 5), owner="b")]
    walks.gate.set()
    for job in jobs:
        queue.result(job, timeout=LONG)
    assert walks.log[:11].count("short") == 5
    queue.close()


def test_time_is_shared_between_visitors_not_between_their_runs() -> None:
    walks = Walks()
    queue = walks.executor(slots=8)
    many = [queue.submit((f"many{number}", 20), owner="greedy") for number in range(4)]
    queue.submit(("one", 20), owner="modest")
    walks.gate.set()
    for job in many:
        queue.result(job, timeout=LONG)
    assert 18 <= walks.log[:40].count("one") <= 20
    queue.close()


def test_who_shares_a_run_takes_it_over_with_what_it_has_used() -> None:
    walks = Walks()
    queue = walks.executor()
    shared = queue.submit(("shared", 60), owner="a")
    assert queue.submit(("shared", 60), owner="b") == shared
    other = queue.submit(("other", 60), owner="c")
    walks.leave = lambda: queue.cancel(shared, owner="a") if len(walks.log) == 40 else None
    walks.gate.set()
    for job in (shared, other):
        queue.result(job, timeout=LONG)
    assert abs(walks.log[40:80].count("other") - 20) <= 1
    queue.close()


def test_who_comes_late_owes_nothing_and_has_saved_up_nothing() -> None:
    walks = Walks()
    queue = walks.executor()
    walks.gate.set()
    queue.result(queue.submit(("before", 30), owner="a"), timeout=LONG)
    walks.gate.clear()
    walks.log.clear()
    jobs = [queue.submit(("again", 10), owner="a"), queue.submit(("new", 10), owner="b")]
    walks.gate.set()
    for job in jobs:
        queue.result(job, timeout=LONG)
    assert abs(walks.log[:10].count("new") - 5) <= 1
    queue.close()


def test_with_all_slots_taken_a_run_that_has_had_its_turn_lets_the_others_in() -> None:
    walks = Walks()
    queue = walks.executor(slots=2, turn=5.0)
    jobs = [queue.submit((name, 40), owner=name) for name in ("a", "b")]
    jobs.append(queue.submit(("short", 3), owner="c"))
    walks.gate.set()
    for job in jobs:
        queue.result(job, timeout=LONG)
    assert walks.log[:20].count("short") == 3
    assert [walks.log.count(name) for name in ("a", "b", "short")] == [40, 40, 3]
    queue.close()


@pytest.mark.parametrize("turn", [math.inf, 3.0])
def test_requests_of_equal_kin_wait_for_each_other(turn: float) -> None:
    walks = Walks()
    queue = walks.executor(kin=lambda request: request[0][0], slots=2, turn=turn)
    jobs = [queue.submit((name, 10), owner=name) for name in ("x1", "y1", "x2", "z1")]
    walks.gate.set()
    for job in jobs:
        queue.result(job, timeout=LONG)
    assert walks.log.index("x2") > len(walks.log) - 1 - walks.log[::-1].index("x1")
    assert len(walks.log) == 40
    assert walks.log.index("y1") < 10
    queue.close()


@pytest.mark.parametrize("resumable", [True, False])
def test_twice_as_many_runs_as_slots_are_in_memory_and_none_is_lost(resumable: bool) -> None:
    walks = Walks()
    alive: set[str] = set()
    stored: dict[str, int] = {}
    most = [0]

    def work(request: tuple[str, int], cancelled: Callable[[], bool]) -> Steps:
        name, steps = request
        alive.add(name)
        most[0] = max(most[0], len(alive))
        try:
            for _ in walks.work((name, steps - stored.get(name, 0)), cancelled):
                stored[name] = stored.get(name, 0) + 1
                yield reached(1)
        finally:
            alive.remove(name)

    queue: LocalExecutor[tuple[str, int]] = LocalExecutor(
        work, slots=2, turn=2.0, clock=lambda: walks.now, resumable=lambda: resumable
    )
    jobs = [queue.submit((f"run{number}", 20), owner=number) for number in range(12)]
    walks.gate.set()
    assert wait_until(lambda: all(queue.status(job).status == "done" for job in jobs))
    assert most == [4] and not alive
    assert {walks.log.count(f"run{number}") for number in range(12)} == {20}
    first = [walks.log.index(f"run{number}") for number in range(12)]
    assert (max(first) < 60) == resumable  # without a store the last ones wait for the first to end
    queue.close()


def test_the_time_left_in_the_queue_is_that_of_turns_not_of_whole_runs() -> None:
    walks = Walks()
    queue = walks.executor(slots=1, turn=5.0, estimate=lambda request: float(request[1]))
    jobs = [queue.submit((name, steps), owner=name) for name, steps in (("long", 300), ("longer", 600), ("short", 2))]
    assert wait_until(lambda: queue.status(jobs[0]).status == "running")
    left = queue.status(jobs[2]).seconds_left
    assert left == pytest.approx(5 + 5 + 2)
    walks.gate.set()
    queue.result(jobs[2], timeout=LONG)
    assert walks.log.index("short") <= 11
    queue.close()


def test_an_estimate_is_asked_for_once_and_stored_calls_do_not_count_as_made() -> None:
    asked: list[str] = []
    began, go_on = threading.Event(), threading.Event()
    now = [0.0]

    def work(request: str, cancelled: Callable[[], bool]) -> Steps:
        now[0] += 6.0
        yield Progress(0, 1, 0, 1, 10, 16, calls_stored=8)  # two calls made in 6 s
        began.set()
        assert go_on.wait(LONG)
        return None

    def estimate(request: str) -> float:
        asked.append(request)
        return 99.0

    queue: LocalExecutor[str] = LocalExecutor(work, estimate=estimate, clock=lambda: now[0])
    job = queue.submit("a")
    assert began.wait(LONG)
    assert [queue.status(job).seconds_left for _ in range(3)] == [18.0] * 3
    assert asked == ["a"]
    go_on.set()
    queue.close()


@pytest.mark.parametrize("name", ["capacity", "slots", "results_kept"])
def test_an_executor_of_nothing_is_refused(name: str) -> None:
    nothing: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0"):
        LocalExecutor(at_once, **nothing)


def test_closing_ends_every_job_even_if_one_cannot_be_put_away() -> None:
    began = threading.Event()

    def work(request: str, cancelled: Callable[[], bool]) -> Steps:
        try:
            while True:
                time.sleep(0.001)
                yield reached(1)
                began.set()
        finally:
            raise OSError("no")

    queue: LocalExecutor[str] = LocalExecutor(work, slots=1)
    jobs = [queue.submit(name) for name in "ab"]
    assert began.wait(LONG)
    queue.close()
    assert [queue.status(job).status for job in jobs] == ["cancelled"] * 2


def test_ensembles_are_kept_of_the_newest_cancelled_runs_alone() -> None:
    ensemble = GrowingEnsemble(1, (1.0,), (1, 1, 1))

    def work(request: int, cancelled: Callable[[], bool]) -> Steps:
        yield Progress(1, 1, 0, 1, 1, 2, ensemble=ensemble)
        while request < 0 and not cancelled():
            time.sleep(0.001)  # as long as a quick network call
            yield Progress(1, 1, 0, 1, 1, 2, ensemble=ensemble)
        if request < 0:
            raise Cancelled("taken back")
        if request == 1:
            raise ValueError("failed")

    queue: LocalExecutor[int] = LocalExecutor(work)
    done, failed = queue.submit(0), queue.submit(1)
    cancelled = []
    for number in (-1, -2, -3):
        cancelled.append(queue.submit(number))
        assert wait_until(lambda: queue.status(cancelled[-1]).progress is not None)
        queue.cancel(cancelled[-1])
        assert wait_until(lambda: queue.status(cancelled[-1]).finished)
    jobs = [queue.status(job) for job in (done, failed, *cancelled)]
    kept = [job.progress is not None and job.progress.ensemble is not None for job in jobs]
    assert kept == [False, False, False, True, True]
    queue.close()


def test_thirty_two_visitors_with_one_request_make_one_run() -> None:
    walks = Walks()
    queue = walks.executor()
    jobs: list[str] = []
    visitors = [
        threading.Thread(target=lambda who=who: jobs.append(queue.submit(("same", 7), owner=who))) for who in range(32)
    ]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    walks.gate.set()
    assert {queue.result(job, timeout=LONG) for job in jobs} == {"same"}
    assert len(set(jobs)) == 1 and walks.log == ["same"] * 7
    queue.close()


def test_events_tell_of_every_change_until_the_end() -> None:
    walks = Walks()
    queue = walks.executor()
    job = queue.submit(("a", 5))
    events = queue.events(job)
    assert next(events).status in ("queued", "running")
    walks.gate.set()
    seen = list(events)
    assert seen[-1].status == "done"
    done = [event.progress.calls_done for event in seen if event.progress is not None]
    assert done == sorted(done) and done[-1] == 5
    assert [event.status for event in queue.events(job)] == ["done"]
    queue.close()


def test_what_had_arrived_of_a_cancelled_run_stays_at_hand() -> None:
    arrived = GrowingEnsemble(2, (1.0,), (1, 1, 1))
    arrived.room(range(1), range(1))[:] = 1.0
    arrived.arrived(range(1), range(1))
    began = threading.Event()

    def work(request: str, cancelled: Callable[[], bool]) -> Steps:
        while True:
            time.sleep(0.001)
            yield Progress(1, 2, 0, 1, 1, 2, ensemble=arrived)
            began.set()

    queue: LocalExecutor[str] = LocalExecutor(work)
    job = queue.submit("a")
    assert began.wait(LONG)
    queue.cancel(job)
    with pytest.raises(Cancelled):
        queue.result(job, timeout=LONG)
    left = queue.status(job).progress
    assert left is not None and left.ensemble is arrived
    queue.close()


def test_the_worker_begins_anew_after_it_crashed() -> None:
    broken = [True]

    def clock() -> float:
        if broken.pop() if broken else False:
            raise SystemExit("out of the blue")
        return 0.0

    queue: LocalExecutor[int] = LocalExecutor(at_once, clock=clock)
    lost = queue.submit(1)
    with pytest.raises(SystemExit):
        queue.result(lost, timeout=LONG)
    assert queue.status(lost).status == "failed"
    assert queue.result(queue.submit(2), timeout=LONG) == 2
    queue.close()


def test_the_module_brings_no_torch_along() -> None:
    root = Path(engine.jobs.__file__).resolve().parents[1]
    script = "import sys, engine.jobs; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
