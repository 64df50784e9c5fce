"""The page that CONTRIBUTING.md shows is a page."""

import ast
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.player.view import View

GUIDE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGE, LINE = re.findall(r"```python\n(.*?)```", GUIDE.partition("A page about a forecast")[2], re.DOTALL)[:2]


def test_the_page_of_the_guide_shows_a_map_and_writes_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[View] = []
    monkeypatch.setattr("app.player.player", lambda view, answers, key: shown.append(view))
    page = AppTest.from_string(f"{PAGE}\nshow()\n", default_timeout=120)
    page.query_params["dataset"] = "sst-monthly"
    page.run()
    assert not page.exception
    assert not page.error
    (view,) = shown
    assert view.fields["range"].shape == (13, *view.solid.shape)
    assert view.fields["range"][1:, ~view.solid].min() > 0
    assert page.query_params["dataset"] == "sst-monthly"


def test_its_line_fits_into_the_list_of_pages() -> None:
    main = (Path(__file__).parents[2] / "app" / "main.py").read_text(encoding="utf-8")
    first = main.index("        screen(")
    ast.parse(f"{main[:first]}        {LINE.strip()},\n{main[first:]}")
    assert LINE.strip().startswith('screen("range"')
