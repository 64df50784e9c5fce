"""A run is written down, named, pinned, opened again, taken away and deleted, in a real browser."""

import csv
import json
import re
from pathlib import Path

import pytest
import xarray as xr
from playwright.sync_api import Locator, Page, expect

from engine.checkpoint import list_checkpoints
from engine.forecasting import ForecastRequest, forecast
from tests.browser.conftest import Open
from tests.browser.pages import PATIENCE, wait_for_maps

pytestmark = pytest.mark.browser

LINK = "/?dataset=spring-mesh&steps=20&members=3"


@pytest.fixture
def run_page(open_page: Open) -> Page:
    """The page Runs of a visitor who has made a forecast with seed 71."""
    if not list_checkpoints("spring-mesh"):
        pytest.skip("there is no trained model of the spring mesh yet")
    page = open_page(f"{LINK}&seed=71", calm=True)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text(re.compile(r"^(done|from store)"))).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Runs").click()
    expect(row(page, "seed 71")).to_be_visible(timeout=PATIENCE)
    return page


def row(page: Page, words: str) -> Locator:
    """The run in whose line these words stand."""
    return page.locator('[class*="st-key-runs-row-"]').filter(has_text=words)


def dialog(page: Page, words: str) -> Locator:
    """Everything about the run in whose line these words stand."""
    row(page, words).get_by_role("button", name="More").click()
    found = page.get_by_role("dialog")
    expect(found.get_by_role("button", name="Delete from the history")).to_be_visible(timeout=PATIENCE)
    return found


def taken(page: Page, name: str, place: Locator, path: Path) -> Path:
    """The file that a button saves."""
    with page.expect_download(timeout=PATIENCE) as download:
        place.get_by_role("button", name=name).click()
    download.value.save_as(path)
    return path


def rename(page: Page, words: str, name: str) -> None:
    """Give a run a name, and wait until the list has it."""
    found = dialog(page, words)
    found.get_by_role("textbox", name="Name").fill(name)
    found.get_by_role("button", name="Rename").click()
    expect(found).to_have_count(0, timeout=PATIENCE)
    expect(row(page, name)).to_be_visible(timeout=PATIENCE)


def test_a_run_is_listed_named_pinned_found_and_opened_again(run_page: Page) -> None:
    page = run_page
    mine = row(page, "seed 71")
    expect(mine).to_contain_text("20 steps · 3 members")
    expect(mine.get_by_text("stored", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(mine.locator("dd")).to_have_count(3)
    rename(page, "seed 71", "my first lattice")
    mine.get_by_role("button", name="Pin", exact=True).click()
    expect(mine.get_by_role("button", name="Unpin")).to_be_visible(timeout=PATIENCE)
    expect(page.locator('[class*="st-key-runs-row-"]').first).to_contain_text("my first lattice", timeout=PATIENCE)
    page.get_by_role("textbox", name="Search").fill("lattice")
    page.get_by_role("textbox", name="Search").press("Enter")
    expect(page.locator('[class*="st-key-runs-row-"]')).to_have_count(1, timeout=PATIENCE)
    expect(page).to_have_url(re.compile("search=lattice"), timeout=PATIENCE)
    page.reload()
    expect(page.locator('[class*="st-key-runs-row-"]')).to_have_count(1, timeout=PATIENCE)
    mine.get_by_role("button", name="Open").click()
    expect(page).to_have_url(re.compile(r"dataset=spring-mesh.*seed=71"), timeout=PATIENCE)
    expect(page.get_by_text(re.compile(r"3 members · 20 steps · .*seed 71"))).to_be_visible(timeout=PATIENCE)
    wait_for_maps(page, frames=21)


def test_a_run_is_taken_away_and_its_link_opens_it(run_page: Page, visit: Open, tmp_path: Path) -> None:
    page = run_page
    found = dialog(page, "seed 71")
    link = found.get_by_test_id("stCode").inner_text().strip()
    read = json.loads(taken(page, "Request, JSON", found, tmp_path / "request.json").read_text())
    asked = ForecastRequest(**(read | {"output_leads": tuple(read["output_leads"])}))
    assert (asked.dataset, asked.steps, asked.members, asked.seed) == ("spring-mesh", 20, 3, 71)
    stored = taken(page, "Forecast, netCDF", found, tmp_path / "forecast.nc")
    with xr.open_dataset(stored) as file:
        own = forecast(asked)
        assert json.loads(file.attrs["request"]) == json.loads(own.attrs["request"])
        xr.testing.assert_allclose(file.load(), own, rtol=1e-4, atol=1e-5)  # members agree to rounding
    found.get_by_role("button", name="Close").click()
    expect(found).to_have_count(0, timeout=PATIENCE)
    lines = taken(page, "Export as CSV", page.locator("body"), tmp_path / "runs.csv").read_text("utf-8-sig")
    (mine,) = [line for line in csv.DictReader(lines.splitlines()) if line["seed"] == "71"]
    assert (mine["dataset"], mine["steps"], mine["members"]) == ("spring-mesh", "20", "3")
    shown = [float(text.split()[0]) for text in row(page, "seed 71").locator("dd").all_text_contents()]
    assert shown == pytest.approx([float(mine[name]) for name in ("crps", "rmse", "spread_rmse_ratio")], rel=6e-3)
    other = visit(link[link.index("/?") :], calm=True)
    expect(other.get_by_text(re.compile(r"3 members · 20 steps · .*seed 71"))).to_be_visible(timeout=PATIENCE)


def test_a_run_is_deleted_with_its_members_and_for_everyone(run_page: Page, visit: Open) -> None:
    page = run_page
    found = dialog(page, "seed 71")
    found.get_by_text(re.compile("^Also delete its stored members")).click()
    found.get_by_role("button", name="Delete from the history").click()
    expect(found).to_have_count(0, timeout=PATIENCE)
    expect(row(page, "seed 71")).to_have_count(0, timeout=PATIENCE)
    other = visit("/runs", calm=True)
    expect(other.get_by_role("heading", name="Runs", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(other.get_by_text(re.compile("All who use this page|No runs yet"))).to_be_visible(timeout=PATIENCE)
    expect(row(other, "seed 71")).to_have_count(0)


def test_about_opens_a_model_card_and_says_what_is_stored(visit: Open) -> None:
    page = visit("/about", calm=True)
    expect(page.get_by_text(re.compile(r"^Version \d+\.\d+\.\d+ · numerics version \d+"))).to_be_visible(
        timeout=PATIENCE
    )
    page.get_by_role("tab", name="Models").click()
    page.get_by_text("· spring-mesh-fast").click()
    expect(page.get_by_text("SHA-256 of the weights")).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("section=Models"), timeout=PATIENCE)
    page.get_by_role("tab", name="This machine").click()
    expect(page.get_by_text(re.compile("of single members"))).to_be_visible(timeout=PATIENCE)
    page.get_by_role("tab", name="Data and licences").click()
    page.get_by_role("button", name="Check the files").click()
    expect(page.get_by_text(re.compile(r"^All \d+ files are as they were published"))).to_be_visible(timeout=PATIENCE)
