"""A line on a map, without a way to draw it: what makes lines need not load matplotlib."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Line:
    """A line through points, (point, 2) in the units of the axes, or dots at them; width in pixels of the page.

    legend: what its kind is called; colour: empty for that of letters.
    """

    points: np.ndarray
    legend: str
    colour: str
    width: float
    opacity: float = 1.0
    dots: bool = False
