"""The forecast page: pick, run, look, ask why."""

import streamlit as st

from app import controls, downloads, session
from app.backend import Shown
from app.forecast.charts import charts
from app.forecast.running import progress_strip, run_controls
from app.forecast.scenes import scene_banner, scene_runs
from app.forecast.variable import variable_control
from app.forecast.views import answers_of, view_of
from app.forecast.words import heading
from app.notes import guarded
from app.plain_text import plain
from app.player import player
from app.takeaway import static_map_controls
from engine.datasets import Dataset, get_dataset
from engine.requests import ResolvedRequest
from engine.variables import Variable


@guarded
def show() -> None:
    """The page, top to bottom."""
    session.follow_history()
    visit = session.visit()
    session.leave_scene_of_another(st.session_state.get("dataset", visit.dataset))
    scene_banner()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="top"):
        dataset = get_dataset(controls.dataset_control(visit.dataset, width=180))
        model, quantity = (st.container(width="content") for _ in range(2))
    request, given = sidebar(dataset, model)
    if given is None:
        session.turn_to(dataset.name)
        downloads.offer(dataset)
        return
    session.keep(request or given)
    for problem in (*visit.complaints, *visit.problems):
        st.error(plain(problem))
    if request is not None:
        session.rejoin(request)
    shown = session.shown(dataset.name, request)
    occasion = dataset.name
    if scene_runs(shown, request):
        shown, occasion = None, f"scene {visit.scene}"
    if visit.run is not None:
        st.fragment(progress_strip, run_every=0.5)(dataset.name)
    if shown is None:
        begin(occasion, request)
        session.write_link(dataset.name)
        return
    with quantity:
        variable = variable_control(dataset, shown.summary)
    maps_and_charts(dataset, shown, variable, None if visit.run is not None else request)


@st.fragment
def maps_and_charts(dataset: Dataset, shown: Shown, variable: Variable, request: ResolvedRequest | None) -> None:
    """What is shown of a forecast; a click on a map runs this part of the page alone."""
    summary = shown.summary
    view = view_of(dataset, shown, variable)
    session.write_link(dataset.name)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        heading(shown, request)
        static_map_controls(dataset, view)
    player(view, answers_of(summary, variable), key=f"{dataset.name}/player")
    if session.saw_maps():
        charts(dataset, summary, variable)


def sidebar(
    dataset: Dataset, model: st.delta_generator.DeltaGenerator
) -> tuple[ResolvedRequest | None, ResolvedRequest | None]:
    """The controls; returns the request they make, None where an entry cannot be used, and the one they began with.

    None instead of the latter where the data are not there.
    """
    with st.sidebar:
        if not (downloads.is_there(dataset) or session.starts_from_an_own_field(dataset.name)):
            return None, None
        given, backend = session.request_of(dataset.name), session.backend()
        request = controls.request_controls(given, backend.resolve, backend.window, backend.pace, model)
        run_controls(request)
        return request, given


def begin(occasion: str, request: ResolvedRequest | None) -> None:
    """Where there is nothing to show, or a scene wants it, a forecast starts by itself, once."""
    visit = session.visit()
    if request is not None and visit.run is None and not visit.problems and occasion not in visit.begun:
        visit.begun.add(occasion)
        session.start(request)
        st.rerun()
    if visit.run is None:
        st.info("There is no forecast to show yet: press **Run**.")
