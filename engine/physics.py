"""Whether forecasts keep to the physics of their system: numbers of every member by lead, beside those of the truth.

A network knows no conservation law. What the truth keeps to on the same grid is the measure, not zero: the grid is
coarser than the simulator's, and even the true flow has a small divergence on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from engine.case import Case
from engine.datasets.base import Axis
from engine.ensemble_scores import BLOCK
from engine.indices import INDICES, Index, indices_of
from engine.simulators import spring_mesh
from engine.variables import CLIMATOLOGY, Fields


@dataclass(frozen=True, eq=False)
class Grid:
    """Where fields lie: the axes x (x,) and y (y,), and the cells that are free, scored, bool (y, x)."""

    x: np.ndarray
    y: np.ndarray
    free: np.ndarray


@dataclass(frozen=True)
class Diagnostic:
    """One number of a state: `of` takes the channels (…, y, x) and the grid and gives (…,), in `units`."""

    name: str
    title: str
    units: str
    explanation: str
    of: Callable[[Fields, Grid], np.ndarray]


def divergence(fields: Fields, grid: Grid) -> np.ndarray:
    """RMS of ∂u/∂x + ∂v/∂y by central differences, over the free cells whose four neighbours are free."""
    along = (fields["u"][..., 1:-1, 2:] - fields["u"][..., 1:-1, :-2]) / (grid.x[2:] - grid.x[:-2])
    across = (fields["v"][..., 2:, 1:-1] - fields["v"][..., :-2, 1:-1]) / (grid.y[2:] - grid.y[:-2])[:, None]
    return _root_mean_square((along + across)[..., inside(grid.free)[1:-1, 1:-1]])


def slip(fields: Fields, grid: Grid) -> np.ndarray:
    """RMS speed on walls and obstacles, where a viscous flow stands still; the inlet is left out."""
    held = ~grid.free
    held[:, 0] = False
    return _root_mean_square(np.hypot(fields["u"], fields["v"])[..., held])


def speed_beside_walls(fields: Fields, grid: Grid) -> np.ndarray:
    """RMS speed in the free cells that touch a wall or an obstacle with a side; those at the inlet are left out."""
    beside = grid.free & ~inside(grid.free)
    beside[:, :2] = beside[:, -1] = False
    return _root_mean_square(np.hypot(fields["u"], fields["v"])[..., beside])


def kinetic_energy(fields: Fields, grid: Grid) -> np.ndarray:
    """½ (u² + v²) of the mean free cell, the kinetic energy per mass."""
    energy = 0.5 * (fields["u"] ** 2 + fields["v"] ** 2)
    mean: np.ndarray = energy[..., grid.free].mean(axis=-1, dtype=np.float64)
    return mean


def spring_energy(fields: Fields, grid: Grid) -> np.ndarray:
    """Kinetic energy of all masses plus the elastic energy of all springs."""
    state = np.stack([fields[name] for name in ("p_x", "p_y", "q_x", "q_y")], axis=-3).astype(np.float64)
    return spring_mesh.energy(state)


def basin_mean(fields: Fields, grid: Grid) -> np.ndarray:
    """The anomaly of the mean sea surface, each cell by its area."""
    weight = np.cos(np.deg2rad(grid.y))[:, None] * grid.free
    return _weighted(fields["sst"] - fields[CLIMATOLOGY], weight / weight.sum(), grid)


def index_mean(index: Index) -> Callable[[Fields, Grid], np.ndarray]:
    """The anomaly over the box of an index; NaN where the grid does not reach into it."""

    def mean(fields: Fields, grid: Grid) -> np.ndarray:
        axes = Axis("lat", grid.y, "", ""), Axis("lon", grid.x, "", "")
        with np.errstate(invalid="ignore"):
            return _weighted(fields["sst"] - fields[CLIMATOLOGY], index.weights(axes, grid.free), grid)

    return mean


def inside(free: np.ndarray) -> np.ndarray:
    """The free cells with four free neighbours, bool (y, x); those at the edge of the grid have fewer."""
    found = np.zeros_like(free)
    middle = free[1:-1, 1:-1] & free[:-2, 1:-1] & free[2:, 1:-1] & free[1:-1, :-2] & free[1:-1, 2:]
    found[1:-1, 1:-1] = middle
    return found


FLOW = (
    Diagnostic(
        "divergence",
        "Divergence",
        "s-1",
        "The root mean square of ∂u/∂x + ∂v/∂y over the fluid away from walls and obstacles. The flow is "
        "incompressible, so its divergence is zero; on this grid, with central differences, the true flow has a "
        "little, and that is what to compare with.",
        divergence,
    ),
    Diagnostic(
        "slip",
        "No-slip violation",
        "m s-1",
        "The root mean square speed in the cells on walls and in obstacles, where the flow must stand still. Forecasts "
        "are put to zero there after each step, so anything but zero would be a fault.",
        slip,
    ),
    Diagnostic(
        "beside_walls",
        "Speed beside walls",
        "m s-1",
        "The root mean square speed in the fluid cells next to walls and obstacles, where friction keeps the flow "
        "slow. Above the truth, the forecast slips along walls.",
        speed_beside_walls,
    ),
    Diagnostic(
        "kinetic_energy",
        "Kinetic energy",
        "m2 s-2",
        "½ (u² + v²) averaged over the fluid: the kinetic energy per mass. Single members should keep to the truth; a "
        "smoothed-out forecast loses energy.",
        kinetic_energy,
    ),
)
MESH = (
    Diagnostic(
        "total_energy",
        "Total energy",
        "1",
        "The kinetic energy of all particles plus the elastic energy of all springs, with masses and stiffnesses of 1. "
        "The damped mesh only loses energy: a member that gains any is unphysical.",
        spring_energy,
    ),
)
BASIN = Diagnostic(
    "basin_mean",
    "Mean over the sea",
    "degree_Celsius",
    "The departure of the sea surface temperature from the climatology, averaged over all of the sea that is shown, "
    "each cell by its area.",
    basin_mean,
)


def _of_sea(dataset: str) -> tuple[Diagnostic, ...]:
    explanation = "The departure from the climatology averaged over 5°S–5°N, 170°W–120°W (Trenberth 1997)."
    indices = (
        Diagnostic(index.name, index.title, index.units, explanation, index_mean(INDICES[index.name]))
        for index in indices_of(dataset)
    )
    return (BASIN, *indices)


PHYSICS: Mapping[str, tuple[Diagnostic, ...]] = {
    "navier-stokes": FLOW,
    "spring-mesh": MESH,
    "sst-monthly": _of_sea("sst-monthly"),
    "sst-daily": _of_sea("sst-daily"),
}
"""What is looked at by data set."""


def consistency(case: Case) -> xr.Dataset:
    """Every diagnostic of a forecast: `<name>` (member, lead) and `<name>_truth` (lead,), NaN without a truth."""
    grid = Grid(case.x, case.y, case.scored)
    at_once = max(1, 4 * BLOCK // (case.count * case.scored.size))
    parts: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(case.leads), at_once):
        leads = slice(first, first + at_once)
        members, truth = case.fields(case.members, leads), case.fields(case.truth, leads)
        for each in PHYSICS[case.dataset]:
            parts.setdefault(each.name, []).append(each.of(members, grid))
            parts.setdefault(f"{each.name}_truth", []).append(each.of(truth, grid))
    result = xr.Dataset(coords={"lead": case.leads})
    for each in PHYSICS[case.dataset]:
        described = {"units": each.units, "long_name": each.title}
        for name, dims in ((each.name, ("member", "lead")), (f"{each.name}_truth", ("lead",))):
            result[name] = dims, np.concatenate(parts[name], axis=-1), described
    return result


def _root_mean_square(values: np.ndarray) -> np.ndarray:
    root: np.ndarray = np.sqrt((values.astype(np.float64) ** 2).mean(axis=-1))
    return root


def _weighted(values: np.ndarray, weights: np.ndarray, grid: Grid) -> np.ndarray:
    """The weighted sum over the free cells of (…, y, x), float64."""
    sum_: np.ndarray = values[..., grid.free].astype(np.float64) @ weights[grid.free]
    return sum_
