"""The verify page: how good one forecast is, at which lead, where, and whether it keeps to physics."""

import streamlit as st

from app.frame import Stage, on_a_forecast
from app.plain_text import plain
from app.takeaway import heading_row, take_away
from app.verify.card import card_command, score_card
from app.verify.charts import charts, physics
from app.verify.maps import score_maps, show_surprises
from app.verify.numbers import command_of, physics_of, verified
from engine.errors import RequestError


@on_a_forecast(members=True)
def show(stage: Stage) -> None:
    """The page, top to bottom."""
    corner = heading_row(stage)
    if stage.shown.origin == "arriving":
        st.info("The forecast is verified once all of it is there.", icon=":material/hourglass:")
        return
    with st.container():  # so that the maps keep their place on the page, whatever is said above them
        if stage.shown.origin == "example":
            st.caption(EXAMPLE)
        if stage.summary.members < 2:
            st.info("One member has an error, but no spread, no fair CRPS and no ranks: ask for two or more.")
    try:
        found = verified(stage)
    except RequestError as error:
        st.info(plain(str(error)), icon=":material/visibility_off:")
    else:
        take_away(stage, score_maps(stage, found), corner)
        show_surprises(stage, found)
        charts(stage, found)
    physics(stage, physics_of(stage))
    scoring = score_card(stage)
    with st.expander("The same numbers on the command line"):
        st.caption("Everything on this page about this one forecast:")
        st.code(command_of(stage), language=None, wrap_lines=True)
        if scoring is not None:
            st.caption("The score card over initial conditions:")
            st.code(card_command(stage, scoring), language=None, wrap_lines=True)


EXAMPLE = (
    "The stored example keeps its members in steps of 0.02 °C, so its scores differ from those of the forecast itself "
    "behind the third digit: press **Run** for these."
)
