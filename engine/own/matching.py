"""Which variable of a file is which channel, and along which axes: CF attributes first, then usual names."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import cf_xarray  # noqa: F401  the accessor .cf
import numpy as np
import xarray as xr

from engine.datasets.base import Channel, Dataset
from engine.errors import DataError, RequestError
from engine.own.files import Header, OwnFile, Variable


@dataclass(frozen=True)
class Naming:
    """How files call a channel. names: lower-case, of variables; phrase: what a long name holds."""

    kind: str
    standard_names: tuple[str, ...]
    names: tuple[str, ...]
    phrase: str


NAMINGS: dict[str, Naming] = {
    "sst": Naming(
        kind="temperature fields",
        standard_names=(
            "sea_surface_temperature",
            "sea_surface_foundation_temperature",
            "sea_surface_skin_temperature",
            "sea_surface_subskin_temperature",
            "sea_water_potential_temperature",
            "sea_water_conservative_temperature",
            "sea_water_temperature",
            "surface_temperature",
        ),
        names=("sst", "tos", "analysed_sst", "sea_surface_temperature", "thetao", "votemper", "sosstsst"),
        phrase="sea surface temperature",
    ),
}
"""A channel that is not here goes by its own name alone."""

AXIS_NAMES = ("lat", "lon", "y", "x", "time")
"""What a person may name beside channels."""

_NO_FIELD = re.compile(r"anomal|error|uncertain|standard|deviation|climatolog|number|initial|difference|bias")
_NAMED = re.compile(r"(?P<name>.*?)\s*\[(?P<units>[^\[\]]*)\]")
_MEMBER_NAMES = ("member", "realization", "ensemble", "number", "ens")
_DEPTH_NAMES = ("depth", "deptht", "lev", "level", "zlev", "z", "st_ocean", "olevel", "height")
_TIME_NAMES = ("time", "t", "lead")
_SPATIAL = {"lat": ("latitude", "Y"), "lon": ("longitude", "X")}


@dataclass(frozen=True)
class Field:
    """A channel in a file.

    y, x: the dimensions; lat, lon: the variables that hold the coordinates, None where the file has none; time: the
    variable of times, None where there is none; time_dim: its dimension, None for a single moment; fixed: the position
    along every other dimension. units: as a person named them, else as the file does.
    """

    channel: Channel
    variable: Variable
    units: str
    y: str
    x: str
    lat: Variable | None
    lon: Variable | None
    time: Variable | None
    time_dim: str | None
    fixed: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidates:
    """What is unclear in a file: for a channel or an axis the variables that it could be, none where nothing fits."""

    asked: Mapping[str, tuple[str, ...]]


def candidates(file: OwnFile, dataset: Dataset, named: Mapping[str, str]) -> Candidates:
    """What a person has to name; nothing where all is clear."""
    asked: dict[str, tuple[str, ...]] = {}
    for channel in dataset.channels:
        found = _variables_of(file.header, channel, named)
        if len(found) != 1:
            asked[channel.name] = found or tuple(_fields_at_all(file.header))
            continue
        skeleton = _skeleton(file.header, file.header.variables[found[0]])
        for axis in ("lat", "lon") if dataset.calendar is not None else ():
            if axis not in named and len(fitting := _coordinates(skeleton, file.header, found[0], axis)) != 1:
                asked[axis] = fitting or _coordinates_at_all(file.header, found[0])
    return Candidates(asked)


def match(file: OwnFile, dataset: Dataset, named: Mapping[str, str]) -> tuple[Field, ...]:
    """Every channel of the data set in a file.

    named: a channel's or an axis's name -> that of the variable, "NAME" or "NAME[units]".
    Raises: RequestError where something is unclear, naming what it could be; DataError where it is not there.
    """
    _check_names(file, dataset, named)
    return tuple(_field(file, dataset, channel, named) for channel in dataset.channels)


def _check_names(file: OwnFile, dataset: Dataset, named: Mapping[str, str]) -> None:
    known = [channel.name for channel in dataset.channels]
    for key, value in named.items():
        if key not in (*known, *AXIS_NAMES):
            raise RequestError(
                f"{key!r} is no channel of {dataset.name} and no axis: name {', '.join(known)} or lat, lon."
            )
        if _bare(value) not in file.header.variables:
            there = ", ".join(list(file.header.variables)[:12]) or "no variables"
            raise RequestError(f"{file.name} has no variable {_bare(value)!r}; it has {there}.")


def _field(file: OwnFile, dataset: Dataset, channel: Channel, named: Mapping[str, str]) -> Field:
    header = file.header
    variable = header.variables[_one_variable(file, channel, named)]
    if not variable.is_numeric:
        raise DataError(f"{variable.name!r} in {file.name} holds no numbers; name another variable.")
    if empty := [dim for dim in variable.dims if header.dims[dim] == 0]:
        raise DataError(f"{variable.name!r} in {file.name} has nothing along {empty[0]!r}; write the file anew.")
    if len(set(variable.dims)) < max(len(variable.dims), 2):
        raise DataError(f"{variable.name!r} in {file.name} is no field of rows and columns; name another variable.")
    skeleton = _skeleton(header, variable)
    lat: Variable | None
    lon: Variable | None
    if dataset.calendar is not None:
        lat = _one_coordinate(file, skeleton, variable, "lat", named)
        lon = _one_coordinate(file, skeleton, variable, "lon", named)
        y, x = _horizontal(file, variable, lat, lon)
    else:
        (lat, y), (lon, x) = (_plain_axis(file, skeleton, variable, index, named) for index in (0, 1))
    time, time_dim = _time(file, skeleton, variable, (y, x), named)
    fixed, notes = _fixed(file, skeleton, variable, (y, x, time_dim))
    given = _NAMED.fullmatch(named.get(channel.name, ""))
    units = given["units"] if given else variable.text("units")
    return Field(channel, variable, units, y, x, lat, lon, time, time_dim, fixed, notes)


# -- variables ---------------------------------------------------------------------------------------------


def _one_variable(file: OwnFile, channel: Channel, named: Mapping[str, str]) -> str:
    found = _variables_of(file.header, channel, named)
    if len(found) == 1:
        return found[0]
    kind = NAMINGS[channel.name].kind if channel.name in NAMINGS else f"fields for {channel.name}"
    option = "name one with --init-variable"
    if found:
        raise RequestError(f"{file.name} has the {kind} {_listed(found)}: {option} {channel.name}={found[-1]}.")
    others = sorted(_fields_at_all(file.header), key=lambda name: not name.startswith(channel.name))
    if others:
        raise RequestError(
            f"{file.name} has no field that is plainly {channel.name} ({channel.long_name}), only {_listed(others)}: "
            f"{option} {channel.name}={others[0]}."
        )
    groups = f" outside its groups {_listed(file.header.groups)}: write it flat" if file.header.groups else ""
    raise DataError(f"{file.name} has no field with two or more dimensions{groups or '; name another file'}.")


def _variables_of(header: Header, channel: Channel, named: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that a channel could be: by name or standard name, and only else by long name."""
    if channel.name in named:
        return (_bare(named[channel.name]),)
    naming = NAMINGS.get(channel.name, Naming("", (), (channel.name.lower(),), channel.long_name.lower()))
    fields = {name: header.variables[name] for name in _fields_at_all(header)}
    plain = [
        name
        for name, variable in fields.items()
        if variable.text("standard_name") in naming.standard_names or name.lower() in naming.names
    ]
    if not plain:
        long_names = {name: variable.text("long_name").lower() for name, variable in fields.items()}
        plain = [name for name, text in long_names.items() if naming.phrase in text and not _NO_FIELD.search(text)]
    exact = [name for name in plain if channel.name not in NAMINGS and name == channel.name]
    return tuple(exact or plain)


def _fields_at_all(header: Header) -> Iterable[str]:
    """Numeric variables of at least two dimensions that are no coordinates or bounds of others."""
    helpers = {
        word
        for variable in header.variables.values()
        for attribute in ("bounds", "coordinates", "climatology")
        for word in variable.text(attribute).split()
    }
    for name, variable in header.variables.items():
        if variable.is_numeric and len(variable.dims) >= 2 and name not in helpers and name not in variable.dims:
            yield name


def _bare(value: str) -> str:
    """A variable's name without the units that may stand behind it."""
    given = _NAMED.fullmatch(value)
    return given["name"] if given else value


def _listed(names: Iterable[str]) -> str:
    words = list(names)[:8]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


# -- axes --------------------------------------------------------------------------------------------------


def _skeleton(header: Header, variable: Variable) -> xr.Dataset:
    """The file with every dimension of length one: enough for cf-xarray, which looks at names and attributes."""
    dims = {dim for other in header.variables.values() for dim in other.dims}
    stated = variable.text("coordinates").split()
    kept = {
        name: other
        for name, other in header.variables.items()
        if name == variable.name
        or (
            other.is_numeric
            and set(other.dims) <= set(variable.dims)
            and (len(other.dims) <= 1 or _is_mesh(other, stated))
        )
    }
    arrays = {
        name: xr.Variable(other.dims, np.zeros((1,) * len(other.dims)), dict(_texts(other)))
        for name, other in kept.items()
        # a variable that is called as a dimension without being its coordinate is none that xarray could hold
        if len(set(other.dims)) == len(other.dims)
        and (name == variable.name or name not in dims or other.dims == (name,))
    }
    try:
        skeleton = xr.Dataset(arrays)
    except ValueError:
        raise DataError(f"{variable.name!r} is called as one of its dimensions; rename it.") from None
    return skeleton.set_coords([name for name in arrays if name != variable.name]).cf.guess_coord_axis()


def _is_mesh(variable: Variable, stated: Collection[str]) -> bool:
    """Whether a variable may hold the latitudes or longitudes of a curvilinear grid."""
    told = variable.name in stated or re.search("lat|lon|phi|glam", variable.name.lower()) is not None
    return len(variable.dims) == 2 and (told or "degree" in variable.text("units"))


def _texts(variable: Variable) -> Iterable[tuple[str, str]]:
    for name in ("standard_name", "units", "axis", "_CoordinateAxisType", "positive", "cartesian_axis", "long_name"):
        if text := variable.text(name):
            yield name, text


def _one_coordinate(
    file: OwnFile, skeleton: xr.Dataset, variable: Variable, axis: str, named: Mapping[str, str]
) -> Variable:
    if axis in named:
        return file.header.variables[_bare(named[axis])]
    found = _coordinates(skeleton, file.header, variable.name, axis)
    if len(found) == 1:
        return file.header.variables[found[0]]
    what = {"lat": "latitude", "lon": "longitude"}[axis]
    others = found or _coordinates_at_all(file.header, variable.name)
    if not others:
        raise DataError(f"{file.name} has no {what} for {variable.name!r}; write its axes into the file.")
    raise RequestError(
        f"The {what} of {variable.name!r} in {file.name} could be {_listed(others)}: "
        f"name it with --init-variable {axis}={others[0]}."
    )


def _coordinates(skeleton: xr.Dataset, header: Header, name: str, axis: str) -> tuple[str, ...]:
    """The coordinate variables that hold latitudes or longitudes of a variable, as CF and usual names tell."""
    if name not in skeleton:
        return ()
    found = [
        each
        for each in skeleton[name].cf.coordinates.get(_SPATIAL[axis][0], [])
        if header.variables[each].is_numeric and 1 <= len(header.variables[each].dims) <= 2
    ]
    stated = [each for each in found if each in header.variables[name].text("coordinates").split()]
    of_dimension = [each for each in found if header.variables[each].dims == (each,)]
    for preferred in (of_dimension, stated):
        if len(preferred) == 1:
            return tuple(preferred)
    return tuple(found)


def _coordinates_at_all(header: Header, name: str) -> tuple[str, ...]:
    dims = set(header.variables[name].dims)
    return tuple(
        other.name
        for other in header.variables.values()
        if other.is_numeric and other.dims and set(other.dims) <= dims and len(other.dims) <= 2 and other.name != name
    )


def _horizontal(file: OwnFile, variable: Variable, lat: Variable, lon: Variable) -> tuple[str, str]:
    """The dimensions along y and x."""
    if len(lat.dims) == len(lon.dims) == 1 and lat.dims != lon.dims:
        y, x = lat.dims[0], lon.dims[0]
    elif len(lat.dims) == 2 and lat.dims == lon.dims:
        y, x = lat.dims
    else:
        raise DataError(
            f"{variable.name!r} in {file.name} lies on points in no rows and columns ({lat.name} over "
            f"{', '.join(lat.dims) or 'nothing'}); regrid it to latitude and longitude first."
        )
    if not {y, x} <= set(variable.dims):
        raise DataError(
            f"{variable.name!r} in {file.name} has the dimensions {', '.join(variable.dims)} and not {y} and {x}; "
            "name another variable or other axes."
        )
    return y, x


def _plain_axis(
    file: OwnFile, skeleton: xr.Dataset, variable: Variable, index: int, named: Mapping[str, str]
) -> tuple[Variable | None, str]:
    """The coordinate and dimension along y (index 0) or x (1): as named, as CF tells, else the last two in order."""
    letter = "yx"[index]
    if letter in named:
        coordinate = file.header.variables[_bare(named[letter])]
        if len(coordinate.dims) != 1 or coordinate.dims[0] not in variable.dims:
            raise RequestError(f"{coordinate.name!r} in {file.name} is no axis of {variable.name!r}: name another.")
        return coordinate, coordinate.dims[0]
    found = [
        file.header.variables[each]
        for each in skeleton[variable.name].cf.axes.get(letter.upper(), [])
        if file.header.variables[each].dims == (each,)
    ]
    if len(found) == 1:
        return found[0], found[0].name
    dims = [dim for dim in variable.dims if dim == letter] or list(variable.dims[-2:])[index : index + 1]
    if not dims:
        raise DataError(f"{variable.name!r} in {file.name} has fewer than two dimensions; name another variable.")
    coordinate_of_dim = file.header.variables.get(dims[0])
    usable = coordinate_of_dim is not None and coordinate_of_dim.dims == (dims[0],) and coordinate_of_dim.is_numeric
    return (coordinate_of_dim if usable else None), dims[0]


# -- times and what else there is --------------------------------------------------------------------------


def _time(
    file: OwnFile, skeleton: xr.Dataset, variable: Variable, taken: tuple[str, str], named: Mapping[str, str]
) -> tuple[Variable | None, str | None]:
    """The variable of times and its dimension: along a dimension rather than a moment, valid times before others."""
    header, dims = file.header, set(variable.dims) - set(taken)
    if "time" in named:
        found = [header.variables[_bare(named["time"])]]
    else:
        of_cf = skeleton[variable.name].cf.coordinates.get("time", [])
        since = [name for name, other in header.variables.items() if " since " in other.text("units")]
        names = dict.fromkeys([*of_cf, "valid_time", *since])
        found = [header.variables[name] for name in names if name in header.variables]
    usable = [
        other
        for other in found
        if other.is_numeric
        and len(other.dims) <= 1
        and set(other.dims) <= dims
        and other.text("standard_name") != "forecast_reference_time"
    ]
    if "time" in named and not usable:
        raise RequestError(f"{found[0].name!r} in {file.name} is no time of {variable.name!r}: name another variable.")
    along = next((other for other in usable if other.dims), None)
    if along is not None:
        return along, along.dims[0]
    of_name = next((dim for dim in variable.dims if dim in dims and dim.lower() in _TIME_NAMES), None)
    moment = next(iter(usable), None) if of_name is None or header.dims[of_name] == 1 else None
    return moment, of_name


def _fixed(
    file: OwnFile, skeleton: xr.Dataset, variable: Variable, taken: tuple[str | None, ...]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """A position along every further dimension: the surface, the first member, the only one."""
    fixed: dict[str, int] = {}
    notes: list[str] = []
    vertical = {dim for name in _vertical(skeleton, variable.name) for dim in file.header.variables[name].dims}
    for dim in variable.dims:
        size = file.header.dims[dim]
        if dim in taken:
            continue
        if size == 1:
            fixed[dim] = 0
        elif dim in vertical or dim.lower() in _DEPTH_NAMES:
            fixed[dim], note = _shallowest(file, dim)
            notes.append(note)
        elif dim.lower() in _MEMBER_NAMES or _standard_name(file.header, dim) == "realization":
            fixed[dim] = 0
            notes.append(f"the first of {size} along {dim} was taken")
        else:
            raise DataError(
                f"{variable.name!r} in {file.name} has {size} fields along {dim!r} and it is unclear which to take; "
                "write one of them into a file of its own."
            )
    return fixed, tuple(notes)


def _vertical(skeleton: xr.Dataset, name: str) -> list[str]:
    if name not in skeleton:
        return []
    known = skeleton[name].cf
    return [*known.axes.get("Z", []), *known.coordinates.get("vertical", [])]


def _standard_name(header: Header, dim: str) -> str:
    return header.variables[dim].text("standard_name") if dim in header.variables else ""


def _shallowest(file: OwnFile, dim: str) -> tuple[int, str]:
    level = file.header.variables.get(dim)
    size = file.header.dims[dim]
    if level is None or level.dims != (dim,) or not level.is_numeric or size > 10_000:
        return 0, f"the first of {size} levels was taken"
    depths = np.abs(file.read(dim, ((0, size),), "f8"))
    if not np.isfinite(depths).any():
        return 0, f"the first of {size} levels was taken"
    position = int(np.nanargmin(depths))
    return position, f"the shallowest of {size} levels was taken, {depths[position]:g} {level.text('units')}".rstrip()
