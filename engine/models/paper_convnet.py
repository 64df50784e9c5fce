"""The paper's network for the spring mesh: same-size convolutions with residual connections."""

from collections.abc import Sequence
from itertools import count

from torch import Tensor, nn

from engine.models.folding import with_batch_norm
from engine.models.layers import Dropout
from engine.models.paper_layers import DropoutSite, Modulation, TimeEmbedding


class PaperConvNet(nn.Module):
    """Convolutions with shrinking kernels on the full grid, each conditioned on the lead.

    x: (batch, in_channels, y, x), time: (batch,) real leads -> (batch, out_channels, y, x).
    There is one dropout site after each convolution's activation, numbered from 0.
    BatchNorm statistics are the only thing that `.train()` and `.eval()` change.
    Source: arXiv 2306.01984, appendix on the spring mesh; 478,532 parameters with 9 channels in, 4 out.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        dim: int = 64,
        kernels: Sequence[int] = (9, 7, 5, 3),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        number = count()
        widths = (in_channels, *(dim for _ in kernels))
        self.embed = TimeEmbedding(dim)
        self.layers = nn.ModuleList(
            _Layer(before, dim, kernel, DropoutSite(dropout, next(number)))
            for before, kernel in zip(widths, kernels, strict=False)
        )
        self.head = nn.Conv2d(dim, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor, dropout: Dropout | None = None) -> Tensor:
        embedding = self.embed(time)
        for layer in self.layers:
            x = layer(x, embedding, dropout)
        return self.head(x)


class _Layer(nn.Module):
    """Convolution, BatchNorm, time modulation, GELU, dropout; residual where the widths agree."""

    def __init__(self, before: int, dim: int, kernel: int, site: DropoutSite) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, dim, kernel, padding=kernel // 2)
        self.norm: nn.Module = nn.BatchNorm2d(dim)
        self.modulate = Modulation(2 * dim, dim)
        self.residual = before == dim
        self.site = site

    def forward(self, x: Tensor, embedding: Tensor, dropout: Dropout | None) -> Tensor:
        update = nn.functional.gelu(self.modulate(self.norm(self.conv(x)), embedding))
        update = self.site(update, dropout)
        return x + update if self.residual else update

    def fold(self) -> nn.Module:
        """Take the BatchNorm into the convolution before it."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = with_batch_norm(self.conv, self.norm)
            self.norm = nn.Identity()
        return self
