"""Charts of the page about verification: scores by lead time, the rank histogram, spectra, physical consistency."""

from functools import partial

import numpy as np
import plotly.graph_objects as go
import streamlit as st
import xarray as xr

from app import session, settings
from app.charts import show_chart
from app.exports.names import forecast_name
from app.forecast.charts import baseline_curves, wait_for_baselines
from app.frame import Stage
from app.plots.curves import BLUE, GREEN, ORANGE, Curve, with_cursor
from app.plots.fan import fan_chart, quantile_bands
from app.plots.verification import Scored, interval_chart, rank_chart, share_chart, spectrum_chart
from app.verify.maps import lead_words
from app.wording import pretty_units
from engine.physics import PHYSICS, Diagnostic
from engine.verification import FEWEST_MEMBERS

SCORES = {
    "crps": "CRPS",
    "rmse": "RMSE and spread",
    "ratio": "Spread ÷ RMSE",
    "bias": "Bias",
    "surprising": "Surprises",
}
POOLS = {"all": "All lead times", "lead": "That of the maps"}
NO_TRUTH = "no truth is known here"
NEEDS_TWO = "this needs two members"


def charts(stage: Stage, found: xr.Dataset) -> None:
    """Scores by lead, ranks and spectra side by side."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        score = score_control(stage)
        pool = pool_control(stage) if stage.variable.threshold is None else "all"
    by_lead, histogram, scales = st.columns(3, gap="medium")
    with by_lead:
        scores_by_lead(stage, found, score)
    with histogram:
        ranks(stage, found, pool)
    with scales:
        spectra(stage, found)


def score_control(stage: Stage) -> str:
    """Pick the score that is shown over lead time."""
    known = SCORES
    if stage.variable.threshold is not None:
        known = {key: words for key, words in SCORES.items() if key != "surprising"} | {"crps": "Brier score"}
    return settings.choice(stage.dataset.name, "score", "Score by lead time", known, help=SCORE_HELP)


def pool_control(stage: Stage) -> str:
    """Pick whose ranks are counted: those of all leads or those at the time of the maps."""
    return settings.choice(stage.dataset.name, "ranks", "Ranks", POOLS, help=RANK_HELP)


def scores_by_lead(stage: Stage, found: xr.Dataset, picked: str) -> None:
    """One kind of score over lead time with its interval."""
    title = "Brier score" if picked == "crps" and stage.variable.threshold is not None else SCORES[picked]
    waits = picked == "crps" and stage.variable.threshold is None and session.backend().awaits_baselines(stage.summary)
    chart = stage.summary.once(
        "verify chart", stage.variable.name, picked, waits, make=partial(_score_chart, stage, found, picked)
    )
    show_chart(
        chart,
        key="verify-scores",
        name=forecast_name(stage.dataset, stage.summary, f"{stage.variable.name}_{picked}"),
        title="**Surprising cells**" if picked == "surprising" else f"**{title}** · 95 % interval",
        help=interval_words(found),
    )
    if waits:
        st.fragment(wait_for_baselines, run_every=2)(stage.summary)


def _score_chart(stage: Stage, found: xr.Dataset, picked: str) -> go.Figure:
    lead = stage.summary.leads * stage.dataset.time_step
    units, time_units = pretty_units(stage.variable.units), stage.dataset.time_units
    if picked == "surprising":
        chart = share_chart(lead, found["surprising"].values, found.attrs["surprising_expected"], time_units=time_units)
        return with_cursor(chart, [0, *lead])
    name, colour = LINES[picked]
    if picked == "crps" and stage.variable.threshold is not None:
        name = "Brier score"
    lines: tuple[Scored, ...] = (_scored(found, picked, name, colour),)
    baselines: tuple[Curve, ...] = ()
    if picked == "rmse":
        lines = (*lines, _scored(found, "spread", "spread", GREEN, "dash"))
    if picked == "crps" and stage.variable.threshold is None:
        baselines = tuple(baseline_curves(stage.dataset, stage.summary, stage.variable))
    chart = interval_chart(
        lead,
        lines,
        baselines,
        time_units=time_units,
        units="spread ÷ RMSE" if picked == "ratio" else units,
        reference={"ratio": 1.0, "bias": 0.0}.get(picked),
        missing=NEEDS_TWO if found.attrs["members"] < 2 else NO_TRUTH,
    )
    return with_cursor(chart, [0, *lead])


LINES = {
    "crps": ("fair CRPS", BLUE),
    "rmse": ("RMSE", ORANGE),
    "ratio": ("spread ÷ RMSE", GREEN),
    "bias": ("mean − truth", BLUE),
}


def _scored(found: xr.Dataset, score: str, name: str, colour: str, dash: str = "solid") -> Scored:
    values, low, high = (found[f"{score}{ending}"].values for ending in ("", "_low", "_high"))
    return Scored(name, values, low, high, colour, dash)


def ranks(stage: Stage, found: xr.Dataset, pool: str) -> None:
    """The rank histogram with the band of a reliable ensemble."""
    frame = session.frame_of(stage.summary)
    if stage.variable.threshold is not None:
        st.markdown("**Rank histogram**", help=RANK_HELP)
        st.info(
            "Yes or no has no ranks worth counting: most members say the same. How reliable the probabilities are, the "
            "reliability diagram of the Probability page shows."
        )
        return
    ending = "_pooled" if pool == "all" or frame == 0 else ""
    at = found if ending else found.isel(lead=frame - 1)
    frequency = at[f"rank_frequency{ending}"].values
    where = "all lead times" if ending else lead_words(stage, frame)
    title = f"**Rank histogram** · {where}"
    if not np.isfinite(frequency).all():
        st.markdown(title, help=RANK_HELP)
        st.info("No truth is known at this lead time.")
        return
    chart = rank_chart(frequency, float(at[f"rank_low{ending}"]), float(at[f"rank_high{ending}"]))
    name = forecast_name(stage.dataset, stage.summary, f"{stage.variable.name}_ranks_{where}")
    independent, cells = float(at[f"effective_cells{ending}"]), cells_counted(found, pooled=bool(ending))
    show_chart(chart, key="verify-ranks", name=name, title=title, help=rank_words(independent, cells, found))


def cells_counted(found: xr.Dataset, *, pooled: bool) -> int:
    """Cells behind a rank histogram: those of all leads with a truth, or of one."""
    leads = int(found["surprising"].notnull().sum()) if pooled else 1
    return int(found.attrs["cells"]) * leads


def spectra(stage: Stage, found: xr.Dataset) -> None:
    """Variance by wavenumber at the time of the maps."""
    frame = max(1, session.frame_of(stage.summary))
    at = found["spectrum"].isel(lead=frame - 1)
    length = pretty_units(stage.dataset.axes[1].units)
    chart = spectrum_chart(
        at["wavenumber"].values,
        {
            "truth": at.sel(of="truth").values,
            "members": at.sel(of="member").values,
            "their mean": at.sel(of="mean").values,
        },
        axis=f"wavenumber (cycles per {length})" if length else "wavenumber (cycles per cell)",
        units=squared(pretty_units(stage.variable.units)),
        missing=NO_TRUTH,
    )
    name = forecast_name(stage.dataset, stage.summary, f"{stage.variable.name}_spectra_{lead_words(stage, frame)}")
    show_chart(
        chart,
        key="verify-spectra",
        name=name,
        title=f"**Radial spectra** · {lead_words(stage, frame)}",
        help=SPECTRUM_HELP,
    )


def squared(units: str) -> str:
    """The square of units as a person writes it: of "m s⁻¹" it is "m² s⁻²"."""
    powers = {"": "²", "⁻¹": "⁻²", "²": "⁴", "⁻²": "⁻⁴"}
    words = []
    for word in units.split():
        stem = word.rstrip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
        words.append(stem + powers.get(word[len(stem) :], "²"))
    return " ".join(words)


def physics(stage: Stage, numbers: xr.Dataset) -> None:
    """Every diagnostic of the system over lead time: the members as a fan, and the truth."""
    st.markdown("### Physical consistency", help=PHYSICS_HELP)
    kinds = [each for each in PHYSICS[stage.dataset.name] if np.isfinite(numbers[each.name]).any()]
    across = min(len(kinds), 2)
    for first in range(0, len(kinds), across):
        for column, kind in zip(st.columns(across, gap="medium"), kinds[first : first + across], strict=False):
            with column:
                diagnostic(stage, numbers, kind)


def diagnostic(stage: Stage, numbers: xr.Dataset, kind: Diagnostic) -> None:
    """One of them."""
    lead = stage.summary.leads * stage.dataset.time_step
    members, truth = numbers[kind.name].values, numbers[f"{kind.name}_truth"].values

    def make() -> go.Figure:
        units = pretty_units(kind.units)
        bands = quantile_bands(members)
        chart = fan_chart(lead, bands, truth, members=members, time_units=stage.dataset.time_units, units=units)
        if not np.any(members) and not np.any(truth):
            chart.update_yaxes(range=[-0.05, 1])
            chart.add_annotation(
                x=0.5,
                y=0.5,
                xref="paper",
                yref="paper",
                text="exactly zero, in all members and in truth",
                showarrow=False,
            )
        return with_cursor(chart, [0, *lead])

    chart = stage.summary.once("physics chart", kind.name, make=make)
    name = forecast_name(stage.dataset, stage.summary, kind.name)
    show_chart(chart, key=f"physics-{kind.name}", name=name, title=f"**{kind.title}**", help=kind.explanation)


def interval_words(found: xr.Dataset) -> str:
    """What the bands are, and what they leave out."""
    rows, columns, count = (found.attrs[name] for name in ("block_rows", "block_columns", "blocks"))
    short = (
        ""
        if found.attrs["blocks_long_enough"]
        else (" The errors hang together over longer distances than the grid has room for: the bands are too narrow.")
    )
    return (
        f"Averages over the {found.attrs['cells']:,} cells that count, each the same. Bands: 95 % intervals from "
        f"drawing {count} blocks of {rows} × {columns} neighbouring cells anew, as neighbours err together. They say "
        "how far a score might move with other places of this same forecast. They do **not** cover other initial "
        "conditions, for which there is the score card below, nor other members of another seed." + short
    )


def rank_words(independent: float, cells: int, found: xr.Dataset) -> str:
    """What the band of the rank histogram is."""
    if found.attrs["members"] < FEWEST_MEMBERS:
        return (
            RANK_HELP
            + f" Fewer than {FEWEST_MEMBERS} members do not say how dependent the cells are: there is no band."
        )
    return (
        RANK_HELP + f" Here {cells:,} cells count as {independent:,.0f} independent ones: as many as would make the "
        "members' own histograms, each ranked among all, differ as much as they do."
    )


SCORE_HELP = (
    "CRPS: the whole ensemble against what happened, in its fair form, which does not depend on the number of members; "
    "0 is perfect. RMSE: of the ensemble mean. Spread: the root mean variance of the members times (M + 1)/M, equal to "
    "the RMSE in a reliable ensemble. Bias: mean of the members less truth. Surprises: cells whose truth lies outside "
    "of all members. Grey lines: persistence and climatology as ensembles, for quantities that have them."
)
RANK_HELP = (
    "Where the truth stands among the sorted members, cell by cell: rank 1 is below all of them. It is flat where the "
    "ensemble is reliable, high at both ends where it is too sure of itself, high in the middle where it is not sure "
    "enough, and sloping where it is biased. Green: what a reliable ensemble gives at 19 ranks of 20 (Bröcker & Smith "
    "2007), given that neighbouring cells are dependent."
)
SPECTRUM_HELP = (
    "How much variance there is at which scale, from the cosine transform of the field (Denis et al. 2002): left the "
    "large structures, right the small ones. The members should have the truth's; their mean has less where they "
    "disagree, and that is no fault of it. Cells without a value (land) count as the mean of their field."
)
PHYSICS_HELP = (
    "What the equations of the system ask for, computed from each member and from the truth on the same grid. The "
    "measure is the truth's curve, not zero: the grid is coarser than what the truth was computed on."
)
