"""The orchestrator: contracts of the result, member invariance, storage, continuation, refusals."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

import engine
from engine.checkpoint import Conditioning
from engine.datasets import get_dataset
from engine.errors import Cancelled, EngineError, RequestError
from engine.forecasting import (
    ForecastRequest,
    Progress,
    calls_per_member,
    calls_to_make,
    forecast,
    output_leads,
    partial_forecast,
    resolve,
    run,
    static_fields,
    truth,
)
from engine.models import dynamics
from engine.noise import MemberNoise
from tests.engine.conftest import save_small_checkpoint


class DictCache(dict[str, np.ndarray]):
    """A store in memory that counts what is written."""

    writes = 0

    def get(self, key: str, default: object = None) -> Any:
        return super().get(key)

    def holds(self, key: str) -> bool:
        return key in self

    def put(self, key: str, array: np.ndarray) -> bool:
        self.writes += 1
        self[key] = array.copy()
        return True


@pytest.fixture
def mesh(mesh_model: str) -> ForecastRequest:
    return ForecastRequest("spring-mesh", model=mesh_model, steps=140, members=3)


@pytest.fixture
def flow(flow_model: str) -> ForecastRequest:
    return ForecastRequest("navier-stokes", model=flow_model, steps=18, members=2)


def values(result: xr.Dataset, channel: str = "q_x") -> np.ndarray:
    return result[channel].values


def test_engine_exposes_the_call_and_the_request() -> None:
    assert engine.forecast is forecast
    assert engine.ForecastRequest is ForecastRequest


def test_the_result_has_the_promised_form(flow: ForecastRequest) -> None:
    result = engine.forecast(flow)
    assert dict(result.sizes) == {"member": 2, "lead": 18, "y": 42, "x": 221}
    assert list(result.lead.values) == list(range(1, 19))
    for channel in get_dataset("navier-stokes").channels:
        variable = result[channel.name]
        assert variable.dims == ("member", "lead", "y", "x")
        assert variable.dtype == np.float32
        assert variable.attrs["units"] == channel.units
        assert np.isfinite(variable.values).all()
        assert result[f"{channel.name}_init"].dims == ("y", "x")
    assert json.loads(result.attrs["request"])["members"] == 2
    assert float(result.valid_time[0] - result.init_time) == pytest.approx(0.08)


def test_the_members_of_another_initial_condition_have_other_noise(
    mesh: ForecastRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = MemberNoise.uniform_bytes

    def note(self: MemberNoise, role: str, count: int) -> torch.Tensor:
        seen.append(self.start)
        return real(self, role, count)

    monkeypatch.setattr(MemberNoise, "uniform_bytes", note)
    for init in ("0:0", "0:1"):
        forecast(replace(mesh, init=init, steps=1))
    assert len(set(seen)) == 2 and "" not in seen


def test_members_differ_and_the_seed_changes_them(mesh: ForecastRequest) -> None:
    first, second = values(forecast(mesh)), values(forecast(replace(mesh, seed=1)))
    assert not np.allclose(first[0], first[1])
    assert not np.allclose(first, second)


def test_a_forecast_is_a_pure_function_of_its_request(mesh: ForecastRequest) -> None:
    xr.testing.assert_identical(forecast(mesh), forecast(mesh))


@pytest.fixture
def two_fields_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.batching.CACHE_BYTES", 2 * 4 * 100 * 8)  # of the network's width, 8


def test_a_member_does_not_depend_on_how_many_run_beside_it(mesh: ForecastRequest) -> None:
    many = values(forecast(replace(mesh, members=7)))
    np.testing.assert_allclose(values(forecast(mesh)), many[:3], rtol=0, atol=1e-5)


def test_a_member_does_not_depend_on_the_batch(mesh: ForecastRequest, request: pytest.FixtureRequest) -> None:
    many = values(forecast(replace(mesh, members=7)))
    request.getfixturevalue("two_fields_at_once")
    np.testing.assert_allclose(values(forecast(replace(mesh, members=7))), many, rtol=0, atol=1e-5)


def test_steps_and_output_leads_do_not_change_a_trajectory(mesh: ForecastRequest) -> None:
    plain = forecast(mesh)
    more = forecast(replace(mesh, steps=150, output_leads=(0.5, 133.25)))
    np.testing.assert_allclose(more.sel(lead=plain.lead).q_x.values, values(plain), rtol=0, atol=1e-5)
    assert {0.5, 133.25} <= set(more.lead.values)


def test_refinement_changes_frames_inside_a_window_but_not_its_end(mesh: ForecastRequest) -> None:
    plain, refined = forecast(mesh), forecast(replace(mesh, refine=True))
    for lead in (134.0,):
        np.testing.assert_allclose(refined.q_x.sel(lead=lead), plain.q_x.sel(lead=lead), rtol=0, atol=1e-6)
    assert not np.allclose(refined.q_x.sel(lead=30.0), plain.q_x.sel(lead=30.0), atol=1e-7)


@pytest.mark.parametrize("noise", ["independent", "step", "window", "0.5"])
@pytest.mark.parametrize("solver", ["cold", "naive", "heun"])
def test_every_solver_and_coupling_runs_and_costs_what_it_says(
    mesh: ForecastRequest, noise: str, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(mesh, noise=noise, solver=solver, last_step="solver", refine=True)
    seen: list[tuple[int, int]] = []
    forecast(request, progress=lambda p: seen.append((p.calls_done, p.calls_total)))
    before_last, last = seen[-2:]
    assert before_last[0] == last[0] == last[1] == 3 * calls_per_member(request)


def test_boundary_conditions_hold_for_every_member(flow: ForecastRequest, mesh: ForecastRequest) -> None:
    result, static = forecast(flow), static_fields(flow)
    held = static.fixed.values > 0
    y = result.y.values
    for lead in range(18):
        inflow = 4 * y * (0.41 - y) / 0.41**2 * (1 - np.exp(-5 * float(result.valid_time[lead])))
        for member in range(2):
            fields = result.isel(member=member, lead=lead)
            np.testing.assert_allclose(fields.u.values[:, 0], inflow, atol=1e-6)
            assert (fields.u.values[:, 1:][held[:, 1:]] == 0).all()
            assert (fields.v.values[held] == 0).all()
            assert (fields.p.values[static.obstacle.values > 0] == 0).all()
    lattice = forecast(mesh)
    assert (lattice.p_x.values[..., 9, :] == 0).all()
    np.testing.assert_array_equal(
        lattice.q_x.values[..., 9, :], np.broadcast_to(lattice.q_x_init.values[9], (3, 140, 10))
    )


@pytest.fixture
def fields(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many fields each network call saw."""
    seen: list[int] = []
    for part in (dynamics.Forecaster, dynamics.Interpolator):
        real = part.__call__

        def counted(self: Any, x: torch.Tensor, *rest: Any, real: Any = real, **named: Any) -> torch.Tensor:
            seen.append(len(x))
            return real(self, x, *rest, **named)

        monkeypatch.setattr(part, "__call__", counted)
    return seen


def test_a_stored_forecast_comes_back_without_a_network_call(mesh: ForecastRequest, fields: list[int]) -> None:
    cache = DictCache()
    reports: list[Progress] = []
    first = forecast(mesh, cache=cache)
    fields.clear()
    again = forecast(mesh, cache=cache, progress=reports.append)
    xr.testing.assert_identical(first, again)
    assert fields == []
    assert reports[-1].calls_stored == reports[-1].calls_done == reports[-1].calls_total == 3 * calls_per_member(mesh)


def test_growing_the_ensemble_computes_the_new_members_alone(mesh: ForecastRequest, fields: list[int]) -> None:
    cache = DictCache()
    twenty, fifty = replace(mesh, members=20), replace(mesh, members=50)
    first = forecast(twenty, cache=cache)
    assert sum(fields) == 20 * calls_per_member(mesh)
    entries = cache.writes
    fields.clear()
    grown = forecast(fifty, cache=cache)
    assert sum(fields) == 30 * calls_per_member(mesh)
    assert cache.writes == entries * 50 // 20
    np.testing.assert_array_equal(values(grown)[:20], values(first))


def test_a_longer_forecast_continues_from_what_is_stored(mesh: ForecastRequest, fields: list[int]) -> None:
    cache = DictCache()
    short, long = replace(mesh, steps=134), replace(mesh, steps=268)
    forecast(short, cache=cache)
    fields.clear()
    longer = forecast(long, cache=cache)
    assert sum(fields) == 3 * (calls_per_member(long) - calls_per_member(short))
    np.testing.assert_allclose(values(longer), values(forecast(long)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("refine", [False, True])
def test_the_calls_still_to_be_made_are_those_that_are_made(
    mesh: ForecastRequest, fields: list[int], refine: bool
) -> None:
    cache, asked = DictCache(), replace(mesh, steps=268, refine=refine)
    assert calls_to_make(asked, cache) == 3 * calls_per_member(asked)
    forecast(replace(asked, members=2, steps=134), cache=cache)
    fields.clear()
    left = calls_to_make(asked, cache)
    forecast(asked, cache=cache)
    assert left == sum(fields) > 0
    assert calls_to_make(asked, cache) == 0


def test_what_has_arrived_is_the_forecast_s_own_beginning(mesh: ForecastRequest, two_fields_at_once: None) -> None:
    request = resolve(replace(mesh, steps=268, members=5))
    parts: dict[tuple[int, int], xr.Dataset] = {}
    for reached in run(request):
        assert reached.ensemble is not None
        if min(reached.ensemble.block_shape) and reached.ensemble.block_shape not in parts:
            parts[reached.ensemble.block_shape] = partial_forecast(request, reached.ensemble)
    assert list(parts) == [(1, 134), (1, 268), (3, 268), (5, 268)]
    whole = forecast(request)
    for (members, leads), part in parts.items():
        xr.testing.assert_identical(part, whole.isel(member=slice(0, members), lead=slice(0, leads)))


def test_the_first_window_of_the_first_members_is_a_forecast_too(mesh: ForecastRequest) -> None:
    request = resolve(replace(mesh, steps=268))
    ensemble = next(
        reached.ensemble for reached in run(request) if reached.ensemble and reached.ensemble.block_shape[1]
    )
    part = partial_forecast(request, ensemble)
    whole = forecast(request)
    xr.testing.assert_identical(part, whole.isel(lead=slice(0, 134)))


def test_where_memory_runs_out_the_batch_is_halved(mesh: ForecastRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replace(mesh, members=7, steps=268)
    expected, real, calls, refused = forecast(asked), dynamics.Forecaster.__call__, [0], []

    def small(self: Any, x: torch.Tensor, *rest: Any, **named: Any) -> torch.Tensor:
        calls[0] += 1
        if len(x) > 2 and calls[0] > 4:  # in the second window: the first has three calls
            refused.append(len(x))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, x, *rest, **named)

    monkeypatch.setattr(dynamics.Forecaster, "__call__", small)
    shapes: list[tuple[int, int]] = []
    reports: list[Progress] = []

    def note(reached: Progress) -> None:
        reports.append(reached)
        assert reached.ensemble is not None
        shapes.append(reached.ensemble.block_shape)

    xr.testing.assert_allclose(forecast(asked, progress=note), expected, atol=1e-5)
    assert refused == [7, 3]  # not every batch anew
    assert reports[-1].calls_done == reports[-1].calls_total
    assert shapes == sorted(shapes) and shapes[-1] == (7, 268)  # what has arrived never shrinks


def test_a_member_that_does_not_fit_is_said_in_a_sentence(
    mesh: ForecastRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> torch.Tensor:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(dynamics.Forecaster, "__call__", full)
    with pytest.raises(RequestError, match="One member does not fit"):
        forecast(mesh)


def test_a_stored_array_of_another_form_counts_as_absent(mesh: ForecastRequest) -> None:
    cache = DictCache()
    first = forecast(mesh, cache=cache)
    for key in cache:
        cache[key] = np.zeros(3, np.float32)
    xr.testing.assert_identical(first, forecast(mesh, cache=cache))


def test_everything_that_can_change_a_number_changes_the_key(mesh: ForecastRequest, tmp_path: Path) -> None:
    other = save_small_checkpoint(tmp_path / "other", "spring-mesh", conditioning="data")
    requests = [
        mesh,
        replace(mesh, seed=1),
        replace(mesh, init=1),
        replace(mesh, init="0:7"),
        replace(mesh, schedule="0,30,66"),
        replace(mesh, solver="naive"),
        replace(mesh, solver="heun"),
        replace(mesh, last_step="solver"),
        replace(mesh, noise="step"),
        replace(mesh, noise="0.5"),
        replace(mesh, noise="0.51"),
        replace(mesh, noise="window"),
        replace(mesh, precision="bf16"),
        replace(mesh, model=other),
    ]
    keys: set[str] = set()
    for count, request in enumerate(requests, start=1):
        cache = DictCache()
        forecast(replace(request, steps=134, members=1), cache=cache)
        assert not keys & set(cache)
        keys |= set(cache)
        assert len(keys) == 2 * count  # a trajectory and its refined frames


def test_every_conditioning_runs(tmp_path: Path) -> None:
    ends = []
    conditionings: tuple[Conditioning, ...] = ("none", "data", "data+noise")
    for conditioning in conditionings:
        model = save_small_checkpoint(tmp_path / conditioning, "spring-mesh", conditioning=conditioning)
        result = forecast(ForecastRequest("spring-mesh", model=model, members=2))
        assert np.isfinite(values(result)).all()
        ends.append(values(result)[:, -1])
    assert not np.allclose(ends[0], ends[1])
    assert not np.allclose(ends[1], ends[2])


def test_truth_has_the_forecast_s_leads_and_knows_fractional_ones(flow: ForecastRequest) -> None:
    known = truth(replace(flow, output_leads=(0.25, 0.5)))
    run = get_dataset("navier-stokes").load("0")
    assert list(known.lead.values[:3]) == [0.25, 0.5, 1.0]
    assert np.isfinite(known.u.values).all()
    np.testing.assert_array_equal(known.u.sel(lead=3.0).values, run.states[3, 0])
    assert run.fine_states is not None


def test_truth_is_missing_beyond_the_end_of_the_run(flow: ForecastRequest) -> None:
    known = truth(replace(flow, init="1:60"))
    assert np.isfinite(known.u.sel(lead=4.0)).all()
    assert np.isnan(known.u.sel(lead=5.0)).all()


def test_a_cancelled_forecast_stops_and_keeps_finished_windows(mesh: ForecastRequest) -> None:
    cache = DictCache()
    with pytest.raises(Cancelled):
        forecast(replace(mesh, steps=400, refine=True), cache=cache, cancelled=lambda: cache.writes > 0)
    assert 0 < cache.writes < 3 * 2 * 3


def test_no_network_is_called_after_a_forecast_was_cancelled(mesh: ForecastRequest, fields: list[int]) -> None:
    allowed = 5  # the middle of a cold step, between its two kinds of network

    with pytest.raises(Cancelled):
        forecast(replace(mesh, schedule="stride8"), cancelled=lambda: len(fields) >= allowed)
    assert len(fields) == allowed


def test_run_yields_progress_and_returns_the_forecast(mesh: ForecastRequest) -> None:
    steps, reported = run(mesh), 0
    while True:
        try:
            reported = next(steps).calls_done
        except StopIteration as finished:
            xr.testing.assert_identical(finished.value, forecast(mesh))
            break
    assert reported == 3 * calls_per_member(mesh)


def test_defaults_come_from_the_card(mesh_model: str) -> None:
    resolved = resolve(ForecastRequest("spring-mesh", model=mesh_model))
    assert (resolved.steps, resolved.members, resolved.schedule) == (134, 3, "0,30,67")
    assert output_leads(resolved) == tuple(map(float, range(1, 135)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dataset": "weather"}, "weather"),
        ({"model": "no-such-model"}, "no-such-model"),
        ({"init": 10**9}, str(10**9)),
        ({"init": "99:0"}, "99"),
        ({"init": "0:9999"}, "9999"),
        ({"init": "soon"}, "soon"),
        ({"members": 0}, "members is 0"),
        ({"members": 10**6}, "1000000"),
        ({"members": 2.5}, "2.5"),
        ({"steps": 0}, "horizon is 0"),
        ({"steps": 10**6, "members": 1000}, "memory|GiB"),
        ({"schedule": "3,2"}, "rise"),
        ({"schedule": "0,nan"}, "finite"),
        ({"solver": "rk4"}, "rk4"),
        ({"last_step": "jump"}, "jump"),
        ({"noise": "loud"}, "loud"),
        ({"seed": -1}, "-1"),
        ({"precision": "fp8"}, "fp8"),
        ({"output_leads": (999.5,)}, "999.5"),
        ({"output_leads": (float("nan"),)}, "nan"),
        ({"refine": "yes"}, "yes"),
    ],
)
def test_bad_requests_are_refused_in_one_sentence(mesh: ForecastRequest, change: dict[str, Any], words: str) -> None:
    with pytest.raises(EngineError, match=words) as refusal:
        forecast(replace(mesh, **change))
    assert "\n" not in str(refusal.value)


def test_a_model_of_another_data_set_is_refused(flow_model: str) -> None:
    with pytest.raises(RequestError, match="navier-stokes, not spring-mesh"):
        forecast(ForecastRequest("spring-mesh", model=flow_model))
