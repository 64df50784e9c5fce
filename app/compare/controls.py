"""The controls of B: what it does in another way than A, what it takes, and the buttons that run it."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import sampler, session, wording
from app.backend import Shown
from app.compare.rival import (
    FIELDS,
    Preset,
    cards_of,
    differences_in,
    differences_of,
    ground_of,
    preset_of,
    presets,
    rival_of,
    set_differences,
    walking_model,
)
from app.compare.words import cost_sentence, difference_sentence
from app.forecast.running import PATIENCE
from app.link import written
from app.plain_text import plain
from app.widgets import begin_anew, key_in
from engine.errors import EngineError
from engine.requests import MAX_MEMBERS, PRECISIONS, ResolvedRequest
from engine.sampling import SOLVERS

REVISION = "compare/revision"
HELP = {
    "presets": "Ways for B to differ from A, the forecast of the controls at the left; press the chosen one to end it.",
    "run": "Compute B; A stays as it is. One run at a time: others may wait in the queue behind it.",
    "swap": "B becomes the forecast of the controls at the left, and A the one that it is compared with.",
    "model": "The networks that make B. Another model brings its own way to sample.",
    "schedule": sampler.HELP["schedule"].partition(" Click")[0]
    + " Pick one, or write rising lead times in data steps, separated by commas, such as 0,4,8.",
    "noise": sampler.HELP["noise"] + " A number from 0 to 1 is the correlation of two calls in one step.",
    "members": "Ensemble members of B. Fair CRPS does not depend on their number on average, but is less sure of few.",
}


def rival_controls(first: ResolvedRequest) -> ResolvedRequest | None:
    """Pick how B differs from A; returns its request, None where nothing differs yet or it cannot be run."""
    resolve, settings = session.backend().resolve, session.settings_of(first.dataset)
    walker = ground_of(first, walking_model(first, cards_of(first.dataset)), resolve)
    known = presets(first, session.backend().window(walker), resolve)
    before = dict(settings)
    place = st.container()
    with st.expander("All settings of B", key="settings-of-b"):
        problem = _knobs(first)
    if settings != before:
        session.visit().problems = []
    second = None
    try:
        second = rival_of(first, differences_in(settings), resolve)
    except EngineError as error:
        problem = str(error)
    with place:
        _preset_control(first, second, known)
    if problem:
        st.error(plain(problem))
        return None
    return second if second != first else None


def at_hand(second: ResolvedRequest) -> Shown | None:
    """The forecast B where it is finished, or stored and read by now; what goes on already is followed."""
    backend, here = session.backend(), session.visit()
    found = backend.finished.get(second) or _example(second)
    if found is not None or here.run is not None or here.problems:
        return found
    occasion = f"beside {second}"
    if backend.is_under_way(second) and occasion not in here.begun:  # a person may have loaded the page anew
        here.begun.add(occasion)
        session.start(second, beside=True)
        st.rerun()
    if backend.cost(second).left == 0:
        session.show_stored(second, PATIENCE, beside=True)
        if here.run is not None:
            st.rerun()
    return backend.finished.get(second)


def _example(second: ResolvedRequest) -> Shown | None:
    """The stored example, where it is B and has its members."""
    example = session.backend().example(second.dataset)
    known = example is not None and example.is_of(second) and example.summary.ensemble is not None
    return example if known else None


def say_and_run(first: ResolvedRequest, second: ResolvedRequest, rival: Shown | None) -> None:
    """How B differs and what it takes, and the buttons that run it or let it change places with A."""
    busy, cost = session.visit().run is not None, session.backend().cost(second)
    sentence = difference_sentence(first, second)
    if rival is None:
        calls = session.backend().engine.calls_per_member(first)
        sentence += " " + cost_sentence(second, cost, estimated_seconds(second, cost.seconds, cost.left), calls)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(sentence, width="stretch")
        with st.container(horizontal=True, width="content", gap="small"):
            run = rival is None and _run_button(busy)
            change = st.button(
                "Swap A and B", icon=":material/swap_horiz:", disabled=busy, help=HELP["swap"], key="swap"
            )
    if run:
        session.visit().begun.add(f"beside {second}")
        session.start(second, beside=True)
        st.rerun()
    if change:
        swap(first, second)
        st.rerun()
    if rival is None and busy and not session.visit().beside:
        st.caption("Another forecast of yours is running: B can be run when that is done.")


def _run_button(busy: bool) -> bool:
    return st.button(
        "Run B", type="primary", icon=":material/play_arrow:", disabled=busy, help=HELP["run"], key="run-b"
    )


def estimated_seconds(second: ResolvedRequest, seconds: float | None, left: int) -> float | None:
    """Seconds that so many calls take: as was measured, else by the newest run of the model in the history."""
    if seconds is not None:
        return seconds
    runs = [entry for entry in session.backend().history.listing().entries if entry.run.calls > 0]
    same = [entry for entry in runs if (entry.run.request.dataset, entry.run.request.model) == _whose(second)]
    newest = max(same, key=lambda entry: entry.ended, default=None)
    return None if newest is None else newest.run.seconds / newest.run.calls * left


def _whose(request: ResolvedRequest) -> tuple[str, str]:
    return request.dataset, request.model


def swap(first: ResolvedRequest, second: ResolvedRequest) -> None:
    """B becomes the forecast of the controls, A what it is compared with."""
    here, resolve = session.visit(), session.backend().resolve
    here.requests[first.dataset] = second
    set_differences(session.settings_of(first.dataset), differences_of(second, first, resolve))
    begin_anew()


def _preset_control(first: ResolvedRequest, second: ResolvedRequest | None, known: Sequence[Preset]) -> None:
    """Differences to pick by one click."""
    titles = {preset.name: preset.title for preset in known}
    chosen = "" if second is None else preset_of(second, first, tuple(known), session.backend().resolve)
    key = _key(first, f"preset/{chosen}")

    def pick() -> None:
        name = st.session_state[key]
        picked = next((preset for preset in known if preset.name == name), None)
        set_differences(session.settings_of(first.dataset), {} if picked is None else picked.differences)
        session.visit().problems = []
        st.session_state[REVISION] = st.session_state.get(REVISION, 0) + 1

    whys = "\n".join(f"- **{preset.title}**: {preset.why}." for preset in known)
    st.pills(
        "How B differs from A",
        list(titles),
        default=chosen or None,
        format_func=titles.__getitem__,
        key=key,
        on_change=pick,
        help=f"{HELP['presets']}\n{whys}",
    )


def _key(first: ResolvedRequest, name: str) -> str:
    """The key of a widget of B: where A or all of B changes, widgets are others and begin anew."""
    ways = "/".join(written(getattr(first, field)) for field in FIELDS)
    return key_in(first.dataset, f"b/{ways}/{st.session_state.get(REVISION, 0)}/{name}")


def _knobs(first: ResolvedRequest) -> str:
    """Everything in which B may differ; what is picked is written into the link. Returns what cannot be used."""
    resolve, settings = session.backend().resolve, session.settings_of(first.dataset)
    said = differences_in(settings)
    columns = st.columns(4)
    with columns[0]:
        model = _model_knob(first, said.get("model", first.model))
    if model != said.get("model", first.model):  # which has its own way to sample
        said = {name: text for name, text in said.items() if name in ("precision", "members")}
    said.pop("model", None)
    try:
        ground = ground_of(first, model, resolve)
    except EngineError as error:
        return str(error)
    window = session.backend().window(ground)
    knobs = _Knobs(first, ground, model, said)
    if window.method == "dropout":
        columns[1].caption(sampler.NO_SCHEDULE)
    else:
        schedules, couplings = (
            sampler.schedule_presets(window),
            [each for each in sampler.NOISE if each != "correlation"],
        )
        knobs.list_(columns[1], "schedule", "Sampling schedule", schedules, HELP["schedule"], free=True)
        knobs.list_(columns[2], "solver", "Sampler", list(SOLVERS), sampler.HELP["solver"], words=SOLVER_WORDS)
        words = {each: sampler.noise_words(each).removeprefix("noise ").capitalize() for each in couplings}
        knobs.list_(columns[3], "noise", "Noise", couplings, HELP["noise"], words=words, free=True)
        switches = {"true": "On", "false": "Off"}
        knobs.list_(columns[0], "refine", "Refine", ["true", "false"], sampler.HELP["refine"], words=switches)
        steps = sampler.LAST_STEP
        knobs.list_(columns[1], "last_step", "Last step", list(steps), sampler.HELP["last_step"], words=steps)
    precisions = sampler.PRECISION
    knobs.list_(columns[2], "precision", "Precision", list(PRECISIONS), sampler.HELP["precision"], words=precisions)
    knobs.members(columns[3])
    by_model = {} if model == first.model else {"model": model}
    set_differences(settings, by_model | knobs.said)
    return ""


SOLVER_WORDS = {name: name.capitalize() for name in SOLVERS}


def _model_knob(first: ResolvedRequest, shown: str) -> str:
    names = [card.name for card in cards_of(first.dataset)]
    names = [*names, *(name for name in dict.fromkeys((first.model, shown)) if name not in names)]
    return st.selectbox(
        "Model",
        names,
        names.index(shown),
        key=_key(first, "model"),
        format_func=wording.model_title,
        help=wording.models_help(HELP["model"], tuple(names)),
    )


class _Knobs:
    """Widgets of B's fields; `said` holds what differs from the ground, as the link writes it."""

    def __init__(self, first: ResolvedRequest, ground: ResolvedRequest, model: str, said: dict[str, str]) -> None:
        self.first, self.ground, self.model, self.said = first, ground, model, said

    def list_(
        self,
        place: Any,
        name: str,
        label: str,
        options: Sequence[str],
        help_: str,
        *,
        words: dict[str, str] | None = None,
        free: bool = False,
    ) -> None:
        """Pick from a list; free: or write something else."""
        ground = written(getattr(self.ground, name))
        shown = self.said.get(name, ground)
        names = [*options, *(each for each in dict.fromkeys((ground, shown)) if each not in options)]
        picked = place.selectbox(
            label,
            names,
            names.index(shown),
            key=_key(self.first, f"{self.model}/{name}"),
            format_func=lambda each: (words or {}).get(each, each),
            help=help_,
            accept_new_options=free,
        )
        self._keep(name, str(picked), ground)

    def members(self, place: Any) -> None:
        """Type the number of members."""
        ground = written(self.ground.members)
        shown = self.said.get("members", ground)
        said = int(shown) if shown.isdecimal() and len(shown) < 5 else 0
        count = said if 0 < said <= MAX_MEMBERS else self.ground.members
        key = _key(self.first, f"{self.model}/members")
        picked = place.number_input("Ensemble members", 1, MAX_MEMBERS, count, 1, key=key, help=HELP["members"])
        self._keep("members", str(picked), ground)

    def _keep(self, name: str, value: str, ground: str) -> None:
        self.said.pop(name, None)
        if value != ground:
            self.said[name] = value
