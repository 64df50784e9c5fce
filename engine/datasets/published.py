"""Readers of the published nn-benchmark sets (Otness et al. 2021, arXiv:2108.07799), for those who have them.

A set is a folder with `trajectories.npz` and `system_meta.json`; the latter maps logical names (`field_keys`)
to arrays. Flat arrays run along y first: index i·(points in y) + j for the point at x = i, y = j.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.datasets.base import Run
from engine.errors import DataError

if TYPE_CHECKING:
    from engine.datasets.base import Dataset


def read_published(folder: Path, dataset: "Dataset") -> tuple[Run, ...]:
    """All trajectories of one published set, in its order, named by their index: "0", "1" …

    States are float32 (frame, channel, y, x): the logical p (velocity or momentum), then the logical q
    (pressure or position).

    Raises DataError if the folder is not such a set, or one of another system.
    """
    try:
        meta = json.loads((folder / "system_meta.json").read_text(encoding="utf-8"))
        if meta["system"] != dataset.name:
            raise DataError(f"{folder} holds the system {meta['system']!r}, not {dataset.name!r}; name another folder.")
        with np.load(folder / "trajectories.npz", allow_pickle=False) as arrays:
            return tuple(
                _read_trajectory(str(index), trajectory, arrays, dataset)
                for index, trajectory in enumerate(meta["trajectories"])
            )
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} has no {Path(error.filename).name}; name the folder that holds trajectories.npz."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{folder} is not a readable set of nn-benchmark ({error}); download it again.") from error


def _read_trajectory(
    name: str, trajectory: Mapping[str, Any], arrays: Mapping[str, np.ndarray], dataset: "Dataset"
) -> Run:
    keys: Mapping[str, str] = trajectory["field_keys"]
    size_y, size_x = (axis.values.size for axis in dataset.axes)

    def on_grid(flat: np.ndarray) -> np.ndarray:
        """(…, point, component) -> (…, component, y, x)."""
        grid = flat.reshape(*flat.shape[:-2], size_x, size_y, flat.shape[-1])
        return np.moveaxis(grid, (-3, -2, -1), (-1, -2, -3)).astype(np.float32)

    p, q = arrays[keys["p"]], arrays[keys["q"]]
    times = arrays[keys["t"]].astype(np.float64)
    states = on_grid(np.concatenate([p, q.reshape(*p.shape[:2], -1)], axis=-1))
    static = on_grid(_masks(keys, arrays, len(dataset.static_channels)))
    if states.shape != (len(times), len(dataset.channels), size_y, size_x):
        raise ValueError(f"trajectory {name} has states of shape {states.shape}")
    return Run(name=name, states=states, static=static, times=times, attributes={"source": "nn-benchmark"})


def _masks(keys: Mapping[str, str], arrays: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """(point, mask): the fixed particles, or the fixed cells and those inside an obstacle."""
    if count == 1:
        return arrays[keys["fixed_mask"]].reshape(-1, 1)
    if "extra_fixed_mask" in keys:
        return arrays[keys["extra_fixed_mask"]][:, :count]
    # Sets with one obstacle keep the two masks apart; pressure is held inside the obstacle only.
    return np.stack([arrays[keys["fixed_mask"]].reshape(-1), arrays[keys["fixed_mask_q"]].reshape(-1)], axis=-1)
