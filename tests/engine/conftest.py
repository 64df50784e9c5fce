"""Small checkpoints with seeded random weights, so that the whole engine runs without training."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.checkpoint import Conditioning, Defaults, ModelCard, NetworkCard, Normalization, save_checkpoint
from engine.datasets import Dataset, get_dataset
from engine.datasets.background import Background
from engine.models import build_network
from engine.models.dynamics import forecaster_inputs, interpolator_inputs

ROOT = Path(__file__).resolve().parents[2]

SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "navier-stokes": ("unet", {"out_channels": 3, "widths": [8, 8, 8], "dropout": 0.25, "time_width": 16}),
    "sst-monthly": ("unet", {"out_channels": 1, "widths": [8, 8, 8], "dropout": 0.25, "time_width": 16}),
    "sst-daily": ("unet", {"out_channels": 1, "widths": [8, 8, 8], "dropout": 0.25, "time_width": 16}),
    "spring-mesh": ("convnet", {"out_channels": 4, "width": 8, "blocks": 1, "dropout": 0.25, "time_width": 16}),
}


def side_channels(dataset: Dataset) -> int:
    """How many fields the networks of a data set see beside states."""
    return len(dataset.side_inputs(torch.zeros(len(dataset.static_channels), 4, 4), torch.tensor(0.0)))


def save_small_checkpoint(
    folder: Path,
    dataset_name: str,
    *,
    conditioning: Conditioning = "none",
    auxiliary_steps: int = 0,
    keeps_dropout: bool = False,
    background: Background | None = None,
    **defaults: Any,
) -> str:
    """A checkpoint with random weights in `folder`; returns the name to give as a request's model."""
    dataset = get_dataset(dataset_name)
    family, config = SMALL[dataset_name]
    channels, side = len(dataset.channels), side_channels(dataset)
    inputs = (forecaster_inputs(channels, side, conditioning), interpolator_inputs(channels, side))
    configs = [{**config, "in_channels": count} for count in inputs]
    torch.manual_seed(7)
    weights = []
    for each in configs:
        network = build_network(family, each)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.05)
        weights.append(network.state_dict())
    filled: dict[str, Any] = {
        "steps": dataset.horizon,
        "members": 3,
        "schedule": "stride4",
        "solver": "cold",
        "last_step": "forecast",
        "noise": "independent",
        "refine": False,
        "precision": "fp32",
    }
    card = ModelCard(
        name=folder.name,
        title="random weights",
        dataset=dataset_name,
        preset="small",
        horizon=dataset.horizon,
        auxiliary_steps=auxiliary_steps,
        conditioning=conditioning,
        forecaster=NetworkCard(family, configs[0]),
        interpolator=NetworkCard(family, configs[1]),
        normalization=Normalization((0.0,) * channels, (1.0,) * channels),
        output_form="linear",
        side_inputs=True,
        keeps_dropout=keeps_dropout,
        defaults=Defaults(**(filled | defaults)),
        training={},
        scores={},
    )
    save_checkpoint(folder, card, *weights, background=background)
    return str(folder)


def run_python(script: str, *arguments: str) -> "subprocess.Popen[str]":
    """A process of its own that runs a script from the project's root."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )


@pytest.fixture(scope="session")
def mesh_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small spring mesh model."""
    return save_small_checkpoint(tmp_path_factory.mktemp("models") / "mesh", "spring-mesh", schedule="0,30,67")


@pytest.fixture(scope="session")
def monthly_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small model of monthly sea surface temperature, with noise in its conditioning."""
    folder = tmp_path_factory.mktemp("models") / "monthly"
    return save_small_checkpoint(folder, "sst-monthly", conditioning="data+noise")


@pytest.fixture(scope="session")
def flow_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small Navier-Stokes model."""
    return save_small_checkpoint(tmp_path_factory.mktemp("models") / "flow", "navier-stokes")
