"""The flow simulator: mesh, finite elements, time stepping, and the benchmarks of Schäfer and Turek 1996."""

import itertools

import numpy as np
import pytest

from engine.errors import RequestError
from engine.simulators import fem, mesh, navier_stokes
from engine.simulators.fem import SaddlePoint, TaylorHood
from engine.simulators.mesh import MeshSizes, channel_mesh, inside_polygon, polygon_area, regular_polygon
from engine.simulators.navier_stokes import (
    HEIGHT,
    INTEGRATORS,
    LENGTH,
    VISCOSITY,
    Flow,
    FlowState,
    Integrator,
    channel_flow,
    grid_points,
    inflow_profile,
    integrate,
    obstacle_polygons,
    sample_obstacles,
    simulate_run,
    static_masks,
)

COARSE = MeshSizes(channel=0.07, hole=0.03)
CYLINDER = (0.2, 0.2, 0.05)


@pytest.fixture(scope="module")
def coarse() -> Flow:
    return channel_flow([regular_polygon(0.6, 0.2, 0.08)], sizes=COARSE)


def parabola(y: np.ndarray) -> np.ndarray:
    return np.asarray(4 * y * (HEIGHT - y) / HEIGHT**2)


def weak_divergence(flow: Flow, velocity: np.ndarray) -> float:
    return float(np.abs(sum(b @ u for b, u in zip(flow.space.derivative, velocity, strict=True))).max())


def momentum(
    flow: Flow, state: FlowState, acceleration: np.ndarray, wind: np.ndarray, viscosity: float = VISCOSITY
) -> np.ndarray:
    """The weak momentum balance (2, node): 0 at free nodes, the force of the wall on the fluid at others."""
    space = flow.space
    terms = space.matrix(viscosity * space.stiffness + space.convection(wind))
    mass = space.matrix(space.mass)
    return np.stack(
        [mass @ acceleration[i] + terms @ state.velocity[i] - space.derivative[i].T @ state.pressure for i in range(2)]
    )


def bdf3_rate(states: list[FlowState], time_step: float) -> np.ndarray:
    a, b, c, d = (state.velocity for state in reversed(states[-4:]))
    return np.asarray((11 / 6 * a - 3 * b + 3 / 2 * c - 1 / 3 * d) / time_step)


# Mesh


def test_the_area_of_a_regular_polygon_is_that_of_its_triangles() -> None:
    polygon = regular_polygon(1.0, 2.0, 0.3)
    assert polygon_area(polygon) == pytest.approx(9 * 0.09 * np.sin(np.pi / 9), rel=1e-12)
    assert polygon[0] == pytest.approx([1.3, 2.0])


def test_points_on_the_edge_count_as_inside_a_polygon() -> None:
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    points = np.array([[0.5, 0.5], [1.0, 0.5], [0.0, 0.0], [1.001, 0.5], [0.5, -0.001]])
    assert inside_polygon(points, square).tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(("split", "index"), [("train", 18), ("ood", 0)])
def test_a_mesh_covers_exactly_the_channel_without_its_obstacles(split: str, index: int) -> None:
    holes = obstacle_polygons(sample_obstacles(split, index))
    made = channel_mesh(LENGTH, HEIGHT, holes)
    a, b, c = (made.points[made.triangles[:, i]] for i in range(3))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    assert (area > 0).all()
    assert area.sum() == pytest.approx(LENGTH * HEIGHT - sum(map(polygon_area, holes)), rel=1e-10)
    for hole in holes:
        assert not inside_polygon(made.points[made.triangles].mean(axis=1), hole).any()


def test_no_triangle_has_an_angle_below_fifteen_degrees() -> None:
    made = channel_mesh(LENGTH, HEIGHT, obstacle_polygons(sample_obstacles("test", 3)))
    corners = made.points[made.triangles]
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
    a, b, c = np.sort(sides, axis=1).T
    smallest = np.degrees(np.arccos((b**2 + c**2 - a**2) / (2 * b * c))).min()  # law of cosines
    assert smallest > 15
    assert mesh.smallest_angle(made) == pytest.approx(smallest, rel=1e-9)


def test_a_mesh_with_impossible_angles_is_refused() -> None:
    with pytest.raises(AssertionError, match="no valid mesh"):
        channel_mesh(1.0, HEIGHT, sizes=COARSE, smallest=60.0)


def test_a_mesh_is_the_same_every_time() -> None:
    holes = [regular_polygon(*CYLINDER)]
    one, two = (channel_mesh(1.0, HEIGHT, holes, sizes=COARSE) for _ in range(2))
    assert np.array_equal(one.points, two.points)
    assert np.array_equal(one.triangles, two.triangles)


# Finite elements


def test_the_matrices_integrate_polynomials_exactly() -> None:
    space = TaylorHood(channel_mesh(2.0, 1.0, sizes=MeshSizes(channel=0.5)))
    x, y = space.velocity_points.T
    one = np.ones_like(x)
    assert one @ space.matrix(space.mass) @ one == pytest.approx(2.0, rel=1e-13)
    assert x**2 @ space.matrix(space.mass) @ (y**2) == pytest.approx(8 / 9, rel=1e-12)
    # the integral of grad(x^2) . grad(x y) = 2 x y over [0, 2] x [0, 1] is 2
    assert x**2 @ space.matrix(space.stiffness) @ (x * y) == pytest.approx(2.0, rel=1e-12)
    # y (w . grad) x^2 with w = (y, x^2): 2 x y^2, whose integral is 4/3
    convection = space.matrix(space.convection(np.stack([y, x**2])))
    assert y @ convection @ (x**2) == pytest.approx(4 / 3, rel=1e-12)
    # x (d/dx of y^2 + x) y and its d/dy counterpart x 2 y y: 2 and 4/3
    reaction = space.reaction(np.stack([y**2 + x, 0 * x]))
    assert x @ space.matrix(reaction[0, 0]) @ y == pytest.approx(1.0, rel=1e-12)
    assert x @ space.matrix(reaction[0, 1]) @ y == pytest.approx(4 / 3, rel=1e-12)
    assert np.abs(reaction[1]).max() < 1e-13
    p = space.pressure_points[:, 0]
    assert p @ space.derivative[0] @ (x**2) == pytest.approx(16 / 3, rel=1e-12)
    assert p @ space.derivative[1] @ (y**2) == pytest.approx(2.0, rel=1e-12)


@pytest.mark.parametrize("index", [0, 4])
def test_fields_are_evaluated_exactly_at_every_grid_point_outside_the_obstacles(index: int) -> None:
    obstacles = sample_obstacles("test", index)
    space = TaylorHood(channel_mesh(LENGTH, HEIGHT, obstacle_polygons(obstacles)))
    points = grid_points()[static_masks(obstacles)[1].ravel() == 0]
    velocity, pressure = space.evaluation(points)

    def quadratic(at: np.ndarray) -> np.ndarray:
        return np.asarray(1 - at[:, 0] + 3 * at[:, 1] ** 2 + at[:, 0] * at[:, 1])

    def linear(at: np.ndarray) -> np.ndarray:
        return np.asarray(2 - at[:, 0] + 5 * at[:, 1])

    assert velocity @ quadratic(space.velocity_points) == pytest.approx(quadratic(points), abs=1e-12)
    assert pressure @ linear(space.pressure_points) == pytest.approx(linear(points), abs=1e-12)


def test_a_point_outside_the_mesh_is_refused(coarse: Flow) -> None:
    with pytest.raises(AssertionError, match="outside the mesh"):
        coarse.space.evaluation(np.array([[0.6, 0.2]]))


@pytest.mark.parametrize("coupled", [False, True])
def test_the_parabolic_channel_flow_is_reproduced_to_round_off(coupled: bool) -> None:
    flow = channel_flow(length=1.0, sizes=MeshSizes(channel=0.1))
    space = flow.space
    y = space.velocity_points[:, 1]
    exact = np.stack([parabola(y), 0 * y])
    prescribed = np.zeros_like(exact)
    prescribed[:, flow.inlet] = exact[:, flow.inlet]
    blocks = VISCOSITY * space.stiffness + space.convection(exact)
    force = np.zeros_like(exact)
    if coupled:  # Newton's matrix and right-hand side at the solution
        full = space.reaction(exact)
        full[[0, 1], [0, 1]] += blocks
        blocks, force = full, exact @ space.matrix(space.convection(exact)).T
    solver = SaddlePoint(space, flow.fixed, coupled=coupled)
    velocity, pressure = solver.solve(blocks, force, prescribed, (0 * exact, 0 * space.pressure_points[:, 0]))
    assert np.abs(velocity - exact).max() < 1e-11
    # -nu u'' = -dp/dx, and the do-nothing outflow sets p = 0 at the outlet
    assert pressure == pytest.approx(8 * VISCOSITY / HEIGHT**2 * (1 - space.pressure_points[:, 0]), abs=1e-11)


def test_old_factors_solve_a_new_system_as_well_as_its_own(coarse: Flow) -> None:
    space = coarse.space
    generator = np.random.default_rng(3)
    prescribed = np.zeros((2, len(space.velocity_points)))
    prescribed[0, coarse.inlet] = parabola(space.velocity_points[coarse.inlet, 1])
    force = 1e-3 * generator.standard_normal(prescribed.shape)
    nothing = (0 * prescribed, np.zeros(len(space.pressure_points)))
    wind = np.stack([parabola(space.velocity_points[:, 1]), 0 * prescribed[1]])
    before = 50 * space.mass + VISCOSITY * space.stiffness + space.convection(wind)
    after = before + space.convection(0.1 * generator.standard_normal(wind.shape))
    kept = SaddlePoint(space, coarse.fixed)
    kept.solve(before, force, prescribed, nothing)
    iterative = kept.solve(after, force, prescribed, nothing)
    direct = SaddlePoint(space, coarse.fixed).solve(after, force, prescribed, nothing)
    assert not np.array_equal(iterative[0], direct[0]), "the old factors were not used"
    assert np.abs(iterative[0] - direct[0]).max() < 1e-9
    assert np.abs(iterative[1] - direct[1]).max() < 1e-9
    assert weak_divergence(coarse, iterative[0]) < 1e-15


def test_factors_that_no_longer_help_are_renewed(coarse: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fem, "_MOST_ROUNDS", 2)
    space = coarse.space
    prescribed = np.zeros((2, len(space.velocity_points)))
    prescribed[0, coarse.inlet] = parabola(space.velocity_points[coarse.inlet, 1])
    nothing = (0 * prescribed, np.zeros(len(space.pressure_points)))
    solver = SaddlePoint(space, coarse.fixed)
    solver.solve(1000 * space.mass, 0 * prescribed, prescribed, nothing)
    again = solver.solve(space.stiffness, 0 * prescribed, prescribed, nothing)
    alone = SaddlePoint(space, coarse.fixed).solve(space.stiffness, 0 * prescribed, prescribed, nothing)
    assert np.array_equal(again[0], alone[0])


# Time stepping


@pytest.mark.parametrize("name", sorted(INTEGRATORS))
def test_every_step_is_free_of_divergence_and_holds_its_boundary_values_exactly(coarse: Flow, name: str) -> None:
    inlet_y = coarse.space.velocity_points[coarse.inlet, 1]
    walls = np.setdiff1d(coarse.fixed, coarse.inlet)
    for number, state in enumerate(itertools.islice(integrate(coarse, INTEGRATORS[name]), 12), start=1):
        assert state.time == pytest.approx(number * INTEGRATORS[name].time_step)
        assert weak_divergence(coarse, state.velocity) <= 1e-12
        assert (state.velocity[:, walls] == 0).all()
        assert np.array_equal(state.velocity[0, coarse.inlet], inflow_profile(inlet_y, state.time))
        assert (state.velocity[1, coarse.inlet] == 0).all()
    assert np.abs(state.velocity).max() > 0.5


def test_the_walls_of_the_channel_and_of_the_obstacle_are_fixed_and_the_outlet_is_free(coarse: Flow) -> None:
    x, y = coarse.space.velocity_points.T
    on_obstacle = np.hypot(x - 0.6, y - 0.2) < 0.08 + 1e-9
    on_walls = (y < 1e-9) | (y > HEIGHT - 1e-9) | (x < 1e-9)
    assert np.array_equal(coarse.fixed, np.flatnonzero(on_obstacle | on_walls))
    assert np.array_equal(coarse.inlet, np.flatnonzero(x < 1e-9))


@pytest.mark.parametrize("newton", [False, True])
def test_a_step_satisfies_the_discrete_momentum_balance(coarse: Flow, newton: bool) -> None:
    states = list(itertools.islice(integrate(coarse, Integrator(0.05, newton)), 8))
    free = np.setdiff1d(np.arange(len(coarse.space.velocity_points)), coarse.fixed)
    a, b, c = (state.velocity for state in reversed(states[-4:-1]))
    wind = states[-1].velocity if newton else 3 * a - 3 * b + c
    balance = momentum(coarse, states[-1], bdf3_rate(states, 0.05), wind)
    scale = np.abs(balance).max()
    assert scale > 1e-4
    assert np.abs(balance[:, free]).max() < 1e-8 * scale


@pytest.mark.parametrize("newton", [False, True])
def test_the_error_in_time_falls_with_the_third_power_of_the_step(newton: bool) -> None:
    # An inflow with four vanishing derivatives at rest, so that the two starting steps leave no trace.
    def smooth(y: np.ndarray, time: float) -> np.ndarray:
        return np.asarray(parabola(y) * (time / 1.6) ** 5)

    flow = channel_flow([regular_polygon(0.3, 0.2, 0.08)], length=0.8, sizes=MeshSizes(channel=0.1, hole=0.05))
    ends = []
    for steps in (48, 96, 192):
        scheme = Integrator(1.6 / steps, newton)
        *_, last = itertools.islice(integrate(flow, scheme, inflow=smooth, viscosity=0.02), steps)
        ends.append(last.velocity)
    order = np.log2(np.linalg.norm(ends[0] - ends[1]) / np.linalg.norm(ends[1] - ends[2]))
    assert 2.7 < order < 3.3


# Obstacles and masks


@pytest.mark.parametrize(("split", "radii"), [("train", (0.05, 0.1)), ("test", (0.05, 0.1)), ("ood", (0.025, 0.05))])
def test_obstacles_lie_apart_and_inside_the_channel(split: str, radii: tuple[float, float]) -> None:
    for index in range(30):
        obstacles = sample_obstacles(split, index)
        x, y, r = obstacles.T
        assert obstacles.shape == (4, 3)
        assert ((radii[0] <= r) & (r <= radii[1])).all()
        assert ((x - r >= 0.25) & (x + r <= 1.95) & (y - r >= 0.05) & (y + r <= 0.36)).all()
        for a, b in itertools.combinations(obstacles, 2):
            assert np.hypot(*(a - b)[:2]) >= a[2] + b[2] + 0.05


def test_obstacles_depend_on_split_and_index_alone() -> None:
    assert np.array_equal(sample_obstacles("train", 7), sample_obstacles("train", 7))
    drawn = {
        sample_obstacles(split, i)[0, 2] / (0.5 if split == "ood" else 1)
        for split in navier_stokes.SPLIT_RUNS
        for i in range(20)
    }
    assert len(drawn) == 80


def test_fewer_obstacles_can_be_asked_for() -> None:
    assert sample_obstacles("train", 0, count=1).shape == (1, 3)
    assert sample_obstacles("train", 0, count=0).shape == (0, 3)


def test_requests_that_cannot_be_met_are_refused_in_words() -> None:
    with pytest.raises(RequestError, match="'exam'"):
        sample_obstacles("exam", 0)
    with pytest.raises(RequestError, match="-1"):
        sample_obstacles("train", -1)
    with pytest.raises(RequestError, match="40 obstacles do not fit"):
        sample_obstacles("train", 0, count=40)
    with pytest.raises(RequestError, match="'euler'"):
        simulate_run("train", 0, integrator="euler")
    for misplaced in ([[0.2, 0.06, 0.05]], [[0.2, 0.2, -0.05]], [[0.5, 0.2, 0.05], [0.6, 0.2, 0.05]]):
        with pytest.raises(RequestError, match="does not fit"):
            simulate_run("train", 0, obstacles=np.array(misplaced))


def test_the_masks_hold_walls_inlet_and_obstacle_but_not_the_outlet() -> None:
    fixed, obstacle = static_masks(np.array([[1.0, 0.2, 0.1]]))
    assert fixed.shape == (42, 221) and fixed.dtype == np.float32
    assert obstacle[20, 100] == 1 and obstacle[20, 110] == 1 and obstacle[20, 111] == 0
    # The 18-gon is narrower than its circle between two vertices: 0.1 cos(10 degrees) = 0.0985.
    assert 301 <= obstacle.sum() <= np.pi * 100
    expected = obstacle.copy()
    expected[0] = expected[41] = expected[:, 0] = 1
    assert np.array_equal(fixed, expected)
    assert fixed[1:41, 220].sum() == 0


def test_the_inflow_ramps_up_to_a_parabola_of_one_metre_per_second() -> None:
    assert inflow_profile(np.array([0.0, HEIGHT / 2, HEIGHT]), 100.0) == pytest.approx([0.0, 1.0, 0.0])
    assert inflow_profile(np.array([HEIGHT / 4]), np.log(2) / 5) == pytest.approx([0.375])
    assert inflow_profile(np.array([0.1]), 0.0) == 0


# Whole runs


@pytest.fixture(scope="module")
def short_run() -> navier_stokes.SimulatedRun:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(navier_stokes, "FRAMES", 3)
        return simulate_run("test", 1, fine=True)


def test_a_run_has_the_layout_of_the_data_set(short_run: navier_stokes.SimulatedRun) -> None:
    assert short_run.states.shape == (3, 3, 42, 221) and short_run.states.dtype == np.float32
    assert short_run.static.shape == (2, 42, 221)
    assert short_run.times == pytest.approx([0.08, 0.16, 0.24])
    assert short_run.obstacles is not None
    assert np.array_equal(short_run.obstacles, sample_obstacles("test", 1))
    assert np.isfinite(short_run.states).all()


def test_fine_frames_are_every_step_and_hold_the_frames(short_run: navier_stokes.SimulatedRun) -> None:
    assert short_run.fine_states is not None and short_run.fine_times is not None
    assert short_run.fine_times == pytest.approx(0.02 * np.arange(1, 13))
    assert np.array_equal(short_run.fine_states[3::4], short_run.states)


def test_a_run_meets_its_boundary_conditions_exactly(short_run: navier_stokes.SimulatedRun) -> None:
    states, (_, obstacle) = short_run.states, short_run.static
    assert (states[..., obstacle > 0] == 0).all()
    assert (states[:, :2, [0, -1], :] == 0).all()
    y = np.arange(42) / 100
    for frame, time in zip(states, short_run.times, strict=True):
        assert frame[0, :, 0] == pytest.approx(inflow_profile(y, time), abs=1e-7)
        assert np.abs(frame[1, :, 0]).max() < 1e-7


def test_as_much_flows_out_as_flows_in(short_run: navier_stokes.SimulatedRun) -> None:
    last = short_run.states[-1, 0].astype(np.float64)
    inflow = 2 / 3 * HEIGHT * (1 - np.exp(-5 * 0.24))
    flux = 0.01 * last.sum(axis=0)  # the walls contribute nothing
    free = short_run.static[1].sum(axis=0) == 0
    assert flux[free] == pytest.approx(inflow, rel=0.02)


# Benchmarks: Schäfer and Turek 1996, doi:10.1007/978-3-322-89849-4_39


def cylinder_flow() -> tuple[Flow, np.ndarray]:
    flow = channel_flow([regular_polygon(*CYLINDER, sides=72)], sizes=MeshSizes(hole=0.0044))
    x, y = flow.space.velocity_points.T
    return flow, np.flatnonzero(np.hypot(x - 0.2, y - 0.2) < 0.05 + 1e-9)


def test_steady_flow_past_a_cylinder_has_the_published_drag_lift_and_pressure_drop() -> None:
    flow, cylinder = cylinder_flow()
    space = flow.space
    prescribed = np.zeros((2, len(space.velocity_points)))
    prescribed[0, flow.inlet] = 0.3 * parabola(space.velocity_points[flow.inlet, 1])
    solver = SaddlePoint(space, flow.fixed, coupled=True)
    guess = 0 * prescribed, np.zeros(len(space.pressure_points))
    for _ in range(8):  # Newton's method on the steady equations, from rest
        convection = space.convection(guess[0])
        blocks = space.reaction(guess[0])
        blocks[[0, 1], [0, 1]] += VISCOSITY * space.stiffness + convection
        guess = solver.solve(blocks, guess[0] @ space.matrix(convection).T, prescribed, guess)
    state = FlowState(0.0, *guess)
    force = momentum(flow, state, 0 * prescribed, guess[0])
    drag, lift = -force[:, cylinder].sum(axis=1) * 2 / (0.2**2 * 0.1)
    _, pressure = space.evaluation(np.array([[0.15, 0.2], [0.25, 0.2]]))
    front, back = pressure @ state.pressure
    assert drag == pytest.approx(5.5795, rel=0.01)
    assert lift == pytest.approx(0.0106, abs=0.001)
    assert front - back == pytest.approx(0.1175, rel=0.01)


@pytest.mark.soak
def test_vortex_shedding_has_the_published_frequency_drag_and_lift() -> None:
    flow, cylinder = cylinder_flow()

    def inflow(y: np.ndarray, time: float) -> np.ndarray:
        return 1.5 * inflow_profile(y, time)

    time_step = 0.01
    states: list[FlowState] = []
    coefficients = []
    scheme = Integrator(time_step, newton=False)
    for state in itertools.islice(integrate(flow, scheme, inflow=inflow), 650):
        states = [*states, state][-4:]
        if state.time > 5:
            force = momentum(flow, state, bdf3_rate(states, time_step), state.velocity)
            coefficients.append(-force[:, cylinder].sum(axis=1) * 2 / 0.1)
    drag, lift = np.array(coefficients).T
    swing = lift - lift.mean()
    rising = np.flatnonzero((swing[:-1] < 0) & (swing[1:] >= 0))
    crossings = rising - swing[rising] / (swing[rising + 1] - swing[rising])
    strouhal = 0.1 / (time_step * np.diff(crossings).mean())
    assert 0.295 < strouhal < 0.305
    assert drag.max() == pytest.approx(3.23, rel=0.02)
    assert lift.max() == pytest.approx(1.0, rel=0.1)
