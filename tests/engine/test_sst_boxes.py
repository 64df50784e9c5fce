"""The reader of the paper's boxes, on files written as its preparation script writes them."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr

from engine.datasets.netcdf import NETCDF_LOCK
from engine.datasets.sst_boxes import SPLITS, box_files, read_box, read_boxes
from engine.errors import DataError, RequestError

DAYS = np.arange("2018-12-20", "2021-01-08", dtype="datetime64[D]")
LAT = -14.875 + 0.25 * np.arange(60)
LON = 180.125 + 0.25 * np.arange(60)
LAND = np.zeros((60, 60), bool)
LAND[3, 5] = LAND[40:42, 59] = True


def standardised() -> np.ndarray:
    values = np.random.default_rng(3).normal(size=(len(DAYS), 60, 60)).astype(np.float32)
    values[7, 10, 10] = 0  # a sea cell may be 0 on a day
    return values


def write(path: Path, values: np.ndarray, **changes: Any) -> Path:
    """As xarray writes a box: float32, days since the first with a calendar, the day of year beside it."""
    times = changes.get("times", DAYS)
    content = xr.Dataset(
        {changes.get("name", "sst"): (changes.get("dims", ("time", "lat", "lon")), values)},
        coords={
            "time": times.astype("datetime64[ns]"),
            "lat": changes.get("lat", LAT).astype(np.float32),
            "lon": changes.get("lon", LON).astype(np.float32),
            "dayofyear": ("time", np.arange(len(times)) % 366 + 1),
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with NETCDF_LOCK:
        content.to_netcdf(path, engine="netcdf4")
    return path


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("boxes") / "subregion-60x60boxes-pixelwise_stats" / "sst.day.mean.box84.nc"
    return write(path, np.where(LAND, 0, standardised()))


def test_a_box_is_read_with_its_grid_and_land(box: Path) -> None:
    run = read_box(box)
    assert run.name == "box84" and run.states.dtype == np.float32
    np.testing.assert_array_equal(run.states[:, 0], np.where(LAND, np.nan, standardised()))
    np.testing.assert_array_equal(run.static, LAND[None].astype(np.float32))
    np.testing.assert_array_equal(run.times, DAYS.astype(int))
    assert run.axes is not None
    assert [axis.name for axis in run.axes] == ["lat", "lon"]
    np.testing.assert_array_equal(run.axes[0].values, LAT)
    np.testing.assert_array_equal(run.axes[1].values, LON)
    assert run.attributes["units"] == "1"


@pytest.mark.parametrize(
    ("split", "first", "last"),
    [
        ("train", "2018-12-20", "2018-12-31"),
        ("validation", "2019-01-01", "2019-12-31"),
        ("test", "2020-01-01", "2020-12-31"),
    ],
)
def test_the_splits_are_those_of_the_paper(box: Path, split: str, first: str, last: str) -> None:
    run = read_box(box, split)
    days = np.arange(first, np.datetime64(last) + 1, dtype="datetime64[D]")
    np.testing.assert_array_equal(run.times, days.astype(int))
    chosen = np.isin(DAYS, days)
    np.testing.assert_array_equal(run.states[:, 0], np.where(LAND, np.nan, standardised()[chosen]))
    assert split in SPLITS


def test_land_may_be_missing_instead_of_0(tmp_path: Path) -> None:
    path = write(tmp_path / "sst.day.mean.box85.nc", np.where(LAND, np.nan, standardised()))
    np.testing.assert_array_equal(read_box(path).static[0], LAND)


def test_axes_that_fall_are_turned_over(tmp_path: Path, box: Path) -> None:
    values = np.where(LAND, 0, standardised())[:, ::-1]
    run = read_box(write(tmp_path / "sst.day.mean.box84.nc", values, lat=LAT[::-1]))
    np.testing.assert_array_equal(run.states, read_box(box).states)
    assert run.axes is not None
    np.testing.assert_array_equal(run.axes[0].values, LAT)


def test_boxes_are_found_in_order_under_either_name(tmp_path: Path) -> None:
    for name in ("a/sst.day.mean.box112.nc", "a/sst.day.mean.box84.nc", "sst.day.mean.60x60box89.standardized.nc"):
        write(tmp_path / name, np.where(LAND, 0, standardised()[:30]), times=DAYS[:30])
    for name in ("sst.day.mean.1999.nc", "box3.nc", "sst.day.mean.box7.nc.part"):
        (tmp_path / name).touch()
    assert list(box_files(tmp_path)) == [84, 89, 112]
    assert [run.name for run in read_boxes(tmp_path, "validation")] == ["box84", "box89", "box112"]


def test_a_calendar_that_is_no_python_one_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "sst.day.mean.box84.nc", np.where(LAND, 0, standardised()))
    with NETCDF_LOCK, netCDF4.Dataset(path, "a") as file:
        file["time"].calendar = "gregorian"
    np.testing.assert_array_equal(read_box(path).times, DAYS.astype(int))


def test_a_folder_without_boxes_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no sst\.day\.mean\.boxNN\.nc; get them with .* fetch sst-boxes"):
        read_boxes(tmp_path)


def test_an_absent_box_an_unknown_split_and_another_name_are_refused(tmp_path: Path, box: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*fetch sst-boxes"):
        read_box(tmp_path / "sst.day.mean.box84.nc")
    with pytest.raises(RequestError, match="no split 'dev' of the boxes; choose one of train, validation, test"):
        read_box(box, "dev")
    with pytest.raises(DataError, match="not named as a box is"):
        read_box(tmp_path / "ocean.nc")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x89HDF\r\n\x1a\n" + b"\0" * 500])
def test_what_is_no_netcdf_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sst.day.mean.box84.nc"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not a readable box"):
        read_box(path)


@pytest.mark.parametrize("left", [0.5, 0.99])
def test_a_truncated_box_is_refused(tmp_path: Path, box: Path, left: float) -> None:
    path = tmp_path / "sst.day.mean.box84.nc"
    path.write_bytes(box.read_bytes()[: int(left * box.stat().st_size)])
    with pytest.raises(DataError, match="is not a readable box"):
        read_box(path)


MISSING = np.where(np.arange(len(DAYS))[:, None, None] == 9, np.nan, standardised())
SEA = np.where(LAND, 0, standardised())


@pytest.mark.parametrize(
    ("values", "changes", "words"),
    [
        (SEA, {"name": "anom"}, "no variable sst"),
        (SEA.transpose(1, 2, 0), {"dims": ("lat", "lon", "time")}, "no variable sst with the dimensions time"),
        (SEA[:, :32, :32], {"lat": LAT[:32], "lon": LON[:32]}, r"shape \(750, 32, 32\), not \(days, 60, 60\)"),
        (SEA[:0], {"times": DAYS[:0]}, r"shape \(0, 60, 60\)|not a readable box"),
        (np.delete(SEA, 9, 0), {"times": np.delete(DAYS, 9)}, "days in .* do not follow one another"),
        (MISSING, {}, "missing values at sea"),
        (np.where(SEA > 4, np.inf, SEA), {}, "missing values at sea"),
        (SEA * 0, {}, "holds no sea"),
    ],
)
def test_a_file_that_is_no_box_is_refused(
    tmp_path: Path, values: np.ndarray, changes: dict[str, Any], words: str
) -> None:
    path = write(tmp_path / "sst.day.mean.box84.nc", values, **changes)
    with pytest.raises(DataError, match=words) as caught:
        read_box(path)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_split_that_the_box_does_not_reach_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "sst.day.mean.box84.nc", SEA[:5], times=DAYS[:5])
    with pytest.raises(DataError, match=r"from 2018-12-20 to 2018-12-24 and has no day of the test split"):
        read_box(path, "test")


def test_a_declared_size_beyond_all_days_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sst.day.mean.box84.nc"
    with NETCDF_LOCK, netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 10_000_000), ("lat", 60), ("lon", 60)):
            file.createDimension(name, size)
            file.createVariable(name, "f8", (name,), chunksizes=(60,)).units = "days since 1970-01-01"
        file.createVariable("sst", "f4", ("time", "lat", "lon"), zlib=True, chunksizes=(1, 60, 60))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(DataError, match=r"shape \(10000000, 60, 60\)"):
        read_box(path)
