"""Arrays to xr.Dataset: forecasts, truth and static fields with their coordinates, units and provenance."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr

from engine.datasets import Axis, Dataset, Run
from engine.datasets.background import Background
from engine.datasets.base import axes_of
from engine.requests import ResolvedRequest, output_leads
from engine.thresholds import seasonal_percentile

MEMBER = {"standard_name": "realization", "units": "1", "long_name": "ensemble member"}


def forecast_dataset(
    request: ResolvedRequest, dataset: Dataset, run: Run, frame: int, states: np.ndarray
) -> xr.Dataset:
    """A forecast, states (member, lead, channel, y, x), with its initial state and its request."""
    members = {channel.name: states[:, :, index] for index, channel in enumerate(dataset.channels)}
    return members_dataset(request, dataset, run, frame, members)


def members_dataset(
    request: ResolvedRequest, dataset: Dataset, run: Run, frame: int, members: Mapping[str, np.ndarray]
) -> xr.Dataset:
    """`forecast_dataset` of members by channel, (member, lead, y, x) each; nothing is copied."""
    dims = ("member", *_lead_and_axes(dataset, run))
    result = _fields(request, dataset, run, frame, members, dims)
    for index, channel in enumerate(dataset.channels):
        described = {"units": channel.units, "long_name": f"initial {channel.long_name}"}
        result[f"{channel.name}_init"] = (dims[2:], run.states[frame, index], described)
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
    return _fields(request, dataset, run, frame, _by_channel(dataset, states), _lead_and_axes(dataset, run))


def static_dataset(run: Run, dataset: Dataset) -> xr.Dataset:
    """Static fields (y, x) of a run, and `scored`: the cells that count in scores."""
    axes = axes_of(dataset, run)
    dims = tuple(axis.name for axis in axes)
    fields = {name: (dims, run.static[i]) for i, name in enumerate(dataset.static_channels)}
    return xr.Dataset({**fields, "scored": (dims, dataset.scored(run))}, _spatial_coordinates(axes))


def background_dataset(request: ResolvedRequest, dataset: Dataset, run: Run, frame: int, of: Background) -> xr.Dataset:
    """The background of a run, its climatology, at the request's leads (lead, y, x), and its scale (y, x).

    Named like the channels; `<variable>_scale` is the standard deviation of departures from it, `<variable>_init` the
    background at the initial condition; attrs["baseline"]: the years it was fitted on.
    """
    leads = np.array([0.0, *output_leads(request)])
    times = run.times[frame] + leads * dataset.time_step
    shape = run.states.shape[1:]
    fields = np.stack([np.broadcast_to(of.at(dataset.season(time)), shape) for time in times])
    by_channel = _by_channel(dataset, fields[1:])
    result = _fields(request, dataset, run, frame, by_channel, _lead_and_axes(dataset, run))
    scale = np.broadcast_to(of.scale, shape)
    for index, channel in enumerate(dataset.channels):
        described = {"units": channel.units, "long_name": f"standard deviation of {channel.long_name} anomalies"}
        dims = result[channel.name].dims[1:]
        result[f"{channel.name}_scale"] = (dims, scale[index], described)
        result[f"{channel.name}_init"] = (dims, fields[0, index], {"units": channel.units})
    return result.assign_attrs(baseline=of.baseline)


def threshold_dataset(
    request: ResolvedRequest, dataset: Dataset, run: Run, frame: int, percentile: float
) -> xr.Dataset:
    """Seasonal percentiles at the request's leads, named like the channels (lead, y, x), and `<variable>_init`."""
    times = run.times[frame] + np.array([0.0, *output_leads(request)]) * dataset.time_step
    fields = np.stack([seasonal_percentile(dataset, run, float(time), percentile) for time in times])
    by_channel = _by_channel(dataset, fields[1:])
    result = _fields(request, dataset, run, frame, by_channel, _lead_and_axes(dataset, run))
    for index, channel in enumerate(dataset.channels):
        dims = result[channel.name].dims[1:]
        result[f"{channel.name}_init"] = (dims, fields[0, index], {"units": channel.units})
    return result.assign_attrs(percentile=percentile)


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
    fields: Mapping[str, np.ndarray],
    dims: tuple[str, ...],
) -> xr.Dataset:
    some = fields[dataset.channels[0].name]
    leads = np.array(output_leads(request))[: some.shape[-3]]  # fewer of a forecast under way
    times = run.times[frame] + np.array([0.0, *leads]) * dataset.time_step
    variables = {
        channel.name: (dims, fields[channel.name], {"units": channel.units, "long_name": channel.long_name})
        for channel in dataset.channels
    }
    moments, time = _moments(dataset, times)
    coordinates = {
        "lead": (
            "lead",
            leads,
            {"units": "1", "long_name": "lead time in data steps", "step": dataset.time_step},
        ),
        "valid_time": ("lead", moments[1:], time),
        "init_time": ((), moments[0], time),
        **_spatial_coordinates(axes_of(dataset, run)),
    }
    if "member" in dims:
        coordinates["member"] = ("member", np.arange(len(some)), dict(MEMBER))
    attributes = {"Conventions": "CF-1.11", "title": dataset.title, "run": run.name, "frame": frame}
    return xr.Dataset(variables, coordinates, attributes)


def _lead_and_axes(dataset: Dataset, run: Run) -> tuple[str, ...]:
    return ("lead", *(axis.name for axis in axes_of(dataset, run)))


def _by_channel(dataset: Dataset, states: np.ndarray) -> dict[str, np.ndarray]:
    """States (…, channel, y, x) as fields by name."""
    return {channel.name: states[..., index, :, :] for index, channel in enumerate(dataset.channels)}


def _moments(dataset: Dataset, times: np.ndarray) -> tuple[np.ndarray, dict[str, str]]:
    """Times as they stand in results: dates where the data set has them."""
    if dataset.calendar is None:
        return times, {"units": dataset.time_units, "long_name": "time since the start of the run"}
    dates = np.array([dataset.calendar.date(time) for time in times], "datetime64[ns]")
    return dates, {"standard_name": "time", "units_metadata": "leap_seconds: none"}


def _spatial_coordinates(axes: tuple[Axis, Axis]) -> dict[str, Any]:
    found = {}
    for axis in axes:
        attributes = {"units": axis.units, "long_name": axis.long_name}
        if axis.units in ("degrees_north", "degrees_east"):  # others have no standard names
            attributes["standard_name"] = axis.long_name
        found[axis.name] = (axis.name, axis.values, attributes)
    return found
