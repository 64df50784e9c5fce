"""The one orchestrator: from a request to an ensemble forecast, window by window and member by member."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import xarray as xr

from engine import member_windows
from engine.datasets import Run, get_dataset
from engine.datasets.base import load_run, parse_initial_condition
from engine.ensemble_walk import EnsembleWalk
from engine.growing import Allocate, GrowingEnsemble, in_memory
from engine.loading import load_pair
from engine.member_windows import Plan, Store
from engine.requests import (
    ForecastRequest,
    ResolvedRequest,
    calls_per_member,
    card_of,
    output_leads,
    resolve,
    resolved,
    schedule_of,
    window_calls,
)
from engine.results import background_dataset, forecast_dataset, static_dataset, threshold_dataset, truth_dataset

__all__ = [
    "ForecastRequest",
    "Progress",
    "background_fields",
    "calls_per_member",
    "calls_to_make",
    "forecast",
    "forecast_from",
    "output_leads",
    "partial_forecast",
    "plan_of",
    "resolve",
    "run",
    "run_from",
    "static_fields",
    "threshold_fields",
    "truth",
    "truth_from",
    "window_calls",
    "window_keys",
]


@dataclass(frozen=True)
class Progress:
    """How far a forecast has come; calls are network calls of single members.

    calls_stored: those of `calls_done` that were not made, their results being stored. ensemble: what has arrived.
    """

    members_done: int
    members: int
    window: int
    windows: int
    calls_done: int
    calls_total: int
    calls_stored: int = 0
    ensemble: GrowingEnsemble | None = field(default=None, repr=False, compare=False)


def forecast(
    request: ForecastRequest,
    *,
    cache: Store | None = None,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> xr.Dataset:
    """Run a request to its end.

    Returns dims (member, lead, y, x), one float32 variable per channel with its units; `lead` counts data steps
    from the initial condition, which stands beside as `<variable>_init`. With a cache, finished member windows
    are stored and reused. Raises RequestError, DataError or CheckpointError in one sentence; Cancelled where
    `cancelled()` turns true, which is asked before every network call.
    """
    resolved = resolve(request)
    return forecast_from(
        *_initial_condition(resolved),
        resolved,
        cache=cache,
        device=device,
        progress=progress,
        cancelled=cancelled,
    )


def forecast_from(
    trajectory: Run,
    frame: int,
    request: ForecastRequest,
    *,
    cache: Store | None = None,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> xr.Dataset:
    """`forecast` from a frame of any run, bundled or not; the request's init is not looked at."""
    steps = run_from(trajectory, frame, request, cache=cache, device=device, cancelled=cancelled)
    while True:
        try:
            reached = next(steps)
        except StopIteration as finished:
            return finished.value
        if progress is not None:
            progress(reached)


def run(
    request: ForecastRequest,
    *,
    cache: Store | None = None,
    device: str = "auto",
    cancelled: Callable[[], bool] | None = None,
    allocate: Allocate = in_memory,
) -> Generator[Progress, None, xr.Dataset]:
    """`forecast` as a generator: yields Progress after every sampling step and returns the data set.

    The first members come first, each through all of its windows; `Progress.ensemble` has what has arrived, in the
    float32 array of a shape that `allocate` makes.
    """
    asked = resolve(request)
    start = _initial_condition(asked)
    return (yield from run_from(*start, asked, cache=cache, device=device, cancelled=cancelled, allocate=allocate))


def run_from(
    trajectory: Run,
    frame: int,
    request: ForecastRequest,
    *,
    cache: Store | None = None,
    device: str = "auto",
    cancelled: Callable[[], bool] | None = None,
    allocate: Allocate = in_memory,
) -> Generator[Progress, None, xr.Dataset]:
    """`run` from a frame of any run, bundled or not."""
    request = resolve(request)
    plan = _plan(request, trajectory, frame)
    walk = EnsembleWalk(plan, load_pair(request.model, device, request.precision), cache, cancelled, allocate)
    for _ in walk.advance():
        yield Progress(
            walk.members_done,
            request.members,
            walk.window,
            plan.windows,
            walk.calls_done,
            walk.calls_total,
            walk.calls_stored,
            walk.ensemble,
        )
    return forecast_dataset(request, plan.dataset, trajectory, frame, walk.ensemble.states)


def partial_forecast(request: ResolvedRequest, ensemble: GrowingEnsemble) -> xr.Dataset:
    """What has arrived of a forecast, as `forecast` returns it; while it is under way with fewer members or leads."""
    plan = plan_of(request)
    return forecast_dataset(request, plan.dataset, plan.run, plan.frame, ensemble.block())


def truth(request: ForecastRequest) -> xr.Dataset:
    """What really happened, at the request's leads, dims (lead, y, x); NaN where nothing is known."""
    asked = resolved(request)
    return truth_from(*_initial_condition(asked), asked)


def truth_from(trajectory: Run, frame: int, request: ForecastRequest) -> xr.Dataset:
    """`truth` from a frame of any run."""
    asked = resolved(request)
    return truth_dataset(asked, get_dataset(asked.dataset), trajectory, frame)


def static_fields(request: ForecastRequest) -> xr.Dataset:
    """Static fields (y, x) of the request's run, and `scored`: the cells that count in scores."""
    asked = resolved(request)
    return static_dataset(_initial_condition(asked)[0], get_dataset(asked.dataset))


def background_fields(request: ForecastRequest) -> xr.Dataset:
    """The climatology that networks see departures from: (lead, y, x), its scale (y, x), attrs["baseline"]."""
    asked = resolved(request)
    run, frame = _initial_condition(asked)
    background = load_pair(asked.model, "auto", asked.precision).background_of(run)
    return background_dataset(asked, get_dataset(asked.dataset), run, frame, background)


def threshold_fields(request: ForecastRequest, percentile: float = 90.0) -> xr.Dataset:
    """The seasonal percentile of the baseline years at the request's leads: the threshold of a marine heatwave.

    Named like the channels, dims (lead, y, x), and `<variable>_init` (y, x) at the initial condition.
    """
    asked = resolved(request)
    dataset = get_dataset(asked.dataset)
    run, frame = _initial_condition(asked)
    return threshold_dataset(asked, dataset, run, frame, percentile)


def calls_to_make(request: ForecastRequest, cache: Store) -> int:
    """Network calls of single members that a request still needs, given what is stored."""
    return member_windows.calls_to_make(plan_of(resolved(request)), cache)


def window_keys(request: ForecastRequest) -> frozenset[str]:
    """All keys under which a store holds what the forecast of a request computes."""
    return member_windows.window_keys(plan_of(resolved(request)))


def plan_of(request: ResolvedRequest) -> Plan:
    """The request with all that it names looked up."""
    return _plan(request, *_initial_condition(request))


def _plan(request: ResolvedRequest, trajectory: Run, frame: int) -> Plan:
    card = card_of(request)
    return Plan(request, get_dataset(request.dataset), card, schedule_of(request, card), trajectory, frame)


def _initial_condition(request: ResolvedRequest) -> tuple[Run, int]:
    dataset = get_dataset(request.dataset)
    condition = parse_initial_condition(request.init, dataset)
    return load_run(dataset, condition.run), condition.frame
