"""What widgets have in common: their keys, what they begin with, their place."""

from collections.abc import Sequence
from typing import Any, TypeVar

import streamlit as st

from engine.requests import ResolvedRequest

T = TypeVar("T")


def key_of(given: ResolvedRequest, name: str) -> str:
    """The key of a data set's widget."""
    return f"{given.dataset}/{name}"


def held(key: str, value: T) -> T:
    """What a widget holds, or is to begin with; pass it as the widget's default.

    A value that the session state alone is told is lost where that run of the script is cut short before the widget
    reaches the browser: the next run takes it for the browser's own.
    """
    return st.session_state.get(key, value)


def held_index(options: Sequence[T], key: str, value: T) -> int:
    """The place of what a picker holds, or is to begin with, among its options; the first for what is not there."""
    holds = held(key, value)
    return options.index(holds) if holds in options else 0


def in_one_line() -> Any:
    """A container whose widgets stand side by side."""
    return st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall")
