"""The second forecast of a comparison, B: what it is asked to do in another way than the first, A.

Both have data set, initial condition, horizon and seed in common. The link says of B what differs, such as
`b.schedule=full`; with another model that is what differs from that model's own way to sample.
"""

import json
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, fields

from app.link import Resolve, read_entry, written
from app.sampler import Window, front_of, schedule_presets
from app.summary import Summary
from engine.checkpoint import ModelCard, list_checkpoints, load_card
from engine.datasets import get_dataset
from engine.errors import EngineError
from engine.fronts import CHOSEN, FrontPoint
from engine.requests import ForecastRequest, ResolvedRequest, calls_per_member
from engine.schedules import parse_schedule

FIELDS = ("model", "schedule", "solver", "noise", "refine", "last_step", "precision", "members")
"""Fields of a request in which B may differ."""

COMMON = ("dataset", "init", "steps", "members", "seed", "output_leads", "precision")
"""Fields that B takes from A, whatever its model."""

PREFIX = "b."
FEW_STOPS = 4  # of a window, with which Heun's steps begin to differ from cold ones

Differences = Mapping[str, str]
"""Fields of B as the link writes them, without the prefix."""


@dataclass(frozen=True)
class Preset:
    """A difference that is worth a click: its name in the page's state, its title, what it is for."""

    name: str
    title: str
    why: str
    differences: Differences


def first_request(summary: Summary, resolve: Resolve) -> ResolvedRequest:
    """The request of the forecast that is shown, A. Raises EngineError where it cannot be made here any more."""
    said = json.loads(summary.request)
    known = {item.name: said[item.name] for item in fields(ForecastRequest) if item.name in said}
    return resolve(ForecastRequest(**{**known, "output_leads": tuple(known.get("output_leads", ()))}))


def differences_in(settings: Mapping[str, str]) -> dict[str, str]:
    """What the link says of B."""
    return {name: settings[PREFIX + name] for name in FIELDS if PREFIX + name in settings}


def set_differences(settings: MutableMapping[str, str], differences: Differences) -> None:
    """Let the link say this of B, and nothing else."""
    for name in FIELDS:
        settings.pop(PREFIX + name, None)
    settings.update({PREFIX + name: text for name, text in differences.items()})


def rival_of(first: ResolvedRequest, differences: Differences, resolve: Resolve) -> ResolvedRequest:
    """The request of B. Raises EngineError where it cannot be run."""
    given = {name: read_entry(name, text) for name, text in differences.items()}
    ground = ground_of(first, given.pop("model", first.model), resolve)
    return resolve(ForecastRequest(**({item.name: getattr(ground, item.name) for item in fields(ground)} | given)))


def ground_of(first: ResolvedRequest, model: str, resolve: Resolve) -> ResolvedRequest:
    """What B is before it differs: A itself, or A with another model in that model's own way."""
    if model == first.model:
        return first
    return resolve(ForecastRequest(**{name: getattr(first, name) for name in COMMON}, model=model))


def differences_of(first: ResolvedRequest, second: ResolvedRequest, resolve: Resolve) -> dict[str, str]:
    """What the link says of B so that it becomes `second`."""
    ground = ground_of(first, second.model, resolve)
    found = {} if second.model == first.model else {"model": second.model}
    return found | {
        name: written(getattr(second, name))
        for name in FIELDS
        if name != "model" and getattr(second, name) != getattr(ground, name)
    }


def presets(first: ResolvedRequest, window: Window, resolve: Resolve) -> tuple[Preset, ...]:
    """Differences worth a click; those alone that can be run here and make a difference.

    window: that of the model which walks through it, A's, or the data set's first where A's does not.
    """
    found = []
    for preset in _all_presets(first, window, resolve):
        try:
            if rival_of(first, preset.differences, resolve) != first:
                found.append(preset)
        except EngineError:
            continue
    return tuple(found)


def _all_presets(first: ResolvedRequest, window: Window, resolve: Resolve) -> Iterator[Preset]:
    cards = cards_of(first.dataset)
    walker = walking_model(first, cards)
    by_model = {} if walker == first.model else {"model": walker}
    ground = ground_of(first, walker, resolve)
    refined = get_dataset(first.dataset).calendar is None  # Table 6 of the paper
    yield Preset(
        "paper",
        "The paper's sampling",
        "every trained lead, cold sampling, independent noise, and refined where the paper refines",
        by_model
        | {"schedule": "full", "solver": "cold", "noise": "independent", "last_step": "forecast"}
        | {"refine": written(refined)},
    )
    yield Preset(
        "one-call",
        "One call per window",
        "the forecaster jumps to the window's end, and the interpolator fills in what lies between",
        by_model | {"schedule": f"stride{window.horizon}", "solver": "cold", "refine": "false"},
    )
    yield Preset(
        "heun",
        "Heun",
        "the average of two changes at every stop, the second order of the same equation",
        by_model | {"solver": "heun", "schedule": heun_schedule(ground, window)},
    )
    for card in cards:
        if card.preset == "dropout":
            yield Preset(
                "dropout", "Dropout rival", "one network, asked for every lead by itself", {"model": card.name}
            )
        if card.preset == "published":
            yield Preset("published", "The paper's recipe", "networks trained as the paper does", {"model": card.name})
    best = best_under_half(first, ground, front_of(walker))
    if best is not None:
        chosen = {name: written(getattr(best, name)) for name in CHOSEN}
        yield Preset(
            "half", "Best under half the cost", "the lowest CRPS measured at half of A's calls", by_model | chosen
        )


def cards_of(dataset: str) -> tuple[ModelCard, ...]:
    """The models of a data set on this machine."""
    return tuple(load_card(name) for name in list_checkpoints(dataset))


def walking_model(first: ResolvedRequest, cards: tuple[ModelCard, ...]) -> str:
    """A's model if it walks through a window, else the first that does; A's own where none is known."""
    walking = [card.name for card in cards if card.method != "dropout"]
    is_known = any(card.name == first.model for card in cards)
    return first.model if first.model in walking or not is_known or not walking else walking[0]


def heun_schedule(ground: ResolvedRequest, window: Window) -> str:
    """A schedule with stops for Heun to average over: that of A where it has some, else the first with few."""

    def stops(text: str) -> int:
        return len(parse_schedule(text, horizon=window.horizon, auxiliary_steps=window.auxiliary_steps))

    if stops(ground.schedule) > 1:
        return ground.schedule
    strided = [name for name in schedule_presets(window) if name.startswith("stride")]
    return next((name for name in strided if 1 < stops(name) <= FEW_STOPS), "full")


def best_under_half(
    first: ResolvedRequest, ground: ResolvedRequest, points: tuple[FrontPoint, ...]
) -> FrontPoint | None:
    """The measured way with the lowest CRPS that takes half of A's network calls or less; None where none is."""
    if not points:
        return None
    most = calls_per_member(first) / 2
    cheap = [point for point in points if calls_per_member(point.apply(ground)) <= most]
    return min(cheap, key=lambda point: point.crps, default=None)


def preset_of(second: ResolvedRequest, first: ResolvedRequest, known: tuple[Preset, ...], resolve: Resolve) -> str:
    """The name of the first preset that gives B; empty where none does."""
    return next((each.name for each in known if rival_of(first, each.differences, resolve) == second), "")
