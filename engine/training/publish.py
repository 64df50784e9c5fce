"""From training states to a committed checkpoint: the best averaged weights of both stages and their card."""

import platform
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.checkpoint import Defaults, ModelCard, NetworkCard, Normalization, save_checkpoint
from engine.datasets.base import Dataset
from engine.errors import RequestError
from engine.folders import checkpoints_dir
from engine.models.presets import NetworkSpec, Preset, get_preset
from engine.requests import ResolvedRequest, schedule_of
from engine.training.loop import normalisation
from engine.training.stages import STAGES
from engine.training.state import Counters, load_best, training_folder

TITLES = {
    "fast": "DYffusion, calibrated",
    "published": "DYffusion, recipe of the paper",
    "dropout": "Dropout, one network without interpolator",
}
"""What the page calls the models of a preset."""


def publish(
    dataset: Dataset,
    preset: str,
    *,
    defaults: Defaults,
    stage: str | None = None,
    interpolator_stage: str = "interpolator",
    folder: Path | None = None,
    notes: dict[str, Any] | None = None,
    scores: dict[str, Any] | None = None,
    target: Path | None = None,
    half: bool = True,
) -> ModelCard:
    """Write checkpoints/<dataset>-<preset> from the training folder; returns the card.

    `stage` says which forecaster to take, "forecaster" (stage two, the default) or "direct", or "dropout" in a preset
    without interpolator; `interpolator_stage` which interpolator, "interpolator" (stage one) or "calibration".

    Raises: DataError where a stage has not been trained, RequestError for one of the other network or for defaults that
    the model cannot run with.
    """
    folder = folder or training_folder(dataset.name, preset)
    wiring = get_preset(dataset.name, preset)
    stage = stage or ("forecaster" if wiring.interpolator else "dropout")
    _check_stage(stage, "forecaster")
    _check_stage(interpolator_stage, "interpolator")
    forecaster, counters = load_best(folder / f"{stage}.safetensors")
    interpolator, between = _interpolator(wiring, folder / f"{interpolator_stage}.safetensors")
    mean, std = normalisation(dataset, wiring, (), folder)
    climatology = None if dataset.calendar is None else dataset.background(dataset.training_runs("train", limit=1)[0])
    card = ModelCard(
        name=f"{dataset.name}-{preset}",
        title=TITLES.get(preset, f"DYffusion ({preset})"),
        dataset=dataset.name,
        preset=preset,
        horizon=dataset.horizon,
        auxiliary_steps=wiring.auxiliary_steps,
        conditioning=wiring.conditioning,
        forecaster=NetworkCard(wiring.forecaster.family, dict(wiring.forecaster.config)),
        interpolator=_network_card(wiring.interpolator),
        normalization=Normalization(mean, std),
        output_form=wiring.output_form,
        side_inputs=wiring.side_inputs,
        keeps_dropout=wiring.keeps_dropout,
        defaults=defaults,
        training={
            "date": date.today().isoformat(),
            "hardware": f"{platform.machine()}, {torch.get_num_threads()} threads, {_device_name()}",
            **({} if between is None else _started(folder, interpolator_stage)),
            **({} if between is None else {"interpolator": {"stage": interpolator_stage, **_described(between)}}),
            **_started(folder, stage),
            "forecaster": {"stage": stage, **_described(counters)},
            **({} if climatology is None else {"baseline": climatology.baseline}),
            **(notes or {}),
        },
        scores=scores or {},
    )
    schedule_of(ResolvedRequest(dataset.name, schedule=defaults.schedule), card)
    target = target or checkpoints_dir() / card.name
    return save_checkpoint(target, card, forecaster, interpolator, background=climatology, half=half)


def _check_stage(stage: str, part: str) -> None:
    fitting = [name for name, each in STAGES.items() if each.trains == part]
    if stage not in fitting:
        raise RequestError(f"The stage {stage!r} trains no {part}: choose {', '.join(fitting)}.")


def _network_card(spec: NetworkSpec | None) -> NetworkCard | None:
    return None if spec is None else NetworkCard(spec.family, dict(spec.config))


def _interpolator(wiring: Preset, path: Path) -> tuple[dict[str, Tensor], Counters | None]:
    """The interpolator's weights and how far it was trained; nothing where the preset has none."""
    return load_best(path) if wiring.interpolator else ({}, None)


def _started(folder: Path, stage: str) -> dict[str, Any]:
    """The stage that this one went on from, whose minutes count too; nothing where it began with random weights."""
    trains = STAGES[stage].trains
    for first in filter(None, (STAGES[stage].starts_from, *STAGES[stage].needs)):
        path = folder / f"{first}.safetensors"
        if STAGES[first].trains == trains and path.exists():
            return {f"{trains}_start": {"stage": first, **_described(load_best(path)[1])}}
    return {}


def _described(counters: Counters) -> dict[str, Any]:
    return {
        "steps": counters.steps,
        "minutes": round(counters.seconds / 60, 1),
        "validation_crps_normalised": round(counters.best, 5),
    }


def _device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
