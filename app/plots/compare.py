"""Two forecasts on one chart: their scores by lead, the difference of these, both at one place, and their cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.plots.curves import BLUE, GREY, ORANGE, styled
from app.plots.fan import Bands
from app.plots.skill import PURPLE

A_COLOUR, B_COLOUR, TRUTH = BLUE, PURPLE, ORANGE
SHADES = {BLUE: "rgba(47, 143, 196, {})", PURPLE: "rgba(138, 99, 184, {})"}


def pair_chart(
    lead: np.ndarray, a: np.ndarray, b: np.ndarray, *, time_units: str, y_title: str, aim: float | None = None
) -> go.Figure:
    """A score of both by lead, (lead,) each; `aim` is a dotted line where it should be."""
    figure = go.Figure()
    for name, values, colour, dash in (("A", a, A_COLOUR, "solid"), ("B", b, B_COLOUR, "dash")):
        figure.add_scatter(
            x=lead,
            y=values,
            name=name,
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate="%{y:.4~g}",
        )
    if aim is not None:
        figure.add_hline(y=aim, line={"color": GREY, "dash": "dot", "width": 1.5})
    return styled(figure, time_units=time_units, y_title=y_title)


def difference_chart(
    lead: np.ndarray,
    value: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    time_units: str,
    y_title: str,
    above: str = "",
    below: str = "",
) -> go.Figure:
    """A − B by lead with the ends of its interval, (lead,) each; above and below: what either side of 0 means."""
    figure = go.Figure()
    known = np.isfinite(low) & np.isfinite(high)
    figure.add_scatter(
        x=np.concatenate([lead[known], lead[known][::-1]]),
        y=np.concatenate([high[known], low[known][::-1]]),
        name="95 %",
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor="rgba(139, 148, 155, 0.35)",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=lead,
        y=value,
        name="A − B",
        mode="lines",
        line={"color": GREY, "width": 2},
        hovertemplate="%{y:.3~g}",
    )
    figure.add_hline(y=0, line={"color": GREY, "dash": "dot", "width": 1.5})
    for text, y, anchor in ((above, 1, "top"), (below, 0, "bottom")):
        if text:
            where = {"x": 1, "xref": "paper", "xanchor": "right", "y": y, "yref": "paper", "yanchor": anchor}
            figure.add_annotation(**where, text=text, showarrow=False, font={"size": 11, "color": GREY})
    figure = styled(figure, time_units=time_units, y_title=y_title)
    size = np.nanmax(np.abs(np.concatenate([value, low, high, [0.0]])))
    return figure.update_yaxes(rangemode="normal", range=[-1.25 * size, 1.25 * size] if size > 0 else [-1, 1])


def two_fans(
    lead: np.ndarray,
    a: Bands,
    b: Bands,
    truth: np.ndarray,
    *,
    time_units: str,
    units: str,
    pinned: tuple[str, np.ndarray | None, np.ndarray | None] = ("", None, None),
) -> go.Figure:
    """Range 10–90 % and median of both at one place, and the truth, (lead,) each.

    pinned: the name of a member, and its values in A and in B where they have it.
    """
    figure = go.Figure()
    for name, bands, colour, dash in (("A", a, A_COLOUR, "solid"), ("B", b, B_COLOUR, "dash")):
        low, _, median, _, high = bands.percentiles
        figure.add_scatter(
            x=np.concatenate([lead, lead[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            name=f"{name} 10–90 %",
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=SHADES[colour].format(0.22),
            hoverinfo="skip",
            showlegend=False,  # its colour is that of the median
        )
        figure.add_scatter(**_line(lead, median, f"{name} median", colour, dash, units))
    title, *of_both = pinned
    for name, values, colour in zip("AB", of_both, (A_COLOUR, B_COLOUR), strict=True):
        if values is not None:
            figure.add_scatter(**_line(lead, values, f"{name} {title}", colour, "dot", units))
    figure.add_scatter(**_line(lead, truth, "truth", TRUTH, "solid", units))
    return styled(figure, time_units=time_units, y_title=units or "dimensionless").update_yaxes(rangemode="normal")


def _line(x: np.ndarray, y: np.ndarray, name: str, colour: str, dash: str, units: str) -> dict[str, object]:
    return {
        "x": x,
        "y": y,
        "name": name,
        "mode": "lines",
        "line": {"color": colour, "width": 2, "dash": dash},
        "hovertemplate": f"%{{y:.4~g}} {units}",
    }


@dataclass(frozen=True)
class Mark:
    """A forecast on a chart of skill against cost: its name, network calls, and CRPS where it is measured."""

    name: str
    calls: float
    crps: float | None
    words: str


def with_marks(figure: go.Figure, marks: Sequence[Mark]) -> go.Figure:
    """The chart of a front with A and B: a ring where one is measured, else a line at its cost.

    The axis of the calls, which is logarithmic, grows where a mark lies beyond it.
    """
    for mark, colour in zip(marks, (A_COLOUR, B_COLOUR), strict=True):
        if mark.crps is None:
            figure.add_shape(
                type="line",
                x0=mark.calls,
                x1=mark.calls,
                xref="x",
                y0=0,
                y1=1,
                yref="paper",
                line={"color": colour, "dash": "dash", "width": 1.5},
            )
            where = {"x": np.log10(mark.calls), "xref": "x", "y": 1, "yref": "paper", "yanchor": "top"}
            side = "right" if mark.name == "A" else "left"
            text = f"{mark.name}, not measured"
            figure.add_annotation(
                **where,
                xanchor=side,
                xshift=-6 if side == "right" else 6,
                text=text,
                showarrow=False,
                font={"color": colour, "size": 11},
            )
            continue
        figure.add_scatter(
            x=[mark.calls],
            y=[mark.crps],
            name=mark.name,
            mode="markers+text",
            text=[f"<b>{mark.name}</b>"],
            textposition="top left" if mark.name == "A" else "top right",
            textfont={"color": colour, "size": 14},
            marker={"symbol": "circle-open", "size": 17, "color": colour, "line": {"width": 2.5}},
            customdata=[mark.words],
            hovertemplate="%{customdata}<br>%{y:.3~g}",
        )
    ends = [float(end) for end in figure.layout.xaxis.range or (np.inf, -np.inf)]
    calls = [float(np.log10(mark.calls)) for mark in marks]
    return figure.update_xaxes(range=[min(ends[0], min(calls) - 0.1), max(ends[1], max(calls) + 0.1)])
