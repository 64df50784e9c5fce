"""Charts of the sampler: lines along its steps, and the rows of panels of both forward processes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.plots.curves import GREY, Curve, score_chart, with_cursor

SOLID = "#8b949b"
WIDE = 2.5  # width over height from which maps stand one below the other
PAGE = 960  # px that a strip has on a usual page; on a narrow one its maps are smaller


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
class Strip:
    """A process as panels: its title and their fields, (panel, y, x); particles stand at `at`, (panel, 2, y, x)."""

    title: str
    fields: np.ndarray
    at: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the fields of a strip are: the axes x and y, and the cells without a value of their own, bool (y, x)."""

    x: np.ndarray
    y: np.ndarray
    solid: np.ndarray

    @property
    def aspect(self) -> float:
        """Width over height."""
        return float(np.ptp(self.x) / np.ptp(self.y))


@dataclass(frozen=True)
class Colours:
    """Ends, "thermal", "balance" or "amp" of cmocean, and units."""

    limits: tuple[float, float]
    scale: str
    units: str


def strip_chart(strips: Sequence[Strip], titles: Sequence[str], grid: Grid, colours: Colours) -> go.Figure:
    """Processes as panels side by side, at the same moments, which `titles` name, with one colour bar.

    Square maps stand in a row for each process, wide ones in a column.
    """
    wide = grid.aspect > WIDE
    heads, sides = ([each.title for each in strips], titles) if wide else (titles, [each.title for each in strips])
    figure = make_subplots(
        len(sides),
        len(heads),
        column_titles=list(heads),
        row_titles=list(sides),
        horizontal_spacing=0.015,
        vertical_spacing=0.02,
    )
    for order, strip in enumerate(strips, start=1):
        for panel in range(len(titles)):
            row, column = (panel + 1, order) if wide else (order, panel + 1)
            marks = _map(strip, panel, grid) if strip.at is None else (_particles(strip, panel, grid, colours),)
            figure.add_traces(marks, rows=row, cols=column)
            name = figure.get_subplot(row, column).xaxis.plotly_name.replace("axis", "")
            figure.update_yaxes(scaleanchor=name, constrain="domain", row=row, col=column)
    low, high = colours.limits
    bar = {"title": {"text": colours.units, "side": "right"}, "thickness": 10, "outlinewidth": 0, "x": 1.08}
    figure.update_layout(
        coloraxis={"colorscale": colours.scale, "cmin": low, "cmax": high, "colorbar": bar},
        height=40 + round(PAGE / len(heads) / grid.aspect + 8) * len(sides),
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode=False,
        showlegend=False,
    )
    figure.update_xaxes(constrain="domain", range=_ends(grid.x), visible=False, fixedrange=True)
    figure.update_yaxes(range=_ends(grid.y), visible=False, fixedrange=True)
    figure.update_annotations(font={"size": 12})
    for annotation in figure.layout.annotations[len(heads) :]:
        annotation.update(textangle=0, xanchor="left")
    return figure


def _ends(axis: np.ndarray) -> list[float]:
    """Where a map begins and ends: half a cell beyond the outer centres."""
    half = (axis[1] - axis[0]) / 2
    return [float(axis[0] - half), float(axis[-1] + half)]


def _map(strip: Strip, panel: int, grid: Grid) -> tuple[go.Heatmap, go.Heatmap]:
    """A field, and the cells that have none in grey."""
    shown = np.where(grid.solid, np.nan, strip.fields[panel]).astype(np.float32)
    grey = np.where(grid.solid, 1, np.nan).astype(np.float32)
    common = {"x": grid.x, "y": grid.y, "hoverongaps": False}
    return (
        go.Heatmap(z=shown, coloraxis="coloraxis", hovertemplate="%{z:.3~g}<extra></extra>", **common),
        go.Heatmap(z=grey, colorscale=[[0, SOLID], [1, SOLID]], showscale=False, hoverinfo="skip", **common),
    )


def _particles(strip: Strip, panel: int, grid: Grid, colours: Colours) -> go.Scatter:
    assert strip.at is not None
    across, up = strip.at[panel]
    marker = {"color": strip.fields[panel][~grid.solid], "coloraxis": "coloraxis", "size": 6}
    hover = f"%{{marker.color:.3~g}} {colours.units}<extra></extra>"
    return go.Scatter(x=across[~grid.solid], y=up[~grid.solid], mode="markers", marker=marker, hovertemplate=hover)
