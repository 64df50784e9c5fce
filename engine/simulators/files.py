"""Generated runs in the user's data folder, one compressed file of arrays each."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import DataError
from engine.folders import data_dir
from engine.simulators.run import SimulatedRun


def simulated_dir(dataset: str, *, split: str, integrator: str = "accurate") -> Path:
    """Where the simulated runs of a split lie unless another folder is named."""
    return data_dir() / "simulated" / dataset / integrator / split


def simulated_files(folder: Path, limit: int | None = None) -> tuple[Path, ...]:
    """The finished runs in a folder, in order, at most `limit`."""
    return tuple(sorted(folder.glob("run_*.npz")))[:limit]


def write_simulated(path: Path, run: SimulatedRun) -> None:
    """Store a run as compressed arrays; the file appears under its name only when it is whole."""
    arrays: dict[str, Any] = {
        "states": run.states,
        "static": run.static,
        "times": run.times,
        "seed": np.int64(run.seed),
    }
    optional = {"obstacles": run.obstacles, "fine_states": run.fine_states, "fine_times": run.fine_times}
    arrays |= {name: array for name, array in optional.items() if array is not None}
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        os.replace(partial, path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); free some space or name another folder."
        ) from error


def read_simulated(path: Path) -> SimulatedRun:
    """A stored run, every array checked against its checksum.

    Raises DataError if the file is absent, damaged or of another form.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return SimulatedRun(
            states=arrays["states"],
            static=arrays["static"],
            times=arrays["times"],
            seed=int(arrays["seed"]),
            obstacles=arrays.get("obstacles"),
            fine_states=arrays.get("fine_states"),
            fine_times=arrays.get("fine_times"),
        )
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not a readable simulated run; delete it and run the simulation again.") from error
