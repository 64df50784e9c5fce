"""Downloads from the page: one at a time on a thread, followed, stopped, and said in words when they fail."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import downloads, fetching
from app.backend import Backend
from app.fetching import Download, Downloads, Reached, boxes, check_size, daily, years_in_words
from engine.datasets import get_dataset, oisst_fetch
from engine.datasets.oisst_fetch import missing_years
from engine.datasets.oisst_servers import SERVERS, find_server
from engine.datasets.regions import TASMAN, Box, parse_box
from engine.errors import Cancelled, DataError, RequestError
from tests.engine import test_fetch_sst
from tests.engine.test_fetch_sst import TODAY, Ocean, zip_of

ocean = test_fetch_sst.ocean
BOX = parse_box("-43,-42,147,148.25")  # 4 × 5 cells
PATIENCE = 60.0  # s; only a broken download takes as long
Open = Callable[[], AppTest]


@pytest.fixture(autouse=True)
def at_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder of its own, no way out of this machine, and always the same day."""
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(oisst_fetch, "_today", lambda: TODAY)


def ended(shop: Downloads) -> Download:
    """The download once it has ended."""
    deadline = time.monotonic() + PATIENCE
    while (found := shop.look()) is not None and found.is_under_way:
        assert time.monotonic() < deadline, "the download did not end"
        time.sleep(0.02)
    assert found is not None
    return found


def wait_for(held: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not held():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# -- the thread --------------------------------------------------------------------------------------------


def test_the_years_of_a_box_arrive_and_are_counted(ocean: Ocean) -> None:
    shop, seen = Downloads(), list[Reached]()
    work = daily(BOX, [2010, 2011], server=ocean.erddap)

    def noted(report: Callable[[Reached], None], cancelled: Callable[[], bool]) -> str:
        def both(reached: Reached) -> None:
            seen.append(reached)
            report(reached)

        return work(both, cancelled)

    shop.start("A box", noted)
    assert ended(shop) == Download("A box", "done", seen[-1], "2010–2011 are there.")
    assert missing_years(BOX, [2010, 2011]) == ()
    assert [each.part[:4] for each in seen] == sorted(each.part[:4] for each in seen)
    assert {each.whole[:12] for each in seen} == {"0 of 2 years", "1 of 2 years"}
    assert all(0 <= (each.part_share or 0) <= 1 and 0 <= (each.whole_share or 0) <= 1 for each in seen)
    of_2011 = [each.part_share for each in seen if each.part.startswith("2011")]
    assert of_2011[-1] == pytest.approx(1, abs=0.1)  # the share of a year begins anew


def test_a_second_download_waits_for_the_end_of_the_first(ocean: Ocean) -> None:
    shop, free = Downloads(), threading.Event()

    def wait(report: Callable[[Reached], None], cancelled: Callable[[], bool]) -> str:
        free.wait(PATIENCE)
        return "It is there."

    shop.start("The first", wait)
    with pytest.raises(RequestError, match="The first is being downloaded: wait for its end, or stop it"):
        shop.start("The second", wait)
    free.set()
    assert ended(shop).title == "The first"
    shop.start("The second", wait)
    assert ended(shop) == Download("The second", "done", None, "It is there.")


def test_a_stopped_download_keeps_whole_years_and_continues(ocean: Ocean) -> None:
    shop = Downloads()
    work = daily(BOX, [2010, 2011], server=ocean.erddap)

    def stop_in_2011(report: Callable[[Reached], None], cancelled: Callable[[], bool]) -> str:
        def reported(reached: Reached) -> None:
            report(reached)
            if reached.part.startswith("2011"):
                shop.cancel()

        return work(reported, cancelled)

    shop.start("A box", stop_in_2011)
    assert ended(shop).state == "stopped"
    assert missing_years(BOX, [2010, 2011]) == (2011,)
    shop.start("A box", work)
    assert ended(shop).state == "done"
    assert sum("2010-01-01" in asked for asked in ocean.asked) == 1


def test_a_machine_without_network_is_told_so() -> None:
    shop = Downloads()
    shop.start("A box", daily(BOX, [2010], server="http://127.0.0.1:9/erddap"))
    assert ended(shop).state == "failed"
    assert "cannot be reached" in ended(shop).message
    assert "connect to the internet" in ended(shop).message


def test_what_nobody_foresaw_is_no_traceback() -> None:
    shop = Downloads()

    def broken(report: Callable[[Reached], None], cancelled: Callable[[], bool]) -> str:
        raise ZeroDivisionError

    shop.start("A box", broken)
    assert ended(shop).message.startswith("The download failed for a reason that was not foreseen")
    shop.dismiss()
    assert shop.look() is None


def test_the_download_under_way_is_not_put_away() -> None:
    shop, free = Downloads(), threading.Event()

    def wait(report: Callable[[Reached], None], cancelled: Callable[[], bool]) -> str:
        free.wait(PATIENCE)
        raise Cancelled("It was stopped.")

    shop.start("A box", wait)
    shop.dismiss()
    assert shop.look() == Download("A box")
    shop.cancel()
    assert shop.look() == Download("A box", "stopping")
    free.set()
    assert ended(shop).state == "stopped"


def test_the_boxes_of_the_paper_arrive(ocean: Ocean, monkeypatch: pytest.MonkeyPatch) -> None:
    ocean.files = {"subregions.zip": zip_of({"sst.day.mean.box84.nc": b"84", "sst.day.mean.box85.nc": b"85"})}
    real = fetching.fetch_boxes
    monkeypatch.setattr(
        fetching, "fetch_boxes", lambda **given: real(record=f"{ocean.url}/api/records/7259555", **given)
    )
    shop = Downloads()
    shop.start("Boxes", boxes())
    assert ended(shop).message == "2 boxes are there."


# -- words and sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("years", "words"), [([2013], "2013"), ([1982, 1983, 1984], "1982–1984"), ([2014, 1990, 2013], "1990, 2013–2014")]
)
def test_years_are_written_as_spans(years: list[int], words: str) -> None:
    assert years_in_words(years) == words


def test_the_page_fetches_no_more_than_a_limit() -> None:
    assert check_size(TASMAN, [2013]) == 4 * 32 * 32 * 365
    with pytest.raises(DataError, match=r"at most 2\.0 GB at once: choose a smaller box"):
        check_size(Box(-90, 90, -180, 180), range(1982, 1985))


# -- the page ----------------------------------------------------------------------------------------------


def offered() -> None:
    """The block of the forecast page."""
    from app import downloads
    from engine.datasets import get_dataset

    if downloads.is_there(get_dataset("sst-daily")):
        downloads.st.markdown("All is there.")
    else:
        downloads.offer(get_dataset("sst-daily"))


def data_page() -> None:
    """The data page in the frame of an app of its own."""
    import streamlit as st

    from app.screens import data

    st.navigation([st.Page(data.show, title="Data", default=True)]).run()


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Downloads:
    """The place of downloads, of this test alone."""
    made = Downloads()
    monkeypatch.setattr(downloads, "current", lambda: made)
    return made


@pytest.fixture
def from_here(ocean: Ocean, monkeypatch: pytest.MonkeyPatch) -> Ocean:
    """The local server in the place of NOAA's."""
    monkeypatch.setitem(SERVERS, "coastwatch", find_server(ocean.erddap))
    return ocean


def said(page: AppTest) -> str:
    """All that the page says, without the marks that keep it plain."""
    return "\n".join(each.value for each in (*page.markdown, *page.caption)).replace("\\", "")


def test_the_offer_says_what_is_fetched_from_where_and_how_much(shop: Downloads) -> None:
    page = AppTest.from_function(offered, default_timeout=60).run()
    assert not page.exception
    assert "32 × 32 cells of every day of 1982–2014 from coastwatch.pfeg.noaa.gov in 33 requests" in said(page)
    assert "about **49.4 MB**" in said(page)
    assert shop.look() is None  # nothing is fetched without being asked for


def test_what_is_offered_is_fetched_followed_and_then_there(
    shop: Downloads, from_here: Ocean, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "DEFAULT_YEARS", (2013, 2014))
    page = AppTest.from_function(offered, default_timeout=60).run()
    from_here.stall = threading.Event()
    page.button(key="download/offer").click().run()
    assert not page.exception
    assert "**Downloading** The Tasman Sea, 2013–2014" in said(page)
    assert page.button(key="download/offer").disabled
    wait_for(lambda: (found := shop.look()) is not None and found.reached is not None)
    page.run()
    bars = [bar.proto.text.replace("\\", "") for bar in page.get("progress")]
    assert [text[:12] for text in bars] == ["0 of 2 years", "2013: 0.7 MB"]
    page.button(key="download/cancel").click().run()
    from_here.stall.set()
    assert ended(shop).state in ("stopped", "failed")  # the server broke off at the same moment
    from_here.stall = None
    page.run()
    page.button(key="download/offer").click().run()
    assert ended(shop).state == "done"
    page.run()
    assert "All is there." in said(page)
    run = get_dataset("sst-daily").load("tasman")
    assert run.frames == 730
    assert np.isfinite(run.states).any()


def test_a_record_that_is_being_filled_is_not_there_yet(
    shop: Downloads, from_here: Ocean, monkeypatch: pytest.MonkeyPatch
) -> None:
    oisst_fetch.fetch_daily(TASMAN, [2013])
    daily_data = get_dataset("sst-daily")
    assert downloads.is_there(daily_data)
    free = threading.Event()
    shop.start("More", lambda report, cancelled: str(free.wait(PATIENCE)))
    assert not downloads.is_there(daily_data)
    assert downloads.is_there(get_dataset("sst-monthly"))
    free.set()
    ended(shop)
    assert downloads.is_there(daily_data)


def test_the_data_page_fetches_another_box(shop: Downloads, from_here: Ocean, backend: Backend) -> None:
    page = AppTest.from_function(data_page, default_timeout=60).run()
    for name, edge in (("South", -43.0), ("North", -42.0), ("West", 147.0), ("East", 148.25)):
        page.number_input(key=f"box/{name}").set_value(edge)
    page.text_input(key="box/years").set_value("2013").run()
    assert "4 × 5 cells of every day of 2013" in said(page)
    page.button(key="download/box").click().run()
    assert ended(shop).state == "done"
    page.run()
    assert page.success[0].value.replace("\\", "") == "43°S to 42°S, 147°E to 148.25°E, 2013: 2013 is there."
    assert ":green-badge[here] 43°S to 42°S, 147°E to 148.25°E, 2013" in said(page)
    assert get_dataset("sst-daily").runs() == ("43S-42S_147E-148.25E",)


def test_a_box_that_is_none_is_one_sentence(shop: Downloads, backend: Backend) -> None:
    page = AppTest.from_function(data_page, default_timeout=60).run()
    page.number_input(key="box/South").set_value(50.0).run()
    assert not page.exception
    assert len(page.error) == 1
    assert "latitudes rising" in page.error[0].value
