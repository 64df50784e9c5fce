"""The frame of all pages about one forecast: the controls, how a run goes on, and below it the page itself.

A page is a function of a `Stage`; link, data set, model, variable, time, place and colours are one for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import controls, downloads, session
from app.backend import Shown
from app.forecast.running import progress_strip, run_controls
from app.forecast.scenes import scene_banner, scene_runs
from app.forecast.variable import variable_control
from app.forecast.words import heading
from app.notes import guarded
from app.plain_text import plain
from app.summary import Summary
from engine.datasets import Dataset, get_dataset
from engine.requests import ResolvedRequest
from engine.variables import Variable


@dataclass(frozen=True, eq=False)
class Stage:
    """What a page is about: a forecast and how it is looked at.

    request: that of the controls, which may be another than that of the forecast; None where an entry cannot be used,
    or while a run goes on. turn: which turn of the visit it was set for (`session.turn`).
    """

    dataset: Dataset
    shown: Shown
    variable: Variable
    request: ResolvedRequest | None
    turn: tuple[int, int]

    @property
    def summary(self) -> Summary:
        """The forecast."""
        return self.shown.summary


Body = Callable[[Stage], None]


def on_a_forecast(*, members: bool = False) -> Callable[[Body], Callable[[], None]]:
    """Makes a page of a function that shows a forecast; it runs again by itself when a person acts on its maps.

    members: whether it needs the members themselves; where there are none, their forecast starts by itself.
    """

    def framed(body: Body) -> Callable[[], None]:
        @guarded
        @wraps(body)
        def show() -> None:
            stage = set_stage(members=members)
            if stage is not None:
                st.fragment(_act)(body, stage)

        return show

    return framed


def _act(body: Body, stage: Stage) -> None:
    """The page itself; what it shows is written into the link.

    Where a person turned to something else and Streamlit runs this part alone all the same (a press may meet a message
    of the maps), the whole page is drawn.
    """
    if stage.turn != session.turn():
        st.rerun()
    guarded(body)(stage)
    session.write_link(stage.dataset.name)


def set_stage(*, members: bool = False) -> Stage | None:
    """What all pages have above the maps and beside them; None where there is nothing to show yet."""
    session.follow_history()
    visit = session.visit()
    session.leave_scene_of_another(st.session_state.get("dataset", visit.dataset))
    banner, top, problems, strip = (st.container() for _ in range(4))  # so that what comes and goes moves nothing below
    with banner:
        scene_banner()
    with top, st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="top"):
        dataset = get_dataset(controls.dataset_control(visit.dataset, width=180))
        model, quantity = (st.container(width="content") for _ in range(2))
    request, given = sidebar(dataset, model)
    if given is None:
        session.turn_to(dataset.name)
        downloads.offer(dataset)
        return None
    session.keep(request or given)
    for problem in (*visit.complaints, *visit.problems):
        problems.error(plain(problem))
    if request is not None:
        session.rejoin(request)
    shown = session.shown(dataset.name, request)
    occasion = dataset.name
    if scene_runs(shown, request):
        shown, occasion = None, f"scene {visit.scene}"
    if members and shown is not None and shown.summary.ensemble is None:
        shown, occasion = None, f"members of {dataset.name}"
    if visit.run is not None:
        with strip:
            st.fragment(progress_strip, run_every=0.5)(dataset.name)
    if shown is None:
        begin(occasion, request)
        session.write_link(dataset.name)
        return None
    with quantity:
        variable = variable_control(dataset, shown.summary)
    return Stage(dataset, shown, variable, None if visit.run is not None else request, session.turn())


def sidebar(dataset: Dataset, model: DeltaGenerator) -> tuple[ResolvedRequest | None, ResolvedRequest | None]:
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


def stage_heading(stage: Stage) -> None:
    """Say which forecast is shown, and whether the controls ask for another one by now."""
    if session.look_of(stage.dataset.name).member is None:
        heading(stage.shown, stage.request)
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        with st.container(width="content"):
            heading(stage.shown, stage.request)
        pinned_badge(stage.dataset, stage.summary)


def pinned_badge(dataset: Dataset, summary: Summary) -> None:
    """Say which member is pinned, with a way to let it go; also where this forecast has none of its number."""
    member = session.look_of(dataset.name).member
    if member is None:
        return
    words = f"Member {member + 1} pinned"
    if session.pinned(summary) is None:
        missing = "no members at hand" if summary.ensemble is None else f"only {summary.members} members"
        words = f"Member {member + 1} is pinned, this forecast has {missing}"
    st.button(
        words,
        key=f"{dataset.name}/unpin",
        icon=":material/close:",
        on_click=session.pin,
        args=(dataset.name, member),
        type="tertiary",
        help="This member is drawn bold in the charts and has maps of its own. Press to let it go.",
    )
