"""What a person picks on the page about probabilities; all of it stands in the link."""

from dataclasses import dataclass

from app import settings
from app.probability.event import By, Event, event_of_threshold, typical_value
from app.summary import Summary
from app.widgets import in_one_line
from app.wording import pretty_units
from engine.datasets import Dataset
from engine.events import Side
from engine.variables import Variable

MAPS = {"exceedance": "Exceedance", "quantiles": "Quantiles"}
SIDES: dict[str, str] = {"above": "Above", "below": "Below"}
KINDS: dict[str, str] = {"percentile": "Percentile of the baseline", "value": "Value"}
LARGEST = 1e6  # of a threshold, far beyond all that the variables reach


@dataclass(frozen=True)
class Picked:
    """quantiles: which maps of quantiles are shown, in percent, rising; None for maps of the event.

    width: whether the range from the lowest to the highest of them has a map too.
    """

    event: Event
    quantiles: tuple[float, ...] | None = None
    width: bool = False


def controls(dataset: Dataset, summary: Summary, variable: Variable) -> Picked:
    """Pick the event and the maps."""
    name = dataset.name
    with in_one_line():
        maps = settings.choice(name, "maps", "Maps", MAPS, help=MAPS_HELP)
        event = _event(name, summary, variable)
    if maps == "exceedance":
        return Picked(event)
    with in_one_line():
        levels = [
            settings.number(
                name, word, label, low=5, high=95, default=default, step=5, units="%", help=QUANTILE_HELP, width=150
            )
            for word, label, default in (
                ("low", "Low quantile", 10.0),
                ("middle", "Middle quantile", 50.0),
                ("high", "High quantile", 90.0),
            )
        ]
        width = settings.flag(name, "width", "Map of the range", help=WIDTH_HELP)
    return Picked(event, tuple(sorted(set(levels))), width)


def _event(name: str, summary: Summary, variable: Variable) -> Event:
    """Pick the event; that of a variable with a threshold is picked with the variable."""
    if variable.threshold is not None:
        return event_of_threshold(name, variable)
    side: Side = "below" if settings.choice(name, "side", "Event", SIDES, help=SIDE_HELP) == "below" else "above"
    by: By = "value" if settings.choice(name, "by", "Threshold", KINDS, help=KIND_HELP) == "value" else "percentile"
    if by == "percentile":
        number = settings.number(
            name, "percent", "Percentile", low=1, high=99, default=90, step=1, help=PERCENT_HELP, width=140
        )
        return Event(variable, by, number, side)
    default, step = summary.once("typical", variable.name, make=lambda: typical_value(summary, variable))
    number = settings.number(
        name,
        f"value-{variable.name}",
        variable.short,
        low=-LARGEST,
        high=LARGEST,
        default=default,
        step=step,
        units=pretty_units(variable.units),
        help=VALUE_HELP,
        width=170,
    )
    return Event(variable, by, number, side)


MAPS_HELP = (
    "Exceedance: how likely the variable is beyond the threshold, beside where it then was. Quantiles: the values that "
    "so many percent of the ensemble members stay below, cell by cell. The charts below the maps are about the event "
    "in both."
)
SIDE_HELP = "Whether the event is a value above the threshold or one below it; a value equal to it is neither."
KIND_HELP = (
    "Percentile of the baseline: every cell has a threshold of its own, by what is usual there. Of observed data the "
    "baseline are the training years at the same time of year, as for marine heatwaves (Hobday et al. 2016); of "
    "simulated data all times of the other test runs that come with the data set. Value: the same everywhere, in the "
    "units of the variable."
)
PERCENT_HELP = "From 1 to 99: so many percent of the baseline's values in a cell lie below its threshold."
VALUE_HELP = "The threshold, the same in every cell. It begins with a value that is high but common in the baseline."
QUANTILE_HELP = (
    "The value that so many percent of the ensemble members are below, cell by cell and lead by lead: linear between "
    "the ordered members, so that 0 % would be the lowest of them and 100 % the highest. Neighbouring cells may owe "
    "their quantile to different members."
)
WIDTH_HELP = "A map more: the highest quantile less the lowest, how far apart the members are."
