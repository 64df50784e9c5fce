"""Daily sea surface temperature of a box from NOAA's public servers, one checked file per year.

OISST v2.1: Huang et al. (2021), doi:10.1175/JCLI-D-20-0166.1; Reynolds et al. (2007), doi:10.1175/2007JCLI1824.1.
"""

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from engine.datasets.netcdf import NETCDF_LOCK
from engine.datasets.oisst_servers import Server, Subset, find_server
from engine.datasets.regions import Box, cells, longitude_pieces, region_name
from engine.download import digest, download
from engine.errors import DataError, RequestError
from engine.folders import data_dir

DEFAULT_YEARS = tuple(range(1982, 2015))
"""The years of the splits: training, validation and test."""

_FIRST_DAY = np.datetime64("1981-09-01")
_PLAUSIBLE = (-3.0, 45.0)  # °C, the valid range that NOAA gives
_CELSIUS = ("degree_c", "degrees_c", "degc", "celsius", "degree_celsius", "degrees_celsius")
_DIMENSIONS = {"time": "time", "latitude": "lat", "lat": "lat", "longitude": "lon", "lon": "lon"}
_VALUE_BYTES = 4  # the servers send 32-bit numbers
_SLAB = 32  # days that are in memory at once
_TIMEOUT = 180.0  # seconds: a server may open hundreds of daily files before it sends the first byte
_EPOCH = "days since 1970-01-01"
_FILL = -32768
_SUMS = "SHA256SUMS"
_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError)
_UNDER_WAY: set[Path] = set()
_UNDER_WAY_LOCK = threading.Lock()


@dataclass(frozen=True)
class FetchProgress:
    """How far a fetch is: the year that is coming, years there of those asked for, bytes received and estimated."""

    year: int
    years_there: int
    years: int
    received: int
    expected: int

    @property
    def fraction(self) -> float:
        """Share of the bytes that have come, at most 1; the estimate is close but no promise."""
        return min(self.received / max(self.expected, 1), 1.0)


def parse_years(text: str) -> tuple[int, ...]:
    """Read years such as "1982-2014", "2013,2014" or both forms mixed.

    Raises RequestError where they are no years, or years without data.
    """
    years: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{4})(?:\s*-\s*(\d{4}))?\s*", part)
        if match is None:
            raise RequestError(f"The years are {text!r}; write them such as 1982-2014 or 2013,2014.")
        years |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return _checked_years(sorted(years))


def _checked_years(years: Sequence[int]) -> tuple[int, ...]:
    first, last = _year_of(_FIRST_DAY), _year_of(_today())
    unknown = [year for year in years if not first <= year <= last]
    if unknown or not years:
        named = f"The year {unknown[0]} has" if unknown else "Years that fall before they rise have"
        raise RequestError(f"{named} no data; name years from {first} to {last}.")
    return tuple(sorted(set(years)))


def estimate(box: Box, years: Sequence[int]) -> int:
    """Bytes that some years of a box will be to download; what is kept of them takes about a quarter."""
    lat, lon = cells(box)
    return sum(len(_days_of(year)) for year in years) * len(lat) * len(lon) * _VALUE_BYTES


def missing_years(box: Box, years: Sequence[int], *, folder: Path | None = None) -> tuple[int, ...]:
    """Those years of a box that are not there whole and unchanged; the current year is never whole.

    folder: where the regions' folders lie, the user's data folder by default.
    """
    place = _region_folder(box, folder)
    sums = _read_sums(place)
    return tuple(year for year in years if not _is_there(place / _file_name(year), year, box, sums))


def fetch_daily(
    box: Box,
    years: Sequence[int],
    *,
    folder: Path | None = None,
    server: str | None = None,
    progress: Callable[[FetchProgress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Fetch the years of a box that are not there yet and return the folder of `sst-YYYY.nc` that they lie in.

    Each file holds `sst` (time, lat, lon) in °C, int16 in steps of 0.01 °C, missing on land, with rising lat and lon;
    its digest is in SHA256SUMS. What was interrupted continues: years that are there are left alone.
    folder: where the regions' folders lie, the user's data folder by default; server: see `find_server`.

    Raises:
        DataError: the server cannot be reached, refuses, breaks off or sends something else; or no space.
        RequestError: there are no such years or there is no such server.
        Cancelled: `cancelled()` became true.
    """
    source = find_server(server)
    years = _checked_years(years)
    place = _region_folder(box, folder)
    with _alone_in(place):
        missing = missing_years(box, years, folder=folder)
        meter = _Meter(progress, len(years), estimate(box, missing), len(years) - len(missing))
        for year in missing:
            meter.year = year
            try:
                _fetch_year(source, box, year, place, meter, cancelled)
            except DataError as error:
                raise DataError(
                    f"{meter.years_there} of {len(years)} years are there, {year} is not: {error}"
                ) from error
            except OSError as error:
                raise DataError(
                    f"{place} cannot be written ({error.strerror}); free some space or name another folder."
                ) from error
            meter.years_there += 1
    return place


@dataclass
class _Meter:
    """Counts what has come and tells it to `progress`."""

    progress: Callable[[FetchProgress], None] | None
    years: int
    expected: int
    years_there: int
    year: int = 0
    finished: int = 0  # bytes of the files that are whole

    def reached(self, done: int, total: int | None) -> None:
        """Take note of `done` bytes of the file that is coming."""
        if self.progress is not None:
            received = self.finished + done
            self.progress(FetchProgress(self.year, self.years_there, self.years, received, self.expected))

    def finish(self, size: int) -> None:
        """Take note of a file that is whole."""
        self.finished += size
        self.reached(0, None)


@contextmanager
def _alone_in(place: Path) -> Iterator[None]:
    """Two fetches into one folder would write the same parts."""
    with _UNDER_WAY_LOCK:
        if place in _UNDER_WAY:
            raise DataError(f"{place} is being filled already; wait until that is done.")
        _UNDER_WAY.add(place)
    try:
        yield
    finally:
        with _UNDER_WAY_LOCK:
            _UNDER_WAY.remove(place)


def _fetch_year(
    source: Server, box: Box, year: int, place: Path, meter: _Meter, cancelled: Callable[[], bool] | None
) -> None:
    lat, lon = cells(box)
    days = _days_of(year)
    last = None if year == _year_of(_today()) else str(days[-1])
    raws: list[Path] = []
    for piece in longitude_pieces(lon, source.west):
        url = source.url(source.address, Subset(str(days[0]), last, lat[0], lat[-1], piece[0], piece[-1]))
        # The name holds what was asked for, so that no part is continued with the answer to another question.
        raw = place / f"{year}-{hashlib.sha256(url.encode()).hexdigest()[:12]}.raw"
        if not raw.exists():
            download(url, raw, progress=meter.reached, cancelled=cancelled, timeout=_TIMEOUT)
        meter.finish(raw.stat().st_size)
        raws.append(raw)
    try:
        _rewrite(raws, place / _file_name(year), box, year, source)
    finally:
        # Right or wrong, they are of no more use: what failed the checks must not be found by the next attempt.
        for raw in raws:
            raw.unlink(missing_ok=True)


# -- from what the server sent to the file of a year -------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Sent:
    """The header of a netCDF file with `sst`: its axes in the order of the file, the roles of the dimensions of sst."""

    days: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    roles: tuple[str, ...]


def _rewrite(raws: Sequence[Path], target: Path, box: Box, year: int, source: Server) -> None:
    """Check what came for a year and write it in the project's own form."""
    partial = target.with_name(target.name + ".partial")
    for raw in raws:
        _check_whole(raw, source.host)
    try:
        with NETCDF_LOCK, ExitStack() as opened:
            files = [opened.enter_context(netCDF4.Dataset(raw)) for raw in raws]
            days, slabs = _checked_content(files, box, year, source)
            _write(partial, target.parent.name, box, days, slabs, source)
        _write_sums(target.parent, target.name, digest(partial))
        os.replace(partial, target)
    except _UNREADABLE as error:
        raise DataError(
            f"what {source.host} sent cannot be read, or not be stored ({error}); see whether there is space, "
            "try again later or name another server."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _check_whole(raw: Path, host: str) -> None:
    """The netCDF library reads the missing end of a file in the classic format as zeros, and 0 °C is plausible."""
    from scipy.io import netcdf_file  # takes a tenth of a second to load, which the page need not wait for

    with raw.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return  # such a file holds its own length, which the library checks
    if not start.startswith((b"CDF\x01", b"CDF\x02")):
        page = "a web page" if start.lstrip()[:1] == b"<" else "something else"
        raise DataError(f"{host} sent {page} instead of a netCDF file; try again later or name another server.")
    try:
        with netcdf_file(raw, mmap=True):
            pass
    except (*_UNREADABLE, AssertionError) as error:
        raise DataError(f"{host} sent a file that breaks off; run the same command again to fetch it anew.") from error


def _checked_content(
    files: Sequence[netCDF4.Dataset], box: Box, year: int, source: Server
) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """The days of a year and its values in slabs (day, y, x), every one checked as it is read."""
    lat, lon = cells(box)
    sent = [_read_header(file, source.host) for file in files]
    for part, expected in zip(sent, longitude_pieces(lon, source.west), strict=True):
        _check_axis("latitude", part.lat, lat, source.host)
        _check_axis("longitude", (part.lon - source.west) % 360 + source.west, expected, source.host)
        if not np.array_equal(part.days, sent[0].days):
            raise DataError(f"{source.host} sent other days for the two halves of the box; try again later.")
    _check_days(sent[0].days, year, source.host)
    return sent[0].days, _slabs(files, sent, source)


def _read_header(file: netCDF4.Dataset, host: str) -> _Sent:
    if "sst" not in file.variables:
        raise DataError(f"{host} sent a file without the variable sst; name another server.")
    variable = file["sst"]
    roles = tuple(_DIMENSIONS.get(name.lower(), "") for name in variable.dimensions)
    extra = [size for role, size in zip(roles, variable.shape, strict=True) if not role]
    if sorted(role for role in roles if role) != ["lat", "lon", "time"] or set(extra) > {1}:
        raise DataError(
            f"{host} sent sst with the dimensions {dict(zip(variable.dimensions, variable.shape, strict=True))}, "
            "not time, latitude and longitude; name another server."
        )
    units = str(getattr(variable, "units", "no unit"))
    if units.lower().replace(" ", "_") not in _CELSIUS:
        raise DataError(f"{host} sent sst in {units!r}, not in degrees Celsius; name another server.")
    names = {role: name for role, name in zip(roles, variable.dimensions, strict=True) if role}
    if max(file.dimensions[name].size for name in names.values()) > 2000:
        raise DataError(f"{host} sent far more than was asked for; name another server.")
    time = file[names["time"]]
    dates = netCDF4.num2date(
        np.asarray(time[:]),
        time.units,
        getattr(time, "calendar", "standard"),
        only_use_cftime_datetimes=False,
        only_use_python_datetimes=True,
    )
    return _Sent(
        days=np.atleast_1d(np.asarray(dates)).astype("datetime64[D]"),
        lat=np.asarray(file[names["lat"]][:], np.float64),
        lon=np.asarray(file[names["lon"]][:], np.float64),
        roles=roles,
    )


def _check_axis(name: str, sent: np.ndarray, expected: np.ndarray, host: str) -> None:
    rising = np.sort(sent)
    if rising.shape != expected.shape or not np.allclose(rising, expected, rtol=0, atol=1e-3):
        span = f"{rising[0]:g} to {rising[-1]:g}" if rising.size else "nothing"
        raise DataError(
            f"{host} sent {len(sent)} cells of {name} ({span}), not the {len(expected)} from {expected[0]:g} to "
            f"{expected[-1]:g} that were asked for; try again later or name another server."
        )


def _check_days(sent: np.ndarray, year: int, host: str) -> None:
    """Every day of the year; of the current year, every day from the first to some day."""
    expected = _days_of(year)
    if year == _year_of(_today()):
        expected = expected[: max(len(sent), 1)]
    if not np.array_equal(sent, expected):
        span = f", {sent[0]} to {sent[-1]}" if sent.size else ""
        raise DataError(
            f"{host} sent {len(sent)} days{span}, not the {len(expected)} from {expected[0]} to {expected[-1]}; "
            "try again later or name another server."
        )


def _slabs(files: Sequence[netCDF4.Dataset], sent: Sequence[_Sent], source: Server) -> Iterator[np.ndarray]:
    """Values float64 (day, y, x) with rising axes, NaN on land, the pieces of the box side by side."""
    land: np.ndarray | None = None
    days = sent[0].days
    for start in range(0, len(days), _SLAB):
        stop = min(start + _SLAB, len(days))
        values = np.concatenate(
            [_read_slab(file, part, start, stop) for file, part in zip(files, sent, strict=True)], axis=-1
        )
        missing = np.isnan(values)
        land = missing[0] if land is None else land
        _check_values(values, missing, land, days[start:stop], source.host)
        yield values


def _read_slab(file: netCDF4.Dataset, part: _Sent, start: int, stop: int) -> np.ndarray:
    index = tuple({"time": slice(start, stop), "": 0}.get(role, slice(None)) for role in part.roles)
    values = np.ma.filled(np.ma.asarray(file["sst"][index], np.float64), np.nan)
    kept = [role for role in part.roles if role]
    ordered = np.transpose(values, [kept.index(role) for role in ("time", "lat", "lon")])
    return ordered[:, np.argsort(part.lat)][:, :, np.argsort(part.lon)]


def _check_values(values: np.ndarray, missing: np.ndarray, land: np.ndarray, days: np.ndarray, host: str) -> None:
    if (differing := (missing != land).any(axis=(1, 2))).any():
        day = days[int(np.argmax(differing))]
        raise DataError(
            f"{host} sent other missing cells on {day} than on the first day, so not all of them are land; "
            "try again later or name another server."
        )
    if land.all():
        raise DataError(f"The box holds no sea, all its {land.size} cells are missing; name another box.")
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if not _PLAUSIBLE[0] <= low <= high <= _PLAUSIBLE[1]:
        raise DataError(
            f"{host} sent sea surface temperatures from {low:g} to {high:g} °C between {days[0]} and {days[-1]}; "
            "try again later or name another server."
        )


def _write(partial: Path, region: str, box: Box, days: np.ndarray, slabs: Iterator[np.ndarray], source: Server) -> None:
    lat, lon = cells(box)
    with netCDF4.Dataset(partial, "w", format="NETCDF4") as file:
        file.setncatts(
            {
                "Conventions": "CF-1.11",
                "title": f"NOAA daily OISST v2.1, 0.25 degree, {region}, {days[0]} to {days[-1]}",
                "source": f"{source.address}, fetched {_today()}",
                "references": "doi:10.1175/JCLI-D-20-0166.1, doi:10.1175/2007JCLI1824.1",
                "institution": "NOAA National Centers for Environmental Information",
                "history": "cut to a box and packed into steps of 0.01 degree Celsius by Coldcast",
            }
        )
        for name, values, units, long_name in (
            ("time", days.astype("datetime64[D]").astype(np.int64), _EPOCH, "day"),
            ("lat", lat, "degrees_north", "latitude of the cell centre"),
            ("lon", lon, "degrees_east", "longitude of the cell centre"),
        ):
            file.createDimension(name, len(values))
            axis = file.createVariable(name, values.dtype, (name,))
            axis.setncatts({"units": units, "long_name": long_name})
            axis[:] = values
        file["time"].calendar = "standard"
        sst = file.createVariable("sst", "i2", ("time", "lat", "lon"), zlib=True, shuffle=True, fill_value=_FILL)
        sst.setncatts(
            {
                "units": "degree_Celsius",
                "standard_name": "sea_surface_temperature",
                "long_name": "daily mean sea surface temperature",
                "scale_factor": 0.01,
                "add_offset": 0.0,
            }
        )
        sst.set_auto_maskandscale(False)
        start = 0
        for slab in slabs:
            packed = np.where(np.isnan(slab), _FILL, np.rint(np.nan_to_num(slab) * 100)).astype(np.int16)
            sst[start : start + len(slab)] = packed
            start += len(slab)


# -- what is there -----------------------------------------------------------------------------------------


def _region_folder(box: Box, folder: Path | None) -> Path:
    return (data_dir() / "sst-daily" if folder is None else folder) / region_name(box)


def _file_name(year: int) -> str:
    return f"sst-{year}.nc"


def _is_there(path: Path, year: int, box: Box, sums: dict[str, str]) -> bool:
    """Whether a file is as it was written, and holds the whole year."""
    if not path.exists() or sums.get(path.name) != digest(path):
        return False
    try:
        with NETCDF_LOCK, netCDF4.Dataset(path) as file:
            sent = _read_header(file, path.name)
    except (*_UNREADABLE, DataError):
        return False
    lat, lon = cells(box)
    on_grid = np.array_equal(sent.lat, lat) and np.array_equal(sent.lon, lon)
    whole = _days_of(year, to_the_end=True)
    return on_grid and np.array_equal(sent.days, whole)


def _read_sums(place: Path) -> dict[str, str]:
    """File name -> digest, as `sha256sum --check` reads them."""
    try:
        lines = (place / _SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: value for value, _, name in (line.partition("  ") for line in lines)}


def _write_sums(place: Path, name: str, value: str) -> None:
    sums = _read_sums(place) | {name: value}
    partial = place / f"{_SUMS}.partial"
    partial.write_text("".join(f"{sums[key]}  {key}\n" for key in sorted(sums)), encoding="utf-8")
    os.replace(partial, place / _SUMS)


# -- days --------------------------------------------------------------------------------------------------


def _today() -> np.datetime64:
    return np.datetime64("today", "D")


def _year_of(day: np.datetime64) -> int:
    return int(day.astype("datetime64[Y]").astype(int)) + 1970


def _days_of(year: int, *, to_the_end: bool = False) -> np.ndarray:
    """The days of a year from the first that there are data of, up to today unless all are asked for."""
    start, end = (np.datetime64(f"{number}-01-01", "D") for number in (year, year + 1))
    last = end if to_the_end else min(end, _today() + 1)
    return np.arange(max(start, _FIRST_DAY), last)
