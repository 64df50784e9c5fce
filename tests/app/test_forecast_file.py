"""The forecast as a netCDF file: what it holds is what the engine returns, described as CF wants it."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import cf_xarray  # noqa: F401
import numpy as np
import pytest
import xarray as xr

from app.examples import load_example
from app.exports.forecast_file import Contents, forecast_fields, forecast_file, knows_truth, request_of, size_of
from app.exports.names import file_name
from app.summary import Summary, summarise
from engine import ForecastRequest, forecast
from engine.datasets import get_dataset
from engine.datasets.netcdf import NETCDF_LOCK
from engine.errors import RequestError
from engine.forecasting import background_fields, resolve, static_fields, truth
from engine.requests import ResolvedRequest
from engine.variables import variable_named
from tests.engine.conftest import save_small_checkpoint


def opened(content: bytes, folder: Path) -> xr.Dataset:
    """A file as a person opens it."""
    path = folder / "taken.nc"
    path.write_bytes(content)
    with NETCDF_LOCK, xr.open_dataset(path) as file:
        return file.load()


@cache
def shown(request: ForecastRequest) -> tuple[Summary, xr.Dataset]:
    """What the page keeps of a request, and what the engine returns for it."""
    asked = resolve(request)
    dataset, result = get_dataset(asked.dataset), forecast(asked)
    background = background_fields(asked) if dataset.calendar is not None else None
    return summarise(result, truth(asked), static_fields(asked), dataset, background), result


@pytest.fixture(scope="module")
def flow_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_small_checkpoint(tmp_path_factory.mktemp("flow") / "flow", "navier-stokes")


@pytest.fixture(scope="module")
def monthly_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_small_checkpoint(tmp_path_factory.mktemp("monthly") / "monthly", "sst-monthly")


@pytest.fixture(scope="module")
def mesh_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_small_checkpoint(tmp_path_factory.mktemp("mesh") / "mesh", "spring-mesh", schedule="0,30,67")


@pytest.fixture
def flow(flow_model: str) -> tuple[Summary, xr.Dataset]:
    return shown(ForecastRequest("navier-stokes", flow_model, init="1:4", steps=3, members=3, output_leads=(0.5,)))


@pytest.fixture
def monthly(monthly_model: str) -> tuple[Summary, xr.Dataset]:
    return shown(ForecastRequest("sst-monthly", monthly_model, init="2015-06", steps=2, members=3))


@pytest.fixture
def mesh(mesh_model: str) -> tuple[Summary, xr.Dataset]:
    return shown(ForecastRequest("spring-mesh", mesh_model, steps=3, members=1))


@pytest.mark.parametrize("name", ["flow", "monthly", "mesh"])
def test_a_file_of_members_is_the_engines_own_result(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    summary, result = request.getfixturevalue(name)
    found = opened(forecast_file(summary, Contents(truth=False)), tmp_path)
    assert "written by Coldcast" in found.attrs.pop("history")
    xr.testing.assert_identical(found, result)


def test_the_truth_stands_beside_the_members(flow: tuple[Summary, xr.Dataset], tmp_path: Path) -> None:
    summary, result = flow
    found = opened(forecast_file(summary, Contents()), tmp_path)
    known = truth(request_of(summary))
    for name in ("u", "v", "p"):
        np.testing.assert_array_equal(found[f"{name}_truth"], known[name])
        assert found[f"{name}_truth"].attrs["units"] == result[name].attrs["units"]


def test_the_request_in_the_file_makes_the_same_forecast(flow: tuple[Summary, xr.Dataset], tmp_path: Path) -> None:
    summary, result = flow
    said = json.loads(opened(forecast_file(summary, Contents()), tmp_path).attrs["request"])
    again = forecast(ForecastRequest(**(said | {"output_leads": tuple(said["output_leads"])})))
    xr.testing.assert_allclose(again, result)
    assert isinstance(request_of(summary), ResolvedRequest)


def test_one_variable_is_derived_in_every_member(flow: tuple[Summary, xr.Dataset], tmp_path: Path) -> None:
    summary, result = flow
    speed = variable_named("navier-stokes", "speed")
    found = opened(forecast_file(summary, Contents(variable=speed)), tmp_path)
    assert set(found.data_vars) == {"speed", "speed_init", "speed_truth"}
    np.testing.assert_allclose(found["speed"], np.hypot(result["u"], result["v"]), rtol=1e-6)
    np.testing.assert_allclose(found["speed_init"], np.hypot(result["u_init"], result["v_init"]), rtol=1e-6)
    assert found["speed"].attrs["units"] == "m s-1"


def test_moments_of_one_variable_are_the_maps_of_the_page(
    flow: tuple[Summary, xr.Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, _ = flow
    monkeypatch.setattr("app.exports.forecast_file.CELLS_AT_ONCE", 1)  # one lead after the other
    for name in ("vorticity", "speed"):
        variable = variable_named("navier-stokes", name)
        found = opened(forecast_file(summary, Contents(members=False, variable=variable, quantiles=True)), tmp_path)
        maps = summary.maps(variable)
        np.testing.assert_allclose(found[f"{name}_mean"], maps.mean[1:], atol=1e-5)
        np.testing.assert_allclose(found[f"{name}_standard_deviation"], maps.spread[1:], atol=1e-5)
        np.testing.assert_allclose(found[f"{name}_truth"], maps.truth[1:], atol=1e-6)
        np.testing.assert_allclose(found[f"{name}_init"], maps.mean[0], atol=1e-6)
        assert found[f"{name}_quantile"].sizes["quantile"] == 5


def test_moments_of_all_channels_leave_out_none(flow: tuple[Summary, xr.Dataset], tmp_path: Path) -> None:
    summary, result = flow
    found = opened(forecast_file(summary, Contents(members=False)), tmp_path)
    for name in ("u", "v", "p"):
        np.testing.assert_allclose(found[f"{name}_mean"], result[name].mean("member"), atol=1e-6)
    assert found.attrs["members"] == 3 and "request" in found.attrs


def test_a_heatwave_is_a_share_of_the_members(monthly: tuple[Summary, xr.Dataset], tmp_path: Path) -> None:
    summary, result = monthly
    assert summary.ensemble is not None
    heat = variable_named("sst-monthly", "above-percentile-90")
    limit = np.full((3, *summary.solid.shape), 27.0, np.float32)
    summary.ensemble.references["percentile-90"] = limit
    found = opened(forecast_file(summary, Contents(members=False, variable=heat)), tmp_path)
    values = result["sst"].values
    expected = np.where(np.isnan(values), np.nan, values > 27.0).mean(axis=0)
    np.testing.assert_allclose(found["above_percentile_90_mean"], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["flow", "monthly", "mesh"])
@pytest.mark.parametrize("contents", [Contents(), Contents(members=False, quantiles=True)])
def test_a_reader_of_cf_finds_axes_times_and_members(
    name: str, contents: Contents, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    summary, _ = request.getfixturevalue(name)
    found = opened(forecast_file(summary, contents), tmp_path)
    assert found.attrs["Conventions"] == "CF-1.11"
    assert all("units" in values.attrs for values in found.data_vars.values())
    assert not any("_FillValue" in values.encoding for values in found.coords.values())
    assert found.cf.standard_names.get("realization", []) == (["member"] if contents.members else [])
    if name == "monthly":
        assert (found.cf["latitude"].name, found.cf["longitude"].name) == ("lat", "lon")
        assert found["valid_time"].values[0] == np.datetime64("2015-07-01")
        assert found.cf.standard_names["time"] == ["init_time", "valid_time"]


@pytest.mark.parametrize(
    "contents",
    [
        Contents(),
        Contents(truth=False),
        Contents(members=False),
        Contents(members=False, quantiles=True),
        Contents(variable=variable_named("navier-stokes", "speed")),
        Contents(members=False, quantiles=True, variable=variable_named("navier-stokes", "speed")),
    ],
)
def test_the_size_that_is_said_is_the_size_of_the_file(flow: tuple[Summary, xr.Dataset], contents: Contents) -> None:
    summary, _ = flow
    assert len(forecast_file(summary, contents)) == pytest.approx(size_of(summary, contents), abs=40_000)


def test_one_member_has_no_standard_deviation_and_no_error_is_raised(
    mesh: tuple[Summary, xr.Dataset], tmp_path: Path
) -> None:
    summary, result = mesh
    found = opened(forecast_file(summary, Contents(members=False, quantiles=True)), tmp_path)
    np.testing.assert_allclose(found["q_x_mean"], result["q_x"].isel(member=0), atol=1e-7)
    assert found["q_x_standard_deviation"].isnull().all()


def test_a_forecast_beyond_the_record_has_no_truth(monthly_model: str) -> None:
    dataset = get_dataset("sst-monthly")
    last = dataset.load(dataset.runs()[0]).frames - 1
    summary, _ = shown(
        ForecastRequest("sst-monthly", monthly_model, init=f"{dataset.runs()[0]}:{last}", steps=1, members=2)
    )
    sst = variable_named("sst-monthly", "sst")
    assert not knows_truth(summary, sst)
    assert forecast_fields(summary, Contents())["sst_truth"].isnull().all()


def test_what_had_arrived_of_a_forecast_can_be_taken_away(flow: tuple[Summary, xr.Dataset]) -> None:
    summary, result = flow
    assert summary.ensemble is not None
    part = {name: values[:2, :2] for name, values in summary.ensemble.members.items()}
    cut = {name: values[:2] for name, values in summary.ensemble.truth.items()}
    some = replace(
        summary, leads=summary.leads[:2], ensemble=replace(summary.ensemble, members=part, truth=cut), made={}
    )
    found = forecast_fields(some, Contents())
    xr.testing.assert_equal(found["u"], result["u"].isel(member=slice(2), lead=slice(2)))


def test_a_stored_example_of_maps_gives_its_moments_and_says_that_it_has_no_members() -> None:
    summary = load_example("navier-stokes")
    assert summary.ensemble is None
    speed = variable_named("navier-stokes", "speed")
    found = forecast_fields(summary, Contents(members=False, variable=speed), comment="stored in steps of 0.01")
    np.testing.assert_array_equal(found["speed_mean"], summary.maps(speed).mean[1:])
    np.testing.assert_array_equal(found["speed_truth"], summary.maps(speed).truth[1:])
    assert found.attrs["comment"] == "stored in steps of 0.01"
    assert found["lead"].values.tolist() == summary.leads.tolist()
    for impossible in (Contents(), Contents(members=False), Contents(members=False, quantiles=True, variable=speed)):
        with pytest.raises(RequestError, match="press Run for a forecast with them"):
            forecast_fields(summary, impossible)


@pytest.mark.parametrize(
    ("hostile", "expected"),
    [
        ("../../etc/passwd", "etc-passwd.nc"),
        ('a"b<c>|d:e*f?', "a-b-c-d-e-f.nc"),
        ("Mean over 12°S 170°W", "Mean-over-12S-170W.nc"),
        ("名前", "coldcast.nc"),
        ("x" * 500, "x" * 120 + ".nc"),
        ("line\nbreak\x00", "line-break.nc"),
        ("...", "coldcast.nc"),
    ],
)
def test_a_file_has_a_name_that_every_disk_takes(hostile: str, expected: str) -> None:
    assert file_name(hostile, ending="nc") == expected
