"""The stored example of each data set: small, and shown before anything is run."""

import json
from pathlib import Path

import numpy as np
import xarray as xr

from app.summary import Ensemble, Maps, Scores, Summary, places, solid_channel
from engine.datasets import Dataset, get_dataset
from engine.datasets.base import Run, axes_of, parse_initial_condition
from engine.errors import DataError
from engine.folders import bundled_dir
from engine.variables import CLIMATOLOGY, Variable, variables_of

LEVELS = {"mean": 300, "spread": 50}  # steps from least to largest value: few, so that the file stays small
MEMBER_STEP = 0.02  # of the channel's units: finer than any colour or curve shows
MAPS, SCORES = ("mean", "spread"), ("crps", "rmse", "spread")


def rounding_of(summary: Summary, variable: Variable) -> dict[str, float]:
    """The steps in which the maps of a stored example are kept; none of a forecast with members."""
    if summary.ensemble is not None:
        return {}
    maps = summary.maps(variable)
    return {kind: float(np.ptp(getattr(maps, kind)[1:])) / levels for kind, levels in LEVELS.items()}


def example_path(dataset: str) -> Path:
    """Where the example of a data set lies."""
    return bundled_dir() / dataset / "example.nc"


def pack_example(summary: Summary) -> xr.Dataset:
    """A summary as a small data set; the run's file has the truth.

    Of observed data, whose grids are small, the members themselves, so that any threshold can be asked about and any
    index followed; else maps of mean and spread, and scores.
    """
    if get_dataset(summary.dataset).calendar is not None and summary.ensemble is not None:
        return _pack_members(summary, summary.ensemble)
    return _pack_maps(summary)


def _pack_members(summary: Summary, ensemble: Ensemble) -> xr.Dataset:
    dataset = get_dataset(summary.dataset)
    dims = ("member", "lead", *(axis.name for axis in dataset.axes))
    return xr.Dataset(
        {
            channel.name: (dims, ensemble.members[channel.name], {"units": channel.units})
            for channel in dataset.channels
        },
        {"lead": ("lead", summary.leads, {"long_name": "lead time in data steps"})},
        {"request": summary.request},
    )


def _pack_maps(summary: Summary) -> xr.Dataset:
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
    start = parse_initial_condition(json.loads(stored.attrs["request"])["init"], dataset)
    run = dataset.load(start.run)
    if dataset.calendar is not None:
        return _unpack_members(dataset, run, start.frame, stored)
    return _unpack_maps(dataset, run, start.frame, stored)


def _unpack_members(dataset: Dataset, run: Run, frame: int, stored: xr.Dataset) -> Summary:
    y, x = (axis.values for axis in axes_of(dataset, run))
    leads = stored["lead"].values.astype(np.float64)
    times = run.times[frame] + np.concatenate([[0.0], leads]) * dataset.time_step
    truth = _states(run, frame + leads.astype(int))
    background = dataset.background(run)
    names = [channel.name for channel in dataset.channels]
    scored = dataset.scored(run)
    members = {channel: stored[channel].values.astype(np.float32) for channel in names}
    if any(values.shape[1:] != (len(leads), *scored.shape) for values in members.values()):
        raise ValueError("the members are on another grid")
    return Summary(
        dataset=dataset.name,
        request=str(stored.attrs["request"]),
        members=stored.sizes["member"],
        leads=leads,
        init_time=float(times[0]),
        valid_times=times[1:],
        x=x,
        y=y,
        solid=run.static[dataset.static_channels.index(solid_channel(dataset))] > 0,
        ensemble=Ensemble(
            members=members,
            truth={channel: truth[:, index] for index, channel in enumerate(names)},
            initial={channel: run.states[frame, index] for index, channel in enumerate(names)},
            places=places(x, y),
            scored=scored,
            references={CLIMATOLOGY: np.stack([background.at(dataset.season(time))[0] for time in times])},
        ),
        baseline=background.baseline,
    )


def _unpack_maps(dataset: Dataset, run: Run, frame: int, stored: xr.Dataset) -> Summary:
    leads, x, y = (stored[axis].values.astype(np.float64) for axis in ("lead", "x", "y"))
    truth = _states(run, frame + np.concatenate([[0], leads]).astype(int))
    at = places(x, y)
    known = {channel.name: truth[:, index] for index, channel in enumerate(dataset.channels)}
    maps = {}
    for variable in variables_of(dataset.name):
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
        dataset=dataset.name,
        request=str(stored.attrs["request"]),
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
        encoding[str(name)] = {"zlib": True, "complevel": 9, "shuffle": True, **_coding(str(name), values.values)}
    return encoding


def _coding(name: str, values: np.ndarray) -> dict[str, object]:
    """How netCDF packs a map: integers that count the steps above the least value; scores stay as they are."""
    if values.ndim < 3:
        return {}
    least, largest = float(np.nanmin(values)), float(np.nanmax(values))
    quantum = MEMBER_STEP if values.ndim == 4 else (largest - least) / LEVELS[name.rpartition("_")[2]] or 1.0
    return {
        "dtype": "int16",
        "scale_factor": quantum,
        "add_offset": least,
        "_FillValue": -32768,
        "chunksizes": values.shape,
    }
