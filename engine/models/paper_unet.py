"""The paper's network for Navier-Stokes: a U-Net of strided convolutions on a square resize of the grid."""

from collections.abc import Iterator
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from engine.errors import RequestError
from engine.models.folding import with_batch_norm
from engine.models.layers import Dropout
from engine.models.paper_layers import DropoutSite, Modulation, TimeEmbedding

# (width before, width after, kernel), widths in multiples of dim; every encoder stage halves the grid …
_ENCODER = ((1, 2, 4), (2, 2, 4), (2, 4, 4), (4, 8, 4), (8, 8, 2), (8, 8, 2))
# … and every decoder stage doubles it; from the second on, half of the width before is a skip connection.
_DECODER = ((8, 8, 1), (16, 8, 1), (16, 4, 3), (8, 2, 3), (4, 2, 3), (4, 1, 3))
_LEAK = 0.2


class PaperUNet(nn.Module):
    """Six halvings and six doublings with skip connections, each stage conditioned on the lead.

    x: (batch, in_channels, y, x), time: (batch,) real leads -> (batch, out_channels, y, x). The grid is
    resized to size × size on the way in and back on the way out, both bilinearly.
    There is one dropout site after each stage's activation: 0…5 going down, 6…11 going up.
    BatchNorm statistics are the only thing that `.train()` and `.eval()` change.
    Raises RequestError if `size` cannot be halved six times.
    Source: arXiv 2306.01984, appendix on Navier-Stokes; 10,270,147 parameters with 5 channels in, 3 out.
    """

    def __init__(
        self, *, in_channels: int, out_channels: int, dim: int = 64, size: int = 256, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if size < 64 or size % 64:
            raise RequestError(f"The U-Net's inner grid is {size} points wide; it must be a multiple of 64.")
        self.size = size
        sites = (DropoutSite(dropout, number) for number in count())
        self.embed = TimeEmbedding(dim)
        self.lift = nn.Conv2d(in_channels, dim, 1)
        self.encoder = nn.ModuleList(_encoder_stages(dim, sites))
        self.decoder = nn.ModuleList(_decoder_stages(dim, sites))
        self.head = nn.ConvTranspose2d(dim, out_channels, 4, stride=2, padding=1)
        self.apply(_initialise)

    def forward(self, x: Tensor, time: Tensor, dropout: Dropout | None = None) -> Tensor:
        grid = x.shape[-2:]
        embedding = self.embed(time)
        x = self.lift(interpolate(x, size=(self.size, self.size), mode="bilinear"))
        skips: list[Tensor] = []
        for stage in self.encoder:
            x = stage(x, embedding, dropout)
            skips.append(x)
        skips.pop()
        for stage in self.decoder:
            x = stage(x, embedding, dropout)
            if skips:
                x = torch.cat((x, skips.pop()), dim=1)
        return interpolate(self.head(x), size=grid, mode="bilinear")


class _Stage(nn.Module):
    """Resampling convolution, normalisation, time modulation, leaky rectifier, dropout."""

    norm: nn.Module

    def __init__(self, conv: nn.Module, norm: nn.Module, modulate: Modulation, leak: float, site: DropoutSite) -> None:
        super().__init__()
        self.conv = conv
        self.norm = norm
        self.modulate = modulate
        self.leak = leak
        self.site = site

    def forward(self, x: Tensor, embedding: Tensor, dropout: Dropout | None) -> Tensor:
        x = self.modulate(self.norm(self.conv(x)), embedding)
        return self.site(nn.functional.leaky_relu(x, self.leak), dropout)

    def fold(self) -> nn.Module:
        """Take a BatchNorm into the convolution before it."""
        if isinstance(self.norm, nn.BatchNorm2d):
            if isinstance(self.conv, nn.Sequential):
                self.conv[-1] = with_batch_norm(self.conv[-1], self.norm)
            else:
                self.conv = with_batch_norm(self.conv, self.norm)
            self.norm = nn.Identity()
        return self


def _encoder_stages(dim: int, sites: Iterator[DropoutSite]) -> Iterator[_Stage]:
    """Yield the stages going down; only the deepest normalises by group instead of by batch."""
    for depth, (before, after, kernel) in enumerate(_ENCODER, start=1):
        conv = nn.Conv2d(before * dim, after * dim, kernel, stride=2, padding=kernel // 2 - 1)
        width = after * dim
        norm = nn.GroupNorm(8, width) if depth == len(_ENCODER) else nn.BatchNorm2d(width)
        yield _Stage(conv, norm, Modulation(2 * dim, width), _LEAK, next(sites))


def _decoder_stages(dim: int, sites: Iterator[DropoutSite]) -> Iterator[_Stage]:
    """Yield the stages going up."""
    for before, after, kernel in _DECODER:
        width = after * dim
        conv = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(before * dim, width, kernel, padding=kernel // 2),
        )
        yield _Stage(conv, nn.BatchNorm2d(width), Modulation(2 * dim, width), 0.0, next(sites))


def _initialise(module: nn.Module) -> None:
    """Draw convolution weights from N(0, 0.02²) and BatchNorm scales from N(1, 0.02²), as published."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
