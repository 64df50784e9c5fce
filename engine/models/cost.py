"""What a network costs: its parameters and its floating-point operations, counted without computing."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import nn

from engine.models import build_network


class Described(Protocol):
    """A network family and the keyword arguments that build it, as presets and model cards hold them."""

    @property
    def family(self) -> str:
        """A name in `engine.models.FAMILIES`."""

    @property
    def config(self) -> Mapping[str, Any]:
        """Keyword arguments of the family, `in_channels` among them."""


def parameters(description: Described) -> int:
    """Return the number of trainable parameters. Raises CheckpointError on an unknown family or option."""
    network = _without_memory(description)
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def call_flops(description: Described, grid: tuple[int, int]) -> int:
    """Return the operations per member and call on a grid of (y, x) points.

    Raises CheckpointError on an unknown family or option.
    """
    return count_flops(_without_memory(description), (int(description.config["in_channels"]), *grid))


def largest_activation(network: nn.Module, shape: tuple[int, int, int]) -> int:
    """Return the numbers in the largest tensor that a layer makes of one member of `shape` (channel, y, x)."""
    sizes = [0]

    def note(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor):
            sizes.append(output.numel())

    hooks = [module.register_forward_hook(note) for module in network.modules()]
    _call(network, shape)
    for hook in hooks:
        hook.remove()
    return max(sizes)


def count_flops(network: nn.Module, shape: tuple[int, int, int]) -> int:
    """Count the operations of one call on one member of `shape` (channel, y, x), on the network's device.

    A multiply-add counts as two. Convolutions and matrix products are counted, nothing else is.
    """
    from torch.utils.flop_counter import FlopCounterMode  # takes half a second to import

    counter = FlopCounterMode(display=False)
    with counter:
        _call(network, shape)
    return counter.get_total_flops()


@torch.no_grad()
def _call(network: nn.Module, shape: tuple[int, int, int]) -> None:
    """Call a network on one member of `shape` (channel, y, x)."""
    like = next(network.parameters())
    x = torch.zeros((1, *shape), dtype=like.dtype, device=like.device)
    network(x, torch.ones(1, device=like.device), None)


def _without_memory(description: Described) -> nn.Module:
    """Build the network on the meta device, where tensors have shapes but no numbers."""
    with torch.device("meta"):
        return build_network(description.family, dict(description.config)).eval()
