"""Charts of an event by lead time: at the marked place, and over the area."""

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st

from app import session, wording
from app.charts import show_chart
from app.exports.names import forecast_name
from app.forecast.charts import place_title
from app.place import Place
from app.plots.curves import with_cursor
from app.plots.fan import fan_chart, quantile_bands
from app.plots.probability import first_time_chart, probability_chart
from app.probability.event import Event
from app.probability.work import Outlook
from app.summary import Summary
from engine.datasets import Dataset
from engine.events import beyond, chance, first_lead


def charts(dataset: Dataset, summary: Summary, event: Event, found: Outlook) -> None:
    """At the marked place how likely it is and when it first happens; the share of the area."""
    parts = (chance_at_a_place, first_time_at_a_place, share_of_the_area)
    for column, part in zip(st.columns(len(parts), gap="medium"), parts, strict=True):
        with column:
            part(dataset, summary, event, found)


def at_place(summary: Summary, event: Event, found: Outlook, place: Place) -> tuple[np.ndarray, np.ndarray]:
    """Whether it happens at a place in every member (member, lead) and in the truth (lead,); of a box its mean."""
    limit = summary.maps_at(found.threshold, place)
    members = summary.members_at(event.variable, place)
    assert members is not None
    truth = summary.maps_at(summary.maps(event.variable).truth, place)
    return beyond(members, limit, event.side), beyond(truth, limit, event.side)


def chance_at_a_place(dataset: Dataset, summary: Summary, event: Event, found: Outlook) -> None:
    """How likely it is at the marked place, by lead time."""
    place, lead = session.place_of(summary), summary.leads * dataset.time_step
    happens, happened = at_place(summary, event, found, place)
    chart = probability_chart(lead, 100 * chance(happens), happened, time_units=dataset.time_units)
    where = place_title(dataset, summary, place)
    show_chart(
        with_cursor(chart, [0, *lead]),
        key="chance",
        name=forecast_name(dataset, summary, f"{event.short}_{where}"),
        title=f"**Probability {where[0].lower()}{where[1:]}**",
        help=CHANCE_HELP,
    )
    if np.isnan(happens).all():
        st.caption("This place has no baseline, and so no threshold: mark another one, or give a value.")


def first_time_at_a_place(dataset: Dataset, summary: Summary, event: Event, found: Outlook) -> None:
    """When it first happens at the marked place in every member, and how likely it is at any lead."""
    place, lead = session.place_of(summary), summary.leads * dataset.time_step
    happens, happened = at_place(summary, event, found, place)
    first, true_first = first_lead(happens, lead), float(first_lead(happened, lead))
    chart = first_time_chart(lead, first, true_first, time_units=dataset.time_units, pinned=session.pinned(summary))
    show_chart(
        with_cursor(chart, [0, *lead]),
        key="first",
        name=forecast_name(dataset, summary, f"{event.short}_first_{place_title(dataset, summary, place)}"),
        title="**First time there**",
        help=FIRST_HELP,
    )
    if np.isfinite(first).any() or not np.isnan(first).any():
        st.caption(first_words(first, true_first, partial(time_words, dataset)))


def first_words(first: np.ndarray, true_first: float, told: Callable[[float], str]) -> str:
    """How likely it is at any lead, when half of the members that reach it have, and when it truly happened.

    told: a lead in words.
    """
    reached = first[np.isfinite(first)]
    words = (
        f"At any lead time: **{100 * len(reached) / len(first):.3g} %**, {len(reached)} of {len(first)} "
        f"member{'' if len(first) == 1 else 's'}."
    )
    if len(reached) > 1:
        words += f" Half of these by {told(float(np.sort(reached)[(len(reached) - 1) // 2]))}."
    if np.isfinite(true_first):
        return f"{words} In truth first at {told(true_first)}."
    return words + (" In truth it did not happen." if np.isinf(true_first) else " Of the truth too little is known.")


def time_words(dataset: Dataset, lead: float) -> str:
    """A lead, in the units of the axis, in words."""
    return wording.duration(dataset, lead / dataset.time_step)


def share_of_the_area(dataset: Dataset, summary: Summary, event: Event, found: Outlook) -> None:
    """Over how much of the area it happens, by lead time."""
    lead, shares = summary.leads * dataset.time_step, 100 * found.shares
    chart = fan_chart(
        lead,
        quantile_bands(shares),
        100 * found.true_share,
        members=shares,
        time_units=dataset.time_units,
        units="%",
        pinned=session.pinned(summary),
    )
    chart.update_yaxes(title="share of the area (%)", rangemode="tozero")
    show_chart(
        with_cursor(chart, [0, *lead]),
        key="area",
        name=forecast_name(dataset, summary, f"{event.short}_area"),
        title="**Share of the area**",
        help=AREA_HELP,
    )


CHANCE_HELP = (
    "The share of the ensemble members beyond the threshold at the marked place, which a click on a map moves; a "
    "diamond where it happened. Of a box that a drag marks it is the box's mean against the mean of its thresholds."
)
FIRST_HELP = (
    "A dot for every member at the lead time when the event first happens in it at the marked place; the line is the "
    "share of the members in which it has happened so far, at this lead time or an earlier one. Its end is the chance "
    "at any lead time, which the probabilities of single lead times do not tell: members stay themselves from lead to "
    "lead. Orange: the truth."
)
AREA_HELP = (
    "Over what share of the cells that count (no land, walls, obstacles or held particles; by their area) the event "
    "happens at each lead time: the members as thin lines, with the ranges of the middle 80 % and 50 %, their median "
    "and the truth."
)
