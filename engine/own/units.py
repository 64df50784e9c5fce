"""From the units of a file to those of a data set, spelled as CF and UDUNITS do, or as people do."""

import re
from dataclasses import dataclass

import numpy as np

from engine.errors import RequestError

# What may stand in a unit: no parentheses, no numbers of several digits and no power of a number, which could take
# forever to work out.
_HARMLESS = re.compile(r"(?!.*\d\d)(?!.*\d *(\^|\*\*))[A-Za-zµ°/^*._ %0-9-]{0,40}")
_TEMPERATURE = re.compile(r"(?:deg(?:ree)?s?)?[ _.]*(celsius|c|kelvin|k|fahrenheit|f)", re.IGNORECASE)
_TEMPERATURES = {"c": "degC", "k": "kelvin", "f": "degF"}
_CELSIUS = "degree_Celsius"
# Sea water lies in one of these and never in both.
_PLAUSIBLE = {_CELSIUS: (-5.0, 50.0), "K": (268.15, 323.15)}


@dataclass(frozen=True)
class Conversion:
    """x in the file's units -> slope · x + offset in the channel's; units: what the file's were taken to be."""

    slope: float
    offset: float
    units: str

    @property
    def is_needed(self) -> bool:
        """Whether it changes anything."""
        return (self.slope, self.offset) != (1.0, 0.0)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values in the channel's units, of the same type."""
        return (values * self.slope + self.offset).astype(values.dtype) if self.is_needed else values


def conversion(units: str, target: str, what: str) -> Conversion:
    """From the units of `what` (as a sentence calls it) to those of a channel. Raises RequestError."""
    if units == target:
        return Conversion(1.0, 0.0, units)
    from cf_xarray.units import units as registry  # takes a second, and most files are in the right units

    try:
        if not _HARMLESS.fullmatch(units):
            raise ValueError(units)
        zero, one = registry.Quantity(np.array([0.0, 1.0]), _spelled(units)).to(_spelled(target)).magnitude
    except Exception:  # pint raises what the parts of a unit lead it to, from AttributeError to TokenError
        raise RequestError(
            f"{what} has the units {units!r}, which do not convert to {target}: name a variable in units that do."
        ) from None
    return Conversion(float(one - zero), float(zero), units)


def guessed_conversion(values: np.ndarray, target: str, what: str) -> Conversion:
    """Where a file names no units: told from the range of a temperature. Raises RequestError where unclear."""
    if target == "1":
        return Conversion(1.0, 0.0, target)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (np.nan, np.nan)
    fitting = [units for units, (least, most) in _PLAUSIBLE.items() if least <= low <= high <= most]
    if target == _CELSIUS and fitting:
        return conversion(fitting[0], target, what)
    raise RequestError(
        f"{what} has no units and its values go from {low:g} to {high:g}: name them with it, as in NAME[{target}]."
    )


def _spelled(units: str) -> str:
    """Temperatures as pint writes them: °C, deg C and degrees_Celsius are one unit."""
    match = _TEMPERATURE.fullmatch(units.strip().replace("°", "deg "))
    return _TEMPERATURES[match[1][0].lower()] if match else units
