"""One window of a forecast: the trained pair bound to an initial condition, boundaries and the members' noise.

What comes out are the two callables that `engine.sampling` walks with; states are in physical units here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from engine.datasets.background import Background
from engine.datasets.base import Dataset, Run, missing_cells
from engine.models.dynamics import DirectLeads, Forecaster, Interpolator, Scaling
from engine.models.layers import Dropout
from engine.noise import Coupling, MaskedDropout, MaskSource, MemberNoise, sent


@dataclass(frozen=True, eq=False)
class Pair:
    """A trained forecaster and interpolator, ready to run on a device; stateless, so threads may share it.

    In a model without an interpolator the forecaster stands in for it, and its dropout stays on; in a pair it does if
    the forecaster keeps it.

    mean, std: of each channel's departure from the background, in units of its scale. background: the climatology of
    the training data on the data set's own grid, None where the data set's own is to be taken. largest_activation:
    numbers in the largest tensor that a layer makes of one field.
    """

    dataset: Dataset
    forecaster: Forecaster
    interpolator: Interpolator | DirectLeads
    mean: tuple[float, ...]
    std: tuple[float, ...]
    device: torch.device
    dtype: torch.dtype = torch.float32
    background: Background | None = None
    largest_activation: int = 1

    def background_of(self, run: Run) -> Background:
        """What is taken off the states of a run: what training took off, on the grid of training."""
        if self.background is not None and run.axes is None:
            return self.background
        return self.dataset.background(run)

    def scaling_of(self, run: Run) -> Scaling:
        """Physical units ↔ what the networks see, for the states of a run."""
        missing = missing_cells(self.dataset, run)
        return Scaling.of_channels(self.background_of(run), self.mean, self.std, self.device, missing=missing)


@dataclass(frozen=True, eq=False)
class WindowSetting:
    """Where a window starts.

    initial: (member, channel, y, x) physical; static: (s, y, x); boundary: (channel, y, x), the state from which the
    whole forecast started; start_time: as the times of the run.
    """

    initial: Tensor
    static: Tensor
    boundary: Tensor
    start_time: float
    scaling: Scaling


def _nothing() -> None:
    """What happens before a network call, as a rule."""


@dataclass(eq=False)
class WindowForecaster:
    """F of one window: (x at lead i, i) -> x at the horizon, boundary conditions imposed.

    It counts its calls: they follow one another, so the count names the x_h that the interpolator is given, whatever
    the batching. F's noise, and the masks of a dropout that it keeps, are drawn for every call.
    """

    model: Pair
    setting: WindowSetting
    noise: MemberNoise
    coupling: Coupling
    before_call: Callable[[], None] = _nothing
    calls: int = field(default=0, init=False)

    def __call__(self, x: Tensor, lead: float) -> Tensor:
        self.before_call()
        self.calls += 1
        forecaster, scaling = self.model.forecaster, self.setting.scaling
        season = partial(_season, self.model, self.setting)
        out = forecaster(
            _network_input(scaling.normalise(x, season(lead)), self.model),
            torch.full((len(x),), float(lead), device=x.device),
            side=_side_inputs(self.setting, len(x), self.model),
            initial=_network_input(scaling.normalise(self.setting.initial, season(0)), self.model),
            noise=self._noise(x),
            dropout=self._dropout(),
        )
        at_horizon = scaling.restore(out.float(), season(forecaster.horizon))
        return _constrained(at_horizon, forecaster.horizon, self.model, self.setting)

    def _noise(self, x: Tensor) -> Tensor | None:
        if not self.model.forecaster.draws_noise:
            return None
        noise = self.noise.normal(f"condition/{self.calls}", x.shape[1:])
        return _network_input(sent(noise, self.model.device), self.model)

    def _dropout(self) -> Dropout | None:
        if self.model.forecaster.keeps_dropout:
            return MaskedDropout(MaskSource(self.noise, f"forecast/{self.calls}"))
        if not isinstance(self.model.interpolator, DirectLeads):
            return None
        return _masks(self.noise, self.coupling, [f"forecast/{self.calls}"], self.calls)


@dataclass(eq=False)
class WindowInterpolator:
    """I of one window: (x_h, i) -> x at lead i, boundary conditions imposed; exact at both ends without a call.

    Its dropout masks are keyed by (which x_h, lead) and shared as the coupling says.
    """

    model: Pair
    setting: WindowSetting
    noise: MemberNoise
    coupling: Coupling
    forecaster: WindowForecaster
    before_call: Callable[[], None] = _nothing
    calls: int = field(default=0, init=False)

    def __call__(self, x_horizon: Tensor, lead: float) -> Tensor:
        known = self._known(x_horizon, lead)
        return self._evaluate(x_horizon, (lead,))[0] if known is None else known

    def pair(self, x_horizon: Tensor, lead: float, next_lead: float) -> tuple[Tensor, Tensor]:
        """Both leads from one batch."""
        at_lead, at_next = self.several(x_horizon, (lead, next_lead))
        return at_lead, at_next

    def several(self, x_horizon: Tensor, leads: Sequence[float]) -> list[Tensor]:
        """All leads from one batch, but for those that are known."""
        known = {lead: self._known(x_horizon, lead) for lead in leads}
        found = {lead: state for lead, state in known.items() if state is not None}
        asked = tuple(lead for lead in known if lead not in found)
        if asked:
            found |= zip(asked, self._evaluate(x_horizon, asked), strict=True)
        return [found[lead] for lead in leads]

    def _known(self, x_horizon: Tensor, lead: float) -> Tensor | None:
        if lead == 0:
            return self.setting.initial
        return x_horizon if lead == self.model.interpolator.horizon else None

    def _evaluate(self, x_horizon: Tensor, leads: tuple[float, ...]) -> list[Tensor]:
        self.before_call()
        self.calls += len(leads)
        members, scaling = len(x_horizon), self.setting.scaling
        season = partial(_season, self.model, self.setting)
        horizon = self.model.interpolator.horizon
        repeats = (len(leads), 1, 1, 1)
        out = self.model.interpolator(
            _network_input(scaling.normalise(self.setting.initial, season(0)).repeat(repeats), self.model),
            _network_input(scaling.normalise(x_horizon, season(horizon)).repeat(repeats), self.model),
            torch.tensor(leads, dtype=torch.float32, device=x_horizon.device).repeat_interleave(members),
            side=_side_inputs(self.setting, members * len(leads), self.model),
            dropout=self._dropout(leads),
        )
        return [
            _constrained(scaling.restore(state, season(lead)), lead, self.model, self.setting)
            for state, lead in zip(out.float().chunk(len(leads)), leads, strict=True)
        ]

    def _dropout(self, leads: tuple[float, ...]) -> Dropout | None:
        own = [f"interpolate/{self.forecaster.calls}/{float(lead)!r}" for lead in leads]
        return _masks(self.noise, self.coupling, own, self.forecaster.calls)


def bind(
    pair: Pair,
    setting: WindowSetting,
    noise: MemberNoise,
    coupling: Coupling,
    before_call: Callable[[], None] = _nothing,
) -> tuple[WindowForecaster, WindowInterpolator]:
    """The two callables of a window; `before_call` is called before every network call and may raise to end it."""
    forecaster = WindowForecaster(pair, setting, noise, coupling, before_call)
    return forecaster, WindowInterpolator(pair, setting, noise, coupling, forecaster, before_call)


def _masks(noise: MemberNoise, coupling: Coupling, own: Sequence[str], step: int) -> Dropout | None:
    """Dropout of network calls in one batch, by their own roles; None where the interpolator is not random.

    The masks are shared with other calls of the step or window as the coupling says.
    """
    if coupling.shared == "none":
        return None
    shared = {"step": f"shared/{step}", "window": "shared"}.get(coupling.shared)
    return MaskedDropout(*(MaskSource(noise, role, shared, coupling.correlation) for role in own))


def _network_input(x: Tensor, pair: Pair) -> Tensor:
    return x.to(pair.device).contiguous(memory_format=torch.channels_last)


def _side_inputs(setting: WindowSetting, count: int, pair: Pair) -> Tensor:
    season = torch.tensor(_season(pair, setting, 0), device=pair.device)
    side = pair.dataset.side_inputs(setting.static.to(pair.device), season)
    return side.expand(count, *side.shape)


def _season(pair: Pair, setting: WindowSetting, lead: float) -> float:
    return pair.dataset.season(_time(pair, setting, lead))


def _time(pair: Pair, setting: WindowSetting, lead: float) -> float:
    return setting.start_time + lead * pair.dataset.time_step


def _constrained(x: Tensor, lead: float, pair: Pair, setting: WindowSetting) -> Tensor:
    time = _time(pair, setting, lead)
    return pair.dataset.constrain(x, static=setting.static, initial=setting.boundary, time=time)
