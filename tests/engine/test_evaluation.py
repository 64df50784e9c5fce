"""Forecasts with known scores, evaluated; and the command with a small model."""

import csv
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import xarray as xr

import engine.evaluation
from engine.__main__ import main
from engine.commands.evaluate import report, select_runs
from engine.datasets import get_dataset
from engine.datasets.base import Channel, Dataset, Run
from engine.errors import DataError, RequestError
from engine.evaluation import CONVENTIONS, across_channels, by_lead, evaluate, overall, score_forecast
from engine.forecasting import ForecastRequest, forecast_from

FRAMES = 9


def noise_run(name: str, seed: int) -> Run:
    """Independent N(0, 1) everywhere; the first row of 20 x 30 cells is not scored."""
    states = np.random.default_rng(seed).normal(size=(FRAMES, 2, 20, 30)).astype(np.float32)
    static = np.zeros((1, 20, 30), np.float32)
    static[:, 0] = 1
    return Run(name, states, static, 0.1 * np.arange(FRAMES))


@dataclass
class Noise:
    """As much of a data set as an evaluation looks at."""

    name: str = "noise"
    calendar: None = None
    time_step: float = 0.1
    channels: tuple[Channel, ...] = (Channel("a", "m", "a"), Channel("b", "m", "b"))
    tests: dict[str, Run] = field(default_factory=lambda: {str(i): noise_run(str(i), i) for i in range(3)})

    def runs(self) -> tuple[str, ...]:
        return tuple(self.tests)

    def load(self, run: str) -> Run:
        return self.tests[run]

    def scored(self, run: Run) -> np.ndarray:
        return run.static[0] == 0


DATASET = cast(Dataset, Noise())
RUNS = [DATASET.load(name) for name in DATASET.runs()]


@pytest.fixture(autouse=True)
def no_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.evaluation, "find_baselines", lambda *_: None)


def as_forecast(members: np.ndarray) -> xr.Dataset:
    """(member, lead, channel, y, x) in the form of `engine.forecast`."""
    dims = ("member", "lead", "y", "x")
    coords = {"lead": np.arange(1.0, members.shape[1] + 1), "valid_time": ("lead", np.arange(members.shape[1]))}
    fields = {name: (dims, members[:, :, index], {"units": "m"}) for index, name in enumerate("ab")}
    return xr.Dataset(fields, coords).assign(a_init=(("y", "x"), members[0, 0, 0]))


def perfect(run: Run, start: int, steps: int) -> xr.Dataset:
    future = run.states[start + 1 : start + 1 + steps]
    return as_forecast(np.stack([future] * 4))


def exchangeable(run: Run, start: int, steps: int) -> xr.Dataset:
    draw = np.random.default_rng(1000 + start + int(run.name)).normal(size=(5, steps, *run.states.shape[1:]))
    return as_forecast(draw.astype(np.float32))


def shifted(run: Run, start: int, steps: int) -> xr.Dataset:
    """Two members 1 and 3 above the truth in channel a, 2 and 6 in b; far off where nothing is scored."""
    future = run.states[start + 1 : start + 1 + steps]
    offsets = np.array([[1.0, 2.0], [3.0, 6.0]], np.float32)[:, None, :, None, None]
    members = future + offsets
    members[..., 0, :] = 1000
    return as_forecast(members)


def test_a_perfect_forecast_scores_zero() -> None:
    scores = evaluate(DATASET, RUNS, [0, 4], perfect)
    assert float(scores["crps"].max()) == 0 and float(scores["mse"].max()) == 0


def test_the_scores_of_a_shifted_forecast_are_those_worked_by_hand() -> None:
    # channel a: mean error 2, members 2 apart: fair CRPS 2 - 1, biased 2 - 1/2, variance 2 * 3/2 or 1
    scores = score_forecast(shifted(RUNS[0], 2, 3), RUNS[0], 2, DATASET)
    expected = {"crps": (1, 2), "crps_biased": (1.5, 3), "mse": (4, 16), "variance": (3, 12), "variance_biased": (1, 4)}
    for name, values in expected.items():
        np.testing.assert_allclose(scores[name], [values] * 3, rtol=1e-4, err_msg=name)


def test_summaries_pool_before_roots_and_ratios() -> None:
    scores = evaluate(DATASET, RUNS[:2], [0], shifted)
    summary = across_channels(overall(scores))
    assert float(summary["crps"]) == pytest.approx(1.5, rel=1e-4)
    assert float(summary["rmse"]) == pytest.approx(10**0.5, rel=1e-4)
    assert float(summary["ratio"]) == pytest.approx(0.75**0.5, rel=1e-4)
    assert float(summary["pooled_ratio"]) == pytest.approx((7.5 / 10) ** 0.5, rel=1e-4)
    paper = across_channels(overall(scores, convention="paper"))
    assert float(paper["crps"]) == pytest.approx(2.25, rel=1e-4)
    assert float(paper["ratio"]) == pytest.approx(0.5, rel=1e-4)


def test_an_exchangeable_forecast_is_calibrated_at_every_lead() -> None:
    summary = by_lead(evaluate(DATASET, RUNS, [0], exchangeable))
    np.testing.assert_allclose(summary["ratio"], 1, atol=0.05)
    np.testing.assert_allclose(summary["crps"], 1 / np.pi**0.5, atol=0.03)


def test_every_start_runs_to_the_end_and_what_lies_beyond_is_nan() -> None:
    scores = evaluate(DATASET, RUNS, [0, 5], exchangeable)
    assert scores.sizes == {"run": 3, "start": 2, "lead": 8, "channel": 2, "rank": 6}
    known = scores["mse"].notnull().all(("run", "channel"))
    assert known.sel(start=5).values.tolist() == [True] * 3 + [False] * 5
    assert evaluate(DATASET, RUNS, [0, 5], exchangeable, steps=2).sizes["lead"] == 2


def test_leads_whose_truth_is_not_known_are_not_scored() -> None:
    forecast = perfect(RUNS[0], 6, 2)
    longer = xr.concat(
        [forecast, forecast.isel(lead=[0, 1]).assign_coords(lead=[0.5, 3.0])], "lead", data_vars="minimal"
    )
    assert score_forecast(longer, RUNS[0], 6, DATASET)["lead"].values.tolist() == [1.0, 2.0]


def test_fractional_leads_are_scored_where_finer_truth_is_known() -> None:
    coarse = RUNS[0]
    between = ((coarse.states[6] + coarse.states[7]) / 2)[None]
    run = replace(coarse, fine_states=between, fine_times=np.array([0.65]))
    forecast = perfect(run, 6, 2)
    half = forecast.isel(lead=[0]).assign_coords(lead=[0.5])
    for index, channel in enumerate(DATASET.channels):
        half[channel.name][:] = between[0, index]
    scores = score_forecast(xr.concat([half, forecast], "lead", data_vars="minimal"), run, 6, DATASET)
    assert scores["lead"].values.tolist() == [0.5, 1.0, 2.0]
    np.testing.assert_allclose(scores["crps"], 0, atol=1e-6)
    np.testing.assert_allclose(scores["mse"], 0, atol=1e-6)


def test_one_member_has_no_fair_scores_but_the_papers() -> None:
    scores = score_forecast(shifted(RUNS[0], 0, 2).isel(member=[0]), RUNS[0], 0, DATASET)
    assert scores["crps"].isnull().all() and scores["variance"].isnull().all()
    np.testing.assert_allclose(scores["crps_biased"], [(1, 2)] * 2, rtol=1e-4)


def test_a_start_without_a_later_frame_is_refused() -> None:
    with pytest.raises(RequestError, match="cannot be forecast from frames 0, 8; choose among 0 to 7"):
        evaluate(DATASET, RUNS, [0, 8], perfect)


def test_baselines_stand_beside_where_the_forecast_was_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(dataset: Dataset, runs: list[Run], starts: list[int]) -> xr.Dataset:
        dims = ("baseline", "run", "start", "lead", "channel")
        values = np.ones((2, len(runs), len(starts), FRAMES, 2)) * np.array([3.0, 2.0]).reshape(2, 1, 1, 1, 1)
        coords = {
            "baseline": ["persistence", "climatology"],
            "run": [run.name for run in runs],
            "start": starts,
            "lead": np.arange(1.0, FRAMES + 1),
            "channel": ["a", "b"],
        }
        return xr.Dataset({"crps": (dims, values), "mse": (dims, values**2)}, coords, {"training_runs": 9})

    monkeypatch.setattr(engine.evaluation, "find_baselines", constant)
    scores = evaluate(DATASET, RUNS[:1], [0, 5], shifted)
    assert scores["baseline_crps"].sel(start=5).notnull().all(("baseline", "run", "channel")).sum() == 3
    summary = across_channels(overall(scores))
    assert summary["baseline_crps"].values.tolist() == [3.0, 2.0]
    assert summary["baseline_rmse"].values.tolist() == [3.0, 2.0]
    lines = report(scores, every=4)
    (line,) = [line for line in lines if line.startswith("all  ")]
    assert line.split() == ["all", "1.50000", "3.16228", "0.86603", "0.86603", "3.00000", "2.00000", "0.75000"]
    assert [line.split()[1] for line in lines if line.startswith("lead")] == ["4", "8"]
    assert lines[-1] == "baselines fitted on 9 training runs"
    assert re.search(r"persistence CRPS +climatology CRPS", lines[1])
    assert all("\n" not in line for line in lines)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_report_names_its_convention_and_the_lack_of_baselines(convention: str) -> None:
    lines = report(evaluate(DATASET, RUNS[:1], [0], shifted), convention=convention)
    assert lines[0].startswith(CONVENTIONS[convention].description)
    assert "no baselines" in lines[-1]
    assert len({len(line) for line in lines[1:-2]}) == 1  # a table


def test_runs_are_chosen_by_split_and_number() -> None:
    mesh = get_dataset("spring-mesh")
    assert [run.name for run in select_runs(mesh, "test", "0,2")] == ["0", "2"]
    assert [run.name for run in select_runs(mesh, "ood", "1")] == ["ood-1"]
    with pytest.raises(RequestError, match="the ood split of spring-mesh has runs 0 to"):
        select_runs(mesh, "ood", "99")
    with pytest.raises(RequestError, match="'0;1' is no list"):
        select_runs(mesh, "test", "0;1")
    with pytest.raises(DataError, match="simulate spring-mesh --split validation"):
        select_runs(mesh, "validation", "all")
    with pytest.raises(RequestError, match="sst-monthly has no ood split"):
        select_runs(get_dataset("sst-monthly"), "ood", "all")


def test_the_command_prints_a_table_and_writes_every_score(
    mesh_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores.csv"
    words = f"evaluate --dataset spring-mesh --model {mesh_model} --members 2 --runs 0,1 --starts 0,700 --steps 8"
    assert main([*words.split(), "--no-cache", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "lead 8" in printed and "from frame 700" in printed and "all, q_y" in printed
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 8 * 4
    mesh = get_dataset("spring-mesh")
    run = mesh.load("1")
    request = ForecastRequest("spring-mesh", model=mesh_model, members=2, steps=8)
    expected = score_forecast(forecast_from(run, 700, request), run, 700, mesh).sel(lead=5, channel="q_x")
    (row,) = [
        row for row in rows if (row["run"], row["start"], float(row["lead"]), row["channel"]) == ("1", "700", 5, "q_x")
    ]
    assert float(row["crps"]) == pytest.approx(float(expected["crps"]), rel=1e-5)


def test_the_command_writes_a_record_s_scores_once_with_those_of_every_baseline(
    monthly_model: str, tmp_path: Path
) -> None:
    out = tmp_path / "scores.csv"
    words = f"evaluate --dataset sst-monthly --model {monthly_model} --members 2 --starts 400,410 --steps 2"
    assert main([*words.split(), "--no-cache", "--device", "cpu", "--out", str(out)]) == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    places = [(row["start"], row["lead"], row["channel"]) for row in rows]
    assert len(set(places)) == len(places) == 2 * 2 * 3
    (row,) = [row for row in rows if (row["start"], row["lead"], row["channel"]) == ("410", "2.0", "nino34")]
    dataset = get_dataset("sst-monthly")
    beside = engine.evaluation.baseline_scores(dataset, [dataset.load("pacific")], [410], 2)
    assert beside is not None
    at = beside.sel(run="pacific", start=410, lead=2, channel="nino34")
    for name in ("persistence", "damped persistence", "climatology"):
        for score in ("crps", "mse", "mean"):
            assert float(row[f"{name}_{score}"]) == pytest.approx(float(at[score].sel(baseline=name)), rel=1e-6)


def test_a_start_beyond_the_run_ends_in_one_sentence(monthly_model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = f"evaluate --dataset sst-monthly --model {monthly_model} --starts 2000 --no-cache"
    assert main(words.split()) == 2
    assert capsys.readouterr().err.startswith("coldcast: Run pacific cannot be forecast from frames 2000")


def test_fitting_baselines_without_training_runs_ends_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--dataset", "spring-mesh", "--fit-baselines"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("coldcast: Baselines of spring-mesh need training runs") and error.count("\n") == 1
