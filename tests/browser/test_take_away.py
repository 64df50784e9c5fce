"""What is saved from the page, in a real browser: every file is opened and compared with the engine's own result."""

import io
import re
import shlex
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image, ImageSequence
from playwright.sync_api import Locator, Page, expect

from engine import ForecastRequest, forecast
from engine.__main__ import main
from engine.cache import default_cache
from engine.checkpoint import list_checkpoints
from engine.datasets.netcdf import NETCDF_LOCK
from tests.browser.conftest import Open
from tests.browser.pages import PATIENCE, chart, wait_for_maps, wait_until_idle

pytestmark = pytest.mark.browser

LINK = "/?dataset=sst-monthly&init=2015-06&steps=2&members=2&seed=3&variable=sst&at=205,0"
REQUEST = ForecastRequest("sst-monthly", init="2015-06", steps=2, members=2, seed=3)


@cache
def computed() -> xr.Dataset:
    """The engine's own result for the request of the page."""
    return forecast(REQUEST, cache=default_cache())


@pytest.fixture
def page(open_page: Open) -> Page:
    """The page with a forecast of two months and two members, run from the page."""
    if not list_checkpoints("sst-monthly"):
        pytest.skip("there is no trained model of monthly sea surface temperature")
    found = open_page(LINK, calm=True)
    found.get_by_role("button", name="Run").click()
    expect(found.get_by_text(re.compile(r"from June 2015, 2 months · 2 members"))).to_be_visible(timeout=PATIENCE)
    wait_for_maps(found, frames=3, variable="sst")
    expect(found.get_by_text(re.compile(r"^(done|from store)$"))).to_be_visible(timeout=PATIENCE)
    return found


def open_tab(page: Page, name: str) -> Locator:
    """A tab of what can be taken away."""
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.is_visible():
        page.get_by_role("button", name="Take away").click()
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true", timeout=PATIENCE)
    return page.get_by_role("tabpanel", name=name, exact=True)


def saved(page: Page, button: Locator, folder: Path) -> Path:
    """The file that a button saves, under its own name."""
    expect(button).to_have_count(1, timeout=PATIENCE)  # that of the run before is gone
    expect(button).to_be_enabled(timeout=PATIENCE)
    with page.expect_download(timeout=PATIENCE) as coming:
        button.click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def pick(tab: Locator, option: str) -> None:
    """Press one of a row of options of a tab and wait until the page knows."""
    button = tab.get_by_role("radio", name=option, exact=True)
    button.click()
    expect(button).to_be_checked(timeout=PATIENCE)
    wait_until_idle(tab.page)  # the button that saves is another one by then


def test_the_members_are_the_engines_own(page: Page, tmp_path: Path) -> None:
    open_tab(page, "Data")
    path = saved(page, page.get_by_role("button", name="Save the data"), tmp_path)
    assert path.name == "sst-monthly_members_from-2015-06.nc"
    with NETCDF_LOCK, xr.open_dataset(path) as file:
        found = file.load()
    np.testing.assert_allclose(found["sst"], computed()["sst"], atol=1e-4)
    assert found["sst"].attrs == computed()["sst"].attrs and found.attrs["Conventions"] == "CF-1.11"
    xr.testing.assert_equal(found["valid_time"], computed()["valid_time"])
    assert found["sst_truth"].notnull().any()


def test_moments_of_the_variable_shown_are_those_of_the_members(page: Page, tmp_path: Path) -> None:
    tab = open_tab(page, "Data")
    pick(tab, "Moments")
    pick(tab, "SST")
    expect(page.get_by_text("Quantiles 5, 25, 50, 75, 95 %")).to_be_visible(timeout=PATIENCE)
    path = saved(page, page.get_by_role("button", name="Save the data"), tmp_path)
    assert path.name == "sst-monthly_sst_moments_from-2015-06.nc"
    with NETCDF_LOCK, xr.open_dataset(path) as file:
        found = file.load()
    np.testing.assert_allclose(found["sst_mean"], computed()["sst"].mean("member", skipna=False), atol=1e-4)
    deviation = computed()["sst"].std("member", ddof=1, skipna=False)
    np.testing.assert_allclose(found["sst_standard_deviation"], deviation, atol=1e-4)


@pytest.mark.parametrize("kind", ["PNG", "PDF"])
def test_a_map_is_a_picture_or_a_page(page: Page, kind: str, tmp_path: Path) -> None:
    pick(open_tab(page, "Map"), kind)
    path = saved(page, page.get_by_role("button", name="Save the map"), tmp_path)
    assert path.name == f"sst-monthly_sst_mean_from-2015-06_lead-2-months.{kind.lower()}"
    content = path.read_bytes()
    if kind == "PDF":
        assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")
        return
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert picture.shape[1] > 1000
    assert (picture == (180, 184, 188)).all(axis=-1).mean() > 0.02  # land


@pytest.mark.parametrize("kind", ["GIF", "MP4"])
def test_an_animation_has_a_picture_for_every_lead(page: Page, kind: str, tmp_path: Path) -> None:
    tab = open_tab(page, "Animation")
    pick(tab, kind)
    pick(tab, "640 px")
    expect(page.get_by_text("3 frames, 0.3 s.")).to_be_visible(timeout=PATIENCE)
    path = saved(page, page.get_by_role("button", name="Save the animation"), tmp_path)
    assert path.name == f"sst-monthly_sst_from-2015-06.{kind.lower()}"
    pictures = frames_of(path)
    assert len(pictures) == 3 and {picture.shape[1] for picture in pictures} == {640}
    assert all((one != other).any() for one, other in pairwise(pictures))
    solid = np.abs(pictures[0].astype(int) - (139, 148, 155)).max(axis=-1) < 12
    assert solid.mean() > 0.02


def frames_of(path: Path) -> list[np.ndarray]:
    """The pictures of an animation."""
    if path.suffix == ".gif":
        with Image.open(path) as file:
            return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)]
    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    return [np.frombuffer(each, np.uint8).reshape(height, width, 3) for each in reader]


def test_the_table_of_a_chart_has_the_members_at_the_marked_place(page: Page, tmp_path: Path) -> None:
    chart(page, "fan")
    path = saved(page, page.locator(".st-key-fan-csv").get_by_role("button", name="CSV"), tmp_path)
    found = pd.read_csv(path, encoding="utf-8-sig")
    at = computed()["sst"].sel(lat=0, lon=205, method="nearest")
    assert found["lead time (months)"].tolist() == [1, 2]
    for number in range(2):
        np.testing.assert_allclose(found[f"member {number + 1} (°C)"], at.isel(member=number), atol=1e-4)
    np.testing.assert_allclose(found["median (°C)"], at.median("member"), atol=1e-4)


def test_the_lines_of_code_make_the_same_forecast(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_tab(page, "Code & link")
    python, command = (page.locator("[data-testid=stCode] code").nth(number) for number in range(2))
    expect(python).to_contain_text("seed=3", timeout=PATIENCE)
    expect(command).to_contain_text("evaluate", timeout=PATIENCE)
    made: dict[str, Any] = {}
    exec(python.inner_text(), made)
    np.testing.assert_allclose(made["result"]["sst"], computed()["sst"], atol=1e-4)
    np.testing.assert_allclose(made["mean"], computed()["sst"].mean("member", skipna=False), atol=1e-4)
    first = shlex.split(command.inner_text().splitlines()[0])
    monkeypatch.chdir(tmp_path)
    assert main(first[3:]) == 0
    with NETCDF_LOCK, xr.open_dataset(tmp_path / "forecast.nc") as file:
        np.testing.assert_allclose(file["sst"], computed()["sst"], atol=1e-4)


def test_the_link_opens_the_same_forecast_elsewhere(page: Page, visit: Open) -> None:
    open_tab(page, "Code & link")
    field = page.get_by_label("Link to what is shown")
    expect(field).to_have_value(page.url, timeout=PATIENCE)
    link = field.input_value()
    other = visit(link[link.index("/", 8) :], calm=True)
    expect(other.get_by_text(re.compile(r"from June 2015, 2 months · 2 members"))).to_be_visible(timeout=PATIENCE)
    wait_for_maps(other, variable="sst")


def test_nothing_is_made_before_it_is_opened(page: Page) -> None:
    expect(page.get_by_role("button", name="Take away")).to_be_visible(timeout=PATIENCE)
    assert page.get_by_role("button", name="Save the map").count() == 0
    open_tab(page, "Data")
    expect(page.get_by_role("button", name="Save the data")).to_be_visible(timeout=PATIENCE)
    assert page.get_by_role("button", name="Save the animation").count() == 0
