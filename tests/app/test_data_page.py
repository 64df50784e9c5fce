"""The data page: a person's own file becomes the start of a forecast, is listed, and is deleted."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import own
from app.backend import Backend
from app.plain_text import plain
from app.screens import data
from engine.datasets import get_dataset
from engine.datasets.base import load_run
from engine.errors import DataError
from engine.own.store import own_runs
from tests.engine.own_files import Sketch

Open = Callable[[], AppTest]
MONTHLY = get_dataset("sst-monthly")
RECORD = MONTHLY.load(MONTHLY.runs()[0])
JUNE_2015 = int(np.searchsorted(RECORD.times, 12 * 45 + 5))


def in_kelvin(path: Path, months: int = 1, warmer: float = 0.0, **changes: Any) -> Path:
    """Months from June 2015 on as another centre writes them: kelvin, ±180°, latitudes that fall, another name."""
    lat, lon = (axis.values for axis in MONTHLY.axes)
    turned = (lon + 180) % 360 - 180
    order = np.argsort(turned)
    values = RECORD.states[JUNE_2015 : JUNE_2015 + months, 0][:, ::-1][:, :, order] + 273.15 + warmer
    days = np.arange(months) * 31.0 + 14  # the middle of each month, near enough
    given: dict[str, Any] = {
        "lat": lat[::-1],
        "lon": turned[order],
        "times": days.tolist(),
        "values": values,
        "units": "K",
        "name": "tos",
        "time_units": "days since 2015-06-01",
    }
    return Sketch(**(given | changes)).write(path)


def frame() -> None:
    """The page in the frame of an app of its own."""
    import streamlit as st

    from app.screens import data

    st.navigation([st.Page(data.show, title="Data", default=True)]).run()


@pytest.fixture
def open_data(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the page, with a data folder of its own, for a visitor at this machine."""
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(data, "is_at_home", lambda: True)
    return lambda: AppTest.from_function(frame, default_timeout=60).run()


def bring(page: AppTest, path: Path) -> AppTest:
    """Name a file of this machine."""
    page.button_group(key="own/kind").set_value(data.PATH).run()
    page.text_input(key="own/path").set_value(str(path)).run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    """All that the page says, without the marks that keep it plain."""
    return "\n".join(each.value for each in (*page.markdown, *page.caption)).replace("\\", "")


def picker(page: AppTest, end: str) -> Any:
    return next(each for each in (*page.selectbox, *page.text_input) if (each.key or "").endswith(end))


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_the_first_visit_asks_for_a_file_and_shows_no_error(open_data: Open) -> None:
    page = open_data()
    assert not page.exception
    assert not page.error
    assert "Forecast from here" not in labels(page)
    assert page.file_uploader(key="own/upload").label == "A netCDF file of at most 200 MB"
    assert (
        "**What the file needs:** sea surface temperature (°C), on any grid that covers at least 50% of the cells "
        "within 25°S to 25°N, 120°E to 70°W." in said(page)
    )


def test_a_clear_file_is_shown_with_its_date_and_what_was_done(open_data: Open, tmp_path: Path) -> None:
    page = bring(open_data(), in_kelvin(tmp_path / "centre.nc"))
    assert not page.error
    assert "**June 2015** · Nothing later is in the file: a forecast without truth." in said(page)
    assert "- sst is 'tos' in the file" in said(page)
    assert "- 'tos' was converted from K to degree_Celsius" in said(page)
    assert "21 × 69 cells, 25°S to 25°N, 120°E to 70°W" in said(page)
    assert len(page.get("plotly_chart")) == 1


def test_forecast_from_here_keeps_the_field_and_asks_for_its_forecast(open_data: Open, tmp_path: Path) -> None:
    page = bring(open_data(), in_kelvin(tmp_path / "centre.nc"))
    page.button(key="own/forecast").click().run()
    assert not page.exception
    assert not page.error
    (name,) = own_runs(MONTHLY)
    visit = page.session_state["visit"]
    assert (visit.dataset, visit.requests["sst-monthly"].init) == ("sst-monthly", f"{name}:0")
    kept = load_run(MONTHLY, name)
    np.testing.assert_allclose(kept.states[0], RECORD.states[JUNE_2015], atol=1e-4)


def test_an_uploaded_file_is_read_like_one_of_this_machine(open_data: Open, tmp_path: Path) -> None:
    page = open_data()
    content = in_kelvin(tmp_path / "centre.nc").read_bytes()
    page.file_uploader(key="own/upload").set_value(("my analysis.nc", content, "application/x-netcdf")).run()
    assert not page.error
    assert "**June 2015**" in said(page)
    page.button(key="own/forecast").click().run()
    (kept,) = own.kept_fields()
    assert (kept.source, kept.start) == ("my analysis.nc", "June 2015")


def test_the_first_of_several_months_may_be_the_start_and_the_others_are_truth(open_data: Open, tmp_path: Path) -> None:
    page = bring(open_data(), in_kelvin(tmp_path / "centre.nc", months=3))
    start = picker(page, "/start")
    assert start.options == ["June 2015", "July 2015", "August 2015"]
    assert start.value == 2  # the last: what a forecaster has
    start.set_value(0).run()
    assert "**June 2015** · 2 later fields serve as truth, up to August 2015." in said(page)
    page.button(key="own/forecast").click().run()
    assert page.session_state["visit"].requests["sst-monthly"].init == f"{own_runs(MONTHLY)[0]}:0"


def test_what_is_unclear_is_asked_and_then_read(open_data: Open, tmp_path: Path) -> None:
    path = in_kelvin(tmp_path / "unclear.nc", name="field", units=None, order=("lat", "lon"), axis_attributes=True)
    page = bring(open_data(), path)
    variable = picker(page, "/sst")
    assert variable.label == "Which variable of the file is the sea surface temperature?"
    assert "Forecast from here" not in labels(page)
    variable.set_value("field").run()
    assert "Forecast from here" not in labels(page)
    assert picker(page, "/sst/units").value == ""  # told by the values unless said otherwise
    picker(page, "/time").set_value("2015-06").run()
    assert not page.error
    assert "Forecast from here" in labels(page)
    assert "its range says K" in said(page)
    picker(page, "/sst/units").set_value("degree_Celsius").run()
    assert page.warning  # as if the sea had 300 °C


def test_a_field_unlike_the_training_data_is_warned_of(open_data: Open, tmp_path: Path) -> None:
    page = bring(open_data(), in_kelvin(tmp_path / "hot.nc", warmer=12.0))
    assert any("unlike the training data" in warning.value for warning in page.warning)
    assert "Forecast from here" in labels(page)


@pytest.mark.parametrize("content", [b"", b"<html>no such page</html>", b"CDF\x01\x00\x00"])
def test_a_file_that_is_none_is_one_sentence(open_data: Open, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.nc"
    path.write_bytes(content)
    page = bring(open_data(), path)
    assert [error.value.replace("\\", "").startswith("bad.nc ") for error in page.error] == [True]


def test_a_file_that_is_not_there_is_one_sentence(open_data: Open, tmp_path: Path) -> None:
    page = bring(open_data(), tmp_path / "absent.nc")
    assert len(page.error) == 1
    assert "There is no file" in page.error[0].value


def test_a_file_is_opened_once_for_all_reruns(open_data: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = own.read

    def counted(source: own.Source, *others: Any) -> Any:
        read.append(source.name)
        return real(source, *others)

    monkeypatch.setattr(own, "read", counted)
    page = bring(open_data(), in_kelvin(tmp_path / "centre.nc"))
    page.run()
    page.run()
    assert read == ["centre.nc"]


def test_a_visitor_from_elsewhere_cannot_name_files_of_this_machine(
    open_data: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "is_at_home", lambda: False)
    page = open_data()
    assert not page.button_group
    assert page.file_uploader(key="own/upload") is not None


def test_a_kept_field_is_listed_until_it_is_deleted(open_data: Open, tmp_path: Path) -> None:
    page = bring(open_data(), in_kelvin(tmp_path / "centre.nc"))
    page.button(key="own/forecast").click().run()
    (name,) = own_runs(MONTHLY)
    again = open_data()
    assert "centre.nc · from June 2015" in said(again)
    again.button(key=f"own/sst-monthly/{name}/forecast").click().run()
    assert again.session_state["visit"].requests["sst-monthly"].init == f"{name}:0"
    again.button(key=f"own/sst-monthly/{name}/delete").click().run()
    assert not again.exception
    assert own_runs(MONTHLY) == ()
    assert "sst-monthly" not in again.session_state["visit"].requests
    assert "centre.nc" not in said(again)


def test_an_uploaded_file_is_private_and_gone_after_it_was_read() -> None:
    source = own.uploaded("1", "mine.nc", memoryview(b"abc"))
    with source.opened() as path:
        assert path.read_bytes() == b"abc"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.parent.exists()


def test_an_uploaded_file_is_gone_even_if_reading_it_fails() -> None:
    source = own.uploaded("1", "mine.nc", memoryview(b"abc"))
    with pytest.raises(DataError), source.opened() as path:
        raise DataError("it is no netCDF file")
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("sst 2015.nc", "sst 2015.nc"),
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\sst.nc", "sst.nc"),
        ("..", "upload.nc"),
        ("", "upload.nc"),
        ("a\x00b\n.nc", "a_b_.nc"),
        ("x" * 300 + ".nc", "x" * 77 + ".nc"),
    ],
)
def test_the_name_of_an_upload_leads_nowhere_else(sent: str, stored: str) -> None:
    assert own.file_name(sent) == stored


def test_words_from_files_are_shown_as_they_are() -> None:
    assert plain("![p](http://x.org/p.png) $x$ :red[y]") == (r"\!\[p\]\(http\://x\.org/p\.png\) \$x\$ \:red\[y\]")
    assert plain("two\nlines") == "two lines"


def test_a_field_later_than_the_record_starts_a_forecast_too(open_data: Open, tmp_path: Path) -> None:
    page = bring(open_data(), in_kelvin(tmp_path / "new.nc", time_units="days since 2026-03-01"))
    page.button(key="own/forecast").click().run()
    assert not page.error
    assert page.session_state["visit"].requests["sst-monthly"].init == f"{own_runs(MONTHLY)[0]}:0"
