"""Probabilities against what happened: the reliability diagram with its histogram, and the ROC curve."""

import numpy as np
import plotly.graph_objects as go

from app.plots.curves import BLUE, GREY, ORANGE, styled
from engine.reliability import Diagram, Roc

TENTHS = [0, 20, 40, 60, 80, 100]


def reliability_chart(shown: Diagram, bars: tuple[np.ndarray, np.ndarray], base_rate: float) -> go.Figure:
    """How often it happened at every probability, all in percent, over how many forecasts that is.

    bars: between which frequencies 90 % of reliable forecasts would lie, (bin,) each, NaN where there are none; they
    stand on the diagonal. base_rate: how often it happened at all.
    """
    figure = go.Figure()
    _guide(figure, [0, 100], [0, 100], "reliable", "solid")
    if np.isfinite(base_rate):
        _guide(figure, [0, 100], [50 * base_rate, 50 + 50 * base_rate], "no skill", "dash")
        _guide(figure, [0, 100], [100 * base_rate, 100 * base_rate], "base rate", "dot")
    p, (low, high) = 100 * shown.probability, bars
    if np.isfinite(low).any():
        middle = 50 * (low + high)
        figure.add_scatter(
            x=p,
            y=middle,
            name="consistency",
            mode="markers",
            marker={"color": GREY, "size": 5, "symbol": "square"},
            error_y={"array": 50 * (high - low), "color": GREY, "thickness": 5, "width": 0},
            opacity=0.45,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=p,
        y=100 * shown.frequency,
        name="forecasts",
        mode="lines+markers",
        line={"color": BLUE, "width": 2},
        marker={"size": 7},
        customdata=shown.count,
        hovertemplate="forecast %{x:.3~g} %: happened in %{y:.3~g} % of %{customdata:,} cases<extra></extra>",
    )
    figure.add_bar(
        x=p,
        y=shown.count,
        name="count",
        yaxis="y2",
        width=0.8 * _narrowest(p),
        marker={"color": BLUE, "line": {"width": 0}},
        opacity=0.6,
        showlegend=False,
        hovertemplate="forecast %{x:.3~g} %: %{y:,} cases<extra></extra>",
    )
    figure = styled(figure, time_units="", y_title="observed frequency (%)")
    figure.update_layout(
        height=440,
        hovermode="closest",
        yaxis={"domain": [0.25, 1], "range": [-3, 103], "tickvals": TENTHS},
        yaxis2={
            "domain": [0, 0.2],
            "title": "cases",
            "type": "log",
            "range": [0, float(np.log10(shown.count.max())) + 0.2],
            "dtick": max(1, round(float(np.log10(shown.count.max())) / 3)),
            "fixedrange": True,
            "gridcolor": "rgba(139,148,155,.25)",
        },
    )
    return figure.update_xaxes(title="forecast probability (%)", anchor="y2", range=[-3, 103], tickvals=TENTHS)


def roc_chart(found: Roc) -> go.Figure:
    """Hit rate over false alarm rate in percent, and the diagonal of forecasts without skill."""
    figure = go.Figure()
    _guide(figure, [0, 100], [0, 100], "no skill", "dash")
    figure.add_scatter(
        x=100 * found.false_alarms,
        y=100 * found.hits,
        name="forecasts",
        mode="lines+markers",
        line={"color": ORANGE, "width": 2},
        marker={"size": 6},
        customdata=[_warning(probability) for probability in found.probability],
        hovertemplate="%{customdata}: hits %{y:.3~g} %, false alarms %{x:.3~g} %<extra></extra>",
    )
    figure = styled(figure, time_units="", y_title="hit rate (%)").update_layout(height=440, hovermode="closest")
    figure.update_yaxes(range=[-3, 103], tickvals=TENTHS)
    return figure.update_xaxes(title="false alarm rate (%)", range=[-3, 103], tickvals=TENTHS)


def _warning(probability: float) -> str:
    return f"warned from {100 * probability:.3g} % on" if np.isfinite(probability) else "never warned"


def _guide(figure: go.Figure, x: list[float], y: list[float], name: str, dash: str) -> None:
    figure.add_scatter(
        x=x,
        y=y,
        name=name,
        mode="lines",
        line={"color": GREY, "width": 1.2, "dash": dash},
        hoverinfo="skip",
        meta={"file": False},
    )


def _narrowest(places: np.ndarray) -> float:
    return min(10.0, float(np.diff(places).min())) if len(places) > 1 else 5.0
