"""The pieces that the three networks of the DYffusion paper share."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.models.layers import Dropout, time_embedding


@dataclass(frozen=True)
class DropoutSite:
    """One place in a network where activations may be dropped: its rate and its number in call order."""

    rate: float
    number: int

    def __call__(self, x: Tensor, dropout: Dropout | None) -> Tensor:
        """Ask `dropout` for this site's noise; without one, or at rate 0, x passes unchanged."""
        return x if dropout is None or self.rate == 0 else dropout(x, self.rate, self.number)


class TimeEmbedding(nn.Module):
    """Sinusoids of the lead, then a two-layer perceptron: (batch,) -> (batch, 2 dim)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.inner = nn.Linear(dim, 2 * dim)
        self.outer = nn.Linear(2 * dim, 2 * dim)

    def forward(self, time: Tensor) -> Tensor:
        waves = time_embedding(time, self.dim).to(self.inner.weight.dtype)
        return self.outer(nn.functional.gelu(self.inner(waves)))


class Modulation(nn.Module):
    """Scale and shift every channel by amounts read from the time embedding: x (1 + a) + b."""

    def __init__(self, embedding: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(embedding, 2 * channels)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.project(nn.functional.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, x, scale + 1)
