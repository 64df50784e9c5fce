"""Whether a state is like those that the models were trained on."""

from dataclasses import dataclass

import numpy as np

from engine.datasets.base import Axis, Channel, Dataset, Run, axes_of

FAR = 4.0
"""Standard deviations from the mean from which on a value is called far."""

FAR_SHARE = 0.005
"""The part of the cells that may be far without a warning; of a normal distribution 0.006 % are."""

EXTREME = 6.0
"""Standard deviations that no single value may exceed without a warning."""

OFFSET = 1.5
"""Standard deviations that the mean over all cells may lie off without a warning."""


@dataclass(frozen=True, eq=False)
class TrainingRange:
    """What the states of the training data are like; arrays broadcast to (channel, y, x).

    mean, std: normal values of the season and the departures from them; low, high: the smallest and largest values.
    Either pair is None where it is not known.
    """

    mean: np.ndarray | None = None
    std: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def training_range(dataset: Dataset, reference: Run | None, time: float) -> TrainingRange | None:
    """The climatology of the season and its standard deviation; of simulated systems those of their test runs.

    None where no data are on this machine.
    """
    if reference is None:
        return None
    if dataset.calendar is not None:
        if reference.background is None:
            return None
        return TrainingRange(reference.background.at(dataset.season(time)), reference.background.scale)
    # The test runs are drawn as the training runs are, and come with the project. A mean over all times says little
    # of a system that starts from rest, so only the range is compared.
    runs = [dataset.load(name) for name in dict.fromkeys(each.run for each in dataset.initial_conditions())]
    free = [run.states[:, :, dataset.scored(run)] for run in runs]
    low = np.min([part.min(axis=(0, 2)) for part in free], axis=0)
    high = np.max([part.max(axis=(0, 2)) for part in free], axis=0)
    return TrainingRange(low=low[:, None, None], high=high[:, None, None])


def range_warnings(run: Run, frame: int, dataset: Dataset, training: TrainingRange) -> tuple[str, ...]:
    """A sentence for each thing in which a state is unlike the training data."""
    state, free = run.states[frame], dataset.scored(run)
    found: list[str] = []
    for index, channel in enumerate(dataset.channels):
        if training.mean is not None and training.std is not None:
            away = (state[index] - training.mean[index]) / np.maximum(training.std[index], 1e-12)
            found += _far(state[index], np.where(free, away, np.nan), channel, axes_of(dataset, run))
        found += _beyond(state[index][free], channel, index, training)
    return tuple(found)


def _far(values: np.ndarray, away: np.ndarray, channel: Channel, axes: tuple[Axis, Axis]) -> list[str]:
    """Values (y, x) whose distances from normal, in standard deviations, NaN on land, are too large."""
    found: list[str] = []
    known = away[np.isfinite(away)]
    if not known.size:
        return found
    row, column = np.unravel_index(int(np.nanargmax(np.abs(away))), away.shape)
    extreme, offset = float(away[row, column]), float(known.mean())
    share = float(np.mean(np.abs(known) > FAR))
    if share > FAR_SHARE or abs(extreme) > EXTREME:
        found.append(
            f"{channel.name} is unlike the training data: {share:.1%} of the cells lie more than {FAR:g} standard "
            f"deviations off, the farthest by {extreme:+.1f} with {values[row, column]:.4g} {_unit(channel.units)} at "
            f"{_place(axes, int(row), int(column))}"
        )
    if abs(offset) > OFFSET:
        found.append(
            f"{channel.name} lies {abs(offset):.1f} standard deviations {'above' if offset > 0 else 'below'} the mean "
            "of the training data over the whole region"
        )
    return found


def _beyond(values: np.ndarray, channel: Channel, index: int, training: TrainingRange) -> list[str]:
    """Values outside all that training has seen, by more than a tenth of its span."""
    if training.low is None or training.high is None or not values.size:
        return []
    low, high = float(training.low[index].min()), float(training.high[index].max())
    margin, least, most = 0.1 * (high - low), float(values.min()), float(values.max())
    if low - margin <= least and most <= high + margin:
        return []
    return [
        f"{channel.name} goes from {least:.4g} to {most:.4g} {_unit(channel.units)}, outside the {low:.4g} to "
        f"{high:.4g} of the training data"
    ]


def _place(axes: tuple[Axis, Axis], row: int, column: int) -> str:
    y, x = (float(axis.values[at]) for axis, at in zip(axes, (row, column), strict=True))
    if axes[0].name != "lat":
        return f"x = {x:g}, y = {y:g}"
    return f"{abs(y):g}° {'N' if y >= 0 else 'S'}, {x % 360 if x % 360 <= 180 else 360 - x % 360:g}° {_side(x)}"


def _side(longitude: float) -> str:
    return "E" if longitude % 360 <= 180 else "W"


def _unit(units: str) -> str:
    return {"degree_Celsius": "°C", "1": ""}.get(units, units)
