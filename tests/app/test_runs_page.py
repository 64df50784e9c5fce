"""The page Runs: lists, finds, opens, pins, names, takes away and deletes what was run."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from streamlit.testing.v1 import AppTest

from app import session
from app.backend import Backend
from app.history import Ended, Entry, Headline, History, default_history
from app.link import request_from_query
from app.runs import files, left, words
from app.sizes import in_words
from engine import forecasting
from engine.cache import default_cache
from engine.errors import DataError
from engine.forecasting import forecast
from engine.requests import ForecastRequest, ResolvedRequest
from tests.app.small_models import save_model

Open = Callable[..., AppTest]

REQUEST = ResolvedRequest(
    "spring-mesh", "fake", "0:3", 5, 4, "stride4", "cold", "forecast", "independent", True, 7, (), "fp32"
)
RUN = Ended(REQUEST, "computed", 1.5, 120, 4, "a processor", None, Headline("q_x", "m", 0.25, 0.5, 0.875))
JUNE = replace(
    RUN,
    date="2015-06",
    request=replace(REQUEST, dataset="sst-monthly", init="pacific:402", steps=12),
    scores=Headline("anomaly", "degree_Celsius", 0.31, 0.6, 0.96),
)


def frame() -> None:
    """The page in the frame of an app of its own."""
    import streamlit as st

    from app.screens import runs

    st.navigation([st.Page(runs.show, title="Runs", default=True)]).run()


def inside() -> None:
    """What the dialog of the first run shows."""
    from app import session
    from app.runs.details import everything

    entries = session.backend().history.listing().entries
    if entries:
        everything(entries[0])


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """The history of a data folder, and a cache, of this test's own."""
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLDCAST_CACHE_DIR", str(tmp_path / "cache"))
    return default_history()


@pytest.fixture
def open_runs(history: History, backend: Backend) -> Open:
    """Opens the page by a link."""

    def visit(**link: str) -> AppTest:
        page = AppTest.from_function(frame, default_timeout=60)
        for name, value in link.items():
            page.query_params[name] = value
        return page.run()

    return visit


def said(page: AppTest) -> str:
    """All that the page says, without the marks that keep it plain."""
    return "\n".join(each.value for each in (*page.markdown, *page.caption)).replace("\\", "")


def titles(page: AppTest) -> list[str]:
    """What the listed runs are called."""
    lines = [text.value.replace("\\", "") for text in page.markdown if "**" in text.value and "badge[" in text.value]
    return [line.partition("**")[2].partition("**")[0] for line in lines]


def button(page: AppTest, key: str) -> Any:
    return page.button(key=key)


def entry_of(history: History, run: Ended) -> Entry:
    return next(entry for entry in history.listing().entries if entry.id == run.id)


# -- the list ----------------------------------------------------------------------------------------------


def test_before_the_first_run_the_page_says_what_will_stand_here(open_runs: Open) -> None:
    page = open_runs()
    assert not page.exception
    assert "No runs yet" in said(page)
    assert [each.label for each in page.button] == ["Make a forecast"]


def test_a_run_is_listed_with_its_request_its_cost_and_its_scores(open_runs: Open, history: History) -> None:
    history.add(RUN, ended=0)
    page = open_runs()
    assert not page.exception
    assert titles(page) == ["Spring mesh · Test run 0, frame 3"]
    assert "5 steps · 4 members · stride4, cold, refined · seed 7 · fake" in said(page)
    assert "1 Jan 1970, 00:00 UTC · 1.5 s · 120 network calls · a processor" in said(page)
    (scores,) = page.get("html")
    assert "<dt>CRPS</dt><dd>0.250 m</dd>" in scores.proto.body
    assert "<dt>Spread ÷ RMSE</dt><dd>0.88</dd>" in scores.proto.body


def test_all_who_use_the_page_share_a_history_and_are_told(open_runs: Open, history: History) -> None:
    history.add(RUN)
    assert "All who use this page share one history" in said(open_runs())


def test_a_run_that_is_pinned_stands_first_until_it_is_unpinned(open_runs: Open, history: History) -> None:
    history.add(RUN, ended=1)
    history.add(JUNE, ended=2)
    page = open_runs()
    first = ["Monthly SST · June 2015", "Spring mesh · Test run 0, frame 3"]
    assert titles(page) == first
    page.button(key=f"runs-icon-pin-{RUN.id}").click().run()
    assert titles(page) == first[::-1]
    assert entry_of(history, RUN).pinned
    page.button(key=f"runs-icon-pin-{RUN.id}").click().run()
    assert titles(page) == first


def test_runs_are_found_by_data_set_and_words_and_the_link_has_both(open_runs: Open, history: History) -> None:
    history.add(RUN)
    history.add(JUNE)
    history.rename(RUN.id, "the baseline")
    page = open_runs()
    page.selectbox(key="runs-of").set_value("sst-monthly").run()
    assert titles(page) == ["Monthly SST · June 2015"]
    assert dict(page.query_params) == {"of": "sst-monthly"}
    page.selectbox(key="runs-of").set_value("all").run()
    page.text_input(key="runs-search").set_value("BASE seed").run()
    assert titles(page) == ["the baseline"]
    page.text_input(key="runs-search").set_value("no such run").run()
    assert titles(page) == []
    assert "No run fits" in page.info[0].value
    assert titles(open_runs(of="sst-monthly")) == ["Monthly SST · June 2015"]
    assert titles(open_runs(search="baseline")) == ["the baseline"]


def test_many_runs_are_shown_ten_at_a_time(open_runs: Open, history: History) -> None:
    for seed in range(23):
        history.add(replace(RUN, request=replace(REQUEST, seed=seed)), ended=seed)
    assert "seed 22" in said(open_runs())
    assert len(titles(open_runs())) == 10
    assert len(titles(open_runs(page="3"))) == len(titles(open_runs(page="77"))) == 3
    for wrong in ("0", "-1", "two", ""):
        assert len(titles(open_runs(page=wrong))) == 10


def test_a_name_is_shown_as_it_is(open_runs: Open, history: History) -> None:
    history.add(RUN)
    history.rename(RUN.id, "![x](http://x.org/p.png) :red[y]")
    text = next(each.value for each in open_runs().markdown if "badge[" in each.value)
    assert r"\!\[x\]\(http\://x\.org/p\.png\) \:red\[y\]" in text


def test_a_cancelled_run_says_so(open_runs: Open, history: History) -> None:
    history.add(replace(RUN, outcome="cancelled", arrived=3, scores=None))
    page = open_runs()
    assert ":orange-badge[cancelled]" in said(page)
    assert "Cancelled when 3 of 4 members had arrived." in said(page)


@pytest.mark.parametrize(
    ("scores", "words_"),
    [
        (Headline("q_x", "m", None, None, None), "No truth is known at its lead times."),
        (Headline("q_x", "m", None, 0.5, None), "One member: no spread, and so no fair CRPS."),
    ],
)
def test_where_there_is_no_score_the_reason_is_known(scores: Headline, words_: str) -> None:
    assert words.without_numbers(replace(RUN, scores=scores)) == words_


def test_a_run_whose_data_set_or_field_is_gone_stays_and_says_so(open_runs: Open, history: History) -> None:
    history.add(replace(RUN, request=replace(REQUEST, dataset="atlantis")), ended=2)
    history.add(replace(RUN, request=replace(REQUEST, init="own-0123456789ab:0")), ended=1)
    page = open_runs()
    assert titles(page) == ["atlantis · Test run 0, frame 3", "Spring mesh · Your own field 0123456789ab"]
    assert said(page).count(":red-badge[cannot be opened]") == 2
    assert "'atlantis'" in said(page)
    assert all(each.disabled for each in page.button if each.label == "Open")
    page.button(key=f"runs-icon-pin-{history.listing().entries[1].id}").click().run()
    assert not page.exception


def test_damaged_entries_are_counted_in_one_sentence_and_can_be_removed(open_runs: Open, history: History) -> None:
    history.add(RUN)
    history.add(JUNE)
    with sqlite3.connect(history.path) as database:
        database.execute("UPDATE runs SET content = '{' WHERE id = ?", (RUN.id,))
    page = open_runs()
    assert titles(page) == ["Monthly SST · June 2015"]
    assert page.warning[0].value.startswith("One entry of the history is damaged")
    page.button(key="runs-remove-damaged").click().run()
    assert not page.warning
    assert not history.listing().damaged


def test_a_history_that_cannot_be_used_is_one_sentence(
    open_runs: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path / "file"))
    default_history().add(RUN)
    page = open_runs()
    assert not page.exception
    assert page.warning[0].value.replace("\\", "").startswith("The history of runs is not being kept")


def test_open_turns_to_the_request(open_runs: Open, history: History) -> None:
    history.add(JUNE)
    page = open_runs()
    page.button(key=f"runs-open-{JUNE.id}").click().run()
    visit = page.session_state["visit"]
    assert visit.dataset == "sst-monthly"
    assert visit.requests["sst-monthly"] == replace(JUNE.request, init=visit.requests["sst-monthly"].init)
    assert page.session_state["dataset"] == "sst-monthly"


# -- the dialog ----------------------------------------------------------------------------------------------


@pytest.fixture
def open_details(history: History, backend: Backend) -> Callable[[], AppTest]:
    """Opens what the dialog of the newest run shows."""
    return lambda: AppTest.from_function(inside, default_timeout=60).run()


def test_a_run_is_renamed_and_its_name_taken_back(open_details: Callable[[], AppTest], history: History) -> None:
    history.add(RUN)
    page = open_details()
    for name in ("El Niño, full schedule", ""):
        page.text_input[0].set_value(name)
        next(each for each in page.button if each.label == "Rename").click().run()
        assert not page.exception
        assert entry_of(history, RUN).name == name


def test_the_link_of_a_run_leads_back_to_its_request(open_details: Callable[[], AppTest], history: History) -> None:
    asked = session.backend().resolve(replace(JUNE.asked, members=6, noise="0.25", seed=3))
    history.add(replace(JUNE, request=asked))
    page = open_details()
    link = page.code[0].value.partition("?")[2]
    query = dict(pair.split("=") for pair in link.split("&"))
    assert query["init"] == "2015-06"
    backend = session.backend()
    assert request_from_query(query, backend.resolve, backend.first_request) == (asked, [])


def test_a_run_is_deleted_from_the_history(open_details: Callable[[], AppTest], history: History) -> None:
    history.add(RUN)
    page = open_details()
    assert not page.checkbox  # nothing of it is stored
    page.button(key=f"runs-delete-{RUN.id}").click().run()
    assert history.listing().entries == ()


# -- what is stored ---------------------------------------------------------------------------------------------


@pytest.fixture
def mesh(checkpoints: Path, history: History, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ResolvedRequest]:
    """Requests to a small model with all its networks, whose forecasts are stored."""
    model = save_model(checkpoints, "spring-mesh", "fast")
    made = Backend(forecasting)
    monkeypatch.setattr(session, "backend", lambda: made)

    def store(**asked: Any) -> ResolvedRequest:
        given: dict[str, Any] = {"model": model, "steps": 140, "members": 2, "init": "0:0"} | asked
        request = made.resolve(ForecastRequest("spring-mesh", **given))
        forecast(request, cache=default_cache())
        history.add(replace(RUN, request=request))
        return request

    return store


def kept(history: History, request: ResolvedRequest) -> str:
    return left.left_of(entry_of(history, replace(RUN, request=request)), session.backend()).kept


def test_what_is_left_of_a_run_is_known(mesh: Callable[..., ResolvedRequest], history: History) -> None:
    request = mesh()
    assert kept(history, request) == "all"
    default_cache().delete(set(list(forecasting.window_keys(request))[:1]))
    assert kept(history, request) == "some"
    default_cache().clear()
    assert kept(history, request) == "none"


def test_windows_that_another_run_shares_survive(mesh: Callable[..., ResolvedRequest], history: History) -> None:
    few, many = mesh(members=2), mesh(members=3)
    other = mesh(seed=5)
    entry = entry_of(history, replace(RUN, request=many))
    keys = left.own_windows(entry, history.listing().entries, session.backend())
    assert keys == forecasting.window_keys(many) - forecasting.window_keys(few)  # those of the third member
    assert left.space_of(keys).arrays == len(keys) > 0
    left.delete_windows(keys)
    assert [kept(history, each) for each in (few, many, other)] == ["all", "some", "all"]


def test_windows_are_shared_under_another_name_of_the_schedule(
    mesh: Callable[..., ResolvedRequest], history: History
) -> None:
    named, spelled = mesh(schedule="stride64"), mesh(schedule="0,64,128")
    entry = entry_of(history, replace(RUN, request=named))
    assert forecasting.window_keys(named) == forecasting.window_keys(spelled)
    assert left.own_windows(entry, history.listing().entries, session.backend()) == frozenset()


def test_the_members_are_deleted_only_where_that_is_asked_for(
    mesh: Callable[..., ResolvedRequest], history: History
) -> None:
    for tick in (False, True):
        request = mesh()
        page = AppTest.from_function(inside, default_timeout=60).run()
        keys = forecasting.window_keys(request)
        assert page.checkbox[0].label == f"Also delete its stored members, {in_words(default_cache().usage(keys).size)}"
        page.checkbox[0].set_value(tick)
        next(each for each in page.button if each.label == "Delete from the history").click().run()
        assert not page.exception
        assert history.listing().entries == ()
        assert default_cache().usage(keys).arrays == (0 if tick else len(keys))


# -- files -----------------------------------------------------------------------------------------------------


def test_the_forecast_file_is_the_engine_s_own_result(
    mesh: Callable[..., ResolvedRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = mesh(output_leads=(0.5,))
    path = tmp_path / "forecast.nc"
    path.write_bytes(files.forecast_file(request))
    with xr.open_dataset(path) as file:
        assert file.attrs.pop("history").endswith("written by Coldcast")
        xr.testing.assert_identical(file.load().drop_encoding(), forecast(request).drop_encoding())


def test_of_a_forecast_that_is_not_stored_there_is_no_file_and_nothing_is_computed(
    mesh: Callable[..., ResolvedRequest],
) -> None:
    request = mesh()
    keys = forecasting.window_keys(request)
    default_cache().delete(set(list(keys)[:1]))
    with pytest.raises(DataError, match="no longer stored"):
        files.forecast_file(request)
    assert default_cache().usage(keys).arrays == len(keys) - 1


def test_the_request_file_makes_the_same_request(mesh: Callable[..., ResolvedRequest]) -> None:
    request = mesh(output_leads=(0.5, 3.25), seed=11)
    read = json.loads(files.request_file(replace(RUN, request=request)))
    asked = ForecastRequest(**(read | {"output_leads": tuple(read["output_leads"])}))
    assert session.backend().resolve(asked) == request


def test_the_history_file_has_a_line_for_each_run(history: History) -> None:
    history.add(RUN, ended=60)
    history.add(replace(JUNE, request=replace(JUNE.request, output_leads=(0.5, 2.0))), ended=0)
    history.rename(RUN.id, "=1+1")
    data = files.history_file(history.listing().entries)
    assert data.startswith(b"\xef\xbb\xbf")
    first, second = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
    assert (first["name"], first["ended"], first["dataset"]) == ("'=1+1", "1970-01-01T00:01:00+00:00", "spring-mesh")
    assert (first["crps"], first["rmse"], first["spread_rmse_ratio"]) == ("0.25", "0.5", "0.875")
    assert (second["init"], second["output_leads"], second["units"]) == ("2015-06", "0.5,2", "degree_Celsius")


def test_a_history_without_runs_is_a_file_with_a_heading() -> None:
    assert files.history_file([]).decode("utf-8-sig").startswith("name,pinned,ended")


def test_numbers_have_three_digits_and_their_units() -> None:
    assert [value for _, value in words.numbers(JUNE)] == ["0.310 °C", "0.600 °C", "0.96"]
    nothing = Headline("speed", "m s-1", 12.0, None, None)
    assert [value for _, value in words.numbers(replace(RUN, scores=nothing))] == ["12.0 m s⁻¹", "–", "–"]


def test_a_moment_is_told_on_the_visitor_s_clock() -> None:
    assert words.moment(0, "Europe/Berlin") == "1 Jan 1970, 01:00"
    assert words.moment(0, None) == words.moment(0, "Mars/Olympus") == "1 Jan 1970, 00:00 UTC"
