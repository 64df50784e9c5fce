"""The tab of a map: which panel, lead time and projection, as a PNG or a PDF."""

from functools import partial

import streamlit as st

from app import session
from app.exports.maps import has_values, lead_words
from app.exports.still import FORMATS, MIMES, PROJECTIONS, draw, map_name
from app.frame import Stage
from app.player import View


def still_tab(stage: Stage, view: View) -> None:
    """What to draw of the maps on the screen, and the button that draws and saves it."""
    frame = lead_control(view, session.frame_of(stage.summary))
    panel = panel_control(view, frame)
    if panel is None:
        st.caption("No map shows anything at this lead time: choose another.")
        return
    projection = projection_control() if view.coastlines is not None else None
    kind = st.segmented_control(
        "Format", list(FORMATS), default="png", format_func=FORMATS.__getitem__, required=True, help=FORMAT_HELP
    )
    st.download_button(
        "Save the map",
        data=partial(draw, view, panel, frame, projection, kind),
        file_name=map_name(stage.dataset, view, panel, frame, kind),
        mime=MIMES[kind],
        on_click="ignore",
        type="primary",
        width="stretch",
        icon=":material/download:",
    )


def lead_control(view: View, first: int) -> int:
    """Pick a frame by its lead time."""
    last = len(view.leads) - 1
    return st.select_slider(
        "Lead time",
        range(last + 1),
        min(first, last),
        format_func=lambda frame: lead_words(view, frame)[0],
        help="How far after the initial condition the map is.",
    )


def panel_control(view: View, frame: int) -> str | None:
    """Pick one of the maps on the screen, of those that show something at a frame; None where none does."""
    titles = {panel.name: panel.title for panel in view.panels if has_values(view, panel, frame)}
    if not titles:
        return None
    return st.selectbox("Panel", list(titles), format_func=titles.__getitem__, help="Which of the maps on the screen.")


def projection_control() -> str:
    """Pick a map projection."""
    return st.selectbox(
        "Projection",
        list(PROJECTIONS),
        format_func=PROJECTIONS.__getitem__,
        help="How the globe is laid flat. Plate carrée is that of the screen: degrees as straight lines.",
    )


FORMAT_HELP = "PNG is a picture of 200 dots per inch; PDF has letters and lines that stay sharp in print."
