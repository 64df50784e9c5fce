"""The page about the sampler in a real browser: a link opens each part, and gives anybody the same."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from engine.checkpoint import list_checkpoints
from tests.browser.conftest import Open
from tests.browser.pages import PATIENCE, chart, frame, player, wait_until_idle

pytestmark = pytest.mark.browser

LINK = "/sampler?dataset=spring-mesh&members=4"
NAMES = {
    "walk": ["State", "Estimate of the end, x̂ₕ", "Truth", "Truth", "Spread of the states", "Spread of the estimates"],
    "forward": ["Gaussian noise", "Interpolation", "Spread of the noise", "Spread of the interpolation", "Truth"],
    "fill": ["Filled in", "Truth", "Spread", "Error"],
}


@pytest.fixture
def open_sampler(visit: Open) -> Open:
    """Opens a link to the page, once its maps or charts are there."""
    if not list_checkpoints("spring-mesh"):
        pytest.skip("there is no trained model of the spring mesh yet")

    def follow(link: str) -> Page:
        page = visit(link, calm=True)
        expect(page.get_by_role("radio", name="The walk")).to_be_visible(timeout=PATIENCE)
        return page

    return follow


def titles(page: Page) -> Locator:
    """The titles of the maps."""
    return player(page).locator(".map-title")


def numbers(page: Page, key: str) -> list[list[float | None]]:
    """All numbers that a chart shows, line by line."""
    wait_until_idle(page)
    found: list[list[float | None]] = chart(page, key).evaluate(
        "node => node.calcdata.map(line => line.map(dot => dot.y ?? null))"
    )
    return found


@pytest.mark.parametrize("part", list(NAMES))
def test_a_link_opens_each_part_with_its_maps(open_sampler: Open, part: str) -> None:
    page = open_sampler(f"{LINK}&part={part}")
    expect(titles(page)).to_have_text(NAMES[part], timeout=PATIENCE)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"network calls"))).not_to_have_count(0)


def test_the_ablations_are_drawn(open_sampler: Open) -> None:
    page = open_sampler(f"{LINK}&part=ablations")
    expect(page.get_by_text("Cold or naive sampling")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=PATIENCE)


def test_parts_are_turned_to_and_stand_in_the_link(open_sampler: Open) -> None:
    page = open_sampler(LINK)
    expect(titles(page)).to_have_text(NAMES["walk"], timeout=PATIENCE)
    page.get_by_text("Fill in", exact=True).click()
    expect(titles(page)).to_have_text(NAMES["fill"], timeout=PATIENCE)
    expect(page).to_have_url(re.compile("part=fill"), timeout=PATIENCE)


def test_the_arrows_go_from_step_to_step_and_the_charts_follow(open_sampler: Open) -> None:
    page = open_sampler(LINK)
    line = chart(page, "sampler-walk-spread").locator(".coldcast-cursor")
    wait_until_idle(page)
    last = frame(page)
    expect(player(page).locator(".clock")).to_contain_text(f"step {last} of {last}")
    before = line.bounding_box()
    page.get_by_role("button", name="One frame back (←)").click()
    expect(player(page).locator(".clock")).to_contain_text(f"step {last - 1} of {last}", timeout=PATIENCE)
    after = line.bounding_box()
    assert before is not None and after is not None
    assert after["x"] < before["x"]


def test_a_link_opened_elsewhere_gives_the_same_steps_and_numbers(open_sampler: Open) -> None:
    page = open_sampler(LINK)
    expect(titles(page)).to_have_text(NAMES["walk"], timeout=PATIENCE)
    page.get_by_text("Compare solvers").click()
    expect(page).to_have_url(re.compile("solvers=true"), timeout=PATIENCE)
    expect(titles(page).first).to_have_text("Cold: state", timeout=PATIENCE)
    page.get_by_role("button", name="One frame back (←)").click()
    page.get_by_role("button", name="One frame back (←)").click()
    wait_until_idle(page)
    seen, shown = numbers(page, "sampler-solvers-spread"), frame(page)
    link = page.url.partition("/sampler")[2]
    other = open_sampler(f"/sampler{link}")
    expect(titles(other).first).to_have_text("Cold: state", timeout=PATIENCE)
    assert len(seen) == 3 and len(seen[0]) > 3
    assert numbers(other, "sampler-solvers-spread") == seen
    assert frame(other) == shown
    assert other.url.partition("/sampler")[2] == link
