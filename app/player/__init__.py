"""Animated maps that share time, place and the part of the map, as one custom component."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app.look import GROUPS
from app.place import Place, cell_place
from app.player.encoding import encode
from app.player.view import Lines, Panel, Strand, View, fitted_limits, limits_of
from app.scripts import joined

__all__ = ["Answers", "Lines", "Panel", "Strand", "View", "fitted_limits", "limits_of", "player"]

_HERE = Path(__file__).parent
SCRIPT = joined(
    _HERE, "format", "field", "memory", "traces", "charts", "pointer", "map", "strands", "swipe", "picture", "player"
)
_component = st.components.v2.component(
    "coldcast_player",
    js=SCRIPT,
    css=(_HERE / "player.css").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Answers:
    """What becomes of what a person does on the maps: each is called before the script runs again.

    drawn: the maps that waited for it are drawn; place: a cell or a box was chosen; limits: the ends of a group's
    colours were changed; fit: the colours are to fit the forecast; traces: paths of particles are to be drawn, or no
    longer; pin: a map of this name is to be pinned, or no longer; lead: the time rests at a frame.
    """

    drawn: Callable[[], None]
    place: Callable[[Place], None]
    limits: Callable[[str, tuple[float, float]], None]
    fit: Callable[[], None]
    traces: Callable[[bool], None]
    pin: Callable[[str], None]
    lead: Callable[[int], None]


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

    def on_pin() -> None:
        name = told("pin").get("panel")
        if any(panel.name == name and panel.pinned is not None for panel in view.panels):
            answers.pin(str(name))

    def on_lead() -> None:
        frame = told("lead").get("frame")
        if isinstance(frame, int) and 0 <= frame < len(view.leads):
            answers.lead(frame)

    _component(
        key=key,
        data=encode(view),
        on_drawn_change=answers.drawn,
        on_place_change=on_place,
        on_limits_change=on_limits,
        on_traces_change=on_traces,
        on_pin_change=on_pin,
        on_lead_change=on_lead,
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
