"""One window of a forecast: the trained pair bound to an initial condition, boundaries and the members' noise.

What comes out are the two callables that `engine.sampling` walks with; states are in physical units here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.datasets.base import Dataset
from engine.models.dynamics import Forecaster, Interpolator, Scaling
from engine.models.layers import Dropout
from engine.noise import Coupling, MaskedDropout, MemberNoise


@dataclass(frozen=True, eq=False)
class Pair:
    """A trained forecaster and interpolator, ready to run on a device; stateless, so threads may share it."""

    dataset: Dataset
    forecaster: Forecaster
    interpolator: Interpolator
    scaling: Scaling
    device: torch.device
    dtype: torch.dtype = torch.float32


@dataclass(frozen=True, eq=False)
class WindowSetting:
    """Where a window starts.

    initial: (member, channel, y, x) physical; static: (s, y, x); boundary: (channel, y, x), the state from which the
    whole forecast started; start_time: seconds since the start of the run.
    """

    initial: Tensor
    static: Tensor
    boundary: Tensor
    start_time: float


@dataclass(eq=False)
class WindowForecaster:
    """F of one window: (x at lead i, i) -> x at the horizon, boundary conditions imposed.

    It counts its calls: they follow one another, so the count names the x_h that the interpolator is given, whatever
    the batching.
    """

    model: Pair
    setting: WindowSetting
    noise: MemberNoise
    calls: int = field(default=0, init=False)

    def __call__(self, x: Tensor, lead: float) -> Tensor:
        self.calls += 1
        forecaster, scaling = self.model.forecaster, self.model.scaling
        noise = None
        if forecaster.conditioning == "data+noise":
            noise = _network_input(self.noise.normal(f"condition/{self.calls}", x.shape[1:]), self.model)
        out = forecaster(
            _network_input(scaling.normalise(x), self.model),
            torch.full((len(x),), float(lead), device=x.device),
            static=_expanded(self.setting.static, len(x), self.model),
            initial=_network_input(scaling.normalise(self.setting.initial), self.model),
            noise=noise,
        )
        return _constrained(scaling.restore(out.float()), forecaster.horizon, self.model, self.setting)


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
        asked = tuple(lead for lead in leads if known[lead] is None)
        found = dict(zip(asked, self._evaluate(x_horizon, asked), strict=True)) if asked else {}
        return [found[lead] if state is None else state for lead, state in known.items()]

    def _known(self, x_horizon: Tensor, lead: float) -> Tensor | None:
        if lead == 0:
            return self.setting.initial
        return x_horizon if lead == self.model.interpolator.horizon else None

    def _evaluate(self, x_horizon: Tensor, leads: tuple[float, ...]) -> list[Tensor]:
        self.calls += len(leads)
        members, scaling = len(x_horizon), self.model.scaling
        repeats = (len(leads), 1, 1, 1)
        out = self.model.interpolator(
            _network_input(scaling.normalise(self.setting.initial).repeat(repeats), self.model),
            _network_input(scaling.normalise(x_horizon).repeat(repeats), self.model),
            torch.tensor(leads, dtype=torch.float32, device=x_horizon.device).repeat_interleave(members),
            static=_expanded(self.setting.static, members * len(leads), self.model),
            dropout=_in_chunks([self._dropout(lead) for lead in leads]),
        )
        states = scaling.restore(out.float()).chunk(len(leads))
        return [_constrained(state, lead, self.model, self.setting) for state, lead in zip(states, leads, strict=True)]

    def _dropout(self, lead: float) -> Dropout:
        own = f"interpolate/{self.forecaster.calls}/{float(lead)!r}"
        shared = {"step": f"shared/{self.forecaster.calls}", "window": "shared"}.get(self.coupling.shared)
        return MaskedDropout(self.noise, own, shared_role=shared, correlation=self.coupling.correlation)


def bind(
    pair: Pair, setting: WindowSetting, noise: MemberNoise, coupling: Coupling
) -> tuple[WindowForecaster, WindowInterpolator]:
    """The two callables of a window."""
    forecaster = WindowForecaster(pair, setting, noise)
    return forecaster, WindowInterpolator(pair, setting, noise, coupling, forecaster)


def _in_chunks(dropouts: list[Dropout]) -> Dropout:
    if len(dropouts) == 1:
        return dropouts[0]

    def apply(x: Tensor, rate: float, site: int) -> Tensor:
        parts = x.chunk(len(dropouts))
        return torch.cat([dropout(part, rate, site) for dropout, part in zip(dropouts, parts, strict=True)])

    return apply


def _network_input(x: Tensor, pair: Pair) -> Tensor:
    return x.to(pair.device, pair.dtype).contiguous(memory_format=torch.channels_last)


def _expanded(static: Tensor, count: int, pair: Pair) -> Tensor:
    return static.to(pair.device, pair.dtype).expand(count, *static.shape)


def _constrained(x: Tensor, lead: float, pair: Pair, setting: WindowSetting) -> Tensor:
    time = setting.start_time + lead * pair.dataset.time_step
    return pair.dataset.constrain(x, static=setting.static, initial=setting.boundary, time=time)
