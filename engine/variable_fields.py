"""Variables of states that are no forecast's, estimates or filled-in states, at any times; and the truth there."""

import numpy as np

from engine.datasets import Dataset, Run
from engine.datasets.background import Background
from engine.datasets.base import axes_of
from engine.results import state_at
from engine.thresholds import seasonal_percentile
from engine.variables import CLIMATOLOGY, Threshold, Variable


def variable_of(
    states: np.ndarray, times: np.ndarray, variable: Variable, dataset: Dataset, run: Run, background: Background
) -> np.ndarray:
    """A variable of states (…, time, channel, y, x) at `times` (time,), as those of the run: float32 (…, time, y, x).

    background: the climatology that anomalies are departures from. Raises DataError where a threshold is not known.
    """
    y, x = axes_of(dataset, run)
    along, across = np.meshgrid(x.values, y.values)
    fields = {channel.name: states[..., index, :, :] for index, channel in enumerate(dataset.channels)}
    fields |= {"x": along, "y": across}
    for name in variable.references:
        fields[name] = np.stack([_reference(name, float(time), variable, dataset, run, background) for time in times])
    return variable.of(fields).astype(np.float32)


def truth_at(run: Run, times: np.ndarray) -> np.ndarray:
    """The true states of a run at some times, float32 (time, channel, y, x); NaN where they are not known."""
    found = np.full((len(times), *run.states.shape[1:]), np.nan, np.float32)
    for into, time in zip(found, times, strict=True):
        known = state_at(run, float(time))
        if known is not None:
            into[:] = known
    return found


def _reference(
    name: str, time: float, variable: Variable, dataset: Dataset, run: Run, background: Background
) -> np.ndarray:
    """A field (y, x) that is known beforehand: the climatology of the first channel, or a threshold."""
    shape = run.states.shape[1:]
    if name == CLIMATOLOGY:
        climatology: np.ndarray = np.broadcast_to(background.at(dataset.season(time)), shape)[0]
        return climatology
    asked = variable.threshold or Threshold()
    if asked.kind == "temperature":
        return np.full(shape[1:], asked.value, np.float32)
    return seasonal_percentile(dataset, run, time, asked.value)[0]
