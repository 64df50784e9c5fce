"""One field on a map, as a quick look before it is used."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.colors import cmocean

LAND, SHORE = "#a3a9ae", "#3a4046"  # seen on light and on dark
MOST_POINTS = 400  # cells along an axis; a preview of more would only take longer to send
WIDE, LOWEST, TALLEST = 700, 240, 460  # pixels: the room that a map has on a usual screen, and its height


@dataclass(frozen=True, eq=False)
class Preview:
    """A field (y, x) in `units` at the centres of the cells; hidden, bool (y, x): land or obstacles.

    coastlines: (point, 2) of x and y each. stretch: how much longer a unit along y is than one along x. x_ticks and
    y_ticks: values with their names.
    """

    field: np.ndarray
    x: np.ndarray
    y: np.ndarray
    hidden: np.ndarray
    units: str
    diverging: bool
    coastlines: Sequence[np.ndarray] = ()
    stretch: float = 1.0
    x_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()


def preview_map(preview: Preview) -> go.Figure:
    """The field in colour, land or obstacles in grey, cells without a value left open."""
    rows, columns = (slice(None, None, -(-size // MOST_POINTS)) for size in preview.field.shape)
    x, y = preview.x[columns], preview.y[rows]
    hidden = preview.hidden[rows, columns]
    field = np.where(hidden, np.nan, preview.field[rows, columns])
    figure = go.Figure()
    figure.add_heatmap(
        x=x,
        y=y,
        z=np.where(hidden, 1.0, np.nan),
        colorscale=[[0, LAND], [1, LAND]],
        showscale=False,
        hoverinfo="skip",
    )
    low, high = _limits(field, preview.diverging)
    figure.add_heatmap(
        x=x,
        y=y,
        z=field.astype(np.float32),
        zmin=low,
        zmax=high,
        colorscale=cmocean.balance if preview.diverging else cmocean.thermal,
        colorbar={"title": {"text": preview.units, "side": "right"}, "thickness": 12, "outlinewidth": 0},
        hovertemplate=f"%{{z:.4~g}} {preview.units}<extra></extra>",
    )
    for line in preview.coastlines:
        figure.add_scatter(
            x=line[:, 0],
            y=line[:, 1],
            mode="lines",
            line={"color": SHORE, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
    return _arranged(figure, preview)


def _arranged(figure: go.Figure, preview: Preview) -> go.Figure:
    (west, east), (south, north) = _ends(preview.x), _ends(preview.y)
    figure.update_layout(
        height=float(np.clip(WIDE * preview.stretch * abs((north - south) / (east - west)) + 40, LOWEST, TALLEST)),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode=False,
    )
    for axes, first, last, ticks in (
        (figure.update_xaxes, west, east, preview.x_ticks),
        (figure.update_yaxes, south, north, preview.y_ticks),
    ):
        axes(range=[first, last], fixedrange=True, showgrid=False, zeroline=False, constrain="domain", showline=False)
        if ticks:
            axes(tickvals=[value for value, _ in ticks], ticktext=[name for _, name in ticks])
    return figure.update_yaxes(scaleanchor="x", scaleratio=preview.stretch)


def _ends(centres: np.ndarray) -> tuple[float, float]:
    return (
        float(centres[0] - (centres[1] - centres[0]) / 2),
        float(centres[-1] + (centres[-1] - centres[-2]) / 2),
    )


def _limits(field: np.ndarray, diverging: bool) -> tuple[float, float]:
    """The 2nd to 98th percentile; symmetric about 0 where the field has a sign."""
    known = field[np.isfinite(field)]
    if not known.size:
        return 0.0, 1.0
    if diverging:
        size = float(np.percentile(np.abs(known), 98)) or 1.0
        return -size, size
    low, high = (float(each) for each in np.percentile(known, (2, 98)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)
