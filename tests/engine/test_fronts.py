"""The calibration of a model: its front, its default, and the best request that a time allows."""

import itertools
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import engine.fronts
import engine.requests
from engine.__main__ import main
from engine.checkpoint import list_checkpoints, load_card
from engine.datasets import get_dataset
from engine.errors import CheckpointError, DataError, RequestError
from engine.forecasting import ForecastRequest
from engine.fronts import (
    FRONT_FILE,
    FrontPoint,
    apply_recommended,
    best_under,
    calibrate,
    measure_seconds_per_call,
    pareto,
    read_front,
    recommended,
    within,
    write_front,
)
from engine.requests import calls_per_member, resolve
from engine.trials import Ground, calls_in_window

from .conftest import save_small_checkpoint

MESH = get_dataset("spring-mesh")


def point(calls: int, crps: float, ssr: float = 1.0, schedule: str = "stride4", noise: str = "step") -> FrontPoint:
    return FrontPoint(schedule, "cold", "forecast", noise, False, calls, crps, ssr, 4, 10, "validation")


MEASURED = (
    point(532, 0.010, 0.7, "full", "independent"),
    point(232, 0.009, 1.2, "stride4", "0.5"),
    point(157, 0.012, 0.95, "stride16"),
    point(134, 0.020, 1.05, "stride134", "window"),
)


@pytest.fixture
def calibrated(mesh_model: str, tmp_path: Path) -> str:
    """A copy of the small model with a calibration."""
    folder = tmp_path / "mesh"
    shutil.copytree(mesh_model, folder)
    write_front(folder, MEASURED)
    return str(folder)


def test_the_pareto_front_is_what_brute_force_finds() -> None:
    random = np.random.default_rng(2)
    for _ in range(30):
        drawn = {(int(calls), float(crps)) for calls, crps in random.integers(1, 9, size=(12, 2))}
        points = [point(calls, crps) for calls, crps in drawn]
        unbeaten = {p for p in points if not any(q != p and q.calls <= p.calls and q.crps <= p.crps for q in points)}
        found = pareto(points)
        assert set(found) == unbeaten and len(found) == len(unbeaten)
        assert [p.calls for p in found] == sorted(p.calls for p in found)


def test_the_recommended_point_is_the_best_calibrated_one() -> None:
    assert recommended(MEASURED) == MEASURED[2]  # 0.009 and 0.010 are out of 0.9 … 1.1


def test_where_none_is_calibrated_the_nearest_ratio_among_the_nearly_best_is_recommended() -> None:
    points = [
        point(9, 1.00, 0.5),
        point(8, 1.029, 0.8),
        point(7, 1.02, 1.25),
        point(6, 1.031, 0.89),
        point(5, 1.01, 0.3),
    ]
    assert recommended(points) == points[1]


def test_a_calibration_is_read_as_it_was_written_by_calls(calibrated: str) -> None:
    assert read_front(calibrated) == tuple(sorted(MEASURED, key=lambda p: p.calls))


def test_a_missing_or_damaged_calibration_names_the_remedy(calibrated: str) -> None:
    path = Path(calibrated) / FRONT_FILE
    remedy = "python -m engine calibrate --dataset spring-mesh --model mesh"
    text = path.read_text()
    for damaged in (text.replace("0.02", "much"), text.replace("0.02", ""), text.replace("False", "maybe"), ""):
        path.write_text(damaged)
        with pytest.raises(DataError, match=remedy):
            read_front(calibrated)
    path.unlink()
    with pytest.raises(DataError, match=remedy):
        read_front(calibrated)
    with pytest.raises(CheckpointError, match="no-such"):
        read_front("no-such")


def test_the_best_under_a_time_is_what_enumeration_finds(calibrated: str) -> None:
    members, steps, pace = 6, 201, 1e-3
    asked = ForecastRequest("spring-mesh", calibrated, members=members, steps=steps)
    seconds = {p: pace * members * calls_per_member(p.apply(asked)) for p in MEASURED}
    for allowed in (*seconds.values(), max(seconds.values()) + 1):
        fitting = [p for p in MEASURED if seconds[p] <= allowed]
        expected = min(fitting, key=lambda p: p.crps)
        assert best_under(resolve(asked), allowed, seconds_per_call=pace) == expected
    with pytest.raises(RequestError, match="6 members × 201 steps take"):
        best_under(resolve(asked), min(seconds.values()) * 0.99, seconds_per_call=pace)


def test_twice_the_members_need_twice_the_time(calibrated: str) -> None:
    calls = calls_per_member(MEASURED[3].apply(ForecastRequest("spring-mesh", calibrated, steps=134)))
    assert calls == 134  # one step, and the 133 leads inside
    two = resolve(ForecastRequest("spring-mesh", calibrated, members=2, steps=134))
    assert best_under(two, 134.0, seconds_per_call=0.5) == MEASURED[3]
    with pytest.raises(RequestError, match="take 2"):
        best_under(replace(two, members=4), 134.0, seconds_per_call=0.5)


def test_leads_asked_for_beside_the_whole_ones_count_too(calibrated: str) -> None:
    asked = resolve(ForecastRequest("spring-mesh", calibrated, members=2, steps=134, output_leads=(0.5,)))
    best = partial(best_under, asked, seconds_per_call=0.5)
    assert best(135.0) == MEASURED[3]
    with pytest.raises(RequestError, match="take 140 s"):
        best(134.0)


@pytest.mark.parametrize("pace", [0.0123, 0.777, 3.3])
def test_the_time_that_a_refusal_names_is_enough(calibrated: str, pace: float) -> None:
    asked = resolve(ForecastRequest("spring-mesh", calibrated, members=3, steps=134))
    with pytest.raises(RequestError) as refusal:
        best_under(asked, 1e-3, seconds_per_call=pace)
    named = float(str(refusal.value).split("take ")[1].split(" s")[0])
    assert named < 1.1 * 3 * 134 * pace
    assert best_under(asked, named, seconds_per_call=pace) == MEASURED[3]


def test_the_pace_is_the_time_of_a_few_calls_divided_by_their_number(mesh_model: str) -> None:
    clock = itertools.count(100, 24).__next__  # 24 s go by between two looks
    pace = measure_seconds_per_call(ForecastRequest("spring-mesh", mesh_model, members=4), device="cpu", clock=clock)
    assert pace == 24 / (6 * 4)  # leads 0, 1 and 2: 3 (3 - 1) calls of each member


def test_a_time_allowed_decides_how_to_run_and_nothing_else(calibrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.fronts, "measure_seconds_per_call", lambda *_, **__: 1e-3)
    request = ForecastRequest("spring-mesh", calibrated, members=3, steps=134, seed=9)
    assert within(request, 100) == replace(
        request, schedule="stride4", solver="cold", last_step="forecast", noise="0.5", refine=False
    )
    assert within(request, 0.41).schedule == "stride134"  # 134 calls × 3 members × 1 ms
    with pytest.raises(RequestError, match=r"take 0\.42 s"):  # ten leads more
        within(replace(request, output_leads=tuple(lead + 0.5 for lead in range(6))), 0.41)
    with pytest.raises(RequestError, match="the schedule too"):
        within(replace(request, schedule="full"), 100)
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(RequestError, match="number of seconds above 0"):
            within(request, seconds)


def test_a_calibration_tries_every_schedule_then_what_is_near_the_best(
    mesh_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules = ("stride45", "stride67", "stride134")
    monkeypatch.setattr(engine.fronts, "schedules_to_try", lambda _: schedules)
    card = load_card(mesh_model)
    ground = Ground(MESH, "test", (MESH.load("0"), MESH.load("1")), (0,), 2, "cpu")
    request = resolve(ForecastRequest("spring-mesh", mesh_model, members=2))
    points = list(calibrate(ground, card, request))
    ways = [(p.schedule, p.noise, p.refine) for p in points]
    assert len(set(ways)) == len(ways)
    first = [(schedule, noise, False) for schedule in schedules for noise in ("independent", "0.5", "window")]
    assert ways[: len(first)] == first
    assert {noise for _, noise, _ in ways[len(first) :]} >= {"0.25", "0.75", "step", "none"}
    for p in points:
        assert p.calls == calls_in_window(resolve(p.apply(request)), 134)
        assert (p.members, p.initial_conditions, p.split) == (2, 2, "test")
    with pytest.raises(RequestError, match="1 member"):
        next(calibrate(ground, card, replace(request, members=1)))


def test_the_recommended_default_changes_the_card_but_not_its_digest(calibrated: str) -> None:
    before = load_card(calibrated)
    apply_recommended(calibrated)
    after = load_card(calibrated)
    assert after.defaults == replace(before.defaults, schedule="stride16", noise="step", refine=False)
    assert after.digest == before.digest
    assert replace(after, defaults=before.defaults) == before


def test_every_bundled_calibration_can_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.requests, "parse_initial_condition", lambda *_: None)  # data that users fetch
    for model in list_checkpoints():
        card = load_card(model)
        try:
            points = read_front(model)
        except DataError:
            continue  # not calibrated yet
        for p in points:
            request = resolve(p.apply(ForecastRequest(card.dataset, model)))
            assert p.calls == calls_in_window(resolve(request), card.horizon)


def test_the_command_writes_the_front_and_applies_the_default_when_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.fronts, "schedules_to_try", lambda _: ("stride3", "stride6"))
    model = save_small_checkpoint(tmp_path / "monthly", "sst-monthly")
    words = f"calibrate --dataset sst-monthly --model {model} --split test --every-start 60 --members 2 --steps 1"
    assert main([*words.split(), "--apply", "--device", "cpu"]) == 0
    points = read_front(model)
    printed = capsys.readouterr().out
    default = recommended(points)
    (line,) = [line for line in printed.splitlines() if line[1:2] == ">"]
    assert line[2:].split()[:2] == [default.schedule, default.noise]
    assert load_card(model).defaults.noise == default.noise
    assert printed.count("\n*") == len(pareto(points)) + 1  # and the line that explains the mark


def test_the_forecast_command_says_how_it_runs_within_the_time(
    calibrated: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.fronts, "measure_seconds_per_call", lambda *_, **__: 1e-6)
    words = f"forecast --dataset spring-mesh --model {calibrated} --members 2 --steps 3 --no-cache --device cpu"
    assert main([*words.split(), "--within", "60", "--out", str(tmp_path / "f.nc")]) == 0
    assert "schedule stride4, solver cold, noise 0.5" in capsys.readouterr().err
    assert main([*words.split(), "--within", "1e-9", "--out", str(tmp_path / "g.nc")]) == 2
    assert "than the 1e-09 s given" in capsys.readouterr().err
