"""The sampling schedule edited on its drawing, in a real browser."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.browser.pages import PATIENCE

pytestmark = pytest.mark.browser

WINDOW = 16  # data steps of the Navier–Stokes models
LINK = "/?dataset=navier-stokes&schedule="


def strip(page: Page) -> Locator:
    """The row of ticks."""
    found = page.locator(".strip .items")
    expect(found).to_be_visible(timeout=PATIENCE)
    return found


def stops(page: Page) -> list[str]:
    """The leads that are drawn as stops."""
    return page.locator(".strip .tick.on").evaluate_all("ticks => ticks.map(tick => tick.ariaLabel)")


def click_lead(page: Page, lead: float) -> None:
    """Click where a lead is on the axis."""
    box = strip(page).bounding_box()
    assert box is not None
    strip(page).click(position={"x": box["width"] * lead / WINDOW, "y": box["height"] / 2})


def expect_schedule(page: Page, schedule: str) -> None:
    """Wait until the link names a schedule."""
    expect(page).to_have_url(re.compile(f"schedule={schedule.replace(',', '%2C')}(&|#|$)"), timeout=PATIENCE)


def expect_picked(page: Page, title: str) -> None:
    """Wait until the picker shows a choice."""
    picker = page.get_by_role("combobox", name=re.compile("Sampling schedule"))
    expect(picker).to_have_value(re.compile(title), timeout=PATIENCE)


def test_clicked_ticks_change_the_schedule_the_picker_and_the_link(open_page: Open) -> None:
    page = open_page(LINK + "stride8", calm=True)
    click_lead(page, 4.2)  # the nearest tick is meant
    assert stops(page) == ["lead 0", "lead 4", "lead 8"]  # at once
    click_lead(page, 8)
    expect_schedule(page, "0,4")
    expect_picked(page, "Custom leads")
    expect(page.get_by_role("textbox", name="Leads in data steps")).to_have_value("0,4")
    expect(page.get_by_text("2 stops, 17 network calls per window")).to_be_visible(timeout=PATIENCE)
    assert stops(page) == ["lead 0", "lead 4"]


def test_every_window_starts_at_lead_0(open_page: Open) -> None:
    page = open_page(LINK + "stride8", calm=True)
    click_lead(page, 0)
    expect(page.locator(".strip .tip")).to_have_text("lead 0: every window starts here")
    assert stops(page) == ["lead 0", "lead 8"]


def test_keys_move_along_the_ticks_and_keep_or_skip_them(open_page: Open) -> None:
    page = open_page(LINK + "0,3", calm=True)
    strip(page).press("Home")
    for _ in range(3):
        strip(page).press("ArrowRight")
    said = page.locator(".strip .live")
    expect(said).to_have_text("lead 3: the sampler stops here; space to skip")
    option = strip(page).get_attribute("aria-activedescendant")
    expect(page.locator(f".strip #{option}")).to_have_attribute("aria-selected", "true")
    strip(page).press(" ")
    expect(said).to_have_text("lead 3: skipped; space to stop here")
    strip(page).press("End")
    strip(page).press("Enter")
    expect_schedule(page, "0,15")
    assert stops(page) == ["lead 0", "lead 15"]


def test_leads_of_a_preset_pick_it_and_a_preset_sets_the_ticks(open_page: Open) -> None:
    page = open_page(LINK + "0,3,8", calm=True)
    click_lead(page, 3)
    expect_picked(page, "stride8")
    expect_schedule(page, "stride8")
    picker = page.get_by_role("combobox", name=re.compile("Sampling schedule"))
    picker.click()
    page.get_by_role("option", name=re.compile("^stride4")).click()
    expect_schedule(page, "stride4")
    expect(page.locator(".strip .tick.on")).to_have_count(4, timeout=PATIENCE)
    click_lead(page, 4)
    expect_schedule(page, "0,8,12")
    assert stops(page) == ["lead 0", "lead 8", "lead 12"]


def test_a_dot_of_the_measured_front_is_a_way_to_sample(open_page: Open) -> None:
    page = open_page(LINK + "0,3", calm=True)
    expect(page.get_by_text("Not measured; the best at this cost")).to_be_visible(timeout=PATIENCE)
    dots = page.locator(".front .items")
    dots.press("End")
    expect(page.locator(".front .live")).to_have_text(re.compile("^full, cold, noise .*space to use it$"))
    dots.press("Enter")
    expect_schedule(page, "full")
    expect_picked(page, "full")
    expect(page.get_by_text(re.compile("^Measured: CRPS"))).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".front .dot.on")).to_have_count(1)
