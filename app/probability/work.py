"""What a forecast says of an event, made of its members a few leads at a time and kept while it is looked at."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from app.probability.event import Event, chance_in_baseline, threshold_of
from app.summary import Summary
from engine.errors import EngineError
from engine.events import area_share, beyond, chance
from engine.reliability import Tally, consistency_bars, tally
from engine.spatial_blocks import blocks_of
from engine.variables import Variable

T = TypeVar("T")
LEADS_AT_ONCE = 32
KEPT = 4  # of each kind: enough for a few visitors and for going back


@dataclass(frozen=True, eq=False)
class Outlook:
    """An event in a forecast.

    threshold: (frame, y, x); chance: the share of the members, and happened: 1, 0 or NaN in the truth, both float32
    (frame, y, x) with the initial condition as frame 0. shares and true_share: of the area that counts, (member, lead)
    and (lead,), 0 to 1. counted: the cells that count and have a threshold, bool (y, x). packed: whether each member is
    beyond the threshold there, eight cells to a byte, (member, lead, byte).
    """

    threshold: np.ndarray
    chance: np.ndarray
    happened: np.ndarray
    shares: np.ndarray
    true_share: np.ndarray
    counted: np.ndarray
    packed: np.ndarray

    @property
    def always(self) -> bool:
        """Whether every member is beyond the threshold in every cell that counts, at every lead."""
        return bool((self.chance[1:, self.counted] == 1).all())

    @property
    def never(self) -> bool:
        """Whether none is anywhere."""
        return bool((self.chance[1:, self.counted] == 0).all())

    def members(self, leads: np.ndarray) -> np.ndarray:
        """Whether each member is beyond the threshold in the cells that count, bool (member, lead, cell)."""
        cells = int(self.counted.sum())
        return np.unpackbits(self.packed[:, leads], axis=-1, count=cells).astype(bool)


def outlook(summary: Summary, event: Event) -> Outlook:
    """What a forecast says of an event. Raises DataError where there is no baseline on its grid."""
    return latest(summary, "outlook", event, make=lambda: _outlook(summary, event))


def _outlook(summary: Summary, event: Event) -> Outlook:
    ensemble, threshold = summary.ensemble, threshold_of(summary, event)
    assert ensemble is not None
    counted = summary.counted & np.isfinite(threshold).all(axis=0)
    weights = summary.areas * counted
    start = beyond(ensemble.start_of(event.variable), threshold[0], event.side)[None]
    chances, happened, shares, true_share, packed = [start], [start], [], [], []
    for part, members, truth in ensemble.parts(event.variable):
        limit = threshold[1:][part]
        happens, known = beyond(members, limit, event.side), beyond(truth, limit, event.side)
        chances.append(chance(happens))
        happened.append(known)
        shares.append(area_share(happens, weights))
        true_share.append(area_share(known, weights))
        packed.append(np.packbits(happens[..., counted] == 1, axis=-1))
    return Outlook(
        threshold,
        np.concatenate(chances),
        np.concatenate(happened),
        np.concatenate(shares, axis=1),
        np.concatenate(true_share),
        counted,
        np.concatenate(packed, axis=1),
    )


def quantiles(summary: Summary, variable: Variable, percents: tuple[float, ...]) -> np.ndarray:
    """Quantiles of the members, float32 (quantile, frame, y, x), linear between them; frame 0 is the start."""
    return latest(summary, "quantiles", (variable.name, percents), make=lambda: _quantiles(summary, variable, percents))


def _quantiles(summary: Summary, variable: Variable, percents: tuple[float, ...]) -> np.ndarray:
    assert summary.ensemble is not None
    start = summary.ensemble.start_of(variable)
    found = [np.broadcast_to(start, (len(percents), 1, *start.shape))]
    for _, members, _ in summary.ensemble.parts(variable):
        found.append(np.percentile(members, percents, axis=0).astype(np.float32))
    return np.concatenate(found, axis=1)


@dataclass(frozen=True, eq=False)
class Verified:
    """Forecasts of an event beside what happened.

    bars: the ends of the consistency bars, by bin of the diagram; long_enough: whether the blocks that they come from
    are as long as neighbouring errors depend on each other. climatology: the Brier score of the baseline's own
    probabilities in the same cells, None where it has none.
    """

    tally: Tally
    bars: tuple[np.ndarray, np.ndarray]
    block: tuple[int, int]
    long_enough: bool
    climatology: float | None


def verified(summary: Summary, event: Event, frame: int | None) -> Verified | None:
    """An event verified in the cells that count at all leads, or at one frame; None where nothing is known there."""
    return latest(summary, "verified", (event, frame), make=lambda: _verified(summary, event, frame))


def _verified(summary: Summary, event: Event, frame: int | None) -> Verified | None:
    found, maps = outlook(summary, event), summary.maps(event.variable)
    counted = found.counted
    known = np.isfinite(maps.truth[1:, counted]).all(axis=1)
    if frame is not None:
        known &= np.arange(1, len(known) + 1) == frame
    if not known.any() or not counted.any():
        return None
    blocks = blocks_of((maps.mean - maps.truth)[1:][known], counted)
    happened = found.happened[1:][known][:, counted]
    total: Tally | None = None
    for leads in np.array_split(np.flatnonzero(known), -(-known.sum() // LEADS_AT_ONCE)):
        more = tally(found.members(leads), found.happened[1:][leads][:, counted], blocks.of_cell)
        total = more if total is None else total + more
    assert total is not None
    usual = _usual(summary, event)
    climatology = None
    if usual is not None:
        climatology = float(((usual[known][:, counted] - happened) ** 2).mean(dtype=np.float64))
    return Verified(total, consistency_bars(total), blocks.shape, blocks.long_enough, climatology)


def _usual(summary: Summary, event: Event) -> np.ndarray | None:
    try:
        return chance_in_baseline(summary, event)
    except EngineError:  # an own field on a grid without a baseline
        return None


def latest(summary: Summary, kind: str, key: Hashable, *, make: Callable[[], T]) -> T:
    """What `make` gives, kept for the last few keys of a kind."""
    kept: dict[Hashable, T] = summary.once("latest", kind, make=dict)
    found = kept.pop(key, None)
    if found is None:
        found = make()
    kept[key] = found
    for old in list(kept)[:-KEPT]:
        kept.pop(old, None)
    return found
