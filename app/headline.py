"""The scores of a forecast in three numbers, for lists of forecasts."""

import numpy as np

from app.history import Headline
from app.summary import Scores, Summary
from engine.variables import Variable


def headline(summary: Summary, variable: Variable) -> Headline:
    """Scores of a variable over all leads whose truth is known."""
    crps, rmse, ratio = over_all_leads(summary.maps(variable).scores)
    return Headline(variable.name, variable.units, crps, rmse, ratio)


def over_all_leads(scores: Scores) -> tuple[float | None, float | None, float | None]:
    """Mean CRPS, root mean square error and spread ÷ RMSE; squares are averaged over the leads before roots and ratio.

    None where nothing is known.
    """
    known = np.isfinite(scores.rmse)
    squared, variance = _mean(scores.rmse[known] ** 2), _mean(scores.spread[known] ** 2)
    rmse = None if squared is None else squared**0.5
    ratio = None if not squared or variance is None else (variance / squared) ** 0.5
    return _mean(scores.crps[known]), rmse, ratio


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
