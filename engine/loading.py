"""Networks in memory: each checkpoint built once per process, device and precision."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from engine.allocator import keep_freed_memory
from engine.checkpoint import ModelCard, NetworkCard, load_card, load_checkpoint
from engine.datasets import Dataset, get_dataset
from engine.errors import CheckpointError, RequestError
from engine.models import build_network, channels_last
from engine.models.cost import largest_activation
from engine.models.dynamics import Forecaster, OutputForm, make_interpolator
from engine.models.folding import folded
from engine.models.layers import Dropout
from engine.requests import PRECISIONS
from engine.window import Pair


def load_pair(model: str, device: str, precision: str) -> Pair:
    """The networks of a checkpoint, built once per process, device and precision."""
    card = load_card(model)
    return _load_pair(model, card.digest, choose_device(device), precision)


@lru_cache(maxsize=8)
def _load_pair(model: str, digest: str, device: torch.device, precision: str) -> Pair:
    if device.type == "cpu":
        keep_freed_memory()
    checkpoint = load_checkpoint(model)
    card, dtype = checkpoint.card, PRECISIONS[precision]
    dataset = get_dataset(card.dataset)
    form, beside = OutputForm(card.output_form), card.side_inputs
    network = _network(card.forecaster, checkpoint.forecaster, device, dtype)
    forecaster = Forecaster(
        network, card.horizon, form, card.conditioning, card.auxiliary_steps, beside, card.keeps_dropout
    )
    spec, weights = card.interpolator, checkpoint.interpolator
    between = None if spec is None else _network(spec, weights, device, dtype)
    return Pair(
        dataset,
        forecaster,
        make_interpolator(between, forecaster, form, beside=beside),
        card.normalization.mean,
        card.normalization.std,
        device,
        dtype,
        checkpoint.background,
        _activation(network, card, dataset),
    )


def _activation(network: nn.Module, card: ModelCard, dataset: Dataset) -> int:
    rows, columns = (len(axis.values) for axis in dataset.axes)
    return largest_activation(network, (int(card.forecaster.config["in_channels"]), rows, columns))


def _network(spec: NetworkCard, weights: dict[str, Tensor], device: torch.device, dtype: torch.dtype) -> nn.Module:
    network = build_network(spec.family, spec.config)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"The weights do not fit the network family {spec.family!r} ({reason}).") from None
    quick = channels_last(folded(network).to(device, dtype))
    return quick if dtype == torch.float32 else InPrecision(quick, dtype)


class InPrecision(nn.Module):
    """A network that computes in a lower precision than the states it is given, and which its output is added to."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype

    def forward(self, x: Tensor, time: Tensor, dropout: Dropout | None = None) -> Tensor:
        out: Tensor = self.network(x.to(self.dtype), time, dropout)
        return out.to(x.dtype)


def choose_device(name: str) -> torch.device:
    """The named device; "auto" takes a GPU where there is one. Raises RequestError where it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RequestError(f"There is no device {name!r}: use auto, cpu or cuda.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RequestError(f"The device {name!r} is not there: use cpu, or auto to take what there is.")
    return device
