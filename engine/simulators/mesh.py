"""Unstructured triangle meshes of a rectangular channel with convex polygonal holes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import Delaunay, cKDTree

__all__ = [
    "Mesh",
    "MeshSizes",
    "channel_mesh",
    "inside_polygon",
    "polygon_area",
    "regular_polygon",
    "smallest_angle",
]

_SMOOTHING_ROUNDS = 8
_ATTEMPTS = 12


@dataclass(frozen=True)
class MeshSizes:
    """Edge lengths in metres: in the open channel, on a hole's edge, and the growth per metre between."""

    channel: float = 0.0215
    hole: float = 0.006
    growth: float = 0.35


@dataclass(frozen=True, eq=False)
class Mesh:
    """points: float64 (vertex, 2) in metres; triangles: int64 (triangle, 3), counter-clockwise."""

    points: np.ndarray
    triangles: np.ndarray


def regular_polygon(x: float, y: float, radius: float, *, sides: int = 18) -> np.ndarray:
    """The regular polygon inscribed in a circle, vertex i at angle 2 pi i / sides: float64 (sides, 2)."""
    angle = 2 * np.pi * np.arange(sides) / sides
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


def polygon_area(polygon: np.ndarray) -> float:
    """The area of a counter-clockwise polygon (vertex, 2), by the shoelace formula."""
    following = np.roll(polygon, -1, axis=0)
    return float(0.5 * np.sum(polygon[:, 0] * following[:, 1] - following[:, 0] * polygon[:, 1]))


def inside_polygon(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Which of the points (n, 2) lie in a convex counter-clockwise polygon or on its edge: bool (n,)."""
    edge = np.roll(polygon, -1, axis=0) - polygon
    away = points[:, None, :] - polygon[None]
    left = edge[None, :, 0] * away[:, :, 1] - edge[None, :, 1] * away[:, :, 0]
    return np.asarray((left >= -1e-12).all(axis=1))


def smallest_angle(mesh: Mesh) -> float:
    """The smallest angle of any triangle in degrees."""
    corner = mesh.points[mesh.triangles]
    angles = []
    for i in range(3):
        a = corner[:, (i + 1) % 3] - corner[:, i]
        b = corner[:, (i + 2) % 3] - corner[:, i]
        angles.append(np.arctan2(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), (a * b).sum(1)))
    return float(np.degrees(np.min(angles)))


def channel_mesh(
    length: float,
    height: float,
    holes: Sequence[np.ndarray] = (),
    *,
    sizes: MeshSizes | None = None,
    smallest: float = 15.0,
) -> Mesh:
    """A mesh of [0, length] x [0, height] minus the convex holes, finer towards the holes.

    A hexagonal lattice is thinned to the wanted density and relaxed by repelling springs between
    Delaunay rounds (Persson and Strang 2004, doi:10.1137/S0036144503429121). The area is that of the
    domain and no angle is below `smallest` degrees; the lattice is drawn anew until both hold.
    """
    sizes = sizes or MeshSizes()
    boundary = _boundary_points(length, height, holes, sizes)
    expected = length * height - sum(polygon_area(hole) for hole in holes)
    for attempt in range(_ATTEMPTS):
        inner = _lattice(length, height, holes, boundary, sizes, np.random.default_rng(attempt))
        mesh = _smooth(boundary, inner, length, height, holes, sizes)
        if abs(_areas(mesh).sum() - expected) < 1e-9 * expected and smallest_angle(mesh) > smallest:
            return mesh
    raise AssertionError(f"no valid mesh of the channel with {len(holes)} holes in {_ATTEMPTS} attempts")


def _areas(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.points[mesh.triangles[:, i]] for i in range(3))
    return np.asarray(0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]))


def _split(start: np.ndarray, end: np.ndarray, size: float) -> np.ndarray:
    """Points from start (included) to end (left out), no further apart than size."""
    pieces = int(np.ceil(np.linalg.norm(end - start) / size - 1e-9))
    return np.asarray(start + (end - start) * (np.arange(pieces) / pieces)[:, None])


def _boundary_points(length: float, height: float, holes: Sequence[np.ndarray], sizes: MeshSizes) -> np.ndarray:
    corners = np.array([[0.0, 0.0], [length, 0.0], [length, height], [0.0, height]])
    loops = [(corners, sizes.channel), *((hole, sizes.hole) for hole in holes)]
    return np.concatenate(
        [_split(loop[i], loop[(i + 1) % len(loop)], size) for loop, size in loops for i in range(len(loop))]
    )


def _hole_distance(points: np.ndarray, holes: Sequence[np.ndarray]) -> np.ndarray:
    """Distance to the nearest hole edge (n,), infinite without holes."""
    distance = np.full(len(points), np.inf)
    for hole in holes:
        for start, end in zip(hole, np.roll(hole, -1, axis=0), strict=True):
            edge = end - start
            along = np.clip((points - start) @ edge / (edge @ edge), 0.0, 1.0)
            distance = np.minimum(distance, np.linalg.norm(points - start - along[:, None] * edge, axis=1))
    return distance


def _size(points: np.ndarray, holes: Sequence[np.ndarray], sizes: MeshSizes) -> np.ndarray:
    return np.minimum(sizes.channel, sizes.hole + sizes.growth * _hole_distance(points, holes))


def _wall_distance(points: np.ndarray, length: float, height: float) -> np.ndarray:
    x, y = points.T
    return np.minimum.reduce([x, length - x, y, height - y])


def _clear_of_boundary(
    points: np.ndarray,
    length: float,
    height: float,
    holes: Sequence[np.ndarray],
    sizes: MeshSizes,
    share: float,
) -> np.ndarray:
    """Which points lie in the domain and at least share x size away from its boundary."""
    hole = _hole_distance(points, holes)
    size = np.minimum(sizes.channel, sizes.hole + sizes.growth * hole)
    clear = np.minimum(hole, _wall_distance(points, length, height)) > share * size
    for polygon in holes:
        clear &= ~inside_polygon(points, polygon)
    return np.asarray(clear)


def _lattice(
    length: float,
    height: float,
    holes: Sequence[np.ndarray],
    boundary: np.ndarray,
    sizes: MeshSizes,
    rng: np.random.Generator,
) -> np.ndarray:
    step = sizes.hole if holes else sizes.channel
    x, y = np.meshgrid(np.arange(0.0, length, step), np.arange(0.0, height, step * np.sqrt(0.75)))
    x[1::2] += 0.5 * step
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    points = points[_clear_of_boundary(points, length, height, holes, sizes, 0.55)]
    kept = rng.random(len(points)) < (step / _size(points, holes, sizes)) ** 2
    return np.asarray(points[kept])


def _triangulate(boundary: np.ndarray, inner: np.ndarray, holes: Sequence[np.ndarray]) -> Mesh:
    points = np.concatenate([boundary, inner])
    triangles = Delaunay(points).simplices.astype(np.int64)
    centroid = points[triangles].mean(axis=1)
    for hole in holes:
        outside = ~inside_polygon(centroid, hole)
        triangles, centroid = triangles[outside], centroid[outside]
    mesh = Mesh(points, triangles)
    area = _areas(mesh)
    triangles[area < 0] = triangles[area < 0][:, ::-1]
    # Points along a straight wall are collinear to round-off only: Qhull may add slivers there.
    return Mesh(points, triangles[np.abs(area) > 1e-14])


def _smooth(
    boundary: np.ndarray,
    inner: np.ndarray,
    length: float,
    height: float,
    holes: Sequence[np.ndarray],
    sizes: MeshSizes,
) -> Mesh:
    fixed = len(boundary)
    for _ in range(_SMOOTHING_ROUNDS):
        mesh = _triangulate(boundary, inner, holes)
        t = mesh.triangles
        edges = np.unique(np.sort(np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]]), axis=1), axis=0)
        a, b = mesh.points[edges[:, 0]], mesh.points[edges[:, 1]]
        span = b - a
        distance = np.linalg.norm(span, axis=1)
        size = _size(0.5 * (a + b), holes, sizes)
        scale = np.sqrt((distance**2).sum() / (size**2).sum())
        push = 0.2 * np.maximum(1.2 * size * scale - distance, 0.0)[:, None] * span / distance[:, None]
        move = np.zeros_like(mesh.points)
        np.add.at(move, edges[:, 1], push)
        np.add.at(move, edges[:, 0], -push)
        inner = mesh.points[fixed:] + move[fixed:]
        inner = inner[_clear_of_boundary(inner, length, height, holes, sizes, 0.4)]
        inner = _spread_out(inner, _size(inner, holes, sizes))
    return _triangulate(boundary, inner, holes)


def _spread_out(points: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Drop the later point of every pair closer than 0.4 of the wanted size."""
    pairs = cKDTree(points).query_pairs(0.4 * float(size.max()), output_type="ndarray")
    apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    close = pairs[apart < 0.4 * size[pairs].min(axis=1)]
    keep = np.ones(len(points), dtype=bool)
    keep[close.max(axis=1)] = False
    return np.asarray(points[keep])
