"""The members page as a person handles it: order, parts, pin, spaghetti, place, link."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.browser.pages import PATIENCE, PICTURE, chart, map_frame, player, wait_for_maps, wait_until_idle

pytestmark = pytest.mark.browser

SEA = "/members?dataset=sst-monthly"


def stamp(page: Page, number: int) -> Locator:
    """The small map of a member."""
    return player(page).locator(f'.map[data-map="member-{number - 1}"]')


def titles(page: Page) -> list[str]:
    return player(page).locator(".map-title").all_text_contents()


def pick(page: Page, group: str, option: str) -> None:
    """Press one of a group of options, and wait until it is the one."""
    found = page.get_by_role("radiogroup", name=group).get_by_role("radio", name=option, exact=True)
    found.click()
    expect(found).to_have_attribute("aria-checked", "true", timeout=PATIENCE)


def test_all_members_stand_beside_the_truth_and_the_mean(open_page: Open) -> None:
    page = open_page(SEA, calm=True)
    expect(player(page).locator(".map")).to_have_count(52, timeout=PATIENCE)
    assert titles(page)[:3] == ["Truth", "Mean", "Member 1"]
    expect(player(page).locator(".legend")).to_have_count(1)  # one scale for all
    expect(page.get_by_text(re.compile("is the most typical"))).to_be_visible(timeout=PATIENCE)


def test_members_stand_in_the_order_that_is_chosen_and_the_link_keeps_it(open_page: Open) -> None:
    page = open_page(f"{SEA}&stamps=12", calm=True)
    pick(page, "Sort by", "Error")
    expect(page).to_have_url(re.compile("sort=error"), timeout=PATIENCE)
    notes = player(page).locator(".map-note:not(:empty)")
    expect(notes).to_have_count(12, timeout=PATIENCE)
    errors = [float(note.removeprefix("RMSE ")) for note in notes.all_text_contents()]
    assert errors == sorted(errors)
    other = open_page(page.url.split("//", 1)[1].split("/", 1)[1].join(["/", ""]), calm=True)
    expect(player(other).locator(".map-note:not(:empty)")).to_have_count(12, timeout=PATIENCE)
    assert titles(other) == titles(page)


def test_an_order_at_a_lead_follows_the_time(open_page: Open) -> None:
    page = open_page(f"{SEA}&stamps=12&sort=error&over=lead#lead=1", calm=True)
    notes = player(page).locator(".map-note:not(:empty)")
    expect(page.get_by_text(re.compile("at this lead, smallest first"))).to_be_visible(timeout=PATIENCE)
    before = notes.first.inner_text()
    page.get_by_role("slider", name="Lead time").fill("9")
    expect(notes.first).not_to_have_text(before, timeout=PATIENCE)


def test_a_pinned_member_is_on_the_forecast_page_and_in_its_charts(open_page: Open) -> None:
    page = open_page(f"{SEA}&stamps=12", calm=True)
    stamp(page, 7).get_by_role("button", name="Pin Member 7").click()
    expect(stamp(page, 7).get_by_role("button", name="Pin Member 7")).to_have_attribute(
        "aria-pressed", "true", timeout=PATIENCE
    )
    expect(page).to_have_url(re.compile("member=7"), timeout=PATIENCE)
    expect(chart(page, "fan").get_by_text("member 7", exact=True)).to_be_attached(timeout=PATIENCE)
    page.get_by_role("link", name="Forecast").click()
    expect(player(page).locator('.map[data-map="member-6"]')).to_be_visible(timeout=PATIENCE)
    for key in ("fan", "plume-nino34"):
        expect(chart(page, key).get_by_text("member 7", exact=True)).to_be_attached(timeout=PATIENCE)
    page.get_by_role("button", name="Member 7 pinned").click()
    expect(player(page).locator(".map")).to_have_count(4, timeout=PATIENCE)
    expect(page).not_to_have_url(re.compile("member="), timeout=PATIENCE)


def test_spaghetti_follows_the_value_and_the_time(open_page: Open) -> None:
    page = open_page(SEA, calm=True)
    pick(page, "Show members as", "Spaghetti")
    expect(player(page).locator(".map")).to_have_count(1, timeout=PATIENCE)
    expect(player(page).locator(".legend.strands")).to_contain_text("members", timeout=PATIENCE)
    first = page.evaluate(PICTURE)
    page.get_by_role("slider", name="Lead time").fill("3")
    assert page.evaluate(PICTURE) != first  # no call of the server
    number = page.get_by_role("spinbutton", name=re.compile("Isoline of"))
    number.fill("0.5")
    number.press("Enter")
    expect(player(page).locator(".map-title")).to_have_text("SST anomaly = 0.5 °C", timeout=PATIENCE)
    number.fill("50")
    number.press("Enter")
    expect(page.get_by_text(re.compile("No member has the value 50 °C at any lead"))).to_be_visible(timeout=PATIENCE)
    expect(player(page).get_by_text("no member has this value at this lead")).to_be_visible(timeout=PATIENCE)


def test_a_click_moves_the_place_of_all_maps_and_the_chart(open_page: Open) -> None:
    page = open_page(f"{SEA}&as=lines", calm=True)
    chart(page, "fan")
    box = map_frame(page).bounding_box()
    assert box is not None
    map_frame(page).click(position={"x": 0.4 * box["width"], "y": 0.3 * box["height"]})
    expect(page).to_have_url(re.compile(r"at=\d"), timeout=PATIENCE)
    at = re.search(r"at=([\d.]+)", page.url)
    assert at is not None
    pick(page, "Show members as", "Small maps")
    expect(player(page).locator(".map")).to_have_count(52, timeout=PATIENCE)
    expect(page).to_have_url(re.compile(f"at={at[1]}"), timeout=PATIENCE)


def test_a_link_opened_elsewhere_shows_the_same(open_page: Open) -> None:
    link = f"{SEA}&sort=mean&stamps=12&from-12=13&member=9&at=200,-10#lead=5"
    one, other = (open_page(link, calm=True) for _ in range(2))
    for page in (one, other):
        wait_for_maps(page, frame=5)
        expect(player(page).locator(".map")).to_have_count(15, timeout=PATIENCE)
        assert titles(page)[2] == "Member 9"  # pinned; the most typical, so not in this part of the order
    for page in (one, other):
        wait_until_idle(page)
    read = [
        (titles(page), player(page).locator(".map-value").all_text_contents(), page.url.split("/members")[1])
        for page in (one, other)
    ]
    assert read[0] == read[1]
    assert all(re.search(r"[\d.]+ °C", value) for value in read[0][1])


def test_particles_have_paths_and_dots(open_page: Open) -> None:
    page = open_page("/members?dataset=spring-mesh&steps=67&members=6&as=lines", calm=True)
    wait_for_maps(page, frames=68)
    whole = page.evaluate(PICTURE)
    pick(page, "Departures from the mean", "100 ×")
    expect(page.get_by_text(re.compile("drawn 100 times as far"))).to_be_visible(timeout=PATIENCE)
    page.wait_for_function(f"before => ({PICTURE})() !== before", arg=whole)
