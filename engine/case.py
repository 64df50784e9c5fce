"""One forecast beside what happened, as arrays on one grid: what a verification works on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import xarray as xr

from engine.datasets.base import Dataset
from engine.variables import CLIMATOLOGY, Fields, Variable


@dataclass(frozen=True, eq=False)
class Case:
    """A forecast from one initial condition.

    leads: data steps (lead,). members: (member, lead, y, x) by channel; truth: (lead, y, x), NaN where it is not known;
    references: fields known beforehand at every lead, such as the climatology, (lead, y, x). x and y: the axes of the
    grid; scored: the cells that count, bool (y, x). frame: that of the initial condition, the seed of drawn ranks.
    """

    dataset: str
    leads: np.ndarray
    members: Mapping[str, np.ndarray]
    truth: Mapping[str, np.ndarray]
    x: np.ndarray
    y: np.ndarray
    scored: np.ndarray
    references: Mapping[str, np.ndarray] = field(default_factory=dict)
    frame: int = 0

    @property
    def count(self) -> int:
        """Number of members."""
        return len(next(iter(self.members.values())))

    @cached_property
    def known(self) -> np.ndarray:
        """Which leads have a truth in every scored cell, bool (lead,)."""
        fields = [np.isfinite(values[:, self.scored]).all(axis=1) for values in self.truth.values()]
        return np.logical_and.reduce(fields)

    def members_of(self, variable: Variable, leads: slice) -> np.ndarray:
        """The variable in every member at some leads, (member, lead, y, x)."""
        return variable.of(self.fields(self.members, leads))

    def truth_of(self, variable: Variable, leads: slice) -> np.ndarray:
        """What it was, (lead, y, x)."""
        return variable.of(self.fields(self.truth, leads))

    def fields(self, channels: Mapping[str, np.ndarray], leads: slice) -> Fields:
        """Channels at some leads with all that a variable may need beside them."""
        along, across = np.meshgrid(self.x, self.y)
        beside = {name: values[leads] for name, values in self.references.items()}
        return {
            **{name: values[..., leads, :, :] for name, values in channels.items()},
            **beside,
            "x": along,
            "y": across,
        }


def case_of(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    static: xr.Dataset,
    dataset: Dataset,
    references: Mapping[str, np.ndarray],
) -> Case:
    """A case of a forecast, its truth and its static fields, as `engine.forecasting` returns them."""
    names = [channel.name for channel in dataset.channels]
    rows, columns = (str(name) for name in forecast[names[0]].dims[-2:])
    return Case(
        dataset=dataset.name,
        leads=forecast["lead"].values.astype(np.float64),
        members={name: forecast[name].values for name in names},
        truth={name: truth[name].values for name in names},
        x=forecast[columns].values.astype(np.float64),
        y=forecast[rows].values.astype(np.float64),
        scored=static["scored"].values.astype(bool),
        references=references,
        frame=int(forecast.attrs["frame"]),
    )


def climatology_of(background: xr.Dataset, dataset: Dataset) -> dict[str, np.ndarray]:
    """The climatology among the references of a case, from `engine.forecasting.background_fields`."""
    return {CLIMATOLOGY: background[dataset.channels[0].name].values}
