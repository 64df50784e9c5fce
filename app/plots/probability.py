"""How likely an event is at one place, by lead time."""

import numpy as np
import plotly.graph_objects as go

from app.plots.curves import BLUE, ORANGE, styled


def probability_chart(lead: np.ndarray, probability: np.ndarray, happened: np.ndarray, *, time_units: str) -> go.Figure:
    """Bars of the probability in percent, (lead,), under a mark where the event happened; `happened`: 1, 0 or NaN."""
    figure = go.Figure()
    figure.add_bar(
        x=lead,
        y=probability,
        name="probability",
        marker={"color": BLUE, "line": {"width": 0}},
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
