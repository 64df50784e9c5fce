"""Percentiles and chances of the baseline against plain numpy on the data that come with the project."""

import numpy as np
import pytest

from engine.baseline_values import chance_fields, other_runs, percentile_fields, typical
from engine.datasets import get_dataset
from engine.errors import DataError, RequestError
from engine.events import Side
from engine.thresholds import seasonal_percentile, seasonal_values
from engine.variables import CLIMATOLOGY, variable_named

MESH, PACIFIC = get_dataset("spring-mesh"), get_dataset("sst-monthly")


def test_the_baseline_of_a_run_is_every_other_test_run() -> None:
    names = other_runs(MESH, MESH.load("3"))
    assert set(names) == {str(number) for number in range(15)} - {"3"}
    assert set(other_runs(MESH, MESH.load("ood-0"))) == {str(number) for number in range(15)}


def test_a_percentile_of_simulated_data_is_of_all_times_of_the_other_runs() -> None:
    variable = variable_named("spring-mesh", "speed")
    found = percentile_fields(MESH, MESH.load("0"), variable, np.arange(3.0), 90, {})
    row, column = np.argwhere(MESH.scored(MESH.load("0")))[7]
    values = []
    for number in range(1, 15):
        states = MESH.load(str(number)).states[:, :, row, column]
        names = [channel.name for channel in MESH.channels]
        values += list(np.hypot(states[:, names.index("p_x")], states[:, names.index("p_y")]))
    assert found.shape == (3, 10, 10)
    assert found[:, row, column] == pytest.approx([np.percentile(values, 90)] * 3, rel=1e-5)


def test_the_run_that_is_forecast_is_no_part_of_its_own_threshold() -> None:
    variable = variable_named("spring-mesh", "p_x")
    one, other = (percentile_fields(MESH, MESH.load(run), variable, np.zeros(1), 50, {}) for run in "01")
    assert not np.array_equal(one, other, equal_nan=True)


def test_cells_in_the_obstacles_of_other_runs_do_not_lower_a_percentile() -> None:
    flow = get_dataset("navier-stokes")
    run = flow.load("0")
    others = [flow.load(name) for name in other_runs(flow, run)]
    counted = np.stack([flow.scored(other) for other in others])
    row, column = np.argwhere(flow.scored(run) & counted.any(axis=0) & ~counted.all(axis=0))[0]
    values = np.concatenate(
        [other.states[:, 0, row, column] for other, there in zip(others, counted[:, row, column], strict=True) if there]
    )
    found = percentile_fields(flow, run, variable_named("navier-stokes", "u"), np.zeros(1), 80, {})
    assert found[0, row, column] == pytest.approx(np.percentile(values, 80), rel=1e-5)


def test_a_percentile_of_the_anomaly_is_that_of_the_temperature_less_its_climatology() -> None:
    run = PACIFIC.load("pacific")
    times = run.times[400:402]
    climatology = np.stack([np.full(run.states.shape[-2:], 20.0), np.full(run.states.shape[-2:], 21.0)])
    found = percentile_fields(
        PACIFIC, run, variable_named("sst-monthly", "anomaly"), times, 90, {CLIMATOLOGY: climatology}
    )
    expected = np.stack([seasonal_percentile(PACIFIC, run, float(time), 90)[0] for time in times]) - climatology
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_how_often_a_value_was_exceeded_is_counted_in_the_same_months_of_the_training_years() -> None:
    run, variable = PACIFIC.load("pacific"), variable_named("sst-monthly", "sst")
    time = float(run.times[405])
    row, column = np.argwhere(PACIFIC.scored(run))[100]
    assert PACIFIC.calendar is not None
    dates = [PACIFIC.calendar.label(float(each)) for each in run.times]
    month = PACIFIC.calendar.label(time)[-2:]
    same = [index for index, date in enumerate(dates) if date[-2:] == month and 1982 <= int(date[:4]) <= 2009]
    values = run.states[same, 0, row, column]
    shares: dict[Side, float] = {"above": (values > 27.0).mean(), "below": (values < 27.0).mean()}
    for side, expected in shares.items():
        found = chance_fields(PACIFIC, run, variable, np.array([time]), 27.0, side, {})
        assert found[0, row, column] == pytest.approx(expected)
    assert len(seasonal_values(PACIFIC, run, time)) == len(same) == 28


def test_a_percentile_is_exceeded_as_often_as_it_says() -> None:
    variable = variable_named("spring-mesh", "speed")
    run = MESH.load("2")
    threshold = percentile_fields(MESH, run, variable, np.zeros(1), 75, {})[0]
    row, column = np.argwhere(MESH.scored(run))[30]
    found = chance_fields(MESH, run, variable, np.zeros(1), float(threshold[row, column]), "above", {})
    assert found[0, row, column] == pytest.approx(0.25, abs=1e-3)


def test_an_impossible_percentile_and_a_missing_baseline_are_named() -> None:
    run, variable = MESH.load("0"), variable_named("spring-mesh", "speed")
    with pytest.raises(RequestError, match="percentile is 100"):
        percentile_fields(MESH, run, variable, np.zeros(1), 100, {})
    from dataclasses import replace

    elsewhere = replace(run, axes=MESH.axes)
    with pytest.raises(DataError, match="give a value"):
        percentile_fields(MESH, elsewhere, variable, np.zeros(1), 90, {})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.linspace(0, 1, 11), (0.9, 0.05)),
        (np.array([np.nan, *np.linspace(20, 30, 101)]), (29.0, 0.5)),
        (np.full(4, 3.0), (3.0, 0.2)),
        (np.full(4, np.nan), (1.0, 0.1)),
    ],
)
def test_a_typical_value_is_round(values: np.ndarray, expected: tuple[float, float]) -> None:
    assert typical(values) == pytest.approx(expected)
