"""Ready-made networks per data set.

`fast`: interactive, with a forecaster that draws noise and is trained with the CRPS. `published`: as fast, with the
recipe of arXiv 2306.01984, whose only randomness is the interpolator's dropout. `dropout`: that paper's rival, a
time-conditioned forecaster without an interpolator. `paper`: the paper's own networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import RequestError

Conditioning = Literal["none", "data", "data+noise"]
OutputFormName = Literal["absolute", "linear", "root"]


@dataclass(frozen=True)
class NetworkSpec:
    """A network family and the keyword arguments that build it."""

    family: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Preset:
    """A pair of networks and how they are wired; see `engine.models.dynamics` for the terms.

    Without an interpolator the forecaster is asked for every lead, its dropout on. keeps_dropout: whether the
    forecaster's dropout stays on in forecasts of a pair too.
    """

    forecaster: NetworkSpec
    interpolator: NetworkSpec | None
    output_form: OutputFormName
    normalised: bool
    conditioning: Conditioning = "none"
    auxiliary_steps: int = 0
    side_inputs: bool = True
    keeps_dropout: bool = False


_FLOW_FAST = {"out_channels": 3, "widths": [48, 80, 104], "dropout": 0.15, "time_width": 64}
_MESH_FAST = {"out_channels": 4, "width": 64, "blocks": 2, "dropout": 0.05, "time_width": 64}
_FLOW_PAPER = {"out_channels": 3, "dim": 64, "size": 256, "dropout": 0.15}
_MESH_PAPER = {"in_channels": 9, "out_channels": 4, "dim": 64, "kernels": [9, 7, 5, 3]}
_DAILY_FAST = {"out_channels": 1, "widths": [32, 48, 64], "dropout": 0.2, "time_width": 64}
_MONTHLY_FAST = {"out_channels": 1, "widths": [32, 48, 64], "dropout": 0.2, "time_width": 64}
_SST_PAPER = {"in_channels": 2, "out_channels": 1, "dim": 64, "multiples": [1, 2, 4]}

PRESETS: dict[tuple[str, str], Preset] = {
    ("navier-stokes", "fast"): Preset(
        NetworkSpec("unet", {"in_channels": 8, **_FLOW_FAST}),
        NetworkSpec("unet", {"in_channels": 8, **_FLOW_FAST}),
        output_form="root",
        normalised=True,
        conditioning="data+noise",
        keeps_dropout=True,
    ),
    ("navier-stokes", "published"): Preset(
        NetworkSpec("unet", {"in_channels": 5, **_FLOW_FAST}),
        NetworkSpec("unet", {"in_channels": 8, **_FLOW_FAST}),
        output_form="root",
        normalised=True,
    ),
    ("navier-stokes", "dropout"): Preset(
        NetworkSpec("unet", {"in_channels": 5, **_FLOW_FAST, "dropout": 0.3}),
        None,
        output_form="root",
        normalised=True,
    ),
    ("spring-mesh", "fast"): Preset(
        NetworkSpec("convnet", {"in_channels": 9, **_MESH_FAST}),
        NetworkSpec("convnet", {"in_channels": 9, **_MESH_FAST}),
        output_form="linear",
        normalised=True,
        conditioning="data+noise",
        keeps_dropout=True,
    ),
    ("spring-mesh", "published"): Preset(
        NetworkSpec("convnet", {"in_channels": 5, **_MESH_FAST}),
        NetworkSpec("convnet", {"in_channels": 9, **_MESH_FAST}),
        output_form="linear",
        normalised=True,
    ),
    ("spring-mesh", "dropout"): Preset(
        NetworkSpec("convnet", {"in_channels": 5, **_MESH_FAST}), None, output_form="linear", normalised=True
    ),
    ("navier-stokes", "paper"): Preset(
        NetworkSpec("paper-unet", {"in_channels": 5, **_FLOW_PAPER}),
        NetworkSpec("paper-unet", {"in_channels": 8, **_FLOW_PAPER}),
        output_form="absolute",
        normalised=False,
    ),
    ("spring-mesh", "paper"): Preset(
        NetworkSpec("paper-convnet", {**_MESH_PAPER, "dropout": 0.0}),
        NetworkSpec("paper-convnet", {**_MESH_PAPER, "dropout": 0.05}),
        output_form="absolute",
        normalised=False,
        conditioning="data",
    ),
    ("sst-daily", "paper"): Preset(
        NetworkSpec(
            "paper-resunet",
            {**_SST_PAPER, "first_dropout": 0.0, "second_dropout": 0.3, "attention_dropout": 0.1},
        ),
        NetworkSpec(
            "paper-resunet",
            {**_SST_PAPER, "first_dropout": 0.2, "second_dropout": 0.6, "attention_dropout": 0.6},
        ),
        output_form="absolute",
        normalised=True,
        conditioning="data+noise",
        auxiliary_steps=25,
        side_inputs=False,
    ),
    ("sst-daily", "fast"): Preset(
        NetworkSpec("unet", {"in_channels": 7, **_DAILY_FAST, "dropout": 0.0}),  # its noise is an input
        NetworkSpec("unet", {"in_channels": 7, **_DAILY_FAST}),
        output_form="root",
        normalised=True,
        conditioning="data+noise",
        auxiliary_steps=25,
    ),
    ("sst-daily", "dropout"): Preset(
        NetworkSpec("unet", {"in_channels": 6, **_DAILY_FAST, "dropout": 0.4}),
        None,
        output_form="root",
        normalised=True,
    ),
    ("sst-monthly", "dropout"): Preset(
        NetworkSpec("unet", {"in_channels": 6, **_MONTHLY_FAST, "dropout": 0.4}),
        None,
        output_form="root",
        normalised=True,
    ),
    ("sst-monthly", "fast"): Preset(
        NetworkSpec("unet", {"in_channels": 7, **_MONTHLY_FAST, "dropout": 0.0}),  # its noise is an input
        NetworkSpec("unet", {"in_channels": 7, **_MONTHLY_FAST}),
        output_form="root",
        normalised=True,
        conditioning="data+noise",
    ),
}


def get_preset(dataset: str, preset: str) -> Preset:
    """The preset. Raises RequestError, naming those of the data set."""
    if (dataset, preset) not in PRESETS:
        known = [name for owner, name in PRESETS if owner == dataset]
        raise RequestError(f"{dataset} has no preset {preset!r}; choose one of {', '.join(known) or 'none'}.")
    return PRESETS[dataset, preset]
