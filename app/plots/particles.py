"""Particles joined by springs, drawn with matplotlib as the page draws them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure

from app.plots.static_map import DRAWING, Limits, Scale, colour_map, finish
from engine.errors import DataError

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
        """places: (2, particle) of x and y; colours: (particle, 3) from 0 to 255; radii: in units of the axes."""
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


HELD = "#8b949b"  # particles that are held
BEYOND = 0.6  # of the distance of two particles at rest, around all of them


def particle_map(
    values: np.ndarray,
    places: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    *,
    springs: np.ndarray,
    held: np.ndarray,
    title: str,
    units: str,
    axis_units: str,
    scale: Scale,
    limits: Limits,
    grows: bool = False,
    dpi: int = 200,
) -> Figure:
    """Particles (y, x) where they are, (2, y, x), in the colours of their values; those that are held are grey.

    x and y: where they rest, which is what the axes show. Raises DataError where shapes do not agree.
    """
    if values.shape != (y.size, x.size) or places.shape != (2, *values.shape) or held.shape != values.shape:
        raise DataError(
            f"Values of shape {values.shape} at places of shape {places.shape} do not fit {y.size} × {x.size} "
            "particles: give (y, x) and (2, y, x)."
        )
    colours = ScalarMappable(Normalize(*limits), colour_map(scale))
    colours.set_array(values[~held & np.isfinite(values)])
    with DRAWING:
        figure = Figure(dpi=dpi, layout="compressed")
        axes = figure.add_subplot()
        axes.set_aspect("equal")
        for axis, set_ends in ((x, axes.set_xlim), (y, axes.set_ylim)):
            set_ends(axis[0] - BEYOND * (axis[1] - axis[0]), axis[-1] + BEYOND * (axis[-1] - axis[-2]))
        particles = Particles(axes, springs, values.size)
        rgb = np.where(held.ravel()[:, None], to_rgb(HELD), colours.to_rgba(values.ravel())[:, :3])
        particles.move(places.reshape(2, -1), 255 * rgb, radii_of(values.ravel(), limits[1], grows=grows))
        for name, label in (("x", axes.set_xlabel), ("y", axes.set_ylabel)):
            label(f"{name} ({axis_units})" if axis_units else name, parse_math=False)
        axes.tick_params(labelsize=8)
        finish(figure, axes, colours, title, units)
    return figure
