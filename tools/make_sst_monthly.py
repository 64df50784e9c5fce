"""Cuts the tropical Pacific out of NOAA's monthly sea surface temperature: data/sst-monthly/pacific.nc.

The source is the test file `test/data/test_input_oisst_data.nc` in the source distribution of the Python package
easyclimate 2025.3.0, which one gets by

    pip download --no-deps --no-binary easyclimate easyclimate==2025.3.0

The file's digest is checked. Run tools/bundle.py afterwards: it renews the checksums of data/.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import xarray as xr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.datasets import get_dataset
from engine.datasets.netcdf import NETCDF_LOCK
from engine.datasets.sst_monthly import record_path
from engine.errors import DataError

SOURCE_SHA256 = "057ad72db8b95ebad3e52b5132004e7d2e08b10960ae4c1308b7d002a4716e8e"
QUANTUM = 2.0**-9  # °C, 0.002: far below the error of the analysis

ATTRIBUTES = {
    "Conventions": "CF-1.11",
    "title": "NOAA OI SST V2 monthly means on a 2.5 degree grid, tropical Pacific",
    "institution": "NOAA (analysis); cut out by Coldcast",
    "source": "test/data/test_input_oisst_data.nc of easyclimate 2025.3.0, a regrid of NOAA OI SST V2 monthly means",
    "references": (
        "Reynolds et al. 2002, doi:10.1175/1520-0442(2002)015<1609:AIISAS>2.0.CO;2; "
        "Reynolds et al. 2007, doi:10.1175/2007JCLI1824.1; Huang et al. 2021, doi:10.1175/JCLI-D-20-0166.1"
    ),
    "license": "NOAA data are in the public domain; please cite the references",
    "source_sha256": SOURCE_SHA256,
    "quantum": QUANTUM,
}


def main() -> int:
    """Check the source, cut, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="test_input_oisst_data.nc")
    source = parser.parse_args().source
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        raise DataError(f"{source} has the digest {found}, not {SOURCE_SHA256}; take the file of easyclimate 2025.3.0.")
    lat, lon = (axis.values for axis in get_dataset("sst-monthly").axes)
    with NETCDF_LOCK, xr.open_dataset(source) as opened:
        sst = opened["sst"].sel(lat=lat, lon=lon).load()
    record = xr.Dataset(
        {"sst": (("time", "lat", "lon"), sst.values.astype(np.float64), described("sst"))},
        {"time": sst["time"].values, "lat": ("lat", lat, described("lat")), "lon": ("lon", lon, described("lon"))},
        ATTRIBUTES,
    )
    target = record_path()
    target.parent.mkdir(parents=True, exist_ok=True)
    packed = {"dtype": "int16", "scale_factor": QUANTUM, "add_offset": 16.0, "_FillValue": -32768}
    encoding: dict[str, dict[str, object]] = {
        "sst": {**packed, "zlib": True, "complevel": 9, "shuffle": True, "chunksizes": sst.shape},
        "time": {"units": "days since 1981-12-01", "dtype": "int32"},
    }
    with NETCDF_LOCK:
        record.to_netcdf(target, encoding=encoding, engine="netcdf4")
    print(f"{target.name}: {target.stat().st_size:,} bytes, {len(sst)} months")
    return 0


def described(name: str) -> dict[str, str]:
    """CF attributes of a variable."""
    return {
        "sst": {
            "standard_name": "sea_surface_temperature",
            "long_name": "monthly mean sea surface temperature",
            "units": "degree_Celsius",
            "cell_methods": "time: mean",
        },
        "lat": {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"},
        "lon": {"standard_name": "longitude", "units": "degrees_east", "axis": "X"},
    }[name]


if __name__ == "__main__":
    sys.exit(main())
