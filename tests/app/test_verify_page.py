"""The page that verifies a forecast: its numbers are those of the command, and where there is nothing it says why."""

import base64
import re
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import plotly.io
import pytest
import xarray as xr
from streamlit.testing.v1 import AppTest

from app import session
from app.backend import Backend, Engine
from app.plots.curves import BLUE, Curve
from app.plots.verification import Scored, interval_chart, rank_chart, spectrum_chart
from app.scoring import Conditions, Scoring, choices_of, score_all
from app.verify.card import estimate_words
from app.verify.charts import squared
from engine import forecasting
from engine.__main__ import main
from engine.bootstrap import Estimate
from engine.datasets import get_dataset
from engine.evaluation import evaluate, skill
from engine.forecasting import forecast_from
from engine.requests import ForecastRequest, ResolvedRequest, resolve
from engine.variables import variable_named
from tests.app.conftest import Open
from tests.app.fakes import FakeEngine
from tests.app.small_models import save_model

PATIENCE = 120.0  # s; only a broken page waits that long
SHORT = {
    "sst-monthly": {"init": "2015-06", "steps": "3", "members": "3"},
    "spring-mesh": {"init": "0:5", "steps": "6", "members": "4"},
    "navier-stokes": {"init": "1:0", "steps": "4", "members": "3"},
}


def frame() -> None:
    """The page in the frame of an app of its own."""
    import streamlit as st

    from app import session
    from app.screens import verify

    session.enter("verify")
    st.navigation([st.Page(verify.show, title="Verify", default=True)]).run()


@pytest.fixture
def models(checkpoints: Path) -> Path:
    """A small model of each data set that comes with the project."""
    for name in SHORT:
        save_model(checkpoints, name, "fast", schedule="full" if name == "sst-monthly" else "stride4")
    return checkpoints


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, models: Path) -> Backend:
    """A backend whose forecasts are real ones, computed in this process."""
    made = Backend(cast(Engine, forecasting))
    monkeypatch.setattr(session, "backend", lambda: made)
    monkeypatch.setattr(session, "saw_maps", lambda: True)
    return made


@pytest.fixture
def open_verify() -> Open:
    """Opens the page by a link, and waits until its forecast is there."""

    def visit(dataset: str, **link: str) -> AppTest:
        page = AppTest.from_function(frame, default_timeout=60)
        for name, value in ({"dataset": dataset} | SHORT[dataset] | link).items():
            page.query_params[name] = value
        page = settled(page.run())
        return settled(press(page, "Run")) if "badge[example]" in words(page) else page

    return visit


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def settled(page: AppTest) -> AppTest:
    """Rerun the page as its fragments do until nothing is under way."""
    deadline = time.monotonic() + PATIENCE
    while any(button.label == "Cancel" for button in page.button):
        assert time.monotonic() < deadline, "it did not end"
        time.sleep(0.05)
        page.run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    """All that the page says, without the escapes that keep Markdown out."""
    kinds = (page.markdown, page.info, page.caption, page.error)
    return re.sub(r"\\(.)", r"\1", "\n".join(each.value for kind in kinds for each in kind))


def figures(page: AppTest) -> list[Any]:
    return [plotly.io.from_json(each.proto.spec) for each in page.get("plotly_chart")]


def curve(page: AppTest, name: str) -> np.ndarray:
    """The heights of the first curve of a name."""
    found = [trace for figure in figures(page) for trace in figure.data if trace.name == name]
    assert found, name
    return numbers(found[0].y)


def numbers(values: Any) -> np.ndarray:
    """Numbers of a chart as it is sent: plotly packs arrays."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).astype(np.float64)
    return np.asarray(values, np.float64)


def run_command(line: str, out: Path) -> xr.Dataset:
    """What a line that the page shows writes, on this machine's processor."""
    program, module, engine, *arguments = shlex.split(line)
    assert (program, module, engine) == ("python", "-m", "engine")
    arguments[arguments.index("--out") + 1] = str(out)
    assert main([*arguments, "--no-cache", "--device", "cpu"]) == 0
    with xr.open_dataset(out) as found:
        return found.load()


# -- the same numbers as the command --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "variable"),
    [
        ("sst-monthly", "anomaly"),
        ("sst-monthly", "above-percentile-90"),
        ("spring-mesh", "displacement"),
        ("navier-stokes", "vorticity"),
        ("navier-stokes", "u"),
    ],
)
def test_every_number_is_that_of_the_command_for_the_same_request(
    real: Backend, open_verify: Open, tmp_path: Path, dataset: str, variable: str
) -> None:
    page = open_verify(dataset, variable=variable)
    (request,) = real.finished.requests()
    shown = real.finished.get(request)
    assert shown is not None
    expected = run_command(page.code[0].value, tmp_path / "verified.nc")
    for key in (("verified", variable), ("physics",)):
        on_page: xr.Dataset = shown.summary.kept[key]
        assert set(on_page.data_vars) <= set(expected.data_vars)
        for name in on_page.data_vars:
            np.testing.assert_allclose(
                on_page[name], expected[name], rtol=1e-6, atol=1e-9, equal_nan=True, err_msg=str(name)
            )
    assert expected.attrs["members"] == request.members


@pytest.mark.parametrize("score", ["crps", "rmse", "ratio", "bias", "surprising"])
def test_charts_draw_the_numbers_of_the_command(real: Backend, open_verify: Open, tmp_path: Path, score: str) -> None:
    page = open_verify("sst-monthly", score=score)
    expected = run_command(page.code[0].value, tmp_path / "verified.nc")
    names = {
        "crps": "fair CRPS",
        "rmse": "RMSE",
        "ratio": "spread ÷ RMSE",
        "bias": "mean − truth",
        "surprising": "surprising cells",
    }
    scale = 100 if score == "surprising" else 1
    np.testing.assert_allclose(curve(page, names[score]), scale * expected[score], rtol=1e-6)
    if score != "surprising":
        band = curve(page, f"{names[score]}, 95 % interval")
        np.testing.assert_allclose(band[:3], expected[f"{score}_high"], rtol=1e-6)
        np.testing.assert_allclose(band[3:][::-1], expected[f"{score}_low"], rtol=1e-6)
    bars = np.concatenate(
        [numbers(trace.y) for figure in figures(page) for trace in figure.data if trace.type == "bar"]
    )
    np.testing.assert_allclose(np.sort(bars), np.sort(100 * expected["rank_frequency_pooled"]), rtol=1e-6)
    spectrum = expected["spectrum"].isel(lead=-1)
    np.testing.assert_allclose(curve(page, "their mean"), spectrum.sel(of="mean"), rtol=1e-6)
    said = re.search(r"all 3 members in \*\*([\d.]+)%\*\*", words(page))
    assert said is not None and float(said.group(1)) == pytest.approx(100 * float(expected["surprising"][-1]), abs=0.05)


def test_baselines_stand_beside_the_crps_once_they_are_scored(real: Backend, open_verify: Open, tmp_path: Path) -> None:
    page = open_verify("sst-monthly")
    (request,) = real.finished.requests()
    shown = real.finished.get(request)
    assert shown is not None
    deadline = time.monotonic() + PATIENCE
    while real.awaits_baselines(shown.summary):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    page.run()
    expected = run_command(page.code[0].value, tmp_path / "verified.nc")
    np.testing.assert_allclose(
        curve(page, "climatology"), expected["baseline_crps"].sel(baseline="climatology"), rtol=1e-6
    )


# -- the score card -------------------------------------------------------------------------------------------


def test_the_score_card_is_the_evaluation_of_the_command(real: Backend, open_verify: Open, tmp_path: Path) -> None:
    page = open_verify("sst-monthly", steps="2", members="2")
    page = settled(press(page, "Score them"))
    ((scoring, scores),) = real.scored.items()
    assert scoring.conditions.count == 5
    expected = run_command(page.code[1].value, tmp_path / "scores.nc")
    assert set(scores.data_vars) == set(expected.data_vars) >= {"crps", "baseline_crps", "rank_counts"}
    for name in scores.data_vars:
        np.testing.assert_allclose(scores[name], expected[name], rtol=1e-5, atol=1e-9, err_msg=str(name))
    table = page.table[0].value
    assert table["Fair CRPS"].iloc[0] == estimate_words(skill(expected).crps)
    assert list(table["Forecast"].iloc[1:]) == ["Persistence", "Damped persistence", "Climatology"]
    assert "95 % interval over initial conditions" in words(page) and "it is rough" in words(page)


def test_a_score_card_that_was_made_is_there_for_the_next_visitor(real: Backend, open_verify: Open) -> None:
    settled(press(open_verify("spring-mesh"), "Score them"))
    assert "Score them" not in [button.label for button in open_verify("spring-mesh").button]


def test_a_score_card_can_be_cancelled_and_begun_anew(backend: Backend, engine: FakeEngine, open_verify: Open) -> None:
    page = open_verify("spring-mesh")
    engine.pause = 0.1
    page = press(page, "Score them")
    assert page.get("progress")
    page = settled(press(page, "Cancel"))
    assert not backend.scored
    assert "Score them" in [button.label for button in page.button]


@pytest.mark.parametrize(
    ("dataset", "steps", "counts"),
    [("sst-monthly", 12, 5), ("spring-mesh", 134, 2), ("navier-stokes", 64, 2), ("navier-stokes", 16, 2)],
)
def test_initial_conditions_to_score_have_a_truth_to_their_end_and_scored_baselines(
    dataset: str, steps: int, counts: int
) -> None:
    found = get_dataset(dataset)
    choices = choices_of(found, found.runs()[0], steps)
    assert choices[0].count == counts
    assert [each.count for each in choices] == sorted({each.count for each in choices})
    for each in choices:
        run = found.load(each.runs[0])
        assert max(each.starts) + steps < run.frames
        assert set(each.starts) <= set(found.scored_starts("test", run))
        assert not any(name.startswith("ood-") for name in each.runs)


def test_a_horizon_that_no_run_reaches_leaves_nothing_to_choose() -> None:
    flow = get_dataset("navier-stokes")
    assert choices_of(flow, "0", 65) == ()


def test_scoring_all_is_the_evaluation_of_the_same_forecasts(models: Path) -> None:
    dataset = get_dataset("spring-mesh")
    request = resolve(ForecastRequest("spring-mesh", model="spring-mesh-fast", steps=4, members=2))
    scoring = Scoring(request, Conditions(("0", "2"), (0, 134)), "speed")
    steps, shares = score_all(scoring, forecasting.run), []
    while True:
        try:
            reached = next(steps)
        except StopIteration as finished:
            found: xr.Dataset = finished.value
            break
        shares.append(reached.calls_done / reached.calls_total)
    assert shares == sorted(shares) and shares[-1] == 1
    runs = [dataset.load(name) for name in ("0", "2")]
    expected = evaluate(
        dataset,
        runs,
        [0, 134],
        lambda run, start, steps: forecast_from(run, start, request),
        steps=4,
        variable=variable_named("spring-mesh", "speed"),
    )
    xr.testing.assert_allclose(found, expected, rtol=1e-5)


# -- what cannot be shown -------------------------------------------------------------------------------------


def test_one_member_has_an_error_and_says_what_it_lacks(backend: Backend, open_verify: Open) -> None:
    page = open_verify("spring-mesh", members="1", score="ratio")
    assert "One member has an error, but no spread" in words(page)
    assert "every cell is surprising" in words(page)
    assert any("needs two members" in note.text for figure in figures(page) for note in figure.layout.annotations)


def test_without_a_truth_the_page_says_so_and_shows_the_physics(backend: Backend, open_verify: Open) -> None:
    last = get_dataset("sst-monthly").load("pacific").frames - 1
    page = open_verify("sst-monthly", init=f"pacific:{last}")
    assert "No truth is known at any lead of this forecast" in words(page)
    assert not [each for each in page.get("bidi_component") if str(each.proto).count("/verify")]
    assert len(figures(page)) == 2  # the mean over the sea and Niño 3.4


def test_a_yes_or_no_has_no_ranks_but_a_brier_score(backend: Backend, open_verify: Open) -> None:
    page = open_verify("sst-monthly", variable="above-percentile-90")
    assert "Yes or no has no ranks" in words(page)
    assert "**Brier score**" in words(page)


def test_the_settings_stand_in_the_link_and_come_from_it(backend: Backend, open_verify: Open) -> None:
    page = open_verify("spring-mesh", score="bias", ranks="lead", conditions="3")
    assert {"score": ["bias"], "ranks": ["lead"], "conditions": ["3"]}.items() <= query(page).items()
    assert "**Bias**" in words(page)
    other = open_verify("spring-mesh", score="wrong")
    assert "**CRPS**" in words(other) and "score" not in query(other)


def query(page: AppTest) -> dict[str, list[str]]:
    return {name: value if isinstance(value, list) else [value] for name, value in page.query_params.items()}


def test_every_system_shows_its_own_physics(backend: Backend, open_verify: Open) -> None:
    titles = {
        "navier-stokes": ("Divergence", "No-slip violation", "Speed beside walls", "Kinetic energy"),
        "spring-mesh": ("Total energy",),
        "sst-monthly": ("Mean over the sea", "Niño 3.4"),
    }
    for name, expected in titles.items():
        said = words(open_verify(name))
        assert all(f"**{title}**" in said for title in expected), name


# -- charts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """Scores that are easy to recognise."""

    lead = np.arange(1.0, 4.0)
    values = np.array([1.0, 2.0, 4.0])


def test_a_chart_of_scores_keeps_its_baselines_from_flattening_it() -> None:
    scored = Scored("CRPS", Line.values, Line.values - 0.5, Line.values + 0.5, BLUE)
    far = Curve("climatology", Line.lead, 1000 * Line.values, BLUE, is_baseline=True)
    chart = interval_chart(Line.lead, (scored,), (far,), time_units="s", units="m")
    assert chart.layout.yaxis.range[0] == 0 and 4.5 < chart.layout.yaxis.range[1] < 20
    below = Scored("bias", -Line.values, -Line.values - 0.5, -Line.values + 0.5, BLUE)
    assert interval_chart(Line.lead, (below,), time_units="s", units="m").layout.yaxis.range[0] < -4.5


def test_ranks_outside_of_the_band_have_another_colour() -> None:
    chart = rank_chart(np.array([0.5, 0.2, 0.3]), 0.25, 0.4)
    bars = {trace.name: list(trace.x) for trace in chart.data if trace.type == "bar"}
    assert bars == {"inside": [3], "outside": [1, 2]}
    lone = rank_chart(np.array([0.6, 0.4]), np.nan, np.nan)
    assert [trace.name for trace in lone.data] == ["cells"]


def test_a_spectrum_leaves_out_what_is_rounding_and_what_is_not_known() -> None:
    spectra = {"truth": np.full(3, np.nan), "members": np.array([1.0, 0.1, 1e-14])}
    chart = spectrum_chart(np.array([1.0, 2.0, 3.0]), spectra, axis="k", units="m²")
    assert [trace.name for trace in chart.data] == ["members"] and len(chart.data[0].x) == 2


@pytest.mark.parametrize(("units", "square"), [("m s⁻¹", "m² s⁻²"), ("°C", "°C²"), ("", ""), ("m² s⁻²", "m⁴ s⁻⁴")])
def test_units_are_squared_as_a_person_writes_them(units: str, square: str) -> None:
    assert squared(units) == square


def test_an_estimate_is_written_with_its_interval_where_it_has_one() -> None:
    assert estimate_words(Estimate(1.234, 1.0, 1.5)).replace("\u2060", "") == "1.23 (1.00–1.50)"
    assert estimate_words(Estimate(1.234, float("nan"), float("nan"))) == "1.23"


def test_a_request_s_own_initial_condition_is_not_scored() -> None:
    request = ResolvedRequest("spring-mesh", model="x", init="7:3")
    requests = Scoring(request, Conditions(("0", "1"), (0, 134)), "speed").requests
    assert [each.init for each in requests] == ["0:0", "0:134", "1:0", "1:134"]
