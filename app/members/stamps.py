"""Small maps of all members on one scale of colours, in an order that a person chooses."""

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import session, settings
from app.frame import Stage
from app.members.sorting import SAME, SORTS, Ranking, by_number, extremes_words, ranking_of
from app.player import View
from app.views import base_view, field_panels, fitted_moments, member_fields, member_panel, with_panels

MOST_VALUES = 16_000_000  # that are sent at once, a byte each
AT_FIRST = 6_000_000  # unless a person asks for more
COUNTS = (12, 24)  # small maps to a page, where not all are shown


def stamps_view(stage: Stage, controls: DeltaGenerator) -> View:
    """Truth, mean and members as small maps; what a person may choose of them goes into `controls`."""
    summary, variable = stage.summary, stage.variable
    with controls:
        ranking, follows = ranking_controls(stage)
        shown = page_controls(stage, ranking)
    st.caption(" ".join(filter(None, (ranking.words, extremes_words(summary, variable)))))
    pinned = session.pinned(summary)
    if pinned is not None and pinned not in shown:
        shown = [pinned, *shown]
    maps, share = summary.maps(variable), 1 if variable.threshold is None else 100
    fields = {"mean": share * maps.mean, "truth": share * maps.truth}
    mean, truth = (replace(panel, traced="", note="") for panel in field_panels(variable))
    panels = [replace(truth, is_event=variable.threshold is not None), mean]
    for member in shown:
        fields |= member_fields(summary, variable, member)
        panels.append(member_panel(variable, member, note=ranking.notes[member], pinned=member == pinned))
    view = replace(
        base_view(stage.dataset, stage.shown, variable),
        compact=True,
        coarse=True,
        blends=variable.threshold is None,
        tells_lead=session.frame_of(summary) if follows else None,
    )
    fitted = fitted_moments(stage.dataset, summary, variable)
    return with_panels(view, fields, tuple(panels), fitted={"field": fitted["field"]})


def ranking_controls(stage: Stage) -> tuple[Ranking, bool]:
    """Choose the order of the members; also whether it depends on the lead at which the maps rest."""
    name, summary = stage.dataset.name, stage.summary
    sort = settings.choice(name, "sort", "Sort by", SORTS, help=SORT_HELP)
    over = "all"
    if sort != "number":
        over = settings.choice(name, "over", "Over", {"all": "All leads", "lead": "This lead"}, help=OVER_HELP)
    frame, place = session.frame_of(summary), session.place_of(summary)
    if over == "lead" and frame == 0:
        return by_number(summary, SAME), True
    lead = None if over == "all" else frame - 1
    return ranking_of(summary, stage.variable, sort, place, lead), lead is not None


def page_controls(stage: Stage, ranking: Ranking) -> list[int]:
    """Choose how many members are shown at once, and which part of their order; returns these members."""
    name, members = stage.dataset.name, stage.summary.members
    size = len(stage.summary.times) * stage.summary.solid.size
    counts = {f"{count}": f"{count}" for count in COUNTS if count < members}
    if members * size <= MOST_VALUES or not counts:
        counts["all"] = f"All {members}"
    if len(counts) == 1:
        return ranking.order
    first = "all" if members * size <= AT_FIRST else f"{COUNTS[0]}"
    picked = settings.choice(name, "stamps", "Maps at once", counts, default=first, help=COUNT_HELP)
    if picked == "all":
        return ranking.order
    count = int(picked)
    starts = range(0, members, count)
    parts = {f"{start + 1}": f"{start + 1}–{min(start + count, members)}" for start in starts}
    start = int(settings.choice(name, f"from-{count}", "Which", parts, help=WHICH_HELP)) - 1
    return ranking.order[start : start + count]


SORT_HELP = (
    "The order of the small maps. Error: the root mean square difference from the truth over all cells that count (no "
    "land, walls, obstacles or held particles; on Earth by their area). Distance to mean: the same from the ensemble "
    "mean, which tells typical members from outliers. Value at place: at the marked cell, or the mean of the box."
)
OVER_HELP = (
    "All leads: squared differences are averaged over all leads that have a truth, values over all leads. This lead: "
    "that at which the maps rest."
)
COUNT_HELP = "How many members are sent to the browser at once: fewer come faster."
WHICH_HELP = "Which members of the order above: the first ones, or those further on."
