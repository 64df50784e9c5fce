"""The trained pair, forecaster and interpolator: what goes into each network and what its output means.

Networks see normalised states: the data set's background taken off, each channel scaled by its training statistics.
Everything here takes and returns normalised states (b, channel, y, x) and is stateless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.models.layers import Dropout
from engine.schedules import diffusion_step_of

Network = Callable[[Tensor, Tensor, Dropout | None], Tensor]

CONDITIONINGS = ("none", "data", "data+noise")


@dataclass(frozen=True, eq=False)
class Scaling:
    """Physical units ↔ normalised: (x − background − mean) / std; tensors that broadcast to (channel, y, x)."""

    background: Tensor
    mean: Tensor
    std: Tensor

    @classmethod
    def of_channels(
        cls, background: np.ndarray, mean: Sequence[float], std: Sequence[float], device: torch.device
    ) -> "Scaling":
        """The scaling with a background field and one mean and standard deviation a channel."""
        of_each = [torch.tensor(values, dtype=torch.float32, device=device)[:, None, None] for values in (mean, std)]
        return cls(torch.from_numpy(background).to(device), *of_each)

    def normalise(self, x: Tensor) -> Tensor:
        """Physical to normalised."""
        return (x - self.background - self.mean) / self.std

    def restore(self, x: Tensor) -> Tensor:
        """Normalised to physical."""
        return x * self.std + self.mean + self.background


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
    """F(x, i): from the state at lead i to the state at the horizon."""

    network: Network
    horizon: int
    form: OutputForm
    conditioning: str = "none"
    auxiliary_steps: int = 0

    def __call__(
        self,
        x: Tensor,
        lead: Tensor,
        *,
        static: Tensor,
        initial: Tensor | None = None,
        noise: Tensor | None = None,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """x at leads (b,), static (b, s, y, x) -> x at the horizon.

        `initial` and, for "data+noise", `noise` (standard normal) are needed where the conditioning uses them.
        """
        inputs = torch.cat([x, *self._condition(lead, initial, noise), static], dim=1)
        out = self.network(inputs, lead, dropout)
        if self.form.name == "absolute":
            return out
        remaining = (1 - lead / self.horizon).view(-1, 1, 1, 1).to(x.dtype)
        return x + self.form.weight(remaining) * out

    def _condition(self, lead: Tensor, initial: Tensor | None, noise: Tensor | None) -> list[Tensor]:
        if self.conditioning == "none":
            return []
        if initial is None:
            raise ValueError(f"The conditioning {self.conditioning!r} needs the initial state.")
        if self.conditioning == "data":
            return [initial]
        if noise is None:
            raise ValueError("The conditioning 'data+noise' needs noise.")
        kept = noise_level(lead, self.horizon, self.auxiliary_steps).view(-1, 1, 1, 1).to(initial.dtype)
        return [kept * initial + (1 - kept) * noise]


def noise_level(lead: Tensor, horizon: int, auxiliary_steps: int) -> Tensor:
    """τ = d / (N_train − 1) of "data+noise": 0, pure noise, at lead 0; 1 at the last trained lead."""
    last = max(horizon + auxiliary_steps - 1, 1)
    return torch.tensor([diffusion_step_of(float(i), auxiliary_steps) / last for i in lead], device=lead.device)


@dataclass(frozen=True)
class Interpolator:
    """I(x_0, x_h, i): a stochastic guess of the state at lead i between two ends."""

    network: Network
    horizon: int
    form: OutputForm

    def __call__(
        self,
        initial: Tensor,
        x_horizon: Tensor,
        lead: Tensor,
        *,
        static: Tensor,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Both ends (b, channel, y, x), leads (b,) strictly inside (0, h), static (b, s, y, x) -> x at the leads."""
        out = self.network(torch.cat([initial, x_horizon, static], dim=1), lead, dropout)
        if self.form.name == "absolute":
            return out
        a = (lead / self.horizon).view(-1, 1, 1, 1).to(initial.dtype)
        return torch.lerp(initial, x_horizon, a.expand_as(initial)) + self.form.weight(4 * a * (1 - a)) * out


def forecaster_inputs(channels: int, static: int, conditioning: str) -> int:
    """Input channels of a forecaster's network."""
    return channels * (1 if conditioning == "none" else 2) + static


def interpolator_inputs(channels: int, static: int) -> int:
    """Input channels of an interpolator's network."""
    return 2 * channels + static
