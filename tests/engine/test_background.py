"""Backgrounds: constant fields, and climatologies fitted on a record."""

import numpy as np
import pytest

from engine.datasets.background import constant_background, fit_background, season_basis
from engine.errors import DataError

RNG = np.random.default_rng(5)
MONTHS = [(month + 0.5) / 12 for month in range(12)]


def test_a_constant_background_is_the_same_in_every_season() -> None:
    field = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    background = constant_background(field)
    for season in (0.0, 0.3, 0.99):
        np.testing.assert_array_equal(background.at(season), field)
    assert background.scale.max() == background.scale.min() == 1


def test_twelve_months_with_six_harmonics_give_the_monthly_means() -> None:
    states = RNG.normal(size=(60, 1, 2, 3)).astype(np.float32)
    background = fit_background(states, MONTHS * 5, 6, "five years")
    for month, season in enumerate(MONTHS):
        np.testing.assert_allclose(background.at(season), states[month::12].mean(axis=0), atol=1e-5)
    anomalies = states - np.stack([states[month::12].mean(axis=0) for month in range(12)] * 5)
    np.testing.assert_allclose(background.scale, anomalies.std(axis=0), rtol=1e-5)


def test_harmonics_recover_the_seasonal_cycle_they_were_made_from() -> None:
    seasons = np.arange(2000) / 365.25 % 1
    truth = np.array([15.0, 3.0, -1.0, 0.5, 0.25])
    cycle = season_basis(seasons, 2) @ truth
    noise = RNG.normal(scale=0.7, size=2000)
    background = fit_background((cycle + noise)[:, None, None, None].astype(np.float32), list(seasons), 2, "made")
    np.testing.assert_allclose(background.coefficients.ravel(), truth, atol=0.1)
    assert float(background.scale.item()) == pytest.approx(0.7, abs=0.03)


def test_land_has_no_climatology_and_does_no_harm() -> None:
    states = RNG.normal(size=(24, 1, 1, 2)).astype(np.float32)
    states[:, 0, 0, 1] = np.nan
    background = fit_background(states, MONTHS * 2, 1, "two years")
    assert np.isfinite(background.coefficients).all() and np.isfinite(background.scale).all()
    assert not background.coefficients[:, 0, 0, 1].any() and background.scale[0, 0, 1] == 1


def test_too_short_a_record_is_refused() -> None:
    with pytest.raises(DataError, match="at least 13 times and there are 12"):
        fit_background(np.zeros((12, 1, 1, 1), np.float32), MONTHS, 6, "one year")


def test_the_digest_tells_backgrounds_apart() -> None:
    field = np.ones((1, 2, 2))
    assert constant_background(field).digest == constant_background(field).digest
    assert constant_background(field).digest != constant_background(2 * field).digest
