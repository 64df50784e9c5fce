"""The event that the page is about: a variable above or below a threshold."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.backend import run_of
from app.summary import Summary
from app.wording import pretty_units
from engine.baseline_values import chance_fields, other_runs, percentile_fields, typical
from engine.datasets import get_dataset
from engine.errors import EngineError
from engine.events import Side
from engine.variables import Variable, ordinal, variable_named

By = Literal["percentile", "value"]


@dataclass(frozen=True)
class Event:
    """A variable beyond a percentile of its baseline, cell by cell, or beyond a value in its units."""

    variable: Variable
    by: By
    number: float
    side: Side

    @property
    def words(self) -> str:
        """What happens: "above the 90th percentile", "below 1.2 m s⁻¹"."""
        if self.by == "percentile":
            return f"{self.side} the {ordinal(self.number)} percentile"
        return f"{self.side} {self.number:g} {pretty_units(self.variable.units)}".strip()

    @property
    def short(self) -> str:
        """The same for the name of a file."""
        return f"{self.variable.name}-{self.side}-{self.by}-{self.number:g}"


def event_of_threshold(dataset: str, variable: Variable) -> Event:
    """The event that a variable with a threshold of its own is about, such as a marine heatwave."""
    assert variable.threshold is not None
    by: By = "percentile" if variable.threshold.kind == "percentile" else "value"
    return Event(variable_named(dataset, "sst"), by, variable.threshold.value, "above")


def threshold_of(summary: Summary, event: Event) -> np.ndarray:
    """The threshold at every time, float32 (frame, y, x); NaN where there is no baseline.

    Raises: DataError where there is no baseline on this grid.
    """
    if event.by == "value":
        return np.broadcast_to(np.float32(event.number), (len(summary.times), *summary.solid.shape))
    return percentiles(summary, event.variable, event.number, slice(None))


def percentiles(summary: Summary, variable: Variable, percentile: float, frames: slice) -> np.ndarray:
    """A percentile of the baseline at some frames, float32 (frame, y, x). Raises DataError where there is none."""
    dataset, run = get_dataset(summary.dataset), run_of(summary)
    return percentile_fields(
        dataset, run, variable, summary.times[frames], percentile, _references(summary, variable, frames)
    )


def chance_in_baseline(summary: Summary, event: Event) -> np.ndarray:
    """How likely the event is at every lead when nothing but the baseline is known, float32 (lead, y, x).

    Beyond a percentile by its definition. Raises: DataError where there is no baseline on this grid.
    """
    if event.by == "percentile":
        below = event.number / 100
        share = np.float32(below if event.side == "below" else 1 - below)
        return np.broadcast_to(share, (len(summary.leads), *summary.solid.shape))
    leads = slice(1, None)
    return chance_fields(
        get_dataset(summary.dataset),
        run_of(summary),
        event.variable,
        summary.times[leads],
        event.number,
        event.side,
        _references(summary, event.variable, leads),
    )


def typical_value(summary: Summary, variable: Variable) -> tuple[float, float]:
    """A high but common value of a variable, and a step to change it by; of the start where there is no baseline."""
    assert summary.ensemble is not None
    try:
        (field,) = percentiles(summary, variable, 75, slice(-1, None))
    except EngineError:
        field = summary.ensemble.start_of(variable)
    return typical(field[summary.counted])


def baseline_words(summary: Summary, event: Event) -> str:
    """What the threshold is and where it comes from, in a sentence."""
    if event.by == "value":
        return f"The event: {event.variable.title} {event.words}, in every cell and at every lead time."
    dataset = get_dataset(summary.dataset)
    percentile = f"{ordinal(event.number)} percentile"
    if dataset.calendar is None:
        runs = len(other_runs(dataset, run_of(summary)))
        return (
            f"The threshold of a cell is its {percentile} over all times of the {runs} other test runs that come with "
            "the data set: simulated data have no years, and this much is known before the forecast starts."
        )
    season = (
        "in the same month"
        if dataset.calendar.unit == "M"
        else "within 5 days of the day of the year, averaged over 31 days"
    )
    return f"The threshold of a cell is its {percentile} over the years {summary.baseline} {season}."


def _references(summary: Summary, variable: Variable, frames: slice) -> dict[str, np.ndarray]:
    assert summary.ensemble is not None
    return {name: summary.ensemble.references[name][frames] for name in variable.references}
