"""What forecasts are computed on, what is stored of them, and what lies in the user's folders."""

import os
import platform

import pandas as pd
import streamlit as st

from app.plain_text import plain
from app.sizes import in_words, measure
from engine.cache import default_cache
from engine.folders import data_dir
from engine.hardware import cores, device_name, processor_name

NARROW = 860  # px; short lines are easier to follow
FOLDERS = {
    "history": "the history of runs",
    "own": "fields of your own that are kept",
    "sst-daily": "daily sea surface temperature from NOAA",
    "sst-boxes": "the DYffusion paper's boxes",
    "simulated": "training and test runs made by `simulate`",
    "training": "training under way or done",
    "scorecard": "forecasts scored for the score card",
}
"""What the folders of the user's data folder hold."""


def machine() -> None:
    """Device, cache and data folder."""
    st.markdown("#### What forecasts are computed on")
    facts(device())
    st.caption(
        "Nothing leaves this machine: the page reports to nobody, and asks another server only for a download that you "
        "start."
    )
    st.markdown("#### Stored forecasts")
    stored()
    st.markdown("#### Your data")
    your_data()


def facts(rows: list[tuple[str, str]]) -> None:
    """Names and values, line by line."""
    st.table(
        pd.DataFrame(rows, columns=["", " "]), border="horizontal", hide_index=True, hide_header=True, width=NARROW
    )


def device() -> list[tuple[str, str]]:
    """The hardware and what drives it."""
    import torch

    gpu = torch.cuda.is_available()
    rows = [
        ("Forecasts run on", f"{device_name()} ({'GPU' if gpu else 'CPU'})"),
        ("Processor", f"{processor_name()}, {cores()} core{'' if cores() == 1 else 's'} for Coldcast"),
        ("GPU", graphics() if gpu else "none that PyTorch can use"),
        ("Memory", memory()),
        ("PyTorch", f"{torch.__version__}, {torch.get_num_threads()} threads"),
        ("Precision", "fp32 unless a request says bf16"),
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
    ]
    return rows


def graphics() -> str:
    """The GPUs with their memory."""
    import torch

    names = []
    for index in range(torch.cuda.device_count()):
        each = torch.cuda.get_device_properties(index)
        names.append(f"{each.name}, {in_words(each.total_memory)}")
    return "; ".join(names)


def memory() -> str:
    """The memory of the machine; a dash where the system does not say."""
    try:
        return in_words(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return "–"


def stored() -> None:
    """The cache, and the button that clears it."""
    cache = default_cache()
    usage = cache.usage()
    if cache.problem is not None:
        st.warning(plain(cache.problem))
    facts(
        [
            ("Folder", str(cache.directory)),
            ("Stored", f"{usage.arrays:,} windows and refinements of single members, {in_words(usage.size)}"),
            ("Limit", f"{in_words(cache.size_limit)}; beyond it what was used longest ago goes first"),
        ]
    )
    with st.popover("Clear …", icon=":material/delete:", disabled=usage.size == 0):
        st.markdown(
            f"This frees {in_words(usage.size)} and loses no result for good: every forecast can be computed again, to "
            "the same numbers, which takes as long as the first time. The history of runs, names and pins stay. "
            "Everyone who uses this machine shares these forecasts."
        )
        if st.button("Clear the stored forecasts", type="primary", key="about-clear"):
            freed = cache.clear()
            st.session_state["about-cleared"] = f"The stored forecasts are gone; {in_words(freed)} are free again."
            st.rerun()
    said = st.session_state.pop("about-cleared", None)
    if said is not None:
        st.success(said)


def your_data() -> None:
    """What lies in the data folder."""
    folder = data_dir()
    found = sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
    if not found:
        st.markdown(f"There is nothing in `{folder}` yet: fields of your own and downloads will lie there.")
        return
    rows = [(each.name, FOLDERS.get(each.name, ""), in_words(measure(each).size)) for each in found]
    st.caption(f"In `{folder}`. What you delete there is gone; Coldcast itself deletes none of it unasked.")
    st.table(
        pd.DataFrame(rows, columns=["Folder", "What it holds", "Size"]),
        border="horizontal",
        hide_index=True,
        width=NARROW,
    )
