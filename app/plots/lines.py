"""Lines and dots of many members on one map, drawn with matplotlib as the page draws them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D

from app.plots.line import Line

DOT = 0.07  # radius of a particle in units of the axes
POINTS = 0.75  # per pixel of the page


class Lines:
    """The lines of one map; `show` draws others."""

    def __init__(self, axes: Axes, ink: str, **where: Any) -> None:
        """ink: the colour of letters; where: a transform, if the lines are not in the units of the axes."""
        self._ink = ink
        self._lines = LineCollection([], capstyle="round", joinstyle="round", zorder=5, **where)
        axes.add_collection(self._lines, autolim=False)
        self._dots = EllipseCollection(
            [], [], [], units="x", offsets=np.zeros((0, 2)), offset_transform=axes.transData, zorder=6
        )
        axes.add_collection(self._dots, autolim=False)
        self.artists = (self._lines, self._dots)

    def show(self, lines: Sequence[Line]) -> None:
        """Show these, the last on top."""
        drawn = [line for line in lines if not line.dots]
        self._lines.set_segments([line.points for line in drawn])
        self._lines.set_color([self._colour(line) for line in drawn])
        self._lines.set_linewidth([POINTS * line.width for line in drawn] or [1.0])
        dots = [line for line in lines if line.dots]
        places = np.concatenate([np.zeros((0, 2)), *(line.points for line in dots)])
        self._dots.set_offsets(places)
        for set_size in (self._dots.set_widths, self._dots.set_heights):
            set_size(np.full(len(places), 2 * DOT))
        self._dots.set_angles(np.zeros(len(places)))
        self._dots.set_facecolor([self._colour(line) for line in dots for _ in line.points])

    def _colour(self, line: Line) -> tuple[float, float, float, float]:
        return to_rgba(line.colour or self._ink, line.opacity)


def legend_of(lines: Sequence[Line], ink: str) -> list[Line2D]:
    """One stroke for every kind of line, in the order in which they come."""
    kinds = {line.legend: line for line in lines}
    return [
        Line2D(
            [], [], color=line.colour or ink, alpha=line.opacity, linewidth=POINTS * max(1.5, line.width), label=name
        )
        for name, line in kinds.items()
    ]
