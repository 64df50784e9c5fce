"""What `python -m engine evaluate --init` prints and writes of one forecast verified."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import DataError, RequestError
from engine.tables import write_text

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import xarray as xr

ENDINGS = (".csv", ".json", ".nc")
WIDTH = 36  # of a column
RANKS_SHOWN = 64  # more are only written
MAPS = ("y", "x")


def check_ending(path: Path) -> None:
    """Raises RequestError where a file's name does not say in which form it is to be written."""
    if path.suffix not in ENDINGS:
        raise RequestError(f"--out is {path}: name a file that ends in {', '.join(ENDINGS)}.")


def lines_of(found: "xr.Dataset", *, every: int) -> list[str]:
    """The tables: scores by lead with their intervals, the rank histogram, physical consistency, spectra."""
    leads = [lead for lead in found["lead"].values if lead % every == 0 or lead % 1 != 0 or lead == found["lead"][-1]]
    shown = found.sel(lead=leads)
    rows, columns = found.attrs["block_rows"], found.attrs["block_columns"]
    return [
        f"{found.attrs['variable']} in {found.attrs['units']}, {found.attrs['members']} members, "
        f"{found.attrs['cells']} cells",
        f"{found.attrs['convention']} Here {found.attrs['blocks']} blocks of {rows} x {columns} cells.",
        *_scores(shown),
        "",
        *_ranks(found),
        "",
        *_physics(shown),
        "",
        *_spectra(shown.isel(lead=-1)),
    ]


def write(found: "xr.Dataset", path: Path, as_csv: "Callable[[xr.Dataset], str]") -> None:
    """Write everything by the ending of the name: netCDF with the maps, CSV or JSON without.

    Raises: DataError if it cannot be written.
    """
    try:
        if path.suffix == ".nc":
            from engine.netcdf_files import write_netcdf

            write_netcdf(found, path)
        else:
            write_text(path, as_json(found) if path.suffix == ".json" else as_csv(found))
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); name another file.") from error


def as_json(found: "xr.Dataset") -> str:
    """All numbers but the maps: attributes, coordinates, and variables with their dimensions and units; NaN is null."""
    import json

    def plain(values: "np.ndarray") -> list[object]:
        if not np.issubdtype(values.dtype, np.floating):
            return list(values.tolist())
        known = np.atleast_1d(values).astype(object)
        known[~np.isfinite(np.atleast_1d(values))] = None
        return list(known.tolist())

    numbers = without_maps(found)
    return json.dumps(
        {
            "attributes": {name: _plain_number(value) for name, value in numbers.attrs.items()},
            "coordinates": {str(name): plain(values.values) for name, values in numbers.coords.items()},
            "variables": {
                str(name): {
                    "dims": list(values.dims),
                    "units": values.attrs.get("units", "1"),
                    "values": plain(values.values),
                }
                for name, values in numbers.data_vars.items()
            },
        },
        allow_nan=False,
    )


def _plain_number(value: object) -> object:
    """Numpy's numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def as_table(found: "xr.Dataset") -> "pd.DataFrame":
    """All numbers but the maps, one a row: what it is, and its lead, rank, wavenumber … where it has one."""
    import pandas as pd

    numbers = without_maps(found)
    parts = []
    for name, values in numbers.data_vars.items():
        several = values.ndim > 0
        rows = values.to_series().rename("value").reset_index() if several else pd.DataFrame({"value": [values.item()]})
        rows.insert(0, "quantity", str(name))
        parts.append(rows)
    table = pd.concat(parts, ignore_index=True)
    return table[["quantity", *(column for column in table if column not in ("quantity", "value")), "value"]]


def without_maps(found: "xr.Dataset") -> "xr.Dataset":
    """The numbers that are no maps."""
    maps = [name for name, values in found.data_vars.items() if set(MAPS) <= set(values.dims)]
    return found.drop_vars(maps).drop_vars(list(MAPS), errors="ignore")


def _scores(shown: "xr.Dataset") -> list[str]:
    from engine.verification import SCORES

    names = list(map(str, shown["baseline"].values)) if "baseline" in shown.coords else []
    titles = [*(name.upper() if name in ("crps", "rmse") else name for name in SCORES), "surprising cells"]
    lines = [_row("", [*titles, *(f"{name} CRPS" for name in names)])]
    for lead in shown["lead"].values:
        at = shown.sel(lead=lead)
        cells = [
            f"{_number(at[name])} [{_number(at[f'{name}_low'])}, {_number(at[f'{name}_high'])}]" for name in SCORES
        ]
        share = float(at["surprising"])
        cells.append("-" if share != share else f"{share:.1%} of {shown.attrs['surprising_expected']:.1%} expected")
        cells += [_number(at["baseline_crps"].sel(baseline=name)) for name in names]
        lines.append(_row(f"lead {lead:g}", cells))
    return lines


def _ranks(found: "xr.Dataset") -> list[str]:
    low, high = float(found["rank_low_pooled"]), float(found["rank_high_pooled"])
    shares = found["rank_frequency_pooled"].values
    if np.isnan(shares).any():
        return ["rank histogram: none, as every member says yes or no"]
    expected = 1 / len(shares)
    lines = [
        f"rank histogram over all leads: {expected:.4f} expected at each of {len(shares)} ranks;"
        f" a reliable ensemble has {_number(low)} to {_number(high)} at 19 ranks of 20"
        f" ({float(found['effective_cells_pooled']):.0f} independent cells, by how the members differ)"
    ]
    if len(shares) <= RANKS_SHOWN:
        lines.append(" ".join(f"{share:.4f}" for share in shares))
    return lines


def _physics(shown: "xr.Dataset") -> list[str]:
    from engine.physics import PHYSICS

    lines = [_row("", [f"{each.title} ({each.units})" for each in PHYSICS[shown.attrs["dataset"]]])]
    for lead in shown["lead"].values:
        at = shown.sel(lead=lead)
        cells = []
        for each in PHYSICS[shown.attrs["dataset"]]:
            members = at[each.name]
            ends = f"{_number(members.min())} to {_number(members.max())}"
            cells.append(f"{ends}, truth {_number(at[f'{each.name}_truth'])}")
        lines.append(_row(f"lead {lead:g}", cells))
    return lines


def _spectra(at: "xr.Dataset") -> list[str]:
    """At one lead, every doubling of the wavenumber."""
    titles = {"truth": "truth", "member": "members", "mean": "their mean"}
    lines = [_row(f"lead {float(at['lead']):g}", [f"spectrum of {title}" for title in titles.values()])]
    number = 1
    while number <= at.sizes["wavenumber"]:
        here = at["spectrum"].isel(wavenumber=number - 1)
        cells = [f"{float(here.sel(of=name)):.4g}" for name in titles]
        lines.append(_row(f"k {float(here['wavenumber']):.4g}", cells))
        number *= 2
    return lines


def _row(label: str, cells: list[str]) -> str:
    return f"{label:12}" + "".join(f"{cell:>{WIDTH}}" for cell in cells)


def _number(value: "xr.DataArray | float") -> str:
    number = float(value)
    return "-" if number != number else f"{number:.5g}"
