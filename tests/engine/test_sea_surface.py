"""Sea surface temperature: the bundled record, regional files, land, splits, dates, many threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from engine.datasets import DATASETS, get_dataset
from engine.datasets.base import InitialCondition, Run, parse_initial_condition
from engine.datasets.netcdf import open_dataset
from engine.datasets.sst_daily import DailySeaSurface
from engine.datasets.sst_files import read_record
from engine.datasets.sst_monthly import MonthlySeaSurface
from engine.errors import DataError, RequestError
from engine.forecasting import ForecastRequest, background_fields, forecast, static_fields, threshold_fields, truth

MONTHLY, DAILY = MonthlySeaSurface(), DailySeaSurface()


def write_year(path: Path, year: int, *, lat: slice = slice(None), first: str = "01-01", last: str = "12-31") -> None:
    """A year of invented temperatures on the corner of the Tasman box, its first cell land."""
    dates = np.arange(np.datetime64(f"{year}-{first}"), np.datetime64(f"{year}-{last}") + 1)
    values = np.random.default_rng(year).normal(15, 1, size=(len(dates), 32, 32))
    values[:, 0, 0] = np.nan
    content = xr.Dataset(
        {"sst": (("time", "lat", "lon"), values, {"units": "degree_Celsius"})},
        {"time": dates.astype("datetime64[ns]"), "lat": DAILY.axes[0].values, "lon": DAILY.axes[1].values},
    ).isel(lat=lat)
    path.parent.mkdir(parents=True, exist_ok=True)
    content.to_netcdf(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where regional records belong."""
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path))
    return tmp_path / "sst-daily"


def test_the_bundled_record_is_the_tropical_pacific() -> None:
    run = MONTHLY.load("pacific")
    assert run.states.shape == (494, 1, 21, 69) and run.axes is None
    assert MONTHLY.calendar.label(run.times[0]) == "1981-12" and MONTHLY.calendar.label(run.times[-1]) == "2023-01"
    sea = run.states[:, 0, MONTHLY.scored(run)]
    assert np.isfinite(sea).all() and 13 < sea.min() < sea.max() < 33
    assert np.isnan(run.states[:, 0, ~MONTHLY.scored(run)]).all()
    assert float(run.static.mean()) == pytest.approx(149 / (21 * 69))  # of New Guinea, Australia, America


def test_the_splits_do_not_overlap_and_the_climatology_is_of_the_training_years() -> None:
    run = MONTHLY.load("pacific")
    frames = [MONTHLY.frames_of(split, run) for split in ("train", "validation", "test")]
    assert [len(each) for each in frames] == [336, 60, 97]
    assert frames[0].stop == frames[1].start and frames[1].stop == frames[2].start
    background = MONTHLY.background(run)
    junes = run.states[frames[0].start : frames[0].stop][5::12, 0]
    np.testing.assert_allclose(
        background.at(5.5 / 12)[0][MONTHLY.scored(run)], junes.mean(axis=0)[MONTHLY.scored(run)], atol=1e-4
    )
    assert background.baseline == "1982–2009"


def test_initial_conditions_are_dates_frames_or_indices() -> None:
    first = InitialCondition("pacific", 397)
    assert MONTHLY.initial_conditions()[0] == first and len(MONTHLY.initial_conditions()) == 96
    for text in (0, "0", "pacific:397", "2015-01", "2015-01-20", "2015-01-20T12:00"):
        assert parse_initial_condition(text, MONTHLY) == first
    assert parse_initial_condition("2023-01", MONTHLY).frame == 493  # a real forecast: nothing is known ahead
    for wrong, words in (("1970-01", "1981-12 to 2023-01"), ("pacific:494", "0 to 493"), ("mars:0", "pacific")):
        with pytest.raises(RequestError, match=words):
            parse_initial_condition(wrong, MONTHLY)
    with pytest.raises(RequestError, match="no dates"):
        parse_initial_condition("2015-01", get_dataset("spring-mesh"))


def test_where_there_are_no_data_the_remedy_is_named(folder: Path) -> None:
    assert DAILY.runs() == () and DAILY.initial_conditions() == ()
    for call in (
        lambda: DAILY.load("tasman"),
        lambda: DAILY.training_runs("train"),
        lambda: parse_initial_condition(0, DAILY),
    ):
        with pytest.raises((DataError, RequestError), match="python -m engine fetch sst-daily"):
            call()


def test_a_record_may_come_year_by_year(folder: Path) -> None:
    for year in (2012, 2013):
        write_year(folder / "tasman" / f"sst-{year}.nc", year)
    run = DAILY.load("tasman")
    assert run.frames == 366 + 365 and run.axes is None and run.static.sum() == 1
    assert len(DAILY.frames_of("test", run)) == 365 and len(DAILY.frames_of("validation", run)) == 366
    with pytest.raises(DataError, match="1982 to 2010"):
        DAILY.background(run)


def test_another_region_has_a_grid_of_its_own(folder: Path) -> None:
    write_year(folder / "elsewhere.nc", 2013, lat=slice(4, 20))
    run = DAILY.load("elsewhere")
    assert run.states.shape[-2:] == (16, 32)
    assert run.axes is not None and run.axes[0].values[0] == pytest.approx(-43.875)


def test_a_gap_or_another_grid_between_files_is_refused(folder: Path) -> None:
    write_year(folder / "tasman" / "sst-2012.nc", 2012, last="11-30")
    write_year(folder / "tasman" / "sst-2013.nc", 2013)
    with pytest.raises(DataError, match="missing years"):
        DAILY.load("tasman")
    write_year(folder / "tasman" / "sst-2012.nc", 2012, lat=slice(0, 9))
    with pytest.raises(DataError, match="another grid"):
        DAILY.load("tasman")


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.nc"
    xr.Dataset({"sst": (("time", "y"), np.zeros((2, 2)))}).to_netcdf(path)
    with pytest.raises(DataError, match="time, lat, lon"):
        read_record((path,), DAILY.calendar)
    write_year(path, 2013)
    with xr.open_dataset(path) as content:
        kelvin = content.load()
    (kelvin + 273.15).to_netcdf(tmp_path / "k.nc")
    with pytest.raises(DataError, match="range from"):
        read_record((tmp_path / "k.nc",), DAILY.calendar)


def test_networks_see_land_place_and_season() -> None:
    static = torch.zeros(2, 1, 3, 5)
    static[:, 0, 1, 2] = 1
    side = MONTHLY.side_inputs(static, torch.tensor([0.0, 0.25]))
    assert side.shape == (2, 5, 3, 5)
    torch.testing.assert_close(side[:, :1], static)
    torch.testing.assert_close(side[0, 1, :, 0], torch.tensor([-1.0, 0.0, 1.0]))
    torch.testing.assert_close(side[0, 2, 0], torch.linspace(-1, 1, 5))
    assert side[0, 3, 0, 0] == 1 and float(side[1, 4, 0, 0]) == pytest.approx(1)


def test_a_forecast_of_the_pacific_has_dates_and_no_land(monthly_model: str) -> None:
    request = ForecastRequest(
        "sst-monthly", model=monthly_model, init="2015-06", steps=14, members=2, output_leads=(0.5,)
    )
    result = forecast(request)
    assert result["sst"].dims == ("member", "lead", "lat", "lon") and result["sst"].shape == (2, 15, 21, 69)
    assert result["sst"].attrs["units"] == "degree_Celsius"
    dates = result["valid_time"].dt.strftime("%Y-%m-%d").values
    assert dates[:3].tolist() == ["2015-06-16", "2015-07-01", "2015-08-01"] and dates[-1] == "2016-08-01"
    sea = static_fields(request)["scored"].values
    assert np.array_equal(result["sst"].notnull().all(("member", "lead")).values, sea)
    assert np.array_equal(result["sst_init"].notnull().values, sea)
    known = truth(request)["sst"]
    record = MONTHLY.load("pacific")
    np.testing.assert_array_equal(known.sel(lead=3).values, record.states[402 + 3, 0])
    assert known.sel(lead=0.5).isnull().all()


def test_a_member_does_not_depend_on_those_beside_it(monthly_model: str) -> None:
    few = forecast(ForecastRequest("sst-monthly", model=monthly_model, init="2016-02", steps=13, members=2))
    more = forecast(ForecastRequest("sst-monthly", model=monthly_model, init="2016-02", steps=13, members=5))
    np.testing.assert_allclose(more["sst"][:2].values, few["sst"].values, atol=1e-4)
    assert not np.allclose(more["sst"][1].values, more["sst"][2].values, equal_nan=True)


def test_the_background_and_the_threshold_stand_at_the_leads(monthly_model: str) -> None:
    request = ForecastRequest("sst-monthly", model=monthly_model, init="2015-06", steps=3, members=2)
    climatology, threshold = background_fields(request), threshold_fields(request, 90)
    run = MONTHLY.load("pacific")
    sea = MONTHLY.scored(run)
    np.testing.assert_allclose(climatology["sst"].sel(lead=2).values[sea], MONTHLY.background(run).at(7.5 / 12)[0][sea])
    assert climatology.attrs["baseline"] == "1982–2009"
    warmer = (threshold["sst"] > climatology["sst"]).values[:, sea]
    assert warmer.mean() > 0.99  # a 90th percentile lies above the mean
    assert climatology["sst_scale"].values[sea].min() > 0.2


def test_the_tasman_record_has_its_facts(tasman: Run) -> None:
    assert tasman.states.shape == (12053, 1, 32, 32) and tasman.static.sum() == 83 and tasman.axes is None
    assert [len(DAILY.frames_of(split, tasman)) for split in ("train", "validation", "test")] == [10592, 731, 730]
    sea = tasman.states[:, 0, DAILY.scored(tasman)]
    for days, change in ((1, 0.28), (7, 0.74)):  # RMS, °C
        assert np.sqrt(((sea[days:] - sea[:-days]) ** 2).mean()) == pytest.approx(change, abs=0.01)


def test_eight_threads_may_open_data_sets_at_once() -> None:
    files = [MONTHLY_FILE, *sorted(MONTHLY_FILE.parents[1].glob("spring-mesh/test-*.nc"))[:7]]
    assert len(files) == 8
    with ThreadPoolExecutor(8) as threads:
        for _ in range(100):
            opened = list(threads.map(open_dataset, files))
            assert opened[0].sizes["time"] == 494 and all(each.sizes for each in opened)


MONTHLY_FILE = Path(__file__).resolve().parents[2] / "data" / "sst-monthly" / "pacific.nc"


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_says_what_to_do_without_data(name: str) -> None:
    assert DATASETS[name].remedy
