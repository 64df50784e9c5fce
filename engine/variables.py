"""The quantities that are looked at and scored: the channels of a data set and what follows from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.errors import RequestError

Fields = Mapping[str, np.ndarray]
Scale = Literal["sequential", "balance", "probability"]


@dataclass(frozen=True)
class Threshold:
    """What a temperature must exceed: a seasonal percentile of the baseline years, or so many degrees Celsius."""

    kind: Literal["percentile", "temperature"] = "percentile"
    value: float = 90.0

    @property
    def reference(self) -> str:
        """The name of the field it is: the same threshold, the same name."""
        return f"{self.kind}-{self.value:g}"

    @property
    def title(self) -> str:
        """The threshold in words."""
        return f"{ordinal(self.value)} percentile" if self.kind == "percentile" else f"{self.value:g} °C"


@dataclass(frozen=True)
class Variable:
    """One mapped quantity in `units`: a function of the channels, (…, y, x), and the places x, y (y, x).

    It may also use references, fields known at every lead beforehand such as the climatology, (lead, y, x), which
    stand among the fields by their names. A probability is 0 or 1 in every member; `threshold` is what it asks about.
    """

    name: str
    short: str
    title: str
    units: str
    scale: Scale
    of: Callable[[Fields], np.ndarray]
    references: tuple[str, ...] = ()
    threshold: Threshold | None = None


def variables_of(dataset: str) -> tuple[Variable, ...]:
    """The variables of a data set, the one shown first in front."""
    return VARIABLES[dataset]


def variable_named(dataset: str, name: str) -> Variable:
    """One variable of a data set."""
    return next(variable for variable in variables_of(dataset) if variable.name == name)


def parse_variable(dataset: str, name: str) -> Variable:
    """A variable of a data set by its name, with any threshold: `above-percentile-95`, `above-temperature-28.5`.

    Raises RequestError where there is none.
    """
    known = {variable.name: variable for variable in variables_of(dataset)}
    if name in known:
        return known[name]
    above, _, words = name.partition("-")
    kind, _, text = words.partition("-")
    thresholds: dict[str, tuple[float, float]] = {"percentile": (1, 99), "temperature": (-2, 40)}
    if above == "above" and kind in thresholds and exceedance(Threshold()).name in known:
        low, high = thresholds[kind]
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if low <= value <= high:
            return exceedance(Threshold("percentile" if kind == "percentile" else "temperature", value))
    raise RequestError(f"The variable is {name!r}, but {dataset} has {', '.join(known)}.")


def ordinal(number: float) -> str:
    """A number as a rank: 90th, 91st, 97.5th."""
    last = f"{number:g}"[-1]
    teens = number % 100 in (11, 12, 13)
    return f"{number:g}" + ("th" if teens or number % 1 else {"1": "st", "2": "nd", "3": "rd"}.get(last, "th"))


CLIMATOLOGY = "climatology"


def exceedance(threshold: Threshold) -> Variable:
    """Whether the sea surface temperature exceeds a threshold: 1 or 0, NaN where the temperature is not known."""

    def above(fields: Fields) -> np.ndarray:
        sst, limit = fields["sst"], fields[threshold.reference]
        return np.where(np.isnan(sst) | np.isnan(limit), np.nan, sst > limit).astype(np.float32)

    title = "Marine heatwave" if threshold.kind == "percentile" else "Warm water"
    return Variable(
        f"above-{threshold.reference}",
        "Heatwave",
        f"{title}: SST above {'the ' if threshold.kind == 'percentile' else ''}{threshold.title}",
        "1",
        "probability",
        above,
        (threshold.reference,),
        threshold,
    )


def _sst_anomaly(fields: Fields) -> np.ndarray:
    return fields["sst"] - fields[CLIMATOLOGY]


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


SEA_SURFACE = (
    Variable(
        "anomaly",
        "SST anomaly",
        "Sea surface temperature, departure from the climatology",
        "degree_Celsius",
        "balance",
        _sst_anomaly,
        (CLIMATOLOGY,),
    ),
    Variable("sst", "SST", "Sea surface temperature", "degree_Celsius", "sequential", _channel("sst")),
    exceedance(Threshold()),
)

VARIABLES: dict[str, tuple[Variable, ...]] = {
    "sst-monthly": SEA_SURFACE,
    "sst-daily": SEA_SURFACE,
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
