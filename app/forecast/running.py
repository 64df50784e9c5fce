"""What a forecast costs, the buttons that run it, and how a run goes on."""

from dataclasses import replace

import streamlit as st

from app import controls, session
from app.backend import Cost
from engine.jobs import Job
from engine.requests import ResolvedRequest

PREVIEW_MEMBERS = 4
PATIENCE = 0.8  # s, for what is stored to be read


def run_controls(request: ResolvedRequest | None) -> None:
    """The cost of the request, and the buttons that run it; what is stored is shown without them."""
    busy = session.visit().run is not None
    cost = session.backend().cost(request) if request is not None else None
    if request is not None and cost is not None:
        st.caption(cost_words(request, cost))
        if cost.left == 0 and not busy:
            session.show_stored(request, PATIENCE)
    run, preview = st.columns([3, 2])
    pressed = run.button(
        "Run",
        type="primary",
        width="stretch",
        icon=":material/play_arrow:",
        disabled=request is None or busy,
        help=controls.HELP["run_button"],
    )
    peeked = preview.button(
        "Preview",
        width="stretch",
        disabled=request is None or busy or request.members <= PREVIEW_MEMBERS,
        help=controls.HELP["preview_button"],
    )
    if request is not None and (pressed or peeked):
        session.start(request if pressed else replace(request, members=PREVIEW_MEMBERS))
        st.rerun()


def cost_words(request: ResolvedRequest, cost: Cost) -> str:
    """What a request takes before it is run."""
    if cost.left == 0:
        return "Stored: shown at once."
    members = f"{request.members} member{'s' if request.members > 1 else ''}"
    calls = f"{members} × {cost.per_member:,} network calls"
    stored = 1 - cost.left / (request.members * cost.per_member)
    if stored > 0:
        calls += f", {max(1, round(100 * stored))} % of them stored"
    if cost.seconds is None:
        return calls
    return f"{calls} ≈ {cost.seconds:,.0f} s" if cost.seconds >= 1 else f"{calls}: under 1 s"


def progress_strip(dataset: str) -> None:
    """Follow the job of this visitor; draws the page anew when more has arrived for the data set that it shows."""
    job = session.current_job()
    if job is None or job.finished:
        if job is not None:
            session.collect(job)
        st.rerun()
    if session.has_more(job, dataset):
        st.rerun()
    bar, stop = st.columns([6, 1], vertical_alignment="center")
    whose = "Forecast B · " if session.visit().beside else ""
    bar.progress(progress_share(job), text=whose + progress_text(job))
    if stop.button("Cancel", width="stretch", help="Stop this run; what has arrived stays."):
        session.cancel()
        st.rerun()


def progress_share(job: Job) -> float:
    """Share of the network calls that are made, 0 to 1."""
    done = job.progress
    return min(1.0, done.calls_done / done.calls_total) if done is not None and done.calls_total else 0.0


def progress_text(job: Job) -> str:
    """A job's progress in words."""
    done = job.progress
    if job.status == "queued":
        left = "" if job.seconds_left is None else f" · about {job.seconds_left:.0f} s until it is done"
        return f"Waiting: number {job.position} in the queue{left}"
    if done is None:
        return "Loading the model …"
    if done.calls_done >= done.calls_total:
        return "Drawing the maps …"
    left = "" if job.seconds_left is None else f" · about {job.seconds_left:.0f} s left"
    return (
        f"{done.members_done} of {done.members} members · window {done.window + 1} of {done.windows} · "
        f"{done.calls_done:,} of {done.calls_total:,} network calls{left}"
    )
