"""A 10 × 10 lattice of particles joined by damped springs, one row held fixed.

The set-up is that of nn-benchmark (Otness et al. 2021, arXiv 2108.07799), which the DYffusion paper uses.
"""

import numpy as np
import torch
from torch import Tensor

from engine.datasets import files
from engine.datasets.base import Axis, Channel, InitialCondition, Mirror, Run, ordered_initial_conditions

FRAMES = 805


class SpringMesh:
    """The test runs that come with the project, and the fixed row."""

    name = "spring-mesh"
    title = "Spring mesh: an elastic lattice"
    channels = (
        Channel("p_x", "1", "momentum along x"),
        Channel("p_y", "1", "momentum along y"),
        Channel("q_x", "1", "position along x"),
        Channel("q_y", "1", "position along y"),
    )
    static_channels = ("fixed",)
    axes = (
        Axis("y", np.arange(10.0), "1", "rest position along y"),
        Axis("x", np.arange(10.0), "1", "rest position along x"),
    )
    horizon = 134
    default_steps = 804
    time_step = 0.00781
    time_units = "s"
    mirror = Mirror(axis=-1, negated=(0, 2))

    def runs(self) -> tuple[str, ...]:
        """Names of the bundled runs: the test split, then those out of distribution."""
        return files.bundled_runs(self.name)

    def load(self, run: str) -> Run:
        """The named run. Raises DataError where it is unknown or its file is absent or damaged."""
        return files.load_bundled(self, run)

    def initial_conditions(self) -> tuple[InitialCondition, ...]:
        """Those of the test split: frame 0 of each run first, then run-major through the frames."""
        return ordered_initial_conditions(files.test_runs(self.name), FRAMES)

    def scored(self, run: Run) -> np.ndarray:
        """Free particles."""
        return run.static[0] == 0

    def background(self) -> np.ndarray:
        """Networks see displacements: rest positions are taken off."""
        rest_y, rest_x = np.meshgrid(np.arange(10.0), np.arange(10.0), indexing="ij")
        return np.stack([0 * rest_x, 0 * rest_x, rest_x, rest_y]).astype(np.float32)

    def constrain(self, x: Tensor, *, static: Tensor, initial: Tensor, time: Tensor | float) -> Tensor:
        """The fixed row keeps its initial positions and no momentum."""
        held = (static[..., :1, :, :] > 0).expand_as(x)
        rest = torch.cat([torch.zeros_like(initial[..., :2, :, :]), initial[..., 2:, :, :]], dim=-3)
        return torch.where(held, rest.to(x).expand_as(x), x)
