"""The bundled runs on disk: which there are, each opened once per process; and what data sets of such runs share."""

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from engine.datasets.background import Background, constant_background
from engine.datasets.base import InitialCondition, Run, ordered_initial_conditions
from engine.errors import DataError
from engine.folders import bundled_dir

if TYPE_CHECKING:
    from engine.datasets.base import Dataset

_OPENED: dict[tuple[str, str], Run] = {}
_RUN_FILE = re.compile(r"(test|ood)-(\d+)\.nc")


@lru_cache
def test_runs(dataset: str) -> tuple[str, ...]:
    """Names of the bundled test runs, in order."""
    return tuple(name for name in bundled_runs(dataset) if not name.startswith("ood-"))


@lru_cache
def bundled_runs(dataset: str) -> tuple[str, ...]:
    """Names of the bundled runs: `"0"`, `"1"` … of the test split, then `"ood-0"` …"""
    found = [match for path in (bundled_dir() / dataset).glob("*.nc") if (match := _RUN_FILE.fullmatch(path.name))]
    ordered = sorted(found, key=lambda match: (match[1] == "ood", int(match[2])))
    return tuple(match[2] if match[1] == "test" else f"ood-{match[2]}" for match in ordered)


def run_path(dataset: str, run: str) -> Path:
    """The file of a bundled run."""
    return bundled_dir() / dataset / (f"{run}.nc" if run.startswith("ood-") else f"test-{run}.nc")


def load_bundled(dataset: "Dataset", run: str) -> Run:
    """A bundled run, kept in memory once read. Raises DataError where there is none of that name."""
    if run not in bundled_runs(dataset.name):
        raise DataError(f"{dataset.name} has no run {run!r}; it has {', '.join(bundled_runs(dataset.name)) or 'none'}.")
    key = (dataset.name, run)
    if key not in _OPENED:
        from engine.datasets.netcdf import read_run  # training does without xarray and netCDF4

        _OPENED[key] = read_run(run_path(dataset.name, run), dataset)
    return _OPENED[key]


class SimulatedRuns:
    """The part of a data set that is the same for all simulated ones, whose test runs come with the project."""

    name: str
    frames: int
    starts: tuple[int, ...]
    calendar = None
    remedy = "restore the data folder"
    start_oversampling = 0.15  # the spin-up is one window start of many, yet every forecast of it counts

    def runs(self) -> tuple[str, ...]:
        """Names of the bundled runs: the test split, then those out of distribution."""
        return bundled_runs(self.name)

    def load(self: "Dataset", run: str) -> Run:
        """The named run. Raises DataError where it is unknown or its file is absent or damaged."""
        return load_bundled(self, run)

    def initial_conditions(self) -> tuple[InitialCondition, ...]:
        """Those of the test split: frame 0 of each run first, then run-major through the frames."""
        return ordered_initial_conditions(test_runs(self.name), self.frames)

    def training_runs(
        self: "Dataset", split: str, *, folder: Path | None = None, limit: int | None = None
    ) -> tuple[Run, ...]:
        """Generated runs of a split. Raises DataError where there are none, naming the command that makes them."""
        from engine.datasets.simulated import load_simulated
        from engine.simulators.files import simulated_dir, simulated_files

        paths = simulated_files(folder or simulated_dir(self.name, split=split), limit)
        if not paths:
            raise DataError(
                f"There are no {split} runs of {self.name} in the data folder: "
                f"make them with python -m engine simulate {self.name} --split {split}."
            )
        return tuple(load_simulated(path) for path in paths)

    def scored_starts(self, split: str, run: Run) -> tuple[int, ...]:
        """The same frames of every run."""
        return self.starts

    def scored(self, run: Run) -> np.ndarray:
        """Cells that the first static field, "fixed", leaves free."""
        return run.static[0] == 0

    def season(self, time: float) -> float:
        """Nothing depends on the season."""
        return 0.0

    def background(self: "Dataset", run: Run) -> Background:
        """Nothing is taken off before a network sees a state."""
        return constant_background(np.zeros((len(self.channels), 1, 1)))

    def side_inputs(self, static: Tensor, season: Tensor) -> Tensor:
        """The static fields."""
        return static
