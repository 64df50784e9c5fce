"""Flow past obstacles in a channel: the incompressible Navier-Stokes equations at Reynolds numbers near 100.

u_t + (u . grad) u - nu lap u + grad p = 0, div u = 0, in 2.2 m x 0.41 m with polygonal obstacles, no slip
on walls and obstacles, a parabolic inflow that ramps up from rest, and the do-nothing outflow. The system
and its numbers are those of Otness et al. 2021 (arXiv:2108.07799).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import EngineError, RequestError
from engine.simulators.channel import HEIGHT, LENGTH, inflow_profile
from engine.simulators.fem import SaddlePoint, TaylorHood
from engine.simulators.mesh import MeshSizes, channel_mesh, inside_polygon, regular_polygon
from engine.simulators.run import SimulatedRun

__all__ = [
    "INTEGRATORS",
    "SPLIT_RUNS",
    "Flow",
    "FlowState",
    "Integrator",
    "channel_flow",
    "grid_points",
    "inflow_profile",
    "integrate",
    "obstacle_polygons",
    "sample_obstacles",
    "simulate_run",
    "static_masks",
]

VISCOSITY = 0.001
GRID_STEP = 0.01
FRAMES = 65
FRAME_STEP = 0.08

SPLIT_RUNS = {"train": 100, "validation": 2, "test": 5, "ood": 5}
_SPLIT_SEEDS = {"train": 0, "validation": 1_000_000, "test": 2_000_000, "ood": 3_000_000}
_RADII = {"train": (0.05, 0.1), "validation": (0.05, 0.1), "test": (0.05, 0.1), "ood": (0.025, 0.05)}
_PLACING_TRIES = 100
_SMALLEST_GAP = 0.02


@dataclass(frozen=True)
class Integrator:
    """How time is stepped: the step in seconds, and whether convection is solved by Newton's method."""

    time_step: float
    newton: bool


INTEGRATORS = {
    # Third order, convection by an extrapolated wind: one linear solve per step. Half this step meets the
    # bounds of the 2D-2 benchmark (Strouhal number 0.301, largest lift 0.96); this one, with 16 steps per
    # period there, sheds 7 % faster and with a quarter less lift.
    "accurate": Integrator(time_step=0.02, newton=False),
    # The set-up of the published data: about six steps per shedding period, which exaggerates the wakes.
    "reference": Integrator(time_step=0.08, newton=True),
}

# Backward differentiation of order 1, 2, 3: (alpha, weights of the past states, extrapolation), newest first.
_BDF = {
    1: (1.0, (1.0,), (1.0,)),
    2: (3 / 2, (2.0, -1 / 2), (2.0, -1.0)),
    3: (11 / 6, (3.0, -3 / 2, 1 / 3), (3.0, -3.0, 1.0)),
}
_NEWTON_ROUNDS = 20
_NEWTON_TOLERANCE = 1e-9


def grid_points() -> np.ndarray:
    """The output grid, y-major: float64 (42 * 221, 2) = x, y in metres."""
    x, y = np.meshgrid(np.arange(221) / 100, np.arange(42) / 100)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def sample_obstacles(split: str, index: int, *, count: int = 4) -> np.ndarray:
    """The obstacles of one run, a pure function of the arguments: float64 (count, 3) = x, y, r in metres.

    Raises: RequestError for an unknown split, a negative index or more obstacles than fit.
    """
    rng = np.random.default_rng(_seed(split, index))
    smallest, largest = _RADII[split]
    placed: list[tuple[float, float, float]] = []
    for _ in range(_PLACING_TRIES * max(count, 1)):
        if len(placed) == count:
            break
        r = rng.uniform(smallest, largest)
        x = rng.uniform(0.25 + r, 1.95 - r)
        y = rng.uniform(0.05 + r, 0.36 - r)
        if all(np.hypot(x - a, y - b) >= r + s + 0.05 for a, b, s in placed):
            placed.append((x, y, r))
    if len(placed) < count:
        raise RequestError(f"{count} obstacles do not fit into the channel; ask for fewer.")
    return np.array(placed, dtype=np.float64).reshape(count, 3)


def _seed(split: str, index: int) -> int:
    """The number a run's obstacles are drawn from; no two runs of any splits share it."""
    if split not in SPLIT_RUNS:
        raise RequestError(f"Unknown split {split!r}; choose one of {', '.join(SPLIT_RUNS)}.")
    if not 0 <= index < 1_000_000:
        raise RequestError(f"The index of a run lies between 0 and 999999, not at {index}.")
    return _SPLIT_SEEDS[split] + index


def _checked_obstacles(obstacles: np.ndarray) -> np.ndarray:
    placed = np.asarray(obstacles, dtype=np.float64).reshape(-1, 3)
    for number, (x, y, r) in enumerate(placed):
        wall = min(x, LENGTH - x, y, HEIGHT - y) - r
        other = min((np.hypot(x - a, y - b) - r - s for a, b, s in placed[:number]), default=np.inf)
        if not (r > 0 and min(wall, other) >= _SMALLEST_GAP):
            raise RequestError(
                f"The obstacle at ({x:g}, {y:g}) with radius {r:g} does not fit; "
                f"keep {_SMALLEST_GAP} m to the edges of the channel and to every other obstacle."
            )
    return placed


def obstacle_polygons(obstacles: np.ndarray) -> list[np.ndarray]:
    """The 18-gons inscribed in the circles (n, 3) = x, y, radius."""
    return [regular_polygon(x, y, r) for x, y, r in obstacles]


def static_masks(obstacles: np.ndarray) -> np.ndarray:
    """Where values are prescribed: float32 (2, 42, 221) = fixed (obstacle, walls and inlet), obstacle."""
    points = grid_points()
    obstacle = np.zeros(len(points), dtype=bool)
    for polygon in obstacle_polygons(obstacles):
        obstacle |= inside_polygon(points, polygon)
    fixed = obstacle.reshape(42, 221).copy()
    fixed[[0, -1], :] = True
    fixed[:, 0] = True
    return np.stack([fixed, obstacle.reshape(42, 221)]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Flow:
    """A discretised channel: its spaces, the nodes with prescribed velocity, the inlet nodes among them."""

    space: TaylorHood
    fixed: np.ndarray
    inlet: np.ndarray


@dataclass(frozen=True, eq=False)
class FlowState:
    """velocity: float64 (2, velocity node) in m s-1; pressure: float64 (pressure node,) in m2 s-2."""

    time: float
    velocity: np.ndarray
    pressure: np.ndarray


def channel_flow(
    polygons: Sequence[np.ndarray] = (), *, length: float = LENGTH, sizes: MeshSizes | None = None
) -> Flow:
    """The channel with these obstacles, meshed; only the outlet is left free."""
    space = TaylorHood(channel_mesh(length, HEIGHT, polygons, sizes=sizes))
    fixed = space.nodes_on(lambda x: x[0] < length - 1e-9)
    inlet = space.nodes_on(lambda x: x[0] < 1e-9)
    return Flow(space, fixed, inlet)


Inflow = Callable[[np.ndarray, float], np.ndarray]


def _prescribed(flow: Flow, inflow: Inflow, time: float) -> np.ndarray:
    velocity = np.zeros((2, len(flow.space.velocity_points)))
    velocity[0, flow.inlet] = inflow(flow.space.velocity_points[flow.inlet, 1], time)
    return velocity


def integrate(
    flow: Flow, integrator: Integrator, *, inflow: Inflow = inflow_profile, viscosity: float = VISCOSITY
) -> Iterator[FlowState]:
    """The flow from rest, one state per time step, without end and without the state of rest.

    BDF3 after one step each of BDF1 and BDF2. Convection is (u* . grad) u with u* extrapolated from the
    past steps, or fully implicit by Newton's method.
    """
    space = flow.space
    solver = SaddlePoint(space, flow.fixed, coupled=integrator.newton)
    mass = space.matrix(space.mass)
    at_rest = FlowState(0.0, np.zeros((2, len(space.velocity_points))), np.zeros(len(space.pressure_points)))
    past = [at_rest]
    step = 0
    while True:
        step += 1
        time = step * integrator.time_step
        alpha, weights, extrapolation = _BDF[len(past)]
        wind = np.tensordot(extrapolation, [state.velocity for state in past], axes=1)
        guess = wind, np.tensordot(extrapolation, [state.pressure for state in past], axes=1)
        history = np.tensordot(weights, [state.velocity for state in past], axes=1)
        force = history @ mass.T / integrator.time_step
        linear = alpha / integrator.time_step * space.mass + viscosity * space.stiffness
        prescribed = _prescribed(flow, inflow, time)
        if integrator.newton:
            velocity, pressure = _newton(space, solver, linear, force, prescribed, guess)
        else:
            velocity, pressure = solver.solve(linear + space.convection(wind), force, prescribed, guess)
        state = FlowState(time, velocity, pressure)
        past = [state, *past][:3]
        yield state


def _newton(
    space: TaylorHood,
    solver: SaddlePoint,
    linear: np.ndarray,
    force: np.ndarray,
    prescribed: np.ndarray,
    guess: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Solve linear u + (u . grad) u + grad p = force, div u = 0.

    Each round solves for the new u itself: (w . grad) u + (u . grad) w = (w . grad) w with w the last one.
    """
    for _ in range(_NEWTON_ROUNDS):
        velocity, _ = guess
        convection = space.convection(velocity)
        blocks = space.reaction(velocity)
        blocks[[0, 1], [0, 1]] += linear + convection
        known = force + velocity @ space.matrix(convection).T
        guess = solver.solve(blocks, known, prescribed, guess)
        change = float(np.abs(guess[0] - velocity).max())
        if change < _NEWTON_TOLERANCE:
            return guess
    raise EngineError(
        f"Newton's method still moved by {change:.1e} after {_NEWTON_ROUNDS} rounds; "
        "use the accurate integrator for these obstacles."
    )


def simulate_run(
    split: str,
    index: int,
    *,
    integrator: str = "accurate",
    fine: bool = False,
    obstacles: np.ndarray | None = None,
) -> SimulatedRun:
    """Simulate one run of a split; the same arguments give the same run.

    fine: also keep every step of the integrator up to the last frame. obstacles: float64 (n, 3) = x, y,
    radius in metres, instead of the run's own. The state at frame i is that at (i + 1) * 0.08 s.

    Raises: RequestError for an unknown split or integrator, or obstacles that do not fit; EngineError if
    Newton's method does not converge.
    """
    if integrator not in INTEGRATORS:
        raise RequestError(f"Unknown integrator {integrator!r}; choose one of {', '.join(INTEGRATORS)}.")
    seed = _seed(split, index)
    placed = sample_obstacles(split, index) if obstacles is None else _checked_obstacles(obstacles)
    static = static_masks(placed)
    flow = channel_flow(obstacle_polygons(placed))
    scheme = INTEGRATORS[integrator]
    every = round(FRAME_STEP / scheme.time_step)
    on_grid = _Sampler(flow.space, static[1] > 0)
    states, times = [], []
    for number, state in enumerate(integrate(flow, scheme), start=1):
        if fine or number % every == 0:
            states.append(on_grid(state))
            times.append(number * scheme.time_step)
        if number == FRAMES * every:
            break
    kept = slice(every - 1, None, every) if fine else slice(None)
    return SimulatedRun(
        states=np.stack(states[kept]),
        static=static,
        times=FRAME_STEP * np.arange(1, FRAMES + 1),
        seed=seed,
        obstacles=placed,
        fine_states=np.stack(states) if fine else None,
        fine_times=np.array(times) if fine else None,
    )


class _Sampler:
    """Evaluates a flow on the output grid, 0 inside obstacles: float32 (3, 42, 221) = u, v, p."""

    def __init__(self, space: TaylorHood, obstacle: np.ndarray) -> None:
        self._fluid = ~obstacle
        points = grid_points()[self._fluid.ravel()]
        self._velocity, self._pressure = space.evaluation(points)

    def __call__(self, state: FlowState) -> np.ndarray:
        frame = np.zeros((3, *self._fluid.shape), dtype=np.float32)
        frame[0, self._fluid] = self._velocity @ state.velocity[0]
        frame[1, self._fluid] = self._velocity @ state.velocity[1]
        frame[2, self._fluid] = self._pressure @ state.pressure
        return frame
