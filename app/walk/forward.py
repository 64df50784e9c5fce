"""Forward process: the same state taken apart by Gaussian noise, and by interpolation back in time."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from app import session, settings
from app.charts import show_chart
from app.frame import Stage
from app.plots.curves import BLUE, GREY, ORANGE, Curve
from app.plots.walk import Colours, Grid, Strip, along_chart, strip_chart
from app.walk.frames import NO_INTERPOLATOR, frames_control, frames_words, request_of
from app.walk.ground import (
    Ground,
    field_panel,
    ground_of,
    on_maps,
    score_units,
    show_maps,
    shown_of,
    spread_of,
    spread_panel,
    units_of,
)
from app.walk.waiting import obtain
from app.walk.work import ForwardAsk, Found
from engine.forecasting import plan_of
from engine.forward_process import ForwardProcess
from engine.variables import Variable

MEMBERS = 4
MOST_LEVELS = 17
IN_STRIP = 5
HELP = {
    "member": "Each draw has its own Gaussian noise and its own path of the interpolator.",
    "spread": (
        "Root mean square over the map of the draws' standard deviation, times √((M+1)/M) for M draws. Gaussian noise "
        "drowns the state until only noise is left; the interpolator is unsure between two states that are both known."
    ),
    "figure": (
        "Gaussian noise as in standard diffusion models: √ᾱ x + √(1 − ᾱ) ε, added to the normalised channels as "
        "networks see them and shown in physical units, with the linear schedule of DDPM (noise rate 0.1 to 20 over "
        "the relative time). Interpolation as in DYffusion: I(xₜ, xₜ₊ₕ, i) at i = h (1 − relative time)."
    ),
}


@dataclass(frozen=True, eq=False)
class Forward:
    """A variable along both processes as the maps show it: (member, frame, y, x), truth (frame, y, x)."""

    noised: np.ndarray
    interpolated: np.ndarray
    truth: np.ndarray


def the_forward_process(stage: Stage) -> None:
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
        options = {str(member + 1): f"Draw {member + 1}" for member in range(MEMBERS)}
        which = (
            int(settings.choice(name, "draw", "Maps show", options, help=HELP["member"], shape="list", width=140)) - 1
        )
    first, second = frames_words(stage.dataset, plan_of(given))
    st.markdown(
        f"Two ways to take apart the same state, that at **{second}**. Standard diffusion buries it in **Gaussian "
        "noise**: what a network must learn to undo has nothing to do with the physics. DYffusion takes it back in "
        f"time by **interpolation**, to the state at **{first}**: every stop on the way is a plausible state at a lead "
        "time of its own, and to undo the process *is* to forecast."
    )
    ask = ForwardAsk(given, shares_of(window.horizon), MEMBERS)
    found = obtain([ask])
    if found is None:
        return
    result: ForwardProcess = found[0].result
    ground = ground_of(given)
    forward = forward_of(found[0], ground, stage.variable)
    st.caption(f"{MEMBERS} draws · {ask.calls:,} network calls for the interpolation, none for the noise")
    strip(stage, ground, result, forward, which)
    forward_maps(stage, ground, result, forward, which, str(given.init))
    spread_chart(stage, ground, result, forward)


def shares_of(horizon: int) -> tuple[float, ...]:
    """Relative times at which interpolation is at whole data steps, both ends among them."""
    leads = np.unique(np.round(np.linspace(0, horizon, min(MOST_LEVELS, horizon + 1))))
    return tuple(float(1 - lead / horizon) for lead in leads[::-1])


def forward_of(found: Found, ground: Ground, variable: Variable) -> Forward:
    """A variable along both processes."""
    return found.once("forward", variable.name, make=partial(_forward_of, found.result, ground, variable))


def _forward_of(result: ForwardProcess, ground: Ground, variable: Variable) -> Forward:
    end = np.full(len(result.leads), float(ground.horizon))  # noise does not move a state in time
    return Forward(
        ground.fields(result.noised, end, variable),
        ground.fields(result.interpolated, result.leads, variable),
        ground.fields(result.truth, result.leads, variable),
    )


def strip(stage: Stage, ground: Ground, result: ForwardProcess, forward: Forward, which: int) -> None:
    """Both processes as rows of panels, at the same relative times."""
    chosen = np.unique(np.round(np.linspace(0, len(result.shares) - 1, IN_STRIP)).astype(int))
    y, x = ground.axes
    panel = field_panel(stage.variable, "truth", "", "")
    held = session.look_of(stage.dataset.name).limits.get(stage.variable.name, {})
    strips = []
    for title, fields, states in (
        ("Gaussian noise", forward.noised, result.noised),
        ("Interpolation", forward.interpolated, result.interpolated),
    ):
        places = ground.positions(states[which][chosen], "at")
        at = np.stack([places["at_x"], places["at_y"]], axis=1) if places else None
        strips.append(Strip(title, on_maps(fields[which][chosen], stage.variable), at))
    figure = strip_chart(
        strips,
        [f"{100 * result.shares[level]:.0f} %" for level in chosen],
        Grid(x, y, ground.solid),
        Colours(held.get("field") or limits_of(stage, ground, forward.truth), panel.table, units_of(stage.variable)),
    )
    st.markdown("**Two ways to take a state apart** · share of the way gone", help=HELP["figure"])
    st.plotly_chart(figure, key="sampler/strip", config={"displayModeBar": False})


def limits_of(stage: Stage, ground: Ground, truth: np.ndarray) -> tuple[float, float]:
    """Ends of the colours that fit the truth."""
    known = truth[:, ~ground.solid]
    low, high = (float(np.nanpercentile(known, percent)) for percent in (2, 98))
    if stage.variable.threshold is not None:
        return 0.0, 100.0
    return (-max(-low, high), max(-low, high)) if stage.variable.scale == "balance" else (low, high)


def forward_maps(stage: Stage, ground: Ground, result: ForwardProcess, forward: Forward, which: int, of: str) -> None:
    """Both processes and the run itself, and how far the draws are apart."""
    fields = {
        "noised": shown_of(forward.noised, which),
        "interpolated": shown_of(forward.interpolated, which),
        "noised-spread": spread_of(forward.noised),
        "interpolated-spread": spread_of(forward.interpolated),
        "truth": forward.truth,
        **ground.positions(shown_of(result.noised, which), "noised"),
        **ground.positions(shown_of(result.interpolated, which), "interpolated"),
        **ground.positions(result.truth, "truth"),
    }
    variable, draw = stage.variable, f"draw {which + 1}"
    panels = (
        field_panel(variable, "noised", "Gaussian noise", draw),
        field_panel(variable, "interpolated", "Interpolation", draw),
        spread_panel(variable, "noised-spread", "Spread of the noise", "noised", "noise"),
        spread_panel(variable, "interpolated-spread", "Spread of the interpolation", "interpolated", "noise"),
        field_panel(variable, "truth", "Truth", "where the interpolation is"),
    )
    notes = [f"{100 * share:.0f} % of the way" for share in result.shares]
    show_maps(stage, ground, "forward", (result.leads, notes), fields, panels, of=of)


def spread_chart(stage: Stage, ground: Ground, result: ForwardProcess, forward: Forward) -> None:
    """How random each process is along the way, and how well interpolation meets the run."""
    noised, between = (ground.scores(each, forward.truth) for each in (forward.noised, forward.interpolated))
    share = 100 * result.shares
    lines = (
        Curve("Gaussian noise", share, noised.spread, ORANGE),
        Curve("interpolation", share, between.spread, BLUE),
        Curve("its RMSE", share, between.rmse, GREY, "dot", is_baseline=True),
    )
    figure = along_chart(lines, share, x_title="share of the way gone (%)", units=score_units(stage.variable))
    figure.update_yaxes(autorange=True, range=None)
    file = "_".join((stage.dataset.name, stage.variable.name, "forward-process"))
    title = "**How much of it is chance**"
    show_chart(figure, key="sampler/forward", name=file, title=title, help=HELP["spread"])
