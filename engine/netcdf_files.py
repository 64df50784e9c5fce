"""Results to netCDF files, as the CF conventions want them."""

import errno
import tempfile
from collections.abc import Hashable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xarray as xr

from engine.datasets.netcdf import NETCDF_LOCK


def write_netcdf(result: xr.Dataset, path: Path) -> None:
    """Write a result; a file that was there stays until the new one is whole.

    Coordinates have no fill value (CF 1.11, 2.5.1) and `history` says when the file was written. Raises OSError.
    """
    described = result.assign_attrs(history=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} written by Coldcast")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name[:64]}-") as folder:
        beside = Path(folder) / "result.nc"
        with NETCDF_LOCK:
            try:
                described.to_netcdf(beside, engine="netcdf4", encoding=_encoding(result))
            except RuntimeError as error:  # what the library makes of a full disk
                raise OSError(errno.EIO, str(error)) from error
        beside.replace(path)


def netcdf_bytes(result: xr.Dataset) -> bytes:
    """What `write_netcdf` writes, as bytes."""
    with tempfile.TemporaryDirectory(prefix="coldcast-") as folder:
        path = Path(folder) / "result.nc"
        write_netcdf(result, path)
        return path.read_bytes()


def _encoding(result: xr.Dataset) -> dict[Hashable, dict[str, Any]]:
    return {name: {"_FillValue": None} for name in result.coords}
