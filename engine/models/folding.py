"""Networks rewritten for inference: the same function of the same weights, with fewer passes over memory."""

from typing import Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class Foldable(Protocol):
    """A module that knows a cheaper form of itself for inference."""

    def fold(self) -> nn.Module:
        """What computes the same from now on: this module changed in place, or another one."""


def folded(network: nn.Module) -> nn.Module:
    """The network in evaluation mode with each of its parts folded; it is changed in place and no longer trainable."""
    network.eval().requires_grad_(False)
    for name, part in list(network.named_children()):
        setattr(network, name, folded(part))
    return network.fold() if isinstance(network, Foldable) else network


def with_batch_norm(conv: nn.Module, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """A convolution that scales and shifts its outputs as a BatchNorm with fixed statistics would."""
    assert isinstance(conv, nn.Conv2d)
    return nn.utils.fusion.fuse_conv_bn_eval(conv, norm)
