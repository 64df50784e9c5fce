"""`python -m engine models`: every preset is listed with its size and cost."""

import argparse
import json

import pytest
import torch
from torch import Tensor, nn

from engine.commands import models
from engine.datasets import DATASETS
from engine.models.cost import count_flops
from engine.models.presets import PRESETS


class HandCountable(nn.Module):
    """A 3 × 3 convolution from 2 to 4 channels and a matrix product of the time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.time = nn.Linear(1, 4)

    def forward(self, x: Tensor, time: Tensor, dropout: object = None) -> Tensor:
        return torch.relu(self.conv(x)) + self.time(time[:, None])[:, :, None, None]


def test_operations_of_a_network_counted_by_hand() -> None:
    # 5·6 cells, each 4 outputs of 2·9 multiply-adds; the time 1·4 multiply-adds; bias, relu, sum not counted
    assert count_flops(HandCountable(), (2, 5, 6)) == 2 * (5 * 6 * 4 * 2 * 9 + 4)


def test_operations_are_counted_without_memory() -> None:
    with torch.device("meta"):
        network = HandCountable()
    assert count_flops(network, (2, 500, 600)) == 2 * (500 * 600 * 4 * 2 * 9 + 4)


def test_every_preset_is_listed_once(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for row in _listed(["--json"], capsys) if row["kind"] == "preset"]
    assert [(row["dataset"], row["name"]) for row in rows] == list(PRESETS)
    for row in rows:
        known = row["dataset"] in DATASETS
        assert (row["forecaster_gflop"] is not None) == known
        assert row["forecaster_parameters"] > 0
        assert (row["interpolator_parameters"] is None) == (row["name"] == "dropout")


def test_the_table_shows_the_papers_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert models.run(_arguments([])) == 0
    shown = capsys.readouterr().out
    paper = [line for line in shown.splitlines() if line.startswith("paper")]
    assert any("10,270,147" in line and "10,270,339" in line for line in paper)
    assert any(line.count("478,532") == 2 for line in paper)


def test_a_data_set_can_be_singled_out(capsys: pytest.CaptureFixture[str]) -> None:
    rows = _listed(["--json", "--dataset", "spring-mesh"], capsys)
    assert {row["dataset"] for row in rows} == {"spring-mesh"}
    paper = next(row for row in rows if row["name"] == "paper")
    # each of the four layers: kernel² · channels · 64 multiply-adds in 100 cells, and the time's small products
    layers = 100 * 64 * (81 * 9 + (49 + 25 + 9) * 64)
    small = 64 * 128 + 128 * 128 + 4 * 128 * 128 + 100 * 64 * 4
    assert paper["forecaster_gflop"] == pytest.approx(2e-9 * (layers + small), rel=1e-12)


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    models.add_arguments(parser)
    return parser.parse_args(words)


def _listed(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict]:
    assert models.run(_arguments(words)) == 0
    return json.loads(capsys.readouterr().out)
