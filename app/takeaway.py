"""A map to take away: which panel, lead time and projection, as a PNG or a PDF."""

from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from app import wording
from app.player import Panel, View, limits_of
from engine.datasets import Dataset

PROJECTIONS = {
    "plate-carree": "Plate carrée",
    "mercator": "Mercator",
    "robinson": "Robinson",
    "lambert": "Lambert, equal area",
}
FORMATS = {"png": "PNG", "pdf": "PDF"}
MIMES = {"png": "image/png", "pdf": "application/pdf"}


def static_map_controls(dataset: Dataset, view: View) -> None:
    """What to draw of the forecast that the player shows, and the button that draws and saves it."""
    with st.popover("Save a map", icon=":material/download:"):
        frame = lead_control(view)
        panel = panel_control(view, frame)
        projection = projection_control() if view.coastlines is not None else None
        kind = st.segmented_control(
            "Format", list(FORMATS), default="png", format_func=FORMATS.__getitem__, required=True
        )
        st.download_button(
            "Save the map",
            data=partial(draw, dataset, view, panel, frame, projection, kind),
            file_name=f"{file_name(dataset, view, panel, frame)}.{kind}",
            mime=MIMES[kind],
            on_click="ignore",
            type="primary",
            width="stretch",
        )


def lead_control(view: View) -> int:
    """Pick a frame by its lead time; the last at first."""
    last = len(view.leads) - 1
    return st.select_slider("Lead time", range(last + 1), last, format_func=lambda frame: words(view, frame)[0])


def panel_control(view: View, frame: int) -> str:
    """Pick one of the player's maps, of those that show something at a frame."""
    titles = {panel.name: panel.title for panel in view.panels if has_values(view, panel, frame)}
    return st.selectbox("Panel", list(titles), format_func=titles.__getitem__)


def has_values(view: View, panel: Panel, frame: int) -> bool:
    """Whether a map has values at a frame: no error is known where no truth is."""
    return bool(np.isfinite(view.values_of(panel)[frame][~view.solid]).any())


def projection_control() -> str:
    """Pick a map projection."""
    return st.selectbox("Projection", list(PROJECTIONS), format_func=PROJECTIONS.__getitem__)


def words(view: View, frame: int) -> tuple[str, str]:
    """Lead time and valid time of a frame."""
    if view.labels is not None:
        return view.labels[frame]
    return f"{view.leads[frame]:.2f} {view.time_units}".strip(), f"{view.valid[frame]:.2f} {view.time_units}".strip()


def draw(dataset: Dataset, view: View, panel: str, frame: int, projection: str | None, kind: str) -> bytes:
    """The map as a file; drawn when it is asked for. Colours have the limits of the page."""
    from app.plots.static_map import plain_map, save, static_map  # cartopy and matplotlib take a second to load

    shown = next(each for each in view.panels if each.name == panel)
    lead, valid = words(view, frame)
    common: dict[str, Any] = {
        "title": f"{view.title}\n{shown.title}{f' ({shown.note})' if shown.note else ''}, lead {lead}, valid {valid}",
        "units": shown.units,
        "scale": shown.table,
        "limits": limits_of(view)[shown.group],
    }
    field = view.values_of(shown)[frame]
    if projection is not None:
        return save(static_map(field, view.x, view.y, land=view.solid, projection=projection, **common), kind)
    return save(plain_map(field, view.x, view.y, axis_units=view.length_units, masked=view.solid, **common), kind)


def file_name(dataset: Dataset, view: View, panel: str, frame: int) -> str:
    """Data set, variable, panel, where the forecast starts and its lead time; no characters that a disk refuses."""
    if dataset.calendar is None:
        start, lead = f"{view.valid[0]:g}", f"{view.leads[frame]:g}"
    else:
        start = dataset.calendar.label(float(view.valid[0]))
        lead = wording.duration(dataset, float(view.leads[frame])).replace(" ", "-")
    return f"{dataset.name}_{view.variable}_{panel}_from-{start}_lead-{lead}"
