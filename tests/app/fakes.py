"""An engine without networks: persistence plus noise that grows with lead time, in the engine's exact result form."""

import json
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import xarray as xr

from app.summary import Summary, summarise
from engine.cache import ArrayCache
from engine.datasets import DATASETS, get_dataset
from engine.datasets.base import parse_initial_condition
from engine.errors import Cancelled, RequestError
from engine.forecasting import Progress
from engine.growing import GrowingEnsemble
from engine.requests import ForecastRequest, ResolvedRequest
from engine.results import background_dataset
from engine.sampling import SOLVERS
from engine.schedules import parse_schedule

DEFAULTS = {
    "model": "fake",
    "members": 8,
    "schedule": "stride4",
    "solver": "cold",
    "last_step": "forecast",
    "noise": "independent",
    "refine": True,
    "precision": "fp32",
}
MOST_STEPS = 10_000
BUNDLED = tuple(name for name in DATASETS if name != "sst-daily")
"""The data sets whose data come with the project."""


def forecast_summary(dataset: str, init: str | int, *, steps: int, members: int) -> Summary:
    """A forecast of the engine without networks, summed up as the page does it."""
    engine, found = FakeEngine(), get_dataset(dataset)
    request = engine.resolve(ForecastRequest(dataset=dataset, init=init, steps=steps, members=members))
    request = replace(request, init=str(parse_initial_condition(request.init, found)))
    result = engine.forecast(request)
    background = engine.background_fields(request) if found.calendar is not None else None
    return summarise(result, engine.truth(request), engine.static_fields(request), found, background)


def _fill(ensemble: GrowingEnsemble, states: np.ndarray, members: range, leads: range) -> None:
    ensemble.room(members, leads)[:] = states[members.start : members.stop, leads.start : leads.stop]
    ensemble.arrived(members, leads)


@dataclass
class FakeEngine:
    """Counts the forecasts it makes; `pause` seconds pass at every tenth of one, `failure` is raised instead.

    arrives: whether what has arrived can be seen before the end.
    """

    pause: float = 0.0
    arrives: bool = False
    failure: Exception | None = None
    forecasts: int = 0

    def resolve(self, request: ForecastRequest) -> ResolvedRequest:
        dataset = get_dataset(request.dataset)
        defaults = {**DEFAULTS, "steps": dataset.default_steps if dataset.calendar else dataset.horizon}
        given = {item.name: getattr(request, item.name) for item in fields(ForecastRequest)}
        filled = ResolvedRequest(**(given | {name: defaults[name] for name in defaults if given[name] is None}))
        parse_schedule(filled.schedule, horizon=dataset.horizon)
        parse_initial_condition(filled.init, dataset)
        for name, least in (("steps", 1), ("members", 1), ("seed", 0)):
            if getattr(filled, name) < least:
                raise RequestError(f"{name} is {getattr(filled, name)}: give a number of at least {least}.")
        if filled.solver not in SOLVERS:
            raise RequestError(f"There is no solver {filled.solver!r}.")
        if filled.steps > MOST_STEPS:
            raise RequestError(f"{filled.steps} steps do not fit into memory: ask for a shorter horizon.")
        return filled

    def run(
        self,
        request: ResolvedRequest,
        *,
        cache: ArrayCache | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[Progress, None, xr.Dataset]:
        """Members come in tenths; the first of them after a first window of half the leads."""
        self.forecasts += 1
        result = self._result(request)
        states = np.stack([result[channel.name].values for channel in get_dataset(request.dataset).channels], axis=2)
        ensemble, half = (
            GrowingEnsemble(request.members, result["lead"].values.tolist(), states.shape[2:]),
            request.steps // 2,
        )
        for tenth in range(10):
            time.sleep(self.pause)
            done = request.members * (tenth + 1) // 10
            if self.arrives and tenth == 0:
                _fill(ensemble, states, range(max(1, done)), range(half))
            elif self.arrives:
                _fill(ensemble, states, range(done), range(request.steps))
            yield Progress(done, request.members, tenth, 10, 3 * tenth + 3, 30, ensemble=ensemble)
            if cancelled():
                raise Cancelled("The forecast was cancelled.")
        if self.failure is not None:
            raise self.failure
        return result

    def partial_forecast(self, request: ResolvedRequest, ensemble: GrowingEnsemble) -> xr.Dataset:
        members, leads = ensemble.block_shape
        return self._result(request).isel(member=slice(0, members), lead=slice(0, leads))

    def forecast(self, request: ResolvedRequest) -> xr.Dataset:
        return self._result(request)

    def truth(self, request: ResolvedRequest) -> xr.Dataset:
        dataset = get_dataset(request.dataset)
        start = parse_initial_condition(request.init, dataset)
        run = dataset.load(start.run)
        states = np.full((request.steps, *run.states.shape[1:]), np.nan, np.float32)
        known = run.states[start.frame + 1 : start.frame + 1 + request.steps]
        states[: len(known)] = known
        dims = ("lead", *(axis.name for axis in dataset.axes))
        return xr.Dataset(
            {channel.name: (dims, states[:, index]) for index, channel in enumerate(dataset.channels)},
            self._coordinates(request),
        )

    def static_fields(self, request: ResolvedRequest) -> xr.Dataset:
        dataset = get_dataset(request.dataset)
        run = dataset.load(parse_initial_condition(request.init, dataset).run)
        dims = tuple(axis.name for axis in dataset.axes)
        fields = {name: (dims, run.static[index]) for index, name in enumerate(dataset.static_channels)}
        return xr.Dataset({**fields, "scored": (dims, dataset.scored(run))})

    def background_fields(self, request: ResolvedRequest) -> xr.Dataset:
        dataset = get_dataset(request.dataset)
        start = parse_initial_condition(request.init, dataset)
        run = dataset.load(start.run)
        return background_dataset(request, dataset, run, start.frame, dataset.background(run))

    def calls_per_member(self, request: ResolvedRequest) -> int:
        return 30

    def calls_to_make(self, request: ResolvedRequest, cache: ArrayCache) -> int:
        return 30 * request.members

    def window_keys(self, request: ResolvedRequest) -> frozenset[str]:
        return frozenset()

    def _result(self, request: ResolvedRequest) -> xr.Dataset:
        dataset = get_dataset(request.dataset)
        start = parse_initial_condition(request.init, dataset)
        run = dataset.load(start.run)
        initial = run.states[start.frame]
        random = np.random.default_rng(request.seed)
        growth = np.linspace(0.02, 0.3, request.steps)[:, None, None, None]
        scale = np.nanstd(run.states, axis=(0, 2, 3))[:, None, None]
        shape = (request.members, request.steps, *initial.shape)
        noise = random.standard_normal(shape).astype(np.float32) * growth * scale
        moving = run.states[np.minimum(start.frame + 1 + np.arange(request.steps), run.frames - 1)]
        members = (moving + noise * (dataset.scored(run))).astype(np.float32)
        dims = tuple(axis.name for axis in dataset.axes)
        result = xr.Dataset(
            {
                channel.name: (("member", "lead", *dims), members[:, :, index], {"units": channel.units})
                for index, channel in enumerate(dataset.channels)
            },
            self._coordinates(request),
            {"request": json.dumps(asdict(request))},
        )
        for index, channel in enumerate(dataset.channels):
            result[f"{channel.name}_init"] = (dims, initial[index])
        return result

    def _coordinates(self, request: ResolvedRequest) -> dict[str, object]:
        dataset = get_dataset(request.dataset)
        start = parse_initial_condition(request.init, dataset)
        leads = np.arange(1.0, request.steps + 1)
        times = dataset.load(start.run).times[start.frame] + np.array([0.0, *leads]) * dataset.time_step
        if dataset.calendar is not None:
            times = np.array([dataset.calendar.date(time) for time in times], "datetime64[ns]")
        return {
            "lead": ("lead", leads),
            "valid_time": ("lead", times[1:]),
            "init_time": ((), times[0]),
            **{axis.name: (axis.name, axis.values) for axis in dataset.axes},
        }
