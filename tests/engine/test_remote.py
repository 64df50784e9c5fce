"""Forecasts in a process of their own: the same numbers, what has arrived, cancel, errors, a process that dies."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from engine.cache import default_cache
from engine.errors import Cancelled, EngineError, RequestError
from engine.forecasting import ForecastRequest, Progress, forecast, resolve
from engine.jobs import LocalExecutor
from engine.remote import ComputingProcess
from engine.requests import ResolvedRequest

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="Processes cannot share memory here.")


@pytest.fixture(scope="module")
def process() -> Iterator[ComputingProcess]:
    process = ComputingProcess()
    process.start()
    yield process
    process.close()


@pytest.fixture
def request_(mesh_model: str) -> ResolvedRequest:
    return resolve(ForecastRequest("spring-mesh", model=mesh_model, steps=402, members=4, refine=True))


def to_the_end(steps: Any, note: Callable[[Progress], None] = lambda _: None) -> tuple[list[Progress], xr.Dataset]:
    reached = []
    while True:
        try:
            reached.append(next(steps))
        except StopIteration as finished:
            return reached, finished.value
        note(reached[-1])


def test_the_process_gives_what_the_engine_gives(process: ComputingProcess, request_: ResolvedRequest) -> None:
    shapes: list[tuple[int, int]] = []

    def note(step: Progress) -> None:
        assert step.ensemble is not None
        shapes.append(step.ensemble.block_shape)

    reached, found = to_the_end(process.run(request_), note)
    xr.testing.assert_allclose(found, forecast(request_), atol=1e-5)
    assert found.attrs == forecast(request_).attrs
    assert reached[-1].calls_done == reached[-1].calls_total
    assert shapes == sorted(shapes) and shapes[-1] == (4, 402) and (4, 134) in shapes


def test_runs_may_take_turns(process: ComputingProcess, request_: ResolvedRequest) -> None:
    other = replace(request_, seed=1, members=2)
    runs = [process.run(request_), process.run(other)]
    for _ in range(10):
        for run in runs:
            next(run)
    for run, asked in zip(runs, (request_, other), strict=True):
        xr.testing.assert_allclose(to_the_end(run)[1], forecast(asked), atol=1e-5)


def test_what_is_stored_is_found_by_both(process: ComputingProcess, request_: ResolvedRequest) -> None:
    asked = replace(request_, seed=2)
    to_the_end(process.run(asked, cache=default_cache()))
    reached, found = to_the_end(process.run(asked, cache=default_cache()))
    assert reached[-1].calls_stored == reached[-1].calls_total
    xr.testing.assert_identical(found, forecast(asked, cache=default_cache()))


def test_a_cancelled_run_ends_and_the_next_one_goes_on(process: ComputingProcess, request_: ResolvedRequest) -> None:
    seen: list[Progress] = []
    steps = process.run(replace(request_, steps=1000), cancelled=lambda: len(seen) >= 5)
    with pytest.raises(Cancelled):
        to_the_end(steps, seen.append)
    assert len(seen) < 20
    xr.testing.assert_allclose(to_the_end(process.run(request_))[1], forecast(request_), atol=1e-5)


def test_a_run_that_nobody_follows_any_more_is_dropped(process: ComputingProcess, request_: ResolvedRequest) -> None:
    steps = process.run(replace(request_, steps=1000))
    next(steps)
    steps.close()
    assert not process._inboxes
    xr.testing.assert_allclose(to_the_end(process.run(request_))[1], forecast(request_), atol=1e-5)


def test_errors_come_back_as_they_are(process: ComputingProcess, request_: ResolvedRequest) -> None:
    with pytest.raises(RequestError, match="members is 0"):
        to_the_end(process.run(replace(request_, members=0)))


def test_a_process_that_dies_is_said_and_another_one_starts(request_: ResolvedRequest) -> None:
    process = ComputingProcess()
    steps = process.run(replace(request_, steps=1000))
    next(steps)
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    with pytest.raises(EngineError, match="ended unexpectedly"):
        to_the_end(steps)
    xr.testing.assert_allclose(to_the_end(process.run(request_))[1], forecast(request_), atol=1e-5)
    assert process.pid != first
    process.close()


def test_the_process_goes_when_its_parent_does(request_: ResolvedRequest) -> None:
    process = ComputingProcess()
    to_the_end(process.run(request_))
    child = process._child
    assert child is not None and process._wire is not None
    process._wire.close()
    assert child.wait(timeout=60) == 0


def test_shared_memory_has_no_name_once_it_is_mapped(process: ComputingProcess, request_: ResolvedRequest) -> None:
    steps = process.run(request_)
    next(steps)
    assert not list(Path("/dev/shm").glob("coldcast-*"))
    _, found = to_the_end(steps)
    assert np.isfinite(found["q_x"]).all()


def test_an_executor_works_on_the_process(process: ComputingProcess, request_: ResolvedRequest) -> None:
    def work(asked: ResolvedRequest, cancelled: Any) -> Any:
        return (yield from process.run(asked, cancelled=cancelled))

    before = threading.active_count()
    queue: LocalExecutor[ResolvedRequest] = LocalExecutor(work)
    jobs = [queue.submit(replace(request_, seed=seed), owner=seed) for seed in range(3)]
    long = queue.submit(replace(request_, steps=1600, members=8), owner="long")
    time.sleep(0.2)
    queue.cancel(long, owner="long")
    for seed, job in enumerate(jobs):
        expected = forecast(replace(request_, seed=seed))
        xr.testing.assert_allclose(queue.result(job, timeout=120), expected, atol=1e-5)
    with pytest.raises(Cancelled):
        queue.result(long, timeout=120)
    assert threading.active_count() < before + 10
    queue.close()
