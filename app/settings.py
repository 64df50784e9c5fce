"""Widgets of a page whose values stand in the link.

Each begins with what the link says, and writes into it what differs from its default; what the link says and cannot be
used gives way to the default.
"""

from collections.abc import Mapping
from typing import Any, Literal

import streamlit as st

from app import session
from app.widgets import held, key_in

Shape = Literal["segments", "list"]


def choice(
    dataset: str,
    name: str,
    label: str,
    options: Mapping[str, str],
    *,
    help: str,
    default: str | None = None,
    shape: Shape = "segments",
    width: int | Literal["stretch", "content"] = "content",
) -> str:
    """Pick one of some options, the first at first; returns its name.

    name: in the link; options: what each is called, by its name in the link.
    """
    first = default if default is not None else next(iter(options))
    given = session.settings_of(dataset).get(name, first)
    key, start = _key(dataset, name), given if given in options else first
    common: dict[str, Any] = {"format_func": lambda each: options.get(each, each), "key": key, "help": help}
    names = list(options)
    shown = held(key, start)
    shown = shown if shown in options else start
    if shape == "segments":
        picked = st.segmented_control(label, names, default=shown, required=True, width=width, **common)
    else:
        wide: Any = "stretch" if width == "content" else width
        picked = st.selectbox(label, names, names.index(shown), width=wide, **common)
    return str(_keep(dataset, name, picked, first))


def number(
    dataset: str,
    name: str,
    label: str,
    *,
    low: float,
    high: float,
    default: float,
    step: float,
    help: str,
    units: str = "",
    width: int | Literal["stretch"] = 160,
) -> float:
    """Type a number from `low` to `high`, in `units`."""
    text = session.settings_of(dataset).get(name, "")
    key, start = _key(dataset, name), _number_in(text, low, high, default)
    shown = min(max(float(held(key, start)), low), high)
    title = f"{label} ({units})" if units else label
    ends = float(low), float(high)
    picked = st.number_input(title, *ends, shown, float(step), format="%g", key=key, help=help, width=width)
    _keep(dataset, name, f"{picked:g}", f"{default:g}")
    return float(picked)


def flag(dataset: str, name: str, label: str, *, help: str, default: bool = False) -> bool:
    """Switch something on or off."""
    text = session.settings_of(dataset).get(name, "")
    key, start = _key(dataset, name), {"true": True, "false": False}.get(text, default)
    picked = st.toggle(label, bool(held(key, start)), key=key, help=help)
    _keep(dataset, name, str(picked).lower(), str(default).lower())
    return picked


def _key(dataset: str, name: str) -> str:
    return key_in(dataset, f"{session.visit().page}/{name}")


def _keep(dataset: str, name: str, value: str, default: str) -> str:
    """Write a value into what the link will say, where it is not the default."""
    kept = session.settings_of(dataset)
    kept.pop(name, None)
    if value != default:
        kept[name] = value
    return value


def _number_in(text: str, low: float, high: float, default: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return default
    return value if low <= value <= high else default
