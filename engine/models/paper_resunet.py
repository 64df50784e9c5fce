"""The paper's network for sea-surface temperature: a residual U-Net with linear attention."""

from collections.abc import Iterator, Sequence
from itertools import count, pairwise

import torch
from torch import Tensor, nn

from engine.errors import RequestError
from engine.models.layers import Dropout
from engine.models.paper_layers import DropoutSite, Modulation, TimeEmbedding

_HEADS = 4
_HEAD_WIDTH = 32


class PaperResidualUNet(nn.Module):
    """Pairs of residual blocks and a linear attention at every resolution, full attention at the coarsest.

    x: (batch, in_channels, y, x), time: (batch,) real leads -> (batch, out_channels, y, x). With the
    multiples 1-2-4 the grid is halved twice, so y and x must be multiples of 4.
    Dropout sites are numbered in call order; `first_dropout` and `second_dropout` act after the two
    activations of a block, `attention_dropout` on the input of a linear attention and on the weights of
    the full one.
    Raises RequestError if the grid does not halve evenly.
    Source: arXiv 2306.01984, appendix on SST, after arXiv 2006.11239; 9,479,681 parameters with 2 channels
    in, 1 out.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        dim: int = 64,
        multiples: Sequence[int] = (1, 2, 4),
        first_dropout: float = 0.0,
        second_dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        number = count()
        widths = (dim, *(dim * multiple for multiple in multiples))
        levels = list(pairwise(widths))
        self.factor = 2 ** (len(levels) - 1)

        def block(before: int, after: int) -> _ResidualBlock:
            sites = DropoutSite(first_dropout, next(number)), DropoutSite(second_dropout, next(number))
            return _ResidualBlock(before, after, 2 * dim, *sites)

        def attention(kind: type["_Attention"], width: int) -> "_Attention":
            return kind(width, DropoutSite(attention_dropout, next(number)))

        def down() -> Iterator[nn.ModuleList]:
            for depth, (near, far) in enumerate(levels, start=1):
                shrink = _same(near, far) if depth == len(levels) else nn.Conv2d(near, far, 4, 2, 1)
                yield nn.ModuleList((block(near, near), block(near, near), attention(_LinearAttention, near), shrink))

        def up() -> Iterator[nn.ModuleList]:
            for depth, (near, far) in reversed(list(enumerate(levels))):
                narrow = _same(far, near)
                grow = nn.Sequential(nn.Upsample(scale_factor=2), narrow) if depth else narrow
                yield nn.ModuleList(
                    (block(far + near, far), block(far + near, far), attention(_LinearAttention, far), grow)
                )

        self.embed = TimeEmbedding(dim)
        self.lift = nn.Conv2d(in_channels, dim, 7, padding=3)
        self.down = nn.ModuleList(down())
        coarse = widths[-1]
        self.middle = nn.ModuleList((block(coarse, coarse), attention(_FullAttention, coarse), block(coarse, coarse)))
        self.up = nn.ModuleList(up())
        self.last = block(2 * dim, dim)
        self.head = nn.Conv2d(dim, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor, dropout: Dropout | None = None) -> Tensor:
        if x.shape[-2] % self.factor or x.shape[-1] % self.factor:
            grid = f"{x.shape[-2]} × {x.shape[-1]}"
            raise RequestError(f"The residual U-Net needs multiples of {self.factor} points, not {grid}.")
        embedding = self.embed(time)
        x = lifted = self.lift(x)
        skips: list[Tensor] = []
        for first, second, attend, shrink in _levels(self.down):
            x = first(x, embedding, dropout)
            skips.append(x)
            x = attend(second(x, embedding, dropout), dropout)
            skips.append(x)
            x = shrink(x)
        before, attend, after = self.middle
        x = after(attend(before(x, embedding, dropout), dropout), embedding, dropout)
        for first, second, attend, grow in _levels(self.up):
            x = first(torch.cat((x, skips.pop()), dim=1), embedding, dropout)
            x = second(torch.cat((x, skips.pop()), dim=1), embedding, dropout)
            x = grow(attend(x, dropout))
        return self.head(self.last(torch.cat((x, lifted), dim=1), embedding, dropout))


def _same(before: int, after: int) -> nn.Conv2d:
    """Return a 3 × 3 convolution that keeps the grid."""
    return nn.Conv2d(before, after, 3, padding=1)


def _levels(levels: nn.ModuleList) -> Iterator[tuple[nn.Module, nn.Module, nn.Module, nn.Module]]:
    """Yield each resolution's two blocks, its attention and its resampling."""
    for level in levels:
        first, second, attend, resample = level.children()
        yield first, second, attend, resample


class _StandardisedConv(nn.Conv2d):
    """A convolution whose weights are brought to mean 0, variance 1 per output channel (arXiv 1903.10520)."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self._standardised(_epsilon(x)), self.bias, padding=self.padding)

    def _standardised(self, epsilon: float) -> Tensor:
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), correction=0, keepdim=True)
        return (self.weight - mean) * (variance + epsilon).rsqrt()

    def fold(self) -> nn.Module:
        """Standardise the weights once and for all."""
        plain = nn.Conv2d(self.in_channels, self.out_channels, 3, padding=1)
        plain.weight.data, plain.bias = self._standardised(_epsilon(self.weight)), self.bias
        return plain.eval().requires_grad_(False)


class _ChannelNorm(nn.Module):
    """Bring every cell to mean 0, variance 1 over its channels, then scale each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        gain = self.gain.flatten()
        return nn.functional.layer_norm(x.movedim(1, -1), gain.shape, gain, eps=_epsilon(x)).movedim(-1, 1)


def _epsilon(x: Tensor) -> float:
    """Return the number that keeps a variance from 0, larger where the precision is lower."""
    return 1e-5 if x.dtype == torch.float32 else 1e-3


class _Half(nn.Module):
    """Standardised convolution, GroupNorm, time modulation where there is one, SiLU, dropout."""

    def __init__(self, before: int, after: int, site: DropoutSite) -> None:
        super().__init__()
        self.conv = _StandardisedConv(before, after, 3, padding=1)
        self.norm = nn.GroupNorm(8, after)
        self.site = site

    def forward(self, x: Tensor, dropout: Dropout | None, modulate: Modulation | None, embedding: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        if modulate is not None:
            x = modulate(x, embedding)
        return self.site(nn.functional.silu(x), dropout)


class _ResidualBlock(nn.Module):
    """Two halves, the first conditioned on the lead, beside a shortcut."""

    def __init__(self, before: int, after: int, embedding: int, first: DropoutSite, second: DropoutSite) -> None:
        super().__init__()
        self.modulate = Modulation(embedding, after)
        self.first = _Half(before, after, first)
        self.second = _Half(after, after, second)
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, embedding: Tensor, dropout: Dropout | None) -> Tensor:
        update = self.first(x, dropout, self.modulate, embedding)
        return self.second(update, dropout, None, embedding) + self.shortcut(x)


class _Attention(nn.Module):
    """Four heads of 32 channels over all cells of a grid, added to the input."""

    def __init__(self, width: int, site: DropoutSite) -> None:
        super().__init__()
        self.norm = _ChannelNorm(width)
        self.project = nn.Conv2d(width, 3 * _HEADS * _HEAD_WIDTH, 1, bias=False)
        self.merge = nn.Conv2d(_HEADS * _HEAD_WIDTH, width, 1)
        self.site = site

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each (batch, head, channel, cell)."""
        query, key, value = self.project(x).flatten(2).unflatten(1, (3, _HEADS, _HEAD_WIDTH)).unbind(1)
        return query, key, value

    def joined(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add the attended values, (batch, head, channel, cell), to x, (batch, channel, y, x)."""
        return x + self.merge(attended.flatten(1, 2).unflatten(2, x.shape[-2:]))


class _LinearAttention(_Attention):
    """Attention whose cost grows with the number of cells, not its square (arXiv 1812.01243)."""

    def forward(self, x: Tensor, dropout: Dropout | None) -> Tensor:
        query, key, value = self.heads(self.site(self.norm(x), dropout))
        cells = value.shape[-1]
        context = key.softmax(dim=-1) @ (value / cells).transpose(2, 3)
        return self.joined(x, context.transpose(2, 3) @ (query.softmax(dim=2) * _HEAD_WIDTH**-0.5))


class _FullAttention(_Attention):
    """Attention of every cell on every other (arXiv 1706.03762, equation 1), with dropout on its weights."""

    def forward(self, x: Tensor, dropout: Dropout | None) -> Tensor:
        query, key, value = self.heads(self.norm(x))
        weights = ((query * _HEAD_WIDTH**-0.5).transpose(2, 3) @ key).softmax(dim=-1)
        return self.joined(x, value @ self.site(weights, dropout).transpose(2, 3))
