"""Charts of a verification: scores by lead with their intervals, the rank histogram, spectra."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.plots.curves import BLUE, GREEN, GREY, ORANGE, Curve, score_chart, styled

SHADE = 0.18
FEW_RANKS = 12  # up to which each has a number on the axis
FLOOR = 1e-12  # times the largest: below lies the rounding of the fields


@dataclass(frozen=True, eq=False)
class Scored:
    """A score at every lead with the ends of its interval, (lead,) each; NaN where there is none."""

    name: str
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str
    dash: str = "solid"


def interval_chart(
    lead: np.ndarray,
    scores: tuple[Scored, ...],
    baselines: tuple[Curve, ...] = (),
    *,
    time_units: str,
    units: str,
    reference: float | None = None,
    missing: str = "",
) -> go.Figure:
    """Scores over lead time with 95 % bands, and baselines; a dotted line at the value of a perfect forecast.

    missing: why there is nothing, where there is nothing.
    """
    lines = tuple(Curve(each.name, lead, each.values, each.colour, each.dash) for each in scores)
    figure = score_chart((*lines, *baselines), time_units=time_units, units=units)
    for each in scores:
        add_interval(figure, lead, each)
    known = np.concatenate([np.concatenate([each.values, each.low, each.high]) for each in scores])
    known = known[np.isfinite(known)]
    if not known.size:
        return say_missing(figure, missing)
    if reference is not None:
        figure.add_hline(y=reference, line={"color": GREY, "dash": "dot", "width": 1.5})
    bottom, top = min(0.0, float(known.min())), max(float(known.max()), reference or 0.0)
    top = max(top, min(_largest(baselines), 3 * top))
    room = 0.05 * (top - bottom)
    return figure.update_yaxes(range=[bottom - room if bottom < 0 else 0.0, top + room])


def add_interval(figure: go.Figure, lead: np.ndarray, scored: Scored) -> None:
    """The band of a score, where it has one."""
    known = np.isfinite(scored.low) & np.isfinite(scored.high)
    if not known.any():
        return
    x, low, high = lead[known], scored.low[known], scored.high[known]
    red, green, blue = (int(scored.colour[at : at + 2], 16) for at in (1, 3, 5))
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        name=f"{scored.name}, 95 % interval",
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=f"rgba({red}, {green}, {blue}, {SHADE})",
        hoverinfo="skip",
        showlegend=False,
    )


def say_missing(figure: go.Figure, words: str) -> go.Figure:
    """A chart that has nothing to show says why."""
    where = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
    return figure.add_annotation(**where, text=words, showarrow=False, font={"color": GREY})


def share_chart(lead: np.ndarray, share: np.ndarray, expected: float, *, time_units: str) -> go.Figure:
    """The share of surprising cells at every lead, (lead,), beside the share that a reliable ensemble has."""
    figure = go.Figure()
    figure.add_scatter(
        x=lead,
        y=100 * share,
        name="surprising cells",
        mode="lines",
        line={"color": ORANGE, "width": 2},
        hovertemplate="%{y:.1f} %",
    )
    figure.add_scatter(
        x=lead,
        y=np.full(len(lead), 100 * expected),
        name="reliable ensemble",
        mode="lines",
        line={"color": GREY, "width": 1.5, "dash": "dot"},
        hovertemplate="%{y:.1f} %",
    )
    return styled(figure, time_units=time_units, y_title="cells (%)")


def rank_chart(frequency: np.ndarray, low: float, high: float) -> go.Figure:
    """How often the truth has each rank among the members, (M + 1,), on the band of a reliable ensemble.

    Ranks outside of the band are orange. The band may be NaN.
    """
    ranks = np.arange(1, len(frequency) + 1)
    figure = go.Figure()
    outside = (frequency < low) | (frequency > high)
    for name, chosen, colour in (("inside", ~outside, BLUE), ("outside", outside, ORANGE)):
        if chosen.any():
            figure.add_bar(
                x=ranks[chosen],
                y=100 * frequency[chosen],
                width=0.8,
                name=name if np.isfinite(low) else "cells",
                marker={"color": colour, "line": {"width": 0}},
                hovertemplate="rank %{x}: %{y:.2f} %<extra></extra>",
            )
    ends = np.array([0.5, len(frequency) + 0.5])
    if np.isfinite(low):
        figure.add_scatter(
            x=np.concatenate([ends, ends[::-1]]),
            y=100 * np.array([high, high, low, low]),
            name="reliable",
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor="rgba(58, 158, 110, .3)",
            hoverinfo="skip",
        )
    figure.add_hline(y=100 / len(frequency), line={"color": GREEN, "dash": "dot", "width": 1.5})
    figure = styled(figure, time_units="", y_title="cells (%)")
    figure.update_layout(hovermode="closest", bargap=0)
    dtick = 1 if len(frequency) <= FEW_RANKS else None
    top = max(float(frequency.max()), high if np.isfinite(high) else 0.0)
    figure.update_yaxes(range=[0, 108 * top])
    return figure.update_xaxes(
        title="rank of the truth among the members", range=list(ends), rangemode="normal", dtick=dtick
    )


def spectrum_chart(
    wavenumber: np.ndarray, spectra: dict[str, np.ndarray], *, axis: str, units: str, missing: str = ""
) -> go.Figure:
    """Variance by wavenumber on logarithmic axes: curves (wavenumber,) by name, of truth, members and their mean."""
    looks = {"truth": (ORANGE, "solid"), "members": (BLUE, "solid"), "their mean": (BLUE, "dash")}
    figure = go.Figure()
    largest = max((float(np.nanmax(values)) for values in spectra.values() if np.isfinite(values).any()), default=0.0)
    for name, values in spectra.items():
        known = np.isfinite(values) & (values > FLOOR * largest)
        if not known.any():
            continue
        colour, dash = looks[name]
        figure.add_scatter(
            x=wavenumber[known],
            y=values[known],
            name=name,
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate="%{y:.3~g}",
        )
    figure = styled(figure, time_units="", y_title=f"variance ({units})" if units else "variance")
    if not figure.data:
        return say_missing(figure, missing)
    figure.update_yaxes(type="log", rangemode="normal", dtick=1, exponentformat="power")
    return figure.update_xaxes(
        type="log", title=axis, rangemode="normal", hoverformat=".3~g", dtick="D2", tickformat="~g"
    )


def _largest(curves: tuple[Curve, ...]) -> float:
    known = [float(np.nanmax(curve.values)) for curve in curves if np.isfinite(curve.values).any()]
    return max(known, default=0.0)
