"""What a person looks at in a forecast: variable, threshold, place and colours, and their part of the link."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.errors import RequestError
from engine.variables import Threshold, exceedance, variables_of

Limits = dict[str, tuple[float, float]]
"""Ends of the colours by group (see GROUPS): mean and truth share those of "field"."""


@dataclass(frozen=True)
class Look:
    """variable: its name; at: coordinates of a cell (x, y) or of a box (x, y, x, y), empty where nobody chose.

    limits: the colours' ends by variable, held once they were shown, so that they do not move with time, members or
    schedules; chosen: the variables whose limits are not those that fit, which the link names; traces: whether paths of
    particles are drawn; member: the one that is pinned, counted from 0.
    """

    variable: str
    threshold: Threshold = field(default_factory=Threshold)
    at: tuple[float, ...] = ()
    limits: Mapping[str, Limits] = field(default_factory=dict)
    chosen: frozenset[str] = frozenset()
    traces: bool = False
    member: int | None = None

    @property
    def shown(self) -> str:
        """The name of what is shown: a heatwave's says its threshold."""
        return exceedance(self.threshold).name if self.variable == exceedance(Threshold()).name else self.variable

    def keeping_limits(self, before: "Look") -> "Look":
        """The same with the colours shown before, where a link says none; a person's choice for this variable ends."""
        kept = {name: held for name, held in before.limits.items() if name not in before.chosen or name != self.shown}
        chosen = (before.chosen - {self.shown}) | self.chosen
        return replace(self, limits={**kept, **self.limits}, chosen=chosen)

    def with_limits(self, variable: str, limits: Limits | None, *, chosen: bool = False) -> "Look":
        """The same with other colours of a variable; None lets the next forecast decide."""
        kept = {name: held for name, held in self.limits.items() if name != variable}
        names = self.chosen | {variable} if chosen else self.chosen - {variable}
        return replace(self, limits=kept if limits is None else {**kept, variable: limits}, chosen=names)


def first_look(dataset: str) -> Look:
    """How a data set is looked at when nothing else is asked."""
    return Look(variables_of(dataset)[0].name)


def look_from_query(query: Mapping[str, str], dataset: str) -> tuple[Look, list[str]]:
    """Read a link; what cannot be used keeps its default, with one sentence for each."""
    look, problems = first_look(dataset), []
    for name, read in READERS.items():
        if name not in query:
            continue
        try:
            look = read(look, dataset, query[name])
        except RequestError as error:
            problems.append(str(error))
    return look, problems


def look_to_query(look: Look, dataset: str) -> dict[str, str]:
    """What differs from the first look, as the link has it."""
    first, query = first_look(dataset), {}
    if look.variable != first.variable:
        query["variable"] = look.variable
    if look.threshold != first.threshold:
        query["threshold"] = look.threshold.reference
    if look.at:
        query["at"] = ",".join(f"{each:g}" for each in look.at)
    if look.shown in look.chosen:
        ends = look.limits[look.shown].items()
        query["limits"] = ",".join(f"{group}:{low:g}:{high:g}" for group, (low, high) in ends)
    if look.traces:
        query["traces"] = "true"
    if look.member is not None:
        query["member"] = str(look.member + 1)
    return query


def _variable(look: Look, dataset: str, text: str) -> Look:
    known = [variable.name for variable in variables_of(dataset)]
    if text not in known:
        raise RequestError(f"The link says variable={text}: {dataset} has {', '.join(known)}.")
    return replace(look, variable=text)


def _threshold(look: Look, dataset: str, text: str) -> Look:
    kind, _, value = text.partition("-")
    number = _number(value)
    if kind == "percentile" and 1 <= number <= 99:
        return replace(look, threshold=Threshold("percentile", number))
    if kind == "temperature" and -2 <= number <= 40:
        return replace(look, threshold=Threshold("temperature", number))
    raise RequestError(
        f"The link says threshold={text}: give a percentile from 1 to 99 or a temperature from -2 to 40, such as "
        "percentile-95 or temperature-28."
    )


def _at(look: Look, dataset: str, text: str) -> Look:
    numbers = tuple(_number(word) for word in text.split(","))
    if len(numbers) not in (2, 4) or not np.isfinite(numbers).all():
        raise RequestError(f"The link says at={text}: give x,y of a place, or x,y,x,y of a box's corners.")
    return replace(look, at=numbers)


def _limits(look: Look, dataset: str, text: str) -> Look:
    found: Limits = {}
    for part in text.split(","):
        group, *ends = part.split(":")
        numbers = [_number(end) for end in ends]
        if group not in GROUPS or len(numbers) != 2 or not numbers[0] < numbers[1] or not np.isfinite(numbers).all():
            raise RequestError(f"The link says limits={text}: give ends of colours such as field:0:1.6,spread:0:0.3.")
        found[group] = (numbers[0], numbers[1])
    return look.with_limits(look.shown, found, chosen=True)


def _traces(look: Look, dataset: str, text: str) -> Look:
    if text not in ("true", "false"):
        raise RequestError(f"The link says traces={text}: give true or false.")
    return replace(look, traces=text == "true")


def _member(look: Look, dataset: str, text: str) -> Look:
    number = _number(text)
    if not (number >= 1 and number % 1 == 0):
        raise RequestError(f"The link says member={text}: give the number of an ensemble member, 1 or more.")
    return replace(look, member=int(number) - 1)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


GROUPS = (
    "field",
    "spread",
    "error",
    "margin",
    "probability",
    "score",
    "rank",
    "surprise",
    "size",
    "difference",
    "range",
    "spread-difference",
    "error-difference",
    "walk",
    "noise",
    "filled",
    "filled-error",
)
"""What colours may be about: maps of one group share the ends of their colours."""

READERS: dict[str, Any] = {
    "variable": _variable,
    "threshold": _threshold,
    "at": _at,
    "limits": _limits,  # of the variable and its threshold, which are read before
    "traces": _traces,
    "member": _member,
}
