"""Arrays to xr.Dataset: forecasts, truth and static fields with their coordinates, units and provenance."""

import json
from dataclasses import asdict

import numpy as np
import xarray as xr

from engine.datasets import Dataset, Run
from engine.requests import ResolvedRequest, output_leads


def forecast_dataset(
    request: ResolvedRequest, dataset: Dataset, run: Run, frame: int, states: np.ndarray
) -> xr.Dataset:
    """A forecast, states (member, lead, channel, y, x), with its initial state and its request."""
    axes = tuple(axis.name for axis in dataset.axes)
    result = _fields(request, dataset, run, frame, states, ("member", "lead", *axes))
    for index, channel in enumerate(dataset.channels):
        described = {"units": channel.units, "long_name": f"initial {channel.long_name}"}
        result[f"{channel.name}_init"] = (axes, run.states[frame, index], described)
    result.attrs["request"] = json.dumps(asdict(request))
    return result


def truth_dataset(request: ResolvedRequest, dataset: Dataset, run: Run, frame: int) -> xr.Dataset:
    """What really happened at the request's leads, (lead, y, x); NaN where nothing is known."""
    leads = output_leads(request)
    states = np.full((len(leads), *run.states.shape[1:]), np.nan, np.float32)
    for index, lead in enumerate(leads):
        known = state_at(run, run.times[frame] + lead * dataset.time_step)
        if known is not None:
            states[index] = known
    return _fields(request, dataset, run, frame, states, ("lead", *(axis.name for axis in dataset.axes)))


def static_dataset(run: Run, dataset: Dataset) -> xr.Dataset:
    """Static fields (y, x) of a run, and `scored`: the cells that count in scores."""
    dims = tuple(axis.name for axis in dataset.axes)
    fields = {name: (dims, run.static[i]) for i, name in enumerate(dataset.static_channels)}
    return xr.Dataset({**fields, "scored": (dims, dataset.scored(run))}, _spatial_coordinates(dataset))


def state_at(run: Run, time: float) -> np.ndarray | None:
    """The true state (channel, y, x) of a run at a time, from its frames or the finer ones; None where not known."""
    for times, states in ((run.times, run.states), (run.fine_times, run.fine_states)):
        if times is not None and states is not None:
            nearest = int(np.abs(times - time).argmin())
            if abs(times[nearest] - time) < 1e-6:
                return states[nearest]
    return None


def _fields(
    request: ResolvedRequest,
    dataset: Dataset,
    run: Run,
    frame: int,
    states: np.ndarray,
    dims: tuple[str, ...],
) -> xr.Dataset:
    leads = np.array(output_leads(request))
    start = float(run.times[frame])
    of_channel = np.moveaxis(states, -3, 0)
    variables = {
        channel.name: (dims, values, {"units": channel.units, "long_name": channel.long_name})
        for channel, values in zip(dataset.channels, of_channel, strict=True)
    }
    time = {"units": dataset.time_units, "long_name": "time since the start of the run"}
    coordinates = {
        "lead": (
            "lead",
            leads,
            {"units": "1", "long_name": "lead time in data steps", "step": dataset.time_step},
        ),
        "valid_time": ("lead", start + leads * dataset.time_step, time),
        "init_time": ((), start, time),
        **_spatial_coordinates(dataset),
    }
    if "member" in dims:
        coordinates["member"] = ("member", np.arange(states.shape[0]), {"long_name": "ensemble member"})
    attributes = {"Conventions": "CF-1.11", "title": dataset.title, "run": run.name, "frame": frame}
    return xr.Dataset(variables, coordinates, attributes)


def _spatial_coordinates(dataset: Dataset) -> dict:
    return {
        axis.name: (axis.name, axis.values, {"units": axis.units, "long_name": axis.long_name}) for axis in dataset.axes
    }
