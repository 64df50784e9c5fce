"""An ensemble in a few fields: mean, standard deviation and quantiles of the members, described as CF wants it."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DEVIATION = "realization: standard_deviation (of the sample, divisor M - 1)"
"""The cell method of a standard deviation."""


def moments(members: xr.Dataset, *, quantiles: Sequence[float] = ()) -> xr.Dataset:
    """Moments over the dimension `member` of every variable that has it; the others stay as they are.

    `<name>_mean` and `<name>_standard_deviation`, the latter with the divisor M − 1 (ddof 1) and NaN with one member,
    and where quantiles are asked for `<name>_quantile` with the dimension `quantile` in front: linear between the
    ordered members, definition 7 of Hyndman and Fan (doi:10.1080/00031305.1996.10473566). All float32, in the
    variable's units.
    """
    result = members.drop_vars([name for name, values in members.variables.items() if "member" in values.dims])
    for name, values in members.data_vars.items():
        if "member" not in values.dims:
            continue
        for moment in [_mean(values), _standard_deviation(values), *([_quantile(values, quantiles)] * bool(quantiles))]:
            result[f"{name}_{moment.name}"] = moment
    return result.assign_attrs(members=members.sizes["member"])


def _mean(values: xr.DataArray) -> xr.DataArray:
    mean = values.mean("member", skipna=False)
    return _described(mean, values, "mean", "ensemble mean", "realization: mean")


def _standard_deviation(values: xr.DataArray) -> xr.DataArray:
    if values.sizes["member"] > 1:
        deviation = values.std("member", ddof=1, skipna=False)
    else:
        deviation = values.isel(member=0, drop=True) * np.float32("nan")
    return _described(deviation, values, "standard_deviation", "ensemble standard deviation", DEVIATION)


def _quantile(values: xr.DataArray, quantiles: Sequence[float]) -> xr.DataArray:
    """One lead after the other, since sorting takes a copy of all members."""
    across = list(values.dims).index("member")
    leads = range(values.sizes["lead"])
    found = [np.quantile(values.isel(lead=[lead]).values, quantiles, axis=across) for lead in leads]
    dims = ["quantile", *(str(dim) for dim in values.dims if dim != "member")]
    joined = np.concatenate(found, axis=dims.index("lead")).astype(np.float32)
    levels = ("quantile", np.array(quantiles), {"units": "1", "long_name": "share of the members at or below"})
    quantile = xr.DataArray(joined, {"quantile": levels}, dims)
    described = _described(quantile, values, "quantile", "ensemble quantile", "")
    return described.assign_attrs(comment="linear between the ordered members (Hyndman and Fan, definition 7)")


def _described(moment: xr.DataArray, of: xr.DataArray, name: str, words: str, method: str) -> xr.DataArray:
    attributes = {"units": of.attrs.get("units", "1"), "long_name": f"{words} of {of.attrs.get('long_name', of.name)}"}
    if method:  # CF 1.11 knows none for quantiles
        attributes["cell_methods"] = method
    return moment.astype(np.float32).rename(name).assign_attrs(attributes)
