"""The page that verifies a forecast in a real browser: maps, charts and tables, and a link that gives the same."""

import csv
import re

import numpy as np
import pytest
import xarray as xr
from playwright.sync_api import Page, expect

from engine.checkpoint import list_checkpoints
from engine.datasets import get_dataset
from engine.evaluation import by_unit, evaluate
from engine.forecasting import forecast_from
from engine.requests import ForecastRequest, resolve
from engine.variables import variable_named
from engine.verifying import verify_request
from tests.browser.conftest import Open
from tests.browser.pages import PATIENCE, chart, frame, map_frame, player, wait_until_idle

pytestmark = pytest.mark.browser

STEPS, MEMBERS = 12, 4
LINK = f"/verify?dataset=spring-mesh&init=1:40&steps={STEPS}&members={MEMBERS}&variable=displacement"
TITLES = ["CRPS", "Error", "Spread", "Percentile of truth", "Surprising cells", "Truth"]
SURPRISES = re.compile(r"the truth lies outside of all 4 members in [\d.]+%")


@pytest.fixture
def open_verify(visit: Open) -> Open:
    """Opens a link to the page, once its forecast is made, its maps are there and its charts are drawn."""
    if not list_checkpoints("spring-mesh"):
        pytest.skip("there is no trained model of the spring mesh yet")

    def follow(link: str) -> Page:
        page = visit(link, calm=True)
        expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=PATIENCE)
        expect(player(page).locator(".map-title")).to_have_text(TITLES, timeout=PATIENCE)
        chart(page, "verify-scores")
        chart(page, "physics-total_energy")
        wait_until_idle(page)
        return page

    return follow


@pytest.fixture(scope="module")
def expected() -> xr.Dataset:
    """The engine's own numbers."""
    request = ForecastRequest("spring-mesh", init="1:40", steps=STEPS, members=MEMBERS)
    return verify_request(resolve(request), variable_named("spring-mesh", "displacement"))


def numbers(page: Page, key: str) -> list[list[float | None]]:
    """All numbers that a chart shows, line by line."""
    wait_until_idle(page)
    found: list[list[float | None]] = page.locator(f".st-key-{key} .js-plotly-plot").evaluate(
        "node => node.calcdata.map(line => line.map(dot => dot.y ?? dot.s ?? null))"
    )
    return found


def test_a_link_opens_maps_and_charts_with_the_engine_s_numbers(open_verify: Open, expected: xr.Dataset) -> None:
    page = open_verify(LINK)
    (crps, *_), bars = numbers(page, "verify-scores"), numbers(page, "verify-ranks")
    np.testing.assert_allclose(np.array(crps, float), expected["crps"], rtol=1e-3)
    shares = np.sort(np.concatenate([np.array(line, float) for line in bars[:-1]]))
    np.testing.assert_allclose(shares, np.sort(100 * expected["rank_frequency_pooled"]), atol=0.2)
    energy = numbers(page, "physics-total_energy")
    np.testing.assert_allclose(np.array(energy[-1], float), expected["total_energy_truth"], rtol=1e-6)
    expect(page.locator(".st-key-verify-spectra .js-plotly-plot")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)


def test_the_table_behind_the_chart_is_the_engine_s(open_verify: Open, expected: xr.Dataset) -> None:
    page = open_verify(LINK + "&score=bias")
    with page.expect_download(timeout=PATIENCE) as download:
        page.locator(".st-key-verify-scores-csv button").first.click()
    assert download.value.suggested_filename.endswith("bias_from-1-frame-40.csv")
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == STEPS
    for name, ending in (("mean − truth", ""), ("interval low", "_low"), ("interval high", "_high")):
        (heading,) = (each for each in rows[0] if name in each and bool(ending) == ("interval" in each))
        found = [float(row[heading]) for row in rows]
        np.testing.assert_allclose(found, expected[f"bias{ending}"], rtol=1e-3, atol=1e-7)


def test_a_click_on_a_map_marks_a_place_and_one_on_a_chart_moves_the_time(open_verify: Open) -> None:
    page = open_verify(LINK)
    wait_until_idle(page)
    map_frame(page, 4).click(position={"x": 40, "y": 60})
    expect(page).to_have_url(re.compile(r"[?&]at="), timeout=PATIENCE)
    place = re.search(r"at=([^&]*)", page.url)
    map_frame(page, 0).click(position={"x": 90, "y": 30})
    expect(page).not_to_have_url(re.compile(re.escape(place.group(0)) + r"(&|$)") if place else "", timeout=PATIENCE)
    sentence = page.get_by_text(SURPRISES)
    before, lead = frame(page), sentence.inner_text(timeout=PATIENCE)
    plot = chart(page, "verify-scores").locator(".nsewdrag").first
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": 0.35 * box["width"], "y": 0.5 * box["height"]})
    expect(player(page)).not_to_have_attribute("data-frame", str(before), timeout=PATIENCE)
    expect(sentence).not_to_have_text(lead, timeout=PATIENCE)  # the sentence follows once the time rests


def test_a_link_opened_elsewhere_gives_the_same(open_verify: Open) -> None:
    first = open_verify(LINK)
    first.get_by_test_id("stMain").get_by_role("radio", name="Spread ÷ RMSE").click()
    expect(first).to_have_url(re.compile(r"[?&]score=ratio"), timeout=PATIENCE)
    expect(first.get_by_text("Spread ÷ RMSE · 95 % interval")).to_be_visible(timeout=PATIENCE)
    other = open_verify(first.url.removeprefix(first.url.split("/verify")[0]))
    expect(other.get_by_text("Spread ÷ RMSE · 95 % interval")).to_be_visible(timeout=PATIENCE)
    for key in ("verify-scores", "verify-ranks", "verify-spectra", "physics-total_energy"):
        assert numbers(other, key) == numbers(first, key), key
    sentence = first.get_by_text(SURPRISES).inner_text()
    expect(other.get_by_text(SURPRISES)).to_have_text(sentence, timeout=PATIENCE)


def test_a_score_card_is_made_in_the_background_and_stays(open_verify: Open) -> None:
    page = open_verify(LINK + "&conditions=2")
    page.get_by_role("button", name="Score them").click()
    table = page.get_by_test_id("stTable")
    expect(table).to_contain_text("DYffusion", timeout=PATIENCE)
    mesh = get_dataset("spring-mesh")
    request = resolve(ForecastRequest("spring-mesh", steps=STEPS, members=MEMBERS))
    scores = evaluate(
        mesh,
        [mesh.load("0"), mesh.load("1")],
        [0],
        lambda run, start, steps: forecast_from(run, start, request),
        steps=STEPS,
        variable=variable_named("spring-mesh", "displacement"),
    )
    crps = f"{by_unit(scores, 'crps').mean():#.3g}"
    expect(table.locator("tbody tr").first).to_contain_text(crps)
    again = open_verify(LINK + "&conditions=2")  # another visitor
    expect(again.get_by_test_id("stTable").locator("tbody tr").first).to_contain_text(crps, timeout=PATIENCE)
