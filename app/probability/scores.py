"""Whether the probabilities are right: reliability diagram, Brier score with its parts, ROC curve."""

import numpy as np
import pandas as pd
import streamlit as st

from app import settings, wording
from app.charts import show_chart
from app.exports.names import forecast_name
from app.plots.reliability import reliability_chart, roc_chart
from app.probability.event import Event
from app.probability.work import Outlook, Verified, verified
from app.summary import Summary
from engine.datasets import Dataset
from engine.reliability import brier, decompose, diagram, roc, skill

LEADS = {"all": "All lead times", "one": "That of the maps"}


def scores_heading(dataset: Dataset, event: Event) -> bool:
    """What is verified; returns whether it is the lead time of the maps alone."""
    st.markdown(f"#### Were the probabilities right? {event.variable.short} {event.words}")
    return settings.choice(dataset.name, "leads", "Lead times", LEADS, help=LEADS_HELP) == "one"


def scores(dataset: Dataset, summary: Summary, event: Event, found: Outlook, frame: int | None) -> None:
    """The reliability diagram, the ROC curve, and the numbers, of all lead times or of one frame of the maps."""
    missing = why_not(dataset, summary, found, frame)
    checked = None if missing else verified(summary, event, frame)
    if checked is None:
        st.info(missing or NO_TRUTH, icon=":material/info:")
        return
    when = "all" if frame is None else f"lead-{summary.leads[frame - 1]:g}"
    columns = st.columns(3, gap="medium")
    with columns[0]:
        shown = diagram(checked.tally)
        show_chart(
            reliability_chart(shown, checked.bars, checked.tally.base_rate),
            key="reliability",
            name=forecast_name(dataset, summary, f"{event.short}_reliability_{when}"),
            title="**Reliability**",
            help=RELIABILITY_HELP,
        )
        st.caption(bars_words(checked))
    with columns[1]:
        curve = roc(checked.tally)
        if curve is None:
            st.markdown("**ROC curve**", help=ROC_HELP)
            st.caption(one_sided(checked.tally.base_rate) + " A ROC curve needs both.")
        else:
            name = forecast_name(dataset, summary, f"{event.short}_roc_{when}")
            title = f"**ROC curve** · area {curve.area:.3f}"
            show_chart(roc_chart(curve), key="roc", name=name, title=title, help=ROC_HELP)
    with columns[2]:
        st.markdown("**Brier score**", help=BRIER_HELP)
        st.table(pd.DataFrame(score_rows(checked), columns=["Score", "Value"]), border="horizontal", hide_index=True)
        st.caption(counted_words(dataset, summary, checked, frame))


def why_not(dataset: Dataset, summary: Summary, found: Outlook, frame: int | None) -> str:
    """Why nothing can be verified, in a sentence or two; empty where it can."""
    if summary.members < 2:
        return (
            "With one member every probability is 0 or 100 %: a reliability diagram needs two at least. Ask for more."
        )
    if not found.counted.any():
        return "No cell has a threshold here, as there is no baseline: give a value instead of a percentile."
    known = np.isfinite(found.happened[1:, found.counted]).all(axis=1)
    if not known.any():
        return NO_TRUTH
    if frame == 0:
        return "The maps rest at the initial condition, which is no forecast: move them to a later time."
    if frame is not None and not known[frame - 1]:
        lead = wording.duration(dataset, float(summary.leads[frame - 1]))
        return f"What happened at the lead time {lead} is not known: move the maps, or choose all lead times."
    return ""


def score_rows(checked: Verified) -> list[tuple[str, str]]:
    """What is scored, as a person reads it."""
    tally, parts = checked.tally, decompose(checked.tally)
    plain, fair = brier(tally), brier(tally, fair=True)
    rows = [
        ("Brier score", number(plain)),
        ("Reliability, added (0 is best)", number(parts.reliability)),
        ("Resolution, taken off (more is better)", number(parts.resolution)),
        ("Uncertainty, added", number(parts.uncertainty)),
    ]
    if abs(parts.within) > 1e-12:
        rows.append(("Within joined points, added", number(parts.within)))
    rows += [
        ("Fair Brier score", number(fair)),
        ("Base rate", f"{100 * tally.base_rate:.3g} %"),
        ("Skill against the base rate", percent(skill(plain, parts.uncertainty))),
    ]
    if checked.climatology is not None:
        rows.append(("Skill against climatology", percent(skill(plain, checked.climatology))))
    return rows


def number(value: float) -> str:
    """A score with three digits behind the first that counts, a true minus sign before it."""
    return "0" if abs(value) < 5e-7 else f"{value:.6f}".rstrip("0").rstrip(".").replace("-", "−")


def percent(value: float) -> str:
    """A skill in percent; a dash where there is none."""
    return "–" if np.isnan(value) else f"{100 * value:.1f} %".replace("-", "−")


def one_sided(base_rate: float) -> str:
    """That an event always or never happened."""
    return "It happened in every case." if base_rate == 1 else "It happened in no case."


def bars_words(checked: Verified) -> str:
    """What the bars hold."""
    if np.isnan(checked.bars[0]).all():
        return "There are too few cells to draw blocks of them, and so no bars."
    rows, columns = checked.block
    words = (
        "Grey bars: where 90 % of the frequencies would lie if the probabilities were right. Blocks of "
        f"{rows} × {columns} cells are drawn anew, with all their lead times, since neighbours depend on each other."
    )
    return (
        words if checked.long_enough else f"{words} They depend over longer distances still: the bars are too narrow."
    )


def counted_words(dataset: Dataset, summary: Summary, checked: Verified, frame: int | None) -> str:
    """What was counted."""
    when = "at every lead time with a truth"
    if frame is not None:
        when = f"at the lead time {wording.duration(dataset, float(summary.leads[frame - 1]))}"
    words = f"{checked.tally.count:,} cases: every cell that counts {when}, all weighing the same."
    if checked.tally.base_rate in (0, 1):
        words += f" {one_sided(checked.tally.base_rate)} Against such a base rate there is no skill."
    return words


NO_TRUTH = (
    "What happened is not known at any lead time of this forecast: its probabilities cannot be verified yet. Start it "
    "earlier to do so."
)
LEADS_HELP = (
    "Which lead times are verified below: all at once, or the one at which the maps rest, which then follows them."
)
RELIABILITY_HELP = (
    "Of all cells and lead times for which a probability was forecast, in how many it happened: a reliable forecast "
    "lies on the diagonal. Above the dashed line, half-way to the base rate, a probability adds to the Brier skill. "
    "The bars below say how often each probability was forecast, on a logarithmic scale: the more at both ends, the "
    "sharper. Up to 20 members every possible probability is a point, with more they are joined to the nearest tenth. "
    "The grey bars follow Bröcker & Smith (2007): in every block of cells one of the members, drawn at random, stands "
    "in for the truth. They do not cover other initial conditions."
)
ROC_HELP = (
    "If one warned from some probability on: the share of the events that were warned of, over the share of the other "
    "cases with a false alarm. Along the curve the probability falls. The area below is 0.5 without skill and 1 if "
    "events are always told apart; it does not ask whether probabilities are reliable."
)
BRIER_HELP = (
    "The mean squared difference between the probability, 0 to 1, and what happened, 0 or 1: 0 is perfect. Its parts "
    "(Murphy 1973) are those of the plain score over the points of the diagram, and add up; where probabilities are "
    "joined, the terms within bins of Stephenson et al. (2008) are given too. The fair score does not depend on the "
    "number of members (Ferro 2014). Skill, of the plain score: 0 % is no better than always giving the base rate, "
    "which nobody knew beforehand, or the baseline's own probability, 100 % is perfect."
)
