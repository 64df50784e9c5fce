"""List the networks: presets to train and checkpoints to forecast with."""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.models.cost import Described

HELP = "list presets and checkpoints with their parameters and cost"


@dataclass(frozen=True)
class Row:
    """One pair of networks; `…_gflop` per member and call is None where the data set's grid is not known."""

    name: str
    kind: str
    dataset: str
    family: str
    forecaster_parameters: int
    interpolator_parameters: int | None
    forecaster_gflop: float | None
    interpolator_gflop: float | None
    bytes_on_disk: int | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `models`."""
    parser.add_argument("--dataset", help="only this data set's networks")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Print one line per preset and checkpoint. Raises CheckpointError on a bad model card."""
    rows = [row for row in (*presets(), *checkpoints()) if arguments.dataset in (None, row.dataset)]
    print(json.dumps([asdict(row) for row in rows], indent=1) if arguments.json else table(rows))
    return 0


def presets() -> Iterator[Row]:
    """Yield a row for every preset."""
    from engine.models.presets import PRESETS

    for (dataset, name), preset in PRESETS.items():
        yield _row(name, "preset", dataset, preset.forecaster, preset.interpolator, None)


def checkpoints() -> Iterator[Row]:
    """Yield a row for every checkpoint that comes with the project."""
    from engine.checkpoint import list_checkpoints, load_card
    from engine.folders import checkpoints_dir

    for name in list_checkpoints():
        card = load_card(name)
        size = sum(file.stat().st_size for file in (checkpoints_dir() / name).iterdir() if file.is_file())
        yield _row(name, "checkpoint", card.dataset, card.forecaster, card.interpolator, size)


def table(rows: Iterable[Row]) -> str:
    """Return the rows as aligned columns under their headings; F is the forecaster, I the interpolator."""
    headings = (
        "name",
        "kind",
        "data set",
        "family",
        "parameters F",
        "parameters I",
        "GFLOP F",
        "GFLOP I",
        "on disk",
    )
    lines = [headings, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    body = ("  ".join(_padded(line, widths)).rstrip() for line in lines)
    note = "F: forecaster, I: interpolator; GFLOP per member and call, a multiply-add counted as two."
    return "\n".join((*body, "", note))


def _row(
    name: str, kind: str, dataset: str, forecaster: "Described", interpolator: "Described | None", size: int | None
) -> Row:
    from engine.models.cost import parameters

    return Row(
        name=name,
        kind=kind,
        dataset=dataset,
        family=forecaster.family,
        forecaster_parameters=parameters(forecaster),
        interpolator_parameters=None if interpolator is None else parameters(interpolator),
        forecaster_gflop=_gflop(forecaster, dataset),
        interpolator_gflop=None if interpolator is None else _gflop(interpolator, dataset),
        bytes_on_disk=size,
    )


def _gflop(network: "Described", dataset: str) -> float | None:
    from engine.datasets import DATASETS
    from engine.models.cost import call_flops

    if dataset not in DATASETS:
        return None
    y, x = DATASETS[dataset].axes
    return call_flops(network, (len(y.values), len(x.values))) / 1e9


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        row.kind,
        row.dataset,
        row.family,
        f"{row.forecaster_parameters:,}",
        "–" if row.interpolator_parameters is None else f"{row.interpolator_parameters:,}",
        "–" if row.forecaster_gflop is None else f"{row.forecaster_gflop:.3f}",
        "–" if row.interpolator_gflop is None else f"{row.interpolator_gflop:.3f}",
        "–" if row.bytes_on_disk is None else f"{row.bytes_on_disk / 1e6:.1f} MB",
    )


def _padded(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Yield words flush left, then, from the fifth column on, numbers flush right."""
    for column, (cell, width) in enumerate(zip(line, widths, strict=True)):
        yield cell.rjust(width) if column >= 4 else cell.ljust(width)
