"""The page run without a browser, on an engine without networks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from app.backend import Backend
from tests.app.fakes import FakeEngine

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"
Open = Callable[..., AppTest]


@pytest.fixture
def engine() -> FakeEngine:
    """The engine behind the page; a test may make it slow or make it fail."""
    return FakeEngine()


@pytest.fixture
def backend(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """The backend of the page, one for the whole test."""
    made = Backend(engine)
    monkeypatch.setattr(session, "backend", lambda: made)
    return made


@pytest.fixture
def open_page(backend: Backend) -> Open:
    """Opens the page by a link; every call is another visitor."""

    def visit(**link: str) -> AppTest:
        page = AppTest.from_file(str(MAIN), default_timeout=60)
        for name, value in link.items():
            page.query_params[name] = value
        return page.run()

    return visit
