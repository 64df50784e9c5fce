"""Score maps: where the forecast is good, where it errs, and where the truth takes all members by surprise."""

from dataclasses import replace

import numpy as np
import streamlit as st
import xarray as xr

from app import session, wording
from app.frame import Stage
from app.player import Panel, View, player
from app.player.view import AT_TRUTH, NO_TRUTH, Scale
from app.views import answers_of, base_view, with_own_panels
from app.wording import pretty_units


def score_maps(stage: Stage, found: xr.Dataset) -> View:
    """The maps, in the player that all pages share; returns what it shows."""
    at = session.frame_of(stage.summary)
    view = replace(base_view(stage.dataset, stage.shown, stage.variable), tells_lead=at, blends=False)
    fields = {name: with_start(found[f"{name}_map"].values) for name in MAPS}
    fields["truth"] = stage.summary.maps(stage.variable).truth
    if stage.variable.threshold is not None:
        fields |= {name: 100 * fields[name] for name in ("error", "spread", "truth")}
    panels = panels_of(stage, several=found.attrs["members"] > 1)
    view = with_own_panels(stage.summary, stage.variable, view, fields, panels)
    player(view, answers_of(stage.summary, stage.variable), key=f"{stage.dataset.name}/verify")
    return view


def panels_of(stage: Stage, *, several: bool) -> tuple[Panel, ...]:
    """CRPS, error and spread, the truth's place among the members, and the truth; of a yes or no its Brier score.

    several: whether there are two members.
    """
    no_crps = NO_TRUTH if several else "a fair CRPS needs two members"
    no_spread = NO_TRUTH if several else "a spread needs two members"
    if stage.variable.threshold is not None:
        return (
            Panel("crps", "Brier score", "fair", ("crps",), "score", "between", "amp", empty=no_crps),
            Panel("error", "Error", "probability − truth", ("error",), "error", "signed percent", "balance", "%"),
            Panel(
                "spread", "Spread", "standard deviation", ("spread",), "spread", "percent", "amp", "%", empty=no_spread
            ),
            Panel("truth", "Truth", "where it happened", ("truth",), "field", "percent", "amp", "%"),
        )
    units = pretty_units(stage.variable.units)
    scale: Scale = "symmetric" if stage.variable.scale == "balance" else "between"
    table = "balance" if scale == "symmetric" else "thermal"
    where = "truth above (+1) or below (−1) all members"
    return (
        Panel("crps", "CRPS", "fair", ("crps",), "score", "positive", "amp", units, empty=no_crps),
        Panel("error", "Error", "mean − truth", ("error",), "error", "symmetric", "balance", units),
        Panel(
            "spread", "Spread", "standard deviation", ("spread",), "spread", "positive", "amp", units, empty=no_spread
        ),
        Panel(
            "percentile", "Percentile of truth", "in the ensemble", ("percentile",), "rank", "percent", "balance", "%"
        ),
        Panel("surprise", "Surprising cells", where, ("surprise",), "surprise", "symmetric", "balance"),
        Panel("truth", "Truth", "", ("truth",), "field", scale, table, units, positions=AT_TRUTH),
    )


MAPS = ("crps", "error", "spread", "percentile", "surprise")


def with_start(maps: np.ndarray) -> np.ndarray:
    """Maps (lead, y, x) with an empty one in front: at the initial condition there is nothing to verify."""
    return np.concatenate([np.full_like(maps[:1], np.nan), maps]).astype(np.float32)


def surprise_words(stage: Stage, found: xr.Dataset) -> str:
    """How many cells surprise at the time of the maps, beside how many should."""
    frame = session.frame_of(stage.summary)
    share = float(found["surprising"].mean() if frame == 0 else found["surprising"][frame - 1])
    expected, members = found.attrs["surprising_expected"], found.attrs["members"]
    when = "Over all lead times" if frame == 0 else f"At lead time {lead_words(stage, frame)}"
    if not np.isfinite(share):
        return f"{when} no truth is known."
    if members < 2:
        return "One member cannot enclose the truth: every cell is surprising."
    return (
        f"{when} the truth lies outside of all {members} members in **{share:.1%}** of the cells; a reliable ensemble "
        f"of that size has **{expected:.1%}**, 2 ÷ (M + 1)."
    )


def lead_words(stage: Stage, frame: int) -> str:
    """The lead time of a frame in words."""
    return wording.duration(stage.dataset, round(float(stage.summary.leads[frame - 1]), 6))


def show_surprises(stage: Stage, found: xr.Dataset) -> None:
    """The share of surprising cells below the maps."""
    if stage.variable.threshold is None:
        st.markdown(surprise_words(stage, found), help=SURPRISE_HELP)


SURPRISE_HELP = (
    "A cell is surprising where the truth is larger or smaller than every single member. Some must be: among M members "
    "and a truth that are alike, the truth is the largest or the smallest with a probability of 2 ÷ (M + 1). Many more "
    "say that the ensemble is too narrow or biased, many fewer that it is too wide."
)
