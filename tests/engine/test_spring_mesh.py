"""The spring mesh: its forces against a double loop, its energy, its order, its splits."""

import itertools

import numpy as np
import pytest

from engine.errors import RequestError
from engine.simulators import spring_mesh


def moved_state(seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    state = spring_mesh.initial_state(random, 0.0, 0.35)
    state[:2] = 0.2 * random.normal(size=(2, 10, 10)) * ~spring_mesh.fixed_mask()
    return state


def neighbours(j: int, i: int) -> list[tuple[int, int]]:
    cells = itertools.product(range(10), range(10))
    return [(b, a) for b, a in cells if max(abs(a - i), abs(b - j)) == 1]


def test_the_mesh_has_342_springs() -> None:
    stretched = spring_mesh.initial_state(np.random.default_rng(0), 0.0, 0.0)
    stretched[2:] *= 2.0
    # Twice the size stretches each of the 180 sides by 1 and each of the 162 diagonals by √2.
    assert spring_mesh.energy(stretched) == pytest.approx(0.5 * 180 + 0.5 * 2 * 162)
    assert sum(len(neighbours(j, i)) for j in range(10) for i in range(10)) == 2 * 342


def test_forces_are_those_of_a_double_loop_over_the_particles() -> None:
    state = moved_state()
    p, q = state[:2], state[2:]
    expected = np.zeros_like(state)
    for j, i in itertools.product(range(9), range(10)):  # row 9 is held fast
        expected[2:, j, i] = p[:, j, i]
        expected[:2, j, i] = -0.1 * p[:, j, i]
        for b, a in neighbours(j, i):
            d = q[:, j, i] - q[:, b, a]
            length = np.hypot(*d)
            expected[:2, j, i] -= (length - np.hypot(i - a, j - b)) / length * d
    np.testing.assert_allclose(spring_mesh.velocity(state), expected, atol=1e-14)


def test_a_mesh_at_rest_stays_at_rest() -> None:
    rest = spring_mesh.initial_state(np.random.default_rng(0), 0.0, 0.0)
    np.testing.assert_allclose(spring_mesh.integrate(rest, frames=20)[-1], rest, atol=1e-15)


@pytest.mark.parametrize(("inner", "outer"), [(0.0, 0.35), (0.35, 0.45)])
def test_energy_and_what_damping_took_balance(inner: float, outer: float) -> None:
    states = spring_mesh.integrate(spring_mesh.initial_state(np.random.default_rng(7), inner, outer))
    assert spring_mesh.energy_imbalance(states) < 1e-7
    assert spring_mesh.energy(states[-1]) < spring_mesh.energy(states[0])


def test_the_energy_balance_sees_a_slight_change_of_the_trajectory() -> None:
    states = spring_mesh.integrate(moved_state(), frames=101)
    assert spring_mesh.energy_imbalance(states) < 1e-7
    states[50:, 0, 4, 4] *= 1.0 + 1e-5
    assert spring_mesh.energy_imbalance(states) > 1e-7


def test_the_integrator_is_of_order_four() -> None:
    def end(steps: int) -> np.ndarray:
        return spring_mesh.integrate(moved_state(), frames=steps + 1, time_step=1.0 / steps)[-1]

    exact = end(320)
    errors = [np.abs(end(steps) - exact).max() for steps in (10, 20, 40)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 4.0, atol=0.3)


def test_many_meshes_at_once_move_like_each_alone() -> None:
    starts = np.stack([moved_state(seed) for seed in range(3)])
    together = spring_mesh.integrate(starts, frames=30)
    for index, start in enumerate(starts):
        np.testing.assert_array_equal(together[:, index], spring_mesh.integrate(start, frames=30))


def test_a_run_has_the_stated_form() -> None:
    run = spring_mesh.simulate_run("validation", 2)
    assert run.states.shape == (805, 4, 10, 10) and run.states.dtype == np.float32
    assert run.times[0] == 0.0 and run.times[-1] == pytest.approx(804 * 0.00781)
    assert run.static.shape == (1, 10, 10) and run.static.dtype == np.float32
    np.testing.assert_array_equal(run.static[0], np.arange(10)[:, None] == np.full(10, 9))
    assert not run.states[0, :2].any()


def test_the_fixed_row_never_moves() -> None:
    states = spring_mesh.simulate_run("test", 0).states
    assert not states[:, :2, 9].any()
    np.testing.assert_array_equal(states[:, 2, 9], np.tile(np.arange(10.0), (805, 1)))
    np.testing.assert_array_equal(states[:, 3, 9], np.full((805, 10), 9.0))


@pytest.mark.parametrize(("split", "inner", "outer"), [("test", 0.0, 0.35), ("ood", 0.35, 0.45)])
def test_first_displacements_fill_their_ring_evenly(split: str, inner: float, outer: float) -> None:
    y, x = np.mgrid[0:10, 0:10]
    # The states' first frames are what is looked at, so the runs need not be integrated.
    starts = [spring_mesh.initial_state(np.random.default_rng(seed), inner, outer) for seed in range(200)]
    start = spring_mesh.simulate_run(split, 1).states[0]
    r = np.hypot(start[2] - x, start[3] - y)[:9]
    assert inner - 1e-6 <= r.min() and r.max() <= outer + 1e-6
    r = np.hypot(np.stack(starts)[:, 2] - x, np.stack(starts)[:, 3] - y)[:, :9]
    # Uniform over the area: r² is uniform between the squared radii.
    assert np.mean(r**2) == pytest.approx((inner**2 + outer**2) / 2, rel=0.02)
    assert np.var(r**2) == pytest.approx((outer**2 - inner**2) ** 2 / 12, rel=0.04)


def test_the_same_run_is_the_same_and_others_differ() -> None:
    run = spring_mesh.simulate_run("train", 5)
    np.testing.assert_array_equal(run.states, spring_mesh.simulate_run("train", 5).states)
    assert not np.array_equal(run.states, spring_mesh.simulate_run("train", 6).states)


def test_no_two_splits_share_a_seed() -> None:
    seeds = [spring_mesh.simulate_run(split, index).seed for split in spring_mesh.SPLIT_RUNS for index in (0, 1)]
    assert len(set(seeds)) == len(seeds)


def test_an_unknown_split_is_refused_by_name() -> None:
    with pytest.raises(RequestError, match=r"'exam'.*train, validation, test, ood"):
        spring_mesh.simulate_run("exam", 0)


@pytest.mark.parametrize("index", [-1, 100_000])
def test_an_index_outside_the_range_of_seeds_is_refused(index: int) -> None:
    with pytest.raises(RequestError, match=str(index)):
        spring_mesh.simulate_run("train", index)
