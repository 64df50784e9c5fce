"""`python -m engine publish`: make a checkpoint of trained stages."""

import argparse
import json
from pathlib import Path
from typing import Any

from engine.errors import RequestError

HELP = "write a checkpoint (card and weights) from the trained stages of a preset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb; the request defaults that the card will carry among them."""
    parser.add_argument("dataset")
    parser.add_argument("--preset", default="fast")
    parser.add_argument(
        "--stage", help="which forecaster to take: forecaster (the default), direct, or dropout without interpolator"
    )
    parser.add_argument(
        "--interpolator-stage", default="interpolator", help="which interpolator to take: interpolator or calibration"
    )
    parser.add_argument("--folder", type=Path, help="folder of the training states")
    parser.add_argument("--out", type=Path, help="folder of the checkpoint")
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--schedule", help="(default: full, or 0 for a model without interpolator)")
    parser.add_argument("--solver", default="cold")
    parser.add_argument("--last-step", default="forecast")
    parser.add_argument("--noise", default="independent")
    parser.add_argument("--refine", action="store_true", help="interpolate all leads inside a window anew")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--notes", default="{}", help="JSON object to stand under training in the card")
    parser.add_argument("--scores", default="{}", help="JSON object to stand under scores in the card")
    parser.add_argument("--full-precision", action="store_true", help="keep 32-bit weights")


def run(arguments: argparse.Namespace) -> int:
    """Write the checkpoint and say where."""
    from engine.checkpoint import Defaults
    from engine.datasets import get_dataset
    from engine.models.presets import get_preset
    from engine.training.publish import publish

    dataset = get_dataset(arguments.dataset)
    alone = get_preset(dataset.name, arguments.preset).interpolator is None
    defaults = Defaults(
        steps=arguments.steps or dataset.default_steps,
        members=arguments.members,
        schedule=arguments.schedule or ("0" if alone else "full"),
        solver=arguments.solver,
        last_step=arguments.last_step,
        noise=arguments.noise,
        refine=arguments.refine,
        precision=arguments.precision,
    )
    card = publish(
        dataset,
        arguments.preset,
        defaults=defaults,
        stage=arguments.stage,
        interpolator_stage=arguments.interpolator_stage,
        folder=arguments.folder,
        notes=_json_object(arguments.notes),
        scores=_json_object(arguments.scores),
        target=arguments.out,
        half=not arguments.full_precision,
    )
    print(f"{card.name}: sha256 of the weights {card.weights_sha256}")
    return 0


def _json_object(text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise RequestError(f"{text!r} is no JSON object: write it as '{{\"seed\": 0}}'.")
    return read
