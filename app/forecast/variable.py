"""Which quantity the maps show."""

import numpy as np
import streamlit as st

from app import controls, session
from app.plain_text import plain
from app.summary import Summary
from app.widgets import held, key_in
from engine.datasets import Dataset
from engine.errors import EngineError
from engine.variables import CLIMATOLOGY, Variable, exceedance, variable_named, variables_of


def variable_control(dataset: Dataset, summary: Summary) -> Variable:
    """Pick what the maps show; of a heatwave also the threshold."""
    known = {variable.name: variable for variable in variables_of(dataset.name)}
    look, key = session.look_of(dataset.name), key_in(dataset.name, "variable")
    picked = st.segmented_control(
        "Variable",
        list(known),
        key=key,
        default=held(key, look.variable),
        format_func=lambda name: short_title(known[name], summary),
        required=True,
        help=controls.HELP["variable"],
    )
    variable = known[picked]
    session.change_look(dataset.name, variable=picked)
    if variable.threshold is None:
        return variable
    threshold = controls.threshold_control(dataset, look.threshold, typical(summary))
    session.change_look(dataset.name, threshold=threshold)
    asked = exceedance(threshold)
    try:
        with st.spinner("Finding the threshold …", show_time=True):
            session.backend().refer(summary, asked)
    except EngineError as error:
        st.warning(plain(str(error)))
        return next(iter(known.values()))
    return asked


def short_title(variable: Variable, summary: Summary) -> str:
    """The name of a variable; an anomaly's names the years of its baseline."""
    is_anomaly = CLIMATOLOGY in variable.references
    return f"{variable.short} ({summary.baseline})" if is_anomaly and summary.baseline else variable.short


def typical(summary: Summary) -> float:
    """A warm but common temperature of the forecast, in whole degrees: nine tenths of the first map are colder."""
    maps = summary.maps(variable_named(summary.dataset, "sst"))
    return float(np.round(np.nanpercentile(maps.truth[0], 90)))
