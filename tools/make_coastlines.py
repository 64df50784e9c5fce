"""Makes `data/coastlines/`, the coastlines and the land of Natural Earth in the folder layout of cartopy.

    python tools/make_coastlines.py FOLDER

FOLDER holds land-110m.json, land-50m.json and land-10m.json of the npm package world-atlas 2.0.2. The 10m files keep
only what `engine.coastlines.DETAILED` names. A coastline is the boundary of the land without what the edges of the
world and of those boxes add to it.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import shapefile
import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.polygon import orient

from engine.coastlines import DETAILED, WIDEST, Resolution, coastlines_dir, natural_earth_path

WORLD = (-180.0, -90.0, 180.0, 90.0)
Box = tuple[float, float, float, float]  # west, south, east, north

# By how many degrees a line may leave the original: 0.008° is a pixel where a map 1000 wide shows the box of the Tasman
# Sea, 0.025° is less than two where it shows the smallest box for which cartopy takes 50m, of 15°.
TOLERANCES: dict[Resolution, float] = {"10m": 0.008, "50m": 0.025, "110m": 0.0}
SMALLEST_AREA = 1e-7  # square degrees, that of 35 m squared: no island of Natural Earth is as small
WRITTEN_ON = bytes((126, 1, 1))  # years since 1900, month, day: the table's date would change the checksums every day
WGS84 = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)


def main(words: Sequence[str] | None = None) -> int:
    """Write the six shapefiles and their checksums."""
    parser = argparse.ArgumentParser(description="Make data/coastlines from the npm package world-atlas 2.0.2.")
    parser.add_argument("folder", type=Path, help="holds land-110m.json, land-50m.json and land-10m.json")
    folder = parser.parse_args(words).folder
    for resolution in WIDEST:
        topology = json.loads((folder / f"land-{resolution}.json").read_text(encoding="utf-8"))
        make(resolution, topology)
    write_checksums(coastlines_dir())
    return 0


def make(resolution: Resolution, topology: dict[str, Any]) -> None:
    """Write land and coastline of one resolution."""
    boxes = list(windows()) if resolution == "10m" else [WORLD]
    whole = [part for polygon in polygons(topology) for part in within_the_world(polygon, TOLERANCES[resolution])]
    land = clipped(whole, boxes)
    write(natural_earth_path(resolution, "land"), land)
    write(natural_earth_path(resolution, "coastline"), [line for part in land for line in coast(part, boxes)])


# -- TopoJSON ----------------------------------------------------------------------------------------------


def polygons(topology: dict[str, Any]) -> Iterator[Polygon]:
    """The polygons of the object "land", longitudes running on over ±180° and not cut there.

    Source: the TopoJSON format specification, sections 2.1.2 (quantised arcs) and 2.1.4 (arc indexes).
    """
    scale, translate = (np.array(topology["transform"][name]) for name in ("scale", "translate"))
    arcs = [np.round(np.cumsum(arc, axis=0) * scale + translate, 6) for arc in topology["arcs"]]
    for geometry in topology["objects"]["land"]["geometries"]:
        for indexes in geometry["arcs"]:
            outer, *holes = (unwrapped(ring(arcs, those)) for those in indexes)
            inner = [inside(hole, outer) for hole in holes if hole[:, 1].max() > -89.9]  # one is the South Pole itself
            yield Polygon(outer, inner)


def ring(arcs: list[np.ndarray], indexes: list[int]) -> np.ndarray:
    """A closed ring (point, 2) from its arcs, ~i being the arc i backwards; the last point of each begins the next."""
    pieces = [arcs[index] if index >= 0 else arcs[~index][::-1] for index in indexes]
    return np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])


def unwrapped(points: np.ndarray) -> np.ndarray:
    """The ring without jumps of longitude, closed over the South Pole where it runs around it."""
    lon = np.unwrap(points[:, 0], period=360)
    line = np.column_stack([lon, points[:, 1]])
    if abs(lon[-1] - lon[0]) < 180:
        return line
    return np.concatenate([line, [(lon[-1], -90.0), (lon[0], -90.0), line[0]]])


def inside(hole: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """The hole (point, 2), moved by whole turns to where the unwrapped outer ring runs around it."""
    turns = np.ceil((outer[:, 0].min() - hole[:, 0].min()) / 360)
    return np.add(hole, (360 * turns, 0))


# -- cutting -----------------------------------------------------------------------------------------------


def windows() -> Iterator[Box]:
    """The boxes of the 10m files with longitudes in −180…180, those over 180° in two."""
    for west, south, east, north in DETAILED:
        if west < 180:
            yield west, south, min(east, 180.0), north
        if east > 180:
            yield max(west, 180.0) - 360, south, east - 360, north


def within_the_world(polygon: Polygon, tolerance: float) -> list[Polygon]:
    """The parts of a polygon, with points left out within the tolerance, moved by whole turns into −180…180."""
    simple = shapely.make_valid(shapely.simplify(shapely.make_valid(polygon), tolerance))
    copies = [shapely.transform(simple, lambda points, turn=turn: np.add(points, (turn, 0))) for turn in (-360, 0, 360)]
    return [part for copy in copies for part in areas(shapely.intersection(copy, shapely.box(*WORLD)))]


def clipped(parts: list[Polygon], boxes: list[Box]) -> list[Polygon]:
    """What lies in the boxes' union, so that where two overlap nothing is there twice."""
    kept = shapely.union_all([shapely.box(*box) for box in boxes])
    return [area for part in parts for area in areas(shapely.intersection(part, kept))]


def areas(geometry: shapely.Geometry) -> list[Polygon]:
    """The polygons of whatever a cut has left, without the points, lines and slivers where it only touches."""
    if isinstance(geometry, Polygon):
        return [geometry] if geometry.area > SMALLEST_AREA else []
    return [area for part in getattr(geometry, "geoms", ()) for area in areas(part)]


def coast(land: Polygon, boxes: list[Box]) -> list[LineString]:
    """The boundary of land without the stretches along the edges of the boxes."""
    edges = shapely.union_all([shapely.box(*box) for box in boxes]).boundary
    lines: list[LineString] = []
    for closed in (land.exterior, *land.interiors):
        points = shapely.get_coordinates(closed)
        starts, ends = points[:-1], points[1:]
        places = (starts, (starts + ends) / 2, ends)
        added = np.all([shapely.dwithin(edges, shapely.points(place), 1e-9) for place in places], axis=0)
        lines += stretches(starts, ~added)
    return lines


def stretches(points: np.ndarray, kept: np.ndarray) -> list[LineString]:
    """The longest lines of a closed ring's points (n, 2) whose steps to the next point (n,) are kept."""
    if kept.all():
        return [LineString([*points, points[0]])]
    after_a_gap = int(np.argmin(kept)) + 1
    points, kept = np.roll(points, -after_a_gap, axis=0), np.roll(kept, -after_a_gap)  # the last step is now a gap
    gaps = np.flatnonzero(~kept)
    begins = np.concatenate([[0], gaps[:-1] + 1])
    return [LineString(points[begin : gap + 1]) for begin, gap in zip(begins, gaps, strict=True) if gap > begin]


# -- writing -----------------------------------------------------------------------------------------------


def write(path: Path, shapes: Sequence[Polygon | LineString]) -> None:
    """One shapefile with its index, table, projection and code page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.stem.rpartition("_")[2]
    with shapefile.Writer(path, shapeType=shapefile.POLYGON if kind == "land" else shapefile.POLYLINE) as writer:
        writer.field("featurecla", "C", size=len("Coastline"))
        for shape in shapes:
            if isinstance(shape, Polygon):
                # Outer rings run clockwise, holes the other way: ESRI Shapefile Technical Description, 1998, page 8.
                facing = orient(shape, sign=-1.0)
                rings = (facing.exterior, *facing.interiors)
                writer.poly([shapely.get_coordinates(ring).tolist() for ring in rings])
            else:
                writer.line([shapely.get_coordinates(shape).tolist()])
            writer.record(kind.capitalize())
    table = bytearray(path.with_suffix(".dbf").read_bytes())
    table[1:4] = WRITTEN_ON
    path.with_suffix(".dbf").write_bytes(table)
    path.with_suffix(".prj").write_text(WGS84, encoding="ascii")
    path.with_suffix(".cpg").write_text("UTF-8", encoding="ascii")
    print(f"{path.name}: {len(shapes)} shapes, {path.stat().st_size:,} bytes")


def write_checksums(folder: Path) -> None:
    """`SHA256SUMS` of the shapefiles, in the form of sha256sum."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("ne_*.*"))
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="ascii", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
