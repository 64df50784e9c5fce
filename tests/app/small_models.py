"""Small checkpoints as the page finds them: several of a data set, with titles, rivals without an interpolator."""

import json
from pathlib import Path
from typing import Any

from engine.checkpoint import CARD_FILE, load_card
from engine.fronts import FrontPoint
from engine.requests import ForecastRequest, ResolvedRequest, calls_per_member, resolve
from tests.app.fakes import FakeEngine
from tests.engine.conftest import save_small_checkpoint

TITLES = {"fast": "DYffusion, calibrated", "published": "DYffusion, recipe of the paper", "dropout": "Dropout"}

CHEAP = FrontPoint("stride134", "cold", "forecast", "window", True, 134, 0.02, 0.7, 4, 10, "validation")
MIDDLE = FrontPoint("0,20,90", "heun", "forecast", "0.5", False, 150, 0.012, 1.3, 4, 10, "validation")
BEST = FrontPoint("stride4", "cold", "forecast", "independent", False, 199, 0.009, 0.98, 4, 10, "validation")
BEATEN = FrontPoint("stride2", "cold", "forecast", "step", False, 265, 0.011, 0.95, 4, 10, "validation")
"""Measured ways to sample a model of the spring mesh, whose window has 134 steps."""


class RealRequests(FakeEngine):
    """An engine without networks that knows the models, and what their requests cost."""

    def resolve(self, request: ForecastRequest) -> ResolvedRequest:
        return resolve(request)

    def calls_per_member(self, request: ResolvedRequest) -> int:
        return calls_per_member(request)


def save_model(folder: Path, dataset: str, preset: str, **defaults: Any) -> str:
    """A checkpoint of a preset in the folder of checkpoints, "dropout" without an interpolator; returns its name."""
    name = f"{dataset}-{preset}"
    rival = {"schedule": "0"} if preset == "dropout" else {}
    save_small_checkpoint(folder / name, dataset, **(rival | defaults))
    path = folder / name / CARD_FILE
    card = json.loads(path.read_text(encoding="utf-8")) | {"preset": preset, "title": TITLES[preset]}
    if preset == "dropout":
        card["interpolator"] = None
    path.write_text(json.dumps(card), encoding="utf-8")
    assert load_card(folder / name).preset == preset
    return name
