"""A small U-Net for fields at their native grid: interactive on a CPU."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.models.layers import Dropout, ResidualBlock, SelfAttention, TimeMLP


class UNet(nn.Module):
    """Pixel-unshuffle by `unshuffle`, then a U-Net of residual blocks with attention at its coarsest level.

    forward: x (b, in_channels, y, x) and time (b,) -> (b, out_channels, y, x), any y and x.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int] = (48, 80, 112),
        dropout: float = 0.15,
        time_width: int = 96,
        unshuffle: int = 2,
    ):
        super().__init__()
        self.time = TimeMLP(time_width)
        self.unshuffle = unshuffle
        self.multiple = unshuffle * 2 ** (len(widths) - 1)
        self.stem = nn.Conv2d(unshuffle**2 * in_channels, widths[0], 3, padding=1)
        sites = iter(range(2 * len(widths)))

        def block(width: int) -> ResidualBlock:
            return ResidualBlock(width, time_width, dropout, next(sites))

        self.down_blocks = nn.ModuleList(block(width) for width in widths[:-1])
        self.downs = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in itertools.pairwise(widths))
        self.middle = nn.ModuleList([block(widths[-1]), block(widths[-1])])
        self.attention = SelfAttention(widths[-1])
        self.ups = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in itertools.pairwise(widths))
        self.merges = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in widths[:-1])
        self.up_blocks = nn.ModuleList(block(width) for width in widths[:-1])
        self.norm = nn.GroupNorm(8, widths[0])
        self.head = nn.Conv2d(widths[0], unshuffle**2 * out_channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor, time: Tensor, dropout: Dropout | None = None) -> Tensor:
        rows, columns = x.shape[-2:]
        mixed_time = self.time(time)
        padded = functional.pad(x, (0, -columns % self.multiple, 0, -rows % self.multiple))
        y = self.stem(functional.pixel_unshuffle(padded, self.unshuffle))
        skips = []
        for block, down in zip(self.down_blocks, self.downs, strict=True):
            y = block(y, mixed_time, dropout)
            skips.append(y)
            y = down(y)
        y = self.middle[1](self.attention(self.middle[0](y, mixed_time, dropout)), mixed_time, dropout)
        for level in reversed(range(len(skips))):
            raised = functional.pixel_shuffle(self.ups[level](y), 2)
            y = self.merges[level](torch.cat([raised, skips[level]], dim=1))
            y = self.up_blocks[level](y, mixed_time, dropout)
        out = functional.pixel_shuffle(self.head(functional.silu(self.norm(y))), self.unshuffle)
        return out[..., :rows, :columns]
