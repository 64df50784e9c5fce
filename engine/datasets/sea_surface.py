"""What the sea surface temperature data sets share: a record with dates, land, splits by years and a climatology."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.datasets.background import Background, fit_background
from engine.datasets.base import Axis, Channel, InitialCondition, Mirror, Run
from engine.datasets.calendar import Calendar
from engine.errors import DataError

SEA_SURFACE_TEMPERATURE = Channel("sst", "degree_Celsius", "sea surface temperature")


class SeaSurface(ABC):
    """The part of a data set that is the same for all records of sea surface temperature.

    A run is a region's whole record; the splits are ranges of years (first, last) of it.
    """

    name: str
    calendar: Calendar
    splits: Mapping[str, tuple[int, int]]
    harmonics: int
    starts_apart: int
    channels = (SEA_SURFACE_TEMPERATURE,)
    static_channels = ("land",)
    time_step = 1.0
    mirror = Mirror(axis=None, negated=(0,))  # warm and cold anomalies evolve nearly alike, and the record is short
    start_oversampling = 0.0

    def season(self, time: float) -> float:
        """Fraction of the year that has passed."""
        return self.calendar.season(time)

    @property
    @abstractmethod
    def remedy(self) -> str:
        """How to get the data, for the end of a sentence."""

    @abstractmethod
    def runs(self) -> tuple[str, ...]:
        """Names of the regions whose records are there."""

    @abstractmethod
    def load(self, run: str) -> Run:
        """The record of a region."""

    def initial_conditions(self) -> tuple[InitialCondition, ...]:
        """Those of the test years: the first of each record, then record-major; the last frame has no truth ahead."""
        of_each = [(run, self.frames_of("test", self.load(run))) for run in self.runs()]
        first = [InitialCondition(run, frames[0]) for run, frames in of_each if len(frames) > 1]
        return (*first, *(InitialCondition(run, frame) for run, frames in of_each for frame in frames[1:-1]))

    def frames_of(self, split: str, run: Run) -> range:
        """The frames of a record that lie in the years of a split; empty where the record has none of them."""
        first, last = self.splits[split]
        ends = [self.calendar.time(np.datetime64(f"{year}-01-01")) for year in (first, last + 1)]
        return range(*map(int, np.searchsorted(run.times, ends)))

    def scored_starts(self, split: str, run: Run) -> tuple[int, ...]:
        """Frames of the split's years, `starts_apart` from one to the next; the last one of all has no truth ahead."""
        return tuple(self.frames_of(split, run)[: -self.starts_apart : self.starts_apart])

    def training_runs(self, split: str, *, folder: Path | None = None, limit: int | None = None) -> tuple[Run, ...]:
        """The record of each region, cut to the years of a split; `folder` does not apply.

        Raises: DataError where no record has those years.
        """
        loaded = [self.load(name) for name in self.runs()[:limit]]
        parts = [(run, frames) for run in loaded if (frames := self.frames_of(split, run))]
        if not parts:
            first, last = self.splits[split]
            raise DataError(f"There are no data of {self.name} for the {split} years {first} to {last}: {self.remedy}.")
        return tuple(cut(run, frames) for run, frames in parts)

    def scored(self, run: Run) -> np.ndarray:
        """The cells of the sea."""
        return run.static[0] == 0

    def background(self, run: Run) -> Background:
        """The climatology of the training years. Raises DataError where the record does not have them."""
        if run.background is None:
            first, last = self.splits["train"]
            raise DataError(
                f"The record {run.name!r} of {self.name} lacks years of its climatology, {first} to {last}:"
                f" {self.remedy}."
            )
        return run.background

    def side_inputs(self, static: Tensor, season: Tensor) -> Tensor:
        """What the networks see beside states: land, latitude and longitude across the box, and the season.

        static (…, 1, y, x), season (…) -> (…, 5, y, x).
        """
        rows, columns = static.shape[-2:]
        y = torch.linspace(-1, 1, rows, device=static.device)[:, None].expand_as(static)
        x = torch.linspace(-1, 1, columns, device=static.device).expand_as(static)
        angle = (2 * math.pi * season).to(static)[..., None, None, None].expand_as(static)
        return torch.cat([static, y, x, torch.cos(angle), torch.sin(angle)], dim=-3)

    def constrain(self, x: Tensor, *, static: Tensor, initial: Tensor, time: float) -> Tensor:
        """There is no sea surface temperature on land."""
        return torch.where(static[..., :1, :, :] > 0, math.nan, x)

    def make_run(
        self,
        name: str,
        values: np.ndarray,
        times: np.ndarray,
        attributes: Mapping[str, str],
        axes: tuple[Axis, Axis] | None,
    ) -> Run:
        """A record as a run: values (frame, y, x), NaN on land; its climatology where all training years are there.

        A cell that is missing at any time counts as land.
        """
        land = np.isnan(values).any(axis=0)
        states = np.where(land, np.nan, values).astype(np.float32)[:, None]
        run = Run(name, states, land.astype(np.float32)[None], times, attributes=attributes, axes=axes)
        return replace(run, background=self._fitted(run))

    def _fitted(self, run: Run) -> Background | None:
        first, last = self.splits["train"]
        frames = self.frames_of("train", run)
        if {self.calendar.year(time) for time in run.times[frames.start : frames.stop]} < set(range(first, last + 1)):
            return None
        states, times = run.states[frames.start : frames.stop], run.times[frames.start : frames.stop]
        return fit_background(states, [self.season(time) for time in times], self.harmonics, f"{first}–{last}")


def cut(run: Run, frames: range) -> Run:
    """Some frames of a record; its climatology stays that of the whole."""
    part = slice(frames.start, frames.stop)
    return replace(run, states=run.states[part], times=run.times[part])
