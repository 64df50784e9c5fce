"""One forecast verified: scores by lead with intervals, ranks, spectra and maps of one variable."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from engine import scores
from engine.case import Case
from engine.ensemble_scores import BLOCK, CellScores, cell_scores, check_finite, count_ranks
from engine.errors import RequestError
from engine.rank_consistency import consistency_band, effective_cells, member_rank_counts
from engine.spatial_blocks import blocks_of, intervals, seen_share
from engine.variables import Variable

SCORES = {
    "crps": "fair CRPS",
    "rmse": "RMSE of the ensemble mean",
    "spread": "ensemble spread, corrected",
    "ratio": "spread over RMSE",
    "bias": "mean of the members less truth",
}
"""What `verify` gives by lead, each with the ends of its interval, `<name>_low` and `<name>_high`."""

OF_RANKS = ("surprising", "rank_frequency", "rank_frequency_pooled", "percentile_map", "surprise_map")
FEWEST_MEMBERS = 4
"""From which on the members say how dependent cells are, and ranks have a band."""

CONVENTION = (
    "Averages over the scored cells, which all count the same. CRPS: fair. Spread: root mean variance of the M members "
    "with ddof 1, times (M + 1)/M. Intervals: 95 %, blocks of neighbouring cells drawn anew; they do not cover other "
    "initial conditions or other members."
)


@dataclass(frozen=True, eq=False)
class _Part:
    """Some leads: cell scores of those with a truth, the members' own ranks, spectra, maps by name."""

    cells: CellScores
    member_ranks: np.ndarray
    spectrum: xr.DataArray
    maps: dict[str, np.ndarray]


def verify(case: Case, variable: Variable) -> xr.Dataset:
    """Verify one variable of a forecast.

    Returns, by lead: the SCORES with their intervals; `surprising`, the share of the cells whose truth lies outside of
    all members; `rank_frequency` (lead, rank) with the band of a reliable ensemble, `rank_low` and `rank_high` (lead,),
    from `effective_cells` (lead,), and the same over all leads with `_pooled` behind the names; `spectrum` (of, lead,
    wavenumber) of truth, members on average, and their mean; and maps (lead, y, x): `crps_map`, `error_map`,
    `spread_map` (ddof 1), `percentile_map` (of the truth among the members, 0 to 100) and `surprise_map` (1 where the
    truth lies above all members, -1 below, else 0). NaN at leads without a truth. With one member there is no fair
    CRPS and no spread, with fewer than FEWEST_MEMBERS no band. Of a variable that is yes or no in every member, ranks
    would be drawn by lot: they are NaN, as are surprises.

    Raises: RequestError if no lead has a truth, or the forecast is not finite somewhere.
    """
    if not case.known.any():
        raise RequestError("No truth is known at any lead of this forecast: start it earlier to verify it.")
    parts = list(_parts(case, variable))
    known = case.known
    by_lead = xr.Dataset(coords={"lead": case.leads, "rank": np.arange(1, case.count + 2)})
    by_lead["spectrum"] = xr.concat([part.spectrum for part in parts], "lead")
    for name in parts[0].maps:
        by_lead[name] = ("lead", "y", "x"), np.concatenate([part.maps[name] for part in parts])
    cells = _joined([part.cells for part in parts])
    check_finite((cells.bias**2).mean(axis=-1))
    blocks = blocks_of(by_lead["error_map"].values[known], case.scored)
    seen = seen_share(blocks, by_lead["error_map"].values[known], case.scored)
    found = intervals(blocks, cells.crps, cells.bias**2, cells.corrected_variance, cells.bias, seen=seen)
    for name, each in found.items():
        units = "1" if name == "ratio" else variable.units
        described = {"units": units, "long_name": SCORES[name]}
        for ending, values in (("", each.value), ("_low", each.low), ("_high", each.high)):
            by_lead[f"{name}{ending}"] = "lead", _at_known(values, known), described
    member_ranks = np.concatenate([part.member_ranks for part in parts])
    by_lead = _with_ranks(by_lead, cells, member_ranks, known)
    if variable.threshold is not None:
        by_lead = by_lead.assign({name: np.nan * by_lead[name] for name in OF_RANKS})
    rows, columns = blocks.shape
    return by_lead.assign_coords(y=case.y, x=case.x).assign_attrs(
        variable=variable.name,
        units=variable.units,
        members=case.count,
        cells=int(case.scored.sum()),
        block_rows=rows,
        block_columns=columns,
        blocks=blocks.count,
        blocks_long_enough=int(blocks.long_enough),
        surprising_expected=2 / (case.count + 1),
        convention=CONVENTION,
    )


def _parts(case: Case, variable: Variable) -> Iterator[_Part]:
    """The leads, a few at a time: that bounds the memory that derived members take."""
    random = np.random.default_rng(case.frame)
    at_once = max(1, 4 * BLOCK // (case.count * case.scored.size))
    for first in range(0, len(case.leads), at_once):
        leads = slice(first, first + at_once)
        known = case.known[leads]
        members, truth = case.members_of(variable, leads), case.truth_of(variable, leads)
        at_cells = members[..., case.scored]
        cells = cell_scores(at_cells[:, known], truth[known][:, case.scored], random)
        ranks = member_rank_counts(at_cells[:, known], random)
        yield _Part(cells, ranks, _spectra(case, variable, members, truth, known), _maps(case, cells, known))


def _maps(case: Case, cells: CellScores, known: np.ndarray) -> dict[str, np.ndarray]:
    count = case.count
    outside = (cells.ranks == count).astype(np.float32) - (cells.ranks == 0)
    spread = np.sqrt(cells.variance * count / (count - 1)) if count > 1 else np.full_like(cells.variance, np.nan)
    values = {
        "crps_map": cells.crps,
        "error_map": cells.bias,
        "spread_map": spread,
        "percentile_map": 100 * cells.ranks / count,
        "surprise_map": outside,
    }
    maps = {}
    for name, of_cells in values.items():
        maps[name] = np.full((len(known), *case.scored.shape), np.nan, np.float32)
        maps[name][known[:, None, None] & case.scored] = of_cells.ravel()
    return maps


def _spectra(case: Case, variable: Variable, members: np.ndarray, truth: np.ndarray, known: np.ndarray) -> xr.DataArray:
    """Those of truth, members on average and their mean, (of, lead, wavenumber); land counts as the field's mean."""
    axes = {"y": case.y, "x": case.x}
    ensemble = xr.DataArray(members, axes, ("member", "lead", "y", "x"), attrs={"units": variable.units})
    target = xr.DataArray(np.where(known[:, None, None], truth, 0.0), axes, ("lead", "y", "x"))
    target = target.where(np.isfinite(truth) | ~known[:, None, None])
    found = scores.radial_spectrum(ensemble, target)
    found.loc[{"of": "truth"}] = found.sel(of="truth").where(xr.DataArray(known, dims="lead"))
    return found


def _joined(parts: list[CellScores]) -> CellScores:
    """Those of all leads."""
    error, distance, bias, variance, ranks = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("error", "distance", "bias", "variance", "ranks")
    )
    return CellScores(error, distance, bias, variance, ranks, parts[0].members)


def _with_ranks(by_lead: xr.Dataset, cells: CellScores, members: np.ndarray, known: np.ndarray) -> xr.Dataset:
    """The rank histogram by lead and over all leads, the bands of reliable ensembles, and the surprising cells."""
    counts = count_ranks(cells.ranks, cells.members + 1)
    number = cells.ranks.shape[1]
    by_lead["surprising"] = "lead", _at_known((counts[:, 0] + counts[:, -1]) / number, known)
    by_lead["rank_frequency"] = ("lead", "rank"), _at_known(counts / number, known)
    by_lead["rank_frequency_pooled"] = "rank", counts.sum(axis=0) / counts.sum()
    for ending, own, dims in (("", members, ("lead",)), ("_pooled", members.sum(axis=0), ())):
        independent = effective_cells(own)
        low, high = consistency_band(independent, cells.members + 1)
        if cells.members < FEWEST_MEMBERS:
            low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
        for name, values in (("effective_cells", independent), ("rank_low", low), ("rank_high", high)):
            by_lead[f"{name}{ending}"] = dims, _at_known(values, known) if dims else values
    return by_lead


def _at_known(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values of the known leads among all of them, (lead, …), NaN at the others."""
    found = np.full((len(known), *values.shape[1:]), np.nan)
    found[known] = values
    return found
