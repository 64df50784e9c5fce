"""Scores by lead time: CRPS, RMSE and spread on one chart, spread over RMSE on another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

BLUE, ORANGE, GREEN, GREY, RED = (
    "#2f8fc4",
    "#e07b39",
    "#3a9e6e",
    "#8b949b",
    "#b5403a",
)  # told apart in print and by the colour-blind


PINNED = GREEN  # the one member that is marked on all pages

ROOM = 3  # times the largest score of the forecast; a baseline far above does not flatten its curves


@dataclass(frozen=True, eq=False)
class Curve:
    """One line: a value at every lead, both (lead,)."""

    name: str
    lead: np.ndarray
    values: np.ndarray
    colour: str
    dash: str = "solid"
    is_baseline: bool = False


def score_chart(curves: tuple[Curve, ...], *, time_units: str, units: str) -> go.Figure:
    """Lines over lead time in `time_units`, values in `units`."""
    figure = go.Figure()
    for curve in curves:
        figure.add_scatter(
            x=curve.lead,
            y=curve.values,
            name=curve.name,
            mode="lines",
            line={"color": curve.colour, "dash": curve.dash, "width": 1.5 if curve.is_baseline else 2},
            hovertemplate=f"%{{y:.4~g}} {units}",
        )
    figure = styled(figure, time_units=time_units, y_title=units or "dimensionless")
    own, all_ = (_largest([c for c in curves if not (skip and c.is_baseline)]) for skip in (True, False))
    return figure.update_yaxes(range=[0, 1.05 * min(all_, ROOM * own)]) if own > 0 else figure


def _largest(curves: list[Curve]) -> float:
    values = np.concatenate([curve.values for curve in curves] or [np.zeros(1)])
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else 0.0


def ratio_chart(lead: np.ndarray, ratio: np.ndarray, *, time_units: str, missing: str = "") -> go.Figure:
    """Spread over RMSE, (lead,), with the line of a reliable ensemble at 1; `missing` says why there is none."""
    figure = go.Figure()
    figure.add_scatter(
        x=lead,
        y=ratio,
        name="spread ÷ RMSE",
        mode="lines",
        line={"color": GREEN, "width": 2},
        hovertemplate="%{y:.3f}",
        showlegend=False,
    )
    figure.add_hline(y=1, line={"color": GREY, "dash": "dot", "width": 1.5})
    known = ratio[np.isfinite(ratio)]
    top = max(1.5, 1.1 * float(known.max())) if known.size else 1.5
    figure = styled(figure, time_units=time_units, y_title="spread ÷ RMSE")
    if not known.size:
        where = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
        figure.add_annotation(**where, text=missing, showarrow=False, font={"color": GREY})
    return figure.update_yaxes(range=[0, top])


def styled(figure: go.Figure, *, time_units: str, y_title: str) -> go.Figure:
    """The quiet look that all line charts share, on either theme."""
    figure.update_layout(
        height=280,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        hovermode="x unified",
        legend={
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            "itemwidth": 30,
            "font": {"size": 11},
        },
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode=False,
    )
    figure.update_xaxes(title=f"lead time ({time_units})", rangemode="tozero", fixedrange=True, showgrid=False)
    if time_units == "months":
        figure.update_xaxes(dtick=3)
    figure.update_yaxes(title=y_title, rangemode="tozero", fixedrange=True, gridcolor="rgba(139,148,155,.25)")
    return figure


def with_cursor(figure: go.Figure, frames: Sequence[float | str]) -> go.Figure:
    """The figure, sharing the time of the maps: where on its x axis every frame stands (see app/player/charts.js)."""
    return figure.update_layout(meta={"cursor": list(frames)})
