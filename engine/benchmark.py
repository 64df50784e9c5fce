"""How fast the engine is: its forecasts against this machine's convolution peak and against a plain loop."""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from engine.checkpoint import NetworkCard, load_checkpoint
from engine.errors import RequestError
from engine.forecasting import forecast, plan_of
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
    """A few members of a forecast by the engine and by the plain loop.

    `difference` is the largest one between their fp32 states, in standard deviations of the channel; `agree`
    says whether they are the same but for rounding.
    """

    members: int
    engine_seconds: float
    plain_seconds: float
    difference: float
    agree: bool


@dataclass(frozen=True)
class Report:
    """One forecast, measured: seconds on the wall and of all processor cores, the process's peak memory so far.

    Cores × `seconds` much above `cpu_seconds` tells of a machine busy with something else. Memory in bytes.
    """

    request: ResolvedRequest
    seconds: float
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


def measure(request: ForecastRequest, *, device: str = "cpu", plain_members: int = 2) -> Report:
    """Run a request without stored windows, then compare `plain_members` of its members with the plain loop.

    Raises RequestError, DataError or CheckpointError as `forecast` does.
    """
    if plain_members < 1:
        raise RequestError(f"The plain loop has {plain_members} members: give at least 1.")
    resolved = resolve(request)
    load_pair(resolved.model, device, resolved.precision)  # reading the weights is not what is timed
    cpu_begin = time.process_time()
    seconds, _ = _timed(lambda: forecast(resolved, device=device), device)
    cpu_seconds = time.process_time() - cpu_begin
    peak_memory = _peak_memory()
    comparison = compare(resolved, device=device, members=min(plain_members, resolved.members))
    return Report(resolved, seconds, cpu_seconds, count_calls(resolved), peak_memory, comparison)


def compare(request: ResolvedRequest, *, device: str = "cpu", members: int) -> Comparison:
    """Run the plain loop beside the engine: at the request's precision for time, in fp32 for the numbers.

    The plain loop knows only the cold solver that ends on F alone, so both are asked for that.
    """
    same = replace(request, members=members, solver="cold", last_step="forecast")
    exact = replace(same, precision="fp32")
    plan, pair = plan_of(exact), plain_pair(exact.model, device=device)
    plain_seconds, plain = _timed(lambda: plain_forecast(plan, pair), device)
    engine_seconds, result = _timed(lambda: forecast(same, device=device), device)
    if same != exact:
        result = forecast(exact, device=device)
    states = np.stack([result[channel.name].values for channel in plan.dataset.channels], axis=2)
    scale = np.nanstd(states, axis=(0, 1, 3, 4), keepdims=True)  # land has no values
    agree = bool(np.allclose(plain / scale, states / scale, rtol=1e-3, atol=1e-3, equal_nan=True))
    return Comparison(members, engine_seconds, plain_seconds, float(np.nanmax(abs(plain - states) / scale)), agree)


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
