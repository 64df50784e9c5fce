"""Checkpoints with random weights: every preset makes one, and the same seed the same."""

from pathlib import Path

import pytest

from engine.checkpoint import load_card
from engine.datasets import get_dataset
from engine.models.presets import PRESETS
from engine.random_weights import save_random_checkpoint
from engine.requests import ForecastRequest, resolve


@pytest.mark.parametrize(("dataset", "preset"), PRESETS)
def test_every_preset_can_be_measured_before_it_is_trained(dataset: str, preset: str, tmp_path: Path) -> None:
    model = save_random_checkpoint(tmp_path / "model", dataset, preset)
    assert load_card(model).preset == preset
    if not get_dataset(dataset).runs():
        pytest.skip(f"The data of {dataset} are not here.")
    resolved = resolve(ForecastRequest(dataset, model=model))
    assert (resolved.steps, resolved.members) == (get_dataset(dataset).horizon, 4)


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    names = [
        save_random_checkpoint(tmp_path / str(index), "spring-mesh", "paper", seed=seed)
        for index, seed in enumerate((0, 0, 1))
    ]
    digests = [load_card(name).weights_sha256 for name in names]
    assert digests[0] == digests[1] != digests[2]
