"""The page about probabilities: how likely an event is, where and when, and whether that was right."""

from dataclasses import replace

import numpy as np
import streamlit as st

from app import session
from app.frame import Stage, on_a_forecast
from app.plain_text import plain
from app.player import View, player
from app.probability.charts import charts
from app.probability.controls import Picked, controls
from app.probability.event import baseline_words
from app.probability.maps import event_view, quantile_view
from app.probability.scores import scores, scores_heading
from app.probability.work import Outlook, outlook
from app.summary import Summary
from app.takeaway import heading_row, take_away
from app.views import answers_of
from engine.errors import EngineError


@on_a_forecast(members=True)
def show(stage: Stage) -> None:
    """Maps of an event or of quantiles; below, the event at a place, over the area, and verified."""
    corner = heading_row(stage)
    dataset, summary = stage.dataset, stage.summary
    with st.container():  # so that the maps keep their place on the page, however many controls there are
        picked = controls(dataset, summary, stage.variable)
    try:
        with st.spinner("Finding the threshold …", show_time=True):
            found = outlook(summary, picked.event)
    except EngineError as error:
        st.warning(plain(str(error)))
        return
    with st.container():
        st.caption(f"{baseline_words(summary, picked.event)} {members_words(summary)}")
        if found.counted.any() and (found.never or found.always):
            st.info(extreme_words(picked, found), icon=":material/info:")
    maps, below, checks = (st.container() for _ in range(3))
    with checks:  # stands below the maps, which have to know whether their time matters to it
        follows = session.saw_maps() and scores_heading(dataset, picked.event)
    with maps:
        view = maps_view(stage, picked, found, tells_lead=session.frame_of(summary) if follows else None)
        take_away(replace(stage, variable=picked.event.variable), view, corner)
        player(view, answers_of(summary, picked.event.variable), key=f"{dataset.name}/probability")
    if session.saw_maps():
        with below:
            charts(dataset, summary, picked.event, found)
        with checks:
            scores(dataset, summary, picked.event, found, session.frame_of(summary) if follows else None)


def maps_view(stage: Stage, picked: Picked, found: Outlook, *, tells_lead: int | None) -> View:
    """What the maps show: the event, or quantiles."""
    if picked.quantiles is None:
        return event_view(stage, picked.event, found, tells_lead=tells_lead)
    variable, percents = picked.event.variable, picked.quantiles
    return quantile_view(stage, variable, percents, width=picked.width, tells_lead=tells_lead)


def members_words(summary: Summary) -> str:
    """What a probability is, of so many members."""
    if summary.members == 1:
        return "With one member every probability is 0 or 100 %, and every quantile is that member: ask for more."
    return (
        f"A probability is the share of the {summary.members} members, and so a multiple of "
        f"{100 / summary.members:.3g} %."
    )


def extreme_words(picked: Picked, found: Outlook) -> str:
    """That every probability is the same, and whether the truth agrees."""
    words = picked.event.words
    if found.never:
        first, did = f"No member is {words} in any cell at any lead time: every probability is 0 %.", 0
    else:
        first, did = f"Every member is {words} in every cell at every lead time: every probability is 100 %.", 1
    truth = found.happened[1:, found.counted]
    known = truth[np.isfinite(truth)]
    if not known.size:
        return first
    agrees = bool((known == did).all())
    return f"{first} {'The truth agrees.' if agrees else 'The truth differs in places.'} Choose another threshold."
