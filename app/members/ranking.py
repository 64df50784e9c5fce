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
    maps, counted = summary.maps(variable), summary.counted
    cells = np.flatnonzero(counted)
    weights = np.broadcast_to(summary.areas, counted.shape)[counted]
    others = [fields[1:, counted] for fields in (maps.truth, maps.mean)]
    found: list[list[np.ndarray]] = [[], []]
    for member in range(summary.members):
        values = summary.ensemble.member(variable, member)
        values = np.take(values.reshape(len(values), -1), cells, axis=1)
        for into, other in zip(found, others, strict=True):
            into.append(mean_square(values - other, weights))
    return Distances(*(np.stack(each) for each in found))


def mean_square(differences: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean of squares: (lead, cell) and (cell,) to (lead,); NaN where no cell has a value."""
    squares = differences**2
    found: np.ndarray = squares @ weights.astype(squares.dtype) / weights.sum()
    for lead in np.flatnonzero(np.isnan(found)):  # some of its cells have no value
        known = np.isfinite(squares[lead])
        if known.any():
            found[lead] = squares[lead, known] @ weights[known] / weights[known].sum()
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
