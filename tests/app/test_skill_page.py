"""The page about skill: what the tables say is what it shows, and what is missing is named."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.backend import Backend
from app.plots.skill import Dots, category_chart, trend_chart
from app.sampler import NO_SCHEDULE
from app.screens.skill import FIRST_QUANTITIES
from app.skill.card import quantities_of, quantity_title
from app.skill.experiments import EXPERIMENTS
from engine import ablation, scorecard
from engine.datasets import get_dataset
from engine.fronts import write_front
from engine.tables import write_csv_table
from tests.app.conftest import Open
from tests.app.fakes import FakeEngine
from tests.app.small_models import BEATEN, BEST, CHEAP, MIDDLE, RealRequests, save_model

MESH = "spring-mesh"
WHERE = {"quantity": "all", "start": "all", "lead": "all", "split": "test"}


def frame() -> None:
    """The page in the frame of an app of its own."""
    import streamlit as st

    from app.screens import skill

    st.navigation([st.Page(skill.show, title="Skill", default=True)]).run()


@pytest.fixture
def engine() -> FakeEngine:
    """An engine without networks that knows the models of this test."""
    return RealRequests()


@pytest.fixture
def models(checkpoints: Path) -> Path:
    """Two models of the spring mesh and their rival, without tables."""
    for preset in ("fast", "published", "dropout"):
        save_model(checkpoints, MESH, preset)
    return checkpoints


@pytest.fixture
def open_skill(backend: Backend, models: Path) -> Open:
    """Opens the page by a link."""

    def visit(**link: str) -> AppTest:
        page = AppTest.from_function(frame, default_timeout=60)
        for name, value in ({"dataset": MESH} | link).items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return visit


def score(model: str, method: str, crps: float, **other: Any) -> dict[str, Any]:
    """A row of the card; the interval is the score less and more a tenth."""
    known: dict[str, Any] = {
        "rmse": 2 * crps,
        "ssr": 0.87,
        "rank_deviation": 0.31,
        "initial_conditions": 40,
        "members": 20,
    }
    paper: dict[str, Any] = {"crps_paper": 1.05 * crps, "mse_paper": crps**2, "ssr_paper": 0.85}
    if not model:
        known |= {"ssr": None, "rank_deviation": None, "members": None}
        paper = {}
    row = WHERE | known | paper | {"dataset": MESH, "model": model, "method": method, "runs": "20 generated"}
    row |= {"crps": crps} | other
    ends = {
        f"{name}_{end}": factor * row[name]
        for name in ("crps", "rmse", "ssr")
        for end, factor in (("low", 0.9), ("high", 1.1))
        if row[name] is not None
    }
    return ends | row


def write_card(rows: list[dict[str, Any]]) -> None:
    write_csv_table(scorecard.scorecard_path(), pd.DataFrame(rows, columns=list(scorecard.COLUMNS)))


def write_pairs(rows: list[dict[str, Any]]) -> None:
    write_csv_table(scorecard.paired_path(), pd.DataFrame(rows, columns=list(scorecard.PAIRED_COLUMNS)))


@pytest.fixture
def card(models: Path) -> None:
    """The score card of the spring mesh; rows of baselines and rivals come first, and a start frame is scored."""
    totals = [
        score("", "persistence", 0.4),
        score(f"{MESH}-dropout", "dropout", 0.015),
        score(f"{MESH}-published", "dyffusion", 0.02),
        score(f"{MESH}-fast", "dyffusion", 0.0125),
    ]
    unlike = [score(f"{MESH}-fast", "dyffusion", 0.0333, split="ood")]
    starts = [
        score(row["model"], row["method"], factor * row["crps"], start=start, rank_deviation=None)
        for row in totals
        for start, factor in (("0", 2.0), ("16", 1.0))
    ]
    channel = [score(f"{MESH}-fast", "dyffusion", 0.0777, quantity="q_x")]
    write_card([*totals, *unlike, *starts, *channel])
    pair = WHERE | {"dataset": MESH, "model": f"{MESH}-fast", "rival": f"{MESH}-dropout"}
    write_pairs([pair | {"crps_ratio": 0.83, "crps_ratio_low": 0.8, "crps_ratio_high": 0.86}])


def tried(experiment: str, setting: str, value: float | None, **other: Any) -> dict[str, Any]:
    """A row of the ablations."""
    known = {"split": "test", "calls": 240, "members": 20, "initial_conditions": 8, "crps": 0.0125, "rmse": 0.03}
    ends = {"crps_low": 0.011, "crps_high": 0.014, "ssr": 0.95, "spread": 0.02, "lead": None}
    what = {"dataset": MESH, "model": f"{MESH}-fast", "experiment": experiment, "setting": setting, "value": value}
    return what | known | ends | other


ABLATIONS = [
    tried("solver", "cold, window", None, crps=0.012, ssr=0.97),
    tried("solver", "naive, window", None, crps=0.019, ssr=0.7),
    tried("interpolator-dropout", "on", 1),
    tried("interpolator-dropout", "off", 0),
    tried("refinement", "off", 0),
    tried("refinement", "on", 1),
    tried("auxiliary", "k = 0", 0),
    tried("auxiliary", "k = 25", 25),
    tried("noise", "independent", 0),
    tried("noise", "0.5", 0.5),
    tried("noise", "window", None),
    *(tried("order", f"{name}, {noise}", 11) for noise in ("independent", "window") for name in ("Euler", "Heun")),
    tried("schedule", "stride4", 34, calls=1200, crps=0.0125),
    tried("schedule", "full", 134, calls=2400, crps=0.0120),
    tried("schedule", "stride134", 1, calls=804, crps=0.03),
    tried("members", "biased", 1, members=1, crps=0.025),
    tried("members", "fair", 2, members=2),
    tried("members", "biased", 2, members=2, crps=0.018),
    *(tried("spread", "stride4", None, lead=lead, rmse=0.01 * lead, spread=0.009 * lead) for lead in (1, 2, 3)),
    tried("training-runs", "10 runs", 10, crps=0.03),
    tried("training-runs", "100 runs", 100),
]


@pytest.fixture
def experiments(models: Path) -> None:
    """The table of experiments with the default model."""
    write_csv_table(ablation.ablations_path(), pd.DataFrame(ABLATIONS, columns=list(ablation.COLUMNS)))


def texts(page: AppTest) -> str:
    """All that the page says in running text."""
    parts = [*page.markdown, *page.caption, *page.info]
    return "\n".join(str(part.value) for part in parts)


def charts(page: AppTest) -> list[dict[str, Any]]:
    """The figures of the page from top to bottom, decoded."""
    return [json.loads(element.proto.spec) for element in page.get("plotly_chart")]


def test_without_tables_every_part_names_the_command_that_makes_its_own(open_skill: Open) -> None:
    page = open_skill()
    assert not page.error
    said = [each.value for each in page.info]
    assert len(said) == 3
    for text, command in zip(
        said,
        (
            "python -m engine scorecard --dataset spring-mesh",
            "python -m engine ablate --dataset spring-mesh --model spring-mesh-fast",
            "python -m engine calibrate --dataset spring-mesh --model spring-mesh-fast",
        ),
        strict=True,
    ):
        assert text.endswith(f"run `{command}`.")


def test_a_data_set_without_a_model_names_the_training(open_skill: Open) -> None:
    page = open_skill(dataset="navier-stokes")
    assert page.info[-1].value.endswith("run `python -m engine train navier-stokes`.")
    assert not page.get("plotly_chart")


@pytest.mark.usefixtures("card")
def test_a_data_set_that_is_not_in_the_card_is_not_scored_yet(open_skill: Open) -> None:
    assert "has not been scored yet" in open_skill(dataset="navier-stokes").info[0].value
    assert "has not been scored yet" not in texts(open_skill())


@pytest.mark.usefixtures("card")
def test_the_table_shows_the_numbers_of_the_card_models_before_baselines(open_skill: Open) -> None:
    table = open_skill().table[0].value
    assert list(table["Forecast"]) == [
        "DYffusion, calibrated",
        "DYffusion, recipe of the paper",
        "Dropout",
        "Persistence",
    ]
    plain = table.map(lambda text: text.replace("\u2060", ""))
    assert list(plain["Fair CRPS"]) == [
        "0.0125 (0.0112–0.0138)",  # 0.01125 and 0.01375 to three digits
        "0.0200 (0.0180–0.0220)",
        "0.0150 (0.0135–0.0165)",
        "0.400 (0.360–0.440)",
    ]
    assert plain["RMSE"][0] == "0.0250 (0.0225–0.0275)"
    assert list(plain["Spread ÷ RMSE"]) == [*["0.87 (0.78–0.96)"] * 3, ""]
    assert list(plain["Rank deviation"]) == ["0.31", "0.31", "0.31", ""]
    assert list(plain["CRPS ÷ Dropout"]) == ["0.83 (0.80–0.86)", "", "", ""]


@pytest.mark.usefixtures("card")
def test_runs_unlike_training_have_a_table_of_their_own(open_skill: Open) -> None:
    page = open_skill()
    assert "### Like training" in texts(page) and "### Unlike training" in texts(page)
    assert "40 initial conditions in 20 runs of a kind that no model was trained on, 20 members" in texts(page)
    assert page.table[1].value["Fair CRPS"][0].startswith("0.0333")
    assert "CRPS ÷ Dropout" not in page.table[1].value  # nothing was compared there


@pytest.mark.usefixtures("card")
def test_a_chart_shows_every_model_by_start_frame(open_skill: Open) -> None:
    (figure,) = charts(open_skill())  # runs unlike training have no scores by start
    names = ["DYffusion, calibrated", "DYffusion, recipe of<br>the paper", "Dropout", "Persistence"]
    assert [trace["name"] for trace in figure["data"]] == names
    assert figure["layout"]["xaxis"]["ticktext"] == ["0", "16"]
    assert figure["layout"]["yaxis"]["type"] == "log"  # persistence is 32 times worse


@pytest.mark.usefixtures("card")
def test_the_papers_figures_stand_below_ours_of_the_same_runs_and_start(open_skill: Open) -> None:
    page = open_skill()
    table = page.table[2].value
    like = table[table["Runs"] == "Like training"]
    assert list(like["Forecast"]) == [
        "DYffusion, calibrated",
        "DYffusion, recipe of the paper",
        "Dropout",
        "Dropout, published",
        "DYffusion, published",
    ]
    assert like["CRPS, biased form"][0] == "0.0262"  # 1.05 · 0.025, frame 0
    assert "Comparable with care" in texts(page)


@pytest.mark.usefixtures("card")
def test_a_channel_can_be_picked_and_stands_in_the_link(open_skill: Open) -> None:
    page = open_skill()
    picker = page.selectbox(key="skill/spring-mesh/quantity")
    assert picker.options == ["All channels", "Position along x q_x"]
    assert dict(page.query_params) == {"dataset": MESH}
    picker.set_value("q_x").run()
    assert page.query_params["quantity"] == "q_x"
    assert page.table[0].value["Fair CRPS"][0].startswith("0.0777")
    again = open_skill(**dict(page.query_params))
    assert again.selectbox(key="skill/spring-mesh/quantity").value == "q_x"


def test_quantities_begin_with_the_whole() -> None:
    rows = pd.DataFrame({"quantity": ["nino34", "p", "standardised", "sst", "all"]})
    assert quantities_of(rows) == ("all", "sst", "p", "nino34", "standardised")
    assert set(quantities_of(rows)[:2]) == set(FIRST_QUANTITIES)
    assert quantity_title(get_dataset("navier-stokes"), "p") == "Pressure over density p"
    assert quantity_title(get_dataset("sst-monthly"), "sst") == "Temperature, °C"


def test_a_record_is_scored_by_lead(open_skill: Open, models: Path) -> None:
    name = save_model(models, "sst-monthly", "fast")
    record = {"dataset": "sst-monthly", "quantity": "sst", "runs": "pacific"}
    leads = [score(name, "dyffusion", 0.1 * lead, lead=str(lead), **record) for lead in (2, 10, 1)]
    write_card([score(name, "dyffusion", 0.3, **record), *leads])
    page = open_skill(dataset="sst-monthly")
    assert "### Test years" in texts(page)
    assert "runs" not in page.caption[0].value
    (figure,) = charts(page)
    assert figure["layout"]["xaxis"]["title"]["text"] == "lead time (months)"
    assert figure["layout"]["yaxis"]["title"]["text"].startswith("fair CRPS (°C)")
    assert "The DYffusion paper does not score this data set." in texts(page)


@pytest.mark.usefixtures("card", "experiments")
def test_a_damaged_table_takes_only_its_own_part_away(open_skill: Open) -> None:
    scorecard.scorecard_path().write_text("dataset,model\nspring-mesh,x\n", encoding="utf-8")
    page = open_skill()
    assert len(page.error) == 1
    assert "scorecard" in page.error[0].value
    assert len(page.get("plotly_chart")) == len(EXPERIMENTS)


@pytest.mark.usefixtures("experiments")
def test_every_experiment_has_a_title_a_reading_and_a_chart(open_skill: Open) -> None:
    page = open_skill()
    assert set(EXPERIMENTS) == set(ablation.EXPERIMENTS) == {row["experiment"] for row in ABLATIONS}
    assert len(charts(page)) == len(EXPERIMENTS)
    for known in EXPERIMENTS.values():
        assert f"**{known.title}**" in texts(page)
        assert known.reading in texts(page)
    assert "8 initial conditions of the test runs, 20 members" in texts(page)


@pytest.mark.usefixtures("experiments")
def test_experiments_have_the_lines_and_dots_of_the_table(open_skill: Open) -> None:
    figures = dict(zip(EXPERIMENTS, charts(open_skill()), strict=True))
    lines = {name: [trace.get("name") for trace in figure["data"]] for name, figure in figures.items()}
    assert lines["order"] == [
        "Euler, independent noise",
        "Heun, independent noise",
        "Euler, frozen noise",
        "Heun, frozen noise",
    ]
    assert lines["members"] == ["Biased form", "Fair form"]
    assert lines["spread"] == ["RMSE", "spread"]
    assert len(lines["schedule"]) == len(lines["training-runs"]) == 1
    solver = figures["solver"]
    assert solver["layout"]["yaxis"]["ticktext"] == ["Cold, frozen noise", "Naive, frozen<br>noise"]
    assert [numbers(trace["x"]) for trace in solver["data"]] == [[0.012, 0.019], [0.97, 0.7]]
    assert figures["noise"]["layout"]["yaxis"]["ticktext"][1] == "Correlation 0.5"
    (schedule,) = figures["schedule"]["data"]
    assert numbers(schedule["x"]) == [804, 1200, 2400]  # by cost, whatever the order in the table
    assert numbers(schedule["y"]) == [0.03, 0.0125, 0.012]


def numbers(values: Any) -> list[float]:
    """An array of a figure, which may be packed, to the digits of the table."""
    if isinstance(values, dict):
        values = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return [round(float(value), 6) for value in values]


@pytest.mark.usefixtures("experiments")
def test_experiments_with_another_model_are_not_mixed_in(open_skill: Open) -> None:
    page = open_skill(model="spring-mesh-published")
    assert page.selectbox(key="skill/spring-mesh/model").value == "spring-mesh-published"
    assert page.query_params["model"] == "spring-mesh-published"
    assert "ablate --dataset spring-mesh --model spring-mesh-published" in texts(page)
    page.selectbox(key="skill/spring-mesh/model").set_value("spring-mesh-fast").run()
    assert len(page.get("plotly_chart")) == len(EXPERIMENTS)
    assert "model" not in page.query_params


@pytest.mark.usefixtures("experiments")
def test_the_download_is_the_table_as_it_is(open_skill: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    offered: list[tuple[bytes, str]] = []

    def note(label: str, data: bytes, file_name: str, *_: Any, **__: Any) -> None:
        if label != "CSV":  # which each chart has, of itself
            offered.append((data, file_name))

    monkeypatch.setattr(st, "download_button", note)
    open_skill()
    ((data, name),) = offered
    assert name == "coldcast-ablations-spring-mesh-fast.csv"
    assert data == ablation.ablations_path().read_bytes()


def test_the_front_has_a_dot_for_each_way_and_a_ring_around_the_default(open_skill: Open) -> None:
    write_front("spring-mesh-fast", (CHEAP, MIDDLE, BEST, BEATEN))  # the model's default is stride4, as BEST
    page = open_skill()
    (figure,) = charts(page)
    traces = {trace["name"]: trace for trace in figure["data"]}
    assert numbers(traces["best at its cost"]["x"]) == [134, 150, 199]
    assert numbers(traces["too sure (spread ÷ RMSE < 0.9)"]["x"]) == [134]
    assert numbers(traces["reliable (0.9 to 1.1)"]["x"]) == [199, 265]
    assert numbers(traces["not sure enough (> 1.1)"]["x"]) == [150]
    assert (numbers(traces["default"]["x"]), numbers(traces["default"]["y"])) == ([199], [0.009])
    table = page.table[0].value
    assert list(table["Calls"]) == ["134", "150", "199"]
    assert table["Way to sample"][0] == "stride134, cold, noise frozen over the window, refined"
    assert "4 initial conditions of the validation data with 10 members" in texts(page)


def test_a_default_that_was_not_measured_has_no_ring(open_skill: Open) -> None:
    write_front("spring-mesh-fast", (CHEAP, MIDDLE))
    page = open_skill()
    (figure,) = charts(page)
    assert "default" not in [trace["name"] for trace in figure["data"]]
    assert "ringed" not in texts(page)


def test_a_dropout_model_has_no_front(open_skill: Open) -> None:
    assert NO_SCHEDULE in texts(open_skill(model="spring-mesh-dropout"))


def test_the_data_set_lives_in_the_link(open_skill: Open) -> None:
    page = open_skill(model="spring-mesh-published")
    page.selectbox(key="dataset").set_value("sst-monthly").run()
    assert not page.exception and not page.error
    assert dict(page.query_params) == {"dataset": "sst-monthly"}


def test_a_data_set_that_is_not_there_is_named(open_skill: Open) -> None:
    page = open_skill(dataset="mars")
    assert len(page.error) == 1
    assert "mars" in page.error[0].value
    assert page.query_params["dataset"] == page.selectbox(key="dataset").value


def dots(values: list[float], name: str = "a") -> Dots:
    known = np.array(values)
    return Dots(name, np.arange(len(values)), known, 0.9 * known, 1.1 * known)


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1.0, 20.0], "log"), ([1.0, 3.0], "from zero"), ([1.0, 1.2], "around")],
)
def test_the_axis_of_scores_fits_their_range(values: list[float], kind: str) -> None:
    axis = trend_chart((dots(values),), x_title="x", y_title="y").layout.yaxis
    assert (axis.type == "log", axis.rangemode == "tozero", axis.range is not None) == (
        kind == "log",
        kind == "from zero",
        kind == "around",
    )


def test_dots_of_a_category_stand_side_by_side() -> None:
    figure = category_chart((dots([1.0, 2.0]), dots([1.0, 2.0], "b")), x_title="start", y_title="y")
    first, second = (list(trace.x) for trace in figure.data)
    assert first == pytest.approx([-0.175, 0.825])
    assert second == pytest.approx([0.175, 1.175])
    assert list(figure.layout.xaxis.tickvals) == [0, 1]
