"""What outlives a rerun of the page: the backend shared by all, and this visitor's own state."""

import time
import uuid
from dataclasses import dataclass, field, replace

import numpy as np
import streamlit as st

from app.backend import Backend, Shown, arriving, complaint
from app.link import request_from_query, request_to_query
from app.summary import Summary
from engine.datasets.base import OWN
from engine.errors import EngineError, RequestError
from engine.jobs import Job
from engine.requests import ResolvedRequest

SECONDS_BETWEEN_PARTS = 1.0  # of a run under way: each redraws the page


@st.cache_resource(show_spinner=False)
def backend() -> Backend:
    """The one backend of this process."""
    return Backend()


@dataclass
class Visit:
    """One visitor: the request of every data set seen, the job under way, and the forecasts shown last.

    begun: data sets whose first forecast started by itself. arrived: members and leads shown of the run under way, and
    when the page was last drawn for it.
    """

    dataset: str
    requests: dict[str, ResolvedRequest]
    problems: list[str]
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    run: str | None = None
    running: ResolvedRequest | None = None
    shown: dict[str, Shown] = field(default_factory=dict)
    cells: dict[str, int] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    arrived: tuple[tuple[int, int], float] = ((0, 0), 0.0)


def visit() -> Visit:
    """This visitor; at first, what the link says."""
    if "visit" not in st.session_state:
        query = st.query_params.to_dict()
        request, problems = request_from_query(query, backend().resolve, backend().first_request)
        st.session_state["visit"] = Visit(request.dataset, {request.dataset: request}, problems)
    here: Visit = st.session_state["visit"]
    return here


def request_of(dataset: str) -> ResolvedRequest:
    """The request last made for a data set, its defaults at first."""
    requests = visit().requests
    if dataset not in requests or not requests[dataset].model:  # its data or its model may have come since
        requests[dataset] = defaults(dataset)
    return requests[dataset]


def defaults(dataset: str, model: str | None = None) -> ResolvedRequest:
    """What is asked for by default, of the data set's first model or of another."""
    query = {"dataset": dataset} | ({"model": model} if model else {})
    return request_from_query(query, backend().resolve, backend().first_request)[0]


def starts_from_an_own_field(dataset: str) -> bool:
    """Whether the request of a data set starts from a person's own field: it needs no data of the data set."""
    request = visit().requests.get(dataset)
    return request is not None and str(request.init).startswith(OWN)


def look_at(dataset: str) -> None:
    """Turn to a data set whose data are not there: there is nothing to keep but its name."""
    here = visit()
    here.dataset, here.problems = dataset, []
    if st.query_params.to_dict() != {"dataset": dataset}:
        st.query_params.from_dict({"dataset": dataset})


def keep(request: ResolvedRequest) -> None:
    """Remember a request and write it into the link; a new one makes old complaints pointless."""
    here = visit()
    if request != here.requests.get(request.dataset) or request.dataset != here.dataset:
        here.problems = []
    here.dataset = request.dataset
    here.requests[request.dataset] = request
    query = request_to_query(request, defaults(request.dataset), defaults(request.dataset, request.model))
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def shown(dataset: str, request: ResolvedRequest | None) -> Shown | None:
    """What arrives of the run under way, else the forecast of this very request if it is at hand, else the last one
    shown, else the example.
    """
    here = visit()
    part = _part(dataset)
    if part is not None:
        return part
    found = backend().finished.get(request) if request else None
    if found is not None:
        here.shown[dataset] = found
    return here.shown.get(dataset) or backend().example(dataset)


def _part(dataset: str) -> Shown | None:
    """What has arrived of the run under way, where it is one of the data set."""
    here = visit()
    if here.running is None or here.running.dataset != dataset:
        return None
    job = look()
    ensemble = None if job is None else arriving(job)
    if job is None or ensemble is None:
        return None
    shape = ensemble.block_shape
    try:
        part = backend().arrived(job, here.running)
    except EngineError:  # what has arrived cannot be shown; the run goes on, and its end is
        part = None
    here.arrived = shape, time.monotonic()
    return part


# -- the run ---------------------------------------------------------------------------------------------


def has_more(job: Job, dataset: str) -> bool:
    """Whether more has arrived of this visitor's job than the page of a data set shows, a while ago at least."""
    here, ensemble = visit(), arriving(job)
    if ensemble is None or here.running is None or here.running.dataset != dataset:
        return False
    shown, when = here.arrived
    return ensemble.block_shape != shown and time.monotonic() - when >= SECONDS_BETWEEN_PARTS


def start(request: ResolvedRequest) -> None:
    """Run a request, unless its forecast is at hand already."""
    here = visit()
    here.problems = []
    if backend().finished.get(request) is None:
        try:
            here.run, here.running = backend().start(request, here.owner), request
            here.arrived = (0, 0), 0.0
        except EngineError as error:
            here.problems = [str(error)]


def look() -> Job | None:
    """How this visitor's job stands; None where there is none."""
    here = visit()
    try:
        return backend().job(here.run) if here.run is not None else None
    except RequestError:  # long finished, or the server was started anew
        here.run = here.running = None
        return None


def cancel() -> None:
    """Take this visitor's request back; what has arrived of it stays on the page, and says so."""
    here = visit()
    run, running = here.run, here.running
    if run is None or running is None:
        return
    backend().cancel(run, here.owner)
    part = _part(running.dataset)
    if part is not None:
        here.shown[running.dataset] = replace(part, origin="cancelled")
    here.run = here.running = None


def collect(job: Job) -> None:
    """Take over what the finished job gave, or its complaint."""
    here = visit()
    found = backend().finished.get(here.running) if here.running is not None else None
    if found is not None and here.running is not None:
        here.shown[here.running.dataset] = found
    problem = complaint(job)
    here.problems = [problem] if problem else []
    here.run = here.running = None


# -- the place looked at -----------------------------------------------------------------------------------


def cell_of(summary: Summary) -> int:
    """The cell whose fan chart is shown, an index into the flattened grid; at first a free one near the middle."""
    cells, free = visit().cells, ~summary.solid
    cell = cells.get(summary.dataset)
    if cell is None or cell >= free.size or not free.flat[cell]:
        rows, columns = np.indices(free.shape)
        away = np.hypot(rows - free.shape[0] // 2, columns - free.shape[1] // 2)
        cells[summary.dataset] = int(np.where(free, away, np.inf).argmin())
    return cells[summary.dataset]
