"""Network families. To add one: a file beside this one and a line in `FAMILIES`."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from engine.errors import CheckpointError
from engine.models.convnet import ConvNet
from engine.models.paper_convnet import PaperConvNet
from engine.models.paper_resunet import PaperResidualUNet
from engine.models.paper_unet import PaperUNet
from engine.models.unet import UNet

__all__ = ["FAMILIES", "build_network", "channels_last"]

FAMILIES: dict[str, Callable[..., nn.Module]] = {
    "unet": UNet,
    "convnet": ConvNet,
    "paper-unet": PaperUNet,
    "paper-convnet": PaperConvNet,
    "paper-resunet": PaperResidualUNet,
}


def build_network(family: str, config: Mapping[str, Any]) -> nn.Module:
    """A network of the family with random weights. Raises CheckpointError on an unknown family or option."""
    if family not in FAMILIES:
        raise CheckpointError(f"There is no network family {family!r}; this version has {', '.join(FAMILIES)}.")
    try:
        return FAMILIES[family](**config)
    except TypeError as error:
        raise CheckpointError(f"The network family {family!r} does not take the options {config}: {error}.") from None


def channels_last(network: nn.Module) -> nn.Module:
    """The network with its convolution weights channels-last, which is what fast convolutions want."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
