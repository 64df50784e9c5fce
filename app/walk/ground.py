"""What the parts of the Sampler page share: a variable of any states, and maps along the steps of something."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from app import wording
from app.frame import Stage
from app.player import Panel, View, player
from app.player.view import NO_TRUTH, Scale
from app.summary import Scores, score
from app.views import answers_of, base_view, with_panels
from app.wording import pretty_units
from engine.datasets import Dataset, Run
from engine.datasets.background import Background
from engine.forecasting import plan_of
from engine.loading import load_pair
from engine.requests import ResolvedRequest
from engine.variable_fields import truth_at, variable_of
from engine.variables import Variable


@dataclass(frozen=True, eq=False)
class Ground:
    """Where a request starts: its run, the frame of it, and the climatology that its model knows."""

    dataset: Dataset
    run: Run
    frame: int
    horizon: int
    background: Background

    def times(self, leads: np.ndarray) -> np.ndarray:
        """The times of leads in data steps, as those of the run."""
        found: np.ndarray = float(self.run.times[self.frame]) + leads * self.dataset.time_step
        return found

    def fields(self, states: np.ndarray, leads: np.ndarray, variable: Variable) -> np.ndarray:
        """A variable of states (…, lead, channel, y, x) as the maps show it, (…, lead, y, x); a chance in percent."""
        found = variable_of(states, self.times(leads), variable, self.dataset, self.run, self.background)
        return 100 * found if variable.threshold is not None else found

    def truth(self, leads: np.ndarray) -> np.ndarray:
        """The run at leads in data steps, (lead, channel, y, x), NaN where it is not known."""
        return truth_at(self.run, self.times(leads))

    def scores(self, members: np.ndarray, truth: np.ndarray) -> Scores:
        """Scores by lead over the cells that count, of (member, lead, y, x) and (lead, y, x)."""
        counted = self.dataset.scored(self.run)
        return score(members[..., counted], truth[..., counted])

    def positions(self, states: np.ndarray, name: str) -> dict[str, np.ndarray]:
        """Where particles stand in states (lead, channel, y, x), as the fields of a map; empty for fields on a grid."""
        if self.dataset.name != "spring-mesh":
            return {}
        index = {channel.name: position for position, channel in enumerate(self.dataset.channels)}
        return {f"{name}_x": states[:, index["q_x"]], f"{name}_y": states[:, index["q_y"]]}


def ground_of(request: ResolvedRequest) -> Ground:
    """Where a request starts."""
    plan = plan_of(request)
    background = load_pair(request.model, "auto", request.precision).background_of(plan.run)
    return Ground(plan.dataset, plan.run, plan.frame, plan.schedule.horizon, background)


def units_of(variable: Variable) -> str:
    """The units of a variable as the maps show it."""
    return "%" if variable.threshold is not None else pretty_units(variable.units)


def field_panel(variable: Variable, name: str, title: str, note: str, *, empty: str = NO_TRUTH) -> Panel:
    """A map of the variable itself, in the colours that all its maps share."""
    units, where = units_of(variable), (f"{name}_x", f"{name}_y")
    scale: Scale = "symmetric" if variable.scale == "balance" else "between"
    table = "balance" if variable.scale == "balance" else "thermal"
    if variable.threshold is not None:
        scale, table = "percent", "amp"
    return Panel(name, title, note, (name,), "field", scale, table, units, empty=empty, positions=where)


def spread_panel(variable: Variable, name: str, title: str, at: str) -> Panel:
    """A map of the members' standard deviation; particles stand where the map `at` has them."""
    empty, where = "a spread needs two members", (f"{at}_x", f"{at}_y")
    note, units = "standard deviation", units_of(variable)
    return Panel(
        name, title, note, (name,), "spread", "positive", "amp", units, empty=empty, positions=where, grows=True
    )


def spread_of(members: np.ndarray) -> np.ndarray:
    """The standard deviation (ddof 1) of (member, lead, y, x), NaN of one member."""
    if len(members) < 2:
        return np.full(members.shape[1:], np.nan, np.float32)
    found: np.ndarray = members.std(axis=0, ddof=1)
    return found


def shown_of(members: np.ndarray, which: int | None) -> np.ndarray:
    """The member of this place among the members, or of None their mean."""
    found: np.ndarray = members.mean(axis=0) if which is None else members[which]
    return found


def show_maps(
    stage: Stage,
    ground: Ground,
    part: str,
    frames: tuple[np.ndarray, list[str]],
    fields: Mapping[str, np.ndarray],
    panels: tuple[Panel, ...],
    *,
    of: str,
) -> None:
    """Maps along the frames of a part of the page: their leads in data steps, and what each frame is.

    The time they rest at is the part's own, for its frames are other moments than those of the forecast; place and
    colours are those of all pages. of: what is shown, so that maps of something else begin anew.
    """
    leads, notes = frames
    dataset, times = stage.dataset, ground.times(leads)
    calendar = dataset.calendar
    labels = [
        (
            f"{wording.duration(dataset, round(float(lead), 6))}, {note}",
            f"{time:.2f} {dataset.time_units}" if calendar is None else calendar.label(float(time)),
        )
        for lead, time, note in zip(leads, times, notes, strict=True)
    ]
    view: View = replace(
        base_view(dataset, stage.shown, stage.variable),
        forecast=of,
        leads=leads * dataset.time_step,
        valid=times,
        labels=labels,
        fields={},
        coarse=False,
        blends=stage.variable.threshold is None,
        begin=("", ""),
    )
    view = replace(with_panels(view, fields, panels), dataset=f"{dataset.name}-{part}")
    player(view, answers_of(stage.summary, stage.variable), key=f"{dataset.name}/sampler/{part}")
