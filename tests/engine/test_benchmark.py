"""The benchmark runs, counts right, and its plain loop is the engine's forecast. Nothing is asserted about time."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from engine.benchmark import (
    PEAK_SHAPES,
    Calls,
    compare,
    convolution_peak,
    count_calls,
    measure,
    members_table,
    plain_forecast,
    plain_pair,
    plan_of,
)
from engine.commands import benchmark
from engine.errors import RequestError
from engine.member_windows import Plan
from engine.models.dynamics import Interpolator, Network
from engine.models.layers import Dropout
from engine.requests import ForecastRequest, resolve
from engine.window import Pair
from tests.engine.conftest import save_small_checkpoint


@pytest.fixture
def mesh(mesh_model: str) -> ForecastRequest:
    return ForecastRequest("spring-mesh", model=mesh_model, steps=140, members=2, seed=3)


@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("noise", ["independent", "step", "window", "0.5"])
def test_the_plain_loop_gives_the_engines_members(mesh: ForecastRequest, refine: bool, noise: str) -> None:
    comparison = compare(resolve(replace(mesh, refine=refine, noise=noise, steps=70)), members=2)
    assert comparison.agree
    assert comparison.difference < 1e-3


def test_the_plain_loop_of_the_flow_gives_the_engines_members(flow_model: str) -> None:
    request = ForecastRequest("navier-stokes", model=flow_model, steps=18, members=2)
    assert compare(resolve(request), members=2).agree


def test_another_solver_and_precision_are_compared_by_the_cold_solver_in_fp32(mesh: ForecastRequest) -> None:
    request = resolve(replace(mesh, solver="heun", last_step="solver", precision="bf16", steps=10))
    assert compare(request, members=1).agree


def test_a_wrong_plain_loop_is_found_out(mesh: ForecastRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def off(plan: Plan, pair: Pair) -> np.ndarray:
        return plain_forecast(plan, pair) + 0.1

    monkeypatch.setattr("engine.benchmark.plain_forecast", off)
    assert not compare(resolve(mesh), members=1).agree


@pytest.mark.parametrize("refine", [False, True])
def test_counted_calls_are_those_that_the_networks_receive(mesh: ForecastRequest, refine: bool) -> None:
    request = resolve(replace(mesh, refine=refine, members=1))
    received = {"forecaster": 0, "interpolator": 0}

    def counted(name: str, network: Network) -> Network:
        def call(x: Tensor, lead: Tensor, dropout: Dropout | None) -> Tensor:
            received[name] += len(x)
            return network(x, lead, dropout)

        return call

    pair = plain_pair(request.model)
    forecaster = replace(pair.forecaster, network=counted("forecaster", pair.forecaster.network))
    assert isinstance(pair.interpolator, Interpolator)
    interpolator = replace(pair.interpolator, network=counted("interpolator", pair.interpolator.network))
    plain_forecast(plan_of(request), replace(pair, forecaster=forecaster, interpolator=interpolator))
    calls = count_calls(request)
    assert received == {"forecaster": calls.forecaster, "interpolator": calls.interpolator}


def test_a_members_operations_are_its_calls_times_their_cost() -> None:
    assert Calls(forecaster=2, interpolator=3, forecaster_flops=5, interpolator_flops=7).flops == 2 * 5 + 3 * 7


def test_a_report_relates_all_members_operations_to_the_wall_time(mesh: ForecastRequest) -> None:
    report = measure(replace(mesh, steps=3), plain_members=5)
    assert report.comparison.members == 2  # no more than the request has
    assert report.peak_memory > 10 * 2**20
    assert report.flops_per_second * report.seconds == pytest.approx(2 * report.calls.flops)


def test_the_plain_loop_needs_a_member(mesh: ForecastRequest) -> None:
    with pytest.raises(RequestError, match="at least 1"):
        measure(mesh, plain_members=0)


def test_the_convolution_peak_is_that_of_the_fastest_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = iter([3.0, 9.0, 1.0, 2.0, 4.0])
    monkeypatch.setattr("engine.benchmark._convolution_speed", lambda *_: next(speeds))
    assert len(PEAK_SHAPES) == 5
    assert convolution_peak("fp32") == 9.0


def test_the_table_has_a_row_for_every_number_of_members_over_half_and_all_steps(mesh: ForecastRequest) -> None:
    table = members_table(replace(mesh, steps=8), (1, 3))
    assert [row[:2] for row in table] == [(1, 4), (3, 4), (1, 8), (3, 8)]
    lines = benchmark.describe_table([(2, 4, 3.0)]).splitlines()
    assert lines[1].split() == ["2", "4", "3.00", "1.5000"]


def test_the_command_measures_a_preset_with_random_weights(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.benchmark.PEAK_SHAPES", ((1, 2, 4, 4),))
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    words = ["--dataset", "spring-mesh", "--preset", "paper", "--members", "1", "--steps", "3", "--plain-members", "1"]
    assert benchmark.run(parser.parse_args(words)) == 0
    shown = capsys.readouterr().out
    assert "plain loop" in shown and "engine, bf16" in shown and "from the store" in shown


def test_the_command_prints_every_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.benchmark.PEAK_SHAPES", ((1, 2, 4, 4),))
    model = save_small_checkpoint(tmp_path / "mesh", "spring-mesh", schedule="0,67")
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    words = ["--dataset", "spring-mesh", "--model", model, "--members", "2", "--steps", "3"]
    assert benchmark.run(parser.parse_args(words)) == 0
    shown = capsys.readouterr().out
    for label in ("convolution peak", "wall time", "network calls", "achieved", "peak memory", "agreement"):
        assert label in shown
    assert "2 F and 4 I per member" in shown  # F at 0 and 67; I at 67 while stepping and at 1, 2, 3
