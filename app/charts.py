"""Every chart of the page goes through one function, so that each can be taken away as a table."""

from functools import partial
from typing import Any, Literal

import plotly.graph_objects as go
import streamlit as st

from app.exports.names import file_name
from app.exports.table import figure_csv

QUIET = {"displayModeBar": False}


def show_chart(
    figure: go.Figure, *, key: str, name: str, title: str = "", help: str | None = None, **options: Any
) -> Any:
    """A chart under its title, and beside that a quiet button for the numbers behind it as CSV.

    name: what the file is called, such as "navier-stokes_speed_scores"; title: in Markdown; help: about it; options
    go to `st.plotly_chart`, whose answer is returned. The table is made when it is asked for.
    """
    apart: Literal["distribute", "right"] = "distribute" if title else "right"
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment=apart, gap="small"):
        if title:
            st.markdown(title, help=help, width="content")
        csv_button(figure, key=f"{key}-csv", name=name)
    return st.plotly_chart(figure, key=key, config=QUIET, **options)


def csv_button(figure: go.Figure, *, key: str, name: str) -> None:
    """A quiet button that saves the numbers behind a chart."""
    st.download_button(
        "CSV",
        data=partial(figure_csv, figure),
        file_name=file_name(name, ending="csv"),
        mime="text/csv",
        key=key,
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
        help="The numbers behind this chart as a table: a row per lead time, a column per curve or ensemble member.",
    )
