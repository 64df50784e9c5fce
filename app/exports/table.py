"""The numbers behind a chart as a table: one row per lead time, one column per curve or member."""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run, were it the beginning of a name


@dataclass(frozen=True, eq=False)
class Points:
    """Points of one curve, all (point,): where, how much, the ends of an interval, and words about each.

    along and title: what the axes say. low, high and words may be empty.
    """

    along: str
    title: str
    name: str
    x: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    words: Sequence[str] = ()

    @property
    def repeats(self) -> bool:
        """Whether a place on the axis comes twice, so that it names no row."""
        return bool(pd.Index(self.x).has_duplicates)

    @property
    def columns(self) -> Iterator[tuple[str, np.ndarray]]:
        """Headings with units, and values."""
        yield heading(self.name, self.title), self.values
        if len(self.low):
            yield heading(f"{self.name} low".strip(), self.title), self.low
            yield heading(f"{self.name} high".strip(), self.title), self.high


def figure_csv(figure: go.Figure) -> bytes:
    """The numbers of a Plotly figure as CSV in UTF-8, with a mark by which spreadsheets know it.

    Curves over one axis share their rows, which are its values; members are columns, the ranges of a fan have a low
    and a high one. Points that share no rows, such as those of a scatter plot, have a row each. Headings carry units.
    A trace whose `meta` has "values" gives these instead of the heights that it is drawn at, with "title" instead of
    the axis's; "file": False leaves it out.
    """
    text: str = figure_table(figure).to_csv(index=False, lineterminator="\r\n")
    return b"\xef\xbb\xbf" + text.encode()


def figure_table(figure: go.Figure) -> pd.DataFrame:
    """`figure_csv` before it is text."""
    points = [each for trace in figure.data for each in points_of(trace, figure)]
    grids = [grid_of(trace, figure) for trace in figure.data if trace.type in ("heatmap", "contour")]
    if any(each.words or each.repeats for each in points):
        tables = [_one_row_each(each) for each in points]
    else:
        tables = [_side_by_side([each for each in points if each.along == along]) for along in _order(points)]
    found = [table for table in [*tables, *grids] if len(table)]
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
    return table.map(_harmless).rename(columns=_harmless)


def points_of(trace: Any, figure: go.Figure) -> list[Points]:
    """The curves of a trace: one, two of a range, one per member of a bundle; none of what is no curve."""
    meta = trace.meta if isinstance(trace.meta, dict) else {}
    if trace.type not in ("scatter", "scattergl", "bar") or trace.x is None or meta.get("file") is False:
        return []
    x_axis, y_axis = (_axis(figure, trace, name) for name in "xy")
    x, y = _named(_plain(trace.x), x_axis), _named(_plain(meta.get("values", trace.y)), y_axis)
    low, high = _interval(trace.error_y, y)
    if _is_sideways(trace, y):
        x_axis, y_axis, x, y = y_axis, x_axis, y, x
        low, high = _interval(trace.error_x, y)
    named = (_title(x_axis) or _kind(x), meta.get("title", _title(y_axis)))
    name = _words(trace.name)
    if trace.type != "bar" and trace.fill == "toself":
        return _range(named, name, x, y)
    bundle = _members(x, y)
    if bundle:
        one = name.removesuffix("s") or "curve"
        return [Points(*named, f"{one} {number}", *each, *_no_ends()) for number, each in enumerate(bundle, 1)]
    return [Points(*named, name, x, y, low, high, _notes(trace, len(x)))]


def grid_of(trace: Any, figure: go.Figure) -> pd.DataFrame:
    """A heat map, one row per cell."""
    if trace.hoverinfo == "skip" or trace.z is None:
        return pd.DataFrame()
    z = np.asarray(trace.z, dtype=float)
    x = np.arange(z.shape[1]) if trace.x is None else _named(np.asarray(trace.x), _axis(figure, trace, "x"))
    y = np.arange(z.shape[0]) if trace.y is None else _named(np.asarray(trace.y), _axis(figure, trace, "y"))
    along, up = (_title(_axis(figure, trace, name)) or name for name in "xy")
    units = _words(trace.colorbar.title.text)
    columns = {along: np.tile(x, len(y)), up: np.repeat(y, len(x))}
    return pd.DataFrame(columns | {heading(_words(trace.name) or "value", units): z.ravel()})


def heading(name: str, axis: str) -> str:
    """What a column is, with its units, as the axis says them."""
    if not name or axis.startswith(name):
        return axis or name or "value"
    return f"{name} ({axis})" if axis else name


# -- tables ------------------------------------------------------------------------------------------------


def _order(points: Sequence[Points]) -> list[str]:
    return list(dict.fromkeys(each.along for each in points))


def _side_by_side(points: Sequence[Points]) -> pd.DataFrame:
    """Curves over one axis: a row per value of it, rising."""
    series: dict[str, pd.Series] = {}
    for each in points:
        for name, values in each.columns:
            series[_free(name, series)] = pd.Series(values, index=pd.Index(each.x))
    return pd.DataFrame(series).sort_index().rename_axis(points[0].along).reset_index()


def _one_row_each(points: Points) -> pd.DataFrame:
    columns: dict[str, Any] = {"curve": points.name, points.along: points.x, points.title or "value": points.values}
    if len(points.low):
        columns |= {"low": points.low, "high": points.high}
    if points.words:
        columns["note"] = list(points.words)
    return pd.DataFrame(columns, index=range(len(points.x)))


def _free(name: str, taken: dict[str, Any]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name} {number}", number + 1
    return free


def _harmless(cell: Any) -> Any:
    """Text that no spreadsheet takes for a formula; a person may have named a run "=1+1"."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


# -- traces ------------------------------------------------------------------------------------------------


def _axis(figure: go.Figure, trace: Any, name: str) -> Any:
    number = (getattr(trace, f"{name}axis") or name)[1:]
    return figure.layout[f"{name}axis{number}"]


def _title(axis: Any) -> str:
    return _words(axis.title.text)


def _words(text: str | None) -> str:
    """Text without the marks of its layout."""
    return html.unescape(re.sub(r"<[^>]*>", " ", text or "")).replace("  ", " ").strip()


def _named(values: np.ndarray, axis: Any) -> np.ndarray:
    """Values along an axis whose ticks are words: the word of the nearest."""
    ticks, names = axis.tickvals, axis.ticktext
    if ticks is None or names is None or not len(values) or values.dtype.kind not in "iuf":
        return values
    if all(name == f"{tick:g}" for tick, name in zip(ticks, names, strict=True)):
        return values  # the ticks of a scale, not names
    nearest = np.abs(values[:, None] - np.asarray(ticks, dtype=float)).argmin(axis=1)
    return np.array([_words(str(names[index])) for index in nearest])


def _is_sideways(trace: Any, y: np.ndarray) -> bool:
    return (trace.type == "bar" and trace.orientation == "h") or y.dtype.kind in "UO"


def _plain(values: Any) -> np.ndarray:
    """Numbers as an array of numbers, None as NaN; dates and words as they are."""
    found = np.asarray(values)
    if found.dtype.kind == "O" and all(each is None or isinstance(each, int | float) for each in found.flat):
        return found.astype(float)
    return found


def _kind(x: np.ndarray) -> str:
    """What an axis without a title holds."""
    if x.dtype.kind == "M" or (x.dtype.kind == "O" and len(x) and hasattr(x[0], "year")):
        return "date"
    return "x" if x.dtype.kind in "iuf" else "name"


def _no_ends() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0), np.zeros(0)


def _interval(arms: Any, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the error bars."""
    if arms is None or arms.array is None or values.dtype.kind not in "iuf":
        return _no_ends()
    up = np.asarray(arms.array, dtype=float)
    down = up if arms.arrayminus is None else np.asarray(arms.arrayminus, dtype=float)
    return values - down, values + up


def _range(named: tuple[str, str], name: str, x: np.ndarray, y: np.ndarray) -> list[Points]:
    """A filled outline, there and back, as its lower and its upper edge."""
    half = len(x) // 2
    if len(x) % 2 or not np.array_equal(x[:half], x[half:][::-1]):
        return []  # an area that is no range
    edges = np.sort(np.stack([y[:half], y[half:][::-1]]).astype(float), axis=0)
    ends = zip((f"{name} low", f"{name} high"), edges, strict=True)
    return [Points(*named, end.strip(), x[:half], edge, *_no_ends()) for end, edge in ends]


def _members(x: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The curves of a line that runs along the same axis several times, with a gap after each; none of another."""
    starts = [0, *(index for index in range(1, len(x)) if x[index] < x[index - 1])]
    if len(starts) < 2 and not _ends_in_a_gap(x, y):
        return []
    parts = [slice(start, end) for start, end in zip(starts, [*starts[1:], len(x)], strict=True)]
    curves = [_without_gap(x[part], y[part]) for part in parts]
    return curves if all(np.array_equal(curve[0], curves[0][0]) for curve in curves) else []


def _without_gap(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (x[:-1], y[:-1]) if _ends_in_a_gap(x, y) else (x, y)


def _ends_in_a_gap(x: np.ndarray, y: np.ndarray) -> bool:
    return len(x) > 1 and bool(x[-1] == x[-2]) and y.dtype.kind == "f" and not np.isfinite(y[-1])


def _notes(trace: Any, points: int) -> Sequence[str]:
    """Words about each point."""
    for found in (trace.customdata, trace.text):
        if found is None or isinstance(found, str) or len(found) != points:
            continue
        if points and all(isinstance(word, str) for word in found):
            return [_words(word) for word in found]
    return ()
