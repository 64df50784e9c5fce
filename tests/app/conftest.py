"""The page run without a browser, on an engine without networks."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from app.backend import Backend
from tests.app.fakes import FakeEngine

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"
Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """AppTest puts its script, a file that is gone after the test, in the place of the main program.

    Processes that later tests start would look for it there.
    """
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def engine() -> FakeEngine:
    """The engine behind the page; a test may make it slow or make it fail."""
    return FakeEngine()


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of checkpoints and tables for this test alone, empty at first."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("folders", "checkpoint", "scorecard", "ablation"):
        monkeypatch.setattr(f"engine.{name}.checkpoints_dir", lambda: folder)
    return folder


@pytest.fixture
def backend(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """The backend of the page, one for the whole test; no browser has to draw maps before the charts come."""
    made = Backend(engine)
    monkeypatch.setattr(session, "backend", lambda: made)
    monkeypatch.setattr(session, "saw_maps", lambda: True)
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
