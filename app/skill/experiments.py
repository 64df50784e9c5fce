"""Why forecasts are as good as they are: one chart for each experiment made with a model, and how to read it."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app import sampler
from app.charts import show_chart
from app.plots.curves import GREEN, ORANGE, Curve, score_chart
from app.plots.skill import COLOURS, SYMBOLS, setting_chart, trend_chart
from app.skill.words import crps_title, dots_of, nothing_yet, units_of
from engine.ablation import ablations_path, read_ablations
from engine.datasets import Dataset

Draw = Callable[[Dataset, pd.DataFrame, str], None]
"""Draws the rows of an experiment; the text is the key of its chart."""


@dataclass(frozen=True)
class Experiment:
    """An ablation on the page: its title, how to read it, and its chart."""

    title: str
    reading: str
    draw: Draw


def ablations(dataset: Dataset, model: str) -> None:
    """One chart for each experiment that was made with a model, and the table they come from. Raises DataError."""
    table = read_ablations() if ablations_path().exists() else pd.DataFrame(columns=["dataset", "model"])
    rows = table[(table["dataset"] == dataset.name) & (table["model"] == model)]
    if rows.empty:
        command = f"python -m engine ablate --dataset {dataset.name} --model {model}"
        nothing_yet("No experiments have been made with this model yet. To make them", command)
        return
    made = [name for name in EXPERIMENTS if name in set(rows["experiment"])]
    for pair in (made[index : index + 2] for index in range(0, len(made), 2)):
        for column, name in zip(st.columns(2, gap="large"), pair, strict=False):
            with column:
                experiment(dataset, rows[rows["experiment"] == name], name)
    st.download_button(
        "Download the table (CSV)",
        rows.to_csv(index=False, float_format="%.6g").encode(),
        f"coldcast-ablations-{model}.csv",
        "text/csv",
        key="skill/download",
        icon=":material/download:",
        on_click="ignore",
    )


def experiment(dataset: Dataset, rows: pd.DataFrame, name: str) -> None:
    """One experiment: its title, how to read it, and its chart."""
    known = EXPERIMENTS[name]
    first = rows.iloc[0]
    st.markdown(f"**{known.title}**")
    what = "years" if dataset.calendar is not None else "runs"
    members = "" if name == "members" else f", {first['members']:.0f} members"
    st.caption(
        f"{known.reading} *{first['initial_conditions']:.0f} initial conditions of the {first['split']} "
        f"{what}{members}.*"
    )
    known.draw(dataset, rows, f"skill/{dataset.name}/{name}")


def draw_settings(dataset: Dataset, rows: pd.DataFrame, key: str) -> None:
    """CRPS and spread ÷ RMSE of each setting."""
    dots = dots_of(rows, rows["setting"].map(setting_title), "fair CRPS", words=calls_words(rows))
    show_chart(setting_chart(dots, rows["ssr"].to_numpy(float), unit=units_of(dataset)), key=key, name=key)


def draw_numbers(column: str, x_title: str, *, lines: bool = False, y_form: str = "fair CRPS") -> Draw:
    """CRPS over the numbers of a column, which `x_title` names; `lines`: a line for each setting."""

    def draw(dataset: Dataset, rows: pd.DataFrame, key: str) -> None:
        parts = [part for _, part in rows.groupby("setting", sort=False)] if lines else [rows]
        series = tuple(
            dots_of(
                part,
                part[column],
                setting_title(part.iloc[0]["setting"]),
                COLOURS[index % len(COLOURS)],
                SYMBOLS[index % len(SYMBOLS)],
                words=calls_words(part),
            )
            for index, part in enumerate(parts)
        )
        figure = trend_chart(series, x_title=x_title, y_title=crps_title(units_of(dataset), form=y_form), log_x=True)
        show_chart(figure.update_layout(showlegend=lines), key=key, name=key)

    return draw


def draw_spread(dataset: Dataset, rows: pd.DataFrame, key: str) -> None:
    """Spread and RMSE by lead."""
    rows = rows.dropna(subset=["lead"]).sort_values("lead")
    lead = rows["lead"].to_numpy(float) * dataset.time_step
    curves = (
        Curve("RMSE", lead, rows["rmse"].to_numpy(float), ORANGE),
        Curve("spread", lead, rows["spread"].to_numpy(float), GREEN, "dash"),
    )
    units = units_of(dataset) or "in the channels' units"
    show_chart(score_chart(curves, time_units=dataset.time_units, units=units), key=key, name=key)


def calls_words(rows: pd.DataFrame) -> list[str]:
    """What the hover over each setting says of its cost and its spread."""
    return [
        f"{setting_title(setting)}: {calls:,.0f} network calls per member, spread ÷ RMSE {ratio:.2f}"
        for setting, calls, ratio in zip(rows["setting"], rows["calls"], rows["ssr"], strict=True)
    ]


def setting_title(setting: str) -> str:
    """A setting as its line of the chart names it."""
    if setting in SETTINGS:
        return SETTINGS[setting]
    return f"Correlation {setting}" if setting.replace(".", "", 1).isdigit() else setting


SETTINGS = {name: title for name, title in sampler.NOISE.items() if name != sampler.CORRELATION} | {
    "cold, independent": "Cold, independent noise",
    "naive, independent": "Naive, independent noise",
    "cold, window": "Cold, frozen noise",
    "naive, window": "Naive, frozen noise",
    "on": "On",
    "off": "Off",
    "fair": "Fair form",
    "biased": "Biased form",
    "Euler, independent": "Euler, independent noise",
    "Heun, independent": "Heun, independent noise",
    "Euler, window": "Euler, frozen noise",
    "Heun, window": "Heun, frozen noise",
}

EXPERIMENTS = {
    "solver": Experiment(
        "Cold or naive sampling",
        "Cold sampling adds the change that the interpolator sees between two leads to the state it has; naive "
        "sampling takes the interpolator's state as it is. Further left is better. Where the interpolator draws "
        "anew at every call, those draws add up in cold sampling alone: frozen over the window they do not.",
        draw_settings,
    ),
    "interpolator-dropout": Experiment(
        "The interpolator's randomness",
        "Dropout makes the interpolator draw another path at every call. Switched off, only a forecaster that draws "
        "noise itself can part the members: how far spread ÷ RMSE falls is what the interpolator adds.",
        draw_settings,
    ),
    "auxiliary": Experiment(
        "Extra stops inside the first data step",
        "k extra stops between the initial state and the first data step let the forecaster correct itself before "
        "anything is delivered. They cost network calls; see whether they buy skill.",
        draw_settings,
    ),
    "refinement": Experiment(
        "Refinement",
        "Refinement draws all states of a window anew from the last, best estimate of its end: mostly a smaller error "
        "for a smaller spread.",
        draw_settings,
    ),
    "noise": Experiment(
        "How the noise is shared",
        "From a fresh draw at every network call to one for all of a window. Independent draws add up along the steps, "
        "so sharing them narrows the ensemble: best is a low CRPS with a spread ÷ RMSE near 1.",
        draw_settings,
    ),
    "order": Experiment(
        "Euler or Heun",
        "Cold sampling is Euler's method for a differential equation; Heun's looks twice at each step and costs twice "
        "the calls. At the same calls, the lower line wins. Heun can only help where the path is smooth, which takes "
        "noise that is frozen over the window and a forecaster that draws none of its own, as in the models after the "
        "recipe of the paper.",
        draw_numbers("value", "network calls per member and window", lines=True),
    ),
    "schedule": Experiment(
        "Shorter schedules",
        "Each dot is a schedule: to the right more stops in a window and more network calls, below a better forecast. "
        "Where the line is flat, the calls to its right are wasted.",
        draw_numbers("calls", "network calls per member and forecast"),
    ),
    "members": Experiment(
        "Ensemble size",
        "The fair CRPS estimates the score of an endless ensemble, so it stays level: more members buy a steadier "
        "picture. The biased form, which the DYffusion paper uses, counts small ensembles as worse than they are; at "
        "one member it is the error of a single forecast.",
        draw_numbers("value", "ensemble members", lines=True, y_form="CRPS"),
    ),
    "spread": Experiment(
        "Spread and error by lead time",
        "In a reliable ensemble the two lines lie on each other. Where the spread stays below the error, the ensemble "
        "is too sure of itself.",
        draw_spread,
    ),
    "training-runs": Experiment(
        "Training data",
        "The same recipe and training time with fewer training runs. Where the line still falls at its right end, more "
        "data would help.",
        draw_numbers("value", "training runs"),
    ),
}
