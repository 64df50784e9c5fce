"""Baselines of observed records: on processes whose best forecast is known."""

import numpy as np
import pytest
import torch

from engine.record_baselines import (
    RECORD_BASELINES,
    TrainingAnomalies,
    climatology,
    dressed_damped_persistence,
    dressed_persistence,
    score_record_baselines,
)

RNG = np.random.default_rng(3)


def red_noise(frames: int, memory: float, cells: int = 3) -> np.ndarray:
    """x[t + 1] = memory · x[t] + unit noise."""
    series = np.zeros((frames, cells))
    for frame in range(1, frames):
        series[frame] = memory * series[frame - 1] + RNG.normal(size=cells)
    return series


SEASONS = np.arange(20000) / 365.25 % 1
TRAINING = TrainingAnomalies(red_noise(20000, 0.9), SEASONS)


def test_damped_persistence_of_red_noise_is_its_exact_forecast() -> None:
    for lead in (1, 4):
        forecast = dressed_damped_persistence(TRAINING, lead)(np.full(3, 2.0), 0.0)
        np.testing.assert_allclose(forecast.mean, 2 * 0.9**lead, atol=0.05)
        variance = sum(0.9 ** (2 * step) for step in range(lead))
        np.testing.assert_allclose(forecast.std, variance**0.5, rtol=0.03)


def test_persistence_is_dressed_with_the_size_of_its_changes() -> None:
    values = np.array([0.0, 1.0, 3.0, 3.0])[:, None]
    forecast = dressed_persistence(TrainingAnomalies(values, np.zeros(4)), 2)(np.array([5.0]), 0.0)
    assert forecast.mean.item() == 5
    assert forecast.std.item() == pytest.approx(((3**2 + 2**2) / 2) ** 0.5)


def test_climatology_takes_eleven_days_of_the_season_across_the_new_year() -> None:
    days = np.arange(730)
    training = TrainingAnomalies(days[:, None].astype(float), (days % 365 + 0.5) / 365)
    members = climatology(training, 3)(np.zeros(1), 1.5 / 365).members[:, 0]
    assert members.tolist() == [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        361,
        362,
        363,
        364,
        365,
        366,
        367,
        368,
        369,
        370,
        371,
        726,
        727,
        728,
        729,
    ]


def test_climatology_of_monthly_data_takes_the_same_month() -> None:
    months = np.arange(36)
    training = TrainingAnomalies(months[:, None].astype(float), (months % 12 + 0.5) / 12)
    assert climatology(training, 1)(np.zeros(1), 2.5 / 12).members[:, 0].tolist() == [2, 14, 26]


def test_of_red_noise_damped_persistence_scores_best_at_every_lead() -> None:
    values = red_noise(3000, 0.9)
    starts = range(0, 2900, 10)
    scores = score_record_baselines(TRAINING, values, SEASONS[:3000], starts, 6)
    persistence, damped, climate = scores.crps.mean(axis=1)
    assert (damped < persistence).all() and (damped < climate).all()
    exact = [(sum(0.9 ** (2 * step) for step in range(lead)) / np.pi) ** 0.5 for lead in range(1, 7)]
    np.testing.assert_allclose(damped, exact, rtol=0.05)  # σ/√π, the CRPS of a perfect Gaussian forecast


def test_beyond_the_record_there_is_no_score() -> None:
    scores = score_record_baselines(TRAINING, red_noise(10, 0.5), SEASONS[:10], [6], 5)
    assert np.isfinite(scores.crps[:, 0, :3]).all() and np.isnan(scores.crps[:, 0, 3:]).all()


@pytest.mark.parametrize("name", RECORD_BASELINES)
def test_every_baseline_is_a_distribution_over_cells(name: str) -> None:
    forecast = RECORD_BASELINES[name](TRAINING, 2)(np.zeros(3), 0.5)
    assert forecast.crps(torch.zeros(1, 3)).shape == (1, 3)
