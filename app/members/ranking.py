"""How far the members are from the truth and from their mean, and in which order they stand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.summary import Summary
from engine.variables import Variable


@dataclass(frozen=True, eq=False)
class Distances:
    """Mean squared distances of the members, (member, lead) each, in squared units; NaN where nothing is known."""

    truth: np.ndarray
    mean: np.ndarray


def distances_of(summary: Summary, variable: Variable) -> Distances:
    """How far every member is from the truth and from the ensemble mean, over the cells that count, by their area."""
    assert summary.ensemble is not None
    maps, weights = summary.maps(variable), np.where(summary.counted, summary.areas, 0.0)
    found: list[list[np.ndarray]] = [[], []]
    for member in range(summary.members):
        values = summary.ensemble.member(variable, member)
        for into, other in zip(found, (maps.truth, maps.mean), strict=True):
            into.append(mean_square(values - other[1:], weights))
    return Distances(*(np.stack(each) for each in found))


def mean_square(differences: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean of squares: (lead, y, x) and (y, x) to (lead,); NaN where no cell that counts has a value."""
    counted = weights > 0
    squares, shares = differences[:, counted].astype(np.float64) ** 2, weights[counted]
    known = np.isfinite(squares)
    with np.errstate(invalid="ignore"):
        found: np.ndarray = (np.where(known, squares, 0.0) @ shares) / (known @ shares)
    return found


def over_leads(by_lead: np.ndarray, lead: int | None) -> np.ndarray:
    """The mean over all leads that are known, (member, lead) to (member,); of one lead its value. NaN where none is."""
    if lead is not None:
        return by_lead[:, lead]
    known = np.isfinite(by_lead)
    with np.errstate(invalid="ignore"):
        found: np.ndarray = np.where(known, by_lead, 0.0).sum(axis=1) / known.sum(axis=1)
    return found


def rising(values: np.ndarray) -> list[int]:
    """Indices from the smallest value to the largest, equal ones in their order, those without a value last."""
    return [int(index) for index in np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")]


def ends(values: np.ndarray) -> tuple[int, int] | None:
    """The indices of the smallest and of the largest value; None unless there are two that differ."""
    known: Sequence[int] = np.flatnonzero(np.isfinite(values)).tolist()
    if not known or values[known].min() == values[known].max():
        return None
    return min(known, key=lambda index: values[index]), max(known, key=lambda index: values[index])
