"""A sampling schedule drawn as ticks on the lead-time axis of one window."""

import plotly.graph_objects as go

from app.plots.curves import BLUE, GREY
from engine.schedules import Schedule, trained_leads

TALL, SHORT = 1.0, 0.5


def schedule_chart(schedule: Schedule, auxiliary_steps: int = 0) -> go.Figure:
    """Whole leads tall, fractional ones short; trained leads that the schedule skips stay grey."""
    kept = set(schedule.leads)
    skipped = [lead for lead in trained_leads(schedule.horizon, auxiliary_steps) if lead not in kept]
    figure = go.Figure()
    _ticks(figure, skipped, GREY, 0.35, "skipped")
    _ticks(figure, list(schedule.leads), BLUE, 1.0, "lead")
    figure.update_layout(
        height=64,
        margin={"l": 0, "r": 0, "t": 0, "b": 22},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode=False,
    )
    last = schedule.horizon
    figure.update_xaxes(range=[-0.02 * last, 1.02 * last], visible=False, fixedrange=True)
    figure.update_yaxes(range=[0, 1.05], visible=False, fixedrange=True)
    for at, anchor, words in ((0, "left", "0"), (last, "right", f"{last} data steps")):
        figure.add_annotation(x=at, y=0, yanchor="top", xanchor=anchor, text=words, showarrow=False, font={"size": 11})
    return figure


def _ticks(figure: go.Figure, leads: list[float], colour: str, opacity: float, name: str) -> None:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for lead in leads:
        xs += [lead, lead, None]
        ys += [0, TALL if lead.is_integer() else SHORT, None]
    figure.add_scatter(
        x=xs,
        y=ys,
        mode="lines",
        line={"color": colour, "width": 1.5},
        opacity=opacity,
        hovertemplate=f"{name} %{{x:.3~g}}<extra></extra>",
    )
