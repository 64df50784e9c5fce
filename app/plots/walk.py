"""Charts of the sampler: lines along its steps, and the rows of panels of both forward processes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.plots.curves import GREY, Curve, score_chart, with_cursor

SOLID = "#8b949b"
ROW_HEIGHT = 150  # px of a strip's row on a wide page; narrow ones shrink with the width


def along_chart(
    curves: tuple[Curve, ...], frames: np.ndarray, *, x_title: str, units: str, time_units: str = "", missing: str = ""
) -> go.Figure:
    """Lines with a dot at every frame, sharing the maps' time; `missing` says why there are none.

    frames: where every frame of the maps stands on the horizontal axis.
    """
    figure = score_chart(curves, time_units=time_units, units=units)
    figure.update_traces(mode="lines+markers", marker={"size": 5})
    figure.update_xaxes(title=x_title, dtick=None)
    if not any(np.isfinite(curve.values).any() for curve in curves):
        where = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
        figure.add_annotation(**where, text=missing, showarrow=False, font={"color": GREY})
    return with_cursor(figure, [float(frame) for frame in frames])


@dataclass(frozen=True, eq=False)
class StripRow:
    """A row of panels: its title and its panels' fields, (panel, y, x); particles stand at `at`, (panel, 2, y, x)."""

    title: str
    fields: np.ndarray
    at: np.ndarray | None = None


def strip_chart(
    rows: Sequence[StripRow],
    titles: Sequence[str],
    *,
    x: np.ndarray,
    y: np.ndarray,
    solid: np.ndarray,
    limits: tuple[float, float],
    scale: str,
    units: str,
) -> go.Figure:
    """Rows of small maps with one colour bar; scale: the colours, "thermal", "balance" or "amp" of cmocean.

    x, y: the grid's axes; solid: bool (y, x), left out.
    """
    figure = make_subplots(
        len(rows),
        len(titles),
        column_titles=list(titles),
        horizontal_spacing=0.01,
        vertical_spacing=0.16 if len(rows) > 1 else 0,
        shared_xaxes=True,
        shared_yaxes=True,
    )
    for row, each in enumerate(rows, start=1):
        for column in range(len(titles)):
            mark = _map(each, column, x, y, solid) if each.at is None else _particles(each, column, solid, units)
            figure.add_trace(mark, row=row, col=column + 1)
        top = figure.get_subplot(row, 1).yaxis.domain[1]
        figure.add_annotation(
            x=0, y=top, xref="paper", yref="paper", text=each.title, showarrow=False, xanchor="left", yanchor="bottom"
        )
    figure.update_layout(
        coloraxis={
            "colorscale": scale,
            "cmin": limits[0],
            "cmax": limits[1],
            "colorbar": {"title": {"text": units, "side": "right"}, "thickness": 10, "outlinewidth": 0},
        },
        height=60 + ROW_HEIGHT * len(rows),
        margin={"l": 8, "r": 8, "t": 44, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode=False,
        showlegend=False,
    )
    figure.update_xaxes(visible=False, fixedrange=True)
    figure.update_yaxes(visible=False, fixedrange=True)
    for annotation in figure.layout.annotations[: len(titles)]:
        annotation.update(y=1.0, yshift=18, font={"size": 11})
    return figure


def _map(row: StripRow, column: int, x: np.ndarray, y: np.ndarray, solid: np.ndarray) -> go.Heatmap:
    shown = np.where(solid, np.nan, row.fields[column]).astype(np.float32)
    return go.Heatmap(
        x=x, y=y, z=shown, coloraxis="coloraxis", hovertemplate="%{z:.3~g}<extra></extra>", hoverongaps=False
    )


def _particles(row: StripRow, column: int, solid: np.ndarray, units: str) -> go.Scatter:
    assert row.at is not None
    across, up = row.at[column]
    colours = {"color": row.fields[column][~solid], "coloraxis": "coloraxis", "size": 5}
    where = {"x": across[~solid], "y": up[~solid]}
    return go.Scatter(**where, mode="markers", marker=colours, hovertemplate=f"%{{marker.color:.3~g}} {units}")
