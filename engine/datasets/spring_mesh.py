"""A 10 × 10 lattice of particles joined by damped springs, one row held fixed.

The set-up is that of nn-benchmark (Otness et al. 2021, arXiv 2108.07799), which the DYffusion paper uses.
"""

import numpy as np
import torch
from torch import Tensor

from engine.datasets.background import Background, constant_background
from engine.datasets.base import Axis, Channel, Mirror, Run
from engine.datasets.files import SimulatedRuns


class SpringMesh(SimulatedRuns):
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
    frames = 805
    starts = (0, 134, 268, 402)
    horizon = 134
    default_steps = 804
    time_step = 0.00781
    time_units = "s"
    mirror = Mirror(axis=-1, negated=(0, 2))

    def background(self, run: Run) -> Background:
        """Networks see displacements: rest positions are taken off."""
        rest_y, rest_x = np.meshgrid(np.arange(10.0), np.arange(10.0), indexing="ij")
        return constant_background(np.stack([0 * rest_x, 0 * rest_x, rest_x, rest_y]))

    def constrain(self, x: Tensor, *, static: Tensor, initial: Tensor, time: float) -> Tensor:
        """The fixed row keeps its initial positions and no momentum."""
        held = (static[..., :1, :, :] > 0).expand_as(x)
        rest = torch.cat([torch.zeros_like(initial[..., :2, :, :]), initial[..., 2:, :, :]], dim=-3)
        return torch.where(held, rest.to(x).expand_as(x), x)
