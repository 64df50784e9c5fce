"""Taylor-Hood finite elements (P2 velocity, P1 pressure) for incompressible flow on a triangle mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree
from skfem import Basis, BilinearForm, ElementTriP1, ElementTriP2, MeshTri

from engine.simulators.mesh import Mesh

__all__ = ["SaddlePoint", "TaylorHood"]

_QUADRATURE_ORDER = 5  # exact for the convection term: P2 times P1 times P2
_TOLERANCE = 1e-11  # residual of a solve relative to its right-hand side
_MOST_ROUNDS = 20  # of GMRES with old factors before they are given up
_TIRED_ROUNDS = 10  # after which the next solve factorises anew: a factorisation costs about 25 rounds
_NEAREST = 8  # triangles tried first for a point, by their centroids


@BilinearForm
def _mass(u: Any, v: Any, w: Any) -> Any:
    return u * v


@BilinearForm
def _stiffness(u: Any, v: Any, w: Any) -> Any:
    return u.grad[0] * v.grad[0] + u.grad[1] * v.grad[1]


@BilinearForm
def _derivative_x(u: Any, q: Any, w: Any) -> Any:
    return u.grad[0] * q


@BilinearForm
def _derivative_y(u: Any, q: Any, w: Any) -> Any:
    return u.grad[1] * q


@BilinearForm
def _convection(u: Any, v: Any, w: Any) -> Any:
    return (w.wind_x * u.grad[0] + w.wind_y * u.grad[1]) * v


@BilinearForm
def _reaction(u: Any, v: Any, w: Any) -> Any:
    return w.rate * u * v


class TaylorHood:
    """The spaces on one mesh and their matrices, all scalar velocity matrices in one sparsity pattern.

    mass, stiffness: the values (nnz,) of the scalar P2 matrices in that pattern; derivative: the pair of
    matrices (pressure node, velocity node) of the integrals of q du/dx and q du/dy; velocity_points,
    pressure_points: where the degrees of freedom sit, float64 (node, 2).
    """

    def __init__(self, mesh: Mesh) -> None:
        grid = MeshTri(mesh.points.T.copy(), mesh.triangles.T.copy())
        self._velocity = Basis(grid, ElementTriP2(), intorder=_QUADRATURE_ORDER)
        self._pressure = self._velocity.with_element(ElementTriP1())
        self._centroids = cKDTree(mesh.points[mesh.triangles].mean(axis=1))
        self.velocity_points = np.asarray(self._velocity.doflocs.T)
        self.pressure_points = np.asarray(self._pressure.doflocs.T)

        elements = _mass.elemental(self._velocity)
        n = self._velocity.N
        flat, self._slot = np.unique(
            elements.indices[0].astype(np.int64) * n + elements.indices[1], return_inverse=True
        )
        self._columns = flat % n
        self._row_starts = np.searchsorted(flat, n * np.arange(n + 1))
        self.mass = self._gather(elements.data)
        self.stiffness = self._gather(_stiffness.elemental(self._velocity).data)
        self.derivative = tuple(
            form.assemble(self._velocity, self._pressure) for form in (_derivative_x, _derivative_y)
        )

    def _gather(self, element_values: np.ndarray) -> np.ndarray:
        return np.bincount(self._slot, weights=element_values, minlength=len(self._columns))

    def matrix(self, values: np.ndarray) -> sp.csr_array:
        """The scalar velocity matrix with these values (nnz,)."""
        shape = (len(self.velocity_points), len(self.velocity_points))
        return sp.csr_array((values, self._columns, self._row_starts), shape=shape)

    def convection(self, wind: np.ndarray) -> np.ndarray:
        """Values (nnz,) of the integrals of v (wind . grad) u for a velocity field wind (2, node)."""
        wind_x, wind_y = (self._velocity.interpolate(component) for component in wind)
        return self._gather(_convection.elemental(self._velocity, wind_x=wind_x, wind_y=wind_y).data)

    def reaction(self, velocity: np.ndarray) -> np.ndarray:
        """Values (2, 2, nnz) of the integrals of v_i (d velocity_i / d x_j) u_j, for Newton's method."""
        fields = [self._velocity.interpolate(component) for component in velocity]
        return np.stack(
            [
                [self._gather(_reaction.elemental(self._velocity, rate=field.grad[j]).data) for j in range(2)]
                for field in fields
            ]
        )

    def nodes_on(self, where: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Velocity nodes on the boundary edges whose midpoints (2, edge) satisfy `where`: int (node,)."""
        facets = self._velocity.mesh.facets_satisfying(where, boundaries_only=True)
        return np.sort(self._velocity.get_dofs(facets).all())

    def evaluation(self, points: np.ndarray) -> tuple[sp.csr_array, sp.csr_array]:
        """Matrices that evaluate a velocity component and the pressure at points (n, 2) inside the mesh."""
        cells, local = self._locate(points)
        return self._probe(self._velocity, local, cells), self._probe(self._pressure, local, cells)

    def _locate(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The triangle of each point (n,) and the point's place in its reference triangle (2, n, 1)."""
        mapping = self._velocity.mapping
        cells = np.full(len(points), -1)
        local = np.empty((2, len(points), 1))
        wanted, tried = np.arange(len(points)), _NEAREST
        while len(wanted):
            tried = min(tried, self._centroids.n)
            _, near = self._centroids.query(points[wanted], k=tried)
            places = np.stack(
                [mapping.invF(points[wanted].T[:, :, None], tind=near[:, k])[:, :, 0] for k in range(tried)]
            )
            depth = np.minimum.reduce([places[:, 0], places[:, 1], 1.0 - places[:, 0] - places[:, 1]])
            best, rows = depth.argmax(axis=0), np.arange(len(wanted))
            found = depth[best, rows] > -1e-9
            cells[wanted[found]] = near[rows, best][found]
            local[:, wanted[found], 0] = places[best, :, rows][found].T
            assert found.all() or tried < self._centroids.n, "a point lies outside the mesh"
            wanted, tried = wanted[~found], 8 * tried
        return cells, local

    @staticmethod
    def _probe(basis: Any, local: np.ndarray, cells: np.ndarray) -> sp.csr_array:
        shapes = [basis.elem.gbasis(basis.mapping, local, k, tind=cells)[0] for k in range(basis.Nbfun)]
        weights = np.stack([np.asarray(shape)[:, 0] for shape in shapes])
        weights[np.abs(weights) < 1e-12] = 0.0  # so that a wall point sees wall nodes only
        rows = np.tile(np.arange(len(cells)), basis.Nbfun)
        columns = basis.element_dofs[:, cells].ravel()
        return sp.csr_array((weights.ravel(), (rows, columns)), shape=(len(cells), basis.N))


class SaddlePoint:
    """Solves [A, B^T; B, 0] [u; -p] = [f; g] for many A of one pattern, with prescribed velocities.

    A is [uu, uv; vu, vv] in the scalar pattern of the space. Prescribed nodes are eliminated, so no-slip
    and inflow hold exactly. The matrix changes little from one time step to the next, so the sparse LU of
    an earlier one preconditions GMRES until that takes too many rounds. As B stays the same, the old LU
    solves the divergence rows exactly: the weak divergence is round-off whatever the tolerance.
    """

    def __init__(self, space: TaylorHood, fixed: np.ndarray, *, coupled: bool = False) -> None:
        self._space = space
        n = len(space.velocity_points)
        self._free = np.setdiff1d(np.arange(n), fixed)
        self._coupled = coupled
        tags = space.matrix(np.arange(1.0, len(space.mass) + 1.0))[self._free][:, self._free].tocsr()
        self._kept = tags.data.astype(np.int64) - 1
        self._derivative = [b.tocsr()[:, self._free] for b in space.derivative]
        self._factors: Any = None
        self._lay_out(tags)

    def _lay_out(self, pattern: sp.csr_array) -> None:
        """Find, for every stored entry of the ordered system, its place in the list of block values."""
        values = [len(self._kept)] * (4 if self._coupled else 2) + [b.nnz for b in self._derivative] * 2
        starts = np.concatenate([[0], np.cumsum(values)])

        def tagged(block: sp.csr_array, number: int) -> sp.csr_array:
            tags = np.arange(starts[number], starts[number + 1]) + 1.0
            return sp.csr_array((tags, block.indices, block.indptr), shape=block.shape)

        bx, by = self._derivative
        last = len(values)
        velocity = (
            [[tagged(pattern, 0), tagged(pattern, 1)], [tagged(pattern, 2), tagged(pattern, 3)]]
            if self._coupled
            else [[tagged(pattern, 0), None], [None, tagged(pattern, 1)]]
        )
        rows = [
            [*velocity[0], tagged(bx, last - 4).T],
            [*velocity[1], tagged(by, last - 3).T],
            [tagged(bx, last - 2), tagged(by, last - 1), None],
        ]
        self._system = sp.block_array(rows, format="csc")
        self._source = self._system.data.astype(np.int64) - 1
        self._constant = np.concatenate([bx.data, by.data, bx.data, by.data])

    def solve(
        self,
        blocks: np.ndarray,
        force: np.ndarray,
        prescribed: np.ndarray,
        guess: tuple[np.ndarray, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Velocity (2, node) and pressure (node,).

        blocks: values (nnz,) of A for both components, or (2, 2, nnz) where coupled; force: (2, node), the
        integrals of v f; prescribed: velocity (2, node), read at the fixed nodes and 0 elsewhere;
        guess: a velocity and a pressure near the solution.
        """
        space, free = self._space, self._free
        velocity = prescribed.copy()
        if self._coupled:
            known = [sum(space.matrix(blocks[i, j]) @ prescribed[j] for j in range(2)) for i in range(2)]
            kept = [block[self._kept] for block in blocks.reshape(4, -1)]
        else:
            known = [space.matrix(blocks) @ prescribed[i] for i in range(2)]
            kept = [blocks[self._kept]] * 2
        right = force - np.stack(known)
        divergence = -sum(b @ g for b, g in zip(space.derivative, prescribed, strict=True))
        self._system.data = np.concatenate([*kept, self._constant])[self._source]
        solution = self._solve(
            np.concatenate([right[0, free], right[1, free], divergence]),
            np.concatenate([guess[0][0, free], guess[0][1, free], -guess[1]]),
        )
        k = len(free)
        velocity[:, free] = solution[: 2 * k].reshape(2, k)
        return velocity, -solution[2 * k :]

    def _solve(self, right: np.ndarray, guess: np.ndarray) -> np.ndarray:
        if self._factors is not None:
            solution, rounds = _gmres(self._system, self._factors, right, guess)
            if rounds > _TIRED_ROUNDS:
                self._factors = None
            if rounds < _MOST_ROUNDS:
                return solution
        # A symmetric ordering without pivoting: the pattern is symmetric, and the ordering places every
        # pressure node after velocities it is coupled to, so no zero pivot is met.
        self._factors = splu(
            self._system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )
        return np.asarray(self._factors.solve(right))


def _gmres(matrix: sp.csc_array, factors: Any, right: np.ndarray, guess: np.ndarray) -> tuple[np.ndarray, int]:
    """GMRES preconditioned from the right by other factors, and its rounds; _MOST_ROUNDS: not converged.

    One round of refinement goes first: it makes the residual nil in the rows that the factors solve exactly.
    """
    solution = guess + factors.solve(right - matrix @ guess)
    residual = right - matrix @ solution
    size = np.linalg.norm(residual)
    goal = _TOLERANCE * np.linalg.norm(right)
    if size <= goal:
        return solution, 0
    basis, directions = [residual / size], []
    hessenberg = np.zeros((_MOST_ROUNDS + 1, _MOST_ROUNDS))
    for j in range(_MOST_ROUNDS):
        directions.append(factors.solve(basis[j]))
        image = matrix @ directions[j]
        for i, vector in enumerate(basis):
            hessenberg[i, j] = image @ vector
            image -= hessenberg[i, j] * vector
        hessenberg[j + 1, j] = np.linalg.norm(image)
        basis.append(image / hessenberg[j + 1, j])
        small = hessenberg[: j + 2, : j + 1]
        target = np.concatenate([[size], np.zeros(j + 1)])
        weights = np.linalg.lstsq(small, target, rcond=None)[0]
        if np.linalg.norm(target - small @ weights) <= goal:
            return solution + np.stack(directions, axis=1) @ weights, j + 1
    return solution, _MOST_ROUNDS
