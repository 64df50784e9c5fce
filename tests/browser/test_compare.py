"""Two forecasts beside one another as a person handles them: pick, run, drag the divider, pass the link on."""

import re
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.browser.pages import PATIENCE, are_marked, chart, cursor, drag, map_frame, mark_maps, player, wait_for_maps

pytestmark = pytest.mark.browser

FLOW = "/compare?dataset=navier-stokes&steps=6&members=3&at=1.3,0.1"


def map_named(page: Page, name: str) -> Locator:
    return player(page).locator(f'.map[data-map="{name}"]')


def number(page: Page, name: str) -> str:
    """The number that a map shows of the marked place."""
    value = map_named(page, name).locator(".map-value")
    expect(value).to_have_text(re.compile(r"\d"), timeout=PATIENCE)
    return value.inner_text()


def under_the_pointer(page: Page, name: str, share: float) -> float:
    """The number that a map shows where the pointer is: at a share of its width, near its lower edge."""
    field = map_named(page, name).locator(".map-frame")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.12 * box["height"])
    value = map_named(page, name).locator(".map-value:not(.of-place)")
    expect(value).to_have_text(re.compile(r"\d"), timeout=PATIENCE)
    found = float(value.inner_text().split()[0].replace("−", "-"))
    page.mouse.move(2, 2)
    return found


def divider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Divider between the two forecasts")


def wait_for_both(page: Page) -> None:
    """Wait until A and B are compared."""
    expect(map_named(page, "swipe")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Over all lead times")).to_be_visible(timeout=PATIENCE)
    chart(page, "compare-difference")


def compared(visit: Open, link: str = FLOW) -> Page:
    """The page with a B that was picked by a preset and run."""
    page = visit(link, calm=True)
    expect(page.get_by_text("Pick above how B should differ")).to_be_visible(timeout=PATIENCE)
    # the first forecast starts by itself, and the page is drawn anew until it is there
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=PATIENCE)
    expect(page.get_by_text("3 members · 6 steps").first).to_be_visible(timeout=PATIENCE)
    page.get_by_text("Dropout rival", exact=True).click()
    expect(page.get_by_text("B differs in model")).to_be_visible(timeout=PATIENCE)
    run = page.get_by_role("button", name="Run B")
    expect(run.or_(map_named(page, "swipe")).first).to_be_visible(timeout=PATIENCE)
    if run.count():  # else another test has had it computed
        run.click()
    wait_for_both(page)
    return page


def test_a_preset_is_run_beside_a_and_both_stand_in_the_link(visit: Open) -> None:
    page = compared(visit, f"{FLOW}&seed=3")
    expect(page).to_have_url(re.compile(r"b\.model=navier-stokes-dropout"))
    expect(page.get_by_role("button", name="Run B")).to_have_count(0)
    expect(page.locator("table")).to_contain_text("Fair CRPS")
    assert number(page, "a") != number(page, "b")


def test_left_of_the_divider_are_the_numbers_of_a_and_right_of_it_those_of_b(visit: Open) -> None:
    page = compared(visit)
    for share in (0.2, 0.85):
        assert under_the_pointer(page, "a", share) != under_the_pointer(page, "b", share)
    assert under_the_pointer(page, "swipe", 0.2) == under_the_pointer(page, "a", 0.2)
    assert under_the_pointer(page, "swipe", 0.85) == under_the_pointer(page, "b", 0.85)
    first, second = (under_the_pointer(page, name, 0.85) for name in ("a", "b"))
    difference = under_the_pointer(page, "difference", 0.85)
    assert difference == pytest.approx(first - second, abs=2e-3 * max(abs(first), abs(second)))
    drag(page, map_frame(page), (0.5, 0.8), (0.95, 0.8))
    expect(divider(page)).to_have_attribute("aria-valuenow", "95")
    assert under_the_pointer(page, "swipe", 0.85) == under_the_pointer(page, "a", 0.85)


def test_arrow_keys_move_the_divider(visit: Open) -> None:
    page = compared(visit)
    divider(page).focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(divider(page)).to_have_attribute("aria-valuenow", "46")
    page.keyboard.press("ArrowRight")
    expect(divider(page)).to_have_attribute("aria-valuenow", "48")
    expect(page).to_have_url(re.compile(r"#.*divider=0\.48"))


def test_a_link_opened_elsewhere_gives_page_time_place_divider_and_numbers(visit: Open) -> None:
    page = compared(visit)
    page.get_by_role("slider", name="Lead time").fill("3")
    divider(page).focus()
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"#lead=.*divider=0\.48"))
    before = {name: number(page, name) for name in ("swipe", "a", "b", "difference", "truth")}
    table = page.locator("table").inner_text()
    link = urlparse(page.url)
    other = visit(f"{link.path}?{link.query}#{link.fragment}", calm=True)
    wait_for_both(other)
    expect(player(other)).to_have_attribute("data-frame", "3", timeout=PATIENCE)
    expect(divider(other)).to_have_attribute("aria-valuenow", "48")
    assert {name: number(other, name) for name in before} == before
    assert other.locator("table").inner_text() == table
    expect(other.get_by_text("At x 1.3, y 0.1 m")).to_be_visible()


def test_charts_of_both_share_the_time_of_the_maps(visit: Open) -> None:
    page = compared(visit)
    keys = ("compare-scores", "compare-difference", "compare-fan")
    page.get_by_role("slider", name="Lead time").fill("5")
    late = {key: cursor(page, key) for key in keys}
    page.get_by_role("slider", name="Lead time").fill("2")
    assert all(cursor(page, key) < late[key] - 30 for key in keys)


def test_spread_and_error_of_both_are_shown_too(visit: Open) -> None:
    page = compared(visit)
    numbers = {number(page, "a")}
    for shown in ("Spread", "Error"):
        page.get_by_role("radio", name=shown, exact=True).click()
        expect(page).to_have_url(re.compile(f"maps={shown.lower()}"), timeout=PATIENCE)
        expect(map_named(page, "truth")).to_have_count(0, timeout=PATIENCE)
        expect(map_named(page, "a").locator(".map-value")).not_to_have_text(numbers.pop(), timeout=PATIENCE)
        numbers = {number(page, "a")}


def test_particles_have_no_divider_but_both_forecasts(visit: Open) -> None:
    page = visit("/compare?dataset=spring-mesh&steps=6&members=3&b.members=4", calm=True)
    expect(page.get_by_text("3 members · 6 steps").first).to_be_visible(timeout=PATIENCE)
    mark_maps(page)
    page.get_by_role("button", name="Run B").click()
    expect(map_named(page, "difference")).to_be_visible(timeout=PATIENCE)
    wait_for_maps(page, frames="7")
    expect(map_named(page, "b")).to_be_visible()
    expect(divider(page)).to_have_count(0)
    assert are_marked(page)  # B came to the maps of A
