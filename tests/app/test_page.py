"""The page as a visitor uses it: run, look, err."""

import re
import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from app.backend import Backend, Cost
from app.demo import SCENES
from app.forecast.running import cost_words
from app.sampler import CUSTOM
from engine.errors import DataError, RequestError
from engine.requests import ForecastRequest
from tests.app.conftest import Open
from tests.app.fakes import FakeEngine

PATIENCE = 60.0  # s; only a broken page waits that long
SHORT = {"dataset": "spring-mesh", "steps": "5", "members": "3"}


def widget(page: AppTest, kind: str, name: str) -> Any:
    """The widget of a data set's controls, by its kind and the end of its key."""
    found = [each for each in getattr(page, kind) if (each.key or "").endswith(name)]
    assert len(found) == 1, (kind, name, [each.key for each in getattr(page, kind)])
    return found[0]


def run_button(page: AppTest) -> Any:
    return next(button for button in page.button if button.label == "Run")


def run_to_the_end(page: AppTest) -> AppTest:
    """Press Run, and wait until the run has ended."""
    return to_the_end(run_button(page).click().run())


def to_the_end(page: AppTest) -> AppTest:
    """Rerun the page as its progress strip does until the run has ended."""
    deadline = time.monotonic() + PATIENCE
    while any(button.label == "Cancel" for button in page.button):
        assert time.monotonic() < deadline, "the run did not end"
        time.sleep(0.05)
        page.run()
    return page


def errors(page: AppTest) -> list[str]:
    """What the page complains of, as a person reads it: without the escapes that keep Markdown out."""
    return [re.sub(r"\\(.)", r"\1", error.value) for error in page.error]


def heading(page: AppTest) -> str:
    """What the page says about the forecast it shows; empty where it shows none."""
    return next((text.value for text in page.markdown if "badge[" in text.value), "")


def maps(page: AppTest) -> list[Any]:
    return list(page.main.get("bidi_component"))


def test_a_first_visit_shows_controls_and_no_error(open_page: Open) -> None:
    page = open_page()
    assert not page.exception
    assert not page.error
    assert page.selectbox(key="dataset").value == "sst-monthly"
    assert not run_button(page).disabled


def test_a_run_ends_in_maps_and_three_charts(open_page: Open) -> None:
    page = run_to_the_end(open_page(**SHORT))
    assert not page.exception
    assert heading(page).startswith(":green-badge[done]")
    assert "3 members · 5 steps" in heading(page)
    assert len(maps(page)) == 1
    assert len(page.get("plotly_chart")) == 3  # scores, ratio, fan


def test_a_forecast_asked_for_again_comes_back_at_once(open_page: Open, engine: FakeEngine) -> None:
    run_to_the_end(open_page(**SHORT))
    again = open_page(**SHORT)
    assert heading(again).startswith(":green-badge[done]")
    assert engine.forecasts == 1


def test_another_visitor_with_other_wishes_gets_another_forecast(open_page: Open, engine: FakeEngine) -> None:
    run_to_the_end(open_page(**SHORT))
    other = run_to_the_end(open_page(**(SHORT | {"seed": "7"})))
    assert "seed 7" in heading(other)
    assert engine.forecasts == 2


@pytest.mark.parametrize(
    ("link", "named"),
    [
        ({"dataset": "ocean"}, "ocean"),
        ({"dataset": "spring-mesh", "init": "99999999"}, "99999999"),
        ({"dataset": "spring-mesh", "init": "0:900"}, "900"),
        ({"dataset": "spring-mesh", "schedule": "0,4,2"}, "2 follows 4"),
        ({"dataset": "spring-mesh", "schedule": "0,nan"}, "nan"),
        ({"dataset": "spring-mesh", "steps": "nan"}, "steps=nan"),
        ({"dataset": "spring-mesh", "steps": "1000000"}, "1000000"),
        ({"dataset": "spring-mesh", "members": "0"}, "0"),
        ({"dataset": "spring-mesh", "refine": "perhaps"}, "perhaps"),
        ({"dataset": "spring-mesh", "solver": "leapfrog"}, "leapfrog"),
    ],
)
def test_a_bad_link_gives_one_sentence_and_a_working_page(open_page: Open, link: dict[str, str], named: str) -> None:
    page = open_page(**link)
    assert not page.exception
    assert len(page.error) == 1
    assert named in errors(page)[0]
    assert not run_button(page).disabled


def test_the_rest_of_a_bad_link_is_kept(open_page: Open) -> None:
    page = open_page(**(SHORT | {"schedule": "0,4,2", "seed": "11"}))
    assert widget(page, "slider", "/steps").value == 5
    assert widget(page, "number_input", "/seed").value == 11


def test_a_schedule_that_does_not_rise_is_named_and_the_forecast_stays(open_page: Open) -> None:
    page = run_to_the_end(open_page(**SHORT))
    before = heading(page)
    widget(page, "selectbox", "/schedule").set_value(CUSTOM).run()
    widget(page, "text_input", "/leads").set_value("0, 8, 3").run()
    assert not page.exception
    assert errors(page) == ["The schedule does not rise: 3 follows 8; sort the leads."]
    assert heading(page) == before
    assert len(maps(page)) == 1
    assert run_button(page).disabled


def test_a_custom_schedule_is_run_and_written_into_the_link(open_page: Open) -> None:
    page = open_page(**SHORT)
    widget(page, "selectbox", "/schedule").set_value(CUSTOM).run()
    widget(page, "text_input", "/leads").set_value("0, 20.5, 100").run()
    page = run_to_the_end(page)
    assert "0, 20.5, 100" in heading(page)
    assert page.query_params["schedule"] == "0, 20.5, 100"


def test_the_page_says_when_the_maps_are_of_other_settings(open_page: Open) -> None:
    page = run_to_the_end(open_page(**SHORT))
    assert not page.main.caption
    widget(page, "number_input", "/seed").set_value(3).run()
    assert "press Run" in page.main.caption[0].value


def test_next_and_previous_walk_through_the_initial_conditions(open_page: Open) -> None:
    page = open_page(**SHORT)
    widget(page, "button", "/Next").click().run()
    assert widget(page, "selectbox", "/run").value == "1"
    widget(page, "button", "/Previous").click().run()
    widget(page, "button", "/Previous").click().run()
    assert page.query_params["init"] == "14:803"  # before the first comes the last
    assert widget(page, "slider", "/frame").value == 803


def test_the_link_restores_every_control(open_page: Open) -> None:
    page = open_page(**SHORT)
    widget(page, "slider", "/steps").set_value(40).run()
    widget(page, "slider", "/members").set_value(6).run()
    widget(page, "button_group", "/solver").set_value("heun").run()
    widget(page, "toggle", "/refine").set_value(False).run()
    widget(page, "number_input", "/seed").set_value(5).run()
    widget(page, "selectbox", "/run").set_value("ood-1").run()
    link = dict(page.query_params)
    restored = open_page(**link)
    assert not restored.error
    assert widget(restored, "slider", "/steps").value == 40
    assert widget(restored, "slider", "/members").value == 6
    assert widget(restored, "button_group", "/solver").value == "heun"
    assert widget(restored, "toggle", "/refine").value is False
    assert widget(restored, "number_input", "/seed").value == 5
    assert widget(restored, "selectbox", "/run").value == "ood-1"


def test_changing_the_data_set_and_back_keeps_what_was_chosen(open_page: Open) -> None:
    page = open_page(**SHORT)
    page.selectbox(key="dataset").set_value("navier-stokes").run()
    assert page.query_params["dataset"] == "navier-stokes"
    page.selectbox(key="dataset").set_value("spring-mesh").run()
    assert widget(page, "slider", "/steps").value == 5


def test_a_run_that_fails_for_a_known_reason_says_so_and_loses_nothing(open_page: Open, engine: FakeEngine) -> None:
    page = run_to_the_end(open_page(**SHORT))
    engine.failure = DataError("The run 0 is damaged; restore it.")
    widget(page, "number_input", "/seed").set_value(1).run()
    page = run_to_the_end(page)
    assert not page.exception
    assert errors(page) == ["The run 0 is damaged; restore it."]
    assert "seed 0" in heading(page)
    assert len(maps(page)) == 1


def test_a_run_that_fails_for_an_unforeseen_reason_gives_one_sentence(open_page: Open, engine: FakeEngine) -> None:
    engine.failure = ZeroDivisionError("division by zero")
    page = run_to_the_end(open_page(**SHORT))
    assert not page.exception
    assert len(page.error) == 1
    assert "division" not in errors(page)[0]


def test_a_cancelled_run_leaves_the_page_as_it_was(open_page: Open, engine: FakeEngine) -> None:
    page = run_to_the_end(open_page(**SHORT))
    engine.pause = 0.3
    widget(page, "number_input", "/seed").set_value(2).run()
    run_button(page).click().run()
    next(button for button in page.button if button.label == "Cancel").click().run()
    assert not page.exception
    assert not page.error
    assert "seed 0" in heading(page)
    assert not run_button(page).disabled


def arrive(page: AppTest, words: str) -> AppTest:
    """Rerun the page until its heading has these words."""
    deadline = time.monotonic() + PATIENCE
    while words not in heading(page):
        assert time.monotonic() < deadline, heading(page)
        time.sleep(0.05)
        page.run()
    return page


def test_members_are_shown_as_they_arrive(open_page: Open, engine: FakeEngine) -> None:
    engine.pause, engine.arrives = 0.3, True
    wanted = {"dataset": "spring-mesh", "steps": "6", "members": "10"}
    page = arrive(run_button(open_page(**wanted)).click().run(), "1 of 10 members · 3 of 6 steps")
    assert not page.exception
    assert ":violet-badge[arriving]" in heading(page)
    assert len(maps(page)) == 1
    assert not page.get("plotly_chart")  # their leads are not all there
    assert any("curves follow" in caption.value for caption in page.caption)
    page = arrive(page, "of 10 members · 6 steps")
    assert not page.exception
    assert len(page.get("plotly_chart")) == 3
    page = to_the_end(page)
    assert heading(page).startswith(":green-badge[done]") and "10 members · 6 steps" in heading(page)


@pytest.mark.parametrize(
    ("arrived", "shown", "is_worth"),
    [
        ((1, 16), (0, 0), True),
        ((10, 32), (10, 16), True),  # further
        ((14, 64), (10, 64), False),  # a few members more
        ((15, 64), (10, 64), True),
        ((10, 64), (10, 64), False),
    ],
)
def test_a_few_members_more_do_not_draw_the_page_anew(
    arrived: tuple[int, int], shown: tuple[int, int], is_worth: bool
) -> None:
    assert session.is_worth_showing(arrived, shown) == is_worth


def test_what_has_arrived_of_a_cancelled_run_stays_and_says_so(open_page: Open, engine: FakeEngine) -> None:
    engine.pause, engine.arrives = 0.3, True
    page = run_button(open_page(**(SHORT | {"members": "10"}))).click().run()
    page = arrive(page, " of 10 members")
    next(button for button in page.button if button.label == "Cancel").click().run()
    assert not page.exception and not page.error
    assert heading(page).startswith(":orange-badge[cancelled]")
    assert " of 10 members" in heading(page)
    assert not run_button(page).disabled
    engine.pause = 0.0
    assert "10 members" in heading(run_to_the_end(page))


def test_what_cannot_be_shown_before_the_end_neither_hides_cancel_nor_the_end(
    open_page: Open, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.pause, engine.arrives = 0.1, True
    page = open_page(**SHORT)

    def too_much(*_: object) -> None:
        raise RequestError("That does not fit into memory.")

    monkeypatch.setattr(engine, "partial_forecast", too_much)
    page = run_button(page).click().run()
    time.sleep(0.3)
    page.run()
    assert not page.exception
    assert any(button.label == "Cancel" for button in page.button)
    assert heading(to_the_end(page)).startswith(":green-badge[done]")
    widget(page, "number_input", "/seed").set_value(3).run()
    page = run_button(page).click().run()
    time.sleep(0.3)
    next(button for button in page.button if button.label == "Cancel").click().run()
    assert not page.exception and not page.error
    assert not run_button(page).disabled


def test_another_data_set_is_not_given_what_arrives(open_page: Open, engine: FakeEngine) -> None:
    engine.pause, engine.arrives = 0.3, True
    page = run_button(open_page(**(SHORT | {"members": "10"}))).click().run()
    page = arrive(page, " of 10 members")
    page.selectbox(key="dataset").set_value("navier-stokes").run()
    assert not page.exception
    assert "arriving" not in heading(page)


def test_every_variable_can_be_shown(open_page: Open) -> None:
    page = run_to_the_end(open_page(**SHORT))
    picker = widget(page, "button_group", "/variable")
    for name in ("speed", "displacement", "p_x", "p_y", "q_x", "q_y"):
        picker.set_value(name).run()
        assert not page.exception
        assert not page.error


def test_one_member_gives_maps_without_spread(open_page: Open) -> None:
    page = run_to_the_end(open_page(**(SHORT | {"members": "1"})))
    assert not page.exception
    assert "1 member ·" in heading(page)


def test_a_forecast_beyond_the_end_of_the_run_is_shown_without_truth(open_page: Open) -> None:
    page = run_to_the_end(open_page(**(SHORT | {"init": "0:803"})))
    assert not page.exception
    assert len(maps(page)) == 1


def test_a_measured_run_gives_an_estimate_of_the_next(open_page: Open, backend: Backend) -> None:
    page = open_page(**SHORT)
    assert page.sidebar.caption[-1].value == "3 members × 30 network calls"
    page = run_to_the_end(page)
    assert page.sidebar.caption[-1].value == "Stored: shown at once."
    widget(page, "number_input", "/seed").set_value(1).run()
    assert page.sidebar.caption[-1].value == "3 members × 30 network calls: under 1 s"


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (Cost(30, 90, None), "3 members × 30 network calls"),
        (Cost(30, 90, 12.4), "3 members × 30 network calls ≈ 12 s"),
        (Cost(30, 60, 8.0), "3 members × 30 network calls, 33 % of them stored ≈ 8 s"),
        (Cost(30, 0, 0.0), "Stored: shown at once."),
    ],
)
def test_the_cost_of_a_request_in_words(cost: Cost, words: str) -> None:
    request = FakeEngine().resolve(ForecastRequest("spring-mesh", steps=5, members=3))
    assert cost_words(request, cost) == words


def test_baselines_stand_beside_the_scores_of_a_channel(open_page: Open, backend: Backend) -> None:
    run_to_the_end(open_page(**SHORT))
    (shown,) = [backend.finished.get(request) for request in backend.finished.requests()]
    assert shown is not None
    found = backend.baselines(shown.summary, "q_x")
    assert list(found) == ["persistence", "climatology"]
    assert all(list(leads) == [1, 2, 3, 4, 5] and (crps > 0).all() for leads, crps in found.values())
    assert backend.baselines(shown.summary, "speed") == {}


def test_the_about_page_explains_the_scores() -> None:
    page = AppTest.from_string("from app.screens import about; about.show()").run()
    assert not page.exception
    assert any("CRPS" in text.value for text in page.markdown)


def test_a_preview_has_a_few_members_and_run_adds_the_others(open_page: Open, engine: FakeEngine) -> None:
    page = open_page(**(SHORT | {"members": "9"}))
    page = to_the_end(next(button for button in page.button if button.label == "Preview").click().run())
    assert "4 members · 5 steps" in heading(page)
    assert page.query_params["members"] == "9"
    assert "**Run** adds the other 5" in page.main.caption[0].value
    page = run_to_the_end(page)
    assert "9 members · 5 steps" in heading(page)


def test_few_members_need_no_preview(open_page: Open) -> None:
    page = open_page(**SHORT)
    assert next(button for button in page.button if button.label == "Preview").disabled


def test_what_is_stored_is_shown_without_a_press(
    open_page: Open, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "calls_to_make", lambda request, cache: 0)
    page = to_the_end(open_page(**SHORT))
    assert "3 members · 5 steps" in heading(page)
    widget(page, "number_input", "/seed").set_value(4).run()
    assert "seed 4" in heading(to_the_end(page))
    assert engine.forecasts == 2


def test_a_stored_forecast_that_cannot_be_read_is_said_once(
    open_page: Open, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "calls_to_make", lambda request, cache: 0)
    engine.failure = DataError("The run 0 is damaged; restore it.")
    page = to_the_end(open_page(**SHORT))
    assert errors(page) == ["The run 0 is damaged; restore it."]
    page.run()
    assert engine.forecasts == 1


def test_the_look_is_in_the_link_and_comes_back(open_page: Open) -> None:
    page = run_to_the_end(open_page(**SHORT))
    widget(page, "button_group", "/variable").set_value("displacement").run()
    link = dict(page.query_params) | {"at": "2,3"}
    assert link["variable"] == "displacement"
    restored = run_to_the_end(open_page(**link))
    assert widget(restored, "button_group", "/variable").value == "displacement"
    assert "**At x 2, y 3**" in [text.value for text in restored.markdown]


@pytest.mark.parametrize("entry", [{"variable": "salinity"}, {"at": "here"}, {"limits": "0,1"}, {"demo": "x"}])
def test_a_look_that_cannot_be_used_is_one_sentence_at_most(open_page: Open, entry: dict[str, str]) -> None:
    page = open_page(**(SHORT | entry))
    assert not page.exception
    assert len(page.error) == (0 if "demo" in entry else 1)


def test_every_scene_of_the_demo_is_written_as_its_number(open_page: Open) -> None:
    for number in range(1, len(SCENES) + 1):
        page = to_the_end(open_page(demo=str(number)))
        assert not page.exception
        assert not page.error
        assert dict(page.query_params) == {"demo": str(number)}
        assert any(SCENES[number - 1].title in text.value for text in page.markdown)
        assert heading(page)


def test_leaving_the_demo_keeps_what_it_showed(open_page: Open) -> None:
    page = to_the_end(open_page(demo="5"))
    next(button for button in page.button if button.label == "Leave").click().run()
    assert dict(page.query_params) == {"dataset": "spring-mesh", "init": "ood-1:0", "steps": "268"}
    assert "Unlike training" in heading(page)


def test_a_scene_of_another_data_set_is_none(open_page: Open) -> None:
    page = open_page(demo="2", dataset="spring-mesh")
    assert not page.exception and not page.error
    assert not any("2 of 5" in text.value for text in page.markdown)
    page = to_the_end(open_page(demo="1"))
    page.selectbox(key="dataset").set_value("spring-mesh").run()
    assert not any("1 of 5" in text.value for text in page.markdown)
    assert page.query_params["dataset"] == "spring-mesh"


def test_a_scene_that_was_changed_is_written_in_full(open_page: Open) -> None:
    page = to_the_end(open_page(demo="5"))
    widget(page, "number_input", "/seed").set_value(3).run()
    assert dict(page.query_params) == {"dataset": "spring-mesh", "init": "ood-1:0", "steps": "268", "seed": "3"}


def test_who_loads_the_page_anew_follows_the_run_that_goes_on(open_page: Open, engine: FakeEngine) -> None:
    engine.pause = 0.3
    run_button(open_page(**SHORT)).click().run()
    anew = open_page(**SHORT)
    assert any(button.label == "Cancel" for button in anew.button)
    other = open_page(**(SHORT | {"seed": "8"}))
    assert not any(button.label == "Cancel" for button in other.button)
    engine.pause = 0.0
    assert heading(to_the_end(anew)).startswith(":green-badge[done]")
    assert engine.forecasts == 1


def test_a_complaint_about_the_link_does_not_keep_the_first_forecast(open_page: Open) -> None:
    page = to_the_end(open_page(dataset="spring-mesh", steps="5", demo="4", variable="warmth"))
    assert len(page.error) == 1
    assert "full, cold" in heading(page) or "stride4" in heading(page)
