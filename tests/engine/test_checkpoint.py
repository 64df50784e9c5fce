"""Model cards are strict, weights are verified, and a damaged checkpoint is refused in one sentence."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

import engine.checkpoint as checkpoint
from engine.checkpoint import Defaults, ModelCard, NetworkCard, Normalization
from engine.errors import CheckpointError

CARD = ModelCard(
    name="toy-fast",
    title="A toy",
    dataset="toy",
    preset="fast",
    horizon=16,
    auxiliary_steps=0,
    conditioning="none",
    forecaster=NetworkCard("unet", {"width": 4, "multipliers": [1, 2]}),
    interpolator=NetworkCard("unet", {"width": 4}),
    normalization=Normalization(mean=(0.5, 0.0), std=(1.0, 2.5)),
    output_form="linear",
    side_inputs=True,
    keeps_dropout=False,
    defaults=Defaults(64, 20, "only_dynamics", "cold", "forecast", "independent", True, "fp32"),
    training={"data": "toy runs", "minutes": 3.5},
    scores={"crps": 0.06},
)
FORECASTER = {
    "conv.weight": torch.linspace(-1, 1, 12).reshape(3, 4),
    "conv.bias": torch.tensor([0.1, 0.2, 0.3]),
}
INTERPOLATOR = {"conv.weight": torch.full((2, 2), 1 / 3), "norm.count": torch.tensor(7)}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "toy-fast"
    checkpoint.save_checkpoint(folder, CARD, FORECASTER, INTERPOLATOR, half=False)
    return folder


def edit_card(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    fields = json.loads((folder / checkpoint.CARD_FILE).read_text())
    change(fields)
    (folder / checkpoint.CARD_FILE).write_text(json.dumps(fields))


def test_a_checkpoint_comes_back_as_it_was_saved(saved: Path) -> None:
    loaded = checkpoint.load_checkpoint(saved)
    assert replace(loaded.card, weights_sha256="") == CARD
    for part, original in ((loaded.forecaster, FORECASTER), (loaded.interpolator, INTERPOLATOR)):
        assert part.keys() == original.keys()
        assert all(torch.equal(part[name], original[name]) for name in original)


def test_half_precision_rounds_kernels_keeps_vectors_and_loads_as_float32(tmp_path: Path) -> None:
    card = checkpoint.save_checkpoint(tmp_path / "half", CARD, FORECASTER, INTERPOLATOR, half=True)
    loaded = checkpoint.load_checkpoint(tmp_path / "half")
    assert card.weights_dtype == "float16"
    assert loaded.forecaster["conv.weight"].dtype == torch.float32
    assert torch.equal(loaded.interpolator["conv.weight"], torch.full((2, 2), 1 / 3).half().float())
    assert torch.equal(loaded.forecaster["conv.bias"], FORECASTER["conv.bias"])
    assert loaded.interpolator["norm.count"].item() == 7


@pytest.mark.parametrize(("value", "half"), [(1e6, True), (float("nan"), False)])
def test_weights_that_would_be_stored_as_infinity_or_nan_are_refused(tmp_path: Path, value: float, half: bool) -> None:
    with pytest.raises(CheckpointError, match=r"forecaster\.w is not finite"):
        checkpoint.save_checkpoint(tmp_path / "x", CARD, {"w": torch.full((2, 2), value)}, INTERPOLATOR, half=half)
    assert not (tmp_path / "x").exists()


def test_tensors_that_share_memory_are_saved(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    checkpoint.save_checkpoint(tmp_path / "x", CARD, {"a": base[:4], "b": base[2:]}, INTERPOLATOR)
    assert torch.equal(checkpoint.load_checkpoint(tmp_path / "x").forecaster["b"], base[2:])


def test_saving_over_a_checkpoint_leaves_no_temporary_files(saved: Path) -> None:
    checkpoint.save_checkpoint(saved, CARD, INTERPOLATOR, FORECASTER)
    assert sorted(path.name for path in saved.iterdir()) == ["card.json", "weights.safetensors"]
    assert "norm.count" in checkpoint.load_checkpoint(saved).forecaster


def test_the_digest_follows_weights_and_normalization_but_not_title_or_defaults(saved: Path) -> None:
    card = checkpoint.load_card(saved)
    same = replace(card, title="Another", scores={}, defaults=replace(card.defaults, members=3))
    others = (
        replace(card, weights_sha256="0" * 64),
        replace(card, normalization=Normalization((0.5, 0.0), (1.0, 2.6))),
        replace(card, forecaster=NetworkCard("unet", {"width": 5, "multipliers": [1, 2]})),
        replace(card, horizon=17),
    )
    assert same.digest == card.digest
    assert len({card.digest, *(other.digest for other in others)}) == 5
    assert checkpoint.load_checkpoint(saved).digest == card.digest


def test_truncated_weights_are_refused(saved: Path) -> None:
    weights = saved / checkpoint.WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match="toy-fast do not have the sha256"):
        checkpoint.load_checkpoint(saved)


def test_missing_weights_are_refused(saved: Path) -> None:
    (saved / checkpoint.WEIGHTS_FILE).unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load_checkpoint(saved)


@pytest.mark.parametrize("foreign", [b"\x80\x04pickle", save({"forecaster.w": torch.ones(2), "other": torch.ones(1)})])
def test_foreign_weights_are_refused_even_if_the_card_vouches_for_them(saved: Path, foreign: bytes) -> None:
    (saved / checkpoint.WEIGHTS_FILE).write_bytes(foreign)
    edit_card(saved, lambda card: card.update(weights_sha256=hashlib.sha256(foreign).hexdigest()))
    with pytest.raises(CheckpointError, match=r"not a safetensors file|must be named forecaster"):
        checkpoint.load_checkpoint(saved)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda card: card.update(version=2), "version 2; this version reads 1"),
        (lambda card: card.update(format="other"), "format 'other'"),
        (lambda card: card.pop("horizon"), "no field 'horizon'"),
        (lambda card: card.update(extra=1), "unknown field.* 'extra'"),
        (lambda card: card.update(horizon=True), "'horizon' .* must be a int, not True"),
        (lambda card: card.update(horizon=0), "at least 1, not 0"),
        (lambda card: card.update(title=3), "'title' .* must be a str"),
        (lambda card: card.update(conditioning="noise"), "one of none, data, data\\+noise"),
        (lambda card: card.update(conditioning="data+noise", interpolator=None), "draws no noise"),
        (lambda card: card.update(weights_sha256="abc"), "not a sha256"),
        (lambda card: card["defaults"].pop("noise"), "defaults has no field 'noise'"),
        (lambda card: card["forecaster"].update(code="x"), "forecaster has unknown field"),
        (lambda card: card["normalization"].update(std=[1.0, 0.0]), "positive std"),
        (lambda card: card["normalization"].update(std=[1.0]), "one mean and one positive std per channel"),
        (lambda card: card["normalization"].update(mean=[1.0, float("nan")]), "list of numbers"),
    ],
)
def test_a_card_that_is_not_exactly_of_this_version_is_refused(
    saved: Path, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    edit_card(saved, change)
    with pytest.raises(CheckpointError, match=sentence):
        checkpoint.load_card(saved)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"format": 1}'])
def test_text_that_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError):
        ModelCard.from_json(text)


def test_checkpoints_are_found_by_name_with_the_default_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "checkpoints_dir", lambda: tmp_path)
    assert checkpoint.list_checkpoints() == ()
    for name, dataset in (("a-toy", "toy"), ("toy-fast", "toy"), ("other-fast", "other")):
        checkpoint.save_checkpoint(tmp_path / name, replace(CARD, name=name, dataset=dataset), FORECASTER, INTERPOLATOR)
    assert checkpoint.list_checkpoints("toy") == ("toy-fast", "a-toy")
    assert checkpoint.list_checkpoints() == ("other-fast", "toy-fast", "a-toy")
    assert checkpoint.load_card("a-toy").name == "a-toy"
    with pytest.raises(CheckpointError, match="no checkpoint 'b'; there are: a-toy, other-fast, toy-fast"):
        checkpoint.load_checkpoint("b")
    (tmp_path / "a-toy").rename(tmp_path / "renamed")
    with pytest.raises(CheckpointError, match="calls itself a-toy"):
        checkpoint.load_card("renamed")


@pytest.mark.parametrize("name", ["..", "", ".hidden", "a b"])
def test_a_name_cannot_lead_out_of_the_folder_of_checkpoints(name: str) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoint.load_card(name)
