"""Generated runs in the user's data folder: read without xarray, for training and validation."""

import zipfile
from pathlib import Path

import numpy as np

from engine.datasets.base import Run
from engine.errors import DataError
from engine.folders import data_dir


def simulated_dir(dataset: str, split: str, integrator: str = "accurate") -> Path:
    """Where `python -m engine simulate` puts a split unless told otherwise."""
    return data_dir() / "simulated" / dataset / integrator / split


def simulated_files(folder: Path, limit: int | None = None) -> tuple[Path, ...]:
    """The finished runs in a folder, in order, at most `limit`."""
    return tuple(sorted(folder.glob("run_*.npz")))[:limit]


def load_simulated(path: Path) -> Run:
    """Read one generated run. Raises DataError where the file is damaged or of another form."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Run(path.stem, stored["states"], stored["static"], stored["times"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path.name} is not a readable simulated run ({error}): delete it and simulate again."
        ) from None
