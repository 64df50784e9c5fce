"""The forecast at one place over lead time: what the middle of the members holds, and the truth."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import plotly.graph_objects as go

from app.plots.curves import BLUE, ORANGE, RED, styled

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
) -> go.Figure:
    """Bands 10–90 % and 25–75 %, median and truth, (lead,) each, in `units`; a threshold (lead,) as a dashed line."""
    figure = go.Figure()
    add_bands(figure, lead, bands)
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
    return styled(figure, time_units=time_units, y_title=units or "dimensionless").update_yaxes(rangemode="normal")


def add_bands(figure: go.Figure, x: np.ndarray, bands: Bands) -> None:
    """The ranges of the middle 80 % and 50 %."""
    low, lower, _, upper, high = bands.percentiles
    _band(figure, x, low, high, 0.18, "10–90 %")
    _band(figure, x, lower, upper, 0.35, "25–75 %")


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
