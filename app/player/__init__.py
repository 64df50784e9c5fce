"""One to four animated maps (mean, truth, spread, error) as one custom component."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import streamlit as st

from app.look import GROUPS, Limits
from app.place import Place, cell_place
from app.player.colours import colour_table
from app.scripts import joined

_HERE = Path(__file__).parent
SCRIPT = joined(_HERE, "format", "field", "memory", "traces", "charts", "pointer", "map", "picture", "player")
_component = st.components.v2.component(
    "coldcast_player",
    js=SCRIPT,
    css=(_HERE / "player.css").read_text(encoding="utf-8"),
)

WHOLE = 65535  # the map's width or height, in the units of coastlines
FINE = 16  # bits of a value on the screen
COARSE = 8  # while members still arrive, so that many updates neither hold up nor fill the browser
FRAMES_PER_SECOND = 10
SHORTEST, LONGEST = 3.0, 12.0  # s, how long an animation takes at 1×


@dataclass(frozen=True, eq=False)
class View:
    """What the player shows: one variable of one forecast.

    mean, truth, spread: float32 (frame, y, x) in `units`, truth NaN where unknown; leads and valid: (frame,)
    in `time_units`; x and y: the grid's axes; solid: bool (y, x), obstacles or held particles. Particles
    stand at mean_positions and truth_positions, (frame, 2, y, x). place: what is marked. limits: the ends of the
    colours; fitted: those that would fit. rounding: the steps in which mean and spread were stored, if they were.
    labels: what the clock says of every frame, lead and valid time, where those are no plain numbers.
    coastlines: (point, 2) of longitude and latitude each, None unless the axes are degrees. margin: (frame, y, x) in
    margin_units; with it the field is a probability in percent, and this is the distance of the mean from the
    threshold. coarse: whether values are rounded more, since others soon follow. waits: whether Python waits to hear
    that the maps are drawn. begin: the name of a scene, which begins anew, and what its maps begin with, as behind the
    # of a link. can_trace: whether there are velocities; velocities: those of mean and truth, (frame, y, x) in units of
    the axes per time unit, where paths of particles are to be drawn.
    """

    dataset: str
    kind: Literal["grid", "particles"]
    forecast: str
    variable: str
    title: str
    units: str
    diverging: bool
    leads: np.ndarray
    valid: np.ndarray
    time_units: str
    x: np.ndarray
    y: np.ndarray
    length_units: str
    mean: np.ndarray
    truth: np.ndarray
    spread: np.ndarray
    solid: np.ndarray
    mean_positions: np.ndarray | None = None
    truth_positions: np.ndarray | None = None
    springs: np.ndarray | None = None
    place: Place = field(default_factory=lambda: cell_place(0, 0))
    limits: Limits = field(default_factory=dict)
    fitted: Limits = field(default_factory=dict)
    rounding: Mapping[str, float] = field(default_factory=dict)
    labels: Sequence[tuple[str, str]] | None = None
    coastlines: Sequence[np.ndarray] | None = None
    margin: np.ndarray | None = None
    margin_units: str = ""
    coarse: bool = False
    waits: bool = False
    begin: tuple[str, str] = ("", "")
    can_trace: bool = False
    velocities: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Answers:
    """What becomes of what a person does on the maps: each is called before the script runs again.

    drawn: the maps that waited for it are drawn; place: a cell or a box was chosen; limits: the ends of a group's
    colours were changed; fit: the colours are to fit the forecast; traces: paths of particles are to be drawn, or no
    longer.
    """

    drawn: Callable[[], None]
    place: Callable[[Place], None]
    limits: Callable[[str, tuple[float, float]], None]
    fit: Callable[[], None]
    traces: Callable[[bool], None]


def player(view: View, answers: Answers, *, key: str) -> None:
    """Show the maps."""

    def told(name: str) -> Mapping[str, Any]:
        return st.session_state[key].get(name) or {}

    def on_place() -> None:
        place = place_told(told("place"), view.solid.shape)
        if place is not None:
            answers.place(place)

    def on_limits() -> None:
        limits = limits_told(told("limits"))
        if told("limits").get("fit"):
            answers.fit()
        elif limits is not None:
            answers.limits(*limits)

    def on_traces() -> None:
        answers.traces(told("traces").get("on") is True)

    _component(
        key=key,
        data=encode(view),
        on_drawn_change=answers.drawn,
        on_place_change=on_place,
        on_limits_change=on_limits,
        on_traces_change=on_traces,
    )


def place_told(message: Mapping[str, Any], shape: tuple[int, ...]) -> Place | None:
    """The place that the browser names, None for anything that is none on a grid of this shape (y, x)."""
    rows, columns = shape
    cell, box = message.get("cell"), message.get("box")
    if isinstance(cell, int) and 0 <= cell < rows * columns:
        return cell_place(*divmod(cell, columns))
    if isinstance(box, list) and len(box) == 4 and all(isinstance(end, int) for end in box):
        west, south, east, north = box
        if 0 <= west <= east < columns and 0 <= south <= north < rows:
            return Place(west, south, east, north)
    return None


def limits_told(message: Mapping[str, Any]) -> tuple[str, tuple[float, float]] | None:
    """The group and the ends of its colours that the browser names, None for anything else."""
    group, limits = message.get("group"), message.get("limits")
    if group not in GROUPS or not isinstance(limits, list) or len(limits) != 2:
        return None
    low, high = limits
    if not all(isinstance(end, int | float) and np.isfinite(end) for end in limits) or low >= high:
        return None
    return group, (float(low), float(high))


def encode(view: View) -> bytes:
    """The block of bytes that the script reads: uint32 length, header as JSON, padding to 4, arrays.

    Values are unsigned integers, codes; value = minimum + quantum · code, and the largest code stands for no value.
    """
    bits = COARSE if view.coarse else FINE
    arrays = {name: quantise(values, bits) for name, values in _fields(view).items()}
    blocks = {name: codes for name, (codes, _) in arrays.items()}
    blocks |= {name: colour_table(name) for name in ("thermal", "balance", "amp")}
    blocks["solid"] = view.solid.astype(np.uint8)
    if view.springs is not None:
        blocks["springs"] = view.springs.astype(np.uint8)
    if view.coastlines is not None:
        blocks |= _coast_blocks(view, view.coastlines)
    return pack(_header(view, {name: scale for name, (_, scale) in arrays.items()}), blocks)


def _coast_blocks(view: View, lines: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Points of all lines one after the other, uint16 shares of the map's width and height, and where each starts."""
    (west, east), (south, north) = _edges(view)
    points = np.concatenate([*lines, np.zeros((0, 2))])
    shares = (points - [west, south]) / [east - west, north - south]
    starts = np.cumsum([0, *(len(line) for line in lines)])
    return {
        "coast": np.round(np.clip(shares, 0, 1) * WHOLE).astype("<u2"),
        "coastStarts": starts.astype("<u4"),
    }


def pack(header: Mapping[str, Any], blocks: Mapping[str, np.ndarray]) -> bytes:
    """Header and arrays in one block; every array starts at a multiple of 4 bytes."""
    directory, parts, offset = {}, [], 0
    for name, block in blocks.items():
        raw = np.ascontiguousarray(block).tobytes()
        directory[name] = {"offset": offset, "count": block.size, "type": f"u{block.dtype.itemsize}"}
        parts.append(raw + bytes(-len(raw) % 4))
        offset += len(parts[-1])
    text = json.dumps({**header, "arrays": directory}, allow_nan=False).encode()
    return b"".join([len(text).to_bytes(4, "little"), text, bytes(-(4 + len(text)) % 4), *parts])


def quantise(values: np.ndarray, bits: int) -> tuple[np.ndarray, dict[str, float]]:
    """Codes of `values` with so many bits, little-endian; their minimum, quantum and the code of a missing value."""
    missing = 2**bits - 1
    known = np.isfinite(values)
    if not known.any():
        return np.full(values.shape, missing, f"<u{bits // 8}"), {"minimum": 0.0, "quantum": 1.0, "missing": missing}
    least, largest = float(values[known].min()), float(values[known].max())
    quantum = (largest - least) / (missing - 1) or 1.0
    codes = np.where(known, np.round((np.where(known, values, least).astype(np.float64) - least) / quantum), missing)
    return codes.astype(f"<u{bits // 8}"), {"minimum": least, "quantum": quantum, "missing": missing}


def limits_of(view: View) -> Limits:
    """Ends of the colours by group: those that the view names, else those that fit it."""
    return view.limits or fitted_limits(view)


def fitted_limits(view: View) -> Limits:
    """Ends of the colours that fit a forecast, the same over all frames; mean and truth share theirs.

    They span the 2nd to 98th percentile; spread begins at 0; error, and fields with a sign, are symmetric about 0;
    probabilities run from 0 to 100 %. Solid cells and those without a value do not count.
    """
    free = ~view.solid
    if view.margin is not None:
        return {"field": (0.0, 100.0), "margin": _symmetric(view.margin[:, free]), "error": (-100.0, 100.0)}
    both = np.concatenate([view.mean[:, free].ravel(), view.truth[:, free].ravel()])
    return {
        "field": _symmetric(both) if view.diverging else _between(both),
        "spread": (0.0, _round(_percentile(view.spread[:, free], 98))),
        "error": _symmetric((view.mean - view.truth)[:, free]),
    }


def _between(values: np.ndarray) -> tuple[float, float]:
    low, high = _round(_percentile(values, 2, default=0.0)), _round(_percentile(values, 98))
    return (low, high) if high > low else (low, low + 1.0)


def _symmetric(values: np.ndarray) -> tuple[float, float]:
    size = _round(_percentile(np.abs(values), 98))
    return (-size, size)


def _round(value: float) -> float:
    return float(f"{value:.3g}")  # as the colour bar writes it


def _percentile(values: np.ndarray, percent: float, default: float = 1.0) -> float:
    known = values[np.isfinite(values)]
    return (float(np.percentile(known, percent)) if known.size else default) or default


def _fields(view: View) -> dict[str, np.ndarray]:
    beside = {"spread": view.spread} if view.margin is None else {"margin": view.margin}
    fields = {"mean": view.mean, "truth": view.truth, **beside}
    for name, positions in (("mean", view.mean_positions), ("truth", view.truth_positions)):
        if positions is not None:
            fields |= {f"{name}_x": positions[:, 0], f"{name}_y": positions[:, 1]}
    return fields | dict(view.velocities)


@dataclass(frozen=True)
class Panel:
    """One map: its title and note, the arrays it shows (of two the difference), and the group of its colours.

    empty: why it is empty, where it is.
    """

    name: str
    title: str
    note: str
    values: tuple[str, ...]
    group: str
    empty: str = "no truth is known at this lead"


PANELS = (
    Panel("mean", "Mean", "of the members", ("mean",), "field"),
    Panel("truth", "Truth", "", ("truth",), "field"),
    Panel("spread", "Spread", "standard deviation", ("spread",), "spread", "a spread needs two members"),
    Panel("error", "Error", "mean − truth", ("mean", "truth"), "error"),
)
PROBABILITY_PANELS = (
    Panel("mean", "Probability", "share of the members", ("mean",), "field"),
    Panel("truth", "Truth", "where it happened", ("truth",), "field"),
    Panel("margin", "Margin", "mean − threshold", ("margin",), "margin"),
    Panel("error", "Error", "probability − truth", ("mean", "truth"), "error"),
)
TABLES = {"spread": "amp", "error": "balance", "margin": "balance"}


def panels_of(view: View) -> tuple[Panel, ...]:
    """The maps of a view."""
    return PANELS if view.margin is None else PROBABILITY_PANELS


def table_of(view: View, panel: Panel) -> str:
    """The colour table of a map."""
    return TABLES.get(panel.group, "amp" if view.margin is not None else "balance" if view.diverging else "thermal")


def units_of(view: View, panel: Panel) -> str:
    """The units of a map."""
    return view.margin_units if panel.group == "margin" else view.units


def _header(view: View, scales: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    on_earth = view.coastlines is not None
    x_edges, y_edges = _edges(view)
    narrowing = float(np.cos(np.deg2rad(np.mean(y_edges)))) if on_earth else 1.0
    length = f" in {view.length_units}" if view.length_units else ""
    place, columns, limits = view.place, len(view.x), limits_of(view)
    return {
        "dataset": view.dataset,
        "kind": view.kind,
        "forecast": view.forecast,
        "variable": view.variable,
        "title": view.title,
        "leads": _rounded(view.leads),
        "valid": _rounded(view.valid),
        "timeUnits": view.time_units,
        "seconds": min(LONGEST, max(SHORTEST, len(view.leads) / FRAMES_PER_SECOND)),
        "nx": columns,
        "ny": len(view.y),
        "x0": float(view.x[0]),
        "dx": float(view.x[1] - view.x[0]),
        "y0": float(view.y[0]),
        "dy": float(view.y[1] - view.y[0]),
        "x": x_edges,
        "y": y_edges,
        "aspect": narrowing * (x_edges[1] - x_edges[0]) / (y_edges[1] - y_edges[0]),
        "axesLabel": "" if on_earth else f"x, y{length}",
        "onEarth": on_earth,
        "solidName": "land" if on_earth else "obstacle",
        "blends": view.margin is None,  # between "it happened" and "it did not" there is nothing
        "labels": view.labels,
        "place": {"cell": place.south * columns + place.west}
        if place.is_cell
        else {"box": [place.west, place.south, place.east, place.north]},
        "waits": view.waits,
        "scene": view.begin[0],
        "begin": view.begin[1],
        "canTrace": view.can_trace,
        "hasTraces": bool(view.velocities),
        "panels": [_panel(view, panel, scales, limits) for panel in panels_of(view)],
        "scales": scales,
    }


def _panel(view: View, panel: Panel, scales: Mapping[str, Mapping[str, float]], limits: Limits) -> dict[str, Any]:
    units, table = units_of(view, panel), table_of(view, panel)
    step = max(max(scales[name]["quantum"], view.rounding.get(name, 0.0)) for name in panel.values)
    rounded = f"rounded to steps of {step:.1g} {units}".strip()
    full = "." if view.rounding else "; charts and files have them in full."
    return {
        "id": panel.name,
        "title": panel.title,
        "note": panel.note,
        "group": panel.group,
        "limits": limits[panel.group],
        "fits": view.fitted.get(panel.group, limits[panel.group]) == limits[panel.group],
        "step": step,
        "emptyWords": panel.empty,
        "lut": table,
        "symmetric": table == "balance",
        "units": units,
        "legendNote": (
            "The ends of the colours are the same at all lead times: write others to change them. Values on the "
            f"screen are {rounded}{full}"
        ),
        "values": panel.values,
        "positions": ("truth_x", "truth_y") if panel.name == "truth" else ("mean_x", "mean_y"),
        "traced": panel.name if f"{panel.name}_u" in view.velocities else "",
    }


def _edges(view: View) -> tuple[list[float], list[float]]:
    """Where the map begins and ends along x and y: half a cell beyond the outer centres, more for particles."""
    margin = 0.5 if view.kind == "grid" else 0.6

    def ends(axis: np.ndarray) -> list[float]:
        return [float(axis[0] - margin * (axis[1] - axis[0])), float(axis[-1] + margin * (axis[-1] - axis[-2]))]

    return ends(view.x), ends(view.y)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
