"""One map at one time as PNG or PDF."""

from typing import Any

import numpy as np

from app import wording
from app.exports.maps import lead_words, lines_at, panel_named, places_of, shown_values
from app.exports.names import file_name
from app.player import View, limits_of
from engine.datasets import Dataset

PROJECTIONS = {
    "plate-carree": "Plate carrée",
    "mercator": "Mercator",
    "robinson": "Robinson",
    "lambert": "Lambert, equal area",
}
FORMATS = {"png": "PNG", "pdf": "PDF"}
MIMES = {"png": "image/png", "pdf": "application/pdf"}


def draw(view: View, panel: str, frame: int, projection: str | None, kind: str) -> bytes:
    """The map as a file; drawn when it is asked for. Colours have the limits of the page."""
    from app.plots.particles import particle_map  # cartopy and matplotlib take a second to load
    from app.plots.static_map import plain_map, save, static_map

    shown = panel_named(view, panel)
    lead, valid = lead_words(view, frame)
    common: dict[str, Any] = {
        "title": f"{view.title}\n{shown.title}{f' ({shown.note})' if shown.note else ''}, lead {lead}, valid {valid}",
        "units": shown.units,
        "scale": shown.table,
        "limits": limits_of(view)[shown.group],
    }
    values, places = shown_values(view, shown)[frame], places_of(view, shown)
    if places is not None and view.springs is not None:
        common |= {"springs": view.springs, "held": view.solid, "axis_units": view.length_units, "grows": shown.grows}
        return save(particle_map(values, places[frame], view.x, view.y, **common), kind)
    if shown.strands:
        values, common["lines"] = np.full_like(values, np.nan), lines_at(view, shown, frame)
    if projection is not None:
        return save(static_map(values, view.x, view.y, land=view.solid, projection=projection, **common), kind)
    solid = view.solid & (view.kind == "grid")
    return save(plain_map(values, view.x, view.y, axis_units=view.length_units, masked=solid, **common), kind)


def map_name(dataset: Dataset, view: View, panel: str, frame: int, kind: str) -> str:
    """What the file is called: data set, variable, panel, where the forecast starts and its lead time."""
    if dataset.calendar is None:
        start, lead = f"{view.valid[0]:g}", f"{view.leads[frame]:g}"
    else:
        start = dataset.calendar.label(float(view.valid[0]))
        lead = wording.duration(dataset, float(view.leads[frame])).replace(" ", "-")
    return file_name(dataset.name, view.variable, panel, f"from-{start}", f"lead-{lead}", ending=kind)
