"""Daily sea surface temperature and the paper's boxes from a small local server that answers as the public ones do."""

import argparse
import functools
import hashlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import netCDF4
import numpy as np
import pytest

from engine.__main__ import main
from engine.commands import fetch
from engine.datasets import get_dataset, oisst_fetch
from engine.datasets.netcdf import NETCDF_LOCK
from engine.datasets.oisst_fetch import FetchProgress, estimate, fetch_daily, missing_years, parse_years
from engine.datasets.oisst_servers import SERVERS, find_server
from engine.datasets.regions import TASMAN, Box, parse_box
from engine.datasets.zenodo_fetch import RECORD, RecordFile, fetch_boxes
from engine.download import Progress
from engine.errors import Cancelled, DataError, RequestError

ROOT = Path(__file__).resolve().parents[2]
TODAY = np.datetime64("2015-03-10")
BOX = parse_box("-43,-42,147,148.25")  # 4 × 5 cells
REGION = "43S-42S_147E-148.25E"
ERDDAP_PATH = "/erddap/griddap/ncdcOisst21Agg_LonPM180.nc"
THREDDS_PATH = "/thredds/ncss/grid/Datasets/noaa.oisst.v2.highres/sst.day.mean."
ZENODO_PATH = "/api/records/7259555"


def sst(days: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """The ocean of these tests, (day, lat, lon) in °C: no two cells or days alike, some of them land."""
    day = days.astype("datetime64[D]").astype(int)[:, None, None] - 4000
    values = 10 + 0.01 * ((day * 7) % 900) + 0.1 * (lat[:, None] % 7) + 0.03 * (lon % 360 % 11)
    land = np.sin(lat[:, None] * 13) * np.cos((lon % 360) * 29) > 0.5
    return np.where(land, np.nan, np.round(values, 2))


def days_of(year: int) -> np.ndarray:
    return np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")


@dataclass
class Ocean:
    """What the local server sends, and what it was asked for. The changes let it misbehave."""

    folder: tempfile.TemporaryDirectory[str]
    url: str = ""
    newest: np.datetime64 = TODAY - 1
    changes: dict[str, object] = field(default_factory=dict)
    error: tuple[int, str, str] | None = None  # status, content type, body
    ranges: bool = True
    length: bool = True
    version: str = "a"  # of the ETag
    break_after: list[int | None] = field(default_factory=list)  # bytes of each next answer, None for all
    stall: threading.Event | None = None  # hold every answer in the middle until this is set
    files: dict[str, bytes] = field(default_factory=dict)  # of the Zenodo record
    listing: bytes | None = None
    asked: list[str] = field(default_factory=list)
    ranges_asked: list[str | None] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    @property
    def erddap(self) -> str:
        return f"{self.url}/erddap"

    @property
    def thredds(self) -> str:
        return f"{self.url}/thredds"

    def content(self, path: str) -> bytes:
        """The body of an answer; LookupError with a status and a text where there is none."""
        if path.startswith(ERDDAP_PATH + "?"):
            return self._erddap(path.partition("?")[2])
        if path.startswith(THREDDS_PATH):
            return self._thredds(path)
        if path == ZENODO_PATH:
            return self.listing or self._record()
        if path.startswith("/files/"):
            return self.files[path.removeprefix("/files/").removesuffix("/content")]
        raise LookupError(404, "no such page")

    def _erddap(self, query: str) -> bytes:
        assert not re.search(r"[\[\]<>|\"; ]", query), "these must be percent-encoded"
        number = r"(-?\d+\.\d+)"
        match = re.fullmatch(
            r"sst\[\((\d{4}-\d\d-\d\d)T12:00:00Z\):1:\((?:(\d{4}-\d\d-\d\d)T12:00:00Z|last)\)\]\[\(0\.0\):1:\(0\.0\)\]"
            rf"\[\({number}\):1:\({number}\)\]\[\({number}\):1:\({number}\)\]",
            unquote(query),
        )
        if match is None:
            raise LookupError(400, 'Error {\n    code=400;\n    message="Bad Request: Query error.";\n}\n')
        first, last = np.datetime64(match[1]), np.datetime64(match[2]) if match[2] else self.newest
        for name, day in (("Start", first), ("Stop", last)):
            if day > self.newest:
                raise LookupError(
                    404,
                    'Error {\n    code=404;\n    message="Not Found: Your query produced no matching results. '
                    "Query error: "
                    f'For variable=sst axis#0=time: {name}=\\"{day}T12:00:00Z\\" is greater than the axis '
                    f'maximum={self.newest}T12:00:00Z.";\n}}\n',
                )
        south, north, west, east = map(float, match.groups()[2:])
        assert -180 < west <= east < 180, "this server counts longitude so"
        lat, lon = np.arange(south, north + 0.01, 0.25), np.arange(west, east + 0.01, 0.25)
        return self._netcdf(np.arange(first, last + 1), lat, lon, ("time", "zlev", "latitude", "longitude"), -9.99)

    def _thredds(self, path: str) -> bytes:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
        year = int(parts.path.removeprefix(THREDDS_PATH).removesuffix(".nc"))
        assert query.pop("var") == "sst" and query.pop("accept") == "netcdf" and query.pop("horizStride") == "1"
        first, last = (np.datetime64(query.pop(name).removesuffix("Z"), "D") for name in ("time_start", "time_end"))
        south, north, west, east = (float(query.pop(name)) for name in ("south", "north", "west", "east"))
        assert not query and 0 <= west < east <= 360
        every = days_of(year)
        days = every[(every >= first) & (every <= last) & (every <= self.newest)]
        lat, lon = np.arange(-89.875, 90, 0.25), np.arange(0.125, 360, 0.25)
        lat, lon = lat[(lat >= south) & (lat <= north)], lon[(lon >= west) & (lon <= east)]
        return self._netcdf(days, lat, lon, ("time", "lat", "lon"), -9.96921e36)

    def _netcdf(self, days: np.ndarray, lat: np.ndarray, lon: np.ndarray, dims: tuple[str, ...], fill: float) -> bytes:
        days, lat, lon = (self._changed(name, array) for name, array in (("days", days), ("lat", lat), ("lon", lon)))
        values = self._changed("values", sst(days, lat, lon))
        seconds = dims[1] == "zlev"
        axes = {
            "time": (days.astype(int) + 0.5) * 86400.0 if seconds else days.astype(int) + 62091.0,
            "zlev": np.zeros(1),
            dims[-2]: lat,
            dims[-1]: lon,
        }
        units = {"time": "seconds since 1970-01-01T00:00:00Z" if seconds else "days since 1800-01-01 00:00:00"}
        path = Path(self.folder.name) / f"{threading.get_ident()}.nc"
        with NETCDF_LOCK, netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
            for name in dims:
                file.createDimension(name, len(axes[name]))
                axis = file.createVariable(name, "f8", (name,))
                axis.units = units.get(name, "degrees")
                axis[:] = axes[name]
            variable = file.createVariable(str(self.changes.get("name", "sst")), "f4", dims, fill_value=fill)
            variable.missing_value = np.float32(fill)
            variable.units = str(self.changes.get("units", "degree_C" if seconds else "degC"))
            variable[:] = np.where(np.isnan(values), fill, values).reshape([len(axes[name]) for name in dims])
        return path.read_bytes()

    def _changed(self, name: str, array: np.ndarray) -> np.ndarray:
        change = self.changes.get(name)
        return change(array) if callable(change) else array

    def _record(self) -> bytes:
        entries = [
            {
                "key": name,
                "size": len(content),
                "checksum": f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}",
                "links": {"self": f"{self.url}/files/{name}/content"},
            }
            for name, content in self.files.items()
        ]
        return json.dumps({"id": 7259555, "files": entries}).encode()


@pytest.fixture
def ocean() -> Iterator[Ocean]:
    state = Ocean(tempfile.TemporaryDirectory())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            state.ranges_asked.append(self.headers["Range"])
            try:
                if state.error is not None:
                    raise LookupError(*state.error)
                body = state.content(self.path)
            except LookupError as error:
                self.refuse(error)
                return
            etag = f'"{state.version}-{hashlib.sha256(self.path.encode()).hexdigest()[:8]}"'
            start = self.start_of(etag) if state.ranges else 0
            self.send_response(206 if start else 200)
            if state.length:
                self.send_header("Content-Length", str(len(body) - start))
            if state.ranges:
                self.send_header("ETag", etag)
            self.end_headers()
            limit = state.break_after.pop(0) if state.break_after else None
            body = body[start:] if limit is None else body[start : start + limit]
            if state.stall is not None:
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                state.stall.wait(30)
                return
            state.sent.append(len(body))
            self.wfile.write(body)

        def start_of(self, etag: str) -> int:
            condition = self.headers["If-Range"]
            if not self.headers["Range"] or (condition is not None and condition != etag):
                return 0
            return int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))

        def refuse(self, error: LookupError) -> None:
            status, *rest = error.args if len(error.args) > 1 else (404, "no such page")
            kind, text = rest if len(rest) == 2 else ("text/plain", rest[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http_server.server_port}"
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http_server.shutdown()
    thread.join()
    http_server.server_close()
    state.folder.cleanup()


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests stay on this machine, and it is always the same day."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(oisst_fetch, "_today", lambda: TODAY)


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    with NETCDF_LOCK, netCDF4.Dataset(path) as file:
        values = np.ma.filled(file["sst"][:].astype(float), np.nan)
        return values, file["time"][:].data.astype("datetime64[D]"), file["lat"][:].data, file["lon"][:].data


def assert_is_the_ocean(path: Path, lat: np.ndarray, lon: np.ndarray, days: np.ndarray) -> None:
    values, times, file_lat, file_lon = read(path)
    np.testing.assert_array_equal(times, days)
    np.testing.assert_array_equal(file_lat, lat)
    np.testing.assert_array_equal(file_lon, lon)
    np.testing.assert_allclose(values, sst(days, lat, lon), atol=1e-9)
    assert 0 < np.isnan(values[0]).sum() < values[0].size


BOX_LAT = np.array([-42.875, -42.625, -42.375, -42.125])
BOX_LON = np.array([147.125, 147.375, 147.625, 147.875, 148.125])


# -- what arrives ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["erddap", "thredds"])
def test_a_year_arrives_and_is_stored_in_the_projects_form(ocean: Ocean, tmp_path: Path, form: str) -> None:
    folder = fetch_daily(BOX, [2012], folder=tmp_path, server=getattr(ocean, form))
    assert folder == tmp_path / REGION
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "sst-2012.nc"]
    assert_is_the_ocean(folder / "sst-2012.nc", BOX_LAT, BOX_LON, days_of(2012))
    with NETCDF_LOCK, netCDF4.Dataset(folder / "sst-2012.nc") as file:
        assert file["sst"].dimensions == ("time", "lat", "lon")
        assert (file["sst"].dtype, file["sst"].scale_factor, file["sst"].units) == (np.int16, 0.01, "degree_Celsius")
        assert file["sst"].filters()["zlib"]
        assert ocean.url in file.source
    name, _, checked = (folder / "SHA256SUMS").read_text().strip().partition("  ")
    assert (checked, name) == ("sst-2012.nc", hashlib.sha256((folder / "sst-2012.nc").read_bytes()).hexdigest())


def test_the_data_set_reads_what_was_fetched(ocean: Ocean, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path))
    fetch_daily(TASMAN, [2013, 2014], server=ocean.erddap)
    assert (tmp_path / "sst-daily" / "tasman" / "sst-2013.nc").exists()
    dataset = get_dataset("sst-daily")
    assert dataset.runs() == ("tasman",)
    run = dataset.load("tasman")
    days = np.concatenate([days_of(2013), days_of(2014)])
    lat, lon = (axis.values for axis in dataset.axes)
    assert run.axes is None
    np.testing.assert_allclose(run.states[:, 0], sst(days, lat, lon), atol=1e-5)
    np.testing.assert_array_equal(run.times, days.astype(int))
    np.testing.assert_array_equal(run.static[0], np.isnan(sst(days[:1], lat, lon)[0]))


def test_erddap_is_asked_in_its_documented_form(ocean: Ocean, tmp_path: Path) -> None:
    fetch_daily(TASMAN, [1982], folder=tmp_path, server=ocean.erddap + "/")
    assert ocean.asked == [
        "/erddap/griddap/ncdcOisst21Agg_LonPM180.nc?"
        "sst%5B(1982-01-01T12:00:00Z):1:(1982-12-31T12:00:00Z)%5D%5B(0.0):1:(0.0)%5D"
        "%5B(-44.875):1:(-37.125)%5D%5B(147.125):1:(154.875)%5D"
    ]


def test_thredds_is_asked_in_its_documented_form(ocean: Ocean, tmp_path: Path) -> None:
    fetch_daily(TASMAN, [1982], folder=tmp_path, server=ocean.thredds)
    assert ocean.asked == [
        "/thredds/ncss/grid/Datasets/noaa.oisst.v2.highres/sst.day.mean.1982.nc?"
        "var=sst&north=-37.025&south=-44.975&west=147.025&east=154.975&horizStride=1"
        "&time_start=1982-01-01T00%3A00%3A00Z&time_end=1982-12-31T23%3A59%3A59Z&accept=netcdf"
    ]


@pytest.mark.parametrize(
    ("text", "form", "requests", "west"),
    [
        ("0,1,179,-179", "erddap", 2, 179.125),
        ("0,1,179,-179", "thredds", 1, 179.125),
        ("0,1,359,1", "erddap", 1, -0.875),
        ("0,1,359,1", "thredds", 2, -0.875),
    ],
)
def test_a_box_across_the_date_line_or_greenwich_is_put_together(
    ocean: Ocean, tmp_path: Path, text: str, form: str, requests: int, west: float
) -> None:
    folder = fetch_daily(parse_box(text), [2011], folder=tmp_path, server=getattr(ocean, form))
    assert len(ocean.asked) == requests
    lat = np.array([0.125, 0.375, 0.625, 0.875])
    assert_is_the_ocean(folder / "sst-2011.nc", lat, west + 0.25 * np.arange(8), days_of(2011))


def test_axes_that_fall_and_longitudes_counted_otherwise_are_turned_right(ocean: Ocean, tmp_path: Path) -> None:
    ocean.changes = {"lat": np.flip, "lon": lambda lon: lon - 360, "values": lambda values: values}
    folder = fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)
    assert_is_the_ocean(folder / "sst-2011.nc", BOX_LAT, BOX_LON, days_of(2011))


def test_1981_begins_in_september(ocean: Ocean, tmp_path: Path) -> None:
    folder = fetch_daily(BOX, [1981], folder=tmp_path, server=ocean.erddap)
    days = np.arange("1981-09-01", "1982-01-01", dtype="datetime64[D]")
    assert_is_the_ocean(folder / "sst-1981.nc", BOX_LAT, BOX_LON, days)
    assert missing_years(BOX, [1981], folder=tmp_path) == ()


@pytest.mark.parametrize("form", ["erddap", "thredds"])
def test_the_current_year_ends_at_the_newest_day_and_is_fetched_again(ocean: Ocean, tmp_path: Path, form: str) -> None:
    for newest in (TODAY - 5, TODAY - 1):
        ocean.newest = newest
        folder = fetch_daily(BOX, [2014, 2015], folder=tmp_path, server=getattr(ocean, form))
        days = np.arange("2015-01-01", newest + 1, dtype="datetime64[D]")
        assert_is_the_ocean(folder / "sst-2015.nc", BOX_LAT, BOX_LON, days)
    assert len(ocean.asked) == 3
    assert missing_years(BOX, [2014, 2015], folder=tmp_path) == (2015,)


# -- interrupted and resumed -------------------------------------------------------------------------------


def test_years_that_are_there_are_not_asked_for_again(ocean: Ocean, tmp_path: Path) -> None:
    fetch_daily(BOX, [2010, 2012], folder=tmp_path, server=ocean.erddap)
    assert missing_years(BOX, [2010, 2011, 2012], folder=tmp_path) == (2011,)
    fetch_daily(BOX, [2010, 2011, 2012], folder=tmp_path, server=ocean.erddap)
    assert [path.partition("5B(")[2][:4] for path in ocean.asked] == ["2010", "2012", "2011"]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: damage(path),
        lambda path: path.write_bytes(path.read_bytes()[:-10]),
        lambda path: path.unlink(),
        lambda path: (path.parent / "SHA256SUMS").unlink(),
        lambda path: (path.parent / "SHA256SUMS").write_bytes(b"\xff\x00"),
    ],
)
def test_a_year_that_is_not_as_it_was_written_is_fetched_again(
    ocean: Ocean, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    path = fetch_daily(BOX, [2012], folder=tmp_path, server=ocean.erddap) / "sst-2012.nc"
    harm(path)
    assert missing_years(BOX, [2012], folder=tmp_path) == (2012,)
    fetch_daily(BOX, [2012], folder=tmp_path, server=ocean.erddap)
    assert_is_the_ocean(path, BOX_LAT, BOX_LON, days_of(2012))
    assert missing_years(BOX, [2012], folder=tmp_path) == ()


def test_a_file_of_another_box_or_year_does_not_pass_for_this_one(ocean: Ocean, tmp_path: Path) -> None:
    folder = fetch_daily(BOX, [2012], folder=tmp_path, server=ocean.erddap)
    (folder / "sst-2010.nc").write_bytes((folder / "sst-2012.nc").read_bytes())
    sums = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").write_text(sums + sums.replace("2012", "2010"))
    assert missing_years(BOX, [2010, 2012], folder=tmp_path) == (2010,)
    other = parse_box("-43,-42,148,149.25")
    (tmp_path / REGION).rename(tmp_path / "43S-42S_148E-149.25E")
    assert missing_years(other, [2012], folder=tmp_path) == (2012,)


def test_what_broke_off_continues_where_the_server_can(ocean: Ocean, tmp_path: Path) -> None:
    ocean.break_after = [None, 10_000]
    with pytest.raises(DataError, match=r"^1 of 3 years are there, 2011 is not: .*broke off; run the same command"):
        fetch_daily(BOX, [2010, 2011, 2012], folder=tmp_path, server=ocean.erddap)
    assert missing_years(BOX, [2010, 2011, 2012], folder=tmp_path) == (2011, 2012)
    fetch_daily(BOX, [2010, 2011, 2012], folder=tmp_path, server=ocean.erddap)
    assert ocean.ranges_asked == [None, None, "bytes=10000-", None]
    assert ocean.sent[1] + ocean.sent[2] == ocean.sent[0]
    for year in (2010, 2011, 2012):
        assert_is_the_ocean(tmp_path / REGION / f"sst-{year}.nc", BOX_LAT, BOX_LON, days_of(year))
    assert sorted(path.name for path in (tmp_path / REGION).iterdir())[1:] == [
        f"sst-{year}.nc" for year in (2010, 2011, 2012)
    ]


def test_a_server_that_cannot_continue_sends_the_year_again(ocean: Ocean, tmp_path: Path) -> None:
    ocean.ranges, ocean.break_after = False, [10_000]
    with pytest.raises(DataError, match="broke off"):
        fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)
    folder = fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)
    assert ocean.ranges_asked == [None, None]  # without a tag nothing says that the rest would be of the same file
    assert_is_the_ocean(folder / "sst-2011.nc", BOX_LAT, BOX_LON, days_of(2011))


def test_the_rest_of_a_file_that_has_changed_is_not_put_after_its_beginning(ocean: Ocean, tmp_path: Path) -> None:
    ocean.break_after = [10_000]
    with pytest.raises(DataError, match="broke off"):
        fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)
    ocean.version = "b"
    folder = fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)
    assert ocean.sent[1] > 10_000
    assert_is_the_ocean(folder / "sst-2011.nc", BOX_LAT, BOX_LON, days_of(2011))


def test_a_part_from_one_server_is_not_continued_with_another(ocean: Ocean, tmp_path: Path) -> None:
    ocean.break_after = [10_000]
    with pytest.raises(DataError, match="broke off"):
        fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)
    folder = fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.thredds)
    assert ocean.ranges_asked == [None, None]
    assert_is_the_ocean(folder / "sst-2011.nc", BOX_LAT, BOX_LON, days_of(2011))


def test_the_half_of_a_box_that_came_before_an_interruption_is_kept(ocean: Ocean, tmp_path: Path) -> None:
    ocean.break_after = [None, 5_000]
    box = parse_box("0,1,179,-179")
    with pytest.raises(DataError, match="broke off"):
        fetch_daily(box, [2011], folder=tmp_path, server=ocean.erddap)
    fetch_daily(box, [2011], folder=tmp_path, server=ocean.erddap)
    assert ocean.ranges_asked == [None, None, "bytes=5000-"]


def test_a_killed_command_continues(ocean: Ocean, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engine", "fetch", "sst-daily", "--box", "-43,-42,147,148.25", "--years", "2011"]
    command += ["--out", str(tmp_path), "--server", ocean.erddap]
    ocean.stall = threading.Event()
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = ""
        while "%" not in said:  # some of the file has come
            said += process.stderr.read(1)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    finally:
        process.kill()
        ocean.stall.set()
    ocean.stall = None
    assert "1 of 1 years to fetch from 127.0.0.1" in said
    parts = list((tmp_path / REGION).glob("*.part"))
    assert len(parts) == 1
    have = parts[0].stat().st_size
    assert main(command[3:]) == 0
    assert ocean.ranges_asked == [None, f"bytes={have}-"] if have else [None, None]
    assert_is_the_ocean(tmp_path / REGION / "sst-2011.nc", BOX_LAT, BOX_LON, days_of(2011))


def test_a_cancelled_fetch_stops_and_continues_later(ocean: Ocean, tmp_path: Path) -> None:
    seen: list[FetchProgress] = []
    with pytest.raises(Cancelled, match="start it again"):
        fetch_daily(
            BOX,
            [2010, 2011],
            folder=tmp_path,
            server=ocean.erddap,
            progress=seen.append,
            cancelled=lambda: seen[-1].year == 2011,
        )
    assert missing_years(BOX, [2010, 2011], folder=tmp_path) == (2011,)
    fetch_daily(BOX, [2010, 2011], folder=tmp_path, server=ocean.erddap)
    assert missing_years(BOX, [2010, 2011], folder=tmp_path) == ()


def test_progress_rises_to_the_estimate(ocean: Ocean, tmp_path: Path) -> None:
    seen: list[FetchProgress] = []
    fetch_daily(BOX, [2010], folder=tmp_path, server=ocean.erddap)
    fetch_daily(TASMAN, [2010, 2011, 2012], folder=tmp_path, server=ocean.erddap, progress=seen.append)
    received = [step.received for step in seen]
    assert received == sorted(received)
    assert {(step.year, step.years_there) for step in seen} == {(2010, 0), (2011, 1), (2012, 2)}
    assert seen[0].expected == estimate(TASMAN, [2010, 2011, 2012]) == 4 * 1024 * 1096
    assert seen[-1].received == sum(ocean.sent[1:])
    assert 0.99 < seen[-1].fraction <= 1
    assert seen[-1].received == pytest.approx(seen[-1].expected, rel=0.01)


def test_two_fetches_into_one_folder_at_once_are_refused(ocean: Ocean, tmp_path: Path) -> None:
    refused: list[str] = []

    def second(progress: FetchProgress) -> None:
        if not refused:
            with pytest.raises(DataError, match="being filled already; wait") as caught:
                fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)
            refused.append(str(caught.value))

    fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap, progress=second)
    assert refused and REGION in refused[0]
    fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)


# -- what is refused ---------------------------------------------------------------------------------------


def nothing_is_kept(folder: Path) -> bool:
    return not [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith((".part", "-tag"))]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ((503, "text/html", "<html>down for maintenance</html>"), r"answered 503 Service Unavailable; check .* later"),
        ((404, "text/plain", "No such file\n"), r"answered 404 Not Found \(No such file\); check the address"),
        ((200, "text/html", "<!DOCTYPE html><html>Log in</html>"), r"sent a web page instead of a netCDF file; try"),
        ((200, "text/plain", "CDX"), r"sent something else instead of a netCDF file"),
        ((200, "text/plain", ""), r"sent something else instead of a netCDF file"),
        ((200, "text/plain", "CDF\x01" + 600 * "\x02"), r"sent a file that breaks off; run the same command"),
        ((200, "application/octet-stream", "CDF\x02"), r"sent a file that breaks off; run the same command"),
    ],
)
def test_an_error_page_becomes_one_sentence(
    ocean: Ocean, tmp_path: Path, error: tuple[int, str, str], words: str
) -> None:
    ocean.error = error
    with pytest.raises(DataError, match=rf"^0 of 1 years are there, 2011 is not: .*{words}") as caught:
        fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)
    assert "\n" not in str(caught.value) and "%5B" not in str(caught.value)
    assert nothing_is_kept(tmp_path)
    ocean.error = None
    fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)


def test_what_erddap_says_of_a_refusal_is_passed_on(
    ocean: Ocean, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ocean.newest = np.datetime64("2013-06-01")
    with pytest.raises(DataError, match=r'404 Not Found \(Not Found: .*Stop="2013-12-31T12:00:00Z" is greater than'):
        fetch_daily(BOX, [2013], folder=tmp_path, server=ocean.erddap)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"days": lambda days: np.delete(days, 40)}, r"364 days, 2011-01-01 to 2011-12-31, not the 365 from"),
        ({"days": lambda days: days[:-1]}, r"364 days, .* to 2011-12-30"),
        ({"days": lambda days: days + 1}, r"365 days, 2011-01-02 to 2012-01-01"),
        ({"days": lambda days: days[:0]}, r"cannot be read, or not be stored|sent 0 days"),
        ({"lat": lambda lat: lat + 0.25}, r"4 cells of latitude \(-42.625 to -41.875\), not the 4 from -42.875"),
        ({"lat": lambda lat: lat[1:]}, r"3 cells of latitude"),
        ({"lon": lambda lon: lon[:-1]}, r"4 cells of longitude"),
        ({"lon": lambda lon: lon + 0.1}, r"5 cells of longitude"),
        ({"lon": lambda lon: np.arange(0.125, 600, 0.25)}, r"far more than was asked for"),
        ({"units": "kelvin"}, r"sst in 'kelvin', not in degrees Celsius"),
        ({"name": "anom"}, r"without the variable sst"),
        ({"values": lambda values: values + 273.15}, r"temperatures from 28\d.* to .* °C between 2011-01-01 and"),
        ({"values": lambda values: values * np.inf}, r"temperatures from inf to inf"),
        ({"values": lambda values: np.where(values > 11, -9.0, values)}, r"temperatures from -9 to"),
        ({"values": lambda values: values * np.nan}, r"holds no sea, all its 20 cells are missing; name another box"),
        (
            {"values": lambda values: np.where(np.arange(365)[:, None, None] == 100, np.nan, values)},
            r"other missing cells on 2011-04-11 than on the first day",
        ),
    ],
)
@pytest.mark.parametrize("form", ["erddap", "thredds"])
def test_a_year_that_is_not_what_was_asked_for_is_refused(
    ocean: Ocean, tmp_path: Path, changes: dict[str, object], words: str, form: str
) -> None:
    ocean.changes = changes
    with pytest.raises(DataError, match=rf"2011 is not: .*{words}") as caught:
        fetch_daily(BOX, [2011], folder=tmp_path, server=getattr(ocean, form))
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    assert nothing_is_kept(tmp_path)
    ocean.changes = {}
    fetch_daily(BOX, [2011], folder=tmp_path, server=getattr(ocean, form))
    assert missing_years(BOX, [2011], folder=tmp_path) == ()


@pytest.mark.parametrize("cut", [1, 100, 20_000])
def test_a_cut_file_of_unknown_length_is_noticed(ocean: Ocean, tmp_path: Path, cut: int) -> None:
    """The netCDF library reads the missing end as zeros, and 0 °C is a temperature of the sea."""
    ocean.length = False
    ocean.break_after = [len(ocean.content(asked_for(2011))) - cut]
    with pytest.raises(DataError, match="sent a file that breaks off"):
        fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)
    folder = fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)
    assert_is_the_ocean(folder / "sst-2011.nc", BOX_LAT, BOX_LON, days_of(2011))


def asked_for(year: int) -> str:
    server = find_server("http://x/erddap")
    subset = oisst_fetch.Subset(f"{year}-01-01", f"{year}-12-31", -42.875, -42.125, 147.125, 148.125)
    return server.url(server.address, subset).removeprefix("http://x")


def test_halves_of_different_days_are_refused(ocean: Ocean, tmp_path: Path) -> None:
    ocean.changes["days"] = lambda days: days if len(ocean.asked) == 1 else days[1:]
    with pytest.raises(DataError, match="other days for the two halves"):
        fetch_daily(parse_box("0,1,179,-179"), [2011], folder=tmp_path, server=ocean.erddap)
    assert nothing_is_kept(tmp_path)


def test_being_offline_is_said_in_words(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{closed.getsockname()[1]}/thredds"
        with pytest.raises(DataError, match=r"cannot be reached .*connect to the internet and try again\.$"):
            fetch_daily(BOX, [2011], folder=tmp_path, server=server)
    assert nothing_is_kept(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(ocean: Ocean, tmp_path: Path) -> None:
    (tmp_path / REGION).touch()
    with pytest.raises(DataError, match=rf"{REGION}.* cannot be written .*free some space or name another folder"):
        fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)


def test_a_disk_without_room_is_noticed_before_the_download(
    ocean: Ocean, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage)
    with pytest.raises(DataError, match=r"has 0 MB free and 0 MB are to come; free some space"):
        fetch_daily(BOX, [2011], folder=tmp_path, server=ocean.erddap)


# -- years, sizes, servers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("2013", (2013,)),
        ("2013,2014", (2013, 2014)),
        ("2014, 2012-2013 ,2014", (2012, 2013, 2014)),
        ("1982-2014", oisst_fetch.DEFAULT_YEARS),
        ("1981,2015", (1981, 2015)),
    ],
)
def test_years_are_read_in_both_forms(text: str, years: tuple[int, ...]) -> None:
    assert parse_years(text) == years


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "years are ''; write them such as"),
        ("13", "years are '13'"),
        ("2013-", "years are '2013-'"),
        ("2013..2014", "write them such as 1982-2014"),
        ("2014-2013", "fall before they rise"),
        ("1980-1982", "The year 1980 has no data; name years from 1981 to 2015"),
        ("2015,2016", "The year 2016 has no data"),
    ],
)
def test_years_without_data_are_refused(text: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        parse_years(text)


def test_the_size_is_that_of_the_cells_and_days() -> None:
    assert estimate(TASMAN, oisst_fetch.DEFAULT_YEARS) == 4 * 32 * 32 * 12_053
    assert estimate(BOX, [2015]) == 4 * 20 * 69  # 1 January to 10 March
    assert estimate(Box(0, 1, 179, -179), [2011]) == 4 * 32 * 365
    assert estimate(BOX, []) == 0


def test_servers_are_found_by_name_or_address() -> None:
    assert find_server(None) is SERVERS["coastwatch"]
    assert find_server("psl").host == "psl.noaa.gov"
    assert find_server("https://upwell.example/erddap").address.startswith("https://upwell.example/erddap/griddap/")


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_has_a_secure_address(name: str) -> None:
    assert SERVERS[name].address.startswith("https://") and SERVERS[name].host.endswith("noaa.gov")


@pytest.mark.parametrize("text", ["", "noaa", "file:///erddap", "https://example.org/", "http:///thredds"])
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="name coastwatch or psl, or an address that ends in"):
        find_server(text)


# -- the paper's boxes -------------------------------------------------------------------------------------

BOX_FILES = {f"sst.day.mean.box{number}.nc": f"box {number}".encode() * 9000 for number in (84, 112)}


def tar_of(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"subregion-60x60boxes-pixelwise_stats/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return content.getvalue()


def zip_of(files: dict[str, bytes], folder: str = "subregion-60x60boxes-pixelwise_stats/") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(folder + name, data)
    return content.getvalue()


def fetch_from(
    ocean: Ocean,
    folder: Path,
    announce: Callable[[RecordFile], None] | None = None,
    progress: Progress | None = None,
) -> Path:
    return fetch_boxes(folder=folder, record=ocean.url + ZENODO_PATH, announce=announce, progress=progress)


@pytest.mark.parametrize(
    "files",
    [{"boxes.tar.gz": tar_of(BOX_FILES)}, {"boxes.zip": zip_of(BOX_FILES)}, {**BOX_FILES, "notes.txt": b"read me"}],
    ids=["tar", "zip", "plain"],
)
def test_the_boxes_arrive_and_are_not_fetched_twice(ocean: Ocean, tmp_path: Path, files: dict[str, bytes]) -> None:
    ocean.files = files
    announced: list[RecordFile] = []
    seen: list[tuple[int, int | None]] = []
    folder = fetch_from(
        ocean, tmp_path, announce=announced.append, progress=lambda done, total: seen.append((done, total))
    )
    assert {path.name: path.read_bytes() for path in folder.rglob("*.nc")} == BOX_FILES
    assert [(file.name, file.size) for file in announced] == [(name, len(data)) for name, data in files.items()]
    assert seen[-1] == (len([*files.values()][-1]),) * 2
    assert not list(folder.glob("boxes.*")) and not (folder / "record.json").exists()
    ocean.asked.clear()
    fetch_from(ocean, tmp_path)
    assert ocean.asked == [ZENODO_PATH]


def test_boxes_that_broke_off_continue(ocean: Ocean, tmp_path: Path) -> None:
    ocean.files = {"boxes.zip": zip_of(BOX_FILES)}
    ocean.break_after = [None, 50_000]
    with pytest.raises(DataError, match="broke off; run the same command again"):
        fetch_from(ocean, tmp_path)
    fetch_from(ocean, tmp_path)
    assert ocean.ranges_asked == [None, None, None, "bytes=50000-"]
    assert len(list(tmp_path.rglob("*.nc"))) == 2


def test_boxes_with_another_digest_are_refused(ocean: Ocean, tmp_path: Path) -> None:
    ocean.files = {"boxes.zip": zip_of(BOX_FILES)}
    ocean.listing = ocean._record()
    ocean.files = {"boxes.zip": zip_of({**BOX_FILES, "more.nc": b"?"})}
    with pytest.raises(DataError, match=r"boxes\.zip/content sent a file with the digest \w{32}, not \w{32}; try"):
        fetch_from(ocean, tmp_path)
    assert nothing_is_kept(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "../outside.zip"},
        {"key": "a/b.zip"},
        {"key": ".hidden"},
        {"checksum": "md5:abc"},
        {"checksum": "crc32:" + "0" * 32},
        {"checksum": "0" * 32},
        {"size": "large"},
        {"size": None},
        {"links": {}},
        {"links": {"self": "file:///etc/passwd"}},
    ],
)
def test_a_record_of_another_form_is_refused(ocean: Ocean, tmp_path: Path, change: dict[str, object]) -> None:
    ocean.files = {"boxes.zip": zip_of(BOX_FILES)}
    record = json.loads(ocean._record())
    record["files"][0] |= change
    ocean.listing = json.dumps(record).encode()
    with pytest.raises(DataError, match="did not answer with a list of files; try again later"):
        fetch_from(ocean, tmp_path)
    assert ocean.asked == [ZENODO_PATH] and nothing_is_kept(tmp_path)


@pytest.mark.parametrize("listing", [b"<html>", b"[]", b'{"files": 3}', b'{"files": ["a"]}', b"\xff", b"null"])
def test_an_answer_that_is_no_record_is_refused(ocean: Ocean, tmp_path: Path, listing: bytes) -> None:
    ocean.listing = listing
    with pytest.raises(DataError, match="did not answer with a list of files"):
        fetch_from(ocean, tmp_path)


def test_a_record_without_boxes_is_refused(ocean: Ocean, tmp_path: Path) -> None:
    ocean.files = {"notes.txt": b"moved"}
    with pytest.raises(DataError, match=r"holds no sst\.day\.mean\.boxNN\.nc; report"):
        fetch_from(ocean, tmp_path)


@pytest.mark.parametrize("folder", ["../", "/elsewhere/", "C:\\", "a/../../"])
def test_a_zip_that_leads_out_of_its_folder_is_refused(ocean: Ocean, tmp_path: Path, folder: str) -> None:
    ocean.files = {"boxes.zip": zip_of(BOX_FILES, folder)}
    with pytest.raises(DataError, match=r"not an archive that can be unpacked .*would lead out of the folder"):
        fetch_from(ocean, tmp_path / "in")
    assert not list(tmp_path.rglob("*.nc"))


def test_zenodo_out_of_reach_is_said_in_words(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        record = f"http://127.0.0.1:{closed.getsockname()[1]}{ZENODO_PATH}"
        with pytest.raises(DataError, match=r"cannot be reached .*connect to the internet"):
            fetch_boxes(folder=tmp_path, record=record)


def test_the_record_is_that_of_the_paper() -> None:
    assert RECORD == "https://zenodo.org/api/records/7259555"


# -- the command -------------------------------------------------------------------------------------------


def run_command(text: str) -> int:
    parser = argparse.ArgumentParser()
    fetch.add_arguments(parser)
    return fetch.run(parser.parse_args(text.split()))


def test_the_command_says_the_size_first_and_fetches(
    ocean: Ocean, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"sst-daily --box -43,-42,147,148.25 --years 2010-2011 --out {tmp_path} --server {ocean.erddap}"
    assert run_command(words) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"2 of 2 years to fetch from {ocean.url[7:]}: about 0.1 MB\n")
    assert "\r1/2 years, 2011: " in said.err and said.err.endswith(f"\n{tmp_path / REGION}\n")
    assert run_command(words) == 0
    assert capsys.readouterr().err.startswith("all of the 2 years are there\n")
    assert len(ocean.asked) == 2


def test_the_default_is_the_tasman_sea_in_the_users_folder(
    ocean: Ocean, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(oisst_fetch, "DEFAULT_YEARS", (2013,))
    run_command(f"sst-daily --server {ocean.erddap}")
    assert (tmp_path / "sst-daily/tasman/sst-2013.nc").exists()
    assert "about 1.5 MB" in capsys.readouterr().err


def test_the_command_fetches_the_boxes(
    ocean: Ocean, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ocean.files = {"boxes.zip": zip_of(BOX_FILES)}
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path))
    bound = functools.partial(fetch_boxes, record=ocean.url + ZENODO_PATH)
    monkeypatch.setattr("engine.datasets.zenodo_fetch.fetch_boxes", bound)
    run_command("sst-boxes")
    assert len(list((tmp_path / "sst-boxes/subregion-60x60boxes-pixelwise_stats").iterdir())) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("boxes.zip: 0.1 MB\n") and "2 boxes in" in said.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sst-boxes --years 2013", "--years is for sst-daily, not for sst-boxes"),
        ("spring-mesh-published --box tasman", "--box is for sst-daily"),
        ("sst-daily --keep-archive", "--keep-archive is not for sst-daily"),
        ("sst-daily --box -45,-37", "The box is '-45,-37'"),
        ("sst-daily --years soon", "The years are 'soon'"),
        ("sst-daily --server noaa", "The server is 'noaa'"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(words: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", *words.split()]) == 2
    said = capsys.readouterr().err
    assert said.startswith("coldcast: ") and expected in said and said.count("\n") == 1


def test_the_command_reports_a_dead_server_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{closed.getsockname()[1]}/erddap"
        assert main(["fetch", "sst-daily", "--years", "2011", "--out", str(tmp_path), "--server", server]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("coldcast: 0 of 1 years are there, 2011 is not:") and last.endswith("try again.")
    assert os.sep + "tasman" not in last
