"""Fill in: what the interpolator draws between two frames that are known, beside what happened there."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from app import session, settings
from app.charts import show_chart
from app.frame import Stage
from app.player import Panel
from app.plots.curves import BLUE, GREEN, GREY, ORANGE, Curve
from app.plots.walk import along_chart
from app.summary import Scores
from app.walk.frames import NO_INTERPOLATOR, frames_control, frames_words, request_of
from app.walk.ground import (
    Ground,
    amount,
    field_panel,
    ground_of,
    score_units,
    show_maps,
    shown_of,
    spread_of,
    spread_panel,
    units_of,
)
from app.walk.waiting import obtain
from app.walk.work import FillAsk, Found
from engine.fill_in import FillIn
from engine.forecasting import plan_of
from engine.variables import Variable

MEMBERS = 8
MOST_MEMBERS = 20
MOST_LEADS = 48  # that are filled in; of a longer window every second lead, third …
DRAWS = {"independent": "Anew at each lead", "window": "One for all leads"}
HELP = {
    "draws": (
        "The interpolator draws at random, by dropout: anew at each lead, so that neighbouring leads differ by chance, "
        "or one draw of a member for all leads, so that each member is a smooth path."
    ),
    "members": "How many paths are drawn between the two frames; each costs a network call per lead.",
    "finer": "Also draw half-way between the data steps, where no truth is known: the network takes any lead.",
    "shown": "The maps show the mean of the members, or one of them.",
    "scores": (
        "Over all cells that count. Both frames are given, so everything is 0 at both ends. RMSE is of the members' "
        "mean; the fair CRPS scores all members and does not depend on how many there are; the spread is corrected by "
        "√((M+1)/M), so that it equals the RMSE in a reliable ensemble. Dotted: the straight line in time between the "
        "two frames, which any interpolator must beat."
    ),
}


@dataclass(frozen=True, eq=False)
class Filled:
    """A variable of what was filled in as the maps show it: (member, frame, y, x), truth (frame, y, x)."""

    leads: np.ndarray
    states: np.ndarray
    truth: np.ndarray
    scores: Scores
    straight: Scores


def the_fill_in(stage: Stage) -> None:
    """This part of the page."""
    request, name = request_of(stage), stage.dataset.name
    window = session.backend().window(request)
    if window.method == "dropout":
        st.info(NO_INTERPOLATOR)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        given = frames_control(stage.dataset, request)
        if given is None:
            return
        count = settings.number(
            name,
            "filled",
            "Members",
            low=1.0,
            high=float(MOST_MEMBERS),
            default=float(MEMBERS),
            step=1.0,
            help=HELP["members"],
            width=140,
        )
        draws = settings.choice(name, "draws", "The interpolator draws", DRAWS, help=HELP["draws"])
        which = shown_control(name, int(count))
        finer = settings.flag(name, "finer", "Half steps too", help=HELP["finer"])
    plan = plan_of(given)
    first, second = frames_words(stage.dataset, plan)
    st.markdown(
        f"The frames at **{first}** and **{second}** of the run are known; the **interpolator** draws what may have "
        "happened in between, without ever seeing it. Such draws are what the sampler makes its steps of: where they "
        "are wrong, or too sure of themselves, so is the forecast."
    )
    ask = FillAsk(given, leads_of(window.horizon, finer=finer), int(count), draws)
    found = obtain([ask])
    if found is None:
        return
    ground = ground_of(given)
    filled = filled_of(found[0], ground, stage.variable)
    members = f"{int(count)} member{'' if count == 1 else 's'}"
    st.caption(f"{members} · {ask.calls:,} network calls · the interpolator's dropout is on, as in training")
    of = f"{given.init}/{draws}/{finer}"
    fill_maps(stage, ground, found[0].result, filled, which, of)
    fill_chart(stage, filled)


def shown_control(dataset: str, members: int) -> int | None:
    """Pick what the maps show: a member by its place, None for the mean."""
    options = {"mean": "Mean"} | {str(member + 1): f"Member {member + 1}" for member in range(members)}
    picked = settings.choice(dataset, "filled-maps", "Maps show", options, help=HELP["shown"], shape="list", width=140)
    return None if picked == "mean" else int(picked) - 1


def leads_of(horizon: int, *, finer: bool) -> tuple[float, ...]:
    """The leads that are filled in, both ends among them."""
    stride = -(-horizon // MOST_LEADS)
    step = stride / 2 if finer else float(stride)
    return (*np.arange(0.0, horizon, step).tolist(), float(horizon))


def filled_of(found: Found, ground: Ground, variable: Variable) -> Filled:
    """A variable of what was filled in."""
    return found.once("filled", variable.name, make=partial(_filled_of, found.result, ground, variable))


def _filled_of(result: FillIn, ground: Ground, variable: Variable) -> Filled:
    states = ground.fields(result.states, result.leads, variable)
    truth = ground.fields(result.truth, result.leads, variable)
    straight = ground.fields(result.straight, result.leads, variable)
    return Filled(result.leads, states, truth, ground.scores(states, truth), ground.scores(straight[None], truth))


def fill_maps(stage: Stage, ground: Ground, result: FillIn, filled: Filled, which: int | None, of: str) -> None:
    """What was drawn, what happened, how far the members are apart and how far off."""
    who = "mean of the members" if which is None else f"member {which + 1}"
    short = "mean" if which is None else who
    fields = {
        "drawn": shown_of(filled.states, which),
        "truth": filled.truth,
        "spread": spread_of(filled.states),
        **ground.positions(shown_of(result.states, which), "drawn"),
        **ground.positions(np.where(np.isnan(result.truth), result.straight, result.truth), "truth"),
    }
    variable = stage.variable
    empty = "the truth is known at whole data steps only"
    panels = (
        field_panel(variable, "drawn", "Filled in", who),
        field_panel(variable, "truth", "Truth", "", empty=empty),
        spread_panel(variable, "spread", "Spread", "drawn", "filled"),
        Panel(
            "error",
            "Error",
            f"{short} − truth",
            ("drawn", "truth"),
            "filled-error",
            "signed percent" if variable.threshold is not None else "symmetric",
            "balance",
            units_of(variable),
            empty=empty,
            positions=("drawn_x", "drawn_y"),
        ),
    )
    last = len(filled.leads) - 1
    notes = ["the first frame", *("between" for _ in range(1, last)), "the second frame"]
    show_maps(stage, ground, "fill-in", (filled.leads, notes), fields, panels, of=of)


def fill_chart(stage: Stage, filled: Filled) -> None:
    """Scores by lead, and those of the straight line between the frames."""
    step, time_units, units = stage.dataset.time_step, stage.dataset.time_units, score_units(stage.variable)
    known = np.isfinite(filled.scores.rmse)
    lead = filled.leads * step
    crps = "fair Brier score" if stage.variable.threshold is not None else "fair CRPS"
    lines = (
        Curve(crps, lead[known], filled.scores.crps[known], BLUE),
        Curve("RMSE", lead[known], filled.scores.rmse[known], ORANGE),
        Curve("spread", lead, filled.scores.spread, GREEN, "dash"),
        Curve("straight line", lead[known], filled.straight.rmse[known], GREY, "dot", is_baseline=True),
    )
    figure = along_chart(
        lines,
        lead,
        x_title=f"time after the first frame ({time_units})",
        units=units,
        time_units=time_units,
        missing="no truth is known between these frames",
    )
    st.markdown(reading(filled, stage.variable))
    file = "_".join((stage.dataset.name, stage.variable.name, "fill-in"))
    title = "**How good the filled-in states are**"
    show_chart(figure, key="sampler/fill-in", name=file, title=title, help=HELP["scores"])


def reading(filled: Filled, variable: Variable) -> str:
    """What the scores say, in numbers."""
    inside = np.isfinite(filled.scores.rmse) & (filled.leads > 0) & (filled.leads < filled.leads[-1])
    if not inside.any():
        return "No truth is known between these frames, so there is nothing to score."
    ours, line, spread = (
        float(np.sqrt(np.mean(np.square(values[inside]))))
        for values in (filled.scores.rmse, filled.straight.rmse, filled.scores.spread)
    )
    words = (
        f"Between the frames the mean of the members is off by {amount(ours, variable)} (RMSE), a straight line in "
        f"time by {amount(line, variable)}"
    )
    if np.isnan(spread):
        return f"{words}. One member has no spread: draw two or more."
    judged = "less than they err, and so are too sure of themselves" if spread < 0.8 * ours else "about as they err"
    judged = "more than they err, and so are too unsure" if spread > 1.25 * ours else judged
    return f"{words}. The members spread by {amount(spread, variable)}, {judged}."
