"""Maps for print: coastlines without a network, colours, land, and files that are what they say."""

import io
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import cartopy
import cartopy.crs as ccrs
import cartopy.io
import numpy as np
import pytest
from cartopy.mpl.feature_artist import FeatureArtist
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from PIL import Image

from app.player.colours import colour_table
from app.plots.static_map import (
    LAND_GREY,
    PROJECTIONS,
    SCALES,
    Limits,
    Scale,
    colour_map,
    plain_map,
    save,
    static_map,
    use_bundled_coastlines,
)
from engine import coastlines
from engine.errors import DataError, RequestError

# Longitude of the middle, then west, east (from the middle), south, north.
EXTENTS = {
    "110m": (205.0, -180.0, 180.0, -90.0, 90.0),
    "50m": (205.0, -85.0, 85.0, -25.0, 25.0),
    "10m": (151.0, -3.875, 3.875, -44.875, -37.125),
}
LON, LAT = np.arange(120.0, 291.0, 10.0), np.arange(-25.0, 26.0, 5.0)
FIELD = 28 - 0.01 * LAT[:, None] ** 2 + 0.01 * (LON - 120)
GREY = tuple(int(LAND_GREY[i : i + 2], 16) for i in (1, 3, 5))
SMALL = 50  # dots per inch, enough to see where something is


class NetworkTouched(Exception):
    """Raised in place of any connection; no OSError, which a library might take for an offline machine."""


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No connection, no files of cartopy but the project's, and nothing that an earlier map has read."""

    def touched(*_: object, **__: object) -> NoReturn:
        raise NetworkTouched

    monkeypatch.setattr(socket.socket, "connect", touched)
    monkeypatch.setattr(socket.socket, "connect_ex", touched)
    monkeypatch.setattr(socket, "create_connection", touched)
    monkeypatch.setattr(socket, "getaddrinfo", touched)
    monkeypatch.setattr(urllib.request, "urlopen", touched)
    monkeypatch.setattr(cartopy.io, "urlopen", touched)
    monkeypatch.setattr(cartopy.feature, "_NATURAL_EARTH_GEOM_CACHE", {})
    monkeypatch.setitem(cartopy.config, "data_dir", tmp_path / "writable")
    monkeypatch.setitem(cartopy.config, "pre_existing_data_dir", tmp_path / "nothing")


def stock_map(resolution: str, *, lines: bool) -> Figure:
    middle, west, east, south, north = EXTENTS[resolution]
    projection = ccrs.PlateCarree(central_longitude=middle)
    figure = Figure(figsize=(6, 3), dpi=100)
    axes = figure.add_subplot(projection=projection)
    axes.set_extent((west, east, south, north), crs=projection)
    if lines:
        axes.coastlines()
    return figure


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def page(figure: Figure) -> np.ndarray:
    """The pixels of the whole figure, not cut to what is on it."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return pixels(file.getvalue())


def coast_pixels(figure: Figure) -> np.ndarray:
    """Where the page changes as the coastlines are taken away."""
    (lines,) = [child for child in figure.axes[0].get_children() if isinstance(child, FeatureArtist)]
    before = page(figure)
    lines.set_visible(False)
    after = page(figure)
    lines.set_visible(True)
    return np.any(before != after, axis=-1)


def place(figure: Figure, x: float, y: float) -> tuple[int, int]:
    """Row and column of the page at a place of the map."""
    across, up = figure.axes[0].transData.transform((x, y))
    return round(float(figure.bbox.height - up)), round(float(across))


# -- without a network -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("resolution", EXTENTS)
def test_stock_coastlines_are_drawn_without_a_network(resolution: str) -> None:
    use_bundled_coastlines()
    with_lines, without = (pixels(save(stock_map(resolution, lines=lines), "png")) for lines in (True, False))
    assert cartopy.feature.COASTLINE.scale == resolution
    height, width = (min(one, other) for one, other in zip(with_lines.shape[:2], without.shape[:2], strict=True))
    differing = np.any(with_lines[:height, :width] != without[:height, :width], axis=-1)
    assert 200 < differing.sum() < 0.3 * differing.size


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("resolution", EXTENTS)
@pytest.mark.filterwarnings("ignore::cartopy.io.DownloadWarning")
def test_without_the_bundled_files_cartopy_would_ask_a_server(resolution: str) -> None:
    with pytest.raises(NetworkTouched):
        save(stock_map(resolution, lines=True), "png")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize(("west", "south", "step"), [(120.0, -25.0, 10.0), (147.125, -44.875, 0.775)])
def test_every_projection_draws_a_map_without_a_network(
    projection: str, west: float, south: float, step: float
) -> None:
    lon, lat = west + step * np.arange(11), south + step * np.arange(6)
    field = np.add.outer(np.arange(6.0), np.arange(11.0))
    figure = static_map(field, lon, lat, title="Field", units="°C", projection=projection, dpi=SMALL)
    drawn = pixels(save(figure, "png"))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 60
    assert coast_pixels(figure).sum() > 100
    assert save(figure, "pdf").startswith(b"%PDF")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("projection", ["plate-carree", "mercator", "robinson"])
def test_the_whole_world_can_be_drawn(projection: str) -> None:
    lon, lat = np.arange(5.0, 360.0, 10.0), np.arange(-85.0, 90.0, 10.0)
    field = np.ones((18, 36))
    figure = static_map(field, lon, lat, title="", units="", projection=projection, limits=(0.0, 2.0), dpi=SMALL)
    drawn = pixels(save(figure, "png"))
    middle = np.array(colour_map("thermal")(0.5)[:3]) * 255
    of_the_field = np.abs(drawn - middle).max(axis=-1) <= 2
    assert of_the_field.mean() > 0.4
    columns = np.flatnonzero(of_the_field.mean(axis=0) > 0.3)
    assert np.ptp(columns) > 0.6 * drawn.shape[1]


# -- what is shown -----------------------------------------------------------------------------------------


def test_the_coast_is_where_it_is() -> None:
    """Of South America from 240 to 300 east, whose middle 270 is the zero of the map."""
    lon, lat = np.arange(241.0, 300.0, 2.0), np.arange(-29.0, 0.0, 2.0)
    figure = static_map(np.zeros((15, 30)), lon, lat, title="", units="", dpi=SMALL)
    coast = coast_pixels(figure)

    def is_near(longitude: float, latitude: float) -> bool:
        row, column = place(figure, longitude - 270, latitude)
        return bool(coast[row - 3 : row + 4, column - 3 : column + 4].any())

    assert is_near(282.85, -12.05)  # Lima
    assert is_near(289.85, -20.21)  # Iquique
    assert not any(is_near(longitude, latitude) for longitude in (245, 265, 275) for latitude in (-25, -15, -5))
    assert not is_near(295, -10)  # the Amazon forest


def coloured(figure: Figure) -> Collection:
    """The cells that the colour bar is about."""
    (cells,) = [drawn for drawn in figure.axes[0].collections if drawn.colorbar]
    return cells


def test_land_is_grey_and_takes_no_part_in_the_limits() -> None:
    field, land = FIELD.copy(), np.zeros(FIELD.shape, bool)
    land[3:6, 4:9] = True
    field[land] = 1e6
    figure = static_map(field, LON, LAT, title="", units="", land=land, dpi=SMALL)
    assert coloured(figure).get_clim() == (FIELD[~land].min(), FIELD[~land].max())
    grey = np.all(pixels(save(figure, "png")) == GREY, axis=-1)
    assert 0.03 < grey.mean() < 0.08  # 15 of 198 cells of a map with room for bar and words around it


def test_without_a_mask_cells_without_a_value_are_land() -> None:
    field = FIELD.copy()
    field[3:6, 4:9] = np.nan
    drawn = pixels(save(static_map(field, LON, LAT, title="", units="", dpi=SMALL), "png"))
    assert np.all(drawn == GREY, axis=-1).mean() > 0.03


def test_a_gap_in_the_sea_is_not_drawn_as_land() -> None:
    field, land = FIELD.copy(), np.zeros(FIELD.shape, bool)
    field[3:6, 4:9] = np.nan
    drawn = pixels(save(static_map(field, LON, LAT, title="", units="", land=land, dpi=SMALL), "png"))
    assert not np.all(drawn == GREY, axis=-1).any()


@pytest.mark.parametrize(
    ("values", "scale", "expected"),
    [
        ([-1.0, 3.0], "balance", (-3, 3)),
        ([-1.0, 3.0], "thermal", (-1, 3)),
        ([2.0, 2.0], "amp", (1.5, 2.5)),
        ([0.0, 0.0], "balance", (-1, 1)),
        ([np.nan, np.nan], "thermal", (0, 1)),
        ([np.nan, np.nan], "balance", (-1, 1)),
    ],
)
def test_the_limits_follow_from_the_field(values: list[float], scale: Scale, expected: Limits) -> None:
    field = np.array([values, values])
    figure = plain_map(field, np.arange(2.0), np.arange(2.0), title="", units="", axis_units="m", scale=scale)
    assert coloured(figure).get_clim() == expected


def test_given_limits_are_kept_and_the_bar_points_where_values_lie_beyond() -> None:
    field = np.array([[0.0, 5.0]])
    ends = {(0.0, 5.0): "neither", (1.0, 5.0): "min", (0.0, 4.0): "max", (1.0, 4.0): "both"}
    for limits, end in ends.items():
        figure = plain_map(field, np.arange(2.0), np.zeros(1), title="", units="", axis_units="", limits=limits)
        bar = coloured(figure).colorbar
        assert coloured(figure).get_clim() == limits
        assert bar is not None and bar.extend == end


@pytest.mark.parametrize("scale", SCALES)
def test_the_colours_are_those_of_the_page(scale: Scale) -> None:
    colours = np.round(colour_map(scale)(np.linspace(0, 1, 256))[:, :3] * 255)
    assert np.abs(colours - colour_table(scale)).max() <= 1


def test_a_plain_map_shows_rows_upwards_and_masked_cells_in_grey() -> None:
    field = np.array([[0.0, 0.0], [1.0, 1.0]])
    masked = np.array([[False, True], [False, False]])
    figure = plain_map(
        field, np.arange(2.0), np.arange(2.0), title="", units="", axis_units="m", masked=masked, dpi=SMALL
    )
    image = page(figure)
    table = colour_table("thermal").astype(int)
    assert np.abs(image[place(figure, 0, 0)] - table[0]).max() <= 2
    assert np.abs(image[place(figure, 0, 1)] - table[-1]).max() <= 2
    assert tuple(image[place(figure, 1, 0)]) == GREY
    assert figure.axes[0].get_xlabel() == "x (m)"


def test_titles_and_units_are_taken_as_they_are() -> None:
    """What matplotlib reads as a broken formula is a name that an uploaded file may have."""
    title, units = r"$\frac{ of a file$", "$^{"
    figure = static_map(FIELD, LON, LAT, title=title, units=units, dpi=SMALL)
    assert save(figure, "png")
    assert figure.axes[0].get_title(loc="left") == title
    assert figure.axes[1].get_xlabel() == units


def test_a_descending_axis_gives_the_same_map() -> None:
    upwards = static_map(FIELD, LON, LAT, title="", units="", dpi=SMALL)
    downwards = static_map(FIELD[::-1], LON, LAT[::-1], title="", units="", dpi=SMALL)
    one, other = (pixels(save(figure, "png")) for figure in (upwards, downwards))
    assert one.shape == other.shape
    assert (np.abs(one - other).max(axis=-1) > 8).mean() < 0.01


# -- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_the_same_map_is_the_same_file_also_from_several_threads(kind: str) -> None:
    def draw(number: int) -> bytes:
        return save(static_map(FIELD + number, LON, LAT, title=f"{number}", units="°C", dpi=SMALL), kind)

    alone = [draw(number) for number in range(2)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(draw, [0, 1, 0, 1]))
    assert together == alone + alone


def test_a_higher_resolution_gives_more_pixels() -> None:
    low, high = (pixels(save(static_map(FIELD, LON, LAT, title="", units="", dpi=dpi), "png")) for dpi in (50, 100))
    assert high.shape[1] == pytest.approx(2 * low.shape[1], abs=4)


# -- refusals ----------------------------------------------------------------------------------------------


def draw(**options: Any) -> Figure:
    given: dict[str, Any] = {"field": FIELD, "lon": LON, "lat": LAT, "title": "", "units": "", **options}
    return static_map(**given)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"projection": "gnomonic"}, "'gnomonic'"),
        ({"scale": "jet"}, "'jet'"),
        ({"dpi": 10_000}, "10000 dots"),
        ({"limits": (2.0, 1.0)}, "from 2 to 1"),
        ({"limits": (float("nan"), 1.0)}, "from nan to 1"),
        ({"projection": "lambert", "lon": np.linspace(0, 350, 18)}, "at most 180° wide"),
        ({"projection": "mercator", "lat": np.linspace(82, 89, 11)}, "80° north"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        draw(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"field": FIELD.T}, r"\(18, 11\) does not fit"),
        ({"field": np.empty((0, 18)), "lat": np.empty(0)}, r"\(0, 18\) does not fit"),
        ({"land": np.zeros((2, 2), bool)}, r"mask of shape \(2, 2\)"),
    ],
)
def test_shapes_that_do_not_agree_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        draw(**options)


def test_missing_coastlines_are_one_sentence_and_no_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(coastlines, "bundled_dir", lambda: tmp_path)
    with pytest.raises(DataError, match="50m coastlines are missing"):
        draw()


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(RequestError, match="'gif'"):
        save(Figure(), "gif")
