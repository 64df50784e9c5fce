"""A request forecast and verified: everything that the page says about one forecast, as one data set."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np
import xarray as xr

from engine.case import Case, case_of, climatology_of
from engine.datasets import get_dataset
from engine.datasets.base import load_run, parse_initial_condition
from engine.errors import DataError
from engine.evaluation import baseline_channel, baseline_scores
from engine.forecasting import Progress, background_fields, forecast, static_fields, threshold_fields, truth
from engine.member_windows import Store
from engine.physics import consistency
from engine.requests import ForecastRequest, ResolvedRequest, resolved
from engine.variables import Threshold, Variable
from engine.verification import verify


def verify_request(
    request: ForecastRequest,
    variable: Variable,
    *,
    cache: Store | None = None,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
) -> xr.Dataset:
    """Forecast a request and verify one variable of it.

    Returns what `engine.verification.verify` and `engine.physics.consistency` do, together, and where they are known
    `baseline_crps` and `baseline_rmse`, dims (baseline, lead). attrs["request"] is the request as JSON.

    Raises: as `engine.forecast`; RequestError where no truth is known at any lead.
    """
    asked = resolved(request)
    case = case_of_request(asked, variable, cache=cache, device=device, progress=progress)
    found = verify(case, variable).merge(consistency(case), combine_attrs="override")
    found = found.merge(_baselines(asked, variable, case.leads), combine_attrs="override")
    return found.assign_attrs(dataset=asked.dataset, request=json.dumps(asdict(asked)))


def case_of_request(
    request: ResolvedRequest,
    variable: Variable,
    *,
    cache: Store | None = None,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
) -> Case:
    """A request's forecast beside what happened, with the references that a variable needs."""
    dataset = get_dataset(request.dataset)
    result = forecast(request, cache=cache, device=device, progress=progress)
    references = {} if dataset.calendar is None else climatology_of(background_fields(request), dataset)
    thresholds = _threshold(request, variable.threshold, result) if variable.threshold is not None else {}
    return case_of(result, truth(request), static_fields(request), dataset, {**references, **thresholds})


def _threshold(request: ResolvedRequest, threshold: Threshold, result: xr.Dataset) -> Mapping[str, np.ndarray]:
    channel = get_dataset(request.dataset).channels[0].name
    if threshold.kind == "temperature":
        shape = result[channel].isel(member=0).shape
        return {threshold.reference: np.full(shape, threshold.value, np.float32)}
    return {threshold.reference: threshold_fields(request, threshold.value)[channel].values}


def _baselines(request: ResolvedRequest, variable: Variable, leads: np.ndarray) -> xr.Dataset:
    """What must be beaten, where it is known for this initial condition and variable."""
    dataset = get_dataset(request.dataset)
    channel = baseline_channel(dataset, variable)
    start = parse_initial_condition(request.init, dataset)
    if channel is None or variable.threshold is not None:
        return xr.Dataset()
    try:
        run = load_run(dataset, start.run)
        found = baseline_scores(dataset, [run], [start.frame], int(leads[-1]))
    except DataError:  # a grid of one's own, without training years
        return xr.Dataset()
    if found is None:
        return xr.Dataset()
    at = found.sel(run=start.run, start=start.frame, channel=channel).reindex(lead=leads)
    described = {"units": variable.units}
    fields = {"baseline_crps": at["crps"], "baseline_rmse": at["mse"] ** 0.5}
    return xr.Dataset({name: (values.dims, values.values, described) for name, values in fields.items()}).assign_coords(
        baseline=at["baseline"].values, lead=leads
    )
