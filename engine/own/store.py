"""Own fields that a person keeps: in the data folder, one file each, under the name that stands for their content."""

import os
import re
from pathlib import Path

import netCDF4
import numpy as np

from engine.datasets.base import Axis, Dataset, Run, axes_of
from engine.datasets.netcdf import NETCDF_LOCK, open_dataset
from engine.errors import DataError
from engine.folders import data_dir
from engine.own.fields import OwnField, first_run, name_of

_NAME = re.compile(r"own-[0-9a-f]{12}")


def keep_own(own: OwnField, dataset: Dataset) -> Path:
    """Write an own field to the data folder, whole or not at all. Raises DataError where that fails."""
    run, path = own.run, _path(own.run.name, dataset)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NETCDF_LOCK:
            _write(partial, run, dataset)
            os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{path} cannot be written ({error.strerror}); free some space or name another folder."
        ) from error
    return path


def _write(path: Path, run: Run, dataset: Dataset) -> None:
    axes = axes_of(dataset, run)
    dims = ("time", *(axis.name for axis in axes))
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.setncatts({"Conventions": "CF-1.11", "title": dataset.title} | dict(run.attributes))
        for axis in (Axis("time", run.times, dataset.time_units, "time"), *axes):
            file.createDimension(axis.name, len(axis.values))
            variable = file.createVariable(axis.name, "f8", (axis.name,))
            variable.setncatts({"long_name": axis.long_name, "step_units": axis.units})
            variable[:] = axis.values
        for index, channel in enumerate(dataset.channels):
            variable = file.createVariable(channel.name, "f4", dims, compression="zlib", fill_value=np.nan)
            variable.setncatts({"units": channel.units, "long_name": channel.long_name})
            variable[:] = run.states[:, index]
        for name, mask in zip(dataset.static_channels, run.static, strict=True):
            file.createVariable(name, "f4", dims[1:], compression="zlib")[:] = mask


def load_own(name: str, dataset: Dataset, *, reference: Run | None = None) -> Run:
    """A kept own field; `run.attributes["initial_frame"]` is the frame of its initial condition.

    Raises: DataError where there is none of that name or the file is not as it was written.
    """
    path = _path(name, dataset)
    if not path.is_file():
        raise DataError(f"{dataset.name} has no own field {name!r}; it has {', '.join(own_runs(dataset)) or 'none'}.")
    if reference is None:
        reference = first_run(dataset)
    content = open_dataset(path)
    try:
        axes = tuple(
            Axis(axis.name, content[axis.name].values.astype(np.float64), axis.units, axis.long_name)
            for axis in dataset.axes
        )
        own_grid = all(
            np.array_equal(axis.values, other.values) for axis, other in zip(axes, dataset.axes, strict=True)
        )
        run = Run(
            name=name,
            states=np.stack([content[channel.name].values for channel in dataset.channels], axis=1).astype(np.float32),
            static=np.stack([content[mask].values for mask in dataset.static_channels]).astype(np.float32),
            times=content["time"].values.astype(np.float64),
            attributes={key: str(value) for key, value in content.attrs.items()},
            axes=None if own_grid else (axes[0], axes[1]),
            background=reference.background if reference is not None and _same_grid(axes, reference, dataset) else None,
        )
        intact = name_of(run) == name
    except (KeyError, ValueError, TypeError):
        intact = False
    if not intact:
        raise DataError(f"{path} is not as it was written; delete it and read your file again.")
    return run


def _same_grid(axes: tuple[Axis, ...], reference: Run, dataset: Dataset) -> bool:
    of_reference = axes_of(dataset, reference)
    return all(np.array_equal(axis.values, other.values) for axis, other in zip(axes, of_reference, strict=True))


def own_runs(dataset: Dataset) -> tuple[str, ...]:
    """Names of the own fields that are kept, the latest first."""
    found = [path for path in _folder(dataset).glob("*.nc") if _NAME.fullmatch(path.stem)]
    return tuple(path.stem for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True))


def _path(name: str, dataset: Dataset) -> Path:
    if not _NAME.fullmatch(name):
        raise DataError(f"{name!r} is no name of an own field, which are own- and twelve digits.")
    return _folder(dataset) / f"{name}.nc"


def _folder(dataset: Dataset) -> Path:
    return data_dir() / "own" / dataset.name
