"""The lines that the page hands out are run, and compared with the numbers of the page."""

import csv
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from app.exports.code import evaluate_line, forecast_line, python_lines, settings
from app.exports.forecast_file import request_of
from app.summary import Scores, Summary, summarise
from engine import ForecastRequest, forecast
from engine.__main__ import main
from engine.cache import default_cache
from engine.datasets import get_dataset
from engine.datasets.netcdf import NETCDF_LOCK
from engine.forecasting import background_fields, resolve, static_fields, truth
from engine.requests import ResolvedRequest
from engine.variables import variable_named
from tests.engine.conftest import save_small_checkpoint

ODD = {"steps": 3, "members": 2, "schedule": "0,4", "solver": "heun", "refine": True, "seed": 11}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A small model of every data set that comes with the project."""
    folder = tmp_path_factory.mktemp("models")
    names = ("navier-stokes", "spring-mesh", "sst-monthly")
    return {name: save_small_checkpoint(folder / name, name, schedule="0,3") for name in names}


@pytest.fixture
def shown(models: dict[str, str]) -> Callable[..., Summary]:
    """What the page keeps of a forecast."""

    def summary(name: str, **asked: Any) -> Summary:
        request = resolve(ForecastRequest(name, models[name], **asked))
        dataset = get_dataset(name)
        background = background_fields(request) if dataset.calendar is not None else None
        result = forecast(request, cache=default_cache())
        return summarise(result, truth(request), static_fields(request), dataset, background)

    return summary


def resolver(model: str) -> Callable[[ForecastRequest], ResolvedRequest]:
    """`resolve` where the data set's first model is this one."""
    return lambda request: resolve(replace(request, model=request.model or model))


def run_command(line: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Run a line of the command line in a folder."""
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "engine"]
    monkeypatch.chdir(folder)
    assert main(words[3:]) == 0


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize(
    ("dataset", "variable", "asked"),
    [
        ("navier-stokes", "speed", {**ODD, "init": "1:4", "output_leads": (0.5,)}),
        ("navier-stokes", "u", {"steps": 2, "members": 2}),
        ("spring-mesh", "displacement", {"steps": 2, "members": 1}),
        ("sst-monthly", "anomaly", {"init": "2015-06", "steps": 2, "members": 2, "noise": "0.5"}),
    ],
)
def test_the_python_lines_make_the_maps_and_the_scores_of_the_page(
    dataset: str, variable: str, asked: dict[str, Any], complete: bool, shown: Callable[..., Summary]
) -> None:
    summary = shown(dataset, **asked)
    given = settings(request_of(summary), resolve, complete=complete)
    made: dict[str, Any] = {}
    exec(python_lines(given, variable, members=summary.members, scored=True), made)
    maps = summary.maps(variable_named(dataset, variable))
    np.testing.assert_allclose(made["mean"], maps.mean[1:], atol=1e-5)
    if summary.members > 1:
        np.testing.assert_allclose(made["spread"], maps.spread[1:], atol=1e-5)
        np.testing.assert_allclose(made["scores"]["crps"], maps.scores.crps, rtol=1e-4)
        np.testing.assert_allclose(made["scores"]["spread"], beside_truth(maps.scores, "spread"), rtol=1e-4)
    np.testing.assert_allclose(made["scores"]["rmse"], maps.scores.rmse, rtol=1e-4)
    assert summary.ensemble is not None
    for name, values in summary.ensemble.members.items():
        np.testing.assert_allclose(made["result"][name], values, atol=1e-5)


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize(
    ("dataset", "variable", "asked"),
    [
        ("navier-stokes", "vorticity", {**ODD, "init": "1:4", "output_leads": (0.5,), "refine": False}),
        ("sst-monthly", "sst", {"init": "2015-06", "steps": 2, "members": 2}),
    ],
)
def test_the_commands_write_the_members_and_the_scores_of_the_page(
    dataset: str,
    variable: str,
    asked: dict[str, Any],
    complete: bool,
    shown: Callable[..., Summary],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    summary = shown(dataset, **asked)
    given = settings(request_of(summary), resolve, complete=complete)
    run_command(forecast_line(given), monkeypatch, tmp_path)
    with NETCDF_LOCK, xr.open_dataset(tmp_path / "forecast.nc") as file:
        written = file.load()
    assert summary.ensemble is not None
    for name, values in summary.ensemble.members.items():
        np.testing.assert_allclose(written[name], values, atol=1e-5)
    run_command(evaluate_line(given, variable), monkeypatch, tmp_path)
    with (tmp_path / "scores.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    scores = summary.maps(variable_named(dataset, variable)).scores
    for name in ("crps", "rmse", "spread"):
        found = scores_in(rows, name)
        np.testing.assert_allclose(found, beside_truth(scores, name), rtol=1e-4)


def beside_truth(scores: Scores, name: str) -> np.ndarray:
    """A score of the page at the leads with a truth; the others are not verified."""
    return np.where(np.isfinite(scores.rmse), getattr(scores, name), np.nan)


def scores_in(rows: list[dict[str, str]], name: str) -> list[float]:
    """A score by lead from the rows of the file."""
    return [float(row["value"] or "nan") for row in rows if row["quantity"] == name]


def test_only_what_differs_from_the_defaults_is_said(models: dict[str, str]) -> None:
    own = resolver(models["navier-stokes"])
    usual = replace(own(ForecastRequest("navier-stokes")), init="0:0")

    def page(request: ForecastRequest) -> ResolvedRequest:
        return replace(own(request), init="0:0") if request.init == 0 else own(request)

    assert settings(usual, page) == {"dataset": "navier-stokes"}
    changed = replace(usual, members=7, refine=True, init="2:1")
    assert settings(changed, page) == {"dataset": "navier-stokes", "init": "2:1", "members": 7, "refine": True}
    other = save_small_checkpoint(Path(models["navier-stokes"]).with_name("other"), "navier-stokes", members=9)
    assert settings(replace(usual, model=other, members=9, schedule="stride4"), page) == {
        "dataset": "navier-stokes",
        "model": other,
    }


def test_every_setting_is_said_where_that_is_asked_for(models: dict[str, str]) -> None:
    request = resolve(ForecastRequest("sst-monthly", models["sst-monthly"], init="2015-06", output_leads=(0.5,)))
    given = settings(request, resolve, complete=True)
    assert set(given) == set(ForecastRequest.__dataclass_fields__)
    assert given["init"] == "2015-06"  # frames shift as a record grows, dates do not
    assert resolve(ForecastRequest(**given)) == replace(request, init=given["init"])


def test_a_command_quotes_what_a_shell_would_take_amiss() -> None:
    line = forecast_line({"dataset": "navier-stokes", "model": "a b; rm -rf $HOME", "init": "-1", "refine": False})
    words = shlex.split(line)
    assert words[words.index("--model") + 1] == "a b; rm -rf $HOME"
    assert "--init=-1" in words and "--no-refine" in words


def test_a_hostile_name_is_no_code() -> None:
    name = '"); __import__("os").abort() #'
    lines = python_lines({"dataset": "navier-stokes", "model": name}, "speed", members=2, scored=False)
    compile(lines, "lines", "exec")
    assert repr(name) in lines


def test_one_member_has_no_spread_and_no_truth_no_scores() -> None:
    lines = python_lines({"dataset": "navier-stokes"}, "speed", members=1, scored=False)
    assert "spread" not in lines and "verify_request" not in lines
    assert "spread" in python_lines({"dataset": "navier-stokes"}, "speed", members=2, scored=True)
