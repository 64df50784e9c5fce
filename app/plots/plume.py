"""The plume of a climate index: where it has been, and where the members take it."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.plots.curves import BLUE, GREY, ORANGE, styled
from app.plots.fan import add_bands, add_members, add_pinned, quantile_bands

WARM, COLD = 0.5, -0.5
"""Anomalies of Niño 3.4 beyond which NOAA speaks of El Niño and La Niña conditions, in °C."""


@dataclass(frozen=True, eq=False)
class Plume:
    """A forecast of an index in °C: dates of the frames, the initial condition's first, and members (member, frame).

    observed: what is known, with its dates, before and after the initial condition.
    """

    dates: np.ndarray
    members: np.ndarray
    observed_dates: np.ndarray
    observed: np.ndarray


def plume_chart(plume: Plume, *, pinned: int | None = None) -> go.Figure:
    """Members on their 10–90 and 25–75 % bands, median, truth, climatology and the lines of El Niño and La Niña.

    pinned: the member, counted from 0, that is drawn bold.
    """
    figure = go.Figure()
    bands = quantile_bands(plume.members)
    add_bands(figure, plume.dates, bands)
    add_members(figure, plume.dates, plume.members)
    _line(figure, plume.dates, bands.percentiles[2], "median", BLUE)
    _line(figure, plume.observed_dates, plume.observed, "truth", ORANGE)
    if pinned is not None:
        add_pinned(figure, plume.dates, plume.members, pinned, units="°C")
    figure = styled(figure, time_units="", y_title="°C")
    for level, name, anchor in ((WARM, "El Niño", "bottom"), (0.0, "", "bottom"), (COLD, "La Niña", "top")):
        figure.add_hline(
            y=level, line={"color": GREY, "width": 1.2, "dash": "dot" if level else "solid"}, layer="below"
        )
        figure.add_annotation(
            x=0.005,
            xref="paper",
            y=level,
            yanchor=anchor,
            text=name,
            showarrow=False,
            font={"size": 11, "color": GREY},
        )
    figure.add_vline(x=plume.dates[0], line={"color": GREY, "width": 1, "dash": "dash"})
    first, last = plume.observed_dates[0], max(plume.dates[-1], plume.observed_dates[-1])
    figure.update_xaxes(title=None, rangemode="normal", range=[first, last], hoverformat="%B %Y", tickformat="%b\n%Y")
    return figure.update_yaxes(rangemode="normal", zeroline=False)


def _line(figure: go.Figure, dates: np.ndarray, values: np.ndarray, name: str, colour: str) -> None:
    figure.add_scatter(
        x=dates,
        y=values,
        name=name,
        mode="lines",
        line={"color": colour, "width": 2},
        hovertemplate="%{y:.2f} °C",
    )
