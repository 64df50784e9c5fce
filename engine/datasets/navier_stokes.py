"""Flow past four obstacles in a channel: two-dimensional incompressible Navier-Stokes, Re of the order of 100.

The set-up is that of nn-benchmark (Otness et al. 2021, arXiv 2108.07799), which the DYffusion paper uses.
"""

import numpy as np
import torch
from torch import Tensor

from engine.datasets.base import Axis, Channel, Mirror
from engine.datasets.files import SimulatedRuns
from engine.simulators.channel import inflow_profile


class NavierStokes(SimulatedRuns):
    """The test runs that come with the project, and the boundary conditions of the channel."""

    name = "navier-stokes"
    title = "Navier–Stokes: flow past obstacles"
    channels = (
        Channel("u", "m s-1", "velocity along the channel"),
        Channel("v", "m s-1", "velocity across the channel"),
        Channel("p", "m2 s-2", "pressure over density"),
    )
    static_channels = ("fixed", "obstacle")
    axes = (
        Axis("y", np.round(0.01 * np.arange(42), 2), "m", "distance across the channel"),
        Axis("x", np.round(0.01 * np.arange(221), 2), "m", "distance along the channel"),
    )
    frames = 65
    starts = (0, 16, 32, 48)
    horizon = 16
    default_steps = 64
    time_step = 0.08
    time_units = "s"
    mirror = Mirror(axis=-2, negated=(1,))

    def constrain(self, x: Tensor, *, static: Tensor, initial: Tensor, time: float) -> Tensor:
        """No slip at walls and obstacles, no pressure inside obstacles, the parabolic inflow at x = 0."""
        fixed, obstacle = static[..., :1, :, :], static[..., 1:2, :, :]
        held = torch.cat([fixed, fixed, obstacle], dim=-3).expand_as(x) > 0
        x = torch.where(held, x.new_zeros(()), x)
        inflow = torch.from_numpy(inflow_profile(self.axes[0].values, time)).to(x)
        u = torch.cat([inflow.expand(len(x), -1)[..., None], x[:, 0, :, 1:]], dim=-1)
        return torch.cat([u[:, None], x[:, 1:]], dim=1)
