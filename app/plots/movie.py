"""Frames of an animation of maps: what does not move is drawn once, and the fields into it, time after time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.ndimage import distance_transform_edt

from app.plots.line import Line
from app.plots.lines import Lines, legend_of
from app.plots.particles import Particles, radii_of
from app.plots.static_map import DRAWING

SOLID = np.array([139, 148, 155, 255], np.uint8)  # obstacles, land and held particles, as on the page
COAST = "#1d262d"
SHARP = 18  # pixels of a cell from which on its edges are shown
USUAL_WIDTH = 1280  # pixels, at which letters have their usual size
DPI = 100
MARGIN, HEAD, TITLE, TICKS, BAR, GAP = 24, 44, 26, 20, 34, 22  # pixels at the usual width
LETTERS = 13  # pixels


@dataclass(frozen=True, eq=False)
class Film:
    """What a map shows over time, (frame, y, x) in `units`, with its colours, uint8 (256, 3), from low to high.

    places: of particles, (frame, 2, y, x); grows: whether a particle is the larger, the larger its value. lines: at a
    frame, of a map that shows these instead. empty: what is said of a frame without values.
    """

    title: str
    note: str
    units: str
    values: np.ndarray
    limits: tuple[float, float]
    colours: np.ndarray
    places: np.ndarray | None = None
    grows: bool = False
    lines: Callable[[int], Sequence[Line]] | None = None
    empty: str = ""


@dataclass(frozen=True, eq=False)
class Stage:
    """What all maps have in common: the grid's axes, what is solid, bool (y, x), and what is written above and below.

    clock: what is said of the time of every frame. coastlines: (point, 2) each, None unless the axes are degrees.
    springs: pairs of particles, None on a grid.
    """

    title: str
    clock: Sequence[str]
    x: np.ndarray
    y: np.ndarray
    solid: np.ndarray
    footer: str = ""
    coastlines: Sequence[np.ndarray] | None = None
    springs: np.ndarray | None = None

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """West, east, south and north end of the maps: half a cell beyond the outer centres, more for particles."""
        beyond = 0.5 if self.springs is None else 0.6
        (west, east), (south, north) = (
            (axis[0] - beyond * (axis[1] - axis[0]), axis[-1] + beyond * (axis[-1] - axis[-2]))
            for axis in (self.x, self.y)
        )
        return float(west), float(east), float(south), float(north)

    @property
    def aspect(self) -> float:
        """Width over height of a map; degrees of longitude are narrower than those of latitude."""
        west, east, south, north = self.edges
        narrowing = float(np.cos(np.deg2rad((south + north) / 2))) if self.coastlines is not None else 1.0
        return narrowing * (east - west) / (north - south)


class Movie:
    """Maps side by side, `width` pixels wide; sizes are even numbers, which films need."""

    def __init__(self, stage: Stage, films: Sequence[Film], *, width: int = USUAL_WIDTH, dark: bool = False) -> None:
        self._stage, self._films = stage, films
        self._layout = Layout(width, len(films), stage.aspect)
        self.size = self._layout.size
        self._ink, paper = ("#e6edf2", "#10161b") if dark else ("#17222b", "#ffffff")
        with DRAWING:
            size = (self.size[0] / DPI, self.size[1] / DPI)
            self._figure = Figure(size, dpi=DPI, facecolor=paper)
            self._canvas = FigureCanvasAgg(self._figure)
            self._clock = self._write_head()
            self._maps = [self._map(index, film) for index, film in enumerate(films)]
            self._canvas.draw()
            self._still = self._canvas.copy_from_bbox(self._figure.bbox)

    def frames(self, which: Sequence[int]) -> Iterator[np.ndarray]:
        """Pictures of these frames, uint8 (height, width, 3)."""
        for frame in which:
            with DRAWING:  # for one frame, so that others need not wait for the whole film
                picture = self._frame(frame)
            yield picture

    def box(self, index: int) -> tuple[int, int, int, int]:
        """Where the field of a map lies in the pictures: left, top, right and bottom, in pixels."""
        left, top, width, height = self._layout.map_box(index)
        return round(left), round(top), round(left + width), round(top + height)

    def _frame(self, frame: int) -> np.ndarray:
        self._canvas.restore_region(self._still)
        for drawn in self._maps:
            drawn.draw(frame)
        self._clock.set_text(self._stage.clock[frame])
        self._figure.draw_artist(self._clock)
        return np.array(self._canvas.buffer_rgba())[..., :3]

    def _write_head(self) -> Any:
        letters = self._layout.points(LETTERS + 3)
        left, right = self._layout.margin, self.size[0] - self._layout.margin
        self._text(left, 0.7 * self._layout.margin, self._stage.title, letters, weight="bold", va="top")
        below = self.size[1] - 0.5 * self._layout.margin
        self._text(left, below, self._stage.footer, 0.65 * letters, va="center", alpha=0.65)
        return self._text(
            right,
            0.7 * self._layout.margin,
            "",
            letters,
            ha="right",
            va="top",
            animated=True,
            family="DejaVu Sans Mono",
        )

    def _map(self, index: int, film: Film) -> "_GridMap | _ParticleMap | _LineMap":
        left, top, width, height = self._layout.map_box(index)
        axes = self._axes(left, top, width, height)
        self._write_title(index, film)
        self._arrange(axes)
        if film.lines is not None:
            self._legend(index, film.lines(0) or film.lines(len(self._stage.clock) - 1))
            return _LineMap(axes, self._stage, film, self._ink)
        self._colour_bar(index, film)
        if self._stage.springs is None:
            return _GridMap(axes, self._stage, film, sharp=width / len(self._stage.x) >= SHARP)
        return _ParticleMap(axes, self._stage, film)

    def _axes(self, left: float, top: float, width: float, height: float) -> Axes:
        across, down = self.size
        axes = self._figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
        axes.patch.set_alpha(0)
        return axes

    def _write_title(self, index: int, film: Film) -> None:
        left, top, width, _ = self._layout.map_box(index)
        letters, at = self._layout.points(LETTERS), top - 0.45 * self._layout.title
        self._text(left, at, film.title, letters, weight="bold", va="center")
        self._text(left + width, at, film.note, 0.9 * letters, ha="right", va="center", alpha=0.75)

    def _arrange(self, axes: Axes) -> None:
        """Ends, ticks and frame of a map."""
        west, east, south, north = self._stage.edges
        axes.set_xlim(west, east)
        axes.set_ylim(south, north)
        axes.tick_params(labelsize=self._layout.points(LETTERS - 3), colors=self._ink, length=2, width=0.6, pad=1.5)
        for spine in axes.spines.values():
            spine.set(color=self._ink, linewidth=0.6, alpha=0.4)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 3, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 3, 5, 10]))
        if self._stage.coastlines is not None:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _degrees((value + 180) % 360 - 180, "EW")))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _degrees(value, "NS")))
            axes.grid(color=COAST, linewidth=0.5, alpha=0.15, zorder=4)

    def _colour_bar(self, index: int, film: Film) -> None:
        """The colours with their ends and units below a map."""
        left, top, width, height = self._layout.map_box(index)
        letters = self._layout.points(LETTERS - 2)
        at = top + height + self._layout.ticks + 0.5 * self._layout.bar
        low, high = (f"{end:.3g}".replace("-", "−") for end in film.limits)
        room = 0.18 * width
        bar = self._axes(left + room, at - 0.14 * self._layout.bar, width - 2 * room, 0.28 * self._layout.bar)
        bar.imshow(film.colours[None], aspect="auto", interpolation="nearest")
        bar.set_axis_off()
        self._text(left + 0.96 * room, at, low, letters, ha="right", va="center")
        self._text(left + width - 0.96 * room, at, f"{high} {film.units}".strip(), letters, va="center")

    def _legend(self, index: int, lines: Sequence[Line]) -> None:
        """What the lines of a map mean, below it."""
        left, top, width, height = self._layout.map_box(index)
        at = top + height + self._layout.ticks + 0.5 * self._layout.bar
        self._figure.legend(
            handles=legend_of(lines, self._ink),
            loc="center",
            bbox_to_anchor=((left + 0.5 * width) / self.size[0], 1 - at / self.size[1]),
            ncols=6,
            fontsize=self._layout.points(LETTERS - 2),
            labelcolor=self._ink,
            frameon=False,
        )

    def _text(self, x: float, y: float, words: str, letters: float, **options: Any) -> Any:
        """Words at pixels from the left and from above; taken as they are, since a name with $ in it is no formula."""
        at = (x / self.size[0], 1 - y / self.size[1])
        return self._figure.text(*at, words, fontsize=letters, color=self._ink, parse_math=False, **options)


@dataclass(frozen=True)
class Layout:
    """Where so many maps of one shape lie in a picture, in pixels."""

    width: int
    maps: int
    aspect: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, both even."""
        height = 1.25 * self.margin + self._scaled(HEAD) + self._rows * self._row_height
        return self.width // 2 * 2, round(height / 2) * 2

    @property
    def margin(self) -> float:
        """Around everything."""
        return self._scaled(MARGIN)

    @property
    def title(self) -> float:
        """Height of a map's title."""
        return self._scaled(TITLE)

    @property
    def ticks(self) -> float:
        """Height of the numbers below a map."""
        return self._scaled(TICKS)

    @property
    def bar(self) -> float:
        """Height of a colour bar with its letters."""
        return self._scaled(BAR)

    def map_box(self, index: int) -> tuple[float, float, float, float]:
        """Left, top, width and height of a map's field, whole pixels."""
        row, column = divmod(index, self._columns)
        left = self.margin + self._beside + column * (self._map_width + self._scaled(GAP) + self._beside)
        top = self._scaled(HEAD) + self.title + row * self._row_height + 0.25 * self.margin
        return round(left), round(top), round(self._map_width), round(self._map_width / self.aspect)

    def points(self, pixels: float) -> float:
        """Letters of so many pixels at the usual width, in points."""
        return max(6.0, self._scaled(pixels) * 72 / DPI)

    @property
    def _columns(self) -> int:
        if self.maps <= 4:
            return min(self.maps, 4 if self.aspect < 1.6 else 1 if self.aspect > 3.5 and self.maps == 3 else 2)
        return int(np.ceil(np.sqrt(self.maps / self.aspect**0.5)))

    @property
    def _rows(self) -> int:
        return -(-self.maps // self._columns)

    @property
    def _beside(self) -> float:
        return self._scaled(34)  # the numbers left of a map

    @property
    def _map_width(self) -> float:
        gaps = (self._columns - 1) * self._scaled(GAP) + self._columns * self._beside
        return (self.width - 2 * self.margin - gaps) / self._columns

    @property
    def _row_height(self) -> float:
        return self.title + self._map_width / self.aspect + self.ticks + self.bar

    def _scaled(self, pixels: float) -> float:
        return pixels * (self.width / USUAL_WIDTH) ** 0.6  # letters shrink less than the maps


class _GridMap:
    """The field of a grid in smooth colours, solid cells sharp over it, coastlines on top."""

    def __init__(self, axes: Axes, stage: Stage, film: Film, *, sharp: bool) -> None:
        self._axes, self._film, self._words = axes, film, _Words(axes, film)
        self._under = _nearest_free(stage.solid)
        self._image = _image(axes, stage, np.zeros((*stage.solid.shape, 4), np.uint8), smooth=not sharp)
        self._over = _over_a_field(axes, stage)

    def draw(self, frame: int) -> None:
        values = self._film.values[frame]
        if self._words.stand_for(values):
            return
        filled = values[self._under]
        colours = np.zeros((*filled.shape, 4), np.uint8)
        known = np.isfinite(filled)
        colours[known, :3] = coloured(filled[known], self._film)
        colours[known, 3] = 255
        self._image.set_data(colours)
        for artist in (self._image, *self._over):
            self._axes.draw_artist(artist)


class _ParticleMap:
    """Particles joined by springs, in the colours of their values."""

    def __init__(self, axes: Axes, stage: Stage, film: Film) -> None:
        assert stage.springs is not None and film.places is not None
        self._axes, self._film, self._places, self._words = axes, film, film.places, _Words(axes, film)
        self._solid = stage.solid.ravel()
        self._particles = Particles(axes, stage.springs, stage.solid.size)
        for artist in self._particles.artists:
            artist.set_animated(True)
            artist.set_clip_on(True)

    def draw(self, frame: int) -> None:
        values = self._film.values[frame].ravel()
        if self._words.stand_for(values):
            return
        colours = coloured(np.nan_to_num(values), self._film)
        colours[self._solid] = SOLID[:3]
        radii = radii_of(values, self._film.limits[1], grows=self._film.grows)
        self._particles.move(self._places[frame].reshape(2, -1), colours, radii)
        for artist in self._particles.artists:
            self._axes.draw_artist(artist)


class _LineMap:
    """Lines and dots of many members over what is solid."""

    def __init__(self, axes: Axes, stage: Stage, film: Film, ink: str) -> None:
        assert film.lines is not None
        self._axes, self._at, self._words = axes, film.lines, _Words(axes, film)
        self._lines = Lines(axes, ink)
        self._under = _over_a_field(axes, stage) if stage.springs is None else []
        for artist in self._lines.artists:
            artist.set_animated(True)

    def draw(self, frame: int) -> None:
        lines = self._at(frame)
        self._words.stand_for(np.array([1.0 if lines else np.nan]))
        self._lines.show(lines)
        for artist in (*self._under, *self._lines.artists):
            self._axes.draw_artist(artist)


class _Words:
    """What is written in a map that is empty at a time."""

    def __init__(self, axes: Axes, film: Film) -> None:
        self._axes = axes
        where: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        self._text = axes.text(
            0.5, 0.5, film.empty, color="#8b949b", fontsize=9, animated=True, parse_math=False, **where
        )

    def stand_for(self, values: np.ndarray) -> bool:
        """Write them where there are no values; whether there are none."""
        if np.isfinite(values).any():
            return False
        self._axes.draw_artist(self._text)
        return True


def _over_a_field(axes: Axes, stage: Stage) -> list[Any]:
    """What is solid, and coastlines."""
    colours = np.where(stage.solid[..., None], SOLID, np.zeros(4, np.uint8))
    over: list[Any] = [_image(axes, stage, colours, smooth=False)]
    if stage.coastlines:
        lines = LineCollection(stage.coastlines, colors=[COAST], linewidths=0.8, animated=True, zorder=3)
        axes.add_collection(lines, autolim=False)
        over.append(lines)
    return over


def _image(axes: Axes, stage: Stage, colours: np.ndarray, *, smooth: bool) -> AxesImage:
    """A picture of cells, uint8 (y, x, 4), over the whole map."""
    west, east, south, north = stage.edges
    image = axes.imshow(
        colours,
        extent=(west, east, south, north),
        origin="lower",
        interpolation="bilinear" if smooth else "nearest",
        aspect="auto",
        animated=True,
    )
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    return image


def coloured(values: np.ndarray, film: Film) -> np.ndarray:
    """The colours of values, uint8 (…, 3): the nearest of 256 between the ends, as on the page."""
    low, high = film.limits
    at = np.clip(np.round(255 * (values - low) / (high - low)), 0, 255).astype(np.intp)
    found: np.ndarray = film.colours[at]
    return found


def _nearest_free(solid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every cell itself or, where it is solid, the nearest free one, so that colours go on under what is solid."""
    if solid.all():
        cells = np.indices(solid.shape)
        return cells[0], cells[1]
    nearest: np.ndarray = distance_transform_edt(solid, return_distances=False, return_indices=True)
    return nearest[0], nearest[1]


def _degrees(value: float, sides: str) -> str:
    size = f"{abs(value):g}°"
    return size if value == 0 or abs(value) == 180 else size + sides[0 if value > 0 else 1]
