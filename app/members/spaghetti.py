"""Lines of all members on one map: isolines of the variable, or of particles where they stand and their paths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import session, settings
from app.backend import run_of
from app.frame import Stage
from app.player import Lines, Panel, Strand, View
from app.plots.curves import BLUE, ORANGE, PINNED
from app.plots.isolines import isolines, middle_value, step_of
from app.summary import Summary
from app.views import base_view, field_panels, fitted_moments, member_title, panel_of, with_panels
from app.wording import pretty_units
from engine.datasets import get_dataset
from engine.variable_fields import variable_of
from engine.variables import Variable, variable_named

FURTHEST = 1e4  # no variable has values beyond, in its units
FEW = 12  # fields from which it is seen which values are usual


@dataclass(frozen=True, eq=False)
class Spaghetti:
    """Isolines of all frames, whose strands are the members, the mean and the truth in this order.

    low, high: the least and the largest value of the members.
    """

    lines: Lines
    low: float
    high: float

    @property
    def is_empty(self) -> bool:
        """Whether there is no line at all."""
        return not len(self.lines.strands)


def spaghetti_view(stage: Stage, controls: DeltaGenerator) -> View:
    """The map of all members' lines; what a person may choose of it goes into `controls`."""
    if stage.dataset.name == "spring-mesh":
        return paths_view(stage, controls)
    return isolines_view(stage, controls)


def isolines_view(stage: Stage, controls: DeltaGenerator) -> View:
    """Isolines of all members, of their mean and of the truth."""
    summary, variable = stage.summary, stage.variable
    with controls:
        level = level_control(stage)
    pinned = session.pinned(summary)
    with st.spinner("Drawing the isolines …", show_time=True):
        found = spaghetti_of(summary, variable, level)
    if found.is_empty:
        st.info(nowhere_words(variable, level, found))
    mean, _ = field_panels(variable)
    panel = replace(
        mean,
        name="spaghetti",
        title=f"{variable.short} = {level:g} {pretty_units(variable.units)}".strip(),
        note=f"of {member_count(summary)}",
        empty="no member has this value at this lead",
        traced="",
        strands=strands_of(summary, pinned),
    )
    if variable.threshold is not None:
        panel = replace(panel, title=f"Edge of SST above {variable.threshold.title}", empty="no edge at this lead")
    maps = summary.maps(variable)
    fields = {"mean": 100 * maps.mean if variable.threshold is not None else maps.mean}
    view = replace(base_view(stage.dataset, stage.shown, variable), blends=False)
    return replace(one_map(stage, view, fields, panel), lines=found.lines)


def paths_view(stage: Stage, controls: DeltaGenerator) -> View:
    """Where all particles stand in every member, and the path of the marked one."""
    summary, variable = stage.summary, stage.variable
    with controls:
        times = times_control(stage)
    st.caption(paths_words(times, session.place_of(summary).is_cell))
    mean, _ = field_panels(variable)
    panel = replace(
        mean,
        name="spaghetti",
        title="Positions",
        note=f"of {member_count(summary)}",
        strands=strands_of(summary, session.pinned(summary)),
    )
    fields = {"mean": summary.maps(variable).mean}
    for axis in "xy":
        place = variable_named(stage.dataset.name, f"q_{axis}")
        for strand in range(summary.members + 2):
            fields[f"{STRANDS.get(strand - summary.members) or panel_of(strand)}_{axis}"] = farther(
                values_of_strand(summary, place, strand), summary.maps(place).mean, times
            )
    return one_map(stage, base_view(stage.dataset, stage.shown, variable), fields, panel)


STRANDS = {0: "mean", 1: "truth"}
"""What comes after the members."""


def times_control(stage: Stage) -> int:
    """Choose how many times as far from the mean everything is drawn as it is."""
    options = {f"{times}": "as they are" if times == 1 else f"{times} ×" for times in TIMES}
    name, default = stage.dataset.name, f"{TIMES[1]}"
    return int(settings.choice(name, "times", "Departures from the mean", options, default=default, help=TIMES_HELP))


def farther(values: np.ndarray, mean: np.ndarray, times: float) -> np.ndarray:
    """Values `times` as far from the mean as they are."""
    return mean + np.float32(times) * (values - mean)


def paths_words(times: int, has_path: bool) -> str:
    """What the map of particles shows."""
    drawn = "" if times == 1 else f", drawn {times} times as far from the mean as they are"
    words = f"Every particle of every member is a dot{drawn}. "
    if has_path:
        return words + "The lines are the paths of the marked particle since the initial condition: click another one."
    return words + "A box is marked, which has no path: click a particle to see its paths."


def one_map(stage: Stage, view: View, fields: dict[str, np.ndarray], panel: Panel) -> View:
    """A view of a single map; it has no colours, so that those of other pages stay."""
    fitted = fitted_moments(stage.dataset, stage.summary, stage.variable)
    return with_panels(view, fields, (panel,), fitted={"field": fitted["field"]})


def level_control(stage: Stage) -> float:
    """Type the value whose isoline is drawn; of a heatwave its threshold is."""
    summary, variable = stage.summary, stage.variable
    if variable.threshold is not None:
        st.caption(f"The edge of where SST exceeds {variable.threshold.title}: change the threshold above.")
        return 0.0
    usual = summary.once("usual", variable.name, make=lambda: usual_values(summary, variable))
    return settings.number(
        stage.dataset.name,
        f"isoline-{variable.name}",
        "Isoline of",
        low=-FURTHEST,
        high=FURTHEST,
        default=middle_value(usual, has_sign=variable.scale == "balance"),
        step=step_of(usual),
        units=pretty_units(variable.units),
        help=ISOLINE_HELP,
        width=200,
    )


def usual_values(summary: Summary, variable: Variable) -> np.ndarray:
    """A few true fields of the run that the forecast starts from, (frame, y, x): the same for every forecast of it."""
    dataset, run = get_dataset(summary.dataset), run_of(summary)
    frames = np.unique(np.linspace(0, run.frames - 1, FEW).round().astype(int))
    found = variable_of(run.states[frames], run.times[frames], variable, dataset, run, dataset.background(run))
    return np.where(summary.solid, np.nan, found)


def spaghetti_of(summary: Summary, variable: Variable, level: float) -> Spaghetti:
    """The isolines of all frames; those of the level asked for last are at hand."""
    kept: dict[float, Spaghetti] = summary.once("isolines", variable.name, make=dict)
    found = kept.get(level)
    if found is None:
        found = all_isolines(summary, variable, level)
        kept.clear()
        kept[level] = found
    return found


def all_isolines(summary: Summary, variable: Variable, level: float) -> Spaghetti:
    """The isolines of every member, of the mean and of the truth at every frame; not within land or obstacles."""
    found: list[list[tuple[np.ndarray, np.ndarray]]] = []
    low, high = np.inf, -np.inf
    for strand in range(summary.members + 2):
        values = np.where(summary.solid, np.nan, values_of_strand(summary, variable, strand))
        if strand < summary.members:
            low, high = min(low, float(np.nanmin(values))), max(high, float(np.nanmax(values)))
        found.append([isolines(field, summary.x, summary.y, level) for field in values])
    by_frame = [of_strand[frame] for frame in range(len(summary.times)) for of_strand in found]
    return Spaghetti(joined_lines(by_frame, len(found)), low, high)


def joined_lines(parts: Sequence[tuple[np.ndarray, np.ndarray]], strands: int) -> Lines:
    """One list of the lines of every strand at every frame: points and offsets, the strand running faster."""
    sizes = np.array([len(points) for points, _ in parts])
    counts = np.array([len(offsets) - 1 for _, offsets in parts])
    before = np.cumsum(sizes) - sizes
    ends = [offsets[1:] + first for (_, offsets), first in zip(parts, before, strict=True)]
    numbers = np.arange(len(parts)) % strands
    return Lines(
        points=np.concatenate([points for points, _ in parts]),
        offsets=np.concatenate([[0], *ends]).astype(np.int64),
        strands=np.repeat(numbers, counts),
        frames=np.concatenate([[0], np.cumsum(counts.reshape(-1, strands).sum(axis=1))]),
    )


def values_of_strand(summary: Summary, variable: Variable, strand: int) -> np.ndarray:
    """The field of a member, after the last of the mean and then of the truth: (frame, y, x).

    Of an event it is how far the temperature is above the threshold.
    """
    if variable.threshold is not None:
        assert summary.ensemble is not None
        sst = variable_named(summary.dataset, "sst")
        margin: np.ndarray = (
            values_of_strand(summary, sst, strand) - summary.ensemble.references[variable.threshold.reference]
        )
        return margin
    if strand < summary.members:
        return summary.member(variable, strand)
    maps = summary.maps(variable)
    return maps.mean if strand == summary.members else maps.truth


def strands_of(summary: Summary, pinned: int | None) -> tuple[Strand, ...]:
    """How the lines of the members, the mean and the truth are drawn: the members thin, the pinned one bold."""
    members = [
        Strand(
            member_title(member).lower(),
            "members" if member != pinned else member_title(member).lower(),
            *((PINNED, 2.5, 1.0) if member == pinned else (BLUE, 0.9, 0.6)),
            is_top=member == pinned,
            positions=(f"{panel_of(member)}_x", f"{panel_of(member)}_y"),
        )
        for member in range(summary.members)
    ]
    mean = Strand("mean", "mean", BLUE, 2.5, positions=("mean_x", "mean_y"))
    truth = Strand("truth", "truth", ORANGE, 2.5, positions=("truth_x", "truth_y"))
    return (*members, mean, truth)


def member_count(summary: Summary) -> str:
    """How many members there are."""
    return f"{summary.members} member{'s' if summary.members > 1 else ''}"


def nowhere_words(variable: Variable, level: float, found: Spaghetti) -> str:
    """That a value occurs nowhere, and which do."""
    if variable.threshold is not None:
        return "No member has an edge of the event at any lead: it happens everywhere or nowhere."
    units = pretty_units(variable.units)
    return (
        f"No member has the value {level:g} {units} at any lead: theirs run from {found.low:.3g} to {found.high:.3g} "
        f"{units}. Choose one between them."
    )


TIMES = (1, 10, 100)
TIMES_HELP = (
    "Members that hardly differ lie on one another. Their departures from the ensemble mean, and that of the truth, "
    "can be drawn 10 or 100 times as large; the mean stays where it is."
)
ISOLINE_HELP = (
    "Draws, for every member, the line on which the variable has this value: where the lines lie together the "
    "members agree, where they fan out they do not. The line of the mean is that of the averaged field, which is "
    "smoother than any member."
)
