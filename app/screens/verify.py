"""The verify page: how good one forecast is, at which lead, where, and whether it keeps to physics."""

import streamlit as st

from app.frame import Stage, on_a_forecast, stage_heading
from app.plain_text import plain
from app.verify.card import score_card
from app.verify.charts import charts, physics
from app.verify.maps import score_maps, show_surprises
from app.verify.numbers import command_of, physics_of, verified
from engine.errors import RequestError


@on_a_forecast(members=True)
def show(stage: Stage) -> None:
    """The page, top to bottom."""
    stage_heading(stage)
    if stage.summary.members < 2:
        st.info("One member has an error, but no spread, no fair CRPS and no ranks: ask for two or more.")
    try:
        found = verified(stage)
    except RequestError as error:
        st.info(plain(str(error)), icon=":material/visibility_off:")
    else:
        score_maps(stage, found)
        show_surprises(stage, found)
        charts(stage, found)
    physics(stage, physics_of(stage))
    score_card(stage)
    with st.expander("The same numbers on the command line"):
        st.code(command_of(stage), language="bash", wrap_lines=True)
