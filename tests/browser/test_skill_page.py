"""The page about skill in a real browser, whatever tables the models have."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

PATIENCE = 180_000  # ms; only a broken page needs as long
Open = Callable[..., Page]


@pytest.fixture
def open_skill(browser: Browser, address: str) -> Iterator[Open]:
    """Opens the page of a data set in a window of some width."""
    contexts = []

    def visit(dataset: str, *, width: int = 1440) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address}/skill?dataset={dataset}")
        expect(page.get_by_role("heading", name="Skill against cost")).to_be_visible(timeout=PATIENCE)
        return page

    yield visit
    for context in contexts:
        context.close()


def test_a_link_opens_the_page_and_other_pages_follow_its_data_set(open_skill: Open) -> None:
    page = open_skill("spring-mesh")
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
    page.get_by_role("combobox", name="Data set").click()
    page.get_by_role("option", name="Navier–Stokes").click()
    page.wait_for_url("**/skill?dataset=navier-stokes")
    page.get_by_test_id("stTopNavLink").filter(has_text="Forecast").click()
    expect(page.get_by_role("radio", name="Vorticity")).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("dataset=navier-stokes"), timeout=PATIENCE)


def test_nothing_overflows_a_narrow_screen(open_skill: Open) -> None:
    page = open_skill("sst-monthly", width=400)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
