"""Scores of ensemble forecasts against truth: labelled arrays in, labelled arrays out.

Every function takes a forecast with a member dimension and a truth without one, averages over the dimensions
named in `over` (None: none) and skips cells where the truth or a member is NaN.
"""

from collections.abc import Callable, Hashable, Iterable

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from engine import _score_kernels as kernels
from engine.errors import RequestError

Over = Hashable | Iterable[Hashable] | None


def crps(
    forecast: xr.DataArray,
    truth: xr.DataArray,
    *,
    member_dim: str = "member",
    over: Over = None,
    fair: bool = True,
) -> xr.DataArray:
    """Continuous ranked probability score, in the units of the forecast; 0 is perfect.

    `fair` removes what a finite ensemble costs; the biased form, which the DYffusion paper (arXiv 2306.01984)
    reports, is higher by a factor of 1 + 1/M for a calibrated forecast.

    Raises: RequestError if dimensions or coordinates do not fit, or a fair score is asked of one member.

    Source: Ferro 2014 (doi:10.1002/qj.2270).
    """
    forecast, truth = _matched(forecast, truth, member_dim)
    values = xr.apply_ufunc(
        lambda members, target: _by_kernel(members, target, fair=fair),
        forecast,
        truth,
        input_core_dims=[[member_dim], []],
    )
    return _named(_average(values, over), "crps", forecast)


def rmse(forecast: xr.DataArray, truth: xr.DataArray, *, member_dim: str = "member", over: Over = None) -> xr.DataArray:
    """Root of the mean squared error of the ensemble mean, averaged over `over` before the root.

    Raises: RequestError if dimensions or coordinates do not fit.
    """
    forecast, truth = _matched(forecast, truth, member_dim)
    return _named(_average(_squared_error(forecast, truth, member_dim), over) ** 0.5, "rmse", forecast)


def spread(
    forecast: xr.DataArray,
    truth: xr.DataArray | None = None,
    *,
    member_dim: str = "member",
    over: Over = None,
    corrected: bool = True,
) -> xr.DataArray:
    """Root of the mean variance of the members, comparable with `rmse`; cells without truth are left out.

    Corrected: the ddof-1 variance times (M + 1)/M, whose mean equals the mean squared error where members and
    truth are exchangeable; otherwise the plain ddof-0 variance.

    Raises: RequestError if dimensions or coordinates do not fit, or one member is to be corrected.

    Source: Fortin et al. 2014 (doi:10.1175/JHM-D-14-0008.1).
    """
    if truth is None:
        truth = xr.zeros_like(_members_checked(forecast, member_dim).isel({member_dim: 0}, drop=True))
    forecast, truth = _matched(forecast, truth, member_dim)
    variance = _average(_variance(forecast, truth, member_dim, corrected=corrected), over)
    return _named(variance**0.5, "spread", forecast)


def spread_skill_ratio(
    forecast: xr.DataArray,
    truth: xr.DataArray,
    *,
    member_dim: str = "member",
    over: Over = None,
    corrected: bool = True,
) -> xr.DataArray:
    """Spread over RMSE, averaged over `over` before root and ratio; 1 is calibrated, below 1 overconfident.

    corrected=False is the convention of the DYffusion paper: ddof 0 and no factor (M + 1)/M.

    Raises: RequestError if dimensions or coordinates do not fit, or one member is to be corrected.

    Source: Fortin et al. 2014 (doi:10.1175/JHM-D-14-0008.1).
    """
    forecast, truth = _matched(forecast, truth, member_dim)
    variance = _average(_variance(forecast, truth, member_dim, corrected=corrected), over)
    squared_error = _average(_squared_error(forecast, truth, member_dim), over)
    ratio = ((variance / squared_error) ** 0.5).rename("spread_skill_ratio")
    return ratio.assign_attrs(units="1", long_name="spread over RMSE")


def rank_histogram(
    forecast: xr.DataArray,
    truth: xr.DataArray,
    *,
    member_dim: str = "member",
    over: Over = None,
    seed: int = 0,
) -> xr.DataArray:
    """Relative frequency of the rank 1...M+1 that the truth takes among the members; flat is calibrated.

    Where the truth equals members its rank is drawn evenly among the tied ones, reproducibly by `seed`.
    Returns a new last dimension `rank`; without `over` it holds a one for every single cell.

    Raises: RequestError if dimensions or coordinates do not fit.

    Source: Hamill 2001 (doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2).
    """
    forecast, truth = _matched(forecast, truth, member_dim)
    known = truth.notnull() & forecast.notnull().all(member_dim)
    ties = (forecast == truth).sum(member_dim)
    draw = np.random.default_rng(seed).random(ties.shape)
    ranks = 1 + (forecast < truth).sum(member_dim) + np.floor(draw * (ties + 1)).astype(int)
    names = np.arange(1, forecast.sizes[member_dim] + 2)
    bins = [_average((ranks == rank).where(known), over) for rank in names]
    index = xr.DataArray(names, dims="rank", name="rank")
    histogram = xr.concat(bins, dim=index).transpose(..., "rank")
    return histogram.rename("rank_histogram").assign_attrs(units="1", long_name="frequency of the truth's rank")


def radial_spectrum(
    forecast: xr.DataArray,
    truth: xr.DataArray | None = None,
    *,
    member_dim: str = "member",
    over: Over = None,
    dims: tuple[str, str] | None = None,
) -> xr.DataArray:
    """Variance of fields by radial wavenumber, a new last dimension in cycles per coordinate unit.

    Without a truth: the spectrum of every field in `forecast`. With one: side by side along a dimension `of`
    the average spectrum of the members ("member"), that of their mean ("mean") and of the truth ("truth").
    `dims` are the two spatial dimensions, by default the last two. The cosine transform suits fields that are
    not periodic; cells that are NaN count as their field's mean. A spectrum sums to the field's variance.

    Raises: RequestError if dimensions or coordinates do not fit.

    Source: Denis, Cote & Laprise 2002 (doi:10.1175/1520-0493(2002)130<1812:SDOTDA>2.0.CO;2).
    """
    if truth is None:
        pair = dims or (str(forecast.dims[-2]), str(forecast.dims[-1]))
        return _average(_spectrum(forecast, pair), over)
    forecast, truth = _matched(forecast, truth, member_dim)
    pair = dims or (str(truth.dims[-2]), str(truth.dims[-1]))
    sources = {
        "member": _spectrum(forecast, pair).mean(member_dim),
        "mean": _spectrum(forecast.mean(member_dim), pair),
        "truth": _spectrum(truth, pair),
    }
    index = xr.DataArray(list(sources), dims="of", name="of")
    return _average(xr.concat(list(sources.values()), dim=index, combine_attrs="override"), over)


SCORES: dict[str, Callable[..., xr.DataArray]] = {
    "crps": crps,
    "rmse": rmse,
    "spread": spread,
    "spread_skill_ratio": spread_skill_ratio,
    "rank_histogram": rank_histogram,
    "radial_spectrum": radial_spectrum,
}


def _members_checked(forecast: xr.DataArray, member_dim: str) -> xr.DataArray:
    if member_dim not in forecast.dims:
        raise RequestError(
            f"The forecast has no dimension {member_dim!r} (it has {', '.join(map(str, forecast.dims))});"
            " name its member dimension with member_dim."
        )
    return forecast


def _matched(forecast: xr.DataArray, truth: xr.DataArray, member_dim: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Both, if their coordinates agree; the truth spread to the forecast's dimensions but the members'."""
    _members_checked(forecast, member_dim)
    if member_dim in truth.dims:
        raise RequestError(f"The truth has a dimension {member_dim!r} too; select one of its members.")
    try:
        forecast, truth = xr.align(forecast, truth, join="exact", copy=False)
        one = forecast.isel({member_dim: 0}, drop=True)
        truth = truth.broadcast_like(one).transpose(*one.dims, ...)
    except ValueError as error:
        raise RequestError(
            f"Forecast {dict(forecast.sizes)} and truth {dict(truth.sizes)} do not lie on the same points;"
            " select the same leads and cells of both."
        ) from error
    return forecast, truth


def _average(values: xr.DataArray, over: Over) -> xr.DataArray:
    if over is None:
        return values
    names = [over] if isinstance(over, str) or not isinstance(over, Iterable) else list(over)
    unknown = [str(name) for name in names if name not in values.dims]
    if unknown:
        raise RequestError(
            f"There is no dimension {', '.join(unknown)} to average over; there are {', '.join(map(str, values.dims))}."
        )
    return values.astype(np.float64).mean(names, skipna=True)


def _squared_error(forecast: xr.DataArray, truth: xr.DataArray, member_dim: str) -> xr.DataArray:
    return (forecast.mean(member_dim, skipna=False) - truth) ** 2


def _variance(forecast: xr.DataArray, truth: xr.DataArray, member_dim: str, *, corrected: bool) -> xr.DataArray:
    count = forecast.sizes[member_dim]
    if not corrected:
        return forecast.var(member_dim, ddof=0, skipna=False).where(truth.notnull())
    if count < 2:
        raise RequestError(
            f"The corrected spread compares members with each other and got {count} of them;"
            " ask for two or more members, or for corrected=False."
        )
    variance = forecast.var(member_dim, ddof=1, skipna=False) * ((count + 1) / count)
    return variance.where(truth.notnull())


def _by_kernel(members: np.ndarray, truth: np.ndarray, *, fair: bool) -> np.ndarray:
    """`kernels.crps` on arrays whose last axis holds the members, in float32 if both are, else in float64."""
    kind = np.result_type(members, truth)
    kind = kind if kind in (np.float32, np.float64) else np.dtype(np.float64)
    return kernels.crps(_tensor(np.moveaxis(members, -1, 0), kind), _tensor(truth, kind), fair=fair).numpy()


def _tensor(values: np.ndarray, kind: np.dtype) -> Tensor:
    # a native, writable, contiguous copy: what comes from files may be big-endian, read-only or strided
    return torch.from_numpy(np.array(values, dtype=kind, order="C"))


def _named(values: xr.DataArray, name: str, forecast: xr.DataArray) -> xr.DataArray:
    kept = {"units": forecast.attrs["units"]} if "units" in forecast.attrs else {}
    label = {"crps": "CRPS", "rmse": "RMSE of the ensemble mean", "spread": "ensemble spread"}[name]
    values = values.rename(name)
    values.attrs = {**kept, "long_name": label}
    return values


def _spectrum(fields: xr.DataArray, dims: tuple[str, str]) -> xr.DataArray:
    """Variance per annulus of the cosine transform's radial wavenumbers."""
    from scipy.fft import dctn

    frequencies = [_frequencies(fields, name) for name in dims]
    radius = np.hypot(frequencies[0][:, None], frequencies[1][None, :])
    width = max(frequency[1] for frequency in frequencies)  # the coarser of the two resolutions
    annulus = np.rint(radius / width).astype(int)

    def by_annulus(values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, dtype=np.float64)
        mean = np.nanmean(values, axis=(-2, -1), keepdims=True)
        power = dctn(np.where(np.isnan(values), 0, values - mean), axes=(-2, -1), norm="ortho") ** 2
        flat = power.reshape(*power.shape[:-2], -1) / radius.size
        picks = [flat[..., annulus.ravel() == index].sum(-1) for index in range(1, annulus.max() + 1)]
        return np.stack(picks, axis=-1)

    result = xr.apply_ufunc(
        by_annulus, fields, input_core_dims=[list(dims)], output_core_dims=[["wavenumber"]]
    ).assign_coords(wavenumber=width * np.arange(1, annulus.max() + 1))
    result.attrs = {"long_name": "variance", "units": f"({fields.attrs.get('units', '1')})2"}
    return result.rename("radial_spectrum")


def _frequencies(fields: xr.DataArray, dim: str) -> np.ndarray:
    """Cycles per coordinate unit of the cosines along one dimension (per cell where it has no coordinate).

    Raises: RequestError if there are fewer than two points or they are unevenly spaced.
    """
    count = fields.sizes.get(dim, 0)
    steps = np.diff(fields[dim].values) if dim in fields.coords else np.ones(max(count - 1, 0))
    if count < 2 or not np.allclose(steps, steps[0], rtol=1e-3):
        raise RequestError(f"A spectrum needs two or more evenly spaced points along {dim!r}, not {count}.")
    return np.arange(count) / (2 * count * abs(float(steps[0])))
