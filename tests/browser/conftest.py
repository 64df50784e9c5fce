"""The real page in a real Chromium, with folders of its own."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
START_SECONDS = 120


PATIENCE = 180_000  # ms; only a broken page needs as long
Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; CHROMIUM names its program where it is not on PATH."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, COMMANDS)), None)
    if found is None:
        pytest.skip("There is no Chromium: install one or name it in CHROMIUM.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page served as a user serves it, on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {name: str(tmp_path_factory.mktemp("own")) for name in ("COLDCAST_CACHE_DIR", "COLDCAST_DATA_DIR")}
    words = ["streamlit", "run", "app/main.py", "--server.port", str(port), "--server.address", "127.0.0.1"]
    log = tmp_path_factory.mktemp("log") / "server.txt"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**os.environ, **folders},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """Opens the page in a fresh visit; at the end nothing may have been asked of any other machine."""
    strangers: list[str] = []
    contexts = []

    def visit(link: str = "/", *, calm: bool = False) -> Page:
        motion: Literal["reduce", "no-preference"] = "reduce" if calm else "no-preference"
        context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion=motion)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: strangers.append(request.url) if _is_elsewhere(request.url) else None)
        page.goto(address + link)
        expect(page.get_by_role("button", name="Run")).to_be_visible(timeout=PATIENCE)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert strangers == []


def _is_elsewhere(url: str) -> bool:
    parts = urlparse(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1"


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the server ended:\n{log.read_text()}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"the server did not answer within {START_SECONDS} s:\n{log.read_text()}")
