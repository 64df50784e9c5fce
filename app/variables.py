"""What the maps can show: the channels of a data set and what follows from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Fields = Mapping[str, np.ndarray]
Scale = Literal["sequential", "balance"]


@dataclass(frozen=True)
class Variable:
    """One mapped quantity in `units`: a function of the channels, (…, y, x), and the places x, y (y, x)."""

    name: str
    short: str
    title: str
    units: str
    scale: Scale
    of: Callable[[Fields], np.ndarray]


def variables_of(dataset: str) -> tuple[Variable, ...]:
    """The variables of a data set, the one shown first in front."""
    return VARIABLES[dataset]


def pretty_units(units: str) -> str:
    """Units as a person writes them: `m s-1` becomes `m s⁻¹`, `1` becomes nothing."""
    if units == "1":
        return ""
    return units.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _channel(name: str) -> Callable[[Fields], np.ndarray]:
    return lambda fields: fields[name]


def _flow_speed(fields: Fields) -> np.ndarray:
    return np.hypot(fields["u"], fields["v"])


def _vorticity(fields: Fields) -> np.ndarray:
    """∂v/∂x − ∂u/∂y by central differences, one-sided at the edges of the grid."""
    along = np.gradient(fields["v"], fields["x"][0], axis=-1)
    across = np.gradient(fields["u"], fields["y"][:, 0], axis=-2)
    return (along - across).astype(np.float32)


def _particle_speed(fields: Fields) -> np.ndarray:
    return np.hypot(fields["p_x"], fields["p_y"])  # of unit mass


def _displacement(fields: Fields) -> np.ndarray:
    """Distance from the place at rest, which is the particle's place on the grid."""
    return np.hypot(fields["q_x"] - fields["x"], fields["q_y"] - fields["y"]).astype(np.float32)


VARIABLES: dict[str, tuple[Variable, ...]] = {
    "navier-stokes": (
        Variable("speed", "Speed", "Speed", "m s-1", "sequential", _flow_speed),
        Variable("vorticity", "Vorticity", "Vorticity", "s-1", "balance", _vorticity),
        Variable("u", "u", "Velocity along the channel, u", "m s-1", "sequential", _channel("u")),
        Variable("v", "v", "Velocity across the channel, v", "m s-1", "balance", _channel("v")),
        Variable("p", "p", "Pressure over density, p", "m2 s-2", "sequential", _channel("p")),
    ),
    "spring-mesh": (
        Variable("speed", "Speed", "Speed", "1", "sequential", _particle_speed),
        Variable("displacement", "Displacement", "Displacement from rest", "1", "sequential", _displacement),
        Variable("p_x", "Momentum x", "Momentum along x", "1", "balance", _channel("p_x")),
        Variable("p_y", "Momentum y", "Momentum along y", "1", "balance", _channel("p_y")),
        Variable("q_x", "Position x", "Position along x", "1", "sequential", _channel("q_x")),
        Variable("q_y", "Position y", "Position along y", "1", "sequential", _channel("q_y")),
    ),
}
