"""Asking for what a part of the page shows, and the state of it until it is there."""

from collections.abc import Sequence

import streamlit as st

from app import session
from app.backend import complaint
from app.plain_text import plain
from app.walk.work import Ask, Bench, Found
from engine.jobs import Job

STOPPED = "sampler-stopped"  # in the session's state: what the person took back
SECONDS_BETWEEN_LOOKS = 0.5


@st.cache_resource(show_spinner=False)
def bench() -> Bench:
    """The one bench of this process."""
    return Bench()


def obtain(asks: Sequence[Ask]) -> list[Found] | None:
    """What some asks gave; where one is not there yet, how it stands, and None. They start by themselves."""
    there = [(ask, bench().found(ask)) for ask in asks]
    missing = [ask for ask, found in there if found is None]
    if not missing:
        return [found for _, found in there if found is not None]
    jobs = [bench().job(ask) for ask in missing]
    problem = next((words for job in jobs if job is not None and (words := complaint(job))), None)
    if problem is not None:
        st.error(plain(problem))
    elif missing[0] == st.session_state.get(STOPPED):
        st.info("This was cancelled before it was done, so there is nothing to show.")
    else:
        for ask in missing:
            bench().start(ask, session.visit().owner)
        st.fragment(follow, run_every=SECONDS_BETWEEN_LOOKS)(missing)
        return None
    if st.button("Compute it", icon=":material/play_arrow:", help="Make the network calls that this part needs."):
        st.session_state.pop(STOPPED, None)
        for ask in missing:
            bench().start(ask, session.visit().owner)
        st.rerun()
    return None


def follow(asks: Sequence[Ask]) -> None:
    """Say how far some asks are; draws the page again when all have ended."""
    jobs = [job for ask in asks if (job := bench().job(ask)) is not None]
    if all(job.finished for job in jobs):
        st.rerun()
    bar, stop = st.columns([6, 1], vertical_alignment="center")
    total = sum(ask.calls for ask in asks)
    done = sum(ask.calls if bench().found(ask) is not None else calls_done(bench().job(ask)) for ask in asks)
    bar.progress(min(1.0, done / total) if total else 0.0, text=f"{done:,} of {total:,} network calls")
    if stop.button("Cancel", width="stretch", key="sampler/cancel", help="Stop before the next network call."):
        for ask in asks:
            bench().cancel(ask, session.visit().owner)
        st.session_state[STOPPED] = asks[0]
        st.rerun()


def calls_done(job: Job | None) -> int:
    """Network calls of all members that a job has made."""
    return 0 if job is None or job.progress is None else job.progress.calls_done
