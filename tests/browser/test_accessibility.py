"""What axe-core finds on every page, in light and in dark."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import PATIENCE, wait_until_idle

pytestmark = pytest.mark.browser

GRAVE = ("serious", "critical")
STREAMLITS: dict[str, str] = {}
"""Grave findings inside Streamlit's own widgets, which are not ours to mend: the rule, and where it strikes."""


def pages_of(page: Page, address: str) -> list[str]:
    """The addresses of all pages, as the navigation has them."""
    page.goto(address)
    links = page.get_by_role("navigation", name="App pages").get_by_role("link")
    expect(links.first).to_be_visible(timeout=PATIENCE)
    found: list[str] = links.evaluate_all("links => links.map(link => link.href)")
    return found


def grave_findings(page: Page) -> list[tuple[str, str]]:
    """Rule and place of what axe finds grave; nothing is left out."""
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        (each["id"], node["html"][:200]) for each in violations if each["impact"] in GRAVE for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_grave_finding_of_ours(browser: Browser, address: str, scheme: Any) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce", color_scheme=scheme)
    page = context.new_page()
    found = {}
    for link in pages_of(page, address):
        page.goto(link)
        wait_until_idle(page)
        found[link] = [
            finding
            for finding in grave_findings(page)
            if not any(rule == finding[0] and re.search(place, finding[1]) for rule, place in STREAMLITS.items())
        ]
    context.close()
    assert len(found) == 10
    assert not any(found.values()), found


def test_axe_finds_what_is_wrong(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content("<html lang=en><title>t</title><main><button></button><img src=''></main></html>")
    assert {rule for rule, _ in grave_findings(page)} == {"button-name", "image-alt"}
    page.close()
