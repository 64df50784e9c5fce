"""The tab of the numbers: members or moments as netCDF, with their size."""

from functools import partial

import streamlit as st

from app.examples import rounding_of
from app.exports.forecast_file import Contents, forecast_file, knows_truth, request_of, size_of
from app.exports.names import file_name, forecast_name
from app.frame import Stage
from app.player import View
from app.sizes import in_words

LARGEST = 2**30  # bytes that a browser is handed; larger files are for the command line


def data_tab(stage: Stage, view: View) -> None:
    """What the file holds, how large it is, and the button that makes and saves it."""
    del view  # the numbers are those of the forecast, not of the maps
    contents = contents_controls(stage)
    size = size_of(stage.summary, contents)
    if size > LARGEST:
        st.warning(f"The file would take {in_words(size)}. Choose moments, or write it with the command line.")
        return
    st.caption(f"One netCDF-4 file after CF-1.11, about {in_words(size)}. {origin_words(stage)}".strip())
    what = "members" if contents.members else "moments"
    name = what if contents.variable is None else f"{contents.variable.name}_{what}"
    st.download_button(
        "Save the data",
        data=partial(forecast_file, stage.summary, contents, origin_words(stage)),
        file_name=file_name(forecast_name(stage.dataset, stage.summary, name), ending="nc"),
        mime="application/x-netcdf",
        on_click="ignore",
        type="primary",
        width="stretch",
        icon=":material/download:",
    )
    st.caption("The numbers behind a chart: **CSV** beside its title.")


def contents_controls(stage: Stage) -> Contents:
    """Pick members or moments, of all channels or the variable shown."""
    summary, variable = stage.summary, stage.variable
    truth = knows_truth(summary, variable)
    if summary.ensemble is None:
        st.info("The example holds maps of mean and spread, no members: press **Run** for a file of members.")
        return Contents(members=False, variable=variable, truth=truth)
    what = st.segmented_control(
        "Contents", ["Members", "Moments"], default="Members", required=True, help=CONTENTS_HELP
    )
    of = st.segmented_control(
        "Of", ["All channels", variable.short], default="All channels", required=True, help=CHANNELS_HELP
    )
    quantiles = False
    if what == "Moments":
        quantiles = st.toggle("Quantiles 5, 25, 50, 75, 95 %", help=QUANTILES_HELP)
        if summary.members < 2:
            st.caption("One member has no standard deviation: it stands in the file without values.")
    with_truth = truth and st.toggle("What really happened, beside it", value=True, help=TRUTH_HELP)
    if not truth:
        st.caption("No truth is known at any lead of this forecast.")
    only = None if of == "All channels" else variable
    return Contents(what == "Members", only, quantiles, with_truth)


def origin_words(stage: Stage) -> str:
    """In what the numbers differ from those of a finished forecast."""
    summary, asked = stage.summary, request_of(stage.summary)
    if stage.shown.origin == "example":
        step = rounding_of(summary, stage.variable).get("mean")
        words = f"steps of {step:.1g}" if step else "steps of 0.02"
        return f"The stored example is rounded to {words}; Run makes the forecast in full."
    there, wanted = (summary.members, int(summary.leads[-1])), (asked.members, asked.steps)
    if there != wanted:
        return f"What had arrived: {there[0]} of {wanted[0]} members, {there[1]} of {wanted[1]} steps."
    return ""


CONTENTS_HELP = (
    "Members: every ensemble member in full, as engine.forecast returns them. Moments: mean and standard deviation "
    "of the members (of the sample, divisor M − 1)."
)
CHANNELS_HELP = "Channels are what the model forecasts; any variable follows from them."
QUANTILES_HELP = "At every cell, linear between the ordered members."
TRUTH_HELP = "Adds the true fields at the lead times, without values where they are not known."
