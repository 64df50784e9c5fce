"""What a forecast of an observed record must beat: dressed persistence, dressed damped persistence, climatology.

All work on anomalies, (frame, cell), and are fitted on the training years.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from engine.baselines import Ensemble, Gaussian

DAYS_A_YEAR = 365.25
NEAR_DAYS = 5.5
"""Days of training years this close in the year make the climatological ensemble, 11 days in all (Hobday et al. 2016,
doi:10.1016/j.pocean.2015.12.014); of monthly data it is the same month."""


@dataclass(frozen=True, eq=False)
class TrainingAnomalies:
    """Anomalies of the training years (frame, cell) without a gap in time, and their fractions of the year."""

    values: np.ndarray
    seasons: np.ndarray


Fitted = Callable[[np.ndarray, float], Gaussian | Ensemble]
"""(anomalies to start from (cell,), season that is forecast) -> a forecast for every cell."""


def dressed_persistence(training: TrainingAnomalies, lead: int) -> Callable[[np.ndarray, float], Gaussian]:
    """Today's anomaly for ever; the variance is the mean square of its change over the lead, cell by cell."""
    change = training.values[lead:] - training.values[:-lead]
    std = np.sqrt((change**2).mean(axis=0))
    return lambda initial, season: _gaussian(initial, std)


def dressed_damped_persistence(training: TrainingAnomalies, lead: int) -> Callable[[np.ndarray, float], Gaussian]:
    """Today's anomaly times its regression onto the one a lead later, with the residual's variance, cell by cell."""
    now, later = training.values[:-lead], training.values[lead:]
    slope = (now * later).sum(axis=0) / np.maximum((now**2).sum(axis=0), 1e-12)
    std = np.sqrt(((later - slope * now) ** 2).mean(axis=0))
    return lambda initial, season: _gaussian(slope * initial, std)


def climatology(training: TrainingAnomalies, lead: int) -> Callable[[np.ndarray, float], Ensemble]:
    """The anomalies of the training years in the season that is forecast, whatever they start from."""

    def forecast(initial: np.ndarray, season: float) -> Ensemble:
        apart = np.abs((training.seasons - season + 0.5) % 1 - 0.5)
        return Ensemble(torch.from_numpy(training.values[apart * DAYS_A_YEAR <= NEAR_DAYS]))

    return forecast


RECORD_BASELINES: dict[str, Callable[[TrainingAnomalies, int], Fitted]] = {
    "persistence": dressed_persistence,
    "damped persistence": dressed_damped_persistence,
    "climatology": climatology,
}


@dataclass(frozen=True, eq=False)
class BaselineScores:
    """Scores (baseline, start, lead), averaged over cells, and the forecasts' means where there is one cell."""

    crps: np.ndarray
    mse: np.ndarray
    mean: np.ndarray


def score_record_baselines(
    training: TrainingAnomalies,
    values: np.ndarray,
    seasons: np.ndarray,
    starts: Sequence[int],
    steps: int,
) -> BaselineScores:
    """Score every baseline on anomalies (frame, cell) from the start frames, NaN beyond the end of the record."""
    shape = (len(RECORD_BASELINES), len(starts), steps)
    result = BaselineScores(*(np.full(shape, np.nan) for _ in range(3)))
    for row, baseline in enumerate(RECORD_BASELINES.values()):
        for lead in range(1, steps + 1):
            fitted = baseline(training, lead)
            for column, start in enumerate(starts):
                if start + lead < len(values):
                    forecast = fitted(values[start], float(seasons[start + lead]))
                    truth = torch.from_numpy(values[start + lead])
                    at = (row, column, lead - 1)
                    result.crps[at] = float(forecast.crps(truth[None]).mean())
                    result.mse[at] = float(((forecast.mean - truth) ** 2).mean())
                    result.mean[at] = float(forecast.mean.mean())
    return result


def _gaussian(mean: np.ndarray, std: np.ndarray) -> Gaussian:
    return Gaussian(torch.from_numpy(mean), torch.from_numpy(std))
