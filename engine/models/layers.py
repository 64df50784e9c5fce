"""Pieces shared by the networks."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Dropout = Callable[[Tensor, float, int], Tensor]
"""(x, rate, site) -> x with units dropped; the networks hold no random state of their own."""


def time_embedding(time: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding of real times, (b,) -> (b, width) (Vaswani et al. 2017, arXiv 1706.03762)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000.0) / (half - 1) * torch.arange(half, device=time.device))
    angles = time.float()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class TimeMLP(nn.Module):
    """Embeds a time and mixes it: (b,) -> (b, width)."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, time: Tensor) -> Tensor:
        embedded = time_embedding(time, self.width).to(self.first.weight.dtype)
        return functional.silu(self.second(functional.silu(self.first(embedded))))


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions with group norm, scale and shift from the time, and one dropout site between."""

    def __init__(self, width: int, time_width: int, rate: float, site: int, groups: int = 8):
        super().__init__()
        self.rate, self.site = rate, site
        self.first_norm = nn.GroupNorm(groups, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second_norm = nn.GroupNorm(groups, width)
        self.scale_shift = nn.Linear(time_width, 2 * width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, time: Tensor, dropout: Dropout | None) -> Tensor:
        y = self.first(functional.silu(self.first_norm(x)))
        scale, shift = self.scale_shift(time)[:, :, None, None].chunk(2, dim=1)
        y = functional.silu(torch.addcmul(shift, self.second_norm(y), 1 + scale))
        if dropout is not None and self.rate > 0:
            y = dropout(y, self.rate, self.site)
        return x + self.second(y)


class SelfAttention(nn.Module):
    """Multi-head self-attention over all cells, residual."""

    def __init__(self, width: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, width)
        self.query_key_value = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        b, c, height, width = x.shape
        mixed = self.query_key_value(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, height * width)
        query, key, value = mixed.transpose(-1, -2).unbind(1)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return x + self.out(attended.transpose(-1, -2).reshape(b, c, height, width))
