"""How fast the engine is: its forecasts against this machine's convolution peak and against a plain loop."""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from engine.cache import ArrayCache
from engine.checkpoint import NetworkCard, load_checkpoint
from engine.errors import RequestError
from engine.forecasting import forecast, plan_of, run
from engine.loading import load_pair
from engine.member_windows import Plan
from engine.models import build_network, channels_last
from engine.models.cost import call_flops
from engine.models.dynamics import Network, OutputForm, make_interpolator
from engine.models.layers import Dropout
from engine.noise import MemberNoise, parse_coupling
from engine.requests import (
    PRECISIONS,
    ForecastRequest,
    ResolvedRequest,
    calls_per_member,
    resolve,
)
from engine.window import Pair, WindowSetting, bind

PEAK_SHAPES = ((8, 64, 64, 64), (16, 96, 21, 111), (8, 128, 32, 64), (16, 256, 16, 32), (4, 64, 128, 128))
"""(batch, channels, y, x) of the 3 × 3 convolutions tried; the fastest is the peak."""

TOLERANCE = 1e-4
"""Of the engine's fp32 states and the plain loop's, relative and in standard deviations of the channel."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Calls:
    """Network calls of one member in a whole forecast, and operations per call."""

    forecaster: int
    interpolator: int
    forecaster_flops: int
    interpolator_flops: int

    @property
    def flops(self) -> int:
        """Operations of one member in the whole forecast."""
        return self.forecaster * self.forecaster_flops + self.interpolator * self.interpolator_flops


@dataclass(frozen=True)
class Comparison:
    """A few members by the engine and by the plain loop, which is fp32 throughout.

    engine_seconds: by precision. `difference` is the largest one between their fp32 states, relative to the standard
    deviation of the channel; `agree` says whether they are the same but for rounding.
    """

    members: int
    engine_seconds: dict[str, float]
    plain_seconds: float
    flops: int
    difference: float
    agree: bool

    @property
    def plain_flops_per_second(self) -> float:
        """Operations per second that the plain loop reached."""
        return self.flops / self.plain_seconds

    def ratio(self, precision: str) -> float:
        """How many times as fast as the plain loop the engine was."""
        return self.plain_seconds / self.engine_seconds[precision]

    def flops_per_second(self, precision: str) -> float:
        """Operations per second that the engine reached."""
        return self.flops / self.engine_seconds[precision]


@dataclass(frozen=True)
class Report:
    """One forecast, measured: seconds on the wall and of all processor cores, the process's peak memory so far.

    first_seconds: until the first members had their first window. stored_seconds: of the same forecast out of the
    store. Cores × `seconds` much above `cpu_seconds` tells of a machine busy with something else. Memory in bytes.
    """

    request: ResolvedRequest
    seconds: float
    first_seconds: float
    stored_seconds: float
    cpu_seconds: float
    calls: Calls
    peak_memory: int
    comparison: Comparison

    @property
    def flops_per_second(self) -> float:
        """Operations per second that the forecast reached, with all that is not a network in its time."""
        return self.request.members * self.calls.flops / self.seconds


def convolution_peak(precision: str, *, device: str = "cpu", repeats: int = 5) -> float:
    """Return the most operations per second that a channels-last 3 × 3 convolution reaches here.

    `precision` is a key of `PRECISIONS`; each of `PEAK_SHAPES` is timed `repeats` times and the best counts.
    """
    return max(_convolution_speed(shape, PRECISIONS[precision], device, repeats) for shape in PEAK_SHAPES)


def measure(request: ForecastRequest, *, device: str = "cpu", plain_members: int = 4) -> Report:
    """Run a request without stored windows and with them, then compare `plain_members` of it with the plain loop.

    Raises RequestError, DataError or CheckpointError as `forecast` does.
    """
    if plain_members < 1:
        raise RequestError(f"The plain loop has {plain_members} members: give at least 1.")
    resolved = resolve(request)
    _warm_up(resolved, device)
    cpu_begin = time.process_time()
    seconds, first_seconds = _timed(lambda: _first_window(resolved, device), device)
    cpu_seconds = time.process_time() - cpu_begin
    peak_memory = _peak_memory()
    stored_seconds = _seconds_from_store(resolved, device)
    comparison = compare(resolved, device=device, members=min(plain_members, resolved.members))
    calls = count_calls(resolved)
    return Report(resolved, seconds, first_seconds, stored_seconds, cpu_seconds, calls, peak_memory, comparison)


def members_table(
    request: ForecastRequest, members: Sequence[int], *, device: str = "cpu"
) -> list[tuple[int, int, float]]:
    """Time a request with different numbers of members, over half of its steps and all: (members, steps, seconds)."""
    resolved = resolve(request)
    _warm_up(resolved, device)
    table = []
    for steps in (max(1, resolved.steps // 2), resolved.steps):
        for count in members:
            asked = replace(resolved, members=count, steps=steps)
            table.append((count, steps, _timed(partial(forecast, asked, device=device), device)[0]))
    return table


def compare(
    request: ResolvedRequest, *, device: str = "cpu", members: int, precisions: Sequence[str] = ("fp32", "bf16")
) -> Comparison:
    """Run the plain loop beside the engine, on the same weights and noise; the outputs are compared in fp32.

    The plain loop knows only the cold solver that ends on F alone, so both are asked for that.
    """
    exact = replace(request, members=members, solver="cold", last_step="forecast", precision="fp32")
    plan, pair = plan_of(exact), plain_pair(exact.model, device=device)
    _warm_up(exact, device)
    plain_seconds, plain = _timed(lambda: plain_forecast(plan, pair), device)
    engine_seconds = {}
    for precision in precisions:
        asked = replace(exact, precision=precision)
        _warm_up(asked, device)
        engine_seconds[precision], result = _timed(partial(forecast, asked, device=device), device)
        if precision == "fp32":
            states = np.stack([result[channel.name].values for channel in plan.dataset.channels], axis=2)
    scale = np.nanstd(states, axis=(0, 1, 3, 4), keepdims=True)  # land has no values
    agree = bool(np.allclose(plain / scale, states / scale, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True))
    difference = float(np.nanmax(abs(plain - states) / scale))
    flops = members * count_calls(exact).flops
    return Comparison(members, engine_seconds, plain_seconds, flops, difference, agree)


def count_calls(request: ResolvedRequest) -> Calls:
    """Count the network calls of one member and what each costs."""
    plan = plan_of(request)
    steps = len(plan.schedule)
    forecaster = plan.windows * (2 * steps - 1 if request.solver == "heun" else steps)
    y, x = plan.dataset.axes
    grid = (len(y.values), len(x.values))
    return Calls(
        forecaster=forecaster,
        interpolator=calls_per_member(request) - forecaster,
        forecaster_flops=call_flops(plan.card.forecaster, grid),
        interpolator_flops=call_flops(plan.card.interpolator or plan.card.forecaster, grid),
    )


@torch.inference_mode()
def plain_forecast(plan: Plan, pair: Pair) -> np.ndarray:
    """Cold sampling as the paper states it, one network call after the other, without any shortcut.

    Returns states (member, lead, channel, y, x) at the plan's leads. Source: arXiv 2306.01984, Algorithm 2.
    """
    request, members, horizon = plan.request, tuple(range(plan.request.members)), float(plan.schedule.horizon)
    start = torch.from_numpy(plan.run.states[plan.frame]).to(pair.device)
    static = torch.from_numpy(plan.run.static).to(pair.device)
    x = start.expand(len(members), *start.shape)
    scaling = pair.scaling_of(plan.run)
    delivered = []
    for window in range(plan.windows):
        setting = WindowSetting(x, static, start, plan.start_time(window), scaling)
        noise = MemberNoise(request.seed, members, window, plan.data_digest)
        forecaster, interpolator = bind(pair, setting, noise, parse_coupling(request.noise))
        landed: dict[float, Tensor] = {}
        for i, i_next in pairwise((*plan.schedule.leads, horizon)):
            x_h = forecaster(x, i)
            x = x_h if i_next == horizon else x - interpolator(x_h, i) + interpolator(x_h, i_next)
            landed[i_next] = x
        kept = {horizon: x} if request.refine else landed
        for lead in plan.window_leads(window):
            delivered.append(kept[lead] if lead in kept else interpolator(x_h, lead))
    return torch.stack(delivered, dim=1).cpu().numpy()


def plain_pair(model: str, *, device: str = "cpu") -> Pair:
    """Return the checkpoint's networks as they are defined: fp32, channels first, nothing fused."""
    pair, checkpoint = load_pair(model, device, "fp32"), load_checkpoint(model)
    network = _plain_network(checkpoint.card.forecaster, checkpoint.forecaster, pair.device)
    forecaster, spec = replace(pair.forecaster, network=network), checkpoint.card.interpolator
    between = None if spec is None else _plain_network(spec, checkpoint.interpolator, pair.device)
    form = OutputForm(checkpoint.card.output_form)
    interpolator = make_interpolator(between, forecaster, form, beside=checkpoint.card.side_inputs)
    return replace(pair, forecaster=forecaster, interpolator=interpolator)


def _plain_network(card: NetworkCard, weights: dict[str, Tensor], device: torch.device) -> Network:
    network = build_network(card.family, card.config)
    network.load_state_dict(weights)
    network.eval().to(device)

    def call(x: Tensor, lead: Tensor, dropout: Dropout | None) -> Tensor:
        return network(x.contiguous(), lead, dropout)

    return call


@torch.inference_mode()
def _convolution_speed(shape: tuple[int, int, int, int], dtype: torch.dtype, device: str, repeats: int) -> float:
    batch, channels, y, x = shape
    conv = channels_last(nn.Conv2d(channels, channels, 3, padding=1).to(device, dtype))
    field = torch.randn(shape).to(device=device, dtype=dtype, memory_format=torch.channels_last)
    conv(field)  # the first call also chooses the algorithm
    fastest = min(_timed(lambda: conv(field), device)[0] for _ in range(repeats))
    return 2 * batch * y * x * 9 * channels**2 / fastest


def _warm_up(request: ResolvedRequest, device: str) -> None:
    """Read the weights and call each network: what only the first forecast of a process pays is not timed."""
    forecast(replace(request, members=1, steps=1), device=device)


def _first_window(request: ResolvedRequest, device: str) -> float:
    """Run a request to its end; returns after how many seconds its first members had their first window."""
    begin, first = time.perf_counter(), 0.0
    for reached in run(request, device=device):
        if not first and reached.ensemble is not None and min(reached.ensemble.block_shape):
            first = time.perf_counter() - begin
    return first


def _seconds_from_store(request: ResolvedRequest, device: str) -> float:
    """Seconds that a forecast takes out of a store on disk, all of whose windows are there."""
    with tempfile.TemporaryDirectory() as folder:
        store = ArrayCache(Path(folder))
        forecast(request, cache=store, device=device)
        return _timed(lambda: forecast(request, cache=store, device=device), device)[0]


def _timed(call: Callable[[], _T], device: str) -> tuple[float, _T]:
    """Return the wall seconds of a call, work queued on an accelerator included, and its result."""
    _synchronise(device)
    begin = time.perf_counter()
    result = call()
    _synchronise(device)
    return time.perf_counter() - begin, result


def _synchronise(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _peak_memory() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
