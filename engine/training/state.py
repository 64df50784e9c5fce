"""A training run on disk: everything that continuing needs, as one safetensors file that nothing unpickles."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.errors import DataError
from engine.folders import data_dir


@dataclass
class Counters:
    """How far a training run has come, and its best validation score."""

    steps: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    history: list[tuple[float, float]] = field(default_factory=list)


@dataclass(eq=False)
class TrainingState:
    """Network, optimiser, exponential moving average, best average so far, random generators and counters."""

    network: nn.Module
    optimiser: torch.optim.AdamW
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    generator: torch.Generator
    counters: Counters = field(default_factory=Counters)


def training_folder(dataset: str, preset: str) -> Path:
    """Where the training states of a preset lie."""
    return data_dir() / "training" / f"{dataset}-{preset}"


def save_state(path: Path, state: TrainingState) -> None:
    """Write the state in one rename, so that a kill leaves the earlier one."""
    tensors: dict[str, Tensor] = {
        "rng.batches": state.generator.get_state(),
        "rng.dropout": torch.get_rng_state(),
    }
    for prefix, named in (
        ("network", state.network.state_dict()),
        ("average", state.average),
        ("best", state.best),
    ):
        tensors |= {f"{prefix}.{name}": tensor for name, tensor in named.items()}
    for index, slots in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{slot}": value for slot, value in slots.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    contiguous = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, temporary, metadata={"counters": json.dumps(asdict(state.counters))})
    os.replace(temporary, path)


def load_state(path: Path, state: TrainingState) -> None:
    """Fill `state` from the file. Raises DataError where it is damaged or of another network."""
    tensors, counters = _read(path)
    try:
        state.network.load_state_dict(_part(tensors, "network"))
        state.average, state.best = _part(tensors, "average"), _part(tensors, "best")
        _load_optimiser(state.optimiser, _part(tensors, "optimiser"))
        state.generator.set_state(tensors["rng.batches"])
        torch.set_rng_state(tensors["rng.dropout"])
        state.counters = Counters(**counters)
    except (KeyError, RuntimeError, TypeError) as error:
        raise DataError(
            f"The training state {path.name} is of another network: train without --resume ({error})."
        ) from None


def load_best(path: Path) -> tuple[dict[str, Tensor], Counters]:
    """The best averaged weights of a training run. Raises DataError where there are none."""
    if not path.exists():
        raise DataError(f"There is no training state {path.stem!r} yet: train that stage first.")
    tensors, counters = _read(path)
    return _part(tensors, "best"), Counters(**counters)


def _read(path: Path) -> tuple[dict[str, Tensor], dict]:
    try:
        with safe_open(path, "pt") as stored:
            counters = json.loads(stored.metadata()["counters"])
            return {name: stored.get_tensor(name) for name in stored.keys()}, counters  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"The training state {path.name} cannot be read: train without --resume ({error}).") from None


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}


def _load_optimiser(optimiser: torch.optim.AdamW, slots: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in slots.items():
        index, slot = name.split(".", 1)
        state.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
