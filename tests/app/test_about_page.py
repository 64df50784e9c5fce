"""The page About: cards of all models, data, software, and the machine with its stored forecasts."""

import re
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.about import models, software, sources
from app.sizes import Folder, in_words, measure
from engine.cache import default_cache
from engine.checkpoint import count_weights, list_checkpoints, load_card
from engine.folders import bundled_dir
from engine.scorecard import read_scorecard
from engine.version import version
from tests.engine.conftest import ROOT

Open = Callable[[str], AppTest]


def frame() -> None:
    """The page in the frame of an app of its own."""
    import streamlit as st

    from app.screens import about, skill

    st.navigation(
        [
            st.Page(about.show, title="About", default=True),
            st.Page(skill.show, title="Skill", icon=":material/leaderboard:", url_path="skill"),
        ]
    ).run()


@pytest.fixture
def open_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a section of the page, with folders of its own."""
    monkeypatch.setenv("COLDCAST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path / "data"))

    def visit(section: str) -> AppTest:
        page = AppTest.from_function(frame, default_timeout=60)
        page.query_params["section"] = section
        page.run()
        assert not page.exception
        assert not page.error
        return page

    return visit


def cells(page: AppTest) -> list[str]:
    """All that stands in tables."""
    return [str(cell) for table in page.table for cell in table.value.to_numpy().ravel()]


def said(page: AppTest) -> str:
    return "\n".join(each.value for each in (*page.markdown, *page.caption))


def test_the_page_begins_with_what_this_is_and_its_version(open_about: Open) -> None:
    page = open_about("What this is")
    assert f"Version {version()} · numerics version " in said(page)
    assert "cold sampling" in said(page)
    assert not page.table  # what other sections show is not made


def test_all_models_have_a_card(open_about: Open) -> None:
    labels = [expander.label.replace("\\", "") for expander in open_about("Models").expander]
    assert [label.rpartition(" · ")[2] for label in labels] == [
        name
        for dataset in ("sst-monthly", "sst-daily", "navier-stokes", "spring-mesh")
        for name in list_checkpoints(dataset)
    ]


@pytest.mark.parametrize("name", list_checkpoints())
def test_a_card_says_what_the_model_is_and_how_good(name: str) -> None:
    def card(model: str) -> None:
        from app.about.models import facts_of, lines, scores, stages_of
        from engine.checkpoint import load_card
        from engine.datasets import get_dataset

        found = load_card(model)
        lines(facts_of(found))
        scores(get_dataset(found.dataset), found)
        assert len(stages_of(found)) >= 1

    page = AppTest.from_function(card, default_timeout=60, args=(name,)).run()
    assert not page.exception
    facts = dict(page.table[0].value.to_numpy().tolist())
    known = load_card(name)
    assert facts["Seed"] == str(known.training["seed"])
    assert facts["Trained on"] == known.training["data"]
    assert f"forecaster {count_weights(name)['forecaster']:,}" in facts["Weights"]
    assert f"{known.defaults.members} members" in facts["Asked for by default"]
    card_rows = read_scorecard()
    best = card_rows[(card_rows["model"] == name) & (card_rows["start"] == "all") & (card_rows["lead"] == "all")]
    best = best[(best["split"] == "test") & best["quantity"].isin(["all", "sst"])]
    if len(best):
        assert str(page.table[1].value["Fair CRPS"].iloc[0]).startswith(f"{best['crps'].iloc[0]:#.3g}")
    else:
        assert dict(page.table[1].value.to_numpy().tolist())["fair crps"] == str(known.scores["fair_crps"])


def test_the_stages_of_training_add_up_to_the_card_s_minutes() -> None:
    card = load_card("navier-stokes-fast")
    stages = models.stages_of(card)
    assert sum(map(float, stages["Minutes"])) == sum(
        each["minutes"] for each in card.training.values() if isinstance(each, dict)
    )


def test_bundled_data_have_source_licence_and_size(open_about: Open) -> None:
    page = open_about("Data and licences")
    assert {each.name for each in bundled_dir().iterdir() if each.is_dir()} == {each.folder for each in sources.SOURCES}
    assert "Apache-2.0" in cells(page)
    assert any("Natural Earth" in cell for cell in cells(page))
    page.button(key="about-check").click().run()
    assert re.fullmatch(r"All \d+ files are as they were published\.", page.success[0].value)


def test_a_file_that_was_changed_or_is_gone_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(bundled_dir() / "sst-monthly", folder / "sst-monthly")
    lines = (bundled_dir() / "SHA256SUMS").read_text().splitlines()
    (folder / "SHA256SUMS").write_text("\n".join(line for line in lines if "sst-monthly" in line) + "\n")
    assert sources.damaged(folder) == []
    with (folder / "sst-monthly" / "pacific.nc").open("ab") as file:
        file.write(b"\0")
    (folder / "sst-monthly" / "example.nc").unlink()
    assert sorted(sources.damaged(folder)) == ["sst-monthly/example.nc", "sst-monthly/pacific.nc"]


def test_every_required_package_has_version_and_licence(open_about: Open) -> None:
    page = open_about("Software")
    table = page.table[0].value
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert set(table["Package"]) == set(pins)
    assert [metadata.version(name) for name in table["Package"]] == table["Version"].tolist()
    assert all(table["Licence"])
    assert table.set_index("Package")["Licence"]["matplotlib"] == "Python Software Foundation License"


def test_a_package_that_is_not_there_is_said_to_be_absent() -> None:
    assert software.version_and_licence("no-such-package-anywhere") == ("not installed", "")


def test_the_machine_is_described_and_its_folders_measured(open_about: Open, tmp_path: Path) -> None:
    (tmp_path / "data" / "own" / "sst-monthly").mkdir(parents=True)
    (tmp_path / "data" / "own" / "sst-monthly" / "own-0.nc").write_bytes(b"x" * 2500)
    page = open_about("This machine")
    assert "fields of your own that are kept" in cells(page)
    assert "2.5 kB" in cells(page)
    assert any(cell.startswith("fp32") for cell in cells(page))


def test_clearing_the_stored_forecasts_asks_first_and_says_what_it_freed(open_about: Open) -> None:
    open_about("This machine")
    cache = default_cache()
    cache.put("a", np.zeros(1000, np.float32))
    page = open_about("This machine")
    assert "1 windows and refinements of single members, 4.1 kB" in cells(page)
    assert "loses no result for good" in said(page)
    page.button(key="about-clear").click().run()
    assert page.success[0].value == "The stored forecasts are gone; 4.1 kB are free again."
    assert cache.get("a") is None
    assert "0 windows and refinements of single members, 0 B" in cells(page)


def test_a_folder_is_measured_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_bytes(b"x" * 10)
    (tmp_path / "a" / "b" / "two").write_bytes(b"x" * 7)
    assert measure(tmp_path / "a") == Folder(2, 17)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "link").symlink_to(tmp_path / "a")
    assert measure(tmp_path / "c").size < 200
    assert measure(tmp_path / "none") == Folder(0, 0)


def test_sizes_are_written_in_powers_of_a_thousand() -> None:
    assert [in_words(size) for size in (0, 999, 1000, 2_500_000, 10**9)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "2.5 MB",
        "1.0 GB",
    ]
