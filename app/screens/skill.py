"""How good the forecasts are, and why: the score card, the experiments, and skill against cost."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app import controls, session, wording
from app.notes import guarded
from app.plain_text import plain
from app.skill.card import FIRST_QUANTITIES, quantities_of, quantity_title, score_card, scores_of
from app.skill.experiments import ablations
from app.skill.front import front
from app.skill.words import nothing_yet
from app.widgets import held_index
from engine.checkpoint import list_checkpoints
from engine.datasets import DATASETS, Dataset, get_dataset
from engine.errors import EngineError


@guarded
def show() -> None:
    """The page, top to bottom."""
    st.markdown("# Skill")
    visit, link = session.visit(), st.query_params.to_dict()
    with complaint():
        get_dataset(link.get("dataset", next(iter(DATASETS))))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        visit.dataset = controls.dataset_control(visit.dataset, width=240)
        dataset = get_dataset(visit.dataset)
        place = st.container(width="content")
    link = link if link.get("dataset", dataset.name) == dataset.name else {}  # else it is of the data set before
    quantity = model = None
    with complaint():
        scores = scores_of(dataset)
        with place:
            quantity = quantity_control(dataset, quantities_of(scores), link)
        score_card(dataset, scores, quantity)
    with complaint():
        model = why(dataset, link)
    keep_in_link(dataset, quantity=quantity, model=model)


def why(dataset: Dataset, link: dict[str, str]) -> str | None:
    """The experiments with a model and its skill against cost; returns the model."""
    names = list_checkpoints(dataset.name)
    st.markdown("### Why it is what it is")
    if not names:
        nothing_yet(
            "There is no trained model of this data set yet. To train one", f"python -m engine train {dataset.name}"
        )
        return None
    model = model_control(dataset, names, link)
    with complaint():
        ablations(dataset, model)
    st.markdown("### Skill against cost")
    with complaint():
        front(dataset, model)
    return model


@contextmanager
def complaint() -> Iterator[None]:
    """Say what is wrong in a part of the page; the other parts go on."""
    try:
        yield
    except EngineError as error:
        st.error(plain(str(error)))


def quantity_control(dataset: Dataset, names: tuple[str, ...], link: dict[str, str]) -> str | None:
    """Pick which scores are shown: of all channels, of one, or of an index; None where there are none."""
    if not names:
        return None
    key = f"skill/{dataset.name}/quantity"
    return st.selectbox(
        "Scores of",
        names,
        held_index(names, key, link.get("quantity", "")),
        key=key,
        format_func=lambda name: quantity_title(dataset, name),
        width=240,
    )


def model_control(dataset: Dataset, names: tuple[str, ...], link: dict[str, str]) -> str:
    """Pick the model whose experiments are shown, that of the Forecast page at first."""
    if len(names) == 1:
        return names[0]
    request = session.visit().requests.get(dataset.name)
    key = f"skill/{dataset.name}/model"
    return st.selectbox(
        "Model",
        names,
        held_index(names, key, link.get("model", request.model if request is not None else "")),
        key=key,
        format_func=wording.model_title,
        help=wording.models_help("The model that the experiments were made with.", names),
        width=360,
    )


def keep_in_link(dataset: Dataset, *, quantity: str | None, model: str | None) -> None:
    """Write into the link what the page shows, as far as it is not what is shown at first."""
    query = {"dataset": dataset.name}
    if quantity is not None and quantity not in FIRST_QUANTITIES:
        query["quantity"] = quantity
    if model is not None and model != list_checkpoints(dataset.name)[0]:
        query["model"] = model
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)
