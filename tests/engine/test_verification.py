"""A forecast verified against other libraries, closed forms and the evaluation of many forecasts."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import scores.probability
import scoringrules
import xarray as xr

from engine.__main__ import main
from engine.case import Case
from engine.commands.one_forecast import as_json, as_table
from engine.datasets import get_dataset
from engine.errors import RequestError
from engine.evaluation import baseline_scores, score_forecast, score_record_forecast, score_variable_forecast
from engine.forecasting import ForecastRequest, forecast, resolve
from engine.scores import radial_spectrum, rank_histogram
from engine.variables import Variable, parse_variable, variable_named
from engine.verification import SCORES, verify
from engine.verifying import verify_request

HEIGHT = Variable("height", "Height", "Height", "m", "sequential", lambda fields: fields["height"])
X, Y = np.arange(24.0), np.arange(16.0)


def a_case(*, members: int = 7, leads: int = 3, bias: float = 0.0, size: float = 1.0, seed: int = 0) -> Case:
    """Noise for members and truth alike, around 300; the first row of cells is not scored."""
    random = np.random.default_rng(seed)
    truth = 300 + random.normal(size=(leads, 16, 24))
    ensemble = 300 + bias + size * random.normal(size=(members, leads, 16, 24))
    scored = np.ones((16, 24), bool)
    scored[0] = False
    return Case("noise", np.arange(1.0, leads + 1), {"height": ensemble}, {"height": truth}, X, Y, scored)


def at_cells(case: Case) -> tuple[np.ndarray, np.ndarray]:
    return case.members["height"][..., case.scored], case.truth["height"][:, case.scored]


def test_the_scores_are_those_of_two_other_libraries() -> None:
    case = a_case(bias=0.3, size=0.7)
    found, (members, truth) = verify(case, HEIGHT), at_cells(case)
    fair = scoringrules.crps_ensemble(truth, members, m_axis=0, estimator="fair").mean(axis=-1)
    other = scores.probability.crps_for_ensemble(
        xr.DataArray(members, dims=("member", "lead", "cell")),
        xr.DataArray(truth, dims=("lead", "cell")),
        "member",
        method="fair",
        preserve_dims="lead",
    )
    np.testing.assert_allclose(found["crps"], fair, rtol=1e-9)
    np.testing.assert_allclose(found["crps"], other, rtol=1e-9)
    np.testing.assert_allclose(found["rmse"], ((members.mean(axis=0) - truth) ** 2).mean(axis=-1) ** 0.5)
    np.testing.assert_allclose(found["spread"], (members.var(axis=0, ddof=1).mean(axis=-1) * 8 / 7) ** 0.5)
    np.testing.assert_allclose(found["ratio"], found["spread"] / found["rmse"])
    np.testing.assert_allclose(found["bias"], (members - truth).mean(axis=(0, 2)))


def test_the_maps_average_to_the_scores() -> None:
    found = verify(a_case(bias=0.3), HEIGHT)
    np.testing.assert_allclose(found["crps_map"].mean(("y", "x")), found["crps"], rtol=1e-5)
    np.testing.assert_allclose((found["error_map"] ** 2).mean(("y", "x")) ** 0.5, found["rmse"], rtol=1e-5)
    np.testing.assert_allclose(((found["spread_map"] ** 2).mean(("y", "x")) * 8 / 7) ** 0.5, found["spread"], rtol=1e-5)
    assert np.isnan(found["crps_map"].values[:, 0]).all() and np.isfinite(found["crps_map"].values[:, 1:]).all()


def test_ranks_and_spectra_are_those_of_the_labelled_scores() -> None:
    case = a_case(size=0.5)
    found = verify(case, HEIGHT)
    ensemble = xr.DataArray(case.members["height"], {"y": Y, "x": X}, ("member", "lead", "y", "x"))
    truth = xr.DataArray(case.truth["height"], {"y": Y, "x": X}, ("lead", "y", "x"))
    ranks = rank_histogram(ensemble, truth.where(xr.DataArray(case.scored, dims=("y", "x"))), over=("y", "x"))
    np.testing.assert_allclose(found["rank_frequency"], ranks)
    np.testing.assert_allclose(found["rank_frequency_pooled"], ranks.mean("lead"))
    np.testing.assert_allclose(found["spectrum"], radial_spectrum(ensemble, truth))


def test_the_percentile_and_the_surprise_of_the_truth_are_those_of_a_loop() -> None:
    case = a_case(members=3)
    found, (members, truth) = verify(case, HEIGHT), at_cells(case)
    percentile, surprise = (found[name].values[:, case.scored] for name in ("percentile_map", "surprise_map"))
    for lead in range(3):
        for cell in range(truth.shape[1]):
            of_members = members[:, lead, cell]
            below = sum(of_members < truth[lead, cell])
            assert percentile[lead, cell] == pytest.approx(100 * below / 3)
            assert surprise[lead, cell] == (below == 3) - int(below == 0)
    np.testing.assert_allclose(found["surprising"], (surprise != 0).mean(axis=1))


def test_a_reliable_ensemble_is_surprised_as_often_as_expected_and_stays_in_its_band() -> None:
    found = verify(a_case(members=9, leads=12), HEIGHT)
    assert found.attrs["surprising_expected"] == 0.2
    assert float(found["surprising"].mean()) == pytest.approx(0.2, abs=0.02)
    inside = (found["rank_frequency"] >= found["rank_low"]) & (found["rank_frequency"] <= found["rank_high"])
    assert float(inside.mean()) > 0.9
    assert (np.abs(found["ratio"] - 1) < 0.1).all()


@pytest.mark.parametrize(("case", "inside"), [(a_case(leads=40), True), (a_case(leads=40, bias=0.5), False)])
def test_the_interval_of_the_bias_holds_zero_where_there_is_none(case: Case, inside: bool) -> None:
    found = verify(case, HEIGHT)
    held = (found["bias_low"] < 0) & (found["bias_high"] > 0)
    assert float(held.mean()) > 0.85 if inside else float(held.mean()) < 0.05


def test_leads_without_a_truth_are_nan_and_change_nothing_elsewhere() -> None:
    case = a_case()
    truth = case.truth["height"].copy()
    truth[1] = np.nan
    partly = Case("noise", case.leads, case.members, {"height": truth}, X, Y, case.scored)
    found, whole = verify(partly, HEIGHT), verify(case, HEIGHT)
    for name in (*SCORES, "surprising", "rank_low"):
        assert np.isnan(found[name][1]), name
    np.testing.assert_allclose(found["crps"][[0, 2]], whole["crps"][[0, 2]])
    assert np.isnan(found["spectrum"].sel(of="truth")[1]).all()
    np.testing.assert_allclose(found["spectrum"].sel(of="mean"), whole["spectrum"].sel(of="mean"))


def test_a_forecast_without_any_truth_is_refused() -> None:
    case = a_case()
    empty = Case("noise", case.leads, case.members, {"height": case.truth["height"] * np.nan}, X, Y, case.scored)
    with pytest.raises(RequestError, match="No truth is known at any lead"):
        verify(empty, HEIGHT)


def test_a_forecast_that_diverged_is_refused() -> None:
    case = a_case()
    case.members["height"][0, 1, 5, 5] = np.inf
    with pytest.raises(RequestError, match="it diverged"):
        verify(case, HEIGHT)


def test_one_member_has_an_error_but_no_spread_and_no_band() -> None:
    found = verify(a_case(members=1), HEIGHT)
    assert found["crps"].isnull().all() and found["spread"].isnull().all() and found["rank_low"].isnull().all()
    assert found["rmse"].notnull().all() and found["bias_low"].notnull().all()
    assert found.attrs["surprising_expected"] == 1.0


# -- the command ------------------------------------------------------------------------------------------


def test_the_numbers_of_one_forecast_are_those_of_an_evaluation_of_it(flow_model: str, monthly_model: str) -> None:
    for name, model, init, steps, channel in (
        ("navier-stokes", flow_model, "1:16", 4, "u"),
        ("sst-monthly", monthly_model, "pacific:410", 3, "sst"),
    ):
        dataset = get_dataset(name)
        run, _, frame = init.partition(":")
        request = resolve(ForecastRequest(name, model=model, init=init, members=3, steps=steps))
        score = score_forecast if dataset.calendar is None else score_record_forecast
        made = forecast(request)
        expected = score(made, dataset.load(run), int(frame), dataset).sel(channel=channel)
        found = verify_request(request, variable_named(name, channel))
        np.testing.assert_allclose(found["crps"], expected["crps"], rtol=2e-5)
        np.testing.assert_allclose(found["rmse"] ** 2, expected["mse"], rtol=2e-5)
        np.testing.assert_allclose(found["spread"] ** 2, expected["variance"], rtol=2e-5)
        cells = found.attrs["cells"]
        np.testing.assert_allclose(found["rank_frequency"] * cells, expected["rank_counts"], atol=2)
        shown = variable_named(name, "vorticity" if dataset.calendar is None else "anomaly")
        derived = score_variable_forecast(made, dataset.load(run), int(frame), dataset, shown)
        np.testing.assert_allclose(verify_request(request, shown)["crps"], derived["crps"][:, 0], rtol=2e-5)


def test_attributes_that_come_from_files_can_be_written_as_json() -> None:
    found = xr.Dataset({"crps": ("lead", [0.5, np.nan])}, {"lead": [1.0, 2.0]}, {"training_runs": np.int64(59)})
    read = json.loads(as_json(found))
    assert read["attributes"] == {"training_runs": 59}
    assert read["variables"]["crps"]["values"] == [0.5, None]


@pytest.mark.parametrize("ending", ["csv", "json", "nc"])
def test_the_command_verifies_one_forecast_and_writes_every_number(
    ending: str, monthly_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"verified.{ending}"
    words = f"evaluate --dataset sst-monthly --model {monthly_model} --members 3 --steps 3 --init 2015-06 --every 1"
    assert main([*words.split(), "--variable", "anomaly", "--no-cache", "--out", str(out)]) == 0
    request = ForecastRequest("sst-monthly", model=monthly_model, members=3, steps=3, init="2015-06")
    expected = verify_request(resolve(request), variable_named("sst-monthly", "anomaly"))
    printed = capsys.readouterr().out
    for part in ("lead 3", "rank histogram", "Niño 3.4", "spectrum of truth", f"{float(expected['crps'][0]):.5g} ["):
        assert part in printed
    numbers = [str(name) for name, values in expected.data_vars.items() if "y" not in values.dims]
    assert {"crps_low", "rank_frequency", "spectrum", "nino34", "baseline_crps", "surprising"} <= set(numbers)
    if ending == "nc":
        with xr.open_dataset(out) as found:
            for name in expected.data_vars:
                np.testing.assert_allclose(found[name], expected[name], err_msg=str(name), rtol=1e-5)
    elif ending == "json":
        written = json.loads(out.read_text())
        for name in numbers:
            values = np.array(written["variables"][name]["values"], np.float64).reshape(expected[name].shape)
            np.testing.assert_allclose(values, expected[name], err_msg=name, rtol=1e-5)
        assert written["attributes"]["members"] == 3
    else:
        rows = list(csv.DictReader(out.open(newline="")))
        assert len(rows) == len(as_table(expected)) == sum(expected[name].size for name in numbers)
        for name in numbers:
            listed = [float(row["value"] or "nan") for row in rows if row["quantity"] == name]
            np.testing.assert_allclose(listed, expected[name].values.ravel(), err_msg=name, rtol=1e-5)


def test_baselines_beside_one_forecast_are_those_of_evaluations(monthly_model: str) -> None:
    request = resolve(ForecastRequest("sst-monthly", model=monthly_model, members=2, steps=2, init="pacific:410"))
    found = verify_request(request, variable_named("sst-monthly", "anomaly"))
    dataset = get_dataset("sst-monthly")
    beside = baseline_scores(dataset, [dataset.load("pacific")], [410], 2)
    assert beside is not None
    expected = beside["crps"].sel(run="pacific", start=410, channel="sst")
    np.testing.assert_allclose(found["baseline_crps"], expected)


def test_a_variable_can_be_scored_over_many_initial_conditions(monthly_model: str, tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    words = f"evaluate --dataset sst-monthly --model {monthly_model} --members 2 --starts 400,410 --steps 2 --no-cache"
    assert main([*words.split(), "--variable", "above-temperature-28", "--out", str(out)]) == 0
    written = json.loads(out.read_text())
    dataset, variable = get_dataset("sst-monthly"), parse_variable("sst-monthly", "above-temperature-28")
    request = resolve(ForecastRequest("sst-monthly", model=monthly_model, members=2, steps=2, init="pacific:410"))
    expected = score_variable_forecast(forecast(request), dataset.load("pacific"), 410, dataset, variable)
    values = np.array(written["variables"]["crps"]["values"], np.float64)  # (run, start, lead, channel)
    np.testing.assert_allclose(values[0, 1, :, 0], expected["crps"][:, 0], rtol=1e-5)
    assert written["coordinates"]["channel"] == ["above-temperature-28"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--init 0 --starts 0", "leave --starts out"),
        ("--init 0 --runs 0", "leave --runs out"),
        ("--init 0 --variable wind", "The variable is 'wind', but sst-monthly has anomaly"),
        ("--variable above-percentile-100", "above-percentile-100"),
        ("--init 0 --out a.txt", "name a file that ends in .csv, .json, .nc"),
        ("--init 0 --paper-convention", "leave --paper-convention or --init out"),
    ],
)
def test_what_does_not_fit_together_ends_in_one_sentence(
    words: str, said: str, monthly_model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"evaluate --dataset sst-monthly --model {monthly_model} --steps 2 --members 2 --no-cache {words}"
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("coldcast: ") and said in error and error.count("\n") == 1
