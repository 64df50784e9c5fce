"""The forecast that is shown as one netCDF file: its members as the engine returns them, or their moments."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import xarray as xr

from app.backend import run_of
from app.place import Place
from app.summary import Ensemble, Summary
from engine.datasets import Dataset, get_dataset
from engine.datasets.base import parse_initial_condition
from engine.errors import RequestError
from engine.moments import DEVIATION, QUANTILES, moments
from engine.netcdf_files import netcdf_bytes
from engine.requests import ResolvedRequest
from engine.results import members_dataset, truth_dataset
from engine.variables import Variable

HEADER = 40_000  # bytes that a file takes besides its fields, roughly
CELLS_AT_ONCE = 8_000_000  # of all members; bounds the memory that derived variables take


@dataclass(frozen=True)
class Contents:
    """What a file is to hold: all members, else mean and standard deviation, with quantiles or not.

    variable: the only one, None for all channels; truth: whether what really happened stands beside.
    """

    members: bool = True
    variable: Variable | None = None
    quantiles: bool = False
    truth: bool = True


def forecast_file(summary: Summary, contents: Contents, comment: str = "") -> bytes:
    """The file. Raises RequestError for members or quantiles that a stored example of maps does not have."""
    return netcdf_bytes(forecast_fields(summary, contents, comment))


def forecast_fields(summary: Summary, contents: Contents, comment: str = "") -> xr.Dataset:
    """`forecast_file` before it is written.

    Members of all channels without the truth are the very data set that `engine.forecast` returns for the request.
    """
    if summary.ensemble is None:
        found = _of_maps(summary, contents)
    elif contents.members:
        found = _members(summary, summary.ensemble, contents)
    else:
        levels = QUANTILES if contents.quantiles else ()
        found = moments(_members(summary, summary.ensemble, contents), quantiles=levels)
    return found.assign_attrs(comment=comment) if comment else found


def size_of(summary: Summary, contents: Contents) -> int:
    """Bytes that the file takes, roughly."""
    variables = 1 if contents.variable is not None else len(get_dataset(summary.dataset).channels)
    of_each = summary.members if contents.members else 2 + len(QUANTILES) * contents.quantiles
    frames = len(summary.leads) * (of_each + contents.truth) + 1
    return 4 * variables * frames * summary.solid.size + HEADER


def knows_truth(summary: Summary, variable: Variable) -> bool:
    """Whether the truth is known at any lead."""
    return bool(np.isfinite(summary.maps(variable).truth[1:][:, ~summary.solid]).any())


def request_of(summary: Summary) -> ResolvedRequest:
    """The request that a forecast answers."""
    said = json.loads(summary.request)
    known = {field.name for field in fields(ResolvedRequest)}
    given = {name: value for name, value in said.items() if name in known}
    return ResolvedRequest(**(given | {"output_leads": tuple(given.get("output_leads", ()))}))


# -- parts of a file ---------------------------------------------------------------------------------------


def _members(summary: Summary, ensemble: Ensemble, contents: Contents) -> xr.Dataset:
    request, dataset = request_of(summary), get_dataset(summary.dataset)
    run, frame = run_of(summary), parse_initial_condition(request.init, get_dataset(summary.dataset)).frame
    result = members_dataset(request, dataset, run, frame, ensemble.members)
    if contents.truth:
        result = _with_truth(result, dataset, ensemble)
    return result if contents.variable is None else _only(result, contents, ensemble, contents.variable)


def _with_truth(result: xr.Dataset, dataset: Dataset, ensemble: Ensemble) -> xr.Dataset:
    for channel in dataset.channels:
        described = {"units": channel.units, "long_name": f"true {channel.long_name}"}
        result[f"{channel.name}_truth"] = (result[channel.name].dims[1:], ensemble.truth[channel.name], described)
    return result


def _only(result: xr.Dataset, contents: Contents, ensemble: Ensemble, variable: Variable) -> xr.Dataset:
    """One variable instead of the channels that it follows from."""
    name, dims = _identifier(variable.name), result[next(iter(result.data_vars))].dims
    described = {"units": variable.units, "long_name": variable.title}
    only = result.drop_vars(list(result.data_vars))
    start = variable.of({**ensemble.initial, **ensemble.places, **_known(ensemble, 0)})
    only[name] = (dims, np.concatenate(list(_derived(ensemble, variable)), axis=1), described)
    only[f"{name}_init"] = (dims[2:], start.astype(np.float32), described | {"long_name": f"initial {variable.title}"})
    if contents.truth:
        truth = variable.of({**ensemble.truth, **ensemble.places, **_known(ensemble, slice(1, None))})
        truth_words = described | {"long_name": f"true {variable.title}"}
        only[f"{name}_truth"] = (dims[1:], truth.astype(np.float32), truth_words)
    return only


def _derived(ensemble: Ensemble, variable: Variable) -> Iterator[np.ndarray]:
    """A variable in every member, a few leads at a time, (member, lead, y, x) each."""
    rows, columns = ensemble.scored.shape
    everywhere = Place(0, 0, columns - 1, rows - 1)
    leads = next(iter(ensemble.members.values())).shape[1]
    step = max(1, CELLS_AT_ONCE // (ensemble.count * ensemble.scored.size))
    for first in range(0, leads, step):
        part = slice(first, first + step)
        some = replace(
            ensemble,
            members={name: values[:, part] for name, values in ensemble.members.items()},
            references={name: values[first : first + step + 1] for name, values in ensemble.references.items()},
        )
        yield some.at(variable, everywhere).astype(np.float32)


def _known(ensemble: Ensemble, frames: int | slice) -> dict[str, np.ndarray]:
    return {name: values[frames] for name, values in ensemble.references.items()}


def _of_maps(summary: Summary, contents: Contents) -> xr.Dataset:
    """A stored example of maps: mean and standard deviation of one variable."""
    variable = contents.variable
    if contents.members or contents.quantiles or variable is None:
        raise RequestError("The example holds maps of mean and spread, no members: press Run for a forecast with them.")
    request, dataset = request_of(summary), get_dataset(summary.dataset)
    frame = parse_initial_condition(request.init, dataset).frame
    known = truth_dataset(request, dataset, run_of(summary), frame).sel(lead=summary.leads)
    dims = known[dataset.channels[0].name].dims
    result = known.drop_vars(list(known.data_vars))
    maps, name = summary.maps(variable), _identifier(variable.name)
    parts = [
        (f"{name}_mean", dims, maps.mean[1:], "ensemble mean of", "realization: mean"),
        (f"{name}_standard_deviation", dims, maps.spread[1:], "ensemble standard deviation of", DEVIATION),
        (f"{name}_init", dims[1:], maps.mean[0], "initial", ""),
        *([(f"{name}_truth", dims, maps.truth[1:], "true", "")] if contents.truth else []),
    ]
    for each, over, values, words, method in parts:
        described = {"units": variable.units, "long_name": f"{words} {variable.title}"}
        result[each] = (over, values, described | ({"cell_methods": method} if method else {}))
    return result.assign_attrs(request=summary.request, members=summary.members)


def _identifier(name: str) -> str:
    """A name that CF allows: letters, digits and underscores."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)
