"""What a person asks for: the request, its defaults from the model card, and every check, made once at the edge."""

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace

import torch

from engine.checkpoint import ModelCard, list_checkpoints, load_card
from engine.datasets import Dataset, get_dataset
from engine.datasets.base import parse_initial_condition
from engine.errors import CheckpointError, RequestError
from engine.noise import parse_coupling
from engine.sampling import LAST_STEPS, SOLVERS
from engine.schedules import Schedule, parse_schedule

MAX_MEMBERS = 1000
MAX_SEED = 2**63 - 1

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class ForecastRequest:
    """What to forecast; a field left at None takes the model card's default.

    init: index into the test split's initial conditions, "RUN:FRAME" or an ISO date. steps: forecast length
    in data steps. noise: coupling of the interpolator's randomness, "independent", "step", "window", "none"
    (its dropout off) or a correlation.
    output_leads: further, fractional leads in data steps, delivered beside the whole ones.
    """

    dataset: str
    model: str | None = None
    init: int | str = 0
    steps: int | None = None
    members: int | None = None
    schedule: str | None = None
    solver: str | None = None
    last_step: str | None = None
    noise: str | None = None
    refine: bool | None = None
    seed: int = 0
    output_leads: tuple[float, ...] = ()
    precision: str | None = None


@dataclass(frozen=True)
class ResolvedRequest(ForecastRequest):
    """A request with every field filled in and checked."""

    model: str = ""
    steps: int = 1
    members: int = 1
    schedule: str = "full"
    solver: str = "cold"
    last_step: str = "forecast"
    noise: str = "independent"
    refine: bool = False
    precision: str = "fp32"


def resolve(request: ForecastRequest) -> ResolvedRequest:
    """Fill in the card's defaults and check every field. Raises RequestError or CheckpointError."""
    dataset = get_dataset(request.dataset)
    card = card_of(request)
    given = {item.name: getattr(request, item.name) for item in fields(ForecastRequest)}
    defaults = {name: value for name, value in asdict(card.defaults).items() if given[name] is None}
    filled = ResolvedRequest(**(given | defaults | {"model": _model(request)}))
    _check_whole("The number of members", filled.members, 1, MAX_MEMBERS)
    _check_whole("The horizon", filled.steps, 1, 10**6)
    _check_whole("The seed", filled.seed, 0, MAX_SEED)
    _check_choice("solver", filled.solver, SOLVERS)
    _check_choice("last step", filled.last_step, LAST_STEPS)
    _check_choice("precision", filled.precision, PRECISIONS)
    if not isinstance(filled.refine, bool):
        raise RequestError(f"refine is {filled.refine!r}: give True or False.")
    parse_coupling(filled.noise)
    schedule_of(filled, card)
    parse_initial_condition(filled.init, dataset)
    _check_output_leads(filled)
    _check_memory(filled, dataset)
    return replace(filled, output_leads=tuple(sorted({float(lead) for lead in filled.output_leads})))


def resolved(request: ForecastRequest) -> ResolvedRequest:
    """The request itself where it was resolved before; another one is resolved. Raises as `resolve`."""
    return request if isinstance(request, ResolvedRequest) else resolve(request)


def card_of(request: ForecastRequest) -> ModelCard:
    """The request's model card. Raises RequestError where it belongs to another data set."""
    card = load_card(_model(request))
    if card.dataset != request.dataset:
        known = ", ".join(list_checkpoints(request.dataset))
        raise RequestError(f"The model {request.model!r} is for {card.dataset}, not {request.dataset}; choose {known}.")
    return card


def schedule_of(request: ResolvedRequest, card: ModelCard) -> Schedule:
    """The request's schedule in the model's window. Raises RequestError on one that the model cannot walk."""
    schedule = parse_schedule(request.schedule, horizon=card.horizon, auxiliary_steps=card.auxiliary_steps)
    if card.interpolator is None and len(schedule) > 1:
        raise RequestError(
            f"The model {card.name} has no interpolator and reaches every lead in one call: ask for schedule 0, not "
            f"{request.schedule}."
        )
    return schedule


def output_leads(request: ResolvedRequest) -> tuple[float, ...]:
    """All leads that a resolved request delivers, in data steps, rising."""
    return tuple(sorted({*map(float, range(1, request.steps + 1)), *map(float, request.output_leads)}))


def window_leads(request: ResolvedRequest, horizon: int, window: int) -> tuple[float, ...]:
    """Leads to deliver from a window, counted from its start."""
    from_start = (lead - window * horizon for lead in output_leads(request))
    return tuple(lead for lead in from_start if 0 < lead <= horizon)


def refined_leads(request: ResolvedRequest, schedule: Schedule, window: int) -> tuple[float, ...]:
    """Leads to deliver from a window that no sampling step lands on, or that are to be refined."""
    landed = {float(schedule.horizon), *(() if request.refine else schedule.leads)}
    return tuple(lead for lead in window_leads(request, schedule.horizon, window) if lead not in landed)


def calls_by_window(request: ResolvedRequest, schedule: Schedule) -> list[int]:
    """Network calls of one member in every window of a forecast, refinement included."""
    windows = math.ceil(output_leads(request)[-1] / schedule.horizon)
    sampling = window_calls(schedule, request.solver, request.last_step)
    return [sampling + len(refined_leads(request, schedule, window)) for window in range(windows)]


def calls_per_member(request: ForecastRequest) -> int:
    """Network calls that one member of a request costs when nothing is stored."""
    asked = resolved(request)
    return sum(calls_by_window(asked, schedule_of(asked, card_of(asked))))


def window_calls(schedule: Schedule, solver: str, last_step: str) -> int:
    """Network calls of one member in one window, without refinement (arXiv 2306.01984, Algorithm 2)."""
    steps = len(schedule)
    if solver == "naive":
        return 2 * steps - 1
    last_interpolates = last_step == "solver" and steps > 1
    if solver == "cold":
        return (3 * (steps - 1) or 1) + last_interpolates
    # Heun: 2F + 4I a step before the last, two of the first step's I being free;
    # the last step is cold's
    return (6 * (steps - 1) - 2 if steps > 1 else 0) + 1 + last_interpolates


def _model(request: ForecastRequest) -> str:
    if request.model is not None:
        return request.model
    names = list_checkpoints(request.dataset)
    if not names:
        raise CheckpointError(
            f"There is no trained model for {request.dataset}: train one with python -m engine train."
        )
    return names[0]


def _check_whole(what: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RequestError(f"{what} is {value!r}: give a whole number from {least} to {most}.")


def _check_choice(what: str, value: object, known: Collection[str]) -> None:
    if value not in known:
        raise RequestError(f"There is no {what} {value!r}; choose one of {', '.join(known)}.")


def _check_output_leads(request: ResolvedRequest) -> None:
    for lead in request.output_leads:
        if not (isinstance(lead, int | float) and 0 < lead <= request.steps):
            raise RequestError(f"The output lead {lead!r} does not lie between 0 and the horizon {request.steps}.")


def _check_memory(request: ResolvedRequest, dataset: Dataset) -> None:
    """The result and its working copy must fit into half of the machine's free memory."""
    cells = math.prod(len(axis.values) for axis in dataset.axes) * len(dataset.channels)
    needed = 3 * 4 * request.members * (request.steps + len(request.output_leads)) * cells
    free = _free_memory()
    if needed > free / 2:
        raise RequestError(
            f"{request.members} members × {request.steps} steps need {needed / 2**30:.1f} GiB, more than half of the "
            f"{free / 2**30:.1f} GiB that are free: ask for fewer members or a shorter horizon."
        )


def _free_memory() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            sizes = dict(line.split(":", 1) for line in lines)
        return 1024 * int(sizes["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return 8 * 2**30  # not Linux: assume a small laptop
