"""The real page in a real Chromium, with folders of its own."""

from collections.abc import Callable, Iterator
from typing import Literal
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.pages import PATIENCE
from tools.page_server import ARGUMENTS, find_chromium, served

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; CHROMIUM names its program where it is not on PATH."""
    found = find_chromium()
    if found is None:
        pytest.skip("There is no Chromium: install one or name it in CHROMIUM.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page served as a user serves it, on a free port of this machine."""
    with served(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Open]:
    """Follows a link in a fresh visit; at the end nothing may have been asked of any other machine."""
    strangers: list[str] = []
    contexts = []

    def follow(link: str, *, calm: bool = False) -> Page:
        motion: Literal["reduce", "no-preference"] = "reduce" if calm else "no-preference"
        context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion=motion)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: strangers.append(request.url) if _is_elsewhere(request.url) else None)
        page.goto(address + link)
        return page

    yield follow
    for context in contexts:
        context.close()
    assert strangers == []


@pytest.fixture
def open_page(visit: Open) -> Open:
    """Opens the forecast page."""

    def open_(link: str = "/", *, calm: bool = False) -> Page:
        page = visit(link, calm=calm)
        expect(page.get_by_role("button", name="Run")).to_be_visible(timeout=PATIENCE)
        return page

    return open_


def _is_elsewhere(url: str) -> bool:
    parts = urlparse(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1"
