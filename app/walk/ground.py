"""What the parts of the Sampler page share: a variable of any states, and maps along the steps of something."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from app import session, wording
from app.frame import Stage
from app.place import Place, coordinates_of, middle, place_at, span
from app.player import Panel, View, player
from app.player.view import NO_TRUTH, Scale
from app.summary import Scores, score, solid_channel
from app.views import answers_of, springs, with_own_panels
from app.wording import pretty_units
from engine.coastlines import coastlines
from engine.datasets import Dataset, Run
from engine.datasets.background import Background
from engine.datasets.base import axes_of
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
        """A variable of states (…, lead, channel, y, x), (…, lead, y, x)."""
        return variable_of(states, self.times(leads), variable, self.dataset, self.run, self.background)

    def truth(self, leads: np.ndarray) -> np.ndarray:
        """The run at leads in data steps, (lead, channel, y, x), NaN where it is not known."""
        return truth_at(self.run, self.times(leads))

    def scores(self, members: np.ndarray, truth: np.ndarray) -> Scores:
        """Scores by lead over the cells that count, of (member, lead, y, x) and (lead, y, x)."""
        counted = self.dataset.scored(self.run)
        return score(members[..., counted], truth[..., counted])

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """The grid: y, then x."""
        y, x = axes_of(self.dataset, self.run)
        return y.values, x.values

    @property
    def solid(self) -> np.ndarray:
        """Obstacles, land or held particles, bool (y, x)."""
        index = self.dataset.static_channels.index(solid_channel(self.dataset))
        found: np.ndarray = self.run.static[index] > 0
        return found

    @property
    def start(self) -> str:
        """The run and the moment of it, in words."""
        name, moment = self.run.name, self.moment(float(self.run.times[self.frame]))
        return f"{wording.run_title(name)} at {moment}" if self.dataset.calendar is None else f"from {moment}"

    def moment(self, time: float) -> str:
        """A time of the run in words."""
        calendar = self.dataset.calendar
        return f"{time:.2f} {self.dataset.time_units}" if calendar is None else wording.date_title(calendar, time)

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


def on_maps(fields: np.ndarray, variable: Variable) -> np.ndarray:
    """What maps show of a variable: whether something happens in percent, everything else as it is."""
    return 100 * fields if variable.threshold is not None else fields


def score_units(variable: Variable) -> str:
    """The units of a variable's scores and spread; none of whether something happens, 0 or 1."""
    return "" if variable.threshold is not None else units_of(variable)


def amount(value: float, variable: Variable) -> str:
    """A score or a spread with its units, in bold."""
    return f"**{f'{value:.3g} {score_units(variable)}'.strip()}**"


def field_panel(variable: Variable, name: str, title: str, note: str, *, empty: str = NO_TRUTH) -> Panel:
    """A map of the variable itself, in the colours that all its maps share."""
    units, where = units_of(variable), (f"{name}_x", f"{name}_y")
    scale: Scale = "symmetric" if variable.scale == "balance" else "between"
    table = "balance" if variable.scale == "balance" else "thermal"
    if variable.threshold is not None:
        scale, table = "percent", "amp"
    return Panel(name, title, note, (name,), "field", scale, table, units, empty=empty, positions=where)


def spread_panel(variable: Variable, name: str, title: str, at: str, group: str) -> Panel:
    """A map of the members' standard deviation, in colours of its own group; particles stand as on the map `at`."""
    empty, where = "a spread needs two members", (f"{at}_x", f"{at}_y")
    note, units = "standard deviation", units_of(variable)
    return Panel(name, title, note, (name,), group, "positive", "amp", units, empty=empty, positions=where, grows=True)


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
    fields = {name: on_maps(values, stage.variable) for name, values in fields.items()}
    labels = [
        (f"{wording.duration(dataset, round(float(lead), 6))}, {note}", ground.moment(float(time)))
        for lead, time, note in zip(leads, times, notes, strict=True)
    ]
    y, x = ground.axes
    grid = dataset.name != "spring-mesh"
    view = View(
        dataset=dataset.name,
        kind="grid" if grid else "particles",
        forecast=of,
        variable=stage.variable.name,
        title=stage.variable.title,
        leads=leads * dataset.time_step,
        valid=times,
        time_units=dataset.time_units,
        x=x,
        y=y,
        length_units=pretty_units(dataset.axes[1].units),
        solid=ground.solid,
        springs=None if grid else springs(len(y), len(x)),
        place=place_of(ground),
        labels=labels,
        coastlines=None if dataset.calendar is None else coastlines(span(x), span(y)),
        blends=stage.variable.threshold is None,
        waits=not session.saw_maps(),
    )
    view = with_own_panels(stage.summary, stage.variable, view, fields, panels)
    view = replace(view, dataset=f"{dataset.name}-{part}")

    def look_at(place: Place) -> None:
        session.change_look(dataset.name, at=coordinates_of(place, x, y))

    answers = replace(answers_of(stage.summary, stage.variable), place=look_at)
    player(view, answers, key=f"{dataset.name}/sampler/{part}")


def place_of(ground: Ground) -> Place:
    """The place that is marked on the maps of all pages, on this grid; near the middle where that has none."""
    at, (y, x) = session.look_of(ground.dataset.name).at, ground.axes
    counted = ground.dataset.scored(ground.run)
    if not at:
        return middle(counted)
    found = place_at(at, x, y, turn=None if ground.dataset.calendar is None else 360.0)
    return found if found.part(counted).any() else middle(counted)
