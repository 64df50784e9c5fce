"""Particles joined by springs, drawn with matplotlib as the page draws them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection

RADIUS = 0.2  # of a particle, in units of the axes
SMALLEST, LARGEST = 0.12, 0.30  # of one that is drawn the larger, the larger its value
SPRING, RIM = (139 / 255, 148 / 255, 155 / 255, 0.55), (70 / 255, 80 / 255, 88 / 255, 0.7)


class Particles:
    """The particles and springs of one map; `move` puts them where they are at another time."""

    def __init__(self, axes: Axes, springs: np.ndarray, count: int) -> None:
        """springs: pairs of particles, (spring, 2)."""
        self._springs = springs
        self._lines = LineCollection([], colors=[SPRING], linewidths=1.2, zorder=2)
        axes.add_collection(self._lines, autolim=False)
        self._discs = EllipseCollection(
            np.full(count, 2 * RADIUS),
            np.full(count, 2 * RADIUS),
            np.zeros(count),
            units="x",
            offsets=np.zeros((count, 2)),
            offset_transform=axes.transData,
            edgecolors=[RIM],
            linewidths=0.8,
            zorder=3,
        )
        axes.add_collection(self._discs, autolim=False)
        self.artists = (self._lines, self._discs)

    def move(self, places: np.ndarray, colours: np.ndarray, radii: np.ndarray) -> None:
        """places: (2, particle) of x and y; colours: uint8 (particle, 3); radii: (particle,) in units of the axes.

        Particles without a value stay away.
        """
        points = places.T
        self._lines.set_segments(points[self._springs])
        self._discs.set_offsets(points)
        self._discs.set_facecolor([(red, green, blue) for red, green, blue in (colours / 255).tolist()])
        self._discs.set_widths(2 * radii)
        self._discs.set_heights(2 * radii)


def radii_of(values: np.ndarray, high: float, *, grows: bool) -> np.ndarray:
    """The radius of every particle: uncertain ones are larger, so that the spread reads without its colours."""
    if not grows:
        return np.full(values.shape, RADIUS)
    return SMALLEST + (LARGEST - SMALLEST) * np.clip(np.nan_to_num(values) / high, 0, 1)
