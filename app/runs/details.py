"""Everything about one run, in a dialog: its request, its link, files of it, its name, and its end."""

from functools import partial
from urllib.parse import urlencode, urlsplit, urlunsplit

import pandas as pd
import streamlit as st

from app import session
from app.history import LONGEST_NAME, Entry
from app.link import request_to_query
from app.plain_text import plain
from app.runs import files, words
from app.runs.left import Left, delete_windows, left_of, own_windows, space_of
from app.sizes import in_words
from engine.errors import EngineError
from engine.requests import ResolvedRequest

FIELDS = {
    "init": "Initial condition",
    "model": "Model",
    "steps": "Horizon, in data steps",
    "members": "Ensemble members",
    "schedule": "Sampling schedule",
    "solver": "Sampler",
    "last_step": "Last step",
    "noise": "Noise",
    "refine": "Refined",
    "seed": "Seed",
    "output_leads": "Further leads",
    "precision": "Precision",
}


@st.dialog("Run", width="medium", on_dismiss="rerun")
def details(entry: Entry) -> None:
    """The dialog; what it changes is seen in the list once it is closed."""
    everything(entry)


def everything(entry: Entry) -> None:
    """A run from its name to its end."""
    try:
        left = left_of(entry, session.backend())
        st.markdown(
            f"**{plain(words.title(entry))}**  \n:small[{plain(words.history_line(entry, st.context.timezone))}]"
        )
        if left.problem:
            st.warning(plain(left.problem))
        name_control(entry)
        about(entry)
        if left.request is not None:
            st.markdown("**Link**", help="Opens this forecast on the Forecast page, for anyone who reaches this one.")
            st.code(link_of(left.request), language=None, wrap_lines=True)
        exports(entry, left)
        ending(entry)
    except EngineError as error:
        st.error(plain(str(error)))


def name_control(entry: Entry) -> None:
    """Give the run a name."""
    with st.form(f"runs-rename-{entry.id}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name",
            entry.name,
            max_chars=LONGEST_NAME,
            placeholder=words.title(entry),
            help="What the list calls this run; leave it empty to name it after where it starts.",
        )
        if st.form_submit_button("Rename", width="content"):
            session.backend().history.rename(entry.id, name)
            st.rerun()


def about(entry: Entry) -> None:
    """The request, complete, and what came of it."""
    run, asked = entry.run, entry.run.asked
    rows = [("Data set", words.dataset_title(run.request.dataset))]
    rows += [(title, _text(getattr(asked, field))) for field, title in FIELDS.items()]
    if run.scores is not None:
        of = f" of {words.scored_variable(run).lower()}"
        rows += [(f"{label}{of if label != 'Spread ÷ RMSE' else ''}", value) for label, value in words.numbers(run)]
    with st.expander("Request and scores"):
        table = pd.DataFrame(rows, columns=["", " "])
        st.table(table, border="horizontal", hide_index=True, hide_header=True)
        reason = words.without_numbers(run)
        st.caption(
            plain(reason)
            if reason
            else "Scores are of the variable that the maps show first, over all lead times and scored cells: mean fair "
            "CRPS, root mean square error of the ensemble mean, and spread ÷ RMSE, variance and squared error averaged "
            "before they are divided."
        )


def exports(entry: Entry, left: Left) -> None:
    """Files about the run."""
    stored = left.kept == "all"
    with st.container(horizontal=True):
        if left.request is not None and stored:
            st.download_button(
                "Forecast, netCDF",
                data=partial(files.forecast_file, left.request),
                file_name=files.name_of(entry.run, "nc"),
                mime="application/x-netcdf",
                on_click="ignore",
                icon=":material/download:",
                help="All members at all lead times, as `python -m engine forecast` writes them.",
            )
        st.download_button(
            "Request, JSON",
            data=files.request_file(entry.run),
            file_name=files.name_of(entry.run, "json"),
            mime="application/json",
            on_click="ignore",
            icon=":material/download:",
            help="Every field of the request: with the same version and model it gives the same forecast.",
        )
    if not stored and left.request is not None:
        st.caption("Its members are not all stored, so there is no netCDF file: open it and run it again.")


def ending(entry: Entry) -> None:
    """Delete the run from the history and, if asked to, what is stored of it alone."""
    st.divider()
    keys = windows_of(entry)
    space = space_of(keys)
    also = False
    if space.arrays:
        also = st.checkbox(
            f"Also delete its stored members, {in_words(space.size)}",
            help="To show it again then takes the whole computation. What other runs of the list share with it stays.",
        )
    if st.button("Delete from the history", icon=":material/delete:", key=f"runs-delete-{entry.id}"):
        session.backend().history.delete(entry.id)
        if also:
            delete_windows(keys)
        st.rerun()


def windows_of(entry: Entry) -> frozenset[str]:
    """The keys of what is stored of a run alone; none where it can no longer be made."""
    backend = session.backend()
    try:
        return own_windows(entry, backend.history.listing().entries, backend)
    except EngineError:
        return frozenset()


def link_of(request: ResolvedRequest) -> str:
    """The link that the Forecast page has for a request."""
    query = request_to_query(
        request, session.defaults(request.dataset), session.defaults(request.dataset, request.model)
    )
    here = urlsplit(st.context.url or "")
    root = here.path.rstrip("/").removesuffix("/runs")
    return urlunsplit((here.scheme, here.netloc, f"{root}/", urlencode(query), ""))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(f"{each:g}" for each in value) or "none"
    return str(value)
