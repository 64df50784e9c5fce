"""Experiments on a small model, their table, and forecasts without dropout."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import engine.requests
from engine.__main__ import main
from engine.ablation import (
    EXPERIMENTS,
    KEYS,
    NEARLY_EQUAL,
    WITHOUT_INTERPOLATOR,
    Setting,
    ablate,
    ablations_path,
    as_table,
    read_ablations,
    variants_of,
)
from engine.checkpoint import list_checkpoints, load_card
from engine.datasets import get_dataset
from engine.errors import DataError, RequestError
from engine.evaluation import overall, score_forecast, skill
from engine.forecasting import ForecastRequest, forecast, forecast_from
from engine.requests import calls_per_member, resolve, schedule_of, window_calls
from engine.schedules import parse_schedule
from engine.tables import with_rows_replaced, write_csv_table
from engine.trials import Ground, calls_in_window, schedules_to_try, score_members

from .conftest import save_small_checkpoint

MESH = get_dataset("spring-mesh")


def setting_of(model: str, dataset: str = "spring-mesh", members: int = 3) -> Setting:
    asked = ForecastRequest(dataset, model, members=members)
    return Setting(load_card(model), resolve(asked), {10: model, 25: model})


def ground_of(*starts: int, steps: int = 4) -> Ground:
    return Ground(MESH, "test", (MESH.load("0"), MESH.load("1")), starts, steps, "cpu")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("model", list_checkpoints())
def test_every_variant_of_every_bundled_model_can_be_run(
    model: str, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.requests, "parse_initial_condition", lambda *_: None)  # data that users fetch
    card = load_card(model)
    variants = variants_of(setting_of(model, card.dataset), experiment)
    applies = {"auxiliary": card.auxiliary_steps > 0}.get(experiment, True)
    walks = card.interpolator is not None or experiment in WITHOUT_INTERPOLATOR
    assert bool(variants) == (applies and walks)
    for variant in variants:
        assert resolve(variant.request) == variant.request
    named = [(variant.setting, variant.value) for variant in variants]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("experiment", ["solver", "interpolator-dropout", "refinement", "noise"])
def test_what_needs_several_steps_has_them_even_where_the_default_is_one_call(tmp_path: Path, experiment: str) -> None:
    model = save_small_checkpoint(tmp_path / "one", "spring-mesh", schedule="stride134")
    setting = setting_of(model)
    for variant in variants_of(setting, experiment):
        assert len(schedule_of(variant.request, setting.card)) > 1


def test_heun_and_euler_are_compared_at_nearly_equal_calls(flow_model: str) -> None:
    variants = variants_of(setting_of(flow_model, "navier-stokes"), "order")
    for euler, heun in zip(variants[::2], variants[1::2], strict=True):
        assert (euler.request.solver, heun.request.solver) == ("cold", "heun")
        assert euler.request.noise == heun.request.noise
        calls = [calls_in_window(each.request, 16) for each in (euler, heun)]
        assert [euler.value, heun.value] == calls and abs(calls[0] - calls[1]) <= NEARLY_EQUAL
    assert {variant.request.noise for variant in variants} == {"independent", "window"}


def test_schedules_to_try_differ_in_their_leads_and_fall_to_one_call() -> None:
    for name in list_checkpoints():
        card = load_card(name)
        tried = [
            parse_schedule(text, horizon=card.horizon, auxiliary_steps=card.auxiliary_steps)
            for text in schedules_to_try(card)
        ]
        lengths = [len(schedule) for schedule in tried]
        assert lengths == sorted(set(lengths), reverse=True) and lengths[-1] == 1
        assert lengths[0] == (1 if card.interpolator is None else card.horizon + card.auxiliary_steps)


def test_calls_in_a_window_are_the_sampler_s_and_one_for_every_lead_no_step_lands_on(flow_model: str) -> None:
    request = resolve(ForecastRequest("navier-stokes", flow_model))  # leads 1 … 16 are delivered
    full = replace(request, schedule="full")
    assert calls_in_window(full, 16) == window_calls(parse_schedule("full", horizon=16), "cold", "forecast") == 45
    assert calls_in_window(replace(request, schedule="stride4"), 16) == 9 + 12
    assert calls_in_window(replace(full, refine=True), 16) == 45 + 15


def test_scores_of_part_of_an_ensemble_are_those_of_a_forecast_with_fewer_members(mesh_model: str) -> None:
    request = resolve(ForecastRequest("spring-mesh", mesh_model, members=5))
    ground = ground_of(0, 700)
    found = score_members(ground, request, [2, 5])
    for count, scores in found.items():
        for run in ground.runs:
            for start in ground.starts:
                direct = forecast_from(run, start, replace(request, members=count, steps=4), device="cpu")
                expected = score_forecast(direct, run, start, MESH)
                part = scores.sel(run=run.name, start=start)
                for name in ("crps", "mse", "variance", "crps_biased"):
                    np.testing.assert_allclose(part[name], expected[name], rtol=1e-3, err_msg=name)


def test_rows_hold_the_scores_the_cost_and_the_settings(mesh_model: str) -> None:
    setting, ground = setting_of(mesh_model), ground_of(0, 700)
    found = dict(ablate(ground, setting, ["noise", "members"]))
    row = found["noise"][2]
    request = replace(setting.request, noise="0.5")
    scores = score_members(ground, request, [3])[3]
    assert (row.setting, row.value, row.members, row.initial_conditions) == ("0.5", 0.5, 3, 4)
    assert row.calls == calls_per_member(replace(request, steps=4))
    assert row.crps == pytest.approx(float(overall(scores)["crps"].mean()), rel=1e-6)
    assert row.crps_low <= row.crps <= row.crps_high
    assert row.spread == pytest.approx(float(scores["variance"].mean()) ** 0.5, rel=1e-6)
    assert row.ssr == pytest.approx(row.spread / row.rmse)
    counts = [(row.setting, row.members) for row in found["members"]]
    assert counts[:3] == [("biased", 1), ("fair", 2), ("biased", 2)]
    assert all(np.isfinite(row.crps) for row in found["members"])


def test_a_single_member_is_scored_by_its_absolute_error(mesh_model: str) -> None:
    setting, ground = setting_of(mesh_model), ground_of(0)
    first = dict(ablate(ground, setting, ["members"]))["members"][0]
    errors = []
    for run in ground.runs:
        member = forecast_from(run, 0, replace(setting.request, members=1, steps=4), device="cpu")
        for index, channel in enumerate(MESH.channels):
            distance = np.abs(member[channel.name].values[0] - run.states[1:5, index])
            errors.append(distance[:, MESH.scored(run)].mean())
    assert first.crps == pytest.approx(np.mean(errors), rel=1e-4)
    assert first.spread == 0


def test_the_spread_is_recorded_lead_by_lead_at_a_hundred_leads_at_most(mesh_model: str) -> None:
    rows = dict(ablate(ground_of(0, steps=6), setting_of(mesh_model), ["spread"]))["spread"]
    assert [row.lead for row in rows] == [1, 2, 3, 4, 5, 6]
    many = dict(ablate(ground_of(0, steps=402), setting_of(mesh_model, members=2), ["spread"]))["spread"]
    assert 50 < len(many) <= 100 and many[-1].lead == 402
    assert len({row.lead for row in many}) == len(many)


def test_a_lead_counts_the_forecasts_that_reach_it(mesh_model: str) -> None:
    rows = dict(ablate(ground_of(0, 801, steps=4), setting_of(mesh_model), ["spread"]))["spread"]
    assert [(row.lead, row.initial_conditions) for row in rows] == [(1, 4), (2, 4), (3, 4), (4, 2)]


def test_training_runs_score_the_folders_that_are_given(mesh_model: str) -> None:
    rows = dict(ablate(ground_of(0), setting_of(mesh_model), ["training-runs", "noise"]))
    assert [(row.setting, row.value) for row in rows["training-runs"]] == [("10 runs", 10), ("25 runs", 25)]
    assert {row.model for row in rows["training-runs"]} == {load_card(mesh_model).name}
    assert rows["training-runs"][0].crps == rows["noise"][0].crps  # the very model, its default coupling


def test_what_cannot_be_tried_is_one_sentence(mesh_model: str) -> None:
    with pytest.raises(RequestError, match="no experiment 'banana'"):
        next(ablate(ground_of(0), setting_of(mesh_model), ["banana"]))
    with pytest.raises(RequestError, match="1 member"):
        next(ablate(ground_of(0), setting_of(mesh_model, members=1), ["solver"]))
    with pytest.raises(RequestError, match="cannot be forecast from frames 0, 804"):
        ground_of(0, 804)
    with pytest.raises(RequestError, match="no run or start"):
        ground_of()


# -- the table ---------------------------------------------------------------------------------------------


def test_new_rows_replace_those_of_the_same_experiment_and_no_others() -> None:
    old = pd.DataFrame(
        {"dataset": ["a", "a", "b"], "model": ["m", "m", "m"], "experiment": ["x", "y", "x"], "v": [1, 2, 3]}
    )
    new = pd.DataFrame({"dataset": ["a", "a"], "model": ["m", "m"], "experiment": ["x", "x"], "v": [7, 8]})
    once = with_rows_replaced(old, new, KEYS)
    assert once.to_dict("list") == {
        "dataset": ["a", "a", "a", "b"],
        "model": ["m"] * 4,
        "experiment": ["x", "x", "y", "x"],
        "v": [7, 8, 2, 3],
    }
    pd.testing.assert_frame_equal(with_rows_replaced(once, new, KEYS), once)
    pd.testing.assert_frame_equal(with_rows_replaced(once, new[:0], KEYS), once)


def test_the_table_is_read_as_it_was_written(mesh_model: str, tmp_path: Path) -> None:
    rows = [row for _, each in ablate(ground_of(0), setting_of(mesh_model), ["solver", "members"]) for row in each]
    path = tmp_path / "ablations.csv"
    write_csv_table(path, as_table(rows))
    read, written = read_ablations(path), as_table(rows)
    for column in written.columns:
        if read[column].dtype == float:
            np.testing.assert_allclose(read[column], written[column].astype(float), rtol=1e-5, err_msg=column)
        else:
            assert read[column].tolist() == written[column].tolist(), column
    assert [path.name] == [file.name for file in tmp_path.iterdir()]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\x00\xff"])
def test_a_damaged_table_is_refused_with_the_remedy(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ablations.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match="python -m engine ablate"):
        read_ablations(path)
    with pytest.raises(DataError, match="There is no table"):
        read_ablations(tmp_path / "none.csv")


def test_the_table_that_comes_with_the_project_can_be_read() -> None:
    if not ablations_path().exists():
        pytest.skip("no experiment has been run yet")
    table = read_ablations()
    assert set(table["experiment"]) <= set(EXPERIMENTS)
    assert table["crps"].gt(0).all()


def test_the_command_renews_its_experiments_and_leaves_the_others(
    mesh_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ablations.csv"
    words = (
        f"ablate --dataset spring-mesh --model {mesh_model} --members 2 --runs 0 --starts 0,700 --steps 2 --device cpu"
    )
    for experiment in ("solver", "refinement", "solver"):
        assert main([*words.split(), "--experiment", experiment, "--out", str(out)]) == 0
    table = read_ablations(out)
    assert table["experiment"].tolist() == ["refinement"] * 2 + ["solver"] * 4
    assert "naive" in capsys.readouterr().out
    assert main([*words.split(), "--folder", "ten=here", "--out", str(out)]) == 2
    assert "ten=here" in capsys.readouterr().err


# -- the coupling "none" -----------------------------------------------------------------------------------


def difference(one: xr.Dataset, other: xr.Dataset) -> float:
    return max(float(np.abs(one[name] - other[name]).max()) for name in ("q_x", "p_y"))


def test_without_dropout_the_seed_does_not_matter_and_members_are_alike(mesh_model: str) -> None:
    request = ForecastRequest("spring-mesh", mesh_model, members=2, steps=40, noise="none", refine=True)
    first, second = (forecast(replace(request, seed=seed), device="cpu") for seed in (0, 1))
    assert difference(first, second) == 0
    assert difference(first.isel(member=0), first.isel(member=1)) < 1e-6
    drawn = [forecast(replace(request, noise="independent", seed=seed), device="cpu") for seed in (0, 1)]
    assert difference(*drawn) > 1e-4


def test_the_spread_of_a_forecast_without_randomness_is_zero(mesh_model: str) -> None:
    request = resolve(ForecastRequest("spring-mesh", mesh_model, members=3, noise="none"))
    assert skill(score_members(ground_of(0), request, [3])[3]).ratio.value == pytest.approx(0, abs=1e-5)
