"""The page of observed data: dates, land, anomalies, heatwaves, the plume, and data that are not there."""

import datetime
import re
import time
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.backend import Backend, Window
from engine.datasets import get_dataset
from engine.datasets.base import Run
from engine.datasets.sst_daily import DailySeaSurface
from tests.app.conftest import Open
from tests.app.test_page import PATIENCE, heading, maps, run_button, run_to_the_end, to_the_end, widget

JUNE = {"dataset": "sst-monthly", "init": "2015-06", "steps": "3", "members": "4"}


def titles(page: AppTest) -> list[str]:
    """The bold titles of the charts."""
    return [text.value for text in page.markdown if text.value.startswith("**")]


@pytest.fixture
def a_daily_record(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Daily data on the Tasman grid, made up: a year's wave with noise, some land, the years 1982 to 2014."""
    dataset = get_dataset("sst-daily")
    assert isinstance(dataset, DailySeaSurface)
    days = np.arange(np.datetime64("1982-01-01"), np.datetime64("2014-12-31")).astype(float)
    wave = 16 + 3 * np.cos(2 * np.pi * days / 365.25)
    noise = np.random.default_rng(0).standard_normal((len(days), 4, 5))
    values = np.repeat(np.repeat(wave[:, None, None] + noise, 8, axis=1), 7, axis=2)[:, :, :32].astype(np.float32)
    values[:, :3, :3] = np.nan
    run = dataset.make_run("tasman", values, days, {}, None)
    monkeypatch.setattr(DailySeaSurface, "runs", lambda self: ("tasman",))
    monkeypatch.setattr(DailySeaSurface, "load", lambda self, name: run)
    return run


def test_a_forecast_is_headed_by_its_date_and_its_length(open_page: Open) -> None:
    page = run_to_the_end(open_page(**JUNE))
    assert not page.exception
    assert "from June 2015, 3 months · 4 members" in heading(page)
    assert page.query_params["init"] == "2015-06"


def test_the_plume_stands_beside_the_forecast_of_one_place(open_page: Open) -> None:
    page = run_to_the_end(open_page(**JUNE))
    shown = titles(page)
    assert shown[0] == "**Niño 3.4 plume** · anomaly against 1982–2009"
    assert shown[1:] == ["**At 0° 155°W**", "**Scores by lead time**", "**Spread ÷ RMSE**"]
    assert len(page.get("plotly_chart")) == 4


def test_the_anomaly_names_the_years_of_its_baseline(open_page: Open) -> None:
    page = run_to_the_end(open_page(**JUNE))
    assert widget(page, "button_group", "/variable").options == ["SST anomaly (1982–2009)", "SST", "Heatwave"]


def test_a_heatwave_shows_its_probability_at_any_threshold(open_page: Open) -> None:
    page = run_to_the_end(open_page(**JUNE))
    widget(page, "button_group", "/variable").set_value("above-percentile-90").run()
    assert not page.exception
    assert not page.error
    assert titles(page)[2:] == ["**Brier score by lead time**", "**Probability at 0° 155°W**"]
    widget(page, "number_input", "/percent").set_value(95.0).run()
    assert not page.exception
    widget(page, "button_group", "/threshold").set_value("temperature").run()
    widget(page, "number_input", "/degrees").set_value(28.5).run()
    assert not page.exception
    assert len(maps(page)) == 1


def test_next_and_previous_go_from_month_to_month_and_stop_at_the_end(open_page: Open) -> None:
    page = open_page(**JUNE)
    widget(page, "button", "/Next").click().run()
    assert page.query_params["init"] == "2015-07"
    widget(page, "button", "/Previous").click().run()
    widget(page, "button", "/Previous").click().run()
    assert page.query_params["init"] == "2015-05"
    page = open_page(**(JUNE | {"init": "2023-01"}))
    widget(page, "button", "/Next").click().run()
    assert page.query_params["init"] == "2023-01"


@pytest.mark.parametrize(
    ("date", "named"),
    [
        ("1999-03", "In the train years, 1982–2009"),
        ("2012-03", "In the validation years, 2010–2014"),
        ("2016-03", "In the test years, 2015–2023"),
        ("1981-12", "Outside the years"),
        ("2023-01", "a real forecast"),
    ],
)
def test_a_note_says_whether_the_model_has_seen_the_date(open_page: Open, date: str, named: str) -> None:
    page = open_page(**(JUNE | {"init": date}))
    assert page.sidebar.caption[0].value.startswith(named) or named in page.sidebar.caption[0].value


def test_a_real_forecast_from_the_end_of_the_record_has_no_truth(open_page: Open) -> None:
    page = run_to_the_end(open_page(**(JUNE | {"init": "2023-01"})))
    assert not page.exception
    assert "from January 2023" in heading(page)
    widget(page, "button_group", "/variable").set_value("above-percentile-90").run()
    assert not page.exception
    assert len(maps(page)) == 1


def test_baselines_of_an_observed_record_are_scored_aside(open_page: Open, backend: Backend) -> None:
    page = run_to_the_end(open_page(**JUNE))
    (shown,) = [backend.finished.get(request) for request in backend.finished.requests()]
    assert shown is not None
    deadline = time.monotonic() + PATIENCE
    while backend.awaits_baselines(shown.summary):
        assert time.monotonic() < deadline, "the baselines were not scored"
        time.sleep(0.05)
    found = backend.baselines(shown.summary, "anomaly")
    assert list(found) == ["persistence", "damped persistence", "climatology"]
    assert all(list(leads) == [1, 2, 3] and (crps > 0).all() for leads, crps in found.values())
    for name, (_, crps) in backend.baselines(shown.summary, "sst").items():
        np.testing.assert_array_equal(crps, found[name][1])
    assert backend.baselines(shown.summary, "above-percentile-90") == {}
    page.run()
    assert not page.exception


def test_where_the_data_are_not_there_the_page_says_what_they_are(open_page: Open) -> None:
    page = open_page(dataset="sst-daily", init="2013-12-01")
    assert not page.exception
    assert not page.error
    assert any("NOAA OISST" in text.value for text in page.markdown)
    assert not [button for button in page.button if button.label == "Run"]
    page.selectbox(key="dataset").set_value("spring-mesh").run()
    assert not page.error
    assert not run_button(page).disabled


def test_data_that_have_come_meanwhile_are_used(open_page: Open, request: pytest.FixtureRequest) -> None:
    page = open_page(dataset="sst-daily")
    request.getfixturevalue("a_daily_record")
    page.run()
    assert not page.exception
    assert not page.error
    page = to_the_end(page)
    assert "from 1 January 2013" in heading(page)  # the first forecast starts by itself: there is no example


def test_a_day_is_picked_and_its_forecast_is_shown(open_page: Open, a_daily_record: Run) -> None:
    page = open_page(dataset="sst-daily", steps="2", members="3")
    page = to_the_end(page)
    day = next(each for each in page.date_input if (each.key or "").endswith("/date"))
    day.set_value(datetime.date(2013, 2, 27)).run()
    widget(page, "button", "/Next").click().run()
    assert page.query_params["init"] == "2013-02-28"
    page = run_to_the_end(page)
    assert not page.exception
    assert "from 28 February 2013, 2 days" in heading(page)
    assert any(re.fullmatch(r"\*\*At 40\.\d°S 15\d\.\d°E\*\*", title) for title in titles(page))


def test_a_model_with_auxiliary_steps_has_their_schedules(
    open_page: Open, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def window(request: Any) -> Window:
        return Window(12, 5)

    monkeypatch.setattr(backend, "window", window)
    page = open_page(**JUNE)
    names = widget(page, "selectbox", "/schedule").options
    assert names[0] == "full · 17 leads"
    assert "only_dynamics_plus4 · 16 leads" in names
