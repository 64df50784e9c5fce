"""The engine as the page uses it: a queue of runs, and the finished forecasts at hand. One per process."""

import gc
import json
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from app.examples import example_path, load_example
from app.headline import headline
from app.history import Ended, History, Outcome, default_history
from app.link import date_in_link
from app.scoring import Scoring, score_all
from app.summary import Summary, summarise
from engine import forecasting
from engine.baselines import read_table
from engine.cache import ArrayCache, default_cache
from engine.datasets import Dataset, Run, get_dataset
from engine.datasets.base import InitialCondition, load_run, parse_initial_condition
from engine.errors import Cancelled, CheckpointError, EngineError, RequestError
from engine.forecasting import Progress
from engine.fronts import measure_seconds_per_call
from engine.growing import GrowingEnsemble
from engine.hardware import device_name
from engine.jobs import Executor, Job, LocalExecutor
from engine.remote import ComputingProcess
from engine.requests import ForecastRequest, ResolvedRequest, card_of
from engine.thresholds import seasonal_percentile
from engine.variables import Variable, variables_of

if TYPE_CHECKING:
    import xarray as xr

log = logging.getLogger(__name__)

KEPT_BYTES = 2**30  # of finished forecasts with their members
KEPT_RECORDS = 64  # baselines of observed records, a few kilobytes each
KEPT_SCORINGS = 100  # a few hundred kilobytes each
MOST_LOOKED_UP = 10_000  # windows of single members: half a second
KEPT_PARTS = 8  # runs whose latest part is at hand
Origin = Literal["computed", "stored", "example", "arriving", "cancelled"]


class Engine(Protocol):
    """The calls of `engine.forecasting` that the page makes."""

    def resolve(self, request: ForecastRequest) -> ResolvedRequest: ...
    def run(
        self, request: ResolvedRequest, *, cache: ArrayCache | None, cancelled: Callable[[], bool]
    ) -> "Generator[Progress, None, xr.Dataset]": ...
    def partial_forecast(self, request: ResolvedRequest, ensemble: GrowingEnsemble) -> "xr.Dataset": ...
    def truth(self, request: ResolvedRequest) -> "xr.Dataset": ...
    def static_fields(self, request: ResolvedRequest) -> "xr.Dataset": ...
    def background_fields(self, request: ResolvedRequest) -> "xr.Dataset": ...
    def calls_per_member(self, request: ResolvedRequest) -> int: ...
    def calls_to_make(self, request: ResolvedRequest, cache: ArrayCache) -> int: ...
    def window_keys(self, request: ResolvedRequest) -> frozenset[str]: ...


@dataclass(frozen=True)
class Window:
    """What a model was trained on: so many data steps, and auxiliary steps inside the first of them.

    method: "dyffusion" walks through the window along a schedule, "dropout" reaches every lead in one call.
    """

    horizon: int
    auxiliary_steps: int = 0
    method: str = "dyffusion"


@dataclass(frozen=True, eq=False)
class Shown:
    """A forecast on the page, where it came from, and what it took.

    Of a run under way or cancelled it is what had arrived: fewer members, or the first of its leads.
    """

    summary: Summary
    origin: Origin
    seconds: float | None = None

    def is_of(self, request: ResolvedRequest) -> bool:
        """Whether it is the forecast of this very request."""
        return request_json(request) == json.loads(self.summary.request)


@dataclass(frozen=True)
class Cost:
    """What a forecast takes.

    per_member: network calls of one member where nothing is stored; left: those of all members that are not stored;
    seconds: for these, None before any run of the model was measured.
    """

    per_member: int
    left: int
    seconds: float | None


def request_json(request: ResolvedRequest) -> dict[str, Any]:
    """A request as it stands in its forecast."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(request)))
    return found


class Finished:
    """Finished forecasts by request; the least recently shown go first where memory runs short."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[ResolvedRequest, Shown] = OrderedDict()

    def get(self, request: ResolvedRequest) -> Shown | None:
        """The forecast of this very request, if it is at hand."""
        with self._lock:
            if request in self._kept:
                self._kept.move_to_end(request)
            return self._kept.get(request)

    def requests(self) -> tuple[ResolvedRequest, ...]:
        """What is at hand, the least recently shown first."""
        with self._lock:
            return tuple(self._kept)

    def put(self, request: ResolvedRequest, shown: Shown) -> None:
        """Keep a forecast; the newest two always are, for they may be compared."""
        with self._lock:
            self._kept[request] = shown
            self._kept.move_to_end(request)
            while len(self._kept) > 2 and sum(s.summary.nbytes for s in self._kept.values()) > self._limit:
                self._kept.popitem(last=False)


class Backend:
    """Starts runs, follows them, and keeps what they gave."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine: Engine = engine or forecasting
        self._run = engine.run if engine else run_apart()
        self.finished = Finished()
        self.scored: OrderedDict[Scoring, xr.Dataset] = OrderedDict()
        self._executor: Executor[ResolvedRequest | Scoring] = LocalExecutor(
            self._work,
            kin=_trajectory,
            estimate=self._most_seconds,
            resumable=lambda: default_cache().problem is None,
        )
        self._started: dict[ResolvedRequest, str] = {}
        self._parts: OrderedDict[str, tuple[tuple[int, int], Shown]] = OrderedDict()
        self._parts_lock = threading.Lock()
        self._examples: dict[str, Shown | None] = {}
        self._tables: dict[str, xr.Dataset | None] = {}
        self._aside = ThreadPoolExecutor(1, "coldcast-baselines")
        self._records: dict[tuple[InitialCondition, str, int], Future[xr.Dataset | None]] = {}
        self._records_lock = threading.Lock()
        self._seconds_per_call: dict[tuple[str, str], float] = {}
        spare_the_collector()

    @property
    def history(self) -> History:
        """What was run on this machine."""
        return default_history()

    def first_request(self, dataset: str) -> ForecastRequest:
        """What the controls of a data set show at first: the stored example's request, else the model's defaults."""
        example = self.example(dataset)
        if example is None:
            return ForecastRequest(dataset)
        said = json.loads(example.summary.request)
        return ForecastRequest(dataset, init=said["init"], steps=said["steps"], members=said["members"])

    def window(self, request: ResolvedRequest) -> Window:
        """The window of the request's model; without one, that of the data set."""
        try:
            card = card_of(request)
        except CheckpointError:
            return Window(get_dataset(request.dataset).horizon)
        return Window(card.horizon, card.auxiliary_steps, card.method)

    def resolve(self, request: ForecastRequest) -> ResolvedRequest:
        """The complete request, init as RUN:FRAME. Raises EngineError where it cannot be run."""
        complete = self.engine.resolve(request)
        return replace(complete, init=str(parse_initial_condition(complete.init, get_dataset(complete.dataset))))

    def example(self, dataset: str) -> Shown | None:
        """The stored example of a data set, None where there is none."""
        if dataset not in self._examples:
            if not example_path(dataset).is_file():  # of data that may not come with the project there is none
                return None
            try:
                self._examples[dataset] = Shown(load_example(dataset), "example")
            except EngineError as error:
                log.warning("%s", error)
                self._examples[dataset] = None
        return self._examples[dataset]

    def refer(self, summary: Summary, variable: Variable) -> None:
        """Find what a variable needs at every lead, such as a threshold. Raises EngineError where there is none."""
        for name in summary.lacks(variable):
            if summary.ensemble is not None and variable.threshold is not None:
                summary.ensemble.references[name] = _threshold(summary, variable)

    def baselines(self, summary: Summary, variable: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Leads and CRPS of what must be beaten, by name; empty where none are known, or not yet."""
        dataset = get_dataset(summary.dataset)
        start = parse_initial_condition(json.loads(summary.request)["init"], dataset)
        wanted: dict[str, str | int] = {"start": start.frame, "channel": variable}
        if dataset.calendar is None:
            scores = self._table(summary.dataset)
            wanted["run"] = start.run
        else:
            coming = self._record_scores(summary)
            scores = coming.result() if coming.done() else None
            wanted["channel"] = "sst" if variable == "anomaly" else variable  # both have the same
        if scores is None or any(value not in scores[name].values for name, value in wanted.items()):
            return {}
        within = scores.sel(wanted)["crps"].sel(lead=slice(None, float(summary.leads[-1])))
        return {str(line["baseline"].values): (line["lead"].values, line.values) for line in within}

    def awaits_baselines(self, summary: Summary) -> bool:
        """Whether the baselines of a forecast are still being scored."""
        return get_dataset(summary.dataset).calendar is not None and not self._record_scores(summary).done()

    def _record_scores(self, summary: Summary) -> "Future[xr.Dataset | None]":
        """The baselines of an observed record from one frame; they take seconds, and so another thread scores them."""
        dataset = get_dataset(summary.dataset)
        asked = json.loads(summary.request)  # of a forecast under way all steps, so that they are scored once
        start = parse_initial_condition(asked["init"], dataset)
        key = (start, dataset.name, int(asked["steps"]))
        with self._records_lock:
            if key not in self._records:
                self._records[key] = self._aside.submit(_score_baselines, dataset, start, int(asked["steps"]))
                if len(self._records) > KEPT_RECORDS:
                    self._records.pop(next(iter(self._records)))
            return self._records[key]

    def _table(self, dataset: str) -> "xr.Dataset | None":
        if dataset not in self._tables:
            try:
                self._tables[dataset] = read_table(get_dataset(dataset))
            except EngineError as error:
                log.warning("%s", error)
                self._tables[dataset] = None
        return self._tables[dataset]

    def cost(self, request: ResolvedRequest) -> "Cost":
        """What a request takes, by what is stored and by the runs measured so far."""
        each = self.engine.calls_per_member(request)
        if self.finished.get(request) is not None:
            left = 0
        elif request.members * request.steps > MOST_LOOKED_UP * self.window(request).horizon:
            left = request.members * each  # to look all of it up would take longer than the answer is worth
        else:
            left = self.engine.calls_to_make(request, default_cache())
        pace = self._seconds_per_call.get((request.dataset, request.model))
        return Cost(each, left, None if pace is None else pace * left)

    def _most_seconds(self, asked: ResolvedRequest | Scoring) -> float | None:
        """What a request takes where nothing of it is stored, or all those of a scoring."""
        if isinstance(asked, Scoring):
            one = self._most_seconds(asked.request)
            return None if one is None else one * asked.conditions.count
        request = asked
        pace = self._seconds_per_call.get((request.dataset, request.model))
        return None if pace is None else pace * self.engine.calls_per_member(request) * request.members

    def pace(self, request: ResolvedRequest) -> float:
        """Seconds that a network call of one member takes, by the last run of its model, or a few calls made for it."""
        key = request.dataset, request.model
        if key not in self._seconds_per_call:
            self._seconds_per_call[key] = measure_seconds_per_call(request)
        return self._seconds_per_call[key]

    def start(self, request: ResolvedRequest, owner: str) -> str:
        """Queue a request for a visitor; returns the id of its job. Raises RequestError if the queue is full."""
        job_id = self._executor.submit(request, owner=owner)
        with self._parts_lock:
            self._started[request] = job_id
            while len(self._started) > KEPT_PARTS:
                self._started.pop(next(iter(self._started)))
        return job_id

    def score(self, scoring: Scoring, owner: str) -> str:
        """Queue a scoring for a visitor; returns the id of its job. What it gives will stand in `scored`."""
        return self._executor.submit(scoring, owner=owner)

    def is_under_way(self, request: ResolvedRequest) -> bool:
        """Whether a run of this very request goes on."""
        with self._parts_lock:
            job_id = self._started.get(request)
        try:
            return job_id is not None and not self.job(job_id).finished
        except RequestError:  # it ended long ago
            return False

    def job(self, job_id: str) -> Job:
        """How a job stands."""
        job = self._executor.status(job_id)
        if job.finished:
            with self._parts_lock:
                self._parts.pop(job_id, None)
        return job

    def cancel(self, job_id: str, owner: str) -> None:
        """Take a visitor's request back."""
        self._executor.cancel(job_id, owner=owner)

    def arrived(self, job: Job, request: ResolvedRequest) -> Shown | None:
        """What has arrived of a request's run, None before its first window is there."""
        ensemble = arriving(job)
        if ensemble is None:
            return None
        shape = ensemble.block_shape
        with self._parts_lock:
            known = self._parts.get(job.id)
        if known is not None and known[0] == shape:
            return known[1]
        origin: Origin = "cancelled" if job.status == "cancelled" else "arriving"
        part = Shown(self._summary(request, self.engine.partial_forecast(request, ensemble)), origin)
        if not job.finished:
            with self._parts_lock:
                self._parts[job.id] = shape, part
                self._parts.move_to_end(job.id)
                while len(self._parts) > KEPT_PARTS:
                    self._parts.popitem(last=False)
        return part

    def _work(self, asked: ResolvedRequest | Scoring, cancelled: Callable[[], bool]) -> Generator[Progress, None, None]:
        if isinstance(asked, Scoring):
            return self._score(asked, cancelled)
        return self._forecast(asked, cancelled)

    def _score(self, scoring: Scoring, cancelled: Callable[[], bool]) -> Generator[Progress, None, None]:
        """Run the forecasts of a scoring and keep their scores."""
        run = partial(self._run, cache=default_cache(), cancelled=cancelled)
        self.scored[scoring] = yield from score_all(scoring, run)
        while len(self.scored) > KEPT_SCORINGS:
            self.scored.popitem(last=False)

    def _forecast(self, request: ResolvedRequest, cancelled: Callable[[], bool]) -> Generator[Progress, None, None]:
        """Run a request and keep what the page shows of it."""
        steps, meter = self._run(request, cache=default_cache(), cancelled=cancelled), Meter()
        reached: Progress | None = None
        while True:
            try:
                reached = meter.next(steps)
                yield reached
            except StopIteration as finished:
                result = finished.value
                break
            except (Cancelled, GeneratorExit):  # the latter may also be a run that is put away, to go on later
                if cancelled():
                    self._remember(request, "cancelled", meter, 0 if reached is None else reached.members_done)
                raise
        summary = self._summary(request, result)
        summary.maps(variables_of(request.dataset)[0])  # what is shown first is made here, off the script thread
        self.awaits_baselines(summary)  # and starts them
        if meter.seconds_per_call is not None:
            self._seconds_per_call[request.dataset, request.model] = meter.seconds_per_call
        if not self.finished.requests():
            spare_the_collector()  # the first forecast has loaded what the later ones need
        origin: Literal["computed", "stored"] = "computed" if meter.calls else "stored"
        self.finished.put(request, Shown(summary, origin, meter.seconds))
        self._remember(request, origin, meter, request.members, summary)

    def _remember(
        self, request: ResolvedRequest, outcome: Outcome, meter: "Meter", arrived: int, summary: Summary | None = None
    ) -> None:
        """Write a run that has ended into the history; whatever fails there, the forecast is not lost for it."""
        try:
            self.history.add(
                Ended(
                    request,
                    outcome,
                    seconds=meter.seconds,
                    calls=meter.calls,
                    arrived=arrived,
                    device=device_name() if meter.calls else "",
                    date=date_in_link(request),
                    scores=None if summary is None else headline(summary, variables_of(request.dataset)[0]),
                )
            )
        except Exception:
            log.exception("A run could not be written into the history")

    def _summary(self, request: ResolvedRequest, result: "xr.Dataset") -> Summary:
        truth, static = self.engine.truth(request), self.engine.static_fields(request)
        dataset = get_dataset(request.dataset)
        background = self.engine.background_fields(request) if dataset.calendar is not None else None
        there = slice(0, result.sizes["lead"])
        return summarise(
            result,
            truth.isel(lead=there),
            static,
            dataset,
            None if background is None else background.isel(lead=there),
        )


class Meter:
    """Notes how long the steps of a run took, without the time that others had in between, and what they computed."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = self._total = 0
        self._computing = 0.0

    def next(self, steps: Iterator[Progress]) -> Progress:
        """The next step. Raises what the run raises, StopIteration at its end."""
        began = time.perf_counter()
        try:
            reached = next(steps)
        finally:
            took = time.perf_counter() - began
            self.seconds += took
        calls = reached.calls_done - reached.calls_stored
        if calls > self.calls:  # not a step that took what was stored
            self._computing += took
        self.calls, self._total = calls, reached.calls_total
        return reached

    @property
    def seconds_per_call(self) -> float | None:
        """Of one member; None where less than half was computed, for then reading and writing count for too much."""
        return self._computing / self.calls if 2 * self.calls > self._total else None


def arriving(job: Job) -> GrowingEnsemble | None:
    """What has arrived of a job, once it is more than nothing."""
    ensemble = None if job.progress is None else job.progress.ensemble
    return ensemble if ensemble is not None and min(ensemble.block_shape) > 0 else None


def _trajectory(asked: ResolvedRequest | Scoring) -> ResolvedRequest | Scoring:
    """What requests have in common whose members walk the same way: of two such, one finds stored what they share."""
    if isinstance(asked, Scoring):
        return asked
    return replace(asked, members=1, steps=1, refine=False, output_leads=())


def run_of(summary: Summary) -> Run:
    """The run that a forecast started from."""
    dataset = get_dataset(summary.dataset)
    return load_run(dataset, parse_initial_condition(json.loads(summary.request)["init"], dataset).run)


def _score_baselines(dataset: Dataset, start: InitialCondition, steps: int) -> "xr.Dataset | None":
    """Scores of the baselines from one frame of a record; None where it has no training years."""
    from engine.record_evaluation import record_baselines

    try:
        return record_baselines(dataset, load_run(dataset, start.run), [start.frame], steps)
    except EngineError as error:
        log.warning("%s", error)
        return None


def _threshold(summary: Summary, variable: Variable) -> np.ndarray:
    """The threshold of a variable at every time, (frame, y, x)."""
    asked = variable.threshold
    assert asked is not None
    if asked.kind == "temperature":
        return np.full((len(summary.times), *summary.solid.shape), asked.value, np.float32)
    dataset, run = get_dataset(summary.dataset), run_of(summary)
    return np.stack([seasonal_percentile(dataset, run, float(time), asked.value)[0] for time in summary.times])


def spare_the_collector() -> None:
    """Take all objects that are there, modules above all, out of garbage collection.

    Streamlit collects garbage after every run of the script, also of a fragment that looks twice a second how a job
    stands; with the modules of torch and xarray that takes a quarter of a second, in which nothing else goes on.
    """
    gc.collect()
    gc.freeze()


def run_apart() -> "Callable[..., Generator[Progress, None, xr.Dataset]]":
    """The engine's `run` in a process of its own, where there can be one."""
    if not hasattr(os, "posix_fallocate"):  # macOS and Windows
        return forecasting.run
    process = ComputingProcess()
    process.start()
    return process.run


def complaint(job: Job) -> str | None:
    """Why a job failed, for the person who asked; what nobody foresaw goes to the log."""
    if job.status != "failed":
        return None
    if isinstance(job.error, EngineError):
        return str(job.error)
    if isinstance(job.error, MemoryError):
        return "The forecast did not fit into memory: ask for fewer members or a shorter horizon."
    log.error("A run failed", exc_info=job.error)
    return "The run failed for a reason that was not foreseen; the log of the server has the details."
