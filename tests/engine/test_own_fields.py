"""A person's file as a run: variables, units, axes, calendars, grids, land, and what is said about each."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.datasets import Run, get_dataset
from engine.datasets.netcdf import NETCDF_LOCK
from engine.errors import DataError, RequestError
from engine.folders import bundled_dir
from engine.own.fields import OwnField, questions, read_own
from engine.own.ranges import TrainingRange
from engine.own.regridding import axis_weights
from engine.own.store import keep_own, load_own, own_runs
from engine.own.units import conversion
from tests.engine.own_files import LAND, Sketch, expected, field_at, monthly, monthly_sketch, open_here, reference_run


def read(path: Path, **options: Any) -> OwnField:
    """The file as a run of sst-monthly, on the grid and land of the reference."""
    given: dict[str, Any] = {"reference": reference_run(), "opener": open_here} | options
    return read_own(path, monthly(), **given)


def assert_right(own: OwnField, step: float = 0.0, *, within: float = 1e-5) -> None:
    """The initial condition is the field of `field_at`, NaN on land."""
    np.testing.assert_allclose(own.run.states[own.frame, 0], expected(step), rtol=0, atol=within)


def said(own: OwnField) -> str:
    """All that is said about a file."""
    return "; ".join((*own.notes, *own.warnings))


# -- units -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "target", "value", "result"),
    [
        ("K", "degree_Celsius", 300.0, 26.85),
        ("kelvin", "degree_Celsius", 273.15, 0.0),
        ("degF", "degree_Celsius", 212.0, 100.0),
        ("degree_F", "degree_Celsius", 32.0, 0.0),
        ("degree_C", "degree_Celsius", 7.0, 7.0),
        ("deg C", "degree_Celsius", 7.0, 7.0),
        ("°C", "degree_Celsius", 7.0, 7.0),
        ("Celsius", "degree_Celsius", 7.0, 7.0),
        ("cm s-1", "m s-1", 250.0, 2.5),
        ("cm/s", "m s-1", 250.0, 2.5),
        ("knots", "m s-1", 3600.0, 1852.0),
        ("km/h", "m s-1", 36.0, 10.0),
        ("m^2 s^-2", "m2 s-2", 4.0, 4.0),
        ("hours", "s", 2.0, 7200.0),
    ],
)
def test_units_convert(units: str, target: str, value: float, result: float) -> None:
    assert conversion(units, target, "x")(np.array([value]))[0] == pytest.approx(result, abs=1e-9)


@pytest.mark.parametrize(
    "units", ["psu", "m", "9**9**9**9", "m99", "__import__('os')", "K" * 10_000, "no units", "1e3"]
)
def test_units_that_do_not_convert_are_refused_in_one_sentence(units: str) -> None:
    with pytest.raises(RequestError, match=r"do not convert to degree_Celsius: name a variable"):
        conversion(units, "degree_Celsius", "'sst'")


def test_kelvin_are_converted_and_said(tmp_path: Path) -> None:
    sketch = monthly_sketch(units="K")
    own = read(monthly_sketch(units="K", values=sketch.filled() + 273.15).write(tmp_path / "a.nc"))
    assert_right(own, within=1e-4)
    assert "'sst' was converted from K to degree_Celsius" in said(own)


def test_missing_units_of_kelvin_are_told_from_the_range(tmp_path: Path) -> None:
    own = read(monthly_sketch(units=None, values=monthly_sketch().filled() + 273.15).write(tmp_path / "a.nc"))
    assert_right(own, within=1e-4)
    assert "has no units; its range says K" in said(own)


def test_missing_units_that_the_range_does_not_tell_are_asked_for(tmp_path: Path) -> None:
    path = monthly_sketch(units=None, values=monthly_sketch().filled() * 9 / 5 + 32).write(tmp_path / "a.nc")
    with pytest.raises(
        RequestError, match=r"'sst' in a\.nc has no units and its values go from .* NAME\[degree_Celsius\]"
    ):
        read(path)
    assert_right(read(path, variables={"sst": "sst[degF]"}), within=1e-4)


# -- which variable ----------------------------------------------------------------------------------------


def add_variable(path: Path, name: str, **attributes: str) -> Path:
    with NETCDF_LOCK, netCDF4.Dataset(path, "a") as file:
        variable = file.createVariable(name, "f4", ("time", "lat", "lon"))
        variable.setncatts(attributes)
        variable[:] = 1.0
    return path


def test_a_variable_is_found_by_its_standard_name(tmp_path: Path) -> None:
    sketch = monthly_sketch(name="var34", attributes={"standard_name": "sea_surface_temperature"})
    own = read(add_variable(sketch.write(tmp_path / "a.nc"), "ice", standard_name="sea_ice_area_fraction"))
    assert_right(own)
    assert "sst is 'var34' in the file" in said(own)


def test_anomalies_and_errors_are_not_taken_for_temperatures(tmp_path: Path) -> None:
    path = monthly_sketch(name="t", attributes={"long_name": "Daily sea surface temperature"}).write(tmp_path / "a.nc")
    add_variable(path, "anom", long_name="Daily sea surface temperature anomalies")
    add_variable(path, "err", long_name="Estimated error standard deviation of sea surface temperature")
    assert_right(read(path))


def test_two_temperatures_are_asked_about(tmp_path: Path) -> None:
    path = add_variable(monthly_sketch().write(tmp_path / "ocean.nc"), "tos", units="degC")
    with pytest.raises(RequestError) as refusal:
        read(path)
    assert str(refusal.value) == (
        "ocean.nc has the temperature fields sst and tos: name one with --init-variable sst=tos."
    )
    assert questions(path, monthly(), opener=open_here).asked == {"sst": ("sst", "tos")}
    assert questions(path, monthly(), variables={"sst": "sst"}, opener=open_here).asked == {}
    assert_right(read(path, variables={"sst": "sst"}))


def test_a_field_of_unknown_name_is_offered_not_taken(tmp_path: Path) -> None:
    path = monthly_sketch(name="T").write(tmp_path / "a.nc")
    with pytest.raises(
        RequestError, match=r"no field that is plainly sst .* only T: name one with --init-variable sst=T"
    ):
        read(path)
    assert questions(path, monthly(), opener=open_here).asked == {"sst": ("T",)}
    assert_right(read(path, variables={"sst": "T"}))


@pytest.mark.parametrize("named", [{"sst": "nothing"}, {"salt": "sst"}, {"lat": "nothing"}])
def test_a_name_that_is_not_there_is_refused(tmp_path: Path, named: dict[str, str]) -> None:
    with pytest.raises(RequestError, match=r"has no variable 'nothing'; it has|'salt' is no channel of sst-monthly"):
        read(monthly_sketch().write(tmp_path / "a.nc"), variables=named)


# -- axes --------------------------------------------------------------------------------------------------


def test_a_descending_latitude_axis_is_turned_over(tmp_path: Path) -> None:
    assert_right(read(monthly_sketch(lat=monthly().axes[0].values[::-1]).write(tmp_path / "a.nc")))


def test_longitudes_from_minus_180_to_180_are_found(tmp_path: Path) -> None:
    lon = np.arange(-180, 180, 2.5)
    assert_right(read(monthly_sketch(lon=lon).write(tmp_path / "a.nc")))


def test_axes_in_another_order_are_put_right(tmp_path: Path) -> None:
    assert_right(read(monthly_sketch(order=("lon", "time", "lat")).write(tmp_path / "a.nc")))


def test_axes_are_known_by_their_usual_names(tmp_path: Path) -> None:
    names = {"lat": "nav_lat", "lon": "nav_lon"}
    assert_right(read(monthly_sketch(axis_names=names, axis_attributes=False).write(tmp_path / "a.nc")))


def test_axes_that_nothing_tells_are_asked_for(tmp_path: Path) -> None:
    names = {"lat": "north", "lon": "east"}
    path = monthly_sketch(axis_names=names, axis_attributes=False).write(tmp_path / "a.nc")
    with pytest.raises(RequestError, match=r"The latitude of 'sst' in a\.nc could be .*--init-variable lat="):
        read(path)
    assert set(questions(path, monthly(), opener=open_here).asked) == {"lat", "lon"}
    assert_right(read(path, variables={"lat": "north", "lon": "east"}))


def test_a_meridian_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    assert_right(read(monthly_sketch(lon=np.arange(0, 360.1, 2.5)).write(tmp_path / "a.nc")))


def test_the_shallowest_level_is_taken_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    lat, lon = (axis.values for axis in monthly().axes)
    depth = np.array([100.0, 5.0, 20.0])
    values = field_at(lat, lon)[None] - (depth - 5)[:, None, None]
    with NETCDF_LOCK:
        xr.Dataset(
            {"thetao": (("depth", "lat", "lon"), values, {"units": "degC"})},
            {
                "depth": ("depth", depth, {"units": "m", "positive": "down"}),
                "lat": ("lat", lat, {"units": "degrees_north"}),
                "lon": ("lon", lon, {"units": "degrees_east"}),
            },
        ).to_netcdf(path)
    own = read(path, time="2016-01")
    assert_right(own)
    assert "the shallowest of 3 levels was taken, 5 m" in said(own)
    assert "the file has no times: its field was taken as 2016-01" in said(own)


def test_a_dimension_that_nothing_explains_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    with NETCDF_LOCK:
        xr.Dataset({"sst": (("band", "lat", "lon"), np.zeros((7, 3, 4)), {"units": "degC"})}).assign_coords(
            lat=("lat", [0.0, 1, 2]), lon=("lon", [0.0, 1, 2, 3])
        ).to_netcdf(path)
    with pytest.raises(DataError, match=r"has 7 fields along 'band' and it is unclear which to take"):
        read(path, time="2016-01")


def test_packed_integers_with_fill_values_are_unpacked(tmp_path: Path) -> None:
    values = monthly_sketch().filled()
    values[0, 5, 6] = np.nan
    own = read(monthly_sketch(values=values, packed=(0.001, 20.0)).write(tmp_path / "a.nc"))
    assert own.run.states[0, 0, 5, 6] == 20.0  # the climatology
    different = np.abs(own.run.states[0, 0] - expected()) > 6e-4
    assert [tuple(cell) for cell in np.argwhere(different)] == [(5, 6)]
    assert any("of the cells have no value in the file and were filled" in warning for warning in own.warnings)


def test_infinite_values_are_missing_values(tmp_path: Path) -> None:
    values = monthly_sketch().filled()
    values[0, 5, 6] = np.inf
    own = read(monthly_sketch(values=values).write(tmp_path / "a.nc"))
    assert own.run.states[0, 0, 5, 6] == 20.0


# -- times -------------------------------------------------------------------------------------------------


def dates_of(own: OwnField) -> list[str]:
    calendar = monthly().calendar
    assert calendar is not None
    return [calendar.label(time) for time in own.run.times]


@pytest.mark.parametrize(
    ("units", "calendar", "times", "dates"),
    [
        ("days since 2016-01-15", None, (0, 31, 60), ["2016-01", "2016-02", "2016-03"]),
        ("hours since 1900-01-01", "gregorian", (1016832, 1017576), ["2016-01", "2016-02"]),
        ("days since 2016-01-01", "noleap", (0, 59, 90), ["2016-01", "2016-03", "2016-04"]),
        ("days since 2016-01-01", "360_day", (59, 60), ["2016-02", "2016-03"]),
        ("days since 2015-12-25", "julian", (0, 20), ["2015-12", "2016-01"]),
        ("months since 2015-11-01", None, (0, 1, 2), ["2015-11", "2015-12", "2016-01"]),
        ("months since 1960-01-01", "360", (671.5, 672.5), ["2015-12", "2016-01"]),
        ("years since 2014-03-01", None, (0, 1), ["2014-03", "2015-03"]),
        ("day as %Y%m%d.%f", None, (20151231.5, 20160131.0), ["2015-12", "2016-01"]),
        ("seconds since 1970-01-01T00:00:00Z", None, (1452816000,), ["2016-01"]),
    ],
)
def test_dates_of_many_calendars_become_months(
    tmp_path: Path, units: str, calendar: str | None, times: tuple[float, ...], dates: list[str]
) -> None:
    own = read(monthly_sketch(time_units=units, calendar=calendar, times=times).write(tmp_path / "a.nc"))
    assert dates_of(own) == dates
    assert own.frame == len(dates) - 1  # the last of a record is where a real forecast starts
    assert_right(own, step=len(dates) - 1)


def test_the_30th_of_february_is_the_last_of_february(tmp_path: Path) -> None:
    own = read(
        monthly_sketch(time_units="days since 2015-02-30", calendar="360_day", times=(0,)).write(tmp_path / "a.nc")
    )
    assert dates_of(own) == ["2015-02"]


def test_times_out_of_order_are_sorted_and_twins_counted_once(tmp_path: Path) -> None:
    own = read(monthly_sketch(times=(60, 0, 31, 0)).write(tmp_path / "a.nc"))
    assert dates_of(own) == ["2016-01", "2016-02", "2016-03"]
    for frame, step in enumerate((1, 2, 0)):
        np.testing.assert_allclose(own.run.states[frame, 0], expected(step), atol=1e-5)
    assert "1 times are there twice; the first field of each was taken" in said(own)


def test_days_of_one_month_are_averaged(tmp_path: Path) -> None:
    own = read(monthly_sketch(times=(0, 1, 2, 31)).write(tmp_path / "a.nc"), time="2016-01")
    assert dates_of(own) == ["2016-01", "2016-02"]
    assert_right(own, step=1)
    assert "up to 3 fields of one month were averaged" in said(own)


def test_a_step_that_the_file_lacks_is_no_frame(tmp_path: Path) -> None:
    own = read(monthly_sketch(times=(0, 91)).write(tmp_path / "a.nc"), time="2016-01")
    assert own.frame == 0
    assert np.diff(own.run.times) == 3
    assert "later fields that serve as truth: 1" in said(own)


def test_times_are_taken_amid_their_bounds(tmp_path: Path) -> None:
    path = monthly_sketch(times=(17,)).write(tmp_path / "a.nc")  # stamped at the end: 2016-02-01
    with NETCDF_LOCK, netCDF4.Dataset(path, "a") as file:
        file.createDimension("two", 2)
        file["time"].bounds = "time_bounds"
        file.createVariable("time_bounds", "f8", ("time", "two"))[:] = [[-14, 17]]
    assert dates_of(read(path)) == ["2016-01"]


def test_a_time_that_is_not_there_is_refused_with_what_there_is(tmp_path: Path) -> None:
    path = monthly_sketch(times=(0, 31)).write(tmp_path / "a.nc")
    with pytest.raises(RequestError, match=r"a\.nc has no field at 2017-01: it has 2 from 2016-01 to 2016-02\."):
        read(path, time="2017-01")
    with pytest.raises(RequestError, match=r"The time 'May' is no date"):
        read(path, time="May")
    assert read(path, time=0).frame == 0
    with pytest.raises(RequestError, match=r"no frame 2: give one from 0 to 1"):
        read(path, time=2)


def test_a_file_without_times_is_asked_for_one(tmp_path: Path) -> None:
    path = monthly_sketch(order=("lat", "lon")).write(tmp_path / "a.nc")
    with pytest.raises(RequestError, match=r"does not say when its field is: give its time with --init-time"):
        read(path)
    own = read(path, time="2016-07")
    assert dates_of(own) == ["2016-07"]
    assert_right(own)


@pytest.mark.parametrize(
    ("units", "calendar"), [("fortnights", None), ("days since never", None), ("days since 2016-01-01", "mayan")]
)
def test_times_that_give_no_dates_are_refused(tmp_path: Path, units: str, calendar: str | None) -> None:
    path = monthly_sketch(time_units=units, calendar=calendar).write(tmp_path / "a.nc")
    with pytest.raises(DataError, match=r"which give no dates: write them as 'days since 1970-01-01'"):
        read(path)


# -- grids -------------------------------------------------------------------------------------------------


def brute_force(lat: np.ndarray, lon: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Bilinear interpolation cell by cell, the weights of unknown corners shared out; NaN outside and on land."""
    target_lat, target_lon = (axis.values for axis in monthly().axes)
    result = np.full((target_lat.size, target_lon.size), np.nan)
    for row, phi in enumerate(target_lat):
        for column, theta in enumerate(target_lon):
            below = [j for j in range(lat.size - 1) if lat[j] <= phi <= lat[j + 1]]
            left = [i for i in range(lon.size - 1) if lon[i] <= theta <= lon[i + 1]]
            if not below or not left:
                continue
            j, i = below[0], left[0]
            up, right = (phi - lat[j]) / (lat[j + 1] - lat[j]), (theta - lon[i]) / (lon[i + 1] - lon[i])
            corners = {(j, i): (1 - up) * (1 - right), (j + 1, i): up * (1 - right)}
            corners |= {(j, i + 1): (1 - up) * right, (j + 1, i + 1): up * right}
            known = {cell: weight for cell, weight in corners.items() if np.isfinite(values[cell])}
            if sum(known.values()) >= 0.05:
                result[row, column] = sum(w * values[c] for c, w in known.items()) / sum(known.values())
    for cell in LAND:
        result[cell] = np.nan
    return result


def test_a_shifted_grid_with_land_is_interpolated_as_by_hand(tmp_path: Path) -> None:
    lat, lon = np.arange(-33, 34, 3.0), np.arange(110, 300, 4.0)
    random = np.random.default_rng(3)
    values = random.normal(25, 2, size=(1, lat.size, lon.size)).astype(np.float32)
    values[0, random.random((lat.size, lon.size)) < 0.1] = np.nan
    own = read(Sketch(lat, lon, values=values).write(tmp_path / "a.nc"))
    by_hand = brute_force(lat, lon, values[0].astype(float))
    filled = np.isnan(by_hand)
    for cell in LAND:
        filled[cell] = False
    assert 0 < filled.sum() < 30
    by_hand[filled] = 20.0  # the climatology
    np.testing.assert_allclose(own.run.states[0, 0], by_hand, atol=1e-4)
    assert "regridded from 3 × 4 by linear interpolation" in said(own)


def test_a_finer_grid_is_averaged_by_area() -> None:
    # Four cells of 0.5 in each of 2: means of edges at 0, 0.5 … ; a cell half covered keeps half its weight.
    fine = axis_weights(np.arange(0.25, 3, 0.5), np.array([1.0, 3.0]))
    assert fine.kind == "mean"
    np.testing.assert_allclose(fine.weights, [[0.25] * 4 + [0] * 2, [0] * 4 + [0.25] * 2])
    # On the sphere the rows count by the difference of the sines of their edges.
    polar = axis_weights(np.array([-45.0, 45.0]), np.array([-90.0, 90.0]), on_sphere=True)
    assert polar.weights.shape == (2, 2)
    north = axis_weights(np.array([15.0, 45.0, 75.0]), np.array([-45.0, 45.0]), on_sphere=True).weights[1]
    sines = np.sin(np.radians([0, 30, 60, 90]))
    np.testing.assert_allclose(north, np.diff(sines), atol=1e-12)


def test_a_fine_global_file_gives_area_means(tmp_path: Path) -> None:
    sketch = monthly_sketch(lat=np.arange(-89.5, 90), lon=np.arange(-179.5, 180))
    own = read(sketch.write(tmp_path / "a.nc"))
    # The field is linear; a cell's mean in sin(lat) lies a little off its centre.
    assert_right(own, within=0.02)
    assert "regridded from 1 × 1 by means by area" in said(own)


def test_longitudes_close_round_the_globe() -> None:
    weights = axis_weights(np.arange(0.0, 360, 90), np.array([-45.0, 0.0, 45.0]), period=360.0)
    rows = {
        float(target): dict(zip(weights.positions, row, strict=True))
        for target, row in zip((-45, 0, 45), weights.weights, strict=True)
    }
    assert rows[-45.0][3] == rows[-45.0][0] == 0.5
    assert rows[0.0][0] == 1.0
    assert rows[45.0][0] == rows[45.0][1] == 0.5


def test_regridding_may_be_turned_off(tmp_path: Path) -> None:
    assert_right(read(monthly_sketch().write(tmp_path / "same.nc"), regrid=False))
    path = monthly_sketch(lat=np.arange(-30, 31, 3.0)).write(tmp_path / "other.nc")
    with pytest.raises(RequestError, match=r"has another grid than sst-monthly and regridding is turned off"):
        read(path, regrid=False)


@pytest.mark.parametrize("spacing", [2.0, 0.5])
def test_a_curvilinear_grid_is_read(tmp_path: Path, spacing: float) -> None:
    path = tmp_path / "a.nc"
    rows, columns = np.meshgrid(np.arange(-40, 41, spacing), np.arange(100, 310, spacing), indexing="ij")
    lat, lon = rows + 0.02 * (columns - 200), columns + 0.05 * rows
    values = 20 + 0.1 * lat + 0.02 * (lon - 200)
    dims = ("j", "i")
    with NETCDF_LOCK:
        xr.Dataset(
            {"tos": (dims, values, {"units": "degC", "coordinates": "lat2 lon2"})},
            {
                "lat2": (dims, lat, {"units": "degrees_north"}),
                "lon2": (dims, (lon + 180) % 360 - 180, {"units": "degrees_east"}),
            },
        ).to_netcdf(path)
    own = read(path, time="2016-01")
    assert_right(own, within=0.15)
    assert "regridded from a curvilinear grid" in said(own)


# -- coverage ----------------------------------------------------------------------------------------------


def test_a_file_that_covers_less_than_half_is_refused(tmp_path: Path) -> None:
    sketch = monthly_sketch(lon=np.arange(120, 180, 2.5))
    with pytest.raises(DataError, match=r"a\.nc covers 3\d% of the cells of sst-monthly at 2016-01, and at least 50%"):
        read(sketch.write(tmp_path / "a.nc"))


def test_cells_beyond_the_file_are_filled_and_counted(tmp_path: Path) -> None:
    own = read(monthly_sketch(lon=np.arange(120, 241, 2.5), times=(0, 31)).write(tmp_path / "a.nc"), time="2016-01")
    outside = monthly().axes[1].values > 241.25
    ocean = np.isfinite(expected())
    assert (own.run.states[0, 0][:, outside][ocean[:, outside]] == 20).all()
    np.testing.assert_allclose(own.run.states[0, 0][:, ~outside], expected()[:, ~outside], atol=1e-5)
    assert np.isnan(own.run.states[1, 0][:, outside]).all()  # truth is not made up
    share = ocean[:, outside].sum() / ocean.sum()
    assert f"{share:.1%} of the cells have no value in the file" in said(own)


def test_values_on_land_are_left_out(tmp_path: Path) -> None:
    own = read(monthly_sketch().write(tmp_path / "a.nc"))
    assert all(np.isnan(own.run.states[0, 0][cell]) for cell in LAND)
    np.testing.assert_array_equal(own.run.static, reference_run().static)


# -- unlike the training data ------------------------------------------------------------------------------


def test_a_usual_field_warns_of_nothing(tmp_path: Path) -> None:
    assert read(monthly_sketch().write(tmp_path / "a.nc")).warnings == ()


def test_an_extreme_value_is_named_with_its_place(tmp_path: Path) -> None:
    values = monthly_sketch().filled()
    values[0, 10, 20] = 34.0  # 0° N, 170° E: seven standard deviations of 2 °C above 20 °C
    (warning,) = read(monthly_sketch(values=values).write(tmp_path / "a.nc")).warnings
    assert "the farthest by +7.0 with 34 °C at 0° N, 170° E" in warning


def test_a_warm_bias_is_named(tmp_path: Path) -> None:
    warnings = read(monthly_sketch(values=monthly_sketch().filled() + 4).write(tmp_path / "a.nc")).warnings
    assert any("standard deviations above the mean of the training data over the whole region" in w for w in warnings)


def test_a_range_of_another_kind_may_be_given(tmp_path: Path) -> None:
    training = TrainingRange(low=np.full((1, 1, 1), 0.0), high=np.full((1, 1, 1), 10.0))
    (warning,) = read(monthly_sketch().write(tmp_path / "a.nc"), training=training).warnings
    assert "outside the 0 to 10 of the training data" in warning


# -- simulated data sets and the project's own files -------------------------------------------------------


@pytest.mark.parametrize("name", ["navier-stokes", "spring-mesh"])
def test_a_bundled_run_comes_back_as_it_is(name: str) -> None:
    dataset = get_dataset(name)
    run = dataset.load("0")
    own = read_own(bundled_dir() / name / "test-0.nc", dataset)
    np.testing.assert_array_equal(own.run.states, run.states)
    np.testing.assert_array_equal(own.run.static, run.static)
    np.testing.assert_array_equal(own.run.times, run.times)
    assert own.frame == 0 and own.warnings == ()


def test_the_bundled_record_comes_back_as_it_is() -> None:
    dataset = monthly()
    run = dataset.load(dataset.runs()[0])
    own = read_own(bundled_dir() / "sst-monthly" / "pacific.nc", dataset, time="2015-11")
    np.testing.assert_array_equal(own.run.states, run.states)
    np.testing.assert_array_equal(own.run.times, run.times)
    assert dates_of(own)[own.frame] == "2015-11"
    assert own.run.background is run.background


def test_the_daily_record_is_read_without_a_record_to_compare_with(tasman_file: Path) -> None:
    own = read_own(tasman_file, get_dataset("sst-daily"), time="2014-01-10", reference=None)
    assert own.run.states.shape == (12053, 1, 32, 32)
    assert own.run.static.sum() == 83
    assert own.run.times[own.frame] == 16080  # days from 1970-01-01 to 2014-01-10


@pytest.fixture
def flow_without_static(tmp_path: Path) -> tuple[Path, Run]:
    """Run 0 as a stranger writes it: cm/s, no masks, NaN inside obstacles."""
    run = get_dataset("navier-stokes").load("0")
    states = np.where(run.static[1] > 0, np.nan, run.states)
    dims = ("time", "y", "x")
    with NETCDF_LOCK:
        xr.Dataset(
            {
                "u": (dims, 100 * states[:5, 0], {"units": "cm/s"}),
                "v": (dims, 100 * states[:5, 1], {"units": "cm/s"}),
                "p": (dims, states[:5, 2], {"units": "m2/s2"}),
                "time": ("time", run.times[:5], {"units": "s"}),
            }
        ).to_netcdf(tmp_path / "a.nc")
    return tmp_path / "a.nc", run


def test_obstacles_are_the_cells_without_values(flow_without_static: tuple[Path, Run]) -> None:
    path, run = flow_without_static
    own = read_own(path, get_dataset("navier-stokes"), opener=open_here)
    np.testing.assert_array_equal(own.run.static, run.static)
    np.testing.assert_allclose(own.run.states[:, :2], run.states[:5, :2], atol=1e-5)
    free = run.static[1] == 0
    np.testing.assert_array_equal(own.run.states[:, 2][:, free], run.states[:5, 2][:, free])


def test_the_channels_of_a_flow_are_asked_for_one_by_one() -> None:
    dataset = get_dataset("navier-stokes")
    path = bundled_dir() / "navier-stokes" / "example.nc"
    assert set(questions(path, dataset).asked) == {"u", "v", "p"}
    with pytest.raises(RequestError, match=r"plainly u \(velocity along the channel\), only u_mean"):
        read_own(path, dataset)


def test_a_forecast_of_the_engine_is_read(tmp_path: Path, flow_model: str) -> None:
    from engine.forecasting import ForecastRequest, forecast

    result = forecast(ForecastRequest("navier-stokes", model=flow_model, steps=3, members=2))
    with NETCDF_LOCK:
        result.to_netcdf(tmp_path / "f.nc")
    own = read_own(tmp_path / "f.nc", get_dataset("navier-stokes"), opener=open_here)
    np.testing.assert_array_equal(own.run.states[:, 0], result["u"].values[0])
    np.testing.assert_allclose(own.run.times, result["valid_time"].values)
    assert "the first of 2 along member was taken" in said(own)


def test_a_flow_of_another_size_and_no_coordinates_is_refused(tmp_path: Path) -> None:
    with NETCDF_LOCK:
        xr.Dataset({name: (("b", "a"), np.zeros((5, 6)), {"units": "m s-1"}) for name in "uvp"}).to_netcdf(
            tmp_path / "a.nc"
        )
    with pytest.raises(DataError, match=r"'b' in a\.nc has 5 points without coordinates and the system has 42"):
        read_own(tmp_path / "a.nc", get_dataset("navier-stokes"), time="0.5", opener=open_here)


# -- kept --------------------------------------------------------------------------------------------------


def test_what_is_kept_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path / "data"))
    own = read(monthly_sketch(times=(0, 31)).write(tmp_path / "a.nc"), time="2016-01")
    assert own_runs(monthly()) == ()
    path = keep_own(own, monthly())
    assert path.parent == tmp_path / "data" / "own" / "sst-monthly" and own_runs(monthly()) == (own.run.name,)
    back = load_own(own.run.name, monthly(), reference=reference_run())
    np.testing.assert_array_equal(back.states, own.run.states)
    np.testing.assert_array_equal(back.times, own.run.times)
    assert back.attributes["initial_frame"] == "0" and back.axes is None and back.background is not None
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_name_stands_for_the_content(tmp_path: Path) -> None:
    first = read(monthly_sketch().write(tmp_path / "a.nc")).run.name
    assert read(monthly_sketch().write(tmp_path / "b.nc")).run.name == first
    assert read(monthly_sketch(times=(31,)).write(tmp_path / "c.nc")).run.name != first


@pytest.mark.parametrize("name", ["own-0123456789ab", "../../etc/passwd", "own-x"])
def test_a_name_that_is_not_kept_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"has no own field|is no name of an own field"):
        load_own(name, monthly(), reference=reference_run())


def test_a_kept_file_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path / "data"))
    own = read(monthly_sketch().write(tmp_path / "a.nc"))
    with NETCDF_LOCK, netCDF4.Dataset(keep_own(own, monthly()), "a") as file:
        file["sst"][0, 0, 0] = 11.0
    with pytest.raises(DataError, match=r"is not as it was written; delete it"):
        load_own(own.run.name, monthly(), reference=reference_run())


# -- any file whatever -------------------------------------------------------------------------------------


@st.composite
def sketches(draw: st.DrawFn) -> Sketch:
    """Files of many forms that all hold the field of `field_at`."""
    grid = draw(st.sampled_from(["same", "global", "coarse", "shifted"]))
    lat, lon = {
        "same": tuple(axis.values for axis in monthly().axes),
        "global": (np.arange(-90, 90.1, 2.5), np.arange(0, 360, 2.5)),
        "coarse": (np.arange(-40, 41, 5.0), np.arange(100, 311, 6.0)),
        "shifted": (np.arange(-31, 32, 2.0), np.arange(111, 300, 3.0)),
    }[grid]
    if draw(st.booleans()):
        lat = lat[::-1]
    if draw(st.booleans()):
        lon = (lon + 180) % 360 - 180
    if draw(st.booleans()):
        lon = np.roll(lon, draw(st.integers(0, len(lon) - 1)))
    count = draw(st.integers(1, 3))
    sketch = Sketch(
        lat,
        lon,
        times=draw(st.permutations([0, 31, 62][:count])),
        calendar=draw(st.sampled_from([None, "standard", "noleap", "julian", "360_day"])),
        order=tuple(draw(st.permutations(["time", "lat", "lon"]))),
        name=draw(st.sampled_from(["sst", "tos", "analysed_sst", "SST"])),
        packed=draw(st.sampled_from([None, (0.001, 20.0)])),
        format=draw(st.sampled_from(["NETCDF4", "NETCDF4_CLASSIC"])),
        axis_attributes=draw(st.booleans()),
    )
    units, slope, offset = draw(
        st.sampled_from([("degC", 1, 0), ("K", 1, 273.15), ("degF", 1.8, 32), (None, 1, 0), (None, 1, 273.15)])
    )
    sketch.values = slope * sketch.filled() + offset
    sketch.units = units
    if sketch.packed is not None:
        sketch.packed = (0.001, offset + 20.0 * slope)
    return sketch


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sketch=sketches())
def test_every_form_of_the_same_field_gives_the_same_states(tmp_path: Path, sketch: Sketch) -> None:
    path = tmp_path / "any.nc"
    path.unlink(missing_ok=True)
    own = read(sketch.write(path))
    order = np.argsort(sketch.times)
    assert own.run.frames == len(order)
    for frame, step in enumerate(order):
        np.testing.assert_allclose(own.run.states[frame, 0], expected(float(step)), rtol=0, atol=2e-3)
