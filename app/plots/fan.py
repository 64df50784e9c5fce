"""The forecast at one place over lead time: what the middle of the members holds, and the truth."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import plotly.graph_objects as go

from app.plots.curves import BLUE, ORANGE, PINNED, RED, styled

PERCENTS = (10, 25, 50, 75, 90)


@dataclass(frozen=True, eq=False)
class Bands:
    """The percentiles 10, 25, 50, 75 and 90 at every lead, (5, lead)."""

    percentiles: np.ndarray


def quantile_bands(members: np.ndarray) -> Bands:
    """From the members themselves, (member, lead)."""
    return Bands(np.percentile(members, PERCENTS, axis=0))


def normal_bands(mean: np.ndarray, spread: np.ndarray) -> Bands:
    """From mean and standard deviation, (lead,) each, as if the members were normally distributed."""
    scores = np.array([NormalDist().inv_cdf(percent / 100) for percent in PERCENTS])
    return Bands(mean + scores[:, None] * spread)


def fan_chart(
    lead: np.ndarray,
    bands: Bands,
    truth: np.ndarray,
    *,
    time_units: str,
    units: str,
    threshold: np.ndarray | None = None,
    members: np.ndarray | None = None,
    pinned: int | None = None,
) -> go.Figure:
    """Bands 10–90 % and 25–75 %, median and truth, (lead,) each, in `units`; a threshold (lead,) as a dashed line.

    members: (member, lead), as thin lines; pinned: the one of them, counted from 0, that is drawn bold.
    """
    figure = go.Figure()
    add_bands(figure, lead, bands)
    if members is not None:
        add_members(figure, lead, members)
    if threshold is not None:
        figure.add_scatter(
            x=lead,
            y=threshold,
            name="threshold",
            mode="lines",
            line={"color": RED, "width": 1.5, "dash": "dash"},
            hovertemplate=f"%{{y:.4~g}} {units}",
        )
    for name, values, colour in (("median", bands.percentiles[2], BLUE), ("truth", truth, ORANGE)):
        figure.add_scatter(
            x=lead,
            y=values,
            name=name,
            mode="lines",
            line={"color": colour, "width": 2},
            hovertemplate=f"%{{y:.4~g}} {units}",
        )
    if members is not None and pinned is not None:
        add_pinned(figure, lead, members, pinned, units=units)
    return styled(figure, time_units=time_units, y_title=units or "dimensionless").update_yaxes(rangemode="normal")


def add_bands(figure: go.Figure, x: np.ndarray, bands: Bands) -> None:
    """The ranges of the middle 80 % and 50 %."""
    low, lower, _, upper, high = bands.percentiles
    _band(figure, x, low, high, 0.18, "10–90 %")
    _band(figure, x, lower, upper, 0.35, "25–75 %")


def add_members(figure: go.Figure, x: np.ndarray, members: np.ndarray) -> None:
    """All members (member, x) as one thin line with gaps, so that the legend and the pointer know them as one."""
    gap = np.full((len(members), 1), np.nan)
    figure.add_scatter(
        x=np.tile(np.append(x, x[-1]), len(members)),
        y=np.concatenate([members, gap], axis=1).ravel(),
        name="members",
        mode="lines",
        line={"color": BLUE, "width": 0.6},
        opacity=0.45,
        hoverinfo="skip",
    )


def add_pinned(figure: go.Figure, x: np.ndarray, members: np.ndarray, pinned: int, *, units: str) -> None:
    """One of the members (member, x), counted from 0, as a bold line of its own."""
    figure.add_scatter(
        x=x,
        y=members[pinned],
        name=f"member {pinned + 1}",
        mode="lines",
        line={"color": PINNED, "width": 2.5},
        hovertemplate=f"%{{y:.4~g}} {units}",
    )


def _band(figure: go.Figure, lead: np.ndarray, low: np.ndarray, high: np.ndarray, shade: float, name: str) -> None:
    figure.add_scatter(
        x=np.concatenate([lead, lead[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        name=name,
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=f"rgba(47, 143, 196, {shade})",
        hoverinfo="skip",
    )
