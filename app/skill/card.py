"""The score card on the page: tables and charts of how good every model of a data set is, beside its rivals."""

import pandas as pd
import streamlit as st

from app.charts import show_chart
from app.plain_text import plain
from app.plots.curves import GREY
from app.plots.skill import COLOURS, GREY_SYMBOLS, SYMBOLS, category_chart, trend_chart
from app.skill.words import (
    BASELINES,
    crps_title,
    dots_of,
    forecast_title,
    nothing_yet,
    number,
    units_of,
    with_interval,
)
from engine.checkpoint import list_checkpoints
from engine.datasets import Dataset
from engine.paper_scores import PAPER_SCORES
from engine.scorecard import read_paired, read_scorecard, scorecard_path

SPLITS = {"test": "Like training", "ood": "Unlike training"}
SPLIT_WORDS = {
    "test": "runs of the same kind as in training that no model has seen",
    "ood": "runs of a kind that no model was trained on",
}
QUANTITIES = {
    "all": "All channels",
    "sst": "Temperature, °C",
    "nino34": "Niño 3.4 index, °C",
    "standardised": "In standard deviations",
}
FIRST_QUANTITIES = ("all", "sst")

CONVENTIONS = """
- **Fair CRPS** measures the whole ensemble against what happened, in the units of the variable: it is the mean
  absolute error of a single forecast, and falls as the members surround the truth more closely. 0 is perfect. *Fair*
  says that an ensemble of few members is not punished for being small. *All channels* is the mean over the channels,
  each in its own units.
- **CRPS ÷ Dropout** compares with the Dropout model on the very same forecasts: below 1 is better. As both meet the
  same easy and hard cases, its interval is narrower than those of the two scores.
- **RMSE** is the root mean square error of the ensemble mean.
- **Spread ÷ RMSE** says whether the ensemble knows how wrong it is: at 1 the members lie as far from their mean as the
  truth does. Below 1 it is too sure of itself, above 1 not sure enough. Spread is the root mean variance of the M
  members times (M + 1)/M; variance and squared error are averaged over all forecasts before they are divided.
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
BY_START_HELP = (
    "Each forecast runs from its start frame to the end of the run, so later starts are shorter forecasts. A flow that "
    "starts from rest is hardest to forecast while it spins up."
)


def scores_of(dataset: Dataset) -> pd.DataFrame:
    """The rows of a data set in the score card, none where there is no card; DataError if it is damaged."""
    scores = read_scorecard() if scorecard_path().exists() else pd.DataFrame(columns=["dataset", "quantity"])
    return scores[scores["dataset"] == dataset.name]


def quantities_of(scores: pd.DataFrame) -> tuple[str, ...]:
    """What was scored: all channels or the temperature first, then each channel, then indices."""
    known = list(QUANTITIES)

    def place(name: str) -> tuple[bool, int]:
        return name not in FIRST_QUANTITIES, known.index(name) if name in known else -1

    return tuple(sorted(scores["quantity"].unique(), key=place))


def quantity_title(dataset: Dataset, name: str) -> str:
    """A quantity as the picker names it."""
    for channel in dataset.channels:
        if channel.name == name and name not in QUANTITIES:
            return f"{channel.long_name.capitalize()} {name}"
    return QUANTITIES.get(name, name)


def score_card(dataset: Dataset, scores: pd.DataFrame, quantity: str | None) -> None:
    """Tables and charts of a data set's scores, of one quantity; without a quantity there are none."""
    if quantity is None:
        command = f"python -m engine scorecard --dataset {dataset.name}"
        nothing_yet("This data set has not been scored yet. To score it", command)
        return
    shown = scores[scores["quantity"] == quantity]
    for split in (each for each in SPLITS if each in set(shown["split"])):
        one_split(dataset, shown[shown["split"] == split], split, quantity)
    with st.expander("What the numbers mean"):
        st.markdown(CONVENTIONS)
    with st.expander("Beside the figures of the DYffusion paper"):
        paper_table(dataset, scores)


def one_split(dataset: Dataset, scores: pd.DataFrame, split: str, quantity: str) -> None:
    """The table of one split, and its chart by start or by lead beside it."""
    total = ordered(scores[(scores["start"] == "all") & (scores["lead"] == "all")])
    if total.empty:
        return
    st.markdown(f"### {SPLITS[split]}" if dataset.calendar is None else "### Test years")
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
    if dataset.calendar is None:
        where = f"{plain(first['runs'].partition(' ')[0])} {SPLIT_WORDS[split]}"
    else:
        where = "years that no model has seen"
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
        "Forecast": [forecast_title(row) for row in rows],
        "Fair CRPS": [with_interval(row, "crps") for row in rows],
        "CRPS ÷ Dropout": [ratios.get(row["model"], "") for row in rows],
        "RMSE": [with_interval(row, "rmse") for row in rows],
        "Spread ÷ RMSE": [with_interval(row, "ssr", "{:.2f}") for row in rows],
        "Rank deviation": [number(row["rank_deviation"], "{:.2f}") for row in rows],
    }
    return pd.DataFrame({name: values for name, values in columns.items() if any(values)})


def by_start_or_lead(dataset: Dataset, scores: pd.DataFrame, quantity: str, split: str) -> None:
    """CRPS by start frame, or by lead of an observed record, a colour for each model."""
    by = "lead" if dataset.calendar is not None else "start"
    parts = scores[(scores[by] != "all") & scores["crps"].notna()]
    if parts.empty:
        return
    series = tuple(
        dots_of(rows, pd.to_numeric(rows[by]), forecast_title(rows.iloc[0]), *mark)
        for rows, mark in zip(groups(parts), marks(parts), strict=True)
    )
    y_title = crps_title(units_of(dataset, quantity))
    if by == "lead":
        title, help_ = "**By lead time**", None
        figure = trend_chart(series, x_title=f"lead time ({dataset.time_units})", y_title=y_title)
    else:
        title, help_ = "**By start frame**", BY_START_HELP
        figure = category_chart(series, x_title="start frame", y_title=y_title)
    key = f"skill/{dataset.name}/{split}/parts"
    show_chart(figure, key=key, name=f"{key}-by-{by}", title=title, help=help_)


def paper_table(dataset: Dataset, scores: pd.DataFrame) -> None:
    """Our scores in the paper's convention, beside the published ones."""
    paper = PAPER_SCORES.get(dataset.name)
    if paper is None:
        st.caption("The DYffusion paper does not score this data set.")
        return
    st.markdown(f"**{paper.title}.** {PAPER_CAVEAT} **{paper.comparable}**")
    same = (scores["quantity"] == paper.quantity) & (scores["start"] == paper.start) & (scores["lead"] == "all")
    same &= scores["split"].isin({each.split for each in paper.scores}) & scores["crps_paper"].notna()
    ours = ordered(scores[same])
    lines = [
        (forecast_title(row), row["split"], row["crps_paper"], row["mse_paper"], row["ssr_paper"])
        for _, row in ours.iterrows()
    ]
    lines += [(f"{each.method}, published", each.split, each.crps, each.mse, each.ssr) for each in paper.scores]
    lines.sort(key=lambda line: list(SPLITS).index(line[1]))
    table = pd.DataFrame(
        {
            "Forecast": [line[0] for line in lines],
            "Runs": [SPLITS[line[1]] for line in lines],
            "CRPS, biased form": [number(line[2]) for line in lines],
            "Mean square error": [number(line[3]) for line in lines],
            "Spread ÷ RMSE": [number(line[4], "{:.2f}") for line in lines],
        }
    )
    st.table(table, border="horizontal", hide_index=True)


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
