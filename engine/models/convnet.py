"""A small residual convolutional network for coarse lattices."""

from torch import Tensor, nn
from torch.nn import functional

from engine.models.layers import Dropout, ResidualBlock, TimeMLP


class ConvNet(nn.Module):
    """Residual blocks of 3 × 3 convolutions at one resolution.

    forward: x (b, in_channels, y, x) and time (b,) -> (b, out_channels, y, x), any y and x.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 64,
        blocks: int = 2,
        dropout: float = 0.05,
        time_width: int = 64,
    ):
        super().__init__()
        self.time = TimeMLP(time_width)
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(width, time_width, dropout, site) for site in range(blocks))
        self.norm = nn.GroupNorm(8, width)
        self.head = nn.Conv2d(width, out_channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor, time: Tensor, dropout: Dropout | None = None) -> Tensor:
        mixed_time = self.time(time)
        y = self.stem(x)
        for block in self.blocks:
            y = block(y, mixed_time, dropout)
        return self.head(functional.silu(self.norm(y)))
