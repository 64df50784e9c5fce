"""What each part of the method is worth: the same forecasts with one thing changed at a time.

The results come with the project as one table, `checkpoints/ablations.csv`; `python -m engine ablate` renews it.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from engine.checkpoint import ModelCard
from engine.errors import RequestError
from engine.evaluation import skill
from engine.folders import checkpoints_dir
from engine.requests import ResolvedRequest, calls_per_member, schedule_of
from engine.tables import read_csv_table
from engine.trials import Done, Ground, calls_in_window, check_members, schedules_to_try, score_members

if TYPE_CHECKING:
    import pandas as pd

COUNTS = (1, 2, 3, 5, 10, 20, 50)
"""Numbers of members that are compared."""

STEPS_OF_HEUN = (2, 3, 4, 6, 10, 16)
NEARLY_EQUAL = 2
"""Network calls of a window by which two solvers that are compared at equal cost may differ."""

LEADS_SHOWN = 100
"""Leads at most that the spread is recorded at."""


@dataclass(frozen=True)
class Setting:
    """What is varied: a model, with the request that its card defaults to and the members to score.

    trained: checkpoint folders of the same recipe by the number of training runs.
    """

    card: ModelCard
    request: ResolvedRequest
    trained: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """One of the things that an experiment compares, named by `setting`.

    value: its place on an axis of numbers. biased: scored in the paper's form. by_lead: a row for every lead.
    """

    setting: str
    value: float | None
    request: ResolvedRequest
    biased: bool = False
    by_lead: bool = False


@dataclass(frozen=True)
class Row:
    """A line of the table. calls: network calls of one member in the longest forecast; lead None: over all leads.

    initial_conditions: those whose forecasts reach the lead. crps and its 95 % interval, rmse and spread are in
    physical units; ssr is the pooled spread-skill ratio. In a row of the biased CRPS spread and ratio are in the
    paper's form too.
    """

    dataset: str
    model: str
    experiment: str
    setting: str
    value: float | None
    lead: float | None
    split: str
    calls: int
    members: int
    initial_conditions: int
    crps: float
    crps_low: float
    crps_high: float
    rmse: float
    ssr: float
    spread: float


COLUMNS = tuple(Row.__dataclass_fields__)
WORDS = ("dataset", "model", "experiment", "setting", "split")
KEYS = ("dataset", "model", "experiment")


def ablations_path() -> Path:
    """Where the table lies that comes with the project."""
    return checkpoints_dir() / "ablations.csv"


def read_ablations(path: Path | None = None) -> "pd.DataFrame":
    """The table; its columns are the fields of `Row`. Raises DataError where it is missing or damaged."""
    remedy = "make it with python -m engine ablate"
    return read_csv_table(path or ablations_path(), COLUMNS, words=WORDS, remedy=remedy)


def as_table(rows: Iterable[Row]) -> "pd.DataFrame":
    """Rows as a table with the columns of `read_ablations`."""
    import pandas as pd

    return pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))


def variants_of(setting: Setting, experiment: str) -> tuple[Variant, ...]:
    """What an experiment compares; nothing where it does not apply to the model.

    Raises: RequestError for an experiment that is not there.
    """
    if experiment not in EXPERIMENTS:
        raise RequestError(f"There is no experiment {experiment!r}; choose among {', '.join(EXPERIMENTS)}.")
    if setting.card.interpolator is None and experiment not in WITHOUT_INTERPOLATOR:
        return ()
    return tuple(EXPERIMENTS[experiment](setting))


def ablate(
    ground: Ground, setting: Setting, experiments: Iterable[str], *, done: Done | None = None
) -> Iterator[tuple[str, tuple[Row, ...]]]:
    """Run experiments, yielding the rows of each as it ends; what they have in common is forecast once.

    Raises: RequestError for an experiment that is not there, or a single member to score.
    """
    check_members(setting.request)
    variants = {experiment: variants_of(setting, experiment) for experiment in experiments}
    counts: dict[ResolvedRequest, set[int]] = {}
    for variant in (variant for each in variants.values() for variant in each):
        counts.setdefault(_forecast_of(variant), set()).add(variant.request.members)
    scored: dict[ResolvedRequest, dict[int, xr.Dataset]] = {}
    for experiment, each in variants.items():
        rows: list[Row] = []
        for variant in each:
            wanted = _forecast_of(variant)
            if wanted not in scored:
                scored[wanted] = score_members(ground, wanted, counts[wanted], done=done)
            rows += _rows(ground, setting.card.name, experiment, variant, scored[wanted][variant.request.members])
        yield experiment, tuple(rows)


def _forecast_of(variant: Variant) -> ResolvedRequest:
    """The request without its number of members: one forecast of the most serves all."""
    return replace(variant.request, members=1)


def _rows(ground: Ground, model: str, experiment: str, variant: Variant, scores: xr.Dataset) -> Iterator[Row]:
    leads = [float(lead) for lead in scores["lead"].values]
    shown = leads[-1 :: -math.ceil(len(leads) / LEADS_SHOWN)][::-1] if variant.by_lead else [None]
    for lead in shown:
        part = scores if lead is None else scores.sel(lead=[lead])
        whole = skill(part, convention="paper" if variant.biased else "fair")
        yield Row(
            dataset=ground.dataset.name,
            model=model,
            experiment=experiment,
            setting=variant.setting,
            value=variant.value,
            lead=lead,
            split=ground.split,
            calls=calls_per_member(replace(variant.request, steps=ground.longest)),
            members=variant.request.members,
            initial_conditions=int(part["mse"].notnull().any(("lead", "channel")).sum()),
            crps=whole.crps.value,
            crps_low=whole.crps.low,
            crps_high=whole.crps.high,
            rmse=whole.rmse.value,
            ssr=whole.ratio.value,
            spread=whole.ratio.value * whole.rmse.value,
        )


def _several_steps(setting: Setting) -> ResolvedRequest:
    """The request, its schedule replaced by one of about four steps where it has but one and nothing to show."""
    if len(schedule_of(setting.request, setting.card)) > 1:
        return setting.request
    return replace(setting.request, schedule=f"stride{math.ceil(setting.card.horizon / 4)}")


def _solver(setting: Setting) -> Iterator[Variant]:
    """With masks drawn anew at every call, whose differences add up in cold sampling alone, and with frozen ones."""
    for noise in ("independent", "window"):
        for solver in ("cold", "naive"):
            yield Variant(f"{solver}, {noise}", None, replace(_several_steps(setting), solver=solver, noise=noise))


def _interpolator_dropout(setting: Setting) -> Iterator[Variant]:
    request = _several_steps(setting)
    yield Variant("on", 1, replace(request, noise="independent") if request.noise == "none" else request)
    yield Variant("off", 0, replace(request, noise="none"))


def _auxiliary(setting: Setting) -> Iterator[Variant]:
    k = setting.card.auxiliary_steps
    if k > 0:
        for schedule, count in (("only_dynamics", 0), ("full", k)):
            yield Variant(f"k = {count}", count, replace(setting.request, schedule=schedule))


def _refinement(setting: Setting) -> Iterator[Variant]:
    for refine in (False, True):
        yield Variant("on" if refine else "off", int(refine), replace(_several_steps(setting), refine=refine))


def _order(setting: Setting) -> Iterator[Variant]:
    """Heun's rule, and Euler's with the number of steps that costs most nearly as much; value: calls of a window."""
    horizon = setting.card.horizon
    counts = range(1, min(3 * max(STEPS_OF_HEUN), horizon) + 1)
    euler = {calls_in_window(request, horizon): request for request in (_evenly(setting, "cold", n) for n in counts)}
    for noise in ("independent", "window"):
        for heun in (_evenly(setting, "heun", steps) for steps in STEPS_OF_HEUN if steps <= horizon):
            calls = calls_in_window(heun, horizon)
            nearest = min(euler, key=partial(_apart, calls))
            if _apart(calls, nearest) <= NEARLY_EQUAL:
                yield Variant(f"Euler, {noise}", nearest, replace(euler[nearest], noise=noise))
                yield Variant(f"Heun, {noise}", calls, replace(heun, noise=noise))


def _apart(calls: int, other: int) -> int:
    return abs(other - calls)


def _schedule(setting: Setting) -> Iterator[Variant]:
    for schedule in schedules_to_try(setting.card):
        request = replace(setting.request, schedule=schedule)
        yield Variant(schedule, len(schedule_of(request, setting.card)), request)


def _noise(setting: Setting) -> Iterator[Variant]:
    correlations = {"independent": 0.0, "0.25": 0.25, "0.5": 0.5, "0.75": 0.75, "step": 1.0, "window": None}
    for noise, correlation in correlations.items():
        yield Variant(noise, correlation, replace(_several_steps(setting), noise=noise))


def _members(setting: Setting) -> Iterator[Variant]:
    """Both forms of the CRPS; the biased one of a single member is its absolute error, a fair one it does not have."""
    for count in COUNTS:
        request = replace(setting.request, members=count)
        if count > 1:
            yield Variant("fair", count, request)
        yield Variant("biased", count, request, biased=True)


def _spread(setting: Setting) -> Iterator[Variant]:
    yield Variant(setting.request.schedule, None, setting.request, by_lead=True)


def _training_runs(setting: Setting) -> Iterator[Variant]:
    for count, folder in sorted(setting.trained.items()):
        yield Variant(f"{count} runs", count, replace(setting.request, model=folder))


EXPERIMENTS: dict[str, Callable[[Setting], Iterator[Variant]]] = {
    "solver": _solver,
    "interpolator-dropout": _interpolator_dropout,
    "auxiliary": _auxiliary,
    "refinement": _refinement,
    "order": _order,
    "schedule": _schedule,
    "noise": _noise,
    "members": _members,
    "spread": _spread,
    "training-runs": _training_runs,
}
WITHOUT_INTERPOLATOR = ("members", "spread", "training-runs")
"""Experiments that also apply to a model that has no interpolator, and so no schedule."""


def _evenly(setting: Setting, solver: str, steps: int) -> ResolvedRequest:
    """The request with so many steps, as even as whole leads allow."""
    leads = (step * setting.card.horizon // steps for step in range(steps))
    return replace(setting.request, solver=solver, schedule=",".join(map(str, leads)))
