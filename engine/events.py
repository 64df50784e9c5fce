"""Events in an ensemble: a quantity beyond a threshold, how likely, when first, and over how much of an area.

An event is 1 where it happens, 0 where it does not and NaN where that is not known. Values equal to the threshold are
not beyond it. A probability is the share of the members: of M members it is one of 0, 1/M, 2/M … 1.
"""

from typing import Literal

import numpy as np

Side = Literal["above", "below"]


def beyond(values: np.ndarray, threshold: np.ndarray | float, side: Side) -> np.ndarray:
    """Whether values are above or below a threshold that broadcasts to them: float32, NaN where either is."""
    happens = values > threshold if side == "above" else values < threshold
    return np.where(np.isnan(values) | np.isnan(threshold), np.nan, happens).astype(np.float32)


def chance(happens: np.ndarray) -> np.ndarray:
    """The share of the members, float32 (…) of (member, …); NaN where a member is."""
    shares: np.ndarray = happens.mean(axis=0, dtype=np.float64).astype(np.float32)
    return shares


def so_far(happens: np.ndarray) -> np.ndarray:
    """Whether it has happened at this lead or before, (…, lead); NaN where it has not where known, but may have."""
    has = np.maximum.accumulate(np.where(np.isnan(happens), 0.0, happens), axis=-1)
    unknown = np.logical_or.accumulate(np.isnan(happens), axis=-1)
    return np.where(unknown & (has == 0), np.nan, has).astype(np.float32)


def first_lead(happens: np.ndarray, leads: np.ndarray) -> np.ndarray:
    """The first of the leads (lead,) at which it happens, (…) of (…, lead).

    Infinite where it never does, NaN where it never does as far as that is known.
    """
    has = happens == 1
    never = np.where(np.isnan(happens).any(axis=-1), np.nan, np.inf)
    found: np.ndarray = np.where(has.any(axis=-1), np.asarray(leads, float)[has.argmax(axis=-1)], never)
    return found


def area_share(happens: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of an area over which it happens, (…) of (…, y, x); weights (y, x), 0 where a cell does not count.

    Of the cells where it is known; NaN where it is known nowhere.
    """
    counts = weights > 0
    cells, weight = happens[..., counts], weights[counts].astype(np.float64)
    with np.errstate(invalid="ignore"):
        share: np.ndarray = ((cells == 1) @ weight) / (~np.isnan(cells) @ weight)
    return share
