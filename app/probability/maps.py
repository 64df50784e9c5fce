"""Maps of how likely an event is and where it happened, and of quantiles of the members."""

from dataclasses import replace

import numpy as np

from app.frame import Stage
from app.player import Panel, View, fitted_limits
from app.player.view import AT_TRUTH, Scale
from app.probability.event import Event
from app.probability.work import Outlook, quantiles
from app.views import base_view, fitted_moments, with_panels
from app.wording import pretty_units
from engine.variables import Variable, ordinal


def event_view(stage: Stage, event: Event, found: Outlook, *, tells_lead: int | None) -> View:
    """Probability, truth, margin, and the threshold, or of one that is the same everywhere the mean of the members."""
    variable, mean = event.variable, stage.summary.maps(event.variable).mean
    units = pretty_units(variable.units)
    fields = {
        "chance": 100 * found.chance,
        "happened": 100 * found.happened,
        "margin": mean - found.threshold,
        "threshold": found.threshold,
        "mean": mean,
    }
    count = stage.summary.members
    share = f"share of {count} member{'' if count == 1 else 's'}"
    last = ("threshold", "Threshold", f"{ordinal(event.number)} percentile of the baseline")
    if event.by == "value":
        last = ("mean", "Mean", "of the members")
    panels = (
        Panel("chance", "Probability", share, ("chance",), "probability", "percent", "amp", "%"),
        Panel(
            "happened",
            "Truth",
            "where it happened",
            ("happened",),
            "probability",
            "percent",
            "amp",
            "%",
            positions=AT_TRUTH,
        ),
        Panel("margin", "Margin", "mean − threshold", ("margin",), "margin", "symmetric", "balance", units),
        field_panel(variable, *last),
    )
    fields.pop("mean" if event.by == "percentile" else "threshold")
    view = replace(_base(stage, variable), blends=False, tells_lead=tells_lead)
    return _fitted(stage, view, variable, fields, panels, title=f"{variable.title} {event.words}")


def quantile_view(
    stage: Stage, variable: Variable, percents: tuple[float, ...], *, width: bool, tells_lead: int | None
) -> View:
    """A map of each of some quantiles, in percent, and of the truth; and how far the last is above the first."""
    found = quantiles(stage.summary, variable, percents)
    fields = {_name(percent): values for percent, values in zip(percents, found, strict=True)}
    panels = [
        field_panel(variable, _name(percent), f"{percent:g} % quantile", "of the members") for percent in percents
    ]
    fields["truth"] = stage.summary.maps(variable).truth
    panels.append(replace(field_panel(variable, "truth", "Truth", ""), positions=AT_TRUTH))
    if width and len(percents) > 1:
        fields["width"] = found[-1] - found[0]
        note, units = f"{percents[-1]:g} % − {percents[0]:g} %", pretty_units(variable.units)
        panels.append(Panel("width", "Range", note, ("width",), "range", "positive", "amp", units, grows=True))
    view = replace(_base(stage, variable), tells_lead=tells_lead)
    return _fitted(stage, view, variable, fields, tuple(panels), title=f"{variable.title}: quantiles")


def field_panel(variable: Variable, name: str, title: str, note: str) -> Panel:
    """A map in the colours that the variable itself has on all pages."""
    is_signed = variable.scale == "balance"
    scale: Scale = "symmetric" if is_signed else "between"
    table = "balance" if is_signed else "thermal"
    return Panel(name, title, note, (name,), "field", scale, table, pretty_units(variable.units))


def _name(percent: float) -> str:
    return f"quantile-{percent:g}"


def _base(stage: Stage, variable: Variable) -> View:
    return base_view(stage.dataset, stage.shown, variable)


def _fitted(
    stage: Stage,
    view: View,
    variable: Variable,
    fields: dict[str, np.ndarray],
    panels: tuple[Panel, ...],
    *,
    title: str,
) -> View:
    """The view with these maps; the variable's own colours are those of the first page."""
    whole = replace(view, title=title, fields={**view.fields, **fields}, panels=panels)
    fitted = fitted_limits(whole)
    fitted["field"] = fitted_moments(stage.dataset, stage.summary, variable)["field"]
    return with_panels(replace(view, title=title), fields, panels, fitted=fitted)
