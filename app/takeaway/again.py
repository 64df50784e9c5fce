"""The tab of what makes it again: the link, and lines of Python and of the command line."""

from pathlib import Path

import streamlit as st

from app import session
from app.exports.code import evaluate_line, forecast_line, python_lines, settings
from app.exports.forecast_file import knows_truth, request_of
from app.frame import Stage
from app.player import View
from app.scripts import joined
from engine.datasets.base import OWN

_HERE = Path(__file__).parent
_link = st.components.v2.component(
    "coldcast_link", js=joined(_HERE, "link"), css=(_HERE / "link.css").read_text(encoding="utf-8")
)


def again_tab(stage: Stage, view: View) -> None:
    """The link to what is shown, and the lines that compute it."""
    del view  # the lines make the forecast; the link, which the browser knows best, holds the maps
    st.markdown("**Link**", help=LINK_HELP)
    _link(key="take-away/link")
    request = request_of(stage.summary)
    complete = st.toggle("Write out every setting", help=COMPLETE_HELP)
    given = settings(request, session.backend().resolve, complete=complete)
    scored = knows_truth(stage.summary, stage.variable)
    if str(request.init).startswith(OWN):
        st.caption("It starts from a field of your own, which only this machine has.")
    st.markdown("**Python**", help="Run it in the project's folder.")
    st.code(python_lines(given, stage.variable.name, members=request.members, scored=scored), language="python")
    st.markdown("**Command line**", help="The first writes the members as netCDF, the second scores by lead time.")
    lines = [forecast_line(given), *([evaluate_line(given, stage.variable.name)] if scored else [])]
    st.code("\n".join(lines), language="bash", wrap_lines=True)
    if not scored:
        st.caption("No truth is known at any lead, so that there are no scores.")


LINK_HELP = (
    "Opens this page elsewhere with the same forecast, variable, place, colours and lead time. It holds the settings, "
    "not the numbers, which are computed again where they are not stored."
)
COMPLETE_HELP = "Otherwise only what differs from the defaults of the data set and the model, which may change."
