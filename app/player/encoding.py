"""A view as the block of bytes that the player's script reads (app/player/field.js)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from app.look import Limits
from app.player.colours import colour_table
from app.player.view import Lines, Panel, View, limits_of

WHOLE = 65535  # the map's width or height, in the units of coastlines
FINE = 16  # bits of a value on the screen
COARSE = 8  # while members still arrive, so that many updates neither hold up nor fill the browser
FRAMES_PER_SECOND = 10
SHORTEST, LONGEST = 3.0, 12.0  # s, how long an animation takes at 1×


def encode(view: View) -> bytes:
    """The block of bytes that the script reads: uint32 length, header as JSON, padding to 4, arrays.

    Values are unsigned integers, codes; value = minimum + quantum · code, and the largest code stands for no value.
    """
    bits = COARSE if view.coarse else FINE
    arrays = {name: quantise(values, bits) for name, values in view.fields.items()}
    blocks = {name: codes for name, (codes, _) in arrays.items()}
    blocks |= {name: colour_table(name) for name in ("thermal", "balance", "amp")}
    blocks["solid"] = view.solid.astype(np.uint8)
    if view.springs is not None:
        blocks["springs"] = view.springs.astype(np.uint8)
    if view.coastlines is not None:
        blocks |= _coast_blocks(view, view.coastlines)
    if view.lines is not None:
        blocks |= _line_blocks(view, view.lines)
    return pack(_header(view, {name: scale for name, (_, scale) in arrays.items()}), blocks)


def _coast_blocks(view: View, lines: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Points of all lines one after the other, uint16 shares of the map's width and height, and where each starts."""
    starts = np.cumsum([0, *(len(line) for line in lines)])
    points = np.concatenate([*lines, np.zeros((0, 2))])
    return {"coast": _shares(view, points), "coastStarts": starts.astype("<u4")}


def _line_blocks(view: View, lines: Lines) -> dict[str, np.ndarray]:
    """Points of the lines of all frames as those of coastlines, whose strand each is, and each frame's first line."""
    return {
        "lines": _shares(view, lines.points),
        "lineStarts": lines.offsets.astype("<u4"),
        "lineStrands": lines.strands.astype("<u2"),
        "frameLines": lines.frames.astype("<u4"),
    }


def _shares(view: View, points: np.ndarray) -> np.ndarray:
    (west, east), (south, north) = _edges(view)
    shares = points - np.array([west, south], points.dtype)
    shares *= (WHOLE / np.array([east - west, north - south])).astype(points.dtype)
    return np.clip(np.rint(shares, out=shares), 0, WHOLE, out=shares).astype("<u2")


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


def _header(view: View, scales: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    on_earth = view.coastlines is not None
    x_edges, y_edges = _edges(view)
    narrowing = float(np.cos(np.deg2rad(np.mean(y_edges)))) if on_earth else 1.0
    length = f" in {view.length_units}" if view.length_units else ""
    place, columns, limits = view.place, len(view.x), limits_of(view)
    return {
        "dataset": view.dataset,
        "kind": view.kind,
        "forecast": f"{view.forecast} {view.beside}".strip(),
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
        "blends": view.blends,
        "coarse": view.coarse,
        "labels": view.labels,
        "place": {"cell": place.south * columns + place.west}
        if place.is_cell
        else {"box": [place.west, place.south, place.east, place.north]},
        "waits": view.waits,
        "scene": view.begin[0],
        "begin": view.begin[1],
        "canTrace": view.can_trace,
        "hasTraces": view.traced,
        "compact": view.compact,
        "tellsLead": view.tells_lead,
        "panels": [_panel(view, panel, scales, limits) for panel in view.panels],
        "scales": scales,
    }


def _panel(view: View, panel: Panel, scales: Mapping[str, Mapping[str, float]], limits: Limits) -> dict[str, Any]:
    step = max(max(scales[name]["quantum"], view.rounding.get(name, 0.0)) for name in panel.values)
    rounded = f"rounded to steps of {step:.1g} {panel.units}".strip()
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
        "lut": panel.table,
        "symmetric": panel.scale in ("symmetric", "signed percent"),
        "fromZero": panel.scale == "positive",
        "units": panel.units,
        "legendNote": (
            "The ends of the colours are the same at all lead times: write others to change them. Values on the "
            f"screen are {rounded}{full}"
        ),
        "values": panel.values,
        "positions": panel.positions,
        "traced": panel.traced if view.traced and f"{panel.traced}_u" in view.fields else "",
        "grows": panel.grows,
        "swipe": panel.swipe,
        "pinned": panel.pinned,
        "isEvent": panel.is_event,
        "strands": [{**asdict(strand), "isTop": strand.is_top} for strand in panel.strands],
    }


def _edges(view: View) -> tuple[list[float], list[float]]:
    """Where the map begins and ends along x and y: half a cell beyond the outer centres, more for particles."""
    margin = 0.5 if view.kind == "grid" else 0.6

    def ends(axis: np.ndarray) -> list[float]:
        return [float(axis[0] - margin * (axis[1] - axis[0])), float(axis[-1] + margin * (axis[-1] - axis[-2]))]

    return ends(view.x), ends(view.y)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
