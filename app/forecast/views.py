"""What the maps show of a forecast."""

from dataclasses import replace
from typing import Any

import numpy as np

from app import session, wording
from app.backend import Shown
from app.examples import rounding_of
from app.look import Limits
from app.place import span
from app.player import Answers, View, fitted_limits
from app.summary import Summary
from app.wording import pretty_units
from engine.coastlines import coastlines
from engine.datasets import Dataset
from engine.variables import Variable, variable_named, variables_of

VELOCITY = {"navier-stokes": ("u", "v")}
"""The channels that carry particles along, of the data sets that have such."""


def view_of(dataset: Dataset, shown: Shown, variable: Variable) -> View:
    """What the player needs of a forecast; times in the data set's units."""
    summary = shown.summary
    maps = summary.maps(variable)
    grid = dataset.name != "spring-mesh"
    share = 100.0 if variable.threshold is not None else 1.0
    scene = session.scene()
    begin = ("", "") if scene is None else (scene.title, scene.maps)
    view = View(
        dataset=dataset.name,
        kind="grid" if grid else "particles",
        forecast=summary.request,
        variable=variable.name,
        title=variable.title,
        units="%" if variable.threshold is not None else pretty_units(variable.units),
        diverging=variable.scale == "balance",
        leads=np.concatenate([[0.0], summary.leads * dataset.time_step]),
        valid=summary.times,
        time_units=dataset.time_units,
        x=summary.x,
        y=summary.y,
        length_units=pretty_units(dataset.axes[1].units),
        mean=share * maps.mean,
        truth=share * maps.truth,
        spread=maps.spread,
        solid=summary.solid,
        rounding=rounding_of(summary, variable),
        mean_positions=None if grid else _positions(dataset, summary, "mean"),
        truth_positions=None if grid else _positions(dataset, summary, "truth"),
        springs=None if grid else springs(len(summary.y), len(summary.x)),
        place=session.place_of(summary),
        coarse=shown.origin == "arriving",
        waits=not session.saw_maps(),
        begin=begin,
        can_trace=dataset.name in VELOCITY,
        velocities=_velocities(dataset, summary),
        **_on_earth(dataset, summary, variable),
    )
    fitted = summary.once("fitted", variable.name, make=lambda: fitted_limits(view))
    return replace(view, limits=held_limits(view, fitted, hold=shown.origin != "arriving"), fitted=fitted)


def held_limits(view: View, fitted: Limits, *, hold: bool) -> Limits:
    """The ends of the colours: those shown before, so that nothing moves by itself, else those that fit.

    hold: whether those are kept from now on; not those of a forecast of which only the beginning is there.
    """
    look = session.look_of(view.dataset)
    held = look.limits.get(view.variable, {})
    limits = {group: held.get(group, ends) for group, ends in fitted.items()}
    if hold:
        session.visit().looks[view.dataset] = look.with_limits(view.variable, limits, chosen=limits != fitted)
    return limits


def answers_of(summary: Summary, variable: Variable) -> Answers:
    """What becomes of what a person does on the maps of a forecast."""
    name = summary.dataset

    def limit(group: str, ends: tuple[float, float]) -> None:
        look = session.look_of(name)
        limits = {**look.limits.get(variable.name, {}), group: ends}
        session.visit().looks[name] = look.with_limits(variable.name, limits, chosen=True)

    def fit() -> None:
        session.visit().looks[name] = session.look_of(name).with_limits(variable.name, None)

    def trace(on: bool) -> None:
        session.change_look(name, traces=on)

    return Answers(
        drawn=session.greet,
        place=lambda place: session.look_at_place(summary, place),
        limits=limit,
        fit=fit,
        traces=trace,
    )


def _velocities(dataset: Dataset, summary: Summary) -> dict[str, np.ndarray]:
    """Velocities of the mean and of the truth by the player's names, where paths of particles are asked for."""
    if dataset.name not in VELOCITY or not session.look_of(dataset.name).traces:
        return {}
    found: dict[str, np.ndarray] = {}
    for axis, channel in zip("uv", VELOCITY[dataset.name], strict=True):
        maps = summary.maps(variable_named(dataset.name, channel))
        found |= {f"mean_{axis}": maps.mean, f"truth_{axis}": maps.truth}
    return found


def _on_earth(dataset: Dataset, summary: Summary, variable: Variable) -> dict[str, Any]:
    """What a view of observed data has besides: dates, coastlines and, for a probability, the distance to go."""
    if dataset.calendar is None:
        return {}
    frames = zip(np.concatenate([[0.0], summary.leads]), summary.times, strict=True)
    labels = [(wording.duration(dataset, lead), dataset.calendar.label(float(time))) for lead, time in frames]
    found: dict[str, Any] = {"labels": labels, "coastlines": coastlines(span(summary.x), span(summary.y))}
    if variable.threshold is not None and summary.ensemble is not None:
        sst = summary.maps(variable_named(dataset.name, "sst")).mean
        margin = sst - summary.ensemble.references[variable.threshold.reference]
        found |= {"margin": margin, "margin_units": "°C"}
    return found


def _positions(dataset: Dataset, summary: Summary, kind: str) -> np.ndarray:
    places = [v for v in variables_of(dataset.name) if v.name in ("q_x", "q_y")]
    return np.stack([getattr(summary.maps(place), kind) for place in places], axis=1)


def springs(rows: int, columns: int) -> np.ndarray:
    """Pairs of neighbouring cells, diagonals included: (spring, 2) indices into the flattened grid."""
    cells = np.arange(rows * columns).reshape(rows, columns)
    pairs = [
        (cells[:, :-1], cells[:, 1:]),
        (cells[:-1], cells[1:]),
        (cells[:-1, :-1], cells[1:, 1:]),
        (cells[:-1, 1:], cells[1:, :-1]),
    ]
    return np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in pairs])
