"""Runs as CF netCDF files: one file per run, fields packed into 16-bit integers.

The packing step is a power of two and so is exact in floating point: zeros on walls and inside obstacles and
the whole numbers of a lattice at rest come back exactly.
"""

import json
import math
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import xarray as xr

from engine.datasets.base import Run
from engine.errors import DataError

if TYPE_CHECKING:
    from engine.datasets.base import Dataset

NETCDF_LOCK = threading.RLock()
"""Held around every open, read and close: two threads in the netCDF library at once crash the process."""

FINEST_STEP = 1.0 / 65532.0
"""The smallest packing step, as a part of a variable's range, that 16 bits can always hold."""

BETWEEN = 8
"""How much coarser states between the frames are stored: they are the truth of fractional leads alone."""

_LICENSE = "Apache-2.0"
_FILL = -32768
_OBSTACLE_FIELDS = (
    ("obstacle_x", "centre of the obstacle along the channel"),
    ("obstacle_y", "centre of the obstacle across the channel"),
    ("obstacle_radius", "radius of the obstacle"),
)


def open_dataset(path: Path) -> xr.Dataset:
    """A netCDF file read into memory and closed again, packed fields decoded to physical units.

    Raises DataError if the file is absent, damaged or not netCDF.
    """
    try:
        with NETCDF_LOCK, xr.open_dataset(path, engine="netcdf4", decode_times=False) as dataset:
            return dataset.load()
    except FileNotFoundError:
        raise DataError(f"There is no file {path}; restore it or name another one.") from None
    except (OSError, RuntimeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise DataError(f"{path} is damaged or not a netCDF file; restore it or name another one.") from error


def read_run(path: Path, dataset: "Dataset") -> Run:
    """One run of `dataset`, named after its file: test-0.nc holds the run "0", any other stem is the name.

    Raises DataError if the file is absent, damaged, or not a run of this data set.
    """
    content = open_dataset(path)
    grid = tuple(axis.values.size for axis in dataset.axes)
    names = tuple(channel.name for channel in dataset.channels)
    states = _stack(content, names, ("time", "y", "x"), grid, path)
    fine_names = tuple(f"fine_{name}" for name in names)
    fine = "fine_time" in content.variables
    return Run(
        name=path.stem.removeprefix("test-"),
        states=states,
        static=_stack(content, dataset.static_channels, ("y", "x"), grid, path),
        times=_times(content, "time", path),
        fine_states=_stack(content, fine_names, ("fine_time", "y", "x"), grid, path) if fine else None,
        fine_times=_times(content, "fine_time", path) if fine else None,
        attributes=_read_attributes(content),
    )


def write_run(path: Path, run: Run, dataset: "Dataset", *, source: str, step: float = FINEST_STEP) -> None:
    """Write one run of `dataset` as a CF-1.11 file; it appears under its name only when it is whole.

    source: how the data were made, for the file's attributes; step: the packing step as a part of each
    variable's range, rounded up to a power of two (a coarser one makes a smaller file); between the frames BETWEEN
    times as large.
    `run.attributes["obstacles"]`, JSON of [x, y, radius] rows in metres, becomes variables; other attributes
    are kept as they are.

    Raises DataError if the file cannot be written.
    """
    variables: dict[str, netCDF4.Variable] = {}
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NETCDF_LOCK, netCDF4.Dataset(partial, "w", format="NETCDF4") as file:
            file.setncatts(_global_attributes(run, dataset, source))
            for axis in dataset.axes:
                file.createDimension(axis.name, axis.values.size)
                variables[axis.name] = _create_axis(file, axis.name, axis.units, axis.long_name)
                variables[axis.name].axis = axis.name.upper()
                variables[axis.name][:] = axis.values
            _write_states(file, "", run.states, run.times, dataset, step)
            if run.fine_states is not None and run.fine_times is not None:
                _write_states(file, "fine_", run.fine_states, run.fine_times, dataset, BETWEEN * step)
            for name, mask in zip(dataset.static_channels, run.static, strict=True):
                _write_mask(file, name, mask)
            _write_obstacles(file, json.loads(run.attributes.get("obstacles", "[]")))
        os.replace(partial, path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); free some space or name another folder."
        ) from error


def _global_attributes(run: Run, dataset: "Dataset", source: str) -> dict[str, str]:
    return {
        "Conventions": "CF-1.11",
        "title": f"{dataset.title}, run {run.name}",
        "source": source,
        "license": _LICENSE,
        "history": "simulated in double precision, then packed into 16-bit integers by Coldcast",
        "comment": "Values are rounded to multiples of each variable's quantum, a power of two.",
        **{name: value for name, value in run.attributes.items() if name != "obstacles"},
    }


def _create_axis(file: netCDF4.Dataset, name: str, units: str, long_name: str) -> netCDF4.Variable:
    variable = file.createVariable(name, "f8", (name,))
    variable.setncatts({"units": units, "long_name": long_name})
    return variable


def _write_states(
    file: netCDF4.Dataset, prefix: str, states: np.ndarray, times: np.ndarray, dataset: "Dataset", step: float
) -> None:
    time = f"{prefix}time"
    file.createDimension(time, len(times))
    axis = _create_axis(file, time, dataset.time_units, "time since the start of the run")
    axis.axis = "T"
    axis[:] = times
    for index, channel in enumerate(dataset.channels):
        values = states[:, index].astype(np.float64)
        quantum, offset = _packing(values, step)
        variable = file.createVariable(
            f"{prefix}{channel.name}",
            "i2",
            (time, "y", "x"),
            compression="zlib",
            complevel=6,
            shuffle=True,
            fill_value=_FILL,
            chunksizes=values.shape,
        )
        variable.set_auto_maskandscale(False)
        variable.setncatts(
            {
                "units": channel.units,
                "long_name": channel.long_name,
                "scale_factor": quantum,
                "add_offset": offset,
                "quantum": quantum,
            }
        )
        variable[:] = np.rint((values - offset) / quantum).astype(np.int16)


def _packing(values: np.ndarray, step: float) -> tuple[float, float]:
    """(scale_factor, add_offset): the step rounded up to a power of two, a multiple of it amid the range."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return 1.0, low
    quantum = 2.0 ** math.ceil(math.log2(step * (high - low)))
    return quantum, quantum * round(0.5 * (low + high) / quantum)


def _write_mask(file: netCDF4.Dataset, name: str, mask: np.ndarray) -> None:
    variable = file.createVariable(name, "i1", ("y", "x"), compression="zlib")
    variable.setncatts(
        {
            "long_name": f"{name} cells",
            "flag_values": np.array([0, 1], dtype=np.int8),
            "flag_meanings": f"free {name}",
        }
    )
    variable[:] = mask.astype(np.int8)


def _write_obstacles(file: netCDF4.Dataset, obstacles: Sequence[Sequence[float]]) -> None:
    if not obstacles:
        return
    file.createDimension("obstacle_number", len(obstacles))
    for column, (name, long_name) in enumerate(_OBSTACLE_FIELDS):
        variable = file.createVariable(name, "f8", ("obstacle_number",))
        variable.setncatts({"units": "m", "long_name": long_name})
        variable[:] = [row[column] for row in obstacles]


def _read_attributes(content: xr.Dataset) -> Mapping[str, str]:
    attributes = {name: str(value) for name, value in content.attrs.items()}
    if all(name in content.variables for name, _ in _OBSTACLE_FIELDS):
        columns = [content[name].values for name, _ in _OBSTACLE_FIELDS]
        attributes["obstacles"] = json.dumps(np.stack(columns, axis=1).tolist())
    return attributes


def _stack(
    content: xr.Dataset, names: Sequence[str], dims: tuple[str, ...], grid: tuple[int, ...], path: Path
) -> np.ndarray:
    """The named variables as float32 (…, channel, y, x): of the right dimensions, on the grid, and finite."""
    fields: list[Any] = []
    for name in names:
        if name not in content.variables:
            raise DataError(f"{path} has no variable {name!r}; name a file of this data set.")
        variable = content[name]
        if variable.dims != dims or variable.shape[-2:] != grid:
            raise DataError(
                f"{name!r} in {path} has dimensions {dict(variable.sizes)}, not {dims} on "
                f"{grid[0]} × {grid[1]} points; name a file of this data set."
            )
        fields.append(variable.values.astype(np.float32))
        if not np.isfinite(fields[-1]).all():
            raise DataError(f"{name!r} in {path} has missing values; restore the file.")
    return np.stack(fields, axis=-3)


def _times(content: xr.Dataset, name: str, path: Path) -> np.ndarray:
    if name not in content.variables:
        raise DataError(f"{path} has no variable {name!r}; name a file of this data set.")
    return content[name].values.astype(np.float64)
