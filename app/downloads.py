"""Downloads on the page: what a data set is, what is fetched of it, and how far that is."""

from collections.abc import Sequence

import streamlit as st

from app.fetching import Downloads, Work, boxes, check_size, daily, megabytes, years_in_words
from app.plain_text import plain
from engine.datasets import Dataset
from engine.datasets.oisst_fetch import DEFAULT_YEARS, missing_years
from engine.datasets.oisst_servers import SERVERS, find_server
from engine.datasets.regions import TASMAN, Box, cells
from engine.errors import EngineError
from engine.folders import data_dir

DAILY = "sst-daily"
DESCRIPTIONS = {
    DAILY: (
        "Sea surface temperature of every day on a 0.25° grid, NOAA OISST (Reynolds et al. 2007; Huang et al. 2021). "
        "The models know the Tasman Sea off Tasmania, 45–37°S, 147–155°E. The years 1982 to 2010 make the climatology, "
        "the thresholds of heatwaves and the baselines; forecasts are best started in the test years 2013 and "
        "2014.\n\n"
        "The data do not come with Coldcast, and nothing is fetched without being asked for."
    ),
}
SERVER_TITLES = {"coastwatch": "NOAA CoastWatch (ERDDAP)", "psl": "NOAA PSL (THREDDS)"}
SECONDS = 1.0  # between two looks at a download


@st.cache_resource(show_spinner=False)
def current() -> Downloads:
    """The one place of this process where a download may be under way."""
    return Downloads()


def offer(dataset: Dataset) -> None:
    """Say in one block what a data set without data is, and offer to fetch them."""
    with st.container(border=True):
        st.markdown(f"#### {dataset.title}")
        st.markdown(DESCRIPTIONS.get(dataset.name, f"Its data are not on this machine: {dataset.remedy}."))
        if dataset.name == DAILY:
            follow()
            order("The Tasman Sea", TASMAN, DEFAULT_YEARS, key="offer")


def is_there(dataset: Dataset) -> bool:
    """Whether a data set has data, and all that were asked for: not while its download is under way."""
    download = current().look()
    filling = dataset.name == DAILY and download is not None and download.is_under_way
    return bool(dataset.runs()) and not filling


# -- asking ------------------------------------------------------------------------------------------------


def order(title: str, box: Box, years: Sequence[int], *, key: str, server: str | None = None) -> None:
    """Say what would be fetched of a box, from where, how much and to where; and the button that does it."""
    missing = missing_years(box, years)
    if not missing:
        st.markdown(f":green-badge[here] {title}, {years_in_words(years)}, in `{data_dir() / DAILY}`.")
        return
    try:
        size = check_size(box, missing)
    except EngineError as error:
        st.warning(plain(str(error)))
        return
    lat, lon = cells(box)
    kept = len(years) - len(missing)
    requests = f"{len(missing)} requests, one for each year" if len(missing) > 1 else "one request"
    st.caption(
        f"**What is fetched:** {len(lat)} × {len(lon)} cells of every day of {years_in_words(missing)} from "
        f"{plain(find_server(server).host)} in {requests}, about **{megabytes(size)}**; what is kept takes about a "
        f"quarter of that, in `{data_dir() / DAILY}`."
        + (f" The other {kept} of {len(years)} years are there already." if kept else "")
    )
    button(f"{title}, {years_in_words(missing)}", daily(box, missing, server=server), key=key)


def order_boxes(*, key: str) -> None:
    """The paper's boxes from Zenodo."""
    st.caption(f"**What is fetched:** every file of the Zenodo record 7259555, to `{data_dir() / 'sst-boxes'}`.")
    button("The paper's boxes", boxes(), key=key)


def button(title: str, work: Work, *, key: str) -> None:
    """The button that starts a download; one is under way at a time."""
    download = current().look()
    busy = download is not None and download.is_under_way
    if st.button(
        "Download",
        key=f"download/{key}",
        type="primary",
        icon=":material/download:",
        disabled=busy,
        help="Another download is under way." if busy else None,
    ):
        try:
            current().start(title, work)
        except EngineError as error:
            st.error(plain(str(error)))
            return
        st.rerun()


def server_control() -> str:
    """Pick which of NOAA's servers is asked."""
    names = list(SERVERS)
    return st.selectbox(
        "Server",
        names,
        key="download/server",
        format_func=lambda name: SERVER_TITLES.get(name, name),
        help="Both hold the same data; where one is down, the other may not be.",
        width=360,
    )


# -- following ---------------------------------------------------------------------------------------------


def follow() -> None:
    """How the download under way stands, or how the last one ended; nothing where there was none."""
    download = current().look()
    if download is None:
        return
    if download.is_under_way:
        st.fragment(_progress, run_every=SECONDS)()
        return
    say = {"done": st.success, "stopped": st.info}.get(download.state, st.error)
    note, close = st.columns([12, 1], vertical_alignment="center")
    with note:
        say(f"{plain(download.title)}: {plain(download.message)}")
    if close.button("", icon=":material/close:", key="download/dismiss", help="Put this note away."):
        current().dismiss()
        st.rerun()


def _progress() -> None:
    """Only reads how the download stands; draws the page again once it has ended."""
    download = current().look()
    if download is None or not download.is_under_way:
        st.rerun()
    with st.container(border=True):
        title, stop = st.columns([5, 1], vertical_alignment="center")
        title.markdown(f"**Downloading** {plain(download.title)}")
        stopping = download.state == "stopping"
        if stop.button("Cancel", key="download/cancel", width="stretch", disabled=stopping):
            current().cancel()
            st.rerun()
        reached = download.reached
        if reached is None:
            st.caption("Stopping …" if stopping else "Waiting for the server's answer; the first may take minutes.")
            return
        if reached.whole_share is not None:
            st.progress(reached.whole_share, text=reached.whole)
        st.progress(reached.part_share or 0.0, text=plain(reached.part) + (" · stopping …" if stopping else ""))
