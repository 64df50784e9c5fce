"""What a model's forecasts cost and how good they are, by schedule, coupling of the noise and refinement.

The calibration of a checkpoint stands beside it as `front.csv`; from it come its default request, and the best request
that a person's time allows.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from engine.checkpoint import Defaults, ModelCard, checkpoint_folder, load_card, save_defaults
from engine.errors import DataError, RequestError
from engine.evaluation import skill
from engine.forecasting import forecast
from engine.requests import ForecastRequest, ResolvedRequest, calls_per_member, resolve, schedule_of
from engine.tables import read_csv_table, write_csv_table
from engine.trials import Done, Ground, calls_in_window, check_members, schedules_to_try, score_members

FRONT_FILE = "front.csv"
CHOSEN = ("schedule", "solver", "last_step", "noise", "refine")
"""Fields of a request that a point of the front decides on."""

FIRST_NOISE = ("independent", "0.5", "window")
FURTHER_NOISE = ("0.25", "0.75", "step", "none")
VARIED = 3
"""How many of the best points are varied further."""

CALIBRATED = (0.9, 1.1)  # spread-skill ratio
NEARLY_BEST = 1.03  # of the lowest CRPS

PROBE_MEMBERS = 20

_Asked = TypeVar("_Asked", ForecastRequest, ResolvedRequest, Defaults)


@dataclass(frozen=True)
class FrontPoint:
    """A way to run a model, with its cost and its scores.

    calls: network calls of one member in one window, all whole leads delivered. crps: fair, in physical units; ssr:
    the pooled spread-skill ratio; members, split and initial_conditions say on what they were found.
    """

    schedule: str
    solver: str
    last_step: str
    noise: str
    refine: bool
    calls: int
    crps: float
    ssr: float
    initial_conditions: int
    members: int
    split: str

    def apply(self, request: _Asked) -> _Asked:
        """The request, or a card's defaults, run in this way."""
        return replace(request, **{name: getattr(self, name) for name in CHOSEN})

    def is_way_of(self, request: ForecastRequest | Defaults) -> bool:
        """Whether the request, or a card's defaults, run in this way."""
        return all(getattr(self, name) == getattr(request, name) for name in CHOSEN)


COLUMNS = tuple(FrontPoint.__dataclass_fields__)
WORDS = ("schedule", "solver", "last_step", "noise", "refine", "split")

Best = Sequence[ResolvedRequest]
"""The requests of lowest CRPS so far."""


def read_front(model: str | Path) -> tuple[FrontPoint, ...]:
    """The calibration of a checkpoint, by calls and CRPS.

    Raises: DataError where it is missing or damaged, CheckpointError where there is no such checkpoint.
    """
    card = load_card(model)
    remedy = f"make it with python -m engine calibrate --dataset {card.dataset} --model {card.name}"
    table = read_csv_table(checkpoint_folder(model) / FRONT_FILE, COLUMNS, words=WORDS, remedy=remedy)
    rows = table.to_dict("records")
    if not rows or table.isna().any(axis=None) or not table["refine"].isin(("True", "False")).all():
        raise DataError(f"The table {FRONT_FILE} of {card.name} has gaps; {remedy}.")
    whole = ("calls", "initial_conditions", "members")
    return tuple(
        FrontPoint(**(row | {name: int(row[name]) for name in whole} | {"refine": row["refine"] == "True"}))
        for row in rows
    )


def write_front(model: str | Path, points: Iterable[FrontPoint]) -> Path:
    """Put the calibration of a checkpoint beside it; returns where. Raises DataError if it cannot be written."""
    import pandas as pd

    path = checkpoint_folder(model) / FRONT_FILE
    write_csv_table(path, pd.DataFrame([asdict(point) for point in _sorted(points)], columns=list(COLUMNS)))
    return path


def pareto(points: Iterable[FrontPoint]) -> tuple[FrontPoint, ...]:
    """The points that none beats in calls or CRPS without losing in the other, by calls; of equal ones the first."""
    kept: list[FrontPoint] = []
    for point in _sorted(points):
        if not kept or point.crps < kept[-1].crps:
            kept.append(point)
    return tuple(kept)


def recommended(points: Sequence[FrontPoint]) -> FrontPoint:
    """The default to choose: the lowest CRPS among calibrated points, spread-skill ratio 0.9 to 1.1.

    Where none is, the ratio nearest to 1 among those within 3 % of the lowest CRPS.
    """
    calibrated = [point for point in points if CALIBRATED[0] <= point.ssr <= CALIBRATED[1]]
    if calibrated:
        return min(calibrated, key=lambda point: (point.crps, point.calls))
    enough = NEARLY_BEST * min(point.crps for point in points)
    return min((point for point in points if point.crps <= enough), key=lambda point: (abs(point.ssr - 1), point.calls))


def best_under(request: ResolvedRequest, seconds: float, *, seconds_per_call: float) -> FrontPoint:
    """The point of the model's front with the lowest CRPS by which the request can be forecast in the time.

    seconds_per_call: of one network call for one member, as `measure_seconds_per_call` finds it.

    Raises: RequestError, naming what the cheapest needs, if none can; DataError without a calibration.
    """
    points = read_front(request.model)
    of_all = request.members * seconds_per_call
    needed = {point: of_all * calls_per_member(point.apply(request)) for point in points}
    fitting = [point for point in points if needed[point] <= seconds]
    if not fitting:
        raise RequestError(
            f"{request.members} members × {request.steps} steps take {_rounded_up(min(needed.values())):g} s with the"
            f" cheapest schedule, more than the {seconds:g} s given: allow that, or ask for fewer members or steps."
        )
    return min(fitting, key=lambda point: (point.crps, needed[point]))


def measure_seconds_per_call(
    request: ForecastRequest, *, device: str = "auto", clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds of one network call for one member of a request on this machine, from a few calls.

    Members run side by side as the sampler runs them; leads that are interpolated many at once may cost less.
    """
    whole = resolve(request)
    schedule = "0" if load_card(whole.model).interpolator is None else "0,1,2"
    members = min(whole.members, PROBE_MEMBERS)
    probe = replace(whole, schedule=schedule, solver="cold", refine=False, members=members, steps=1, output_leads=())
    forecast(replace(probe, members=1), device=device)  # networks are loaded and warm from here on
    began = clock()
    forecast(probe, device=device)
    return (clock() - began) / (calls_per_member(probe) * members)


def within(request: ForecastRequest, seconds: float, *, device: str = "auto") -> ForecastRequest:
    """The request, run in the best way that takes no longer than so many seconds on this machine.

    Raises: RequestError if it says itself how to run, or nothing is quick enough; DataError without a calibration.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise RequestError(f"The time allowed is {seconds:g} s: give a number of seconds above 0.")
    said = [name.replace("_", " ") for name in CHOSEN if getattr(request, name) is not None]
    if said:
        raise RequestError(f"The time allowed decides on the {said[0]} too: leave one of the two out.")
    whole = resolve(request)
    read_front(whole.model)  # before the probe, which takes its time
    pace = measure_seconds_per_call(whole, device=device)
    return best_under(whole, seconds, seconds_per_call=pace).apply(request)


def calibrate(
    ground: Ground, card: ModelCard, request: ResolvedRequest, *, done: Done | None = None
) -> Iterator[FrontPoint]:
    """Try a model's schedules with a few couplings, the best of these with the others, and the best of all refined.

    request: the model, precision, seed and number of members to try with; every point is yielded as it is scored.

    Raises: RequestError for a single member.
    """
    check_members(request)
    points: dict[ResolvedRequest, FrontPoint] = {}
    for stage in (_schedules_and_noise, _further_noise, _refined):
        best = sorted(points, key=lambda tried: points[tried].crps)[:VARIED]
        for tried in stage(card, request, best):
            if tried not in points:
                points[tried] = _point(ground, card, tried, done)
                yield points[tried]


def apply_recommended(model: str | Path) -> FrontPoint:
    """Make the recommended point of a checkpoint's calibration the default of its card; digest and weights stay.

    Raises: DataError without a calibration.
    """
    point = recommended(read_front(model))
    save_defaults(model, point.apply(load_card(model).defaults))
    return point


def _schedules_and_noise(card: ModelCard, request: ResolvedRequest, best: Best) -> Iterator[ResolvedRequest]:
    for schedule in schedules_to_try(card):
        for noise in FIRST_NOISE:
            yield replace(request, schedule=schedule, noise=noise, refine=False)


def _further_noise(card: ModelCard, request: ResolvedRequest, best: Best) -> Iterator[ResolvedRequest]:
    for tried in best:
        yield from (replace(tried, noise=noise) for noise in FURTHER_NOISE)


def _refined(card: ModelCard, request: ResolvedRequest, best: Best) -> Iterator[ResolvedRequest]:
    """Refinement changes nothing where no step lands inside the window."""
    yield from (replace(tried, refine=True) for tried in best if len(schedule_of(tried, card)) > 1)


def _point(ground: Ground, card: ModelCard, request: ResolvedRequest, done: Done | None) -> FrontPoint:
    (scores,) = score_members(ground, request, [request.members], done=done).values()
    whole = skill(scores)
    return FrontPoint(
        **{name: getattr(request, name) for name in CHOSEN},
        calls=calls_in_window(request, card.horizon),
        crps=whole.crps.value,
        ssr=whole.ratio.value,
        initial_conditions=ground.initial_conditions,
        members=request.members,
        split=ground.split,
    )


def _rounded_up(seconds: float) -> float:
    """To two digits, never down: who then allows as much is not refused again."""
    unit = 10.0 ** (math.floor(math.log10(seconds)) - 1)
    return math.ceil(seconds / unit) * unit


def _sorted(points: Iterable[FrontPoint]) -> list[FrontPoint]:
    return sorted(points, key=lambda point: (point.calls, point.crps))
