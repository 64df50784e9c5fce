"""The spring mesh: a 10 × 10 sheet of masses and damped springs, one row held fast (Otness et al. 2021).

A state is an array (…, channel, y, x) with the channels p_x, p_y, q_x, q_y. The particle of cell y = j, x = i is
at rest at (i, j), every mass and stiffness is 1, and row j = 9 does not move. Source: arXiv:2108.07799.
"""

import numpy as np

from engine.errors import RequestError
from engine.simulators.run import SimulatedRun

SIZE = 10
FRAMES = 805
TIME_STEP = 0.00781
DAMPING = 0.1
SPLIT_RUNS = {"train": 100, "validation": 3, "test": 15, "ood": 15}

# Each split draws from its own range of seeds, so no split ever shares a run with another.
_SPLIT_SEEDS = {"train": 100_000, "validation": 200_000, "test": 300_000, "ood": 400_000}
_SEEDS_PER_SPLIT = 100_000
# Inner and outer radius of the ring from which the first displacements are drawn.
_RINGS = {"train": (0.0, 0.35), "validation": (0.0, 0.35), "test": (0.0, 0.35), "ood": (0.35, 0.45)}
# Cells joined by a spring, as slices (y, x) of its two ends, and the rest length: 342 springs in all.
_LOW, _HIGH, _ALL = slice(None, -1), slice(1, None), slice(None)
_SPRINGS = (
    ((_ALL, _LOW), (_ALL, _HIGH), 1.0),
    ((_LOW, _ALL), (_HIGH, _ALL), 1.0),
    ((_LOW, _LOW), (_HIGH, _HIGH), np.sqrt(2.0)),
    ((_LOW, _HIGH), (_HIGH, _LOW), np.sqrt(2.0)),
)
_FREE = (np.arange(SIZE) != SIZE - 1).astype(np.float64)[:, None]  # (y, 1)


def simulate_run(split: str, index: int) -> SimulatedRun:
    """Run `index` of a split: the same arguments always give the same bytes.

    States are float32 (805, 4, 10, 10), times are 0.00781·n.

    Raises RequestError if the split is unknown or the index lies outside its range of seeds.
    """
    if split not in SPLIT_RUNS:
        raise RequestError(f"There is no split {split!r} of spring-mesh; choose one of {', '.join(SPLIT_RUNS)}.")
    if not 0 <= index < _SEEDS_PER_SPLIT:
        raise RequestError(f"A run's index must be between 0 and {_SEEDS_PER_SPLIT - 1}, not {index}.")
    seed = _SPLIT_SEEDS[split] + index
    states = integrate(initial_state(np.random.default_rng(seed), *_RINGS[split]))
    return SimulatedRun(
        states=states.astype(np.float32),
        static=fixed_mask()[None].astype(np.float32),
        times=TIME_STEP * np.arange(FRAMES),
        obstacles=None,
        seed=seed,
        fine_states=None,
        fine_times=None,
    )


def fixed_mask() -> np.ndarray:
    """True for the particles that are held fast: bool (y, x)."""
    return np.broadcast_to(_FREE == 0.0, (SIZE, SIZE)).copy()


def initial_state(random: np.random.Generator, inner: float, outer: float) -> np.ndarray:
    """A mesh at rest, each free particle moved to a random point of the ring inner ≤ r ≤ outer: (4, y, x)."""
    angle = random.uniform(0.0, 2.0 * np.pi, size=(SIZE, SIZE))
    # The square root makes the points uniform over the ring's area.
    radius = np.sqrt(random.uniform(size=(SIZE, SIZE)) * (outer**2 - inner**2) + inner**2) * _FREE
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64)
    still = np.zeros((SIZE, SIZE))
    return np.stack([still, still, x + radius * np.cos(angle), y + radius * np.sin(angle)])


def integrate(start: np.ndarray, *, frames: int = FRAMES, time_step: float = TIME_STEP) -> np.ndarray:
    """The classical Runge-Kutta scheme, one step per frame: (frame, …, 4, y, x), where frame 0 is `start`."""
    states = np.empty((frames, *start.shape))
    states[0] = start
    for n in range(frames - 1):
        s = states[n]
        k1 = velocity(s)
        k2 = velocity(s + 0.5 * time_step * k1)
        k3 = velocity(s + 0.5 * time_step * k2)
        k4 = velocity(s + time_step * k3)
        states[n + 1] = s + (time_step / 6.0) * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return states


def velocity(state: np.ndarray) -> np.ndarray:
    """The right-hand side q̇ = p, ṗ_a = −Σ_b (ℓ−L)/ℓ·(q_a−q_b) − 0.1·p_a; zero for particles held fast."""
    p, q = state[..., :2, :, :], state[..., 2:, :, :]
    force = -DAMPING * p
    for a, b, rest_length in _SPRINGS:
        d, length = _stretch(q, a, b)
        pull = (1.0 - rest_length / length)[..., None, :, :] * d
        force[..., *a] -= pull
        force[..., *b] += pull
    return np.concatenate([force, p], axis=-3) * _FREE


def energy(state: np.ndarray) -> np.ndarray:
    """Kinetic plus elastic energy ½Σ|p|² + ½Σ(ℓ−L)²: (…, 4, y, x) -> (…)."""
    p, q = state[..., :2, :, :], state[..., 2:, :, :]
    total = 0.5 * np.sum(p**2, axis=(-3, -2, -1))
    for a, b, rest_length in _SPRINGS:
        total = total + 0.5 * np.sum((_stretch(q, a, b)[1] - rest_length) ** 2, axis=(-2, -1))
    return total


def energy_imbalance(states: np.ndarray, *, time_step: float = TIME_STEP) -> float:
    """The largest |E(t) − E(0) + 0.1·∫Σ|p|² dt| of a trajectory (frame, 4, y, x), at its even frames.

    The integral is Simpson's; float64 states are needed to see an imbalance below 1e-7.
    """
    loss = DAMPING * np.sum(states[:, :2] ** 2, axis=(1, 2, 3))
    first, middle, last = loss[:-2:2], loss[1:-1:2], loss[2::2]
    lost = np.cumsum(time_step / 3.0 * (first + 4.0 * middle + last))
    stored = energy(states[::2])[1 : 1 + lost.size]
    return float(np.max(np.abs(stored - energy(states[0]) + lost)))


def _stretch(q: np.ndarray, a: tuple[slice, slice], b: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """The vectors q_a − q_b (…, 2, y, x) along one kind of spring and their lengths (…, y, x)."""
    d = q[..., *a] - q[..., *b]
    return d, np.sqrt(np.sum(d**2, axis=-3))
