"""A person brings a field of their own, in a real browser."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from engine.checkpoint import list_checkpoints
from engine.datasets import Dataset, get_dataset
from tests.browser.conftest import Open
from tests.browser.pages import PATIENCE, wait_for_maps
from tests.engine.own_files import Sketch

pytestmark = pytest.mark.browser


@pytest.fixture
def open_data(visit: Open) -> Open:
    """Goes to the data page."""

    def open_() -> Page:
        page = visit("/data", calm=True)
        expect(page.get_by_text("A netCDF file of at most 200 MB")).to_be_visible(timeout=PATIENCE)
        return page

    return open_


def in_kelvin(dataset: Dataset, path: Path) -> Path:
    """June 2015 as another centre writes it: kelvin, ±180°, latitudes that fall, another name."""
    run = dataset.load(dataset.runs()[0])
    lat, lon = (axis.values for axis in dataset.axes)
    turned = (lon + 180) % 360 - 180
    order = np.argsort(turned)
    june = run.states[int(np.searchsorted(run.times, 12 * 45 + 5)), 0]
    return Sketch(
        lat=lat[::-1],
        lon=turned[order],
        values=june[None, ::-1][:, :, order] + 273.15,
        units="K",
        name="tos",
        time_units="days since 2015-06-15",
    ).write(path)


def test_a_field_of_ones_own_is_brought_and_its_forecast_runs(open_data: Open, tmp_path: Path) -> None:
    dataset = get_dataset("sst-monthly")
    if not list_checkpoints(dataset.name):
        pytest.skip("there is no trained model of monthly sea surface temperature yet")
    page = open_data()
    page.locator("input[type=file]").set_input_files(in_kelvin(dataset, tmp_path / "centre.nc"))
    expect(page.get_by_text("'tos' was converted from K to degree_Celsius")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("June 2015", exact=True)).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Forecast from here").click()
    expect(page).to_have_url(re.compile(r"init=own-[0-9a-f]{12}%3A0"), timeout=PATIENCE)
    for name, presses in (("Horizon", 1), ("Ensemble members", 1)):
        slider = page.get_by_role("slider", name=name)
        slider.press("Home")
        for _ in range(presses):
            slider.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"members=2"), timeout=PATIENCE)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text(re.compile(r"from June 2015, 2 months · 2 members"))).to_be_visible(timeout=PATIENCE)
    wait_for_maps(page, frames=3)
    page.get_by_role("link", name="Data").click()
    expect(page.get_by_text("centre.nc · from June 2015")).to_be_visible(timeout=PATIENCE)


def test_a_file_that_is_no_netcdf_is_one_sentence(open_data: Open, tmp_path: Path) -> None:
    page = open_data()
    path = tmp_path / "page.nc"
    path.write_text("<html>no such page</html>")
    page.locator("input[type=file]").set_input_files(path)
    expect(
        page.get_by_text("page.nc is damaged or not a netCDF file; write it anew or name another file.")
    ).to_be_visible(timeout=PATIENCE)


def test_what_would_be_downloaded_is_said_and_nothing_is_fetched(open_data: Open) -> None:
    page = open_data()
    page.get_by_role("tab", name="Downloads").click()
    expect(
        page.get_by_text(re.compile(r"32 × 32 cells of every day of 1982–2014 from coastwatch")).first
    ).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Download", exact=True).first).to_be_visible(timeout=PATIENCE)
