"""What the page offers for a data set whose data are not on this machine."""

import streamlit as st

from engine.datasets import Dataset

DESCRIPTIONS = {
    "sst-daily": (
        "Sea surface temperature of every day on a 0.25° grid, NOAA OISST (Reynolds et al. 2007; Huang et al. 2021). "
        "The models know the Tasman Sea off Tasmania, 45–37°S, 147–155°E; their climatology needs the years 1982 to "
        "2014, and forecasts are best started in the test years 2013 and 2014.\n\n"
        "The data do not come with Coldcast, and nothing is fetched without being asked for. This command gets them "
        "from NOAA's public server, about 50 MB in 33 files, one for each year; it may be interrupted and run again:"
    ),
}
COMMANDS = {"sst-daily": "python -m engine fetch sst-daily"}


def offer(dataset: Dataset) -> None:
    """Say in one block what the data set is and how to get it."""
    with st.container(border=True):
        st.markdown(f"#### {dataset.title}")
        st.markdown(DESCRIPTIONS.get(dataset.name, f"Its data are not on this machine: {dataset.remedy}."))
        if dataset.name in COMMANDS:
            st.code(COMMANDS[dataset.name], language="bash")
            st.button(
                "Look again", icon=":material/refresh:", help="Once the data are there, their forecasts are shown."
            )
