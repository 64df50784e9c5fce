"""The choice of a model and of how it is sampled."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import sampler
from app.backend import Backend
from app.sampler import CORRELATION, CUSTOM, NO_SCHEDULE, noise_words
from engine.fronts import write_front
from tests.app.conftest import Open
from tests.app.fakes import FakeEngine
from tests.app.small_models import BEST, CHEAP, MIDDLE, RealRequests, save_model

LINK = {"dataset": "spring-mesh", "steps": "134", "members": "10"}
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


def keys(page: AppTest, kind: str) -> list[str]:
    """The ends of the keys of all widgets of a kind in the sidebar."""
    return [(each.key or "").rpartition("/")[2] for each in page.sidebar.get(kind)]


def captions(page: AppTest) -> list[str]:
    return [each.value for each in page.sidebar.caption]


def choose(page: AppTest, seconds: float) -> AppTest:
    """Ask for the best that takes so many seconds."""
    page.number_input(key="spring-mesh/spring-mesh-fast/seconds").set_value(seconds).run()
    return page.button(key="spring-mesh/spring-mesh-fast/choose").click().run()


def test_one_model_is_no_choice(open_page: Open) -> None:
    page = open_page(**LINK)
    assert not page.exception and not page.error
    assert "model" not in keys(page, "selectbox")


def test_several_models_are_a_choice_that_the_link_names(open_page: Open, checkpoints: Path) -> None:
    save_model(checkpoints, "spring-mesh", "published", noise="window", schedule="stride16")
    page = open_page(**LINK)
    picker = page.selectbox(key="spring-mesh/model")
    assert picker.options == ["DYffusion, calibrated", "DYffusion, recipe of the paper"]
    assert "the recipe of the DYffusion paper" in picker.help
    assert "model" not in page.query_params
    picker.set_value("spring-mesh-published").run()
    assert page.query_params["model"] == "spring-mesh-published"
    assert "noise" not in page.query_params  # another model comes with its own way to sample
    assert page.selectbox(key="spring-mesh/spring-mesh-published/noise").value == "window"
    assert page.selectbox(key="spring-mesh/spring-mesh-published/schedule").value == "stride16"
    assert page.slider(key="spring-mesh/members").value == 10


def test_a_link_opens_the_model_that_it_names(open_page: Open, checkpoints: Path) -> None:
    save_model(checkpoints, "spring-mesh", "published")
    page = open_page(**(LINK | {"model": "spring-mesh-published", "noise": "none"}))
    assert not page.error
    assert page.selectbox(key="spring-mesh/model").value == "spring-mesh-published"
    assert page.selectbox(key="spring-mesh/spring-mesh-published/noise").value == "none"
    assert (page.query_params["model"], page.query_params["noise"]) == ("spring-mesh-published", "none")


def test_a_model_that_is_not_there_is_named_and_the_default_stands_in(open_page: Open) -> None:
    page = open_page(**(LINK | {"model": "spring-mesh-huge"}))
    assert len(page.error) == 1
    assert "huge" in page.error[0].value
    assert "model" not in page.query_params


def test_the_noise_begins_with_the_models_own_and_lands_in_the_link(open_page: Open) -> None:
    page = open_page(**LINK)
    picker = page.selectbox(key="spring-mesh/spring-mesh-fast/noise")
    assert picker.value == "step"
    picker.set_value("window").run()
    assert page.query_params["noise"] == "window"
    page.selectbox(key="spring-mesh/spring-mesh-fast/noise").set_value("step").run()
    assert "noise" not in page.query_params


def test_what_a_widget_begins_with_is_its_default_so_that_no_cut_short_run_loses_it(open_page: Open) -> None:
    own = {"schedule": "0,1,5", "solver": "naive", "noise": "0.25", "refine": "True"}
    page = open_page(**(LINK | own))
    at = "spring-mesh/spring-mesh-fast"
    assert page.text_input(key=f"{at}/leads").proto.default == "0,1,5"
    assert page.number_input(key=f"{at}/correlation").proto.default == 0.25
    assert page.toggle(key=f"{at}/refine").proto.default is True
    for name in ("schedule", "noise"):
        picker = page.selectbox(key=f"{at}/{name}")
        assert picker.proto.default == picker.index != 0, name
    solver = next(group for group in page.segmented_control if group.key == f"{at}/solver")
    assert list(solver.proto.default) == [1]
    page.text_input(key=f"{at}/leads").set_value("0,2").run()
    assert page.text_input(key=f"{at}/leads").proto.default == "0,2"
    assert page.query_params["schedule"] == "0,2"


def test_a_correlation_of_the_noise_is_a_number_beside_the_picker(open_page: Open) -> None:
    page = open_page(**LINK)
    assert "correlation" not in keys(page, "number_input")
    page.selectbox(key="spring-mesh/spring-mesh-fast/noise").set_value(CORRELATION).run()
    assert page.query_params["noise"] == "0.5"
    page.number_input(key="spring-mesh/spring-mesh-fast/correlation").set_value(0.25).run()
    assert page.query_params["noise"] == "0.25"
    again = open_page(**dict(page.query_params))
    assert again.selectbox(key="spring-mesh/spring-mesh-fast/noise").value == CORRELATION
    assert again.number_input(key="spring-mesh/spring-mesh-fast/correlation").value == 0.25


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
        page.selectbox(key="spring-mesh/spring-mesh-fast/noise").set_value(noise).run()
        assert not page.exception and not page.error, noise


def test_without_a_front_there_is_no_time_limit(open_page: Open) -> None:
    assert "seconds" not in keys(open_page(**LINK), "number_input")


@pytest.mark.usefixtures("measured")
def test_enough_time_chooses_the_best_and_says_what_it_is_and_costs(open_page: Open) -> None:
    page = choose(open_page(**LINK), 10.0)
    assert not page.exception and not page.error
    assert page.selectbox(key="spring-mesh/spring-mesh-fast/schedule").value == "stride4"
    assert page.selectbox(key="spring-mesh/spring-mesh-fast/noise").value == "independent"
    assert page.toggle(key="spring-mesh/spring-mesh-fast/refine").value is False
    (chosen,) = [text for text in captions(page) if text.startswith("Chosen")]
    assert "**stride4**, cold, noise independent at every call, not refined" in chosen
    assert "About 2 s: 199 network calls for each of 10 members" in chosen  # 3 · 33 + 100 leads between
    assert "its fair CRPS was 0.009 and its spread 0.98 times its error" in chosen
    assert (page.query_params["noise"], "schedule" in page.query_params) == ("independent", False)


@pytest.mark.usefixtures("measured")
def test_little_time_chooses_what_is_quick_enough(open_page: Open) -> None:
    page = choose(open_page(**LINK), 1.35)
    assert page.selectbox(key="spring-mesh/spring-mesh-fast/schedule").value == "stride134"
    assert page.toggle(key="spring-mesh/spring-mesh-fast/refine").value is True
    assert page.query_params["schedule"] == "stride134"
    assert page.query_params["noise"] == "window"
    assert page.query_params["refine"] == "true"


@pytest.mark.usefixtures("measured")
def test_a_choice_that_is_no_preset_sets_the_custom_leads_and_the_correlation(
    open_page: Open, checkpoints: Path
) -> None:
    write_front("spring-mesh-fast", (CHEAP, MIDDLE))
    page = choose(open_page(**LINK), 10.0)
    assert page.selectbox(key="spring-mesh/spring-mesh-fast/schedule").value == CUSTOM
    assert page.text_input(key="spring-mesh/spring-mesh-fast/leads").value == "0,20,90"
    assert page.button_group(key="spring-mesh/spring-mesh-fast/solver").value == "heun"
    assert page.number_input(key="spring-mesh/spring-mesh-fast/correlation").value == 0.5
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
    page.toggle(key="spring-mesh/spring-mesh-fast/refine").set_value(True).run()
    assert not [text for text in captions(page) if text.startswith("Chosen")]


def test_a_dropout_model_has_one_sentence_in_place_of_a_schedule(open_page: Open, checkpoints: Path) -> None:
    save_model(checkpoints, "spring-mesh", "dropout")
    page = open_page(**LINK)
    page.selectbox(key="spring-mesh/model").set_value("spring-mesh-dropout").run()
    assert not page.exception and not page.error
    assert NO_SCHEDULE in captions(page)
    assert not {"schedule", "noise"} & set(keys(page, "selectbox"))
    assert not page.sidebar.toggle
    assert page.query_params["model"] == "spring-mesh-dropout"
    page.selectbox(key="spring-mesh/model").set_value("spring-mesh-fast").run()
    assert page.selectbox(key="spring-mesh/spring-mesh-fast/schedule").value == "stride4"
    assert "model" not in page.query_params
