"""What widgets have in common: their keys, what they begin with, their place."""

from typing import Any

import streamlit as st

from engine.requests import ResolvedRequest


def key_of(given: ResolvedRequest, name: str) -> str:
    """The key of a data set's widget."""
    return f"{given.dataset}/{name}"


def begin(key: str, value: object) -> None:
    """Set a widget that is drawn for the first time; whatever else sets it later may do so by its key."""
    st.session_state.setdefault(key, value)


def in_one_line() -> Any:
    """A container whose widgets stand side by side."""
    return st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall")
