"""The page about probabilities in a real browser, on the example that comes with the monthly sea surface."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Open
from tests.browser.pages import PATIENCE, chart, frame, map_frame, player, wait_until_idle

pytestmark = pytest.mark.browser

LINK = "/probability?dataset=sst-monthly"
EVENT = ["Probability", "Truth", "Margin", "Threshold"]


@pytest.fixture
def open_probability(visit: Open) -> Open:
    """Opens a link to the page, once its charts are there."""

    def follow(link: str = LINK) -> Page:
        page = visit(link, calm=True)
        chart(page, "area")
        expect(page.get_by_role("cell", name="Brier score", exact=True)).to_be_visible(timeout=PATIENCE)
        wait_until_idle(page)
        return page

    return follow


def titles(page: Page) -> Locator:
    """The titles of the maps."""
    return player(page).locator(".map-title")


def expect_titles(page: Page, names: list[str]) -> None:
    """Wait until the maps have these titles."""
    expect(titles(page)).to_have_text(names, timeout=PATIENCE)


def expect_link(page: Page, *parts: str) -> None:
    """Wait until the link says all of this."""
    for part in parts:
        expect(page).to_have_url(re.compile(re.escape(part)), timeout=PATIENCE)


def scores(page: Page) -> list[str]:
    """The table of scores, once nothing changes any more."""
    wait_until_idle(page)
    return page.get_by_test_id("stTable").locator("td").all_inner_texts()


def points(page: Page, key: str) -> list[list[float | None]]:
    """All heights that a chart shows, line by line."""
    found: list[list[float | None]] = page.locator(f".st-key-{key} .js-plotly-plot").evaluate(
        "node => node.calcdata.map(line => line.map(dot => dot.y ?? dot.s ?? null))"
    )
    return found


def values(page: Page) -> list[str]:
    """What the maps show at the marked place."""
    return player(page).locator(".map-value").all_inner_texts()


def type_number(page: Page, label: str, value: str) -> None:
    """Type a number and leave its field."""
    field = page.get_by_role("spinbutton", name=label)
    field.fill(value)
    field.press("Enter")


def test_a_link_opens_the_page_with_maps_charts_and_scores(open_probability: Open) -> None:
    page = open_probability()
    expect_titles(page, EVENT)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
    expect(page.get_by_text("over the years 1982–2009 in the same month")).to_be_visible()
    for key in ("chance", "first", "area"):
        chart(page, key)
    for key in ("reliability", "roc"):
        expect(page.locator(f".st-key-{key} .js-plotly-plot")).to_be_visible(timeout=PATIENCE)
    named = dict(zip(scores(page)[::2], scores(page)[1::2], strict=True))
    assert 0 < float(named["Brier score"]) < 1
    assert named["Base rate"].endswith("%")


def test_threshold_side_and_value_change_the_maps_and_the_scores(open_probability: Open) -> None:
    page = open_probability()
    before = scores(page)
    page.get_by_role("radio", name="Value").click()
    expect_titles(page, ["Probability", "Truth", "Margin", "Mean"])
    type_number(page, "SST anomaly (°C)", "1.5")
    expect(page.get_by_role("heading", name="SST anomaly above 1.5 °C")).to_be_visible(timeout=PATIENCE)
    expect_link(page, "by=value", "value-anomaly=1.5")
    above = scores(page)
    assert above != before
    page.get_by_role("radio", name="Below").click()
    expect(page.get_by_role("heading", name="SST anomaly below 1.5 °C")).to_be_visible(timeout=PATIENCE)
    expect_link(page, "side=below")
    assert scores(page)[1] == above[1]  # the Brier score of "not": nothing equals the threshold
    page.get_by_role("radio", name="Above").click()
    type_number(page, "SST anomaly (°C)", "40")
    expect(page.get_by_text("No member is above 40 °C")).to_be_visible(timeout=PATIENCE)


def test_quantiles_of_the_members_are_shown(open_probability: Open) -> None:
    page = open_probability()
    page.get_by_role("radio", name="Quantiles").click()
    expect_titles(page, ["10 % quantile", "50 % quantile", "90 % quantile", "Truth"])
    type_number(page, "Low quantile (%)", "25")
    expect_titles(page, ["25 % quantile", "50 % quantile", "90 % quantile", "Truth"])
    page.get_by_text("Map of the range").click()
    expect_titles(page, ["25 % quantile", "50 % quantile", "90 % quantile", "Truth", "Range"])
    expect_link(page, "maps=quantiles", "low=25", "width=true")
    low, middle, high, _, width = (float(re.findall(r"[−\d.]+", text)[0].replace("−", "-")) for text in values(page))
    assert low < middle < high
    assert width == pytest.approx(high - low, abs=0.01)


def test_the_diagram_may_follow_the_maps(open_probability: Open) -> None:
    page = open_probability()
    page.get_by_role("radio", name="That of the maps").click()
    expect(page.get_by_text("at the lead time 12 months")).to_be_visible(timeout=PATIENCE)
    twelve = scores(page)
    page.get_by_role("slider", name="Lead time").fill("3")
    expect(page.get_by_text("at the lead time 3 months")).to_be_visible(timeout=PATIENCE)
    assert scores(page) != twelve
    page.get_by_role("slider", name="Lead time").fill("0")
    expect(page.get_by_text("which is no forecast")).to_be_visible(timeout=PATIENCE)


def test_a_link_opened_elsewhere_gives_page_time_place_and_numbers(open_probability: Open) -> None:
    page = open_probability(f"{LINK}&percent=80&side=below")
    map_frame(page).click(position={"x": 60, "y": 60})
    expect_link(page, "at=")
    title = page.locator("p", has_text="Probability at")
    expect(title).not_to_have_text("Probability at 0° 155°W", timeout=PATIENCE)
    page.get_by_role("slider", name="Lead time").fill("5")
    expect_link(page, "lead=5")
    seen = scores(page), values(page), points(page, "chance"), points(page, "reliability"), title.inner_text()
    address = page.url
    other = open_probability(address[address.index("/probability") :])
    expect_titles(other, EVENT)
    assert frame(other) == frame(page) == 5
    assert scores(other) == seen[0]
    assert values(other) == seen[1]
    assert points(other, "chance") == seen[2]
    assert points(other, "reliability") == seen[3]
    assert other.locator("p", has_text="Probability at").inner_text() == seen[4]
    assert other.url == address


def test_a_chart_can_be_taken_away_as_a_table(open_probability: Open) -> None:
    page = open_probability()
    with page.expect_download(timeout=PATIENCE) as coming:
        page.locator(".st-key-reliability-csv").get_by_role("button").first.click()
    text = coming.value.path().read_text(encoding="utf-8-sig")
    header, *rows = text.splitlines()
    assert "forecast probability (%)" in header
    assert any("consistency" in name for name in header.split(","))
    shown = [y for y in points(page, "reliability")[-2] if y is not None]
    assert len(rows) == len(shown)


def test_nothing_overflows_a_narrow_screen(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 400, "height": 900})
    page = context.new_page()
    page.goto(address + LINK)
    chart(page, "area")
    wait_until_idle(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
    context.close()
