"""Coastlines: the files of Natural Earth against themselves, the tool that makes them, and the lines of a box."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import cartopy
import numpy as np
import pytest
import shapefile
import shapely
from cartopy.feature import AdaptiveScaler
from cartopy.io.shapereader import natural_earth
from shapely.geometry import Point, Polygon
from shapely.geometry import shape as geometry_of

from engine import coastlines as module
from engine.coastlines import (
    DETAILED,
    WIDEST,
    Resolution,
    coastlines,
    coastlines_dir,
    natural_earth_path,
    resolution_for,
)
from engine.errors import DataError, RequestError
from tools.make_coastlines import clipped, coast, polygons, windows, within_the_world

WORLD = (-180.0, -90.0, 180.0, 90.0)
PACIFIC = ((120.0, 290.0), (-25.0, 25.0))
TASMAN = ((147.125, 154.875), (-44.875, -37.125))

SEA = {
    "off Nauru": (167.5, -1.5),
    "the Tasman Sea": (155.0, -40.0),
    "off Peru": (-85.0, -10.0),
}
LAND_EVERYWHERE = {"New Guinea": (142.0, -5.5), "Tasmania": (146.6, -42.1), "Peru": (-75.0, -10.0)}
LAND_OF_THE_WORLD = {"the South Pole": (0.0, -89.9), "Chukotka west": (179.0, 67.5), "Chukotka east": (-178.5, 67.2)}
LAND_IN_DETAIL = {"Hobart": (147.30, -42.88), "Nauru": (166.93, -0.53), "Fiji": (178.0, -17.8)}


def shapes(resolution: str, name: str) -> list[shapely.Geometry]:
    with shapefile.Reader(natural_earth_path(resolution, name)) as reader:
        return [geometry_of(shape) for shape in reader.iterShapes()]


def is_land(resolution: str, place: tuple[float, float]) -> bool:
    return any(polygon.contains(Point(place)) for polygon in shapes(resolution, "land"))


def boxes_of(resolution: str) -> list[tuple[float, float, float, float]]:
    return list(windows()) if resolution == "10m" else [WORLD]


# -- the files ---------------------------------------------------------------------------------------------


def test_every_shapefile_matches_its_checksum_and_none_is_without() -> None:
    lines = (coastlines_dir() / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    stated = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    present = {path.relative_to(coastlines_dir()).as_posix() for path in coastlines_dir().rglob("ne_*")}
    assert present == set(stated)
    assert len(stated) == 3 * 2 * 5  # resolutions, land and coastline, files of a shapefile
    for name, digest in stated.items():
        assert hashlib.sha256((coastlines_dir() / name).read_bytes()).hexdigest() == digest, name


def test_together_they_are_small() -> None:
    assert sum(path.stat().st_size for path in coastlines_dir().rglob("*") if path.is_file()) < 2_700_000


@pytest.mark.parametrize("resolution", WIDEST)
@pytest.mark.parametrize("name", ["coastline", "land"])
def test_the_files_are_where_cartopy_looks(monkeypatch: pytest.MonkeyPatch, resolution: str, name: str) -> None:
    monkeypatch.setitem(cartopy.config, "pre_existing_data_dir", coastlines_dir())
    assert natural_earth(resolution, "physical", name) == natural_earth_path(resolution, name)


@pytest.mark.parametrize("resolution", WIDEST)
def test_land_is_valid_polygons_inside_the_boxes(resolution: str) -> None:
    land = shapes(resolution, "land")
    assert all(isinstance(polygon, Polygon) and polygon.is_valid for polygon in land)
    kept = shapely.union_all([shapely.box(*box) for box in boxes_of(resolution)])
    assert all(kept.buffer(1e-9).covers(polygon) for polygon in land)


@pytest.mark.parametrize("resolution", WIDEST)
def test_no_land_lies_on_other_land(resolution: str) -> None:
    land = shapes(resolution, "land")
    together = shapely.union_all(land).area
    assert sum(polygon.area for polygon in land) == pytest.approx(together, rel=1e-9)


@pytest.mark.parametrize("resolution", WIDEST)
@pytest.mark.parametrize("place", SEA.values(), ids=list(SEA))
def test_the_sea_is_not_land(resolution: str, place: tuple[float, float]) -> None:
    assert not is_land(resolution, place)


@pytest.mark.parametrize("resolution", WIDEST)
@pytest.mark.parametrize("place", LAND_EVERYWHERE.values(), ids=list(LAND_EVERYWHERE))
def test_land_is_land_at_every_resolution(resolution: str, place: tuple[float, float]) -> None:
    assert is_land(resolution, place)


@pytest.mark.parametrize("resolution", ["110m", "50m"])
@pytest.mark.parametrize("place", LAND_OF_THE_WORLD.values(), ids=list(LAND_OF_THE_WORLD))
def test_the_pole_and_both_sides_of_the_date_line_are_land(resolution: str, place: tuple[float, float]) -> None:
    assert is_land(resolution, place)


@pytest.mark.parametrize("resolution", ["110m", "50m"])
def test_the_caspian_is_a_hole_in_the_land(resolution: str) -> None:
    assert not is_land(resolution, (51.0, 42.0))


@pytest.mark.parametrize("place", LAND_IN_DETAIL.values(), ids=list(LAND_IN_DETAIL))
def test_the_finest_files_know_islands_and_towns_on_the_shore(place: tuple[float, float]) -> None:
    assert is_land("10m", place)


def lengths_along(polygon: Polygon, boxes: list[tuple[float, float, float, float]]) -> tuple[float, float]:
    """The length of a polygon's rings, and of that what runs along an edge of a box."""
    edges = [((west, east), (south, north)) for west, south, east, north in boxes]
    whole = along = 0.0
    for ring in (polygon.exterior, *polygon.interiors):
        points = shapely.get_coordinates(ring)
        lengths = np.hypot(*np.diff(points, axis=0).T)
        on_an_edge = np.zeros(len(lengths), bool)
        for box in edges:
            for axis in (0, 1):
                for edge in box[axis]:
                    at = np.abs(points[:, axis] - edge) < 1e-9
                    on_an_edge |= at[:-1] & at[1:]
        whole += float(lengths.sum())
        along += float(lengths[on_an_edge].sum())
    return whole, along


@pytest.mark.parametrize("resolution", WIDEST)
def test_the_coastline_is_the_boundary_of_the_land_without_the_edges(resolution: str) -> None:
    land, lines = shapes(resolution, "land"), shapes(resolution, "coastline")
    boundary = shapely.union_all(land).boundary
    shapely.prepare(boundary)
    assert shapely.dwithin(boundary, shapely.points(shapely.get_coordinates(lines)), 1e-9).all()
    lengths = [lengths_along(polygon, boxes_of(resolution)) for polygon in land]
    whole, along = (sum(part) for part in zip(*lengths, strict=True))
    assert along > 0
    assert sum(line.length for line in lines) == pytest.approx(whole - along, rel=1e-9)


# -- the tool ----------------------------------------------------------------------------------------------


def topology(*arcs: list[list[int]], indexes: list[list[list[int]]]) -> dict[str, object]:
    """Land of whole degrees, each arc's first point and then steps from point to point."""
    return {
        "transform": {"scale": [1, 1], "translate": [-180, -90]},
        "arcs": arcs,
        "objects": {"land": {"geometries": [{"arcs": indexes}]}},
    }


def test_an_arc_is_added_up_and_read_backwards_where_its_index_is_negative() -> None:
    # (10, 20) → (12, 20) → (12, 23), and the way back (10, 20) → (10, 23) → (12, 23) reversed.
    there, back = [[190, 110], [2, 0], [0, 3]], [[190, 110], [0, 3], [2, 0]]
    (polygon,) = polygons(topology(there, back, indexes=[[[0, ~1]]]))
    assert polygon.equals(shapely.box(10, 20, 12, 23))


def test_a_square_across_the_date_line_becomes_two_and_has_no_coast_there() -> None:
    # 178 → −178 (= 182), 0 … 1
    square = [[358, 90], [-356, 0], [0, 1], [356, 0], [0, -1]]
    (polygon,) = polygons(topology(square, indexes=[[[0]]]))
    parts = within_the_world(polygon, 0.0)
    assert sorted(part.bounds for part in parts) == [(-180, 0, -178, 1), (178, 0, 180, 1)]
    for part in parts:
        (line,) = coast(part, [WORLD])
        assert line.length == 2 + 1 + 2
        assert not shapely.dwithin(line, Point(180 if part.bounds[0] > 0 else -180, 0.5), 0.4)


def test_land_around_the_pole_reaches_it_and_has_coast_in_the_north_alone() -> None:
    ring = [[0, 20], [120, 0], [120, 0], [-240, 0]]  # −180, −60, 60 and on to −180, all at 70°S
    (polygon,) = polygons(topology(ring, indexes=[[[0]]]))
    (part,) = within_the_world(polygon, 0.0)
    assert part.equals(shapely.box(-180, -90, 180, -70))
    (line,) = coast(part, [WORLD])
    assert (line.length, line.bounds) == (360, (-180, -70, 180, -70))


def test_a_lake_stays_in_land_that_runs_on_over_the_date_line() -> None:
    # Land 170 … 200, written from its eastern side, and a lake at 175 … 176 that is written a turn apart.
    land = [[20, 80], [0, 20], [330, 0], [0, -20], [-330, 0]]
    lake = [[355, 90], [0, 1], [1, 0], [0, -1], [-1, 0]]
    (polygon,) = polygons(topology(land, lake, indexes=[[[0], [1]]]))
    parts = within_the_world(polygon, 0.0)
    assert sum(part.area for part in parts) == pytest.approx(30 * 20 - 1)
    assert not any(part.contains(Point(175.5, 0.5)) for part in parts)


def test_land_cut_by_a_box_has_no_coast_along_the_cut() -> None:
    (part,) = clipped([shapely.box(0, 0, 10, 10)], [(5.0, -5.0, 20.0, 5.0)])
    assert part.equals(shapely.box(5, 0, 10, 5))
    (line,) = coast(part, [(5.0, -5.0, 20.0, 5.0)])
    assert [tuple(point) for point in line.coords] in ([(5, 0), (10, 0), (10, 5)], [(10, 5), (10, 0), (5, 0)])


def test_an_island_keeps_its_closed_coast() -> None:
    (line,) = coast(shapely.box(1, 1, 2, 3), [WORLD])
    assert line.is_closed
    assert line.length == 6


# -- the lines of a box ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lon_range", "lat_range", "resolution"),
    [
        ((-180, 180), (-90, 90), "110m"),
        (*PACIFIC, "50m"),
        ((0, 50), (0, 80), "50m"),
        ((150, 165), (-20, 20), "10m"),
        (*TASMAN, "10m"),
        ((-100, -90), (0, 10), "10m"),
    ],
)
def test_the_resolution_is_the_one_that_cartopy_chooses(
    lon_range: tuple[float, float], lat_range: tuple[float, float], resolution: str
) -> None:
    assert resolution_for(lon_range, lat_range) == resolution
    scaler = AdaptiveScaler("110m", (("50m", 50), ("10m", 15)))
    assert scaler.scale_from_extent((*lon_range, *lat_range)) == resolution


@pytest.mark.parametrize("lon_range", [(0.0, 10.0), (110.0, 120.0), (360.0, 370.0)])
def test_where_the_finest_lines_are_not_bundled_the_next_ones_are_taken(lon_range: tuple[float, float]) -> None:
    assert resolution_for(lon_range, (0.0, 10.0)) == "50m"


def test_the_boxes_of_the_data_sets_have_the_finest_lines() -> None:
    assert coastlines(*TASMAN, "10m")
    assert all(any(west <= 180 <= east for west, _, east, _ in DETAILED) for _ in windows())
    for lon in np.arange(120.0, 280.0, 2.5):  # the published boxes of 15° lie in the tropical Pacific
        assert resolution_for((lon, lon + 14.75), (-7.4, 7.4)) == "10m"


@pytest.mark.parametrize("resolution", WIDEST)
@pytest.mark.parametrize("box", [PACIFIC, TASMAN, ((-180.0, 180.0), (-60.0, 60.0)), ((350.0, 370.0), (-30.0, 60.0))])
def test_the_lines_hold_every_point_of_the_file_in_the_box_and_none_outside(
    resolution: Resolution, box: tuple[tuple[float, float], tuple[float, float]]
) -> None:
    (west, east), (south, north) = box
    found = coastlines(*box, resolution)
    held = {(round(x, 6), round(y, 6)) for line in found for x, y in line}
    assert all(west - 1e-6 <= x <= east + 1e-6 and south - 1e-6 <= y <= north + 1e-6 for x, y in held)
    for x, y in shapely.get_coordinates(shapes(resolution, "coastline")):
        for turn in (-360, 0, 360, 720):
            if west < x + turn < east and south < y < north:
                assert (round(x + turn, 6), round(y, 6)) in held


def test_both_ways_to_count_longitudes_give_the_same_lines() -> None:
    east = coastlines((190.0, 290.0), (-25.0, 25.0), "50m")
    west = coastlines((-170.0, -70.0), (-25.0, 25.0), "50m")
    assert len(east) == len(west) > 50
    for one, other in zip(east, west, strict=True):
        assert one == pytest.approx(np.add(other, (360, 0)))


def test_a_line_does_not_jump_across_the_map() -> None:
    for line in coastlines((120.0, 290.0), (-25.0, 70.0), "110m"):
        assert np.abs(np.diff(line[:, 0])).max() < 20


def test_the_open_sea_has_no_coastline() -> None:
    assert coastlines((150.0, 154.0), (-44.0, -40.0)) == []


def test_lines_are_kept_and_cannot_be_changed() -> None:
    first, again = coastlines(*TASMAN), coastlines(*TASMAN)
    assert first[0] is again[0]
    assert first is not again
    with pytest.raises(ValueError, match="read-only"):
        first[0][0, 0] = 0.0


@pytest.mark.parametrize(
    ("lon_range", "lat_range", "resolution", "words"),
    [
        ((10.0, 10.0), (0.0, 1.0), None, "10 to 10"),
        ((0.0, 361.0), (0.0, 1.0), None, "0 to 361"),
        ((float("nan"), 1.0), (0.0, 1.0), None, "nan to 1"),
        ((0.0, 1.0), (1.0, 0.0), None, "1 to 0"),
        ((0.0, 1.0), (0.0, 91.0), None, "0 to 91"),
        ((0.0, 1.0), (0.0, 1.0), "20m", "'20m'"),
    ],
)
def test_what_is_no_box_is_refused(
    lon_range: tuple[float, float], lat_range: tuple[float, float], resolution: Resolution | None, words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        coastlines(lon_range, lat_range, resolution)


HEADER_ALONE = natural_earth_path("10m", "coastline").read_bytes()[:150]


@pytest.fixture
def nothing_kept() -> Iterator[None]:
    module._clipped.cache_clear()
    module._lines.cache_clear()
    yield
    module._clipped.cache_clear()
    module._lines.cache_clear()


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.filterwarnings("ignore:Declared file size")
@pytest.mark.parametrize("content", [None, b"", b"no shapefile " * 20, HEADER_ALONE])
def test_a_missing_or_damaged_file_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "lines.shp").write_bytes(content)
    monkeypatch.setattr(module, "natural_earth_path", lambda resolution, name: tmp_path / "lines.shp")
    with pytest.raises(DataError, match=r"The coastlines lines\.shp cannot be read"):
        coastlines(*TASMAN)
