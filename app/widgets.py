"""What widgets have in common: their keys, what they begin with, their place."""

from collections.abc import Sequence
from typing import Any, TypeVar

import streamlit as st

from engine.requests import ResolvedRequest

T = TypeVar("T")


def key_of(given: ResolvedRequest, name: str) -> str:
    """The key of a widget of a request's data set."""
    return key_in(given.dataset, name)


def key_in(dataset: str, name: str) -> str:
    """The key of a data set's widget; after a turn back in the browser's history, widgets are others."""
    return f"{dataset}/{generation()}/{name}"


GENERATION = "generation"


def generation() -> int:
    """How often widgets began anew."""
    found: int = st.session_state.get(GENERATION, 0)
    return found


def begin_anew() -> None:
    """Forget what all widgets hold: those drawn from now on begin with what they are given."""
    st.session_state[GENERATION] = generation() + 1


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


def keep_in_link(**values: str) -> None:
    """Write into the link what a page shows; what is empty is what it shows at first, and left out.

    Not `bind="query-params"`: what a widget is bound to, a page cannot leave behind when it turns to another.
    """
    query = {name: value for name, value in values.items() if value}
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def tabs_in_link(name: str, titles: Sequence[str]) -> Sequence[Any]:
    """Tabs, the open one in the link under `name`; the page then shows nothing else in its link."""
    key = f"tabs/{name}"
    if key not in st.session_state:  # tabs with another beginning would be others
        asked = st.query_params.get(name)
        st.session_state[f"{key}/first"] = asked if asked in titles else titles[0]
    tabs = st.tabs(list(titles), default=st.session_state[f"{key}/first"], key=key, on_change="rerun")
    shown = next((title for title, tab in zip(titles, tabs, strict=True) if tab.open), titles[0])
    keep_in_link(**{name: "" if shown == titles[0] else shown})
    return tabs
