"""Variables of any states at any times: what they are by hand, with the climatology and threshold of the time."""

import numpy as np

from engine.datasets import get_dataset
from engine.thresholds import seasonal_percentile
from engine.variable_fields import truth_at, variable_of
from engine.variables import variable_named, variables_of


def test_speed_is_the_length_of_the_velocity() -> None:
    dataset = get_dataset("navier-stokes")
    run = dataset.load(dataset.runs()[0])
    states = run.states[None, :3]
    speed = variable_of(
        states, run.times[:3], variable_named("navier-stokes", "speed"), dataset, run, dataset.background(run)
    )
    assert speed.shape == (1, 3, 42, 221)
    np.testing.assert_allclose(speed, np.sqrt(states[:, :, 0] ** 2 + states[:, :, 1] ** 2), rtol=1e-6)


def test_anomalies_and_heatwaves_know_the_time_of_the_year() -> None:
    dataset = get_dataset("sst-monthly")
    run = dataset.load(dataset.runs()[0])
    background, anomaly, heatwave = dataset.background(run), *(variables_of("sst-monthly")[i] for i in (0, 2))
    frames = slice(5, 12)
    states, times = run.states[frames], run.times[frames]
    departures = variable_of(states, times, anomaly, dataset, run, background)
    above = variable_of(states, times, heatwave, dataset, run, background)
    for index, time in enumerate(times):
        sst = states[index, 0]
        np.testing.assert_allclose(departures[index], sst - background.at(dataset.season(float(time)))[0], rtol=1e-5)
        limit = seasonal_percentile(dataset, run, float(time), 90.0)[0]
        np.testing.assert_array_equal(above[index], np.where(np.isnan(sst), np.nan, sst > limit))


def test_truth_between_frames_is_not_known_unless_the_run_has_it() -> None:
    dataset = get_dataset("spring-mesh")
    run = dataset.load("0")
    times = np.array([run.times[3], (run.times[3] + run.times[4]) / 2, run.times[-1] + 1])
    found = truth_at(run, times)
    np.testing.assert_array_equal(found[0], run.states[3])
    assert np.isnan(found[1:]).all()
