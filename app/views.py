"""What the maps of a page show of a forecast: the parts that all pages share, and the four maps of the first."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from app import session, wording
from app.backend import Shown
from app.examples import rounding_of
from app.look import Limits
from app.place import span
from app.player import Answers, Panel, View, fitted_limits
from app.player.view import chances, limits_that_fit, moments
from app.summary import Summary
from app.wording import pretty_units
from engine.coastlines import coastlines
from engine.datasets import Dataset, get_dataset
from engine.variables import Variable, variable_named

VELOCITY = {"navier-stokes": ("u", "v")}
"""The channels that carry particles along, of the data sets that have such."""


def base_view(dataset: Dataset, shown: Shown, variable: Variable) -> View:
    """What all maps of a forecast have in common, without any map; times in the data set's units.

    Particles stand where the fields mean_x, mean_y and truth_x, truth_y say.
    """
    summary = shown.summary
    grid = dataset.name != "spring-mesh"
    scene = session.scene()
    view = View(
        dataset=dataset.name,
        kind="grid" if grid else "particles",
        forecast=summary.request,
        variable=variable.name,
        title=variable.title,
        leads=np.concatenate([[0.0], summary.leads * dataset.time_step]),
        valid=summary.times,
        time_units=dataset.time_units,
        x=summary.x,
        y=summary.y,
        length_units=pretty_units(dataset.axes[1].units),
        solid=summary.solid,
        fields={} if grid else _positions(dataset, summary),
        springs=None if grid else springs(len(summary.y), len(summary.x)),
        place=session.place_of(summary),
        coarse=shown.origin == "arriving",
        waits=not session.saw_maps(),
        begin=("", "") if scene is None else (scene.title, scene.maps),
    )
    if dataset.calendar is None:
        return view
    frames = zip(np.concatenate([[0.0], summary.leads]), summary.times, strict=True)
    labels = [(wording.duration(dataset, lead), dataset.calendar.label(float(time))) for lead, time in frames]
    return replace(view, labels=labels, coastlines=coastlines(span(summary.x), span(summary.y)))


def with_panels(
    view: View, fields: Mapping[str, np.ndarray], panels: tuple[Panel, ...], *, fitted: Limits | None = None
) -> View:
    """The view with maps of these fields; their colours keep the ends that were shown before, on any page.

    fitted: the ends that fit, where they are known already.
    """
    view = replace(view, fields={**view.fields, **fields}, panels=panels)
    fitted = fitted_limits(view) if fitted is None else fitted
    return replace(view, limits=held_limits(view, fitted), fitted=fitted)


def moments_view(dataset: Dataset, shown: Shown, variable: Variable) -> View:
    """Mean, truth, spread and error of a forecast, or of a probability what belongs to that; and a pinned member."""
    summary = shown.summary
    view = replace(
        base_view(dataset, shown, variable),
        rounding=rounding_of(summary, variable),
        can_trace=dataset.name in VELOCITY,
        traced=dataset.name in VELOCITY and session.look_of(dataset.name).traces,
        blends=variable.threshold is None,  # between "it happened" and "it did not" there is nothing
    )
    fields, panels = moments_maps(dataset, summary, variable)
    if view.traced:
        fields |= _velocities(dataset, summary)
    pinned = session.pinned(summary)
    if pinned is not None:
        fields |= member_fields(summary, variable, pinned)
        panels += pinned_panels(summary, variable, pinned)
    return with_panels(view, fields, panels, fitted=fitted_moments(dataset, summary, variable))


def moments_maps(
    dataset: Dataset, summary: Summary, variable: Variable
) -> tuple[dict[str, np.ndarray], tuple[Panel, ...]]:
    """The fields and the maps of mean, truth, spread and error, or of a probability what belongs to that."""
    maps = summary.maps(variable)
    if variable.threshold is not None:
        fields = {"mean": 100 * maps.mean, "truth": 100 * maps.truth, "margin": margin(dataset, summary, variable)}
        return fields, chances("°C")
    fields = {"mean": maps.mean, "truth": maps.truth, "spread": maps.spread}
    return fields, moments(pretty_units(variable.units), diverging=variable.scale == "balance")


def fitted_moments(dataset: Dataset, summary: Summary, variable: Variable) -> Limits:
    """The ends of the colours that fit mean, truth, spread and error, which all pages begin with."""

    def fit() -> Limits:
        return limits_that_fit(*moments_maps(dataset, summary, variable), summary.solid)

    return summary.once("fitted", variable.name, make=fit)


def with_own_panels(
    summary: Summary, variable: Variable, view: View, fields: Mapping[str, np.ndarray], panels: tuple[Panel, ...]
) -> View:
    """The view with maps of a page's own: colours that they share with the first page's maps begin as there."""
    own = limits_that_fit({**view.fields, **fields}, panels, view.solid)
    first = fitted_moments(get_dataset(summary.dataset), summary, variable)
    return with_panels(view, fields, panels, fitted={group: first.get(group, ends) for group, ends in own.items()})


def member_fields(summary: Summary, variable: Variable, member: int) -> dict[str, np.ndarray]:
    """What the map of a member shows, (frame, y, x) in percent where it is whether an event happens; and where its
    particles stand."""
    name, values = panel_of(member), summary.member(variable, member)
    fields = {name: 100 * values if variable.threshold is not None else values}
    if summary.dataset == "spring-mesh":
        for axis in "xy":
            fields[f"{name}_{axis}"] = summary.member(variable_named(summary.dataset, f"q_{axis}"), member)
    return fields


def member_panel(variable: Variable, member: int, *, note: str = "", pinned: bool | None = None) -> Panel:
    """The map of a member, in the colours of mean and truth."""
    name, (shown, *_) = panel_of(member), field_panels(variable)
    return replace(
        shown,
        name=name,
        title=member_title(member),
        note=note,
        values=(name,),
        positions=(f"{name}_x", f"{name}_y"),
        traced="",
        is_event=variable.threshold is not None,
        pinned=pinned,
    )


def field_panels(variable: Variable) -> tuple[Panel, Panel]:
    """The maps of mean and truth."""
    is_chance = variable.threshold is not None
    units = pretty_units(variable.units)
    mean, truth, *_ = chances("") if is_chance else moments(units, diverging=variable.scale == "balance")
    return mean, truth


def pinned_panels(summary: Summary, variable: Variable, member: int) -> tuple[Panel, ...]:
    """The maps that a pinned member adds: itself, and its error in the colours of the mean's."""
    own = member_panel(variable, member, pinned=True)
    is_chance = variable.threshold is not None
    *_, error = chances("") if is_chance else moments(own.units, diverging=False)
    return own, replace(
        error,
        name=f"{own.name}-error",
        title=f"{own.title}: error",
        note="member − truth",
        values=(own.name, "truth"),
        positions=own.positions,
    )


def member_title(member: int) -> str:
    """What a member, counted from 0, is called."""
    return f"Member {member + 1}"


def margin(dataset: Dataset, summary: Summary, variable: Variable) -> np.ndarray:
    """How far the mean is from the threshold of a variable, (frame, y, x)."""
    assert variable.threshold is not None and summary.ensemble is not None
    sst = summary.maps(variable_named(dataset.name, "sst")).mean
    found: np.ndarray = sst - summary.ensemble.references[variable.threshold.reference]
    return found


def held_limits(view: View, fitted: Limits) -> Limits:
    """The ends of the colours: those shown before, so that nothing moves by itself, else those that fit.

    They are kept from now on, but those of a forecast of which only the beginning is there.
    """
    look = session.look_of(view.dataset)
    held = look.limits.get(view.variable, {})
    limits = {group: held.get(group, ends) for group, ends in fitted.items()}
    if not view.coarse:
        elsewhere = view.variable in look.chosen and held.keys() > limits.keys()  # of maps that this page has not
        chosen = limits != fitted or elsewhere
        session.visit().looks[view.dataset] = look.with_limits(view.variable, {**held, **limits}, chosen=chosen)
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
        pin=lambda panel: session.pin(name, member_of(panel)),
        lead=lambda frame: session.rest_at(name, frame),
    )


def panel_of(member: int) -> str:
    """The name of the map of a member, counted from 0."""
    return f"member-{member}"


def member_of(panel: str) -> int:
    """The member whose map has this name."""
    return int(panel.removeprefix("member-"))


def _velocities(dataset: Dataset, summary: Summary) -> dict[str, np.ndarray]:
    """Velocities of the mean and of the truth by the player's names."""
    found: dict[str, np.ndarray] = {}
    for axis, channel in zip("uv", VELOCITY[dataset.name], strict=True):
        maps = summary.maps(variable_named(dataset.name, channel))
        found |= {f"mean_{axis}": maps.mean, f"truth_{axis}": maps.truth}
    return found


def _positions(dataset: Dataset, summary: Summary) -> dict[str, np.ndarray]:
    """Where particles stand in the mean and in the truth, (frame, y, x)."""
    found: dict[str, np.ndarray] = {}
    for axis, channel in zip("xy", ("q_x", "q_y"), strict=True):
        maps = summary.maps(variable_named(dataset.name, channel))
        found |= {f"mean_{axis}": maps.mean, f"truth_{axis}": maps.truth}
    return found


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
