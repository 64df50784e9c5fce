"""Where a field on a grid has one value: points in, polylines out."""

from typing import Any

import contourpy
import numpy as np


def isolines(field: np.ndarray, x: np.ndarray, y: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The lines on which a field (y, x) has the value `level`: x and y of all their points, (point, 2), and offsets.

    Line i has the points from offset i to the one before offset i + 1. Closed ones end where they began. Linear between
    the cells' centres; they end where the field has no value (NaN).

    Source: marching squares, as contourpy computes them for matplotlib.
    """
    hidden = ~np.isfinite(field)
    if not np.isfinite(level) or hidden.all():
        return NO_POINTS, NO_LINES
    known = np.ma.array(field, mask=hidden) if hidden.any() else field
    found: Any = contourpy.contour_generator(x, y, known, corner_mask=True, line_type=FLAT).lines(level)
    (points,), (offsets,) = found
    return (NO_POINTS, NO_LINES) if points is None else (points.astype(np.float32), offsets.astype(np.int64))


FLAT = contourpy.LineType.ChunkCombinedOffset
NO_POINTS, NO_LINES = np.zeros((0, 2), np.float32), np.zeros(1, np.int64)


def middle_value(field: np.ndarray, *, has_sign: bool) -> float:
    """A round value to begin with: the middle of the range of a field, or half its size where it has a sign.

    The range runs from the 2nd to the 98th percentile; rounded to steps of `step_of`; 0 of a field without values.
    """
    known = field[np.isfinite(field)]
    if not known.size:
        return 0.0
    if has_sign:
        found = float(np.percentile(np.abs(known), 98)) / 2
    else:
        found = float(np.percentile(known, (2, 98)).mean())
    step = step_of(field)
    return float(f"{round(found / step) * step:.6g}")


def step_of(field: np.ndarray) -> float:
    """A twentieth of the range of a field, as 1, 2 or 5 times a power of ten; 0.1 of a field without a range."""
    known = field[np.isfinite(field)]
    span = float(np.ptp(known)) / 20 if known.size else 0.0
    if span <= 0:
        return 0.1
    power = 10.0 ** np.floor(np.log10(span))
    return float(f"{next(factor * power for factor in (5, 2, 1) if factor * power <= span * (1 + 1e-9)):.1g}")
