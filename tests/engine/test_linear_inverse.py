"""Synthetic records: the model finds the process that made a series, and what it makes behaves the same."""

import numpy as np

from engine.datasets import get_dataset
from engine.training.linear_inverse import fit_linear_inverse, synthetic_runs

STEP = np.array([[0.9, 0.2], [-0.1, 0.8]])


def series(frames: int) -> np.ndarray:
    generator, state, out = np.random.default_rng(0), np.zeros(2), np.empty((frames, 2))
    for frame in range(frames):
        state = STEP @ state + generator.normal(scale=[1.0, 0.5], size=2)
        out[frame] = state
    return out


def test_the_fitted_propagator_is_that_of_the_process() -> None:
    model = fit_linear_inverse(series(40000), coupled=2)
    in_cells = model.patterns.T @ model.step @ model.patterns
    np.testing.assert_allclose(in_cells, STEP, atol=0.02)
    shocks = model.patterns.T @ (model.shock @ model.shock.T) @ model.patterns
    np.testing.assert_allclose(shocks, np.diag([1.0, 0.25]), atol=0.03)


def test_samples_have_the_covariance_and_the_memory_of_the_record() -> None:
    record = series(20000)
    made = fit_linear_inverse(record, coupled=2).sample(20000, np.random.default_rng(1))
    np.testing.assert_allclose(np.cov(made.T), np.cov(record.T), rtol=0.15, atol=0.1)
    for lag in (1, 5):
        np.testing.assert_allclose(
            made[lag:].T @ made[:-lag] / 20000, record[lag:].T @ record[:-lag] / 20000, rtol=0.2, atol=0.15
        )


def test_patterns_beyond_the_coupled_ones_keep_their_variance_and_memory() -> None:
    record = series(20000)
    made = fit_linear_inverse(record, coupled=1).sample(20000, np.random.default_rng(1))
    np.testing.assert_allclose(np.trace(np.cov(made.T)), np.trace(np.cov(record.T)), rtol=0.15)


def test_invented_months_are_those_of_the_pacific_with_its_land_and_seasons() -> None:
    dataset = get_dataset("sst-monthly")
    (real,) = dataset.training_runs("train")
    first, second = synthetic_runs(dataset, real, 2, seed=3)
    again = synthetic_runs(dataset, real, 1, seed=3)[0]
    np.testing.assert_array_equal(first.states, again.states)
    assert not np.array_equal(first.states, second.states, equal_nan=True)
    np.testing.assert_array_equal(np.isnan(first.states), np.isnan(real.states))
    sea = dataset.scored(real)
    of_real, of_made = (run.states[:, 0, sea].std(axis=0) for run in (real, first))
    assert 0.7 < float(np.median(of_made / of_real)) < 1.3
    np.testing.assert_allclose(first.states[:, 0, sea].mean(), real.states[:, 0, sea].mean(), atol=0.3)
