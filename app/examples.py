"""The stored example of each data set: small, and shown before anything is run."""

import json
from pathlib import Path

import numpy as np
import xarray as xr

from app.summary import Maps, Scores, Summary, places, solid_channel
from app.variables import variables_of
from engine.datasets import get_dataset
from engine.datasets.base import Run, parse_initial_condition
from engine.errors import DataError
from engine.folders import bundled_dir

LEVELS = {"mean": 300, "spread": 50}  # steps from least to largest value: few, so that the file stays small
MAPS, SCORES = ("mean", "spread"), ("crps", "rmse", "spread")


def example_path(dataset: str) -> Path:
    """Where the example of a data set lies."""
    return bundled_dir() / dataset / "example.nc"


def pack_example(summary: Summary) -> xr.Dataset:
    """A summary as a small data set: maps of mean and spread, and scores; the run's file has the truth."""
    packed = xr.Dataset(
        coords={
            "lead": ("lead", summary.leads, {"long_name": "lead time in data steps"}),
            "valid_time": ("lead", summary.valid_times, {"long_name": "time since the start of the run"}),
            "y": summary.y,
            "x": summary.x,
        },
        attrs={"request": summary.request, "members": summary.members, "init_time": summary.init_time},
    )
    for variable in variables_of(summary.dataset):
        maps = summary.maps(variable)
        units = {"units": variable.units}
        for kind in MAPS:
            packed[f"{variable.name}_{kind}"] = (("lead", "y", "x"), getattr(maps, kind)[1:], units)
        for kind in SCORES:
            values = getattr(maps.scores, kind).astype(np.float32)
            packed[f"{variable.name}_{kind}_score"] = ("lead", values, units)
    return packed


def write_example(summary: Summary, path: Path) -> None:
    """Write an example as netCDF; it appears under its name only when it is whole."""
    from engine.datasets.netcdf import NETCDF_LOCK

    packed = pack_example(summary)
    unfinished = path.with_suffix(".part")
    with NETCDF_LOCK:
        packed.to_netcdf(unfinished, encoding=_encoding(packed), engine="netcdf4")
    unfinished.replace(path)


def load_example(dataset: str) -> Summary:
    """The stored example with the truth of its run. Raises DataError where it is absent or damaged."""
    stored = _read(dataset)
    try:
        return _unpack(dataset, stored)
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"The stored example of {dataset} is not of this version: make it anew.") from error


def _read(dataset: str) -> xr.Dataset:
    from engine.datasets.netcdf import open_dataset

    path = example_path(dataset)
    if not path.is_file():
        raise DataError(f"There is no stored example for {dataset}: run a forecast instead.")
    return open_dataset(path)


def _unpack(name: str, stored: xr.Dataset) -> Summary:
    dataset = get_dataset(name)
    request = str(stored.attrs["request"])
    start = parse_initial_condition(json.loads(request)["init"], dataset)
    run = dataset.load(start.run)
    leads, x, y = (stored[axis].values.astype(np.float64) for axis in ("lead", "x", "y"))
    truth = _states(run, start.frame + np.concatenate([[0], leads]).astype(int))
    at = places(x, y)
    known = {channel.name: truth[:, index] for index, channel in enumerate(dataset.channels)}
    maps = {}
    for variable in variables_of(name):
        target = variable.of({**known, **at}).astype(np.float32)
        mean, spread = (stored[f"{variable.name}_{kind}"].values.astype(np.float32) for kind in MAPS)
        maps[variable.name] = Maps(
            np.concatenate([target[:1], mean]),
            np.concatenate([np.zeros_like(target[:1]), spread]),
            target,
            Scores(*(stored[f"{variable.name}_{kind}_score"].values.astype(np.float64) for kind in SCORES)),
        )
    solid = run.static[dataset.static_channels.index(solid_channel(dataset))]
    return Summary(
        dataset=name,
        request=request,
        members=int(stored.attrs["members"]),
        leads=leads,
        init_time=float(stored.attrs["init_time"]),
        valid_times=stored["valid_time"].values.astype(np.float64),
        x=x,
        y=y,
        solid=solid > 0,
        made=maps,
    )


def _states(run: Run, frames: np.ndarray) -> np.ndarray:
    """The states of some frames, NaN beyond the end of the run."""
    known = frames < run.frames
    states = np.full((len(frames), *run.states.shape[1:]), np.nan, np.float32)
    states[known] = run.states[frames[known]]
    return states


def _encoding(packed: xr.Dataset) -> dict[str, dict[str, object]]:
    encoding: dict[str, dict[str, object]] = {}
    for name, values in packed.data_vars.items():
        coding = _coding(values.values, LEVELS[str(name).rpartition("_")[2]]) if values.ndim == 3 else {}
        encoding[str(name)] = {"zlib": True, "complevel": 9, "shuffle": True, **coding}
    return encoding


def _coding(values: np.ndarray, levels: int) -> dict[str, object]:
    """How netCDF packs a map: integers that count the steps above the least value."""
    least, largest = float(np.nanmin(values)), float(np.nanmax(values))
    quantum = (largest - least) / levels or 1.0
    return {
        "dtype": "int16",
        "scale_factor": quantum,
        "add_offset": least,
        "_FillValue": -32768,
        "chunksizes": values.shape,
    }
