"""The trained pair, forecaster and interpolator: what goes into each network and what its output means.

Networks see normalised states: the data set's background taken off, each channel scaled by its training statistics.
Everything here takes and returns normalised states (b, channel, y, x) and is stateless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.datasets.background import Background, season_basis
from engine.models.layers import Dropout

Network = Callable[[Tensor, Tensor, Dropout | None], Tensor]

CONDITIONINGS = ("none", "data", "data+noise")


@dataclass(frozen=True, eq=False)
class Scaling:
    """Physical units ↔ normalised: (x − offset) / scale, and 0 where there are no data.

    offset: (1 + 2K, channel, y, x), harmonics of the year as in `engine.datasets.background`; scale: broadcasts to
    (channel, y, x); missing: bool (y, x), cells that are NaN in physical units, None where there are none.
    """

    offset: Tensor
    scale: Tensor
    missing: Tensor | None = None

    @classmethod
    def of_channels(
        cls,
        background: Background,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        *,
        missing: np.ndarray | None = None,
    ) -> "Scaling":
        """Departures from a background in units of its scale, then one mean and standard deviation a channel."""
        of_mean, of_std = (np.array(values, np.float32)[:, None, None] for values in (mean, std))
        offset = np.array(np.broadcast_to(background.coefficients, _wider(background.coefficients, of_mean)))
        offset[0] += of_mean * background.scale
        gaps = None if missing is None or not missing.any() else torch.from_numpy(missing).to(device)
        return cls(torch.from_numpy(offset).to(device), torch.from_numpy(of_std * background.scale).to(device), gaps)

    def normalise(self, x: Tensor, season: float) -> Tensor:
        """Physical to normalised, x (…, channel, y, x) of one season."""
        normalised = (x - self._offset(season)) / self.scale
        return normalised if self.missing is None else normalised.masked_fill(self.missing, 0)

    def restore(self, x: Tensor, season: float) -> Tensor:
        """Normalised to physical; cells without data are not made missing here, but by the data set's constraints."""
        return x * self.scale + self._offset(season)

    def _offset(self, season: float) -> Tensor:
        if len(self.offset) == 1:
            return self.offset[0]
        basis = torch.from_numpy(season_basis([season], len(self.offset) // 2)[0])
        return torch.tensordot(basis.to(self.offset), self.offset, 1)


def _wider(coefficients: np.ndarray, of_channel: np.ndarray) -> tuple[int, ...]:
    return len(coefficients), *np.broadcast_shapes(coefficients.shape[1:], of_channel.shape)


@dataclass(frozen=True)
class OutputForm:
    """How a network's output becomes a state.

    "absolute": the output is the state, as in the paper. "linear" and "root": the output corrects a first guess (the
    present state; the straight line between both ends) with a weight that vanishes where the answer is known: τ/h and
    4a(1−a), or their square roots for fields that change much within one data step.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in OUTPUT_FORMS:
            raise ValueError(f"The output form is {self.name!r}; it must be one of {', '.join(OUTPUT_FORMS)}.")

    def weight(self, fraction: Tensor) -> Tensor:
        """Weight of the network's output where `fraction`, in [0, 1], is 0 at a known state."""
        return OUTPUT_FORMS[self.name](fraction)


OUTPUT_FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "absolute": torch.ones_like,
    "linear": lambda fraction: fraction,
    "root": torch.sqrt,
}


@dataclass(frozen=True)
class Forecaster:
    """F(x, i): from the state at lead i to the state at the horizon.

    conditioning: what F sees beside the state. "data" is the window's initial state; "data+noise" blends it with a
    field of noise that fades along the leads (arXiv 2306.01984). side_inputs: whether the network sees what the data
    set offers beside states. keeps_dropout: whether dropout is part of its randomness, not of its training alone.
    """

    network: Network
    horizon: int
    form: OutputForm
    conditioning: str = "none"
    auxiliary_steps: int = 0
    side_inputs: bool = True
    keeps_dropout: bool = False

    def __call__(
        self,
        x: Tensor,
        lead: Tensor,
        *,
        side: Tensor,
        initial: Tensor | None = None,
        noise: Tensor | None = None,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """x at leads (b,), side inputs (b, s, y, x) -> x at the horizon.

        `initial` and `noise` (standard normal, as x) are needed where the conditioning uses them.
        """
        beside = [side] if self.side_inputs else []
        inputs = torch.cat([x, *self._condition(lead, initial, noise), *beside], dim=1)
        out = self.network(inputs, lead, dropout)
        if self.form.name == "absolute":
            return out
        remaining = (1 - lead / self.horizon).view(-1, 1, 1, 1).to(x.dtype)
        return x + self.form.weight(remaining) * out

    @property
    def draws_noise(self) -> bool:
        """Whether every call wants noise."""
        return self.conditioning == "data+noise"

    def _condition(self, lead: Tensor, initial: Tensor | None, noise: Tensor | None) -> list[Tensor]:
        if self.conditioning == "none":
            return []
        if initial is None:
            raise ValueError(f"The conditioning {self.conditioning!r} needs the initial state.")
        if self.conditioning == "data":
            return [initial]
        if noise is None:
            raise ValueError(f"The conditioning {self.conditioning!r} needs noise.")
        kept = noise_level(lead, self.horizon, self.auxiliary_steps).view(-1, 1, 1, 1).to(initial.dtype)
        return [kept * initial + (1 - kept) * noise]


def noise_level(lead: Tensor, horizon: int, auxiliary_steps: int) -> Tensor:
    """τ = d / (N_train − 1) of "data+noise": 0, pure noise, at lead 0; 1 at the last trained lead."""
    last = max(horizon + auxiliary_steps - 1, 1)
    # engine.schedules.diffusion_step_of, without waiting for the device that has the leads
    return torch.minimum(lead * (auxiliary_steps + 1), lead + auxiliary_steps) / last


@dataclass(frozen=True)
class Interpolator:
    """I(x_0, x_h, i): a stochastic guess of the state at lead i between two ends."""

    network: Network
    horizon: int
    form: OutputForm
    side_inputs: bool = True

    def __call__(
        self,
        initial: Tensor,
        x_horizon: Tensor,
        lead: Tensor,
        *,
        side: Tensor,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Both ends (b, channel, y, x), leads (b,) inside (0, h), side inputs (b, s, y, x) -> x at the leads."""
        beside = [side] if self.side_inputs else []
        out = self.network(torch.cat([initial, x_horizon, *beside], dim=1), lead, dropout)
        if self.form.name == "absolute":
            return out
        a = (lead / self.horizon).view(-1, 1, 1, 1).to(initial.dtype)
        return torch.lerp(initial, x_horizon, a.expand_as(initial)) + self.form.weight(4 * a * (1 - a)) * out


@dataclass(frozen=True)
class DirectLeads:
    """What stands in for the interpolator in a model without one: G(x_0, τ), whatever x_h is.

    A time-conditioned forecaster reaches every lead by itself, G(x_0, τ) = F(x_0, h − τ): the rival "Dropout" of
    arXiv 2306.01984.
    """

    forecaster: Forecaster

    @property
    def horizon(self) -> int:
        """The forecaster's."""
        return self.forecaster.horizon

    def __call__(
        self, initial: Tensor, x_horizon: Tensor, lead: Tensor, *, side: Tensor, dropout: Dropout | None = None
    ) -> Tensor:
        """As `Interpolator`."""
        return self.forecaster(initial, self.horizon - lead, side=side, initial=initial, dropout=dropout)


def make_interpolator(
    network: Network | None, forecaster: Forecaster, form: OutputForm, *, beside: bool
) -> Interpolator | DirectLeads:
    """The interpolator of a network, or where there is none the forecaster in its stead."""
    return DirectLeads(forecaster) if network is None else Interpolator(network, forecaster.horizon, form, beside)


def forecaster_inputs(channels: int, static: int, conditioning: str) -> int:
    """Input channels of a forecaster's network."""
    return channels * (1 if conditioning == "none" else 2) + static


def interpolator_inputs(channels: int, static: int) -> int:
    """Input channels of an interpolator's network."""
    return 2 * channels + static
