"""How good forecasts are: dots with their intervals, trends, and skill against cost."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.plots.curves import BLUE, GREEN, GREY, ORANGE, RED

PURPLE = "#8a63b8"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED)
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x")
GREY_SYMBOLS = ("circle-open", "square-open", "diamond-open")
GRID = "rgba(139,148,155,.25)"
WIDE_RANGE = 8.0  # the largest value as a multiple of the smallest from which an axis is logarithmic
NARROW_RANGE = 2.0  # and up to which an axis leaves zero out, so that small differences can be seen
FEWEST_TICKS = 4
HALF_LINE = 22  # characters
DODGE = 0.7  # share of the room between two categories that their dots take


@dataclass(frozen=True, eq=False)
class Dots:
    """Values with the ends of their intervals, NaN where there is none, all (dot,); x as numbers or as words.

    words: more about each dot, for the hover.
    """

    name: str
    x: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str = BLUE
    symbol: str = "circle"
    words: Sequence[str] = field(default=())


def category_chart(series: tuple[Dots, ...], *, x_title: str, y_title: str) -> go.Figure:
    """Dots side by side over each category, with intervals; logarithmic where a baseline is many times larger."""
    categories = sorted({x for dots in series for x in dots.x})
    place = {x: index for index, x in enumerate(categories)}
    figure = go.Figure()
    for index, dots in enumerate(series):
        aside = DODGE * ((index + 0.5) / len(series) - 0.5)
        at = np.array([place[x] + aside for x in dots.x])
        hover = [f"{x_title} {x:g}" for x in dots.x]
        half = replace(dots, name=_wrapped(dots.name, HALF_LINE))  # on a phone, two names share a line of the legend
        figure.add_scatter(**_marks(half, at, hover), mode="markers")
    figure = _arranged(figure, x_title=x_title, y_title=y_title)
    figure.update_xaxes(
        tickvals=list(place.values()), ticktext=[f"{x:g}" for x in categories], range=[-0.6, len(categories) - 0.4]
    )
    figure.update_layout(height=320, legend={"itemwidth": 30, "entrywidth": 0.5, "entrywidthmode": "fraction"})
    return _stretched(figure, series)


def trend_chart(series: tuple[Dots, ...], *, x_title: str, y_title: str, log_x: bool = False) -> go.Figure:
    """Dots with intervals over a number, joined by lines."""
    figure = go.Figure()
    for dots in series:
        order = np.argsort(dots.x, kind="stable")
        sorted_dots = replace(
            dots,
            x=dots.x[order],
            values=dots.values[order],
            low=dots.low[order],
            high=dots.high[order],
            words=[dots.words[index] for index in order] if dots.words else (),
        )
        hover = sorted_dots.words or [f"{x_title} {x:g}" for x in sorted_dots.x]
        figure.add_scatter(
            **_marks(sorted_dots, sorted_dots.x, hover), mode="lines+markers", line={"color": dots.colour, "width": 1.5}
        )
    figure = _arranged(figure, x_title=x_title, y_title=y_title)
    if log_x:
        _round_ticks(figure, np.concatenate([dots.x for dots in series]))
    return _stretched(figure, series)


def setting_chart(dots: Dots, ratio: np.ndarray, *, unit: str) -> go.Figure:
    """One line per setting, from top to bottom: CRPS with its interval, and beside it spread ÷ RMSE, (dot,)."""
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.06, column_widths=[0.58, 0.42])
    at = np.arange(len(dots.x))
    figure.add_scatter(
        x=dots.values,
        y=at,
        error_x=_arms(dots),
        mode="markers",
        marker={"color": BLUE, "size": 9},
        customdata=list(dots.words or dots.x),
        hovertemplate=f"%{{customdata}}<br>CRPS %{{x:.3~g}} {unit}<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=ratio,
        y=at,
        mode="markers",
        marker={"color": GREEN, "size": 9, "symbol": "diamond"},
        customdata=list(dots.x),
        hovertemplate="%{customdata}<br>spread ÷ RMSE %{x:.2f}<extra></extra>",
        row=1,
        col=2,
    )
    figure.add_vline(x=1, line={"color": GREY, "dash": "dot", "width": 1.5}, row=1, col=2)
    figure = _arranged(figure, x_title="", y_title="").update_layout(
        height=72 + 34 * len(at), showlegend=False, margin={"l": 8, "r": 8, "t": 8, "b": 8}
    )
    figure.update_xaxes(showgrid=True, gridcolor=GRID, nticks=4, title_standoff=6)
    figure.update_xaxes(title=f"fair CRPS{f' ({unit})' if unit else ''}", row=1, col=1)
    figure.update_xaxes(title="spread ÷ RMSE", range=_range_with_one(ratio), row=1, col=2)
    return figure.update_yaxes(
        tickvals=at,
        ticktext=[_wrapped(str(x)) for x in dots.x],
        range=[len(at) - 0.5, -0.5],
        showgrid=False,
        title=None,
    )


def front_chart(series: tuple[Dots, ...], front: Dots, chosen: Dots | None, *, y_title: str) -> go.Figure:
    """Skill against cost: measured ways to sample, the line of those that none beats, and the default."""
    figure = go.Figure()
    order = np.argsort(front.x, kind="stable")
    figure.add_scatter(
        x=front.x[order],
        y=front.values[order],
        name=front.name,
        mode="lines",
        line={"color": GREY, "width": 1.5, "shape": "hv", "dash": "dot"},
        hoverinfo="skip",
    )
    for dots in series:
        figure.add_scatter(**_marks(dots, dots.x, dots.words), mode="markers")
    if chosen is not None:
        figure.add_scatter(
            x=chosen.x,
            y=chosen.values,
            name=chosen.name,
            mode="markers",
            marker={"symbol": "circle-open", "size": 17, "color": RED, "line": {"width": 2}},
            hoverinfo="skip",
        )
    figure = _arranged(figure, x_title="network calls per member and window", y_title=y_title)
    figure.update_layout(height=360)
    _round_ticks(figure, np.concatenate([dots.x for dots in series]))
    return _stretched(figure, series)


def _marks(dots: Dots, at: np.ndarray, hover: Sequence[str]) -> dict[str, object]:
    return {
        "x": at,
        "y": dots.values,
        "error_y": _arms(dots),
        "name": dots.name,
        "marker": {"color": dots.colour, "symbol": dots.symbol, "size": 8},
        "customdata": list(hover),
        "hovertemplate": "%{customdata}<br>%{y:.3~g}",
    }


def _arms(dots: Dots) -> dict[str, object]:
    """The two sides of an interval as plotly wants them, as lengths."""
    return {
        "type": "data",
        "symmetric": False,
        "array": np.nan_to_num(dots.high - dots.values),
        "arrayminus": np.nan_to_num(dots.values - dots.low),
        "thickness": 1.5,
        "width": 3,
        "color": dots.colour,
    }


def _arranged(figure: go.Figure, *, x_title: str, y_title: str) -> go.Figure:
    """The quiet look of the line charts, for charts whose horizontal axis is not time."""
    figure.update_layout(
        height=300,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 11}},
        hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode=False,
    )
    figure.update_xaxes(title=x_title, fixedrange=True, showgrid=False, zeroline=False)
    return figure.update_yaxes(title=y_title, fixedrange=True, gridcolor=GRID, zeroline=False)


def _stretched(figure: go.Figure, series: tuple[Dots, ...]) -> go.Figure:
    """A vertical axis from zero; one around the values where they differ little, a logarithmic one where very much."""
    ends = np.concatenate([np.concatenate([dots.values, dots.low, dots.high]) for dots in series])
    ends = ends[np.isfinite(ends) & (ends > 0)]
    if ends.size and ends.max() > WIDE_RANGE * ends.min():
        title = f"{figure.layout.yaxis.title.text}, log scale"
        return figure.update_yaxes(type="log", dtick="D2", tickformat="~g", title=title)
    if not ends.size or ends.max() > NARROW_RANGE * ends.min():
        return figure.update_yaxes(rangemode="tozero")
    room = 0.08 * (ends.max() - ends.min()) or 0.1 * ends.max()
    return figure.update_yaxes(range=[ends.min() - room, ends.max() + room])


def _round_ticks(figure: go.Figure, values: np.ndarray) -> None:
    """A logarithmic horizontal axis with the numbers 1, 2, 5, 10 … as ticks, or more where these are too few."""
    known = values[np.isfinite(values) & (values > 0)]
    if not known.size:
        return
    low, high = float(known.min()) / 1.25, float(known.max()) * 1.25
    for steps in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        candidates = [step * 10.0**power for power in range(-3, 7) for step in steps]
        ticks = [tick for tick in candidates if low <= tick <= high]
        if len(ticks) >= FEWEST_TICKS:
            break
    figure.update_xaxes(
        type="log", range=[np.log10(low), np.log10(high)], tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks]
    )


def _range_with_one(ratio: np.ndarray) -> list[float]:
    known = ratio[np.isfinite(ratio)]
    return [0.0, max(1.25, 1.12 * float(known.max()) if known.size else 0.0)]


def _wrapped(label: str, width: int = 18) -> str:
    """A label on lines of at most some characters, words kept whole."""
    lines = [""]
    for word in label.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)
