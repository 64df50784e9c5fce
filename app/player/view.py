"""What the player shows: fields over time, the maps that are made of them, and the ends of their colours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from app.look import Limits
from app.place import Place, cell_place

Scale = Literal["between", "symmetric", "positive", "percent", "signed percent"]
"""Which ends of the colours fit a group: the 2nd to 98th percentile, symmetric about 0, from 0 on, or 0 to ±100."""

NO_TRUTH = "no truth is known at this lead"
ENOUGH = 2_000_000  # values from which percentiles are taken; of more, every so-manyth


@dataclass(frozen=True)
class Strand:
    """Whose lines they are on a map of many: of a member, the mean or the truth.

    name: said under the pointer; legend: what its kind is called; colour: as CSS, empty for that of the text; width in
    pixels; opacity 0 to 1; is_top: whether it lies over all others. positions: of particles, the fields of x and y.
    """

    name: str
    legend: str
    colour: str
    width: float
    opacity: float = 1.0
    is_top: bool = False
    positions: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines over time: x and y of all points in the units of the axes, (point, 2); which points each line has, which
    strand it is, and which lines each frame has.

    offsets: (line + 1,), line i has the points from offset i to the one before offset i + 1; frames: (frame + 1,), in
    the same way of lines; strands: (line,).
    """

    points: np.ndarray
    offsets: np.ndarray
    strands: np.ndarray
    frames: np.ndarray


@dataclass(frozen=True)
class Panel:
    """One map: its title and note, the fields it shows (of two the difference), and the group of its colours.

    scale: which ends fit the colours of its group; table: of the colours, "thermal", "balance" or "amp". empty: why it
    is empty, where it is. positions: the fields of x and y of particles. traced: the prefix of the velocities whose
    particles' paths may be drawn. grows: whether a particle is drawn the larger, the larger its value. swipe: the
    fields that are shown right of a divider that a person drags. pinned: whether it is pinned, None where it cannot be.
    is_event: whether its 0 and 100 % say that something happens or not. strands: what is drawn as lines instead, the
    last on top: those of the view, or paths of particles.
    """

    name: str
    title: str
    note: str
    values: tuple[str, ...]
    group: str
    scale: Scale = "between"
    table: str = "thermal"
    units: str = ""
    empty: str = NO_TRUTH
    positions: tuple[str, ...] = ("mean_x", "mean_y")
    traced: str = ""
    grows: bool = False
    swipe: tuple[str, ...] = ()
    pinned: bool | None = None
    is_event: bool = False
    strands: tuple[Strand, ...] = ()


@dataclass(frozen=True, eq=False)
class View:
    """Maps of one variable of one forecast, or of several of the same grid.

    fields: float32 (frame, y, x) by name, NaN where unknown; of particles also where they stand. panels: the maps.
    leads and valid: (frame,) in `time_units`; x and y: the grid's axes; solid: bool (y, x), obstacles, land or held
    particles. place: what is marked. limits: the ends of the colours; fitted: those that would fit. rounding: the
    steps in which fields were stored, if they were. labels: what the clock says of every frame, lead and valid
    time, where those are no plain numbers. coastlines: (point, 2) of longitude and latitude each, None unless the
    axes are degrees. beside: the request of a second forecast that is shown, as JSON. coarse: whether values are
    rounded more, since others soon follow. blends: whether there is something between two frames. waits: whether
    Python waits to hear that the maps are drawn. begin: the name of a scene, which begins anew, and what its maps
    begin with, as behind the # of a link. can_trace: whether there are velocities; traced: whether paths of
    particles are drawn, for which fields hold `<prefix>_u` and `<prefix>_v` in units of the axes per time unit.
    lines: of a map with strands. compact: small maps in rows with one colour bar. tells_lead: the frame at which
    Python believes the time to rest, and so is told of another; None where it need not know.
    """

    dataset: str
    kind: Literal["grid", "particles"]
    forecast: str
    variable: str
    title: str
    leads: np.ndarray
    valid: np.ndarray
    time_units: str
    x: np.ndarray
    y: np.ndarray
    length_units: str
    solid: np.ndarray
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    panels: tuple[Panel, ...] = ()
    springs: np.ndarray | None = None
    place: Place = field(default_factory=lambda: cell_place(0, 0))
    limits: Limits = field(default_factory=dict)
    fitted: Limits = field(default_factory=dict)
    rounding: Mapping[str, float] = field(default_factory=dict)
    labels: Sequence[tuple[str, str]] | None = None
    coastlines: Sequence[np.ndarray] | None = None
    coarse: bool = False
    beside: str = ""
    blends: bool = True
    waits: bool = False
    begin: tuple[str, str] = ("", "")
    can_trace: bool = False
    traced: bool = False
    lines: Lines | None = None
    compact: bool = False
    tells_lead: int | None = None

    def values_of(self, panel: Panel) -> np.ndarray:
        """What a map shows, (frame, y, x)."""
        return values_of(self.fields, panel)


def values_of(fields: Mapping[str, np.ndarray], panel: Panel) -> np.ndarray:
    """What a map of some fields shows, (frame, y, x)."""
    first, *others = (fields[name] for name in panel.values)
    return first - others[0] if others else first


def limits_of(view: View) -> Limits:
    """Ends of the colours by group: those that the view names, else those that fit it."""
    return view.limits or fitted_limits(view)


def fitted_limits(view: View) -> Limits:
    """Ends of the colours that fit the maps of a view."""
    return limits_that_fit(view.fields, view.panels, view.solid)


def limits_that_fit(fields: Mapping[str, np.ndarray], panels: Sequence[Panel], solid: np.ndarray) -> Limits:
    """Ends of the colours that fit a forecast, the same over all frames and all maps of a group.

    They span the 2nd to 98th percentile; what is never negative begins at 0; errors, and fields with a sign, are
    symmetric about 0; probabilities run from 0 to 100 %. Solid cells and those without a value do not count.
    """
    found: Limits = {}
    for group in dict.fromkeys(panel.group for panel in panels):
        members = [panel for panel in panels if panel.group == group]
        found[group] = _fitted(members[0].scale, [values_of(fields, panel)[:, ~solid] for panel in members])
    return found


def _fitted(scale: Scale, values: Sequence[np.ndarray]) -> tuple[float, float]:
    if scale in ("percent", "signed percent"):
        return (0.0, 100.0) if scale == "percent" else (-100.0, 100.0)
    all_ = np.concatenate([each.ravel() for each in values])
    all_ = all_[:: max(1, all_.size // ENOUGH)]
    if scale == "positive":
        return 0.0, _round(_percentile(all_, 98))
    if scale == "symmetric":
        size = _round(_percentile(np.abs(all_), 98))
        return -size, size
    low, high = _round(_percentile(all_, 2, default=0.0)), _round(_percentile(all_, 98))
    return (low, high) if high > low else (low, low + 1.0)


def _round(value: float) -> float:
    return float(f"{value:.3g}")  # as the colour bar writes it


def _percentile(values: np.ndarray, percent: float, default: float = 1.0) -> float:
    known = values[np.isfinite(values)]
    return (float(np.percentile(known, percent)) if known.size else default) or default


def moments(units: str, *, diverging: bool) -> tuple[Panel, ...]:
    """The maps of the fields "mean", "truth" and "spread" of a variable, and of the error of the mean."""
    scale: Scale = "symmetric" if diverging else "between"
    table = "balance" if diverging else "thermal"
    return (
        Panel("mean", "Mean", "of the members", ("mean",), "field", scale, table, units, traced="mean"),
        Panel("truth", "Truth", "", ("truth",), "field", scale, table, units, positions=AT_TRUTH, traced="truth"),
        Panel(
            "spread",
            "Spread",
            "standard deviation",
            ("spread",),
            "spread",
            "positive",
            "amp",
            units,
            empty="a spread needs two members",
            grows=True,
        ),
        Panel("error", "Error", "mean − truth", ("mean", "truth"), "error", "symmetric", "balance", units),
    )


def chances(margin_units: str) -> tuple[Panel, ...]:
    """The maps of a probability, the field "mean" in percent, beside the "truth" and the "margin" to the threshold."""
    return (
        Panel("mean", "Probability", "share of the members", ("mean",), "field", "percent", "amp", "%"),
        Panel("truth", "Truth", "where it happened", ("truth",), "field", "percent", "amp", "%"),
        Panel("margin", "Margin", "mean − threshold", ("margin",), "margin", "symmetric", "balance", margin_units),
        Panel("error", "Error", "probability − truth", ("mean", "truth"), "error", "signed percent", "balance", "%"),
    )


AT_TRUTH = ("truth_x", "truth_y")
