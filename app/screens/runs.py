"""The page of runs: every forecast that was made on this machine, to open again, name, pin, take away and delete."""

import html

import streamlit as st

from app import session
from app.history import Entry
from app.notes import guarded
from app.plain_text import plain
from app.runs import files, words
from app.runs.details import details
from app.runs.left import Left, left_of
from app.screens import forecast
from app.widgets import begin_anew, held, held_index, keep_in_link
from engine.errors import EngineError
from engine.requests import ResolvedRequest

ROWS = 10  # on a page; of each is looked up what is stored
ALL = "all"
BADGES = {
    "all": ":green-badge[stored]",
    "some": ":orange-badge[partly stored]",
    "none": ":gray-badge[not stored]",
}
LIST_HELP = (
    "**Scores** are of the variable that the maps show first, over all lead times and scored cells: mean fair CRPS, "
    "RMSE of the ensemble mean, and spread ÷ RMSE, 1 for a reliable ensemble. Compare them only between runs of one "
    "data set from the same start.\n\n"
    "**Stored**: all members lie in the cache, so that the run opens at once. **Partly stored**: what is missing is "
    "computed when you press Run. **Not stored**: the cache has let go of it, and Run computes it anew, to the same "
    "numbers."
)


@guarded
def show() -> None:
    """The page, top to bottom."""
    st.markdown("# Runs")
    history = session.backend().history
    listing = history.listing()
    if history.problem is not None:
        st.warning(plain(history.problem))
    damaged_note(listing.damaged)
    if not listing.entries:
        nothing_yet()
        return
    st.caption(
        "Every forecast that was run on this machine, pinned ones first, then the newest. All who use this page share "
        f"one history: names, pins and deletions, too. It keeps the newest {history.most} runs, and the pinned ones.",
        help=LIST_HELP,
    )
    found, dataset, text = finder(listing.entries)
    page = pages(found, dataset, text)
    keep_in_link(of="" if dataset == ALL else dataset, search=text, page="" if page == 1 else str(page))


def pages(found: list[Entry], dataset: str, text: str) -> int:
    """The runs that were found, a page at a time; returns which one is shown."""
    if not found:
        st.info("No run fits: choose another data set, or search for something else.", icon=":material/search_off:")
        return 1
    number = -(-len(found) // ROWS)
    place = st.container()
    page = 1
    if number > 1:
        key = f"runs-page/{dataset}/{text}/{number}"  # another search begins with its first page
        page = st.pagination(number, default=page_in_link(dataset, text, number), key=key)
    with place:
        for entry in found[(page - 1) * ROWS : page * ROWS]:
            row(entry)
    return page


def page_in_link(dataset: str, text: str, number: int) -> int:
    """The page that the link names, where it is one of this search."""
    link = st.query_params
    asked = link.get("page", "1")
    same = (link.get("of", ALL), link.get("search", "")) == (dataset, text)
    return min(int(asked), number) if same and asked.isdecimal() and 0 < len(asked) < 5 and int(asked) else 1


def nothing_yet() -> None:
    """What stands here before the first run."""
    with st.container(border=True, horizontal_alignment="center", gap="small", key="runs-empty"):
        st.markdown("### :material/history: No runs yet", width="content")
        st.markdown(
            "Every forecast that ends on this machine is written down here: what was asked for, when, what it took and "
            "how good it was. Then it can be opened again, named, pinned and taken away.",
            text_alignment="center",
        )
        if st.button("Make a forecast", type="primary", icon=":material/air:", key="runs-go"):
            st.switch_page(st.Page(forecast.show, title="Forecast", default=True))


def damaged_note(damaged: tuple[str, ...]) -> None:
    """Say how many entries cannot be read, and offer to let go of them."""
    if not damaged:
        return
    many = "One entry of the history is" if len(damaged) == 1 else f"{len(damaged)} entries of the history are"
    note, remove = st.columns([8, 1], vertical_alignment="center")
    note.warning(f"{many} damaged, or of another version of Coldcast, and not shown.")
    if remove.button("Remove", key="runs-remove-damaged", width="stretch"):
        session.backend().history.delete(*damaged)
        st.rerun()


def finder(entries: tuple[Entry, ...]) -> tuple[list[Entry], str, str]:
    """Pick a data set and search; returns the runs that fit, the data set, and what was searched for."""
    names = [ALL, *sorted({entry.run.request.dataset for entry in entries}, key=words.dataset_title)]
    link = st.query_params.to_dict()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="runs-finder"):
        dataset = st.selectbox(
            "Data set",
            names,
            held_index(names, "runs-of", link.get("of", ALL)),
            key="runs-of",
            format_func=lambda name: "All data sets" if name == ALL else words.dataset_title(name),
            help="Show the runs of one data set only.",
            width=240,
        )
        text = st.text_input(
            "Search",
            held("runs-search", link.get("search", "")),
            key="runs-search",
            placeholder="name, date, model, schedule, seed 3 …",
            help="Show the runs whose name, start, model or settings contain all of these words.",
            width=320,
        )
        wanted = text.lower().split()
        found = [
            entry
            for entry in entries
            if dataset in (ALL, entry.run.request.dataset) and all(each in words.searchable(entry) for each in wanted)
        ]
        st.download_button(
            "Export as CSV",
            data=lambda: files.history_file(found),
            file_name="coldcast-runs.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
            help="The runs that are listed, one a line, with their requests and scores.",
        )
    return found, dataset, text


def row(entry: Entry) -> None:
    """One run: what it was, how good it was, and what can be done with it."""
    left = left_of(entry, session.backend())
    with st.container(key=f"runs-row-{entry.id}"):
        said, scores, buttons = st.columns([6, 4, 2.6], vertical_alignment="center", gap="medium")
        with said:
            describe(entry, left)
        with scores:
            numbers(entry)
        with buttons, st.container(horizontal=True, gap="xsmall", horizontal_alignment="right"):
            actions(entry, left)


def describe(entry: Entry, left: Left) -> None:
    """Name, request, time and state of a run."""
    badges = [":orange-badge[cancelled]"] if entry.run.outcome == "cancelled" else []
    badges.append(":red-badge[cannot be opened]" if left.request is None else BADGES[left.kept])
    pin = ":material/keep: " if entry.pinned else ""
    lines = [
        f"{pin}**{plain(words.title(entry))}** {' '.join(badges)}",
        plain(words.line(entry)),
        f":small[{plain(words.history_line(entry, st.context.timezone))}]",
    ]
    if left.problem:
        lines.append(f":small[{plain(left.problem)}]")
    st.markdown("  \n".join(lines))


def numbers(entry: Entry) -> None:
    """The scores of a run, or why there are none."""
    reason = words.without_numbers(entry.run)
    known = words.numbers(entry.run)
    if not known or entry.run.scores is None or entry.run.scores.rmse is None:
        st.caption(reason)
        return
    cells = "".join(f"<div><dt>{html.escape(label)}</dt><dd>{html.escape(value)}</dd></div>" for label, value in known)
    st.html(f'<dl class="run-scores">{cells}</dl>')


def actions(entry: Entry, left: Left) -> None:
    """The buttons of a run."""
    if st.button(
        "Open",
        key=f"runs-open-{entry.id}",
        disabled=left.request is None,
        help="Go to the Forecast page with this request; what is stored is shown at once.",
    ):
        assert left.request is not None
        go_to(left.request)
    history = session.backend().history
    word = "Unpin" if entry.pinned else "Pin"
    icon = ":material/keep_off:" if entry.pinned else ":material/keep:"
    try:
        if st.button(word, key=f"runs-icon-pin-{entry.id}", icon=icon, help=PIN_HELP[entry.pinned]):
            history.pin(entry.id, not entry.pinned)
            st.rerun()
    except EngineError as error:
        st.error(plain(str(error)))
    if st.button("More", key=f"runs-icon-more-{entry.id}", icon=":material/more_horiz:", help=MORE_HELP):
        details(entry)


PIN_HELP = {
    False: "Pin: keep this run at the top, however many come after it.",
    True: "Unpin: let this run take its place by its time.",
}
MORE_HELP = "Rename, copy the link, take away as netCDF or JSON, delete."


def go_to(request: ResolvedRequest) -> None:
    """Turn to the forecast of a request."""
    here = session.visit()
    here.scene = 0
    begin_anew()
    session.keep(request)
    st.session_state["dataset"] = request.dataset
    st.switch_page(st.Page(forecast.show, title="Forecast", default=True))
