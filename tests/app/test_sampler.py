"""The choice of a model and of how it is sampled."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import sampler
from app.backend import Backend, Window
from app.sampler import (
    CORRELATION,
    CUSTOM,
    NO_SCHEDULE,
    calls_words,
    front_words,
    noise_words,
    point_words,
    preset_with,
    sampler_key,
    take_edit,
    window_words,
    written,
)
from app.widgets import key_of
from engine.fronts import write_front
from engine.requests import ResolvedRequest
from engine.schedules import parse_schedule, trained_leads
from tests.app.conftest import Open
from tests.app.fakes import FakeEngine
from tests.app.small_models import BEST, CHEAP, MIDDLE, RealRequests, save_model

LINK = {"dataset": "spring-mesh", "steps": "134", "members": "10"}
FAST = ResolvedRequest("spring-mesh", model="spring-mesh-fast")
SECONDS_PER_CALL = 0.001  # so that 10 members take 1.34 s the cheapest way, and 2 s the best


@pytest.fixture
def engine(checkpoints: Path) -> FakeEngine:
    """An engine that has the models in the folder of this test, one at first."""
    save_model(checkpoints, "spring-mesh", "fast", noise="step")
    return RealRequests()


@pytest.fixture
def measured(checkpoints: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model has a front, and this machine a known pace."""
    write_front("spring-mesh-fast", (CHEAP, MIDDLE, BEST))
    monkeypatch.setattr(backend, "pace", lambda request: SECONDS_PER_CALL)


def at(name: str, model: str = "spring-mesh-fast") -> str:
    """The key of a model's widget."""
    return sampler_key(replace(FAST, model=model), name)


def keys(page: AppTest, kind: str) -> list[str]:
    """The ends of the keys of all widgets of a kind in the sidebar."""
    return [(each.key or "").rpartition("/")[2] for each in page.sidebar.get(kind)]


def captions(page: AppTest) -> list[str]:
    return [each.value for each in page.sidebar.caption]


def choose(page: AppTest, seconds: float) -> AppTest:
    """Ask for the best that takes so many seconds."""
    page.number_input(key=at("seconds")).set_value(seconds).run()
    return page.button(key=at("choose")).click().run()


def edit(page: AppTest, monkeypatch: pytest.MonkeyPatch, leads: Sequence[float]) -> AppTest:
    """Do as a click on the drawn schedule does: its callback, then the page."""
    state: dict[str, object] = {}
    with monkeypatch.context() as patched:
        patched.setattr(sampler.st, "session_state", state)
        take_edit(FAST, Window(134), leads)
    for key, value in state.items():
        page.session_state[key] = value
    return page.run()


def test_one_model_is_no_choice(open_page: Open) -> None:
    page = open_page(**LINK)
    assert not page.exception and not page.error
    assert "model" not in keys(page, "selectbox")


def test_several_models_are_a_choice_that_the_link_names(open_page: Open, checkpoints: Path) -> None:
    save_model(checkpoints, "spring-mesh", "published", noise="window", schedule="stride16")
    page = open_page(**LINK)
    picker = page.selectbox(key=key_of(FAST, "model"))
    assert picker.options == ["DYffusion, calibrated", "DYffusion, recipe of the paper"]
    assert "the recipe of the DYffusion paper" in picker.help
    assert "model" not in page.query_params
    picker.set_value("spring-mesh-published").run()
    assert page.query_params["model"] == "spring-mesh-published"
    assert "noise" not in page.query_params  # another model comes with its own way to sample
    assert page.selectbox(key=at("noise", "spring-mesh-published")).value == "window"
    assert page.selectbox(key=at("schedule", "spring-mesh-published")).value == "stride16"
    assert page.slider(key=key_of(FAST, "members")).value == 10


def test_a_link_opens_the_model_that_it_names(open_page: Open, checkpoints: Path) -> None:
    save_model(checkpoints, "spring-mesh", "published")
    page = open_page(**(LINK | {"model": "spring-mesh-published", "noise": "none"}))
    assert not page.error
    assert page.selectbox(key=key_of(FAST, "model")).value == "spring-mesh-published"
    assert page.selectbox(key=at("noise", "spring-mesh-published")).value == "none"
    assert (page.query_params["model"], page.query_params["noise"]) == ("spring-mesh-published", "none")


def test_a_model_that_is_not_there_is_named_and_the_default_stands_in(open_page: Open) -> None:
    page = open_page(**(LINK | {"model": "spring-mesh-huge"}))
    assert len(page.error) == 1
    assert "huge" in page.error[0].value
    assert "model" not in page.query_params


def test_the_noise_begins_with_the_models_own_and_lands_in_the_link(open_page: Open) -> None:
    page = open_page(**LINK)
    picker = page.selectbox(key=at("noise"))
    assert picker.value == "step"
    picker.set_value("window").run()
    assert page.query_params["noise"] == "window"
    page.selectbox(key=at("noise")).set_value("step").run()
    assert "noise" not in page.query_params


def test_what_a_widget_begins_with_is_its_default_so_that_no_cut_short_run_loses_it(open_page: Open) -> None:
    own = {"schedule": "0,1,5", "solver": "naive", "noise": "0.25", "refine": "True"}
    page = open_page(**(LINK | own))
    assert page.text_input(key=at("leads")).proto.default == "0,1,5"
    assert page.number_input(key=at("correlation")).proto.default == 0.25
    assert page.toggle(key=at("refine")).proto.default is True
    for name in ("schedule", "noise"):
        picker = page.selectbox(key=at(name))
        assert picker.proto.default == picker.index != 0, name
    solver = next(group for group in page.segmented_control if group.key == at("solver"))
    assert list(solver.proto.default) == [1]
    page.text_input(key=at("leads")).set_value("0,2").run()
    assert page.text_input(key=at("leads")).proto.default == "0,2"
    assert page.query_params["schedule"] == "0,2"


def test_a_correlation_of_the_noise_is_a_number_beside_the_picker(open_page: Open) -> None:
    page = open_page(**LINK)
    assert "correlation" not in keys(page, "number_input")
    page.selectbox(key=at("noise")).set_value(CORRELATION).run()
    assert page.query_params["noise"] == "0.5"
    page.number_input(key=at("correlation")).set_value(0.25).run()
    assert page.query_params["noise"] == "0.25"
    again = open_page(**dict(page.query_params))
    assert again.selectbox(key=at("noise")).value == CORRELATION
    assert again.number_input(key=at("correlation")).value == 0.25


def test_leads_that_are_clicked_become_custom_ones_and_land_in_the_link(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = edit(open_page(**LINK), monkeypatch, (0.0, 2.5, 100.0))
    assert not page.exception and not page.error
    assert page.selectbox(key=at("schedule")).value == CUSTOM
    assert page.text_input(key=at("leads")).value == "0,2.5,100"
    assert page.query_params["schedule"] == "0,2.5,100"


def test_clicked_leads_of_a_preset_pick_it_and_a_later_choice_stands(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = edit(open_page(**LINK, schedule="0,3"), monkeypatch, (0.0, 32.0, 64.0, 96.0, 128.0))
    picker = page.selectbox(key=at("schedule"))
    assert picker.value == page.query_params["schedule"] == "stride32"
    picker.set_value("stride16").run()
    assert page.run().query_params["schedule"] == "stride16"


@pytest.mark.parametrize(
    ("leads", "preset"),
    [
        (trained_leads(7, 25), "full"),
        (range(7), "only_dynamics"),
        ((0, 2, 4, 6), "stride2"),
        ((0,), "stride7"),
        ((0, 2, 4), None),
        ((0, 2, 4, 5), None),
    ],
)
def test_leads_are_named_where_a_preset_has_them(leads: Sequence[float], preset: str | None) -> None:
    assert preset_with(leads, Window(7, 25)) == preset


def test_leads_that_are_written_read_as_the_same_preset() -> None:
    leads = trained_leads(7, 25)
    assert written((0.0, 0.5, 2.0)) == "0,0.5,2"
    assert preset_with(parse_schedule(written(leads), horizon=7).leads, Window(7, 25)) == "full"


NS = ResolvedRequest("navier-stokes", steps=64)


@pytest.mark.parametrize(
    ("sampled", "words"),
    [
        (replace(NS, schedule="0,2,5"), "3 stops, 19 network calls per window, 13 of them to fill in between stops"),
        (replace(NS, schedule="full"), "16 stops, 45 network calls per window"),
        (replace(NS, schedule="full", refine=True), "16 stops, 60 network calls per window, 15 of them to refine"),
        (replace(NS, schedule="full", last_step="solver"), "16 stops, 46 network calls per window"),
        (replace(NS, schedule="0"), "1 stop, 16 network calls per window, 15 of them to fill in between stops"),
    ],
)
def test_a_schedule_has_its_cost_in_words(sampled: ResolvedRequest, words: str) -> None:
    assert calls_words(sampled, parse_schedule(sampled.schedule, horizon=16)) == words


def test_a_window_says_how_long_it_is() -> None:
    assert window_words("navier-stokes", 16) == "16 data steps · 1.28 s"
    assert window_words("sst-monthly", 1) == "1 data step · 1 month"


POINTS = (CHEAP, MIDDLE, BEST)


def test_the_best_measured_way_says_its_scores() -> None:
    words = front_words(BEST.apply(ResolvedRequest("spring-mesh")), POINTS, BEST.calls)
    assert words == "Measured: CRPS 0.00900, spread 0.98 × error."


def test_a_worse_measured_way_says_what_is_better_at_no_more_cost() -> None:
    points = (replace(CHEAP, crps=0.01), MIDDLE, BEST)
    words = front_words(MIDDLE.apply(ResolvedRequest("spring-mesh")), points, MIDDLE.calls)
    assert words == "Measured: CRPS 0.0120, spread 1.30 × error; the best at this cost has CRPS 0.0100."


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        (160, "Not measured; the best at this cost has CRPS 0.0120."),
        (100, "Not measured; the cheapest that is takes 134 calls and has CRPS 0.0200."),
    ],
)
def test_a_way_that_is_not_measured_says_what_its_cost_is_worth(calls: int, words: str) -> None:
    assert front_words(ResolvedRequest("spring-mesh", schedule="0,9"), POINTS, calls) == words


def test_a_dot_of_the_front_has_words() -> None:
    assert point_words(MIDDLE) == (
        "0,20,90, heun, noise correlated by 0.5 within a step: 150 calls, CRPS 0.0120, spread 1.30 × error"
    )


@pytest.mark.usefixtures("measured")
def test_where_the_request_is_on_the_measured_front_stands_under_its_schedule(open_page: Open) -> None:
    page = open_page(**LINK)
    assert "Not measured; the best at this cost has CRPS 0.00900." in captions(page)
    assert len(page.sidebar.get("bidi_component")) == 2  # the ticks and the front
    page.selectbox(key=at("noise")).set_value("independent").run()
    page.toggle(key=at("refine")).set_value(False).run()
    assert "Measured: CRPS 0.00900, spread 0.98 × error." in captions(page)


def test_without_a_front_only_the_ticks_are_drawn(open_page: Open) -> None:
    page = open_page(**LINK)
    assert len(page.sidebar.get("bidi_component")) == 1
    assert not [text for text in captions(page) if "easured" in text]


def test_what_few_people_change_is_folded_away_and_lands_in_the_link(open_page: Open) -> None:
    page = open_page(**LINK)
    (more,) = page.sidebar.expander
    assert more.label == "More about the sampler" and not more.proto.expanded
    assert [(each.key or "").rpartition("/")[2] for each in more.selectbox] == ["noise", "last_step", "precision"]
    more.selectbox[1].set_value("solver").run()
    page.selectbox(key=at("precision")).set_value("bf16").run()
    assert (page.query_params["last_step"], page.query_params["precision"]) == ("solver", "bf16")
    again = open_page(**dict(page.query_params))
    assert again.selectbox(key=at("last_step")).value == "solver"
    assert again.selectbox(key=at("precision")).value == "bf16"


@pytest.mark.usefixtures("measured")
def test_a_choice_by_time_sets_the_last_step_too(open_page: Open) -> None:
    page = choose(open_page(**(LINK | {"last_step": "solver"})), 10.0)
    assert page.selectbox(key=at("last_step")).value == "forecast"
    assert "last_step" not in page.query_params


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        ("independent", "noise independent at every call"),
        ("0.25", "noise correlated by 0.25 within a step"),
        ("none", "noise switched off"),
    ],
)
def test_a_coupling_of_the_noise_has_words(noise: str, words: str) -> None:
    assert noise_words(noise) == words


def test_every_coupling_of_the_picker_can_be_asked_for(open_page: Open) -> None:
    page = open_page(**LINK)
    for noise in sampler.NOISE:
        page.selectbox(key=at("noise")).set_value(noise).run()
        assert not page.exception and not page.error, noise


def test_without_a_front_there_is_no_time_limit(open_page: Open) -> None:
    assert "seconds" not in keys(open_page(**LINK), "number_input")


@pytest.mark.usefixtures("measured")
def test_enough_time_chooses_the_best_and_says_what_it_is_and_costs(open_page: Open) -> None:
    page = choose(open_page(**LINK), 10.0)
    assert not page.exception and not page.error
    assert page.selectbox(key=at("schedule")).value == "stride4"
    assert page.selectbox(key=at("noise")).value == "independent"
    assert page.toggle(key=at("refine")).value is False
    (chosen,) = [text for text in captions(page) if text.startswith("Chosen")]
    assert "**stride4**, cold, noise independent at every call, not refined" in chosen
    assert "About 2 s: 199 network calls for each of 10 members" in chosen  # 3 · 33 + 100 leads between
    assert "its fair CRPS was 0.009 and its spread 0.98 times its error" in chosen
    assert (page.query_params["noise"], "schedule" in page.query_params) == ("independent", False)


@pytest.mark.usefixtures("measured")
def test_little_time_chooses_what_is_quick_enough(open_page: Open) -> None:
    page = choose(open_page(**LINK), 1.35)
    assert page.selectbox(key=at("schedule")).value == "stride134"
    assert page.toggle(key=at("refine")).value is True
    assert page.query_params["schedule"] == "stride134"
    assert page.query_params["noise"] == "window"
    assert page.query_params["refine"] == "true"


@pytest.mark.usefixtures("measured")
def test_a_choice_that_is_no_preset_sets_the_custom_leads_and_the_correlation(
    open_page: Open, checkpoints: Path
) -> None:
    write_front("spring-mesh-fast", (CHEAP, MIDDLE))
    page = choose(open_page(**LINK), 10.0)
    assert page.selectbox(key=at("schedule")).value == CUSTOM
    assert page.text_input(key=at("leads")).value == "0,20,90"
    assert page.button_group(key=at("solver")).value == "heun"
    assert page.number_input(key=at("correlation")).value == 0.5
    assert (page.query_params["schedule"], page.query_params["noise"]) == ("0,20,90", "0.5")


@pytest.mark.usefixtures("measured")
def test_too_little_time_says_how_much_is_needed_and_changes_nothing(open_page: Open) -> None:
    page = open_page(**LINK)
    before = dict(page.query_params)
    page = choose(page, 0.5)
    (warning,) = page.sidebar.warning
    assert "1\\.4 s" in warning.value
    assert dict(page.query_params) == before


@pytest.mark.usefixtures("measured")
def test_what_was_chosen_is_no_longer_said_of_other_settings(open_page: Open) -> None:
    page = choose(open_page(**LINK), 10.0)
    page.toggle(key=at("refine")).set_value(True).run()
    assert not [text for text in captions(page) if text.startswith("Chosen")]


def test_a_dropout_model_has_one_sentence_in_place_of_a_schedule(open_page: Open, checkpoints: Path) -> None:
    save_model(checkpoints, "spring-mesh", "dropout")
    page = open_page(**LINK)
    page.selectbox(key=key_of(FAST, "model")).set_value("spring-mesh-dropout").run()
    assert not page.exception and not page.error
    assert NO_SCHEDULE in captions(page)
    assert not {"schedule", "noise", "last_step"} & set(keys(page, "selectbox"))
    assert "precision" in keys(page, "selectbox")
    assert not page.sidebar.toggle
    assert page.query_params["model"] == "spring-mesh-dropout"
    page.selectbox(key=key_of(FAST, "model")).set_value("spring-mesh-fast").run()
    assert page.selectbox(key=at("schedule")).value == "stride4"
    assert "model" not in page.query_params
