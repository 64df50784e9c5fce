"""The cards of the models that come with Coldcast: how each was made, what it is, and how good it is."""

from typing import Any

import pandas as pd
import streamlit as st

from app import wording
from app.plain_text import plain
from app.sizes import in_words
from app.skill.card import FIRST_QUANTITIES, SPLITS, against_dropout, ordered, score_table, scores_of
from engine.checkpoint import WEIGHTS_FILE, ModelCard, checkpoint_folder, count_weights, list_checkpoints, load_card
from engine.datasets import DATASETS, Dataset, get_dataset
from engine.errors import EngineError

METHODS = {
    "dyffusion": "DYffusion: a forecaster to the end of the window and a random interpolator inside it",
    "dropout": "one network that is asked for every lead time by itself, its dropout on",
}
STAGES = {
    "interpolator": "interpolator",
    "direct": "forecaster, from the initial condition",
    "forecaster": "forecaster, from any lead",
    "calibration": "interpolator, calibrated",
    "dropout": "the network",
}


def models() -> None:
    """All models, by data set; a card is read when it is opened."""
    names = list_checkpoints()
    if not names:
        st.info("There are no models: train one with `python -m engine train`.", icon=":material/hourglass_empty:")
        return
    st.markdown(
        "A model card says what a model was trained on and how long, what it is asked for by default, and how good it "
        "is on data that it has not seen. Weights are verified against the SHA-256 of their card whenever they are "
        "loaded."
    )
    for name in DATASETS:
        of_dataset = list_checkpoints(name)
        if of_dataset:
            st.markdown(f"#### {DATASETS[name].title}")
        for model in of_dataset:
            one_model(get_dataset(name), model)


def one_model(dataset: Dataset, name: str) -> None:
    """The card of a model, folded."""
    place = st.expander(plain(f"{wording.model_title(name)} · {name}"), key=f"about-model-{name}", on_change="rerun")
    if not place.open:
        return
    with place:
        try:
            card = load_card(name)
            made, good = st.columns(2, gap="large")
            with made:
                lines(facts_of(card))
            with good:
                st.markdown("**How good it is**")
                scores(dataset, card)
                st.markdown("**How it was trained**")
                st.table(stages_of(card), border="horizontal", hide_index=True)
            st.caption("SHA-256 of the weights")
            st.code(card.weights_sha256, language=None, wrap_lines=True)
        except EngineError as error:
            st.error(plain(str(error)))


def lines(rows: list[tuple[str, str]]) -> None:
    """Names and values, line by line."""
    if rows:
        st.table(pd.DataFrame(rows, columns=["", " "]), border="horizontal", hide_index=True, hide_header=True)


def facts_of(card: ModelCard) -> list[tuple[str, str]]:
    """What a card says, in words."""
    size = (checkpoint_folder(card.name) / WEIGHTS_FILE).stat().st_size
    networks = ", ".join(f"{part} {number:,}" for part, number in count_weights(card.name).items() if number)
    said = card.training
    rows = [
        ("What it is", METHODS[card.method]),
        ("Recipe", wording.PRESET_NOTES.get(card.preset, card.preset)),
        ("Trained on", str(said.get("data", "not stated"))),
        ("Climatology", str(said["baseline"]) if "baseline" in said else ""),
        ("Loss", str(said.get("loss", ""))),
        ("Seed", str(said.get("seed", "not stated"))),
        ("Hardware", str(said.get("hardware", "not stated"))),
        ("Date", str(said.get("date", "not stated"))),
        ("Window", wording.duration(get_dataset(card.dataset), card.horizon) + f", {card.horizon} data steps"),
        ("Weights", f"{networks}; {card.weights_dtype} on disk, {in_words(size)}"),
        ("Family", card.forecaster.family),
        ("Asked for by default", defaults_of(card)),
        ("Licence", "Apache-2.0"),
    ]
    return [row for row in rows if row[1]]


def defaults_of(card: ModelCard) -> str:
    """What a request that leaves everything open gets, in words."""
    each = card.defaults
    reach = wording.duration(get_dataset(card.dataset), each.steps)
    refined = ", refined" if each.refine else ""
    sampled = f"schedule {each.schedule}, {each.solver}, noise {each.noise}{refined}" if each.schedule != "0" else ""
    return ", ".join(filter(None, [f"{each.members} members", reach, sampled, each.precision]))


def stages_of(card: ModelCard) -> pd.DataFrame:
    """The stages of training with their steps and minutes, in the order of the card."""
    rows = [stage_row(part, said) for part, said in card.training.items() if isinstance(said, dict)]
    return pd.DataFrame(rows, columns=["Stage", "Steps", "Minutes", "Validation CRPS, standardised"])


def stage_row(part: str, said: dict[str, Any]) -> tuple[str, str, str, str]:
    """One stage of training."""
    stage = str(said.get("stage", part.removesuffix("_start")))
    steps, minutes, crps = (said.get(name) for name in ("steps", "minutes", "validation_crps_normalised"))
    return (
        STAGES.get(stage, stage),
        "" if steps is None else f"{steps:,}",
        "" if minutes is None else f"{minutes:g}",
        "" if crps is None else f"{crps:#.3g}",
    )


def scores(dataset: Dataset, card: ModelCard) -> None:
    """The headline of a model on the score card; where it is not on it, what its own card says."""
    table = scores_of(dataset)
    mine = table[(table["model"] == card.name) & table["quantity"].isin(FIRST_QUANTITIES)] if len(table) else table
    if len(mine):
        mine = mine[(mine["start"] == "all") & (mine["lead"] == "all")]
    if mine.empty:
        st.caption(
            "It is not on the score card; these scores are from its training." if card.scores else "Not scored yet."
        )
        lines([(name.replace("_", " "), str(value)) for name, value in card.scores.items()])
        return
    for split in (each for each in SPLITS if each in set(mine["split"])):
        rows = ordered(mine[mine["split"] == split])
        quantity = str(rows.iloc[0]["quantity"])
        first = rows.iloc[0]
        title = SPLITS[split] if dataset.calendar is None else "Test years"
        st.caption(f"{title}: {first['initial_conditions']:,.0f} initial conditions, {first['members']:.0f} members")
        shown = score_table(rows, against_dropout(dataset, split, quantity)).drop(columns="Forecast")
        st.table(shown, border="horizontal", hide_index=True)
