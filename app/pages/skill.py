"""How good the forecasts are, and why: the score card, the ablations, and skill against cost."""

import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from app import controls, session
from app.notes import guarded
from app.plain_text import plain
from app.plots.curves import GREEN, GREY, ORANGE, Curve, score_chart
from app.plots.skill import (
    COLOURS,
    GREY_SYMBOLS,
    SYMBOLS,
    Dots,
    category_chart,
    front_chart,
    setting_chart,
    trend_chart,
)
from engine.ablation import read_ablations
from engine.checkpoint import list_checkpoints, load_card
from engine.datasets import DATASETS, Dataset, get_dataset
from engine.errors import EngineError
from engine.fronts import CHOSEN, FrontPoint, pareto, read_front
from engine.paper_scores import PAPER_SCORES
from engine.scorecard import read_paired, read_scorecard

QUIET = {"displayModeBar": False}
BASELINES = {"persistence": "Persistence", "damped": "Damped persistence", "climatology": "Climatology"}
SPLITS = {
    "test": "Like training",
    "ood": "Unlike training",
}
SPLIT_WORDS = {
    "test": "runs of the same kind as in training that no model has seen",
    "ood": "runs of a kind that no model was trained on",
}
QUANTITIES = {
    "all": "All channels",
    "sst": "Temperature, °C",
    "nino34": "Niño 3.4 index, °C",
    "standardised": "Standardised",
}
UNITS = {"sst": "°C", "nino34": "°C"}

CONVENTIONS = """
- **Fair CRPS** measures the whole ensemble against what happened, in the units of the variable: it is the mean
  absolute error of a single forecast, and falls as the members surround the truth more closely. 0 is perfect. *Fair*
  says that an ensemble of few members is not punished for being small. *All channels* is the mean over the channels,
  each in its own units.
- **CRPS ÷ Dropout** compares with the Dropout model on the very same forecasts: below 1 is better. As both meet the
  same easy and hard cases, its interval is narrower than those of the two scores.
- **RMSE** is the root mean square error of the ensemble mean.
- **Spread ÷ RMSE** says whether the ensemble knows how wrong it is: at 1 the members lie as far from their mean as the
  truth does. Below 1 it is too sure of itself, above 1 not sure enough. Spread is the root mean variance of the members
  times (M + 1)/M; both are averaged before they are divided.
- **Rank deviation**: a reliable ensemble has the truth equally often at each place among its sorted members. This sums
  how far the frequencies of the M + 1 places are from 1/(M + 1): 0 is flat, 2 the worst.
- **Intervals** (95 %) say how far a number might move with other test runs: they come from drawing whole runs anew, and
  of observed records blocks of neighbouring dates, since what lies close together is not independent.
- **Persistence** keeps the initial state, **damped persistence** lets its anomaly fade, **climatology** takes the
  training runs or years themselves. All three are dressed as ensembles with the spread they had in training.
"""
PAPER_CAVEAT = (
    "The DYffusion paper computes its scores in another way: a CRPS that counts an ensemble of M members as 1/M worse, "
    "the mean square error in place of its root, and a spread without the factor for few members. The numbers here "
    "follow that convention, and stand beside the paper's for orientation: networks and training time differ, too."
)


@guarded
def show() -> None:
    """The page, top to bottom."""
    st.markdown("# Skill")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        dataset = dataset_control()
        place = st.container(width="content")
    quantity = score_card(dataset, place)
    st.markdown("## Why it is what it is")
    model = model_control(dataset)
    ablations(dataset, model)
    st.markdown("## Skill against cost")
    front(dataset, model)
    keep_in_link(dataset, model, quantity)


def dataset_control() -> Dataset:
    """Pick a data set; the other pages follow."""
    visit = session.visit()
    name = st.segmented_control(
        "Data set",
        list(DATASETS),
        default=visit.dataset,
        key="skill/dataset",
        format_func=lambda each: DATASETS[each].title.partition(":")[0],
        required=True,
        help=controls.HELP["dataset"],
    )
    visit.dataset = name or visit.dataset
    return get_dataset(visit.dataset)


def keep_in_link(dataset: Dataset, model: str, quantity: str | None) -> None:
    """Write into the link what the page shows."""
    names = list_checkpoints(dataset.name)
    query = {"dataset": dataset.name}
    if model and model != names[0]:
        query["model"] = model
    if quantity not in (None, *FIRST_QUANTITIES):
        query["quantity"] = str(quantity)
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


# -- the score card --------------------------------------------------------------------------------------


def score_card(dataset: Dataset, place: st.delta_generator.DeltaGenerator) -> str | None:
    """Tables and charts of one data set's scores; returns the quantity shown, which is picked in `place`."""
    command = f"python -m engine scorecard --dataset {dataset.name}"
    try:
        scores = read_scorecard()
    except EngineError as error:
        st.info(plain(str(error)))
        return None
    scores = scores[scores["dataset"] == dataset.name]
    if scores.empty:
        nothing_yet("This data set has not been scored yet", command)
        return None
    with place:
        quantity = quantity_control(dataset, list(scores["quantity"].unique()))
    shown = scores[scores["quantity"] == quantity]
    for split in (each for each in SPLITS if each in set(shown["split"])):
        one_split(dataset, shown[shown["split"] == split], split, quantity)
    with st.expander("What the numbers mean"):
        st.markdown(CONVENTIONS)
    with st.expander("Beside the figures of the DYffusion paper"):
        paper_table(dataset, scores)
    return quantity


FIRST_QUANTITIES = ("all", "sst")


def quantity_control(dataset: Dataset, names: list[str]) -> str:
    """Pick which scores are shown: of all channels, of one, or of an index."""
    names.sort(
        key=lambda name: (name not in FIRST_QUANTITIES, list(QUANTITIES).index(name) if name in QUANTITIES else -1)
    )
    key = f"skill/{dataset.name}/quantity"
    if key not in st.session_state:
        asked = st.query_params.get("quantity")
        st.session_state[key] = asked if asked in names else names[0]
    return st.selectbox("Scores of", names, key=key, format_func=lambda name: quantity_title(dataset, name), width=240)


def quantity_title(dataset: Dataset, name: str) -> str:
    """A quantity as the picker names it, with its units."""
    for channel in dataset.channels:
        if channel.name == name and name not in QUANTITIES:
            return f"{channel.long_name.capitalize()} {name}"
    return QUANTITIES.get(name, name)


def one_split(dataset: Dataset, scores: pd.DataFrame, split: str, quantity: str) -> None:
    """The table of one split, and its chart by start or by lead beside it."""
    total = ordered(scores[(scores["start"] == "all") & (scores["lead"] == "all")])
    if total.empty:
        return
    st.markdown(f"#### {SPLITS[split]}")
    st.caption(scope_words(dataset, total, split))
    table, chart = st.columns([1.4, 1], gap="large")
    with table:
        st.table(score_table(total, against_dropout(dataset, split, quantity)), border="horizontal", hide_index=True)
    with chart:
        by_start_or_lead(dataset, ordered(scores), quantity, split)


def scope_words(dataset: Dataset, total: pd.DataFrame, split: str) -> str:
    """What was scored, in words."""
    first = total.iloc[0]
    starts = f"{first['initial_conditions']:,.0f} initial conditions"
    where = "the test years" if dataset.calendar else f"{first['runs'].partition(' ')[0]} {SPLIT_WORDS[split]}"
    members = "" if pd.isna(first["members"]) else f", {first['members']:.0f} members"
    return f"{starts} in {where}{members}. In brackets the 95 % interval; smaller errors are better."


def against_dropout(dataset: Dataset, split: str, quantity: str) -> dict[str, str]:
    """CRPS ÷ that of the Dropout model on the same forecasts, with its interval, by model."""
    pairs = read_paired()
    wanted = {"dataset": dataset.name, "split": split, "quantity": quantity, "start": "all", "lead": "all"}
    for column, value in wanted.items():
        pairs = pairs[pairs[column] == value]
    return {row["model"]: with_interval(row, "crps_ratio", "{:.2f}") for _, row in pairs.iterrows()}


def score_table(total: pd.DataFrame, ratios: dict[str, str]) -> pd.DataFrame:
    """One line for each model and baseline, numbers as text; `ratios` to the Dropout model by model."""
    rows = [row for _, row in total.iterrows()]
    columns = {
        "": [forecast_title(row) for row in rows],
        "Fair CRPS": [with_interval(row, "crps") for row in rows],
        "CRPS ÷ Dropout": [ratios.get(row["model"], "") for row in rows],
        "RMSE": [with_interval(row, "rmse") for row in rows],
        "Spread ÷ RMSE": [with_interval(row, "ssr", "{:.2f}") for row in rows],
        "Rank deviation": [number(row["rank_deviation"], "{:.2f}") for row in rows],
    }
    return pd.DataFrame({name: values for name, values in columns.items() if any(values)})


def by_start_or_lead(dataset: Dataset, scores: pd.DataFrame, quantity: str, split: str) -> None:
    """CRPS by start frame, or by lead of an observed record, a colour for each model."""
    by = "lead" if dataset.calendar else "start"
    parts = scores[(scores[by] != "all") & scores["crps"].notna()]
    if parts.empty:
        return
    series = tuple(
        dots_of(rows, pd.to_numeric(rows[by]), forecast_title(rows.iloc[0]), *mark)
        for rows, mark in zip(groups(parts), marks(parts), strict=True)
    )
    units = UNITS.get(quantity, "")
    y_title = f"fair CRPS ({units})" if units else "fair CRPS"
    if by == "lead":
        st.markdown(f"**By lead time** ({dataset.time_units})")
        figure = trend_chart(series, x_title=f"lead time ({dataset.time_units})", y_title=y_title)
    else:
        st.markdown("**By start frame**", help=BY_START_HELP)
        figure = category_chart(series, x_title="start frame", y_title=y_title)
    st.plotly_chart(figure, key=f"skill/{dataset.name}/{split}/parts", config=QUIET)


BY_START_HELP = (
    "Each forecast runs from its start frame to the end of the run, so later starts are shorter forecasts. A flow that "
    "starts from rest is hardest to forecast while it spins up."
)


def paper_table(dataset: Dataset, scores: pd.DataFrame) -> None:
    """Our scores in the paper's convention, beside the published ones."""
    paper = PAPER_SCORES.get(dataset.name)
    if paper is None:
        st.caption("The DYffusion paper does not score this data set.")
        return
    st.markdown(f"**{paper.title}.** {PAPER_CAVEAT} **{paper.comparable}**")
    same = (scores["quantity"] == paper.quantity) & (scores["start"] == paper.start) & (scores["lead"] == "all")
    ours = ordered(scores[same & scores["crps_paper"].notna()])
    lines = [
        (forecast_title(row), row["split"], row["crps_paper"], row["mse_paper"], row["ssr_paper"])
        for _, row in ours.iterrows()
    ]
    lines += [(f"{each.method}, published", each.split, each.crps, each.mse, each.ssr) for each in paper.scores]
    table = pd.DataFrame(
        {
            "": [line[0] for line in lines],
            "Runs": [SPLITS[line[1]] for line in lines],
            "CRPS, biased form": [number(line[2]) for line in lines],
            "Mean square error": [number(line[3]) for line in lines],
            "Spread ÷ RMSE": [number(line[4], "{:.2f}") for line in lines],
        }
    )
    st.table(table, border="horizontal", hide_index=True)


# -- why -------------------------------------------------------------------------------------------------


Draw = Callable[[Dataset, pd.DataFrame, str], None]


@dataclass(frozen=True)
class Experiment:
    """An ablation on the page: its title, how to read it, and its chart."""

    title: str
    reading: str
    draw: Draw


def model_control(dataset: Dataset) -> str:
    """Pick the model whose experiments and front are shown; empty where there is none."""
    names = list_checkpoints(dataset.name)
    if len(names) < 2:
        return names[0] if names else ""
    key = f"skill/{dataset.name}/model"
    if key not in st.session_state:
        asked = st.query_params.get("model")
        st.session_state[key] = asked if asked in names else names[0]
    return st.selectbox(
        "Model", names, key=key, format_func=controls.model_title, help=controls.model_help(names), width=360
    )


def ablations(dataset: Dataset, model: str) -> None:
    """One figure for each experiment that was made with a model, and the table they come from."""
    command = f"python -m engine ablate --dataset {dataset.name} --model {model}" if model else ""
    try:
        table = read_ablations()
    except EngineError as error:
        st.info(plain(str(error)))
        return
    rows = table[(table["dataset"] == dataset.name) & (table["model"] == model)]
    if rows.empty:
        nothing_yet("No experiments were made with this model yet", command)
        return
    made = [name for name in EXPERIMENTS if name in set(rows["experiment"])]
    for pair in (made[index : index + 2] for index in range(0, len(made), 2)):
        for column, name in zip(st.columns(2, gap="large"), pair, strict=False):
            with column:
                experiment(dataset, rows[rows["experiment"] == name], name)
    st.download_button(
        "Download the table (CSV)",
        table[table["dataset"] == dataset.name].to_csv(index=False).encode(),
        f"coldcast-ablations-{dataset.name}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def experiment(dataset: Dataset, rows: pd.DataFrame, name: str) -> None:
    """One experiment: its title, how to read it, and its chart."""
    known = EXPERIMENTS[name]
    first = rows.iloc[0]
    st.markdown(f"**{known.title}**")
    members = "" if name == "members" else f", {first['members']:.0f} members"
    where = f"{first['initial_conditions']:.0f} initial conditions of the {first['split']} runs{members}"
    st.caption(f"{known.reading} ({where}.)")
    known.draw(dataset, rows, f"skill/{dataset.name}/{name}")


def draw_settings(dataset: Dataset, rows: pd.DataFrame, key: str) -> None:
    """CRPS and spread ÷ RMSE of each setting."""
    rows = rows[rows["lead"].isna()]
    dots = dots_of(
        rows, rows["setting"].map(setting_title), "fair CRPS", words=[calls_words(row) for _, row in rows.iterrows()]
    )
    st.plotly_chart(setting_chart(dots, rows["ssr"].to_numpy(float), unit=units_of(dataset)), key=key, config=QUIET)


def draw_numbers(column: str, x_title: str) -> Draw:
    """CRPS over the numbers of a column, which `x_title` names, a line for each setting that has several."""

    def draw(dataset: Dataset, rows: pd.DataFrame, key: str) -> None:
        rows = rows[rows["lead"].isna() & rows[column].notna()]
        lines = rows.groupby("setting", sort=False).ngroups if rows["setting"].duplicated().any() else 1
        parts = [part for _, part in rows.groupby("setting", sort=False)] if lines > 1 else [rows]
        series = tuple(
            dots_of(
                part,
                part[column],
                part.iloc[0]["setting"],
                COLOURS[index % len(COLOURS)],
                SYMBOLS[index % len(SYMBOLS)],
                words=[calls_words(row) for _, row in part.iterrows()],
            )
            for index, part in enumerate(parts)
        )
        figure = trend_chart(series, x_title=x_title, y_title=crps_title(dataset), log_x=True)
        st.plotly_chart(figure.update_layout(showlegend=lines > 1), key=key, config=QUIET)

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
    st.plotly_chart(score_chart(curves, time_units=dataset.time_units, units=units), key=key, config=QUIET)


def setting_title(setting: str) -> str:
    """A setting as its line of the chart names it."""
    if setting in controls.NOISE:
        return controls.NOISE[setting]
    return f"Correlation {setting}" if setting.replace(".", "", 1).isdigit() else setting[:1].upper() + setting[1:]


EXPERIMENTS = {
    "solver": Experiment(
        "Cold or naive sampling",
        "Cold sampling adds the change that the interpolator sees between two leads to the state it has; naive "
        "sampling takes the interpolator's state as it is. The one further left loses less of the truth on the way.",
        draw_settings,
    ),
    "interpolator-dropout": Experiment(
        "The interpolator's randomness",
        "With dropout the interpolator draws another path at every call. Without it only a forecaster that draws noise "
        "can part the members: how far spread ÷ RMSE falls is the share of the spread that the interpolator makes.",
        draw_settings,
    ),
    "auxiliary": Experiment(
        "Extra steps inside the first day",
        "Auxiliary leads between the initial state and the first data step let the forecaster correct itself before "
        "anything is delivered. They cost calls; see whether they buy skill.",
        draw_settings,
    ),
    "refinement": Experiment(
        "Refinement",
        "Refinement draws all states of a window anew from its last, best estimate of the end: mostly a smaller error "
        "for a smaller spread.",
        draw_settings,
    ),
    "noise": Experiment(
        "How the noise is shared",
        "From a fresh draw at every network call to one for all of a window. Independent draws add up along the steps, "
        "so sharing them narrows the ensemble: pick the one whose spread ÷ RMSE is near 1 at a low CRPS.",
        draw_settings,
    ),
    "order": Experiment(
        "Euler or Heun",
        "Cold sampling is Euler's method; Heun's takes two looks a step and twice the calls. At the same calls, the "
        "lower line wins. A higher order can only help where the noise is frozen over the window and the path smooth.",
        draw_numbers("value", "network calls per member and window"),
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
        draw_numbers("value", "ensemble members"),
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


# -- cost ------------------------------------------------------------------------------------------------


def front(dataset: Dataset, model: str) -> None:
    """All measured ways to sample a model, and those that none beats."""
    if not model:
        nothing_yet("There is no trained model of this data set", f"python -m engine train {dataset.name}")
        return
    card = load_card(model)
    if card.method == "dropout":
        st.caption(controls.NO_SCHEDULE)
        return
    command = f"python -m engine calibrate --dataset {dataset.name} --model {model}"
    try:
        points = read_front(model)
    except EngineError as error:
        st.info(plain(str(error)))
        return
    if not points:
        nothing_yet("The ways to sample this model have not been compared yet", command)
        return
    best = pareto(points)
    st.caption(
        f"Each dot is one way to sample {plain(card.title)}, measured on {points[0].initial_conditions} initial "
        f"conditions of the {plain(points[0].split)} runs with {points[0].members} members. The dotted line joins "
        "those that no other beats in both cost and CRPS. The default, ringed in red, also has to have a spread that "
        "fits its error, so it need not be the lowest. On the Forecast page, *Best under … seconds* picks from these."
    )
    groups_ = {name: [point for point in points if holds(point.ssr)] for name, holds in RELIABILITY.items()}
    series = tuple(
        front_dots(found, name, colour, symbol)
        for (name, found), (colour, symbol) in zip(groups_.items(), RELIABILITY_MARKS, strict=True)
        if found
    )
    default = [point for point in points if is_default(point, model)]
    figure = front_chart(
        series,
        front_dots(best, "best at its cost"),
        front_dots(default[:1], "default") if default else None,
    )
    st.plotly_chart(figure, key=f"skill/{model}/front", config=QUIET)
    with st.expander("The best at each cost, as a table"):
        st.table(front_table(best), border="horizontal", hide_index=True)


RELIABILITY: dict[str, Callable[[float], bool]] = {
    "too sure (spread ÷ RMSE < 0.9)": lambda ratio: ratio < 0.9,
    "reliable (0.9 to 1.1)": lambda ratio: 0.9 <= ratio <= 1.1,
    "not sure enough (> 1.1)": lambda ratio: ratio > 1.1,
}
RELIABILITY_MARKS = ((ORANGE, "triangle-down"), (GREEN, "circle"), (COLOURS[3], "triangle-up"))


def is_default(point: FrontPoint, model: str) -> bool:
    """Whether a model samples in this way unless asked otherwise."""
    defaults = load_card(model).defaults
    return all(getattr(point, name) == getattr(defaults, name) for name in CHOSEN)


def front_dots(
    points: tuple[FrontPoint, ...] | list[FrontPoint], name: str, colour: str = GREY, symbol: str = "circle"
) -> Dots:
    """Points of a front as dots of a chart, without intervals."""
    unknown = np.full(len(points), np.nan)
    calls, crps = (np.array([getattr(point, field) for point in points], float) for field in ("calls", "crps"))
    words = [f"{way_words(point)}<br>spread ÷ RMSE {point.ssr:.2f}" for point in points]
    return Dots(name, calls, crps, unknown, unknown, colour, symbol, words)


def way_words(point: FrontPoint) -> str:
    """A way to sample in words."""
    refined = ", refined" if point.refine else ""
    return f"{point.schedule}, {point.solver}, {controls.noise_words(point.noise)}{refined}"


def front_table(best: tuple[FrontPoint, ...]) -> pd.DataFrame:
    """The best at each cost, numbers as text."""
    lines = [(way_words(each), f"{each.calls:g}", number(each.crps), number(each.ssr, "{:.2f}")) for each in best]
    return pd.DataFrame(lines, columns=("Way to sample", "Calls", "Fair CRPS", "Spread ÷ RMSE"))


# -- rows and words --------------------------------------------------------------------------------------


def nothing_yet(what: str, command: str) -> None:
    """Say what is missing and which command makes it."""
    st.info(f"{what}. `{command}` makes it." if command else f"{what}.")


def ordered(scores: pd.DataFrame) -> pd.DataFrame:
    """Models first, the data set's default at their head, then the rivals and the baselines."""
    methods = ["dyffusion", "dropout", *BASELINES]
    names = [*list_checkpoints(), *scores["model"].unique()]
    rank = [(methods.index(row["method"]), names.index(row["model"])) for _, row in scores.iterrows()]
    order = sorted(range(len(rank)), key=rank.__getitem__)
    return scores.iloc[order]


def groups(scores: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each model and baseline, in their order."""
    return [rows for _, rows in scores.groupby(["method", "model"], sort=False)]


def marks(scores: pd.DataFrame) -> list[tuple[str, str]]:
    """A colour and a symbol for each model; baselines are grey."""
    found, models, others = [], 0, 0
    for rows in groups(scores):
        if rows.iloc[0]["method"] in BASELINES:
            found.append((GREY, GREY_SYMBOLS[others % len(GREY_SYMBOLS)]))
            others += 1
        else:
            found.append((COLOURS[models % len(COLOURS)], SYMBOLS[models % len(SYMBOLS)]))
            models += 1
    return found


def forecast_title(row: "pd.Series[object]") -> str:
    """A model by its card's title, a baseline by its name."""
    return BASELINES.get(str(row["method"])) or controls.model_title(str(row["model"]))


def dots_of(
    rows: pd.DataFrame,
    x: "pd.Series[object]",
    name: str,
    colour: str = COLOURS[0],
    symbol: str = "circle",
    *,
    words: list[str] | None = None,
) -> Dots:
    """CRPS and its interval as dots of a chart."""
    values, low, high = (rows[column].to_numpy(float) for column in ("crps", "crps_low", "crps_high"))
    return Dots(name, x.to_numpy(), values, low, high, colour, symbol, words or ())


def calls_words(row: "pd.Series[object]") -> str:
    return f"{row['setting']}: {row['calls']:g} network calls per member, spread ÷ RMSE {row['ssr']:.2f}"


def units_of(dataset: Dataset) -> str:
    """The units of scores over all channels: those of observed temperature."""
    return "°C" if dataset.calendar else ""


def crps_title(dataset: Dataset) -> str:
    return " ".join(["fair CRPS", *([f"({units_of(dataset)})"] if units_of(dataset) else [])])


def number(value: float, form: str = "{:#.3g}") -> str:
    """A number with its significant digits; empty where there is none."""
    return "" if pd.isna(value) else form.format(value).rstrip(".")


def with_interval(row: "pd.Series[object]", name: str, form: str = "{:#.3g}") -> str:
    """A number and its interval in brackets."""
    value, low, high = (number(row[column], form) for column in (name, f"{name}_low", f"{name}_high"))
    joined = f"({low}\u2060–\u2060{high})"  # word joiners: an interval is not broken over two lines
    return f"{value} {joined}" if low and high else value


if __name__ == "__main__":
    # a link to this page that is the first thing a new server sees runs this file by itself: see data.py
    runpy.run_path(str(Path(__file__).parents[1] / "main.py"), run_name="__main__")
