"""What a simulator hands back: one run of a simulated system on its regular output grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["SimulatedRun"]


@dataclass(frozen=True, eq=False)
class SimulatedRun:
    """One simulated trajectory.

    states: float32 (frame, channel, y, x) in physical units; static: float32 (static, y, x), 0 or 1;
    times: float64 (frame,), seconds since the start of the run; seed: the number that the run's random
    set-up was drawn from; obstacles: float64 (n, 3) = x, y, radius in metres, where the system has any;
    fine_states, fine_times: every step of the integrator in the same layout, where they were asked for.
    """

    states: np.ndarray
    static: np.ndarray
    times: np.ndarray
    seed: int
    obstacles: np.ndarray | None = None
    fine_states: np.ndarray | None = None
    fine_times: np.ndarray | None = None
