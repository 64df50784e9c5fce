"""Four animated maps side by side (mean, truth, spread, error) as one custom component."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import streamlit as st

from app.player.colours import colour_table
from app.wording import latitude_title, longitude_title

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "coldcast_player",
    js=(_HERE / "player.js").read_text(encoding="utf-8"),
    css=(_HERE / "player.css").read_text(encoding="utf-8"),
)

MISSING = 65535  # the code of "no value"
LEVELS = 65534  # steps between the least and the largest value
FRAMES_PER_SECOND = 10
SHORTEST, LONGEST = 3.0, 12.0  # s, how long an animation takes at 1×


@dataclass(frozen=True, eq=False)
class View:
    """What the player shows: one variable of one forecast.

    mean, truth, spread: float32 (frame, y, x) in `units`, truth NaN where unknown; leads and valid: (frame,)
    in `time_units`; x and y: the grid's axes; solid: bool (y, x), obstacles or held particles. Particles
    stand at mean_positions and truth_positions, (frame, 2, y, x). cell: the marked one, an index into the
    flattened grid. labels: what the clock says of every frame, lead and valid time, where those are no plain numbers.
    coastlines: (point, 2) of longitude and latitude each, None unless the axes are degrees. margin: (frame, y, x) in
    margin_units; with it the field is a probability in percent, and this is the distance of the mean from the
    threshold.
    """

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
    cell: int = 0
    labels: Sequence[tuple[str, str]] | None = None
    coastlines: Sequence[np.ndarray] | None = None
    margin: np.ndarray | None = None
    margin_units: str = ""


def player(view: View, *, key: str) -> int | None:
    """Show the maps; returns the cell last clicked, an index into the flattened grid, None before any click."""
    picked = _component(key=key, data=encode(view), on_cell_change=lambda: None).get("cell")
    return int(picked) if isinstance(picked, int) and 0 <= picked < view.solid.size else None


def encode(view: View) -> bytes:
    """The block of bytes that player.js reads: uint32 length, header as JSON, padding to 4, arrays.

    Values are uint16 codes; value = minimum + quantum · code, and 65535 stands for no value.
    """
    arrays = {name: quantise(values) for name, values in _fields(view).items()}
    blocks = {name: codes for name, (codes, _) in arrays.items()}
    blocks |= {
        "thermal": colour_table("thermal"),
        "balance": colour_table("balance"),
        "amp": colour_table("amp"),
    }
    blocks["solid"] = view.solid.astype(np.uint8)
    if view.springs is not None:
        blocks["springs"] = view.springs.astype(np.uint8)
    if view.coastlines is not None:
        blocks |= _coast_blocks(view, view.coastlines)
    header = _header(view) | {"scales": {name: scale for name, (_, scale) in arrays.items()}}
    return pack(header, blocks)


def _coast_blocks(view: View, lines: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Points of all lines one after the other, uint16 shares of the map's width and height, and where each starts."""
    (west, east), (south, north) = _edges(view)
    points = np.concatenate([*lines, np.zeros((0, 2))])
    shares = (points - [west, south]) / [east - west, north - south]
    starts = np.cumsum([0, *(len(line) for line in lines)])
    return {
        "coast": np.round(np.clip(shares, 0, 1) * MISSING).astype("<u2"),
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


def quantise(values: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Little-endian uint16 codes of `values`, with their minimum and quantum (a 65534th of the range)."""
    known = np.isfinite(values)
    if not known.any():
        return np.full(values.shape, MISSING, "<u2"), {"minimum": 0.0, "quantum": 1.0}
    least, largest = float(values[known].min()), float(values[known].max())
    quantum = (largest - least) / LEVELS or 1.0
    codes = np.where(known, np.round((np.where(known, values, least).astype(np.float64) - least) / quantum), MISSING)
    return codes.astype("<u2"), {"minimum": least, "quantum": quantum}


def limits(view: View) -> dict[str, tuple[float, float]]:
    """Colour limits, the same over all frames: mean and truth share the 2nd to 98th percentile of both.

    Spread runs from 0 to its 98th percentile; error, and fields with a sign, are symmetric about 0; probabilities run
    from 0 to 100 %. Solid cells and those without a value do not count.
    """
    free = ~view.solid
    error = (view.mean - view.truth)[:, free]
    if view.margin is not None:
        whole = (0.0, 100.0)
        margin = _symmetric(view.margin[:, free])
        return {"mean": whole, "truth": whole, "margin": margin, "error": (-100.0, 100.0)}
    both = np.concatenate([view.mean[:, free].ravel(), view.truth[:, free].ravel()])
    field = _symmetric(both) if view.diverging else _between(both)
    return {
        "mean": field,
        "truth": field,
        "spread": (0.0, _percentile(view.spread[:, free], 98)),
        "error": _symmetric(error),
    }


def _between(values: np.ndarray) -> tuple[float, float]:
    low, high = _percentile(values, 2, default=0.0), _percentile(values, 98)
    return (low, high) if high > low else (low, low + 1.0)


def _symmetric(values: np.ndarray) -> tuple[float, float]:
    size = _percentile(np.abs(values), 98)
    return (-size, size)


def _percentile(values: np.ndarray, percent: float, default: float = 1.0) -> float:
    known = values[np.isfinite(values)]
    return (float(np.percentile(known, percent)) if known.size else default) or default


def _fields(view: View) -> dict[str, np.ndarray]:
    beside = {"spread": view.spread} if view.margin is None else {"margin": view.margin}
    fields = {"mean": view.mean, "truth": view.truth, **beside}
    for name, positions in (("mean", view.mean_positions), ("truth", view.truth_positions)):
        if positions is not None:
            fields |= {f"{name}_x": positions[:, 0], f"{name}_y": positions[:, 1]}
    return fields


PANELS = (
    ("mean", "Mean", "of the members", ("mean",)),
    ("truth", "Truth", "", ("truth",)),
    ("spread", "Spread", "standard deviation", ("spread",)),
    ("error", "Error", "mean − truth", ("mean", "truth")),
)
PROBABILITY_PANELS = (
    ("mean", "Probability", "share of the members", ("mean",)),
    ("truth", "Truth", "where it happened", ("truth",)),
    ("margin", "Margin", "mean − threshold", ("margin",)),
    ("error", "Error", "probability − truth", ("mean", "truth")),
)


def _header(view: View) -> dict[str, Any]:
    on_earth = view.coastlines is not None
    x_edges, y_edges = _edges(view)
    x_ticks, y_ticks = (
        (degree_ticks(*x_edges), degree_ticks(*y_edges)) if on_earth else (_ticks(view.x), _ticks(view.y))
    )
    dx, dy = float(view.x[1] - view.x[0]), float(view.y[1] - view.y[0])
    narrowing = float(np.cos(np.deg2rad(np.mean(y_edges)))) if on_earth else 1.0
    length = f" in {view.length_units}" if view.length_units else ""
    return {
        "kind": view.kind,
        "forecast": view.forecast,
        "variable": view.variable,
        "title": view.title,
        "units": view.units,
        "leads": _rounded(view.leads),
        "valid": _rounded(view.valid),
        "timeUnits": view.time_units,
        "seconds": min(LONGEST, max(SHORTEST, len(view.leads) / FRAMES_PER_SECOND)),
        "nx": len(view.x),
        "ny": len(view.y),
        "x0": float(view.x[0]),
        "dx": dx,
        "y0": float(view.y[0]),
        "dy": dy,
        "x": x_edges,
        "y": y_edges,
        "aspect": narrowing * (x_edges[1] - x_edges[0]) / (y_edges[1] - y_edges[0]),
        "xTicks": x_ticks,
        "yTicks": y_ticks,
        "xTickNames": [longitude_title(tick) if on_earth else f"{tick:g}" for tick in x_ticks],
        "yTickNames": [latitude_title(tick) if on_earth else f"{tick:g}" for tick in y_ticks],
        "axesLabel": "" if on_earth else f"x, y{length}",
        "onEarth": on_earth,
        "solidName": "land" if on_earth else "obstacle",
        "labels": view.labels,
        "cell": view.cell,
        "legendNote": (
            "Colours span the 2nd to 98th percentile over all lead times; values beyond take the end colours."
            if view.margin is None
            else "Colours span all probabilities; the margin's the 2nd to 98th percentile over all lead times."
        ),
        "panels": _panels(view),
    }


def _edges(view: View) -> tuple[list[float], list[float]]:
    """Where the map begins and ends along x and y: half a cell beyond the outer centres, more for particles."""
    margin = 0.5 if view.kind == "grid" else 0.6

    def ends(axis: np.ndarray) -> list[float]:
        return [float(axis[0] - margin * (axis[1] - axis[0])), float(axis[-1] + margin * (axis[-1] - axis[-2]))]

    return ends(view.x), ends(view.y)


def _panels(view: View) -> list[dict[str, Any]]:
    bounds = limits(view)
    tables = {"spread": "amp", "error": "balance", "margin": "balance"}
    field_table = "amp" if view.margin is not None else "balance" if view.diverging else "thermal"
    return [
        {
            "id": name,
            "title": title,
            "note": note,
            "limits": bounds[name],
            "lut": tables.get(name, field_table),
            "units": view.margin_units if name == "margin" else view.units,
            "values": values,
            "positions": ("truth_x", "truth_y") if name == "truth" else ("mean_x", "mean_y"),
        }
        for name, title, note, values in (PANELS if view.margin is None else PROBABILITY_PANELS)
    ]


def degree_ticks(low: float, high: float) -> list[float]:
    """A handful of round degrees from one edge of a map to the other."""
    step = next(step for step in DEGREES if (high - low) / step <= MOST_TICKS)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * index, 6) for index in range(first, last + 1)]


DEGREES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 90)
MOST_TICKS = 6


def _ticks(axis: np.ndarray) -> list[float]:
    """A handful of round numbers along an axis, its first and last among them where they are round."""
    span = float(axis[-1] - axis[0])
    power = 10.0 ** np.floor(np.log10(span / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 5)
    count = int(np.floor(span / step + 1e-9))
    return [round(float(axis[0]) + step * index, 6) for index in range(count + 1)]


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
