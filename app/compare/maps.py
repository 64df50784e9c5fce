"""The maps of two forecasts: one behind the other at a divider, side by side, and their difference."""

from dataclasses import replace
from functools import partial

import numpy as np

from app.frame import Stage
from app.player import Panel, View
from app.player.view import AT_TRUTH, NO_TRUTH, Scale
from app.summary import Maps, Summary
from app.views import base_view, with_own_panels
from app.wording import pretty_units
from engine.variables import Variable, variable_named

SHOWN = {"mean": "Mean", "spread": "Spread", "error": "Error"}
"""What the maps may show of both forecasts."""

NOTES = {"mean": "mean", "spread": "standard deviation", "error": "|mean − truth|"}
AT_B = ("b_x", "b_y")
NO_SPREAD = "a spread needs two members"


def compare_view(stage: Stage, rival: Summary, shown: str) -> View:
    """Maps of A and B, `shown` is one of SHOWN; at a grid's divider A lies left of it, and B right."""
    view, variable = base_view(stage.dataset, stage.shown, stage.variable), stage.variable
    frames = len(view.leads)
    make = partial(_fields, stage.summary, rival, variable, shown)
    fields = {name: values[:frames] for name, values in make().items()}
    if view.kind == "particles":
        for axis in "xy":
            fields[f"b_{axis}"] = rival.maps(variable_named(stage.dataset.name, f"q_{axis}")).mean[:frames]
    view = replace(view, beside=rival.request, blends=variable.threshold is None)
    panels = panels_of(variable, shown, is_grid=view.kind == "grid")
    return with_own_panels(stage.summary, stage.variable, view, fields, panels)


def alone_view(stage: Stage) -> View:
    """The mean of A and the truth, while there is no B yet."""
    maps, percent = stage.summary.maps(stage.variable), stage.variable.threshold is not None
    times = 100 if percent else 1
    view = replace(base_view(stage.dataset, stage.shown, stage.variable), blends=not percent)
    _, a, _, truth = _field_panels(stage.variable)
    fields = {"a": times * maps.mean, "truth": times * maps.truth}
    return with_own_panels(stage.summary, stage.variable, view, fields, (a, truth))


def panels_of(variable: Variable, shown: str, *, is_grid: bool) -> tuple[Panel, ...]:
    """Particles move, so that no divider parts those of A from those of B."""
    swipe, a, b, *truth = _field_panels(variable) if shown == "mean" else _size_panels(variable, shown)
    group = "difference" if shown == "mean" else f"{shown}-difference"
    percent = variable.threshold is not None
    scale: Scale = "signed percent" if percent else "symmetric"
    note = f"of the {'probabilities' if percent else 'means'}" if shown == "mean" else f"of {NOTES[shown]}"
    difference = Panel("difference", "A − B", note, ("a", "b"), group, scale, "balance", a.units, empty=a.empty)
    return (*([swipe] if is_grid else []), difference, a, b, *truth)


def _field_panels(variable: Variable) -> tuple[Panel, Panel, Panel, Panel]:
    """Of what is forecast itself."""
    if variable.threshold is not None:
        common: tuple[str, Scale, str, str] = ("field", "percent", "amp", "%")
        words = "probability"
    else:
        diverging = variable.scale == "balance"
        common = (
            "field",
            "symmetric" if diverging else "between",
            "balance" if diverging else "thermal",
            pretty_units(variable.units),
        )
        words = "mean"
    return (
        Panel("swipe", "A | B", f"{words}, A left and B right of the divider", ("a",), *common, swipe=("b",)),
        Panel("a", "A", words, ("a",), *common),
        Panel("b", "B", words, ("b",), *common, positions=AT_B),
        Panel("truth", "Truth", "", ("truth",), *common, positions=AT_TRUTH),
    )


def _size_panels(variable: Variable, shown: str) -> tuple[Panel, Panel, Panel]:
    """Of spread or error, which have no sign; there is no truth of these."""
    scale: Scale = "percent" if variable.threshold is not None else "positive"
    units = "%" if variable.threshold is not None else pretty_units(variable.units)
    group = "spread" if shown == "spread" else "size"
    note = NOTES[shown]
    common = (group, scale, "amp", units, NO_SPREAD if shown == "spread" else NO_TRUTH)
    return (
        Panel("swipe", "A | B", f"{note}, A left and B right", ("a",), *common, swipe=("b",)),
        Panel("a", "A", note, ("a",), *common),
        Panel("b", "B", note, ("b",), *common, positions=AT_B),
    )


def _fields(a: Summary, b: Summary, variable: Variable, shown: str) -> dict[str, np.ndarray]:
    """What the maps show, (frame, y, x), in per cent of a probability."""
    of_a, of_b = a.maps(variable), b.maps(variable)
    times = np.float32(100 if variable.threshold is not None else 1)
    if shown == "spread":
        return {"a": times * of_a.spread, "b": times * of_b.spread}
    if shown == "error":
        return {"a": times * _error(of_a), "b": times * _error(of_b)}
    return {"a": times * of_a.mean, "b": times * of_b.mean, "truth": times * of_a.truth}


def _error(maps: Maps) -> np.ndarray:
    return np.abs(maps.mean - maps.truth)
