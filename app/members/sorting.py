"""The order in which members are shown, and what stands beside each."""

from dataclasses import dataclass

import numpy as np

from app.members.ranking import Distances, distances_of, ends, over_leads, rising
from app.place import Place
from app.summary import Summary
from app.views import member_title
from app.wording import pretty_units
from engine.variables import Variable, variable_named

SORTS = {"number": "Number", "error": "Error", "mean": "Distance to mean", "place": "Value at place"}
"""What members may be sorted by, by its name in the link."""

SAME = "At the initial condition all members are the same: sorted by number."


@dataclass(frozen=True, eq=False)
class Ranking:
    """The members, counted from 0, in order; what stands beside each by its number; and in words by what."""

    order: list[int]
    notes: list[str]
    words: str


def ranking_of(summary: Summary, variable: Variable, sort: str, place: Place, lead: int | None) -> Ranking:
    """The members in the order of `sort` at a lead, counted from 0; None for all leads."""
    if sort == "number":
        return by_number(summary, "")
    if sort == "place":
        return by_value(summary, variable, place, lead)
    distances = distances_at_hand(summary, variable)
    if sort == "error":
        return by_error(summary, variable, distances, lead)
    return by_distance(summary, variable, distances, lead)


def by_number(summary: Summary, words: str) -> Ranking:
    """As they were drawn."""
    return Ranking(list(range(summary.members)), [""] * summary.members, words)


def by_error(summary: Summary, variable: Variable, distances: Distances, lead: int | None) -> Ranking:
    """By the distance from the truth; of an event by the share of the area where a member is wrong."""
    values = over_leads(distances.truth, lead)
    if not np.isfinite(values).any():
        return by_number(summary, "No truth is known here to measure an error: sorted by number.")
    if variable.threshold is not None:
        notes = [f"wrong in {100 * value:.2g} %" for value in values]
        return Ranking(rising(values), notes, f"Sorted by the share of the area where it is wrong {when(lead)}.")
    notes = [f"RMSE {value:.3g}" for value in np.sqrt(values)]
    return Ranking(rising(values), notes, f"Sorted by RMSE against the truth{in_units(variable)} {when(lead)}.")


def by_distance(summary: Summary, variable: Variable, distances: Distances, lead: int | None) -> Ranking:
    """By the distance from the ensemble mean, of an event from the probability."""
    values = np.sqrt(over_leads(distances.mean, lead))
    scale, other = (100, "probability") if variable.threshold is not None else (1, "ensemble mean")
    notes = [f"distance {scale * value:.3g}" for value in values]
    words = f"Sorted by the root mean square distance from the {other}{in_units(variable)} {when(lead)}."
    return Ranking(rising(values), notes, words)


def by_value(summary: Summary, variable: Variable, place: Place, lead: int | None) -> Ranking:
    """By the value at the marked place; of an event by the temperature there."""
    shown = variable_named(summary.dataset, "sst") if variable.threshold is not None else variable
    at_place = summary.members_at(shown, place)
    assert at_place is not None
    values = over_leads(at_place, lead)
    if not np.isfinite(values).any():
        return by_number(summary, "There is no value at the marked place: sorted by number.")
    what = f"{shown.short if variable.threshold is not None else 'the value'} at the marked place"
    notes = [f"{value:.3g}" for value in values]
    return Ranking(rising(values), notes, f"Sorted by {what}{in_units(shown)} {when(lead)}.")


def when(lead: int | None) -> str:
    """Which leads count, and that the smallest comes first."""
    return f"{'over all leads' if lead is None else 'at this lead'}, smallest first"


def in_units(variable: Variable) -> str:
    """The units in words; of an event percent."""
    units = "%" if variable.threshold is not None else pretty_units(variable.units)
    return f" in {units}" if units else ""


def extremes_words(summary: Summary, variable: Variable) -> str:
    """Which members are the most typical, the most unlike the others, and the nearest to the truth over all leads."""
    distances = distances_at_hand(summary, variable)
    mean, truth = (ends(over_leads(each, None)) for each in (distances.mean, distances.truth))
    if mean is None:
        return ""
    words = (
        f"Over all leads **{member_title(mean[0]).lower()}** is the most typical, the nearest to the ensemble mean, "
    )
    words += f"and **{member_title(mean[1]).lower()}** the most unlike the others."
    if truth is not None:
        words += f" The nearest to the truth is **{member_title(truth[0]).lower()}**."
    return words


def distances_at_hand(summary: Summary, variable: Variable) -> Distances:
    """How far the members are from truth and mean, found once."""
    return summary.once("distances", variable.name, make=lambda: distances_of(summary, variable))
