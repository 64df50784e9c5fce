"""A checkpoint of a preset with seeded random weights: to measure how fast a model is before anyone has trained it."""

from pathlib import Path

import torch
from torch import Tensor, nn

from engine.checkpoint import Defaults, ModelCard, NetworkCard, Normalization, save_checkpoint
from engine.datasets import Dataset, get_dataset
from engine.models import build_network
from engine.models.presets import NetworkSpec, get_preset


def save_random_checkpoint(folder: Path, dataset_name: str, preset: str, *, seed: int = 0) -> str:
    """Write a checkpoint with random weights into `folder`; returns the name to give as a request's model.

    Raises RequestError on an unknown preset.
    """
    dataset, networks = get_dataset(dataset_name), get_preset(dataset_name, preset)
    channels = len(dataset.channels)
    card = ModelCard(
        name=folder.name,
        title=f"{preset}, random weights",
        dataset=dataset.name,
        preset=preset,
        horizon=dataset.horizon,
        auxiliary_steps=networks.auxiliary_steps,
        conditioning=networks.conditioning,
        forecaster=_card(networks.forecaster),
        interpolator=None if networks.interpolator is None else _card(networks.interpolator),
        normalization=Normalization((0.0,) * channels, (1.0,) * channels),
        output_form=networks.output_form,
        side_inputs=networks.side_inputs,
        keeps_dropout=networks.keeps_dropout,
        defaults=_defaults(dataset, is_pair=networks.interpolator is not None),
        training={},
        scores={},
    )
    generator = torch.Generator().manual_seed(seed)
    forecaster = _random_weights(networks.forecaster, generator)
    interpolator = {} if networks.interpolator is None else _random_weights(networks.interpolator, generator)
    save_checkpoint(folder, card, forecaster, interpolator)
    return str(folder)


def _card(spec: NetworkSpec) -> NetworkCard:
    return NetworkCard(spec.family, dict(spec.config))


def _defaults(dataset: Dataset, *, is_pair: bool) -> Defaults:
    """One window in four steps, where the data set's window has as many and the model walks at all."""
    schedule = f"stride{max(1, dataset.horizon // 4)}" if is_pair else "0"
    return Defaults(dataset.horizon, 4, schedule, "cold", "forecast", "independent", refine=False, precision="fp32")


def _random_weights(spec: NetworkSpec, generator: torch.Generator) -> dict[str, Tensor]:
    """Weights that keep activations of order one, norms and running statistics away from the identity."""
    network = build_network(spec.family, spec.config)
    for module in network.modules():
        for name, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            if tensor.is_floating_point():
                tensor.data = _random(module, name, tensor, generator)
    return network.state_dict()


def _random(module: nn.Module, name: str, tensor: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(tensor.shape, generator=generator)
    if tensor.dim() > 1:
        return noise * (tensor.numel() / len(tensor)) ** -0.5
    around = 1.0 if name == "running_var" or (name == "weight" and not isinstance(module, nn.Linear)) else 0.0
    return around + 0.1 * noise
