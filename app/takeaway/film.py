"""The tab of the animation: which maps, how fast and how large, as a GIF or an MP4."""

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from app.exports.names import file_name, forecast_name
from app.frame import Stage
from app.player import View

if TYPE_CHECKING:
    from app.exports.animation import Cut, Kind

MANY = 200  # frames of an animation, beyond which some are left out at first
MOST_AT_FIRST = 4  # maps


def film_tab(stage: Stage, view: View) -> None:
    """What becomes an animation, and the button that makes and saves it."""
    from app.exports.animation import KINDS, MIMES, animation, has_ffmpeg  # loads matplotlib

    cut = cut_controls(view)
    kinds = [kind for kind in KINDS if kind != "mp4" or has_ffmpeg()]
    kind: Kind = st.segmented_control(
        "Format", kinds, default=kinds[-1], format_func=KINDS.__getitem__, required=True, help=FORMAT_HELP
    )
    if len(kinds) < len(KINDS):
        st.caption("There is no ffmpeg for this machine, which an MP4 needs: name one in IMAGEIO_FFMPEG_EXE.")
    if not cut.panels:
        st.caption("Choose one map or more.")
        return
    frames = len(cut.frames(view))
    st.caption(f"{frames} frames, {frames / cut.rate:.1f} s. Making it takes a few seconds.")
    st.download_button(
        "Save the animation",
        data=partial(animation, view, cut, kind),
        file_name=file_name(forecast_name(stage.dataset, stage.summary, view.variable), ending=kind),
        mime=MIMES[kind],
        on_click="ignore",
        type="primary",
        width="stretch",
        icon=":material/download:",
    )


def cut_controls(view: View) -> "Cut":
    """Pick maps, pace and size."""
    from app.exports.animation import RATES, WIDTHS, Cut

    titles = {panel.name: panel.title for panel in view.panels}
    names = list(titles)
    panels = st.multiselect(
        "Maps", names, names[:MOST_AT_FIRST], format_func=titles.__getitem__, help="Which of the maps on the screen."
    )
    pace, skip = st.columns(2)
    with pace:
        rate = st.selectbox("Frames per second", RATES, RATES.index(10), help="How fast the lead times follow.")
    with skip:
        steps = (1, 2, 4, 8)
        first = next((step for step in steps if len(view.leads) <= MANY * step), steps[-1])
        every = st.selectbox(
            "Lead times", steps, steps.index(first), format_func=EVERY.__getitem__, help="Fewer make a smaller file."
        )
    width = st.segmented_control(
        "Width",
        list(WIDTHS),
        default=1280,
        format_func=lambda pixels: f"{pixels} px",
        required=True,
        help="Of the picture; its height follows from the maps.",
    )
    dark = st.segmented_control(
        "Background", ["White", "Dark"], default="White", required=True, help="Behind maps and letters."
    )
    return Cut(tuple(name for name in names if name in panels), every, rate, width, dark == "Dark")


EVERY = {1: "All", 2: "Every second", 4: "Every fourth", 8: "Every eighth"}
FORMAT_HELP = "MP4 (H.264) is small and sharp, for talks and the web; GIF, of 256 colours, moves where no film plays."
