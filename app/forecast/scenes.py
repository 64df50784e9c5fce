"""The demo on the page: what a scene says, and the way to the next."""

from functools import partial

import streamlit as st

from app import session
from app.backend import Shown
from app.demo import SCENES
from engine.requests import ResolvedRequest


def scene_banner() -> None:
    """Title and words of the scene, and buttons to turn the pages, which a presenter's remote presses as well."""
    scene, number = session.scene(), session.visit().scene
    if scene is None:
        return
    with st.container(border=True, key="scene"):
        words, buttons = st.columns([3, 2], vertical_alignment="center")
        words.markdown(f"**{number} of {len(SCENES)} · {scene.title}**  \n{scene.words}")
        with buttons.container(horizontal=True, horizontal_alignment="right"):
            turn("Back", number - 1, "PageUp")
            turn("Next", number + 1, "PageDown")
            st.button("Leave", on_click=partial(session.turn_to_scene, 0))


def turn(name: str, number: int, key: str) -> None:
    """A button that turns to a scene, where there is one."""
    there = 1 <= number <= len(SCENES)
    st.button(name, disabled=not there, shortcut=key, on_click=partial(session.turn_to_scene, number))


def scene_runs(shown: Shown | None, request: ResolvedRequest | None) -> bool:
    """Whether the scene's forecast is still to come: what was shown before would contradict its words."""
    scene = session.scene()
    if scene is None or not scene.runs or shown is None or request is None or shown.is_of(request):
        return False
    return f"scene {session.visit().scene}" not in session.visit().begun or session.visit().run is not None
