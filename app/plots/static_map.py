"""A map for print: one field in a map projection with coastlines, or on plain axes, as PNG or PDF."""

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cartopy
import cartopy.crs as ccrs
import numpy as np
from cartopy.mpl.ticker import LatitudeLocator, LongitudeLocator
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.path import Path
from plotly.colors import cmocean, unlabel_rgb

from app.plots.line import Line
from app.plots.lines import Lines, legend_of
from engine.coastlines import coastlines_dir, natural_earth_path, resolution_for
from engine.errors import DataError, RequestError

Scale = Literal["thermal", "balance", "amp"]
Limits = tuple[float, float]

SCALES = {"thermal": cmocean.thermal, "balance": cmocean.balance, "amp": cmocean.amp}
LAND_GREY = "#b4b8bc"
LINE_GREY = "#4a4f55"
INK = "#17222b"
DPI = (50, 600)
LONGEST_SIDE = 7.0  # inches, the width of a page between its margins

# What a file says of itself; without a date the same map is the same bytes.
FORMATS: dict[str, dict[str, str | None]] = {
    "png": {"Software": "Coldcast"},
    "pdf": {"Creator": "Coldcast", "Producer": "Coldcast", "CreationDate": None},
}

# matplotlib keeps fonts, settings and caches for the whole process, and every visitor is a thread.
DRAWING = threading.RLock()


@dataclass(frozen=True)
class Box:
    """The edges of a map in degrees; longitudes run on from west to east, at most a full turn."""

    west: float
    south: float
    east: float
    north: float

    @property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude of the middle."""
        return (self.west + self.east) / 2, (self.south + self.north) / 2


def _plate_carree(box: Box) -> Any:
    return ccrs.PlateCarree(central_longitude=box.centre[0])


def _mercator(box: Box) -> Any:
    return ccrs.Mercator(central_longitude=box.centre[0])


def _robinson(box: Box) -> Any:
    return ccrs.Robinson(central_longitude=box.centre[0])


def _lambert(box: Box) -> Any:
    """Equal areas around the middle of the box, wherever it lies; the conic one fails across the equator."""
    return ccrs.LambertAzimuthalEqualArea(*box.centre)


PROJECTIONS: dict[str, Callable[[Box], Any]] = {
    "plate-carree": _plate_carree,
    "mercator": _mercator,
    "robinson": _robinson,
    "lambert": _lambert,
}
MERCATOR_ENDS = 80.0  # degrees of latitude at which a Mercator map stops
LAMBERT_ENDS = 180.0  # degrees of longitude across; beyond lies the place opposite the middle, drawn out to a rim


def static_map(
    field: np.ndarray,
    lon: np.ndarray,
    lat: np.ndarray,
    *,
    title: str,
    units: str,
    scale: Scale = "thermal",
    limits: Limits | None = None,
    projection: str = "plate-carree",
    land: np.ndarray | None = None,
    lines: Sequence[Line] = (),
    dpi: int = 200,
) -> Figure:
    """One field (lat, lon) at cell centres in degrees, on a projected map with coastlines.

    Land, bool (lat, lon), is grey and takes no part in the colour limits; without it every cell that is not finite
    is land. Other cells without a value stay white. Limits are those of the field, symmetric for "balance". lines are
    drawn over it; their legend then stands in the place of the colour bar.

    Raises RequestError where a choice does not exist, DataError where shapes do not agree or coastlines are missing.
    """
    _check(field, lon, lat, land, scale, limits, dpi)
    if projection not in PROJECTIONS:
        raise RequestError(f"There is no projection {projection!r}: choose one of {', '.join(PROJECTIONS)}.")
    box = _box(lon, lat, projection)
    with DRAWING:
        use_bundled_coastlines()
        figure = Figure(dpi=dpi, layout="compressed")
        axes = figure.add_subplot(projection=PROJECTIONS[projection](box))
        # Longitudes from the middle, so that no cell of the box is cut at ±180°.
        middle = box.centre[0]
        degrees = ccrs.PlateCarree(central_longitude=middle)
        _outline(axes, box, degrees)
        mesh = _draw_cells(axes, field, lon - middle, lat, land, scale, limits, transform=degrees)
        _draw_coastlines(axes, lon, lat)
        _draw_degrees(axes, box)
        shifted = [replace(line, points=line.points - [middle, 0]) for line in lines]
        Lines(axes, INK, transform=degrees._as_mpl_transform(axes)).show(shifted)
        finish(figure, axes, mesh, title, units, lines)
    return figure


def plain_map(
    field: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    *,
    title: str,
    units: str,
    axis_units: str,
    scale: Scale = "thermal",
    limits: Limits | None = None,
    masked: np.ndarray | None = None,
    lines: Sequence[Line] = (),
    dpi: int = 200,
) -> Figure:
    """One field (y, x) at cell centres in `axis_units`, on axes of equal scale; masked cells, bool (y, x), are grey.

    lines are drawn over it; their legend then stands in the place of the colour bar.

    Raises RequestError where a choice does not exist, DataError where shapes do not agree.
    """
    _check(field, x, y, masked, scale, limits, dpi)
    with DRAWING:
        figure = Figure(dpi=dpi, layout="compressed")
        axes = figure.add_subplot()
        axes.set_aspect("equal")
        mesh = _draw_cells(axes, field, x, y, masked, scale, limits)
        for name, label in (("x", axes.set_xlabel), ("y", axes.set_ylabel)):
            label(f"{name} ({axis_units})" if axis_units else name, parse_math=False)
        axes.tick_params(labelsize=8)
        Lines(axes, INK).show(lines)
        finish(figure, axes, mesh, title, units, lines)
    return figure


def save(figure: Figure, kind: str) -> bytes:
    """The figure as a file, "png" or "pdf"; the same figure gives the same bytes. Raises RequestError for others."""
    if kind not in FORMATS:
        raise RequestError(f"A map cannot be saved as {kind!r}: choose one of {', '.join(FORMATS)}.")
    file = io.BytesIO()
    with DRAWING, rc_context({"pdf.fonttype": 42}):  # whole fonts, which journals ask for and editors can change
        figure.savefig(file, format=kind, bbox_inches="tight", pad_inches=0.05, metadata=FORMATS[kind])
    return file.getvalue()


def use_bundled_coastlines() -> None:
    """Let cartopy read Natural Earth from the project, so that it asks no server for it."""
    cartopy.config["pre_existing_data_dir"] = coastlines_dir()


def colour_map(scale: Scale) -> Colormap:
    """The cmocean scale of that name, as on the page."""
    return LinearSegmentedColormap.from_list(scale, [np.array(unlabel_rgb(stop)) / 255 for stop in SCALES[scale]])


# -- checks and sizes --------------------------------------------------------------------------------------


def _check(
    field: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    masked: np.ndarray | None,
    scale: str,
    limits: Limits | None,
    dpi: int,
) -> None:
    if x.ndim != 1 or y.ndim != 1 or field.shape != (y.size, x.size) or not field.size:
        raise DataError(
            f"A field of shape {field.shape} does not fit axes of shapes {y.shape} and {x.shape}: "
            "give (y, x) with (y,) and (x,)."
        )
    if masked is not None and masked.shape != field.shape:
        raise DataError(f"A mask of shape {masked.shape} does not fit a field of shape {field.shape}: give one for it.")
    if limits is not None and not -np.inf < limits[0] < limits[1] < np.inf:
        raise RequestError(f"Colours cannot run from {limits[0]:g} to {limits[1]:g}: give a lower and a higher number.")
    if scale not in SCALES:
        raise RequestError(f"There is no colour scale {scale!r}: choose one of {', '.join(SCALES)}.")
    if not DPI[0] <= dpi <= DPI[1]:
        raise RequestError(f"A map of {dpi} dots per inch cannot be drawn: choose from {DPI[0]} to {DPI[1]}.")


def _edges(centres: np.ndarray) -> np.ndarray:
    """The n + 1 edges of n cells: midway between centres, and as far beyond the first and the last."""
    if centres.size == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    inner = (centres[:-1] + centres[1:]) / 2
    return np.concatenate([[2 * centres[0] - inner[0]], inner, [2 * centres[-1] - inner[-1]]])


def _box(lon: np.ndarray, lat: np.ndarray, projection: str) -> Box:
    """The edges of the outer cells, as far as the projection reaches."""
    end = MERCATOR_ENDS if projection == "mercator" else 90.0
    west, east = np.sort(_edges(lon)[[0, -1]])
    south, north = np.clip(np.sort(_edges(lat)[[0, -1]]), -end, end)
    if not (west < east and south < north):
        raise RequestError(f"A {projection} map ends at {end:g}° north and south: choose another projection.")
    if projection == "lambert" and east - west > LAMBERT_ENDS:
        raise RequestError(
            f"A lambert map is at most {LAMBERT_ENDS:g}° wide, not {east - west:g}°: choose another projection."
        )
    return Box(float(west), float(south), float(min(east, west + 360)), float(north))


def _limits(field: np.ndarray, shown: np.ndarray, scale: Scale) -> Limits:
    values = field[shown]
    if not values.size:
        return (-1.0, 1.0) if scale == "balance" else (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    if scale == "balance":
        high = max(abs(low), abs(high)) or 1.0
        return -high, high
    return (low, high) if low < high else (low - 0.5, low + 0.5)


# -- drawing -----------------------------------------------------------------------------------------------


def _outline(axes: Any, box: Box, degrees: Any) -> None:
    """Frame the map by the edges of the box, curved as the projection has them."""
    # A hair inside, since a full turn begins and ends at the same longitude.
    lon = np.linspace(box.west, box.east, 91) - box.centre[0]
    lon = np.clip(lon, -180 + 1e-6, 180 - 1e-6)
    lat = np.linspace(box.south, box.north, 91)
    around = np.concatenate(
        [
            np.column_stack([lon, np.full_like(lon, box.south)]),
            np.column_stack([np.full_like(lat, lon[-1]), lat]),
            np.column_stack([lon[::-1], np.full_like(lon, box.north)]),
            np.column_stack([np.full_like(lat, lon[0]), lat[::-1]]),
        ]
    )
    frame = axes.projection.transform_points(degrees, *around.T)[:, :2]
    (left, bottom), (right, top) = frame.min(axis=0), frame.max(axis=0)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_boundary(Path(frame, closed=True), transform=axes.transData)


def _draw_cells(
    axes: Axes,
    field: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    masked: np.ndarray | None,
    scale: Scale,
    limits: Limits | None,
    **where: Any,
) -> ScalarMappable:
    """Cells in colour and masked ones in grey; as an image even in a PDF, where cells would show seams."""
    grey = ~np.isfinite(field) if masked is None else masked.astype(bool)
    shown = np.isfinite(field) & ~grey
    low, high = limits or _limits(field, shown, scale)
    edges = _edges(x), _edges(y)
    if "transform" in where:
        edges = edges[0], np.clip(edges[1], -90, 90)
    axes.pcolormesh(*edges, np.ma.masked_where(~grey, grey), cmap=ListedColormap([LAND_GREY]), rasterized=True, **where)
    return axes.pcolormesh(
        *edges,
        np.ma.masked_where(~shown, field),
        cmap=colour_map(scale),
        norm=Normalize(low, high),
        rasterized=True,
        **where,
    )


def _draw_coastlines(axes: Any, lon: np.ndarray, lat: np.ndarray) -> None:
    resolution = resolution_for((float(lon.min()), float(lon.max())), (float(lat.min()), float(lat.max())))
    if not natural_earth_path(resolution, "coastline").exists():
        raise DataError(f"The {resolution} coastlines are missing in {coastlines_dir()}: install the project again.")
    axes.coastlines(resolution, color="black", linewidth=0.6)


def _draw_degrees(axes: Any, box: Box) -> None:
    """Meridians and parallels with their degrees at the left and below."""
    meridians = LongitudeLocator(nbins=7).tick_values(box.west, box.east)
    parallels = LatitudeLocator(nbins=6).tick_values(box.south, box.north)
    lines = axes.gridlines(
        crs=ccrs.PlateCarree(),
        draw_labels=True,
        xlocs=np.unique((meridians + 180) % 360 - 180),
        ylocs=parallels,
        x_inline=False,
        y_inline=False,
        rotate_labels=False,
        linewidth=0.4,
        color=LINE_GREY,
        alpha=0.5,
    )
    lines.top_labels = lines.right_labels = False
    lines.xlabel_style = lines.ylabel_style = {"size": 8}


def finish(
    figure: Figure, axes: Axes, mesh: ScalarMappable, title: str, units: str, lines: Sequence[Line] = ()
) -> None:
    """Size, colour bar or legend, and title; text is taken as it is, since a name with $ in it is no formula."""
    width, height = abs(np.diff(axes.get_xlim())[0]), abs(np.diff(axes.get_ylim())[0])
    inches = LONGEST_SIDE / max(width, height)
    wide = height < 0.6 * width
    figure.set_size_inches(
        max(width * inches, 3) + (0.6 if wide else 1.6), max(height * inches, 1) + (1.5 if wide else 0.9)
    )
    axes.set_title(title, loc="left", fontsize=11, parse_math=False)
    if lines:
        figure.legend(handles=legend_of(lines, INK), loc="outside lower center", ncols=6, fontsize=9, frameon=False)
        return
    bar = figure.colorbar(
        mesh,
        ax=axes,
        location="bottom" if wide else "right",
        fraction=0.05,
        pad=0.03,
        aspect=40 if wide else 25,
        extend=_beyond(mesh),
    )
    bar.ax.tick_params(labelsize=8)
    bar.set_label(units, fontsize=9, parse_math=False)


def _beyond(mesh: ScalarMappable) -> str:
    """At which ends the colour bar is pointed: where values lie beyond its limits."""
    values: np.ndarray = np.ma.asarray(mesh.get_array()).compressed()
    below, above = bool((values < mesh.norm.vmin).any()), bool((values > mesh.norm.vmax).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]
