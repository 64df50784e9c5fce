"""How likely an event is at one place by lead time, and when members first reach it."""

import numpy as np
import plotly.graph_objects as go

from app.plots.curves import BLUE, ORANGE, PINNED, styled

MOST_BARS = 70  # of more leads, what is below the curve is filled


def probability_chart(lead: np.ndarray, probability: np.ndarray, happened: np.ndarray, *, time_units: str) -> go.Figure:
    """Bars of the probability in percent, (lead,), under a mark where the event happened; `happened`: 1, 0 or NaN."""
    figure = go.Figure()
    if len(lead) <= MOST_BARS:
        figure.add_bar(
            x=lead,
            y=probability,
            name="probability",
            marker={"color": BLUE, "line": {"width": 0}},
            hovertemplate="%{y:.0f} %",
        )
    else:
        figure.add_scatter(
            x=lead,
            y=probability,
            name="probability",
            mode="lines",
            line={"color": BLUE, "width": 1, "shape": "hvh"},
            fill="tozeroy",
            hovertemplate="%{y:.0f} %",
        )
    did = happened == 1
    figure.add_scatter(
        x=lead[did],
        y=np.full(int(did.sum()), 104.0),
        meta={"values": [1] * int(did.sum()), "title": ""},  # what a table says, instead of where the mark stands
        name="happened",
        mode="markers",
        marker={"color": ORANGE, "size": 8, "symbol": "diamond"},
        hovertemplate="yes",
    )
    figure = styled(figure, time_units=time_units, y_title="probability (%)").update_layout(bargap=0.35)
    return figure.update_yaxes(range=[0, 109], tickvals=[0, 25, 50, 75, 100])


def first_time_chart(
    lead: np.ndarray, first: np.ndarray, true_first: float, *, time_units: str, pinned: int | None = None
) -> go.Figure:
    """A dot for every member where the event first happens in it, and how many members it has reached by every lead.

    lead: (lead,); first: (member,) in the same units, infinite where it never happens; true_first: that of the truth,
    not finite where it never happens as far as that is known; pinned: the member, counted from 0, that is marked.
    """
    figure = go.Figure()
    if np.isfinite(true_first):
        figure.add_scatter(
            x=[true_first, true_first],
            y=[0, 100],
            name="truth",
            mode="lines",
            line={"color": ORANGE, "width": 2},
            hovertemplate="truth",
        )
    figure.add_scatter(
        x=lead,
        y=100 * (first[:, None] <= lead).mean(axis=0),
        name="so far",
        mode="lines",
        line={"color": BLUE, "width": 2, "shape": "hv"},
        hovertemplate="%{y:.0f} % of the members",
    )
    order = np.argsort(first, kind="stable")
    reached = order[np.isfinite(first[order])]
    height = 100 * (1 + np.arange(len(reached))) / len(first)
    figure.add_scatter(
        x=first[reached],
        y=height,
        name="members",
        mode="markers",
        marker={"color": [PINNED if member == pinned else BLUE for member in reached], "size": 7},
        customdata=[f"member {member + 1}" for member in reached],
        hovertemplate="%{customdata}",
    )
    figure = styled(figure, time_units=time_units, y_title="members so far (%)").update_layout(hovermode="closest")
    figure.update_xaxes(range=[0, float(lead[-1]) * 1.02])
    return figure.update_yaxes(range=[0, 104], tickvals=[0, 25, 50, 75, 100])
