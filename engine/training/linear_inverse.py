"""Invented records that behave like a short observed one: a linear inverse model fitted on it, driven by noise.

Thirty years of months are few for a network. A linear inverse model (Penland & Sardeshmukh 1995,
doi:10.1175/1520-0442(1995)008<1999:TOGOTS>2.0.CO;2) is fitted on the training years and makes as many more as training
wants, with the same patterns, memory and variance; the real record stays among them.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from engine.datasets.base import Dataset, Run

COUPLED = 15
"""Leading patterns that influence one another; the rest, up to `PATTERNS`, have a memory of their own alone."""

PATTERNS = 80
LAG = 2
"""Steps between the states that the model is fitted on: longer than the memory of what it leaves out."""

SPIN_UP = 120


@dataclass(frozen=True, eq=False)
class LinearInverseModel:
    """z[t + 1] = step · z[t] + shock · ε with ε standard normal; an anomaly is z · patterns (pattern, cell)."""

    step: np.ndarray
    shock: np.ndarray
    patterns: np.ndarray

    def sample(self, frames: int, generator: np.random.Generator) -> np.ndarray:
        """A series of anomalies (frame, cell), after a spin-up from rest."""
        state = np.zeros(len(self.step))
        series = np.empty((frames, len(state)))
        for frame in range(-SPIN_UP, frames):
            state = self.step @ state + self.shock @ generator.standard_normal(len(state))
            if frame >= 0:
                series[frame] = state
        return series @ self.patterns


def fit_linear_inverse(
    anomalies: np.ndarray, *, coupled: int = COUPLED, patterns: int = PATTERNS
) -> LinearInverseModel:
    """Fit on a series of anomalies (frame, cell) without gaps.

    The coupled patterns' propagator is the LAG-th root of the lagged regression; the noise keeps the observed
    covariance: Q = C₀ − G C₀ Gᵀ, its negative eigenvalues set to 0.
    """
    _, _, components = linalg.svd(anomalies, full_matrices=False)
    components = components[:patterns]
    scores = anomalies @ components.T
    coupled = min(coupled, len(components))
    size = len(components)
    step, noise = np.zeros((size, size)), np.zeros((size, size))
    head, tail = scores[:, :coupled], scores[:, coupled:]
    step[:coupled, :coupled], noise[:coupled, :coupled] = _coupled(head)
    variance = tail.var(axis=0)
    memory = np.clip((tail[1:] * tail[:-1]).mean(axis=0) / np.maximum(variance, 1e-12), 0, 0.99)
    step[range(coupled, size), range(coupled, size)] = memory
    noise[range(coupled, size), range(coupled, size)] = np.sqrt(variance * (1 - memory**2))
    return LinearInverseModel(step, noise, components)


def synthetic_runs(dataset: Dataset, run: Run, count: int, seed: int) -> tuple[Run, ...]:
    """Invented runs of the length and dates of `run`, a training record: its climatology and a sampled anomaly."""
    background, sea = dataset.background(run), dataset.scored(run)
    climatology = background.series([dataset.season(float(time)) for time in run.times])
    scale = np.broadcast_to(background.scale, run.states.shape[1:])
    standardised = ((run.states - climatology) / scale)[:, 0, sea].astype(np.float64)
    model = fit_linear_inverse(standardised)
    runs = []
    for index in range(count):
        anomalies = np.full((run.frames, 1, *sea.shape), np.nan, np.float32)
        anomalies[:, 0, sea] = model.sample(run.frames, np.random.default_rng((seed, index)))
        runs.append(replace(run, name=f"synthetic-{index}", states=climatology + anomalies * scale))
    return tuple(runs)


def _coupled(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    covariance = scores.T @ scores / len(scores)
    lagged = scores[LAG:].T @ scores[:-LAG] / (len(scores) - LAG)
    propagator = np.real(linalg.fractional_matrix_power(lagged @ linalg.inv(covariance), 1 / LAG))
    values, vectors = linalg.eigh(covariance - propagator @ covariance @ propagator.T)
    return propagator, vectors * np.sqrt(np.maximum(values, 0))
