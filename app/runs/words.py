"""How a run of the history reads."""

import datetime
import zoneinfo
from dataclasses import asdict

from app import wording
from app.forecast.words import sampling_words
from app.history import Ended, Entry
from app.wording import pretty_units
from engine.datasets import DATASETS, Dataset
from engine.datasets.base import OWN
from engine.datasets.calendar import parse_date
from engine.errors import EngineError
from engine.requests import ResolvedRequest
from engine.variables import variables_of


def title(entry: Entry) -> str:
    """What a run is called: its name, else its data set and where it starts."""
    return entry.name or f"{dataset_title(entry.run.request.dataset)} · {start(entry.run)}"


def line(entry: Entry) -> str:
    """What was asked for, in one line; the data set and the start only where the title is a name."""
    run, request = entry.run, entry.run.request
    first = [dataset_title(request.dataset), start(run)] if entry.name else []
    members = f"{request.members} member{'' if request.members == 1 else 's'}"
    sampled = sampling_words(asdict(request))
    model = wording.model_title(str(request.model))
    return " · ".join([*first, reach(request), members, *sampled, f"seed {request.seed}", model])


def history_line(entry: Entry, timezone: str | None) -> str:
    """When a run ended and what it took, in one line."""
    run = entry.run
    words = [moment(entry.ended, timezone)]
    if run.outcome == "stored":
        words.append("read from store")
    else:
        words.append(f"{run.seconds:,.1f} s")
    if run.calls:
        words.append(f"{run.calls:,} network calls")
    if run.device:
        words.append(run.device)
    if entry.times > 1:
        words.append(f"run {entry.times} times")
    return " · ".join(words)


def searchable(entry: Entry) -> str:
    """All that a search looks at, in lower case."""
    request = entry.run.request
    return " ".join([title(entry), line(entry), dataset_title(request.dataset), str(request.model)]).lower()


def dataset_title(name: str) -> str:
    """A data set as pickers name it; its name where it is no longer known."""
    return DATASETS[name].title.partition(":")[0] if name in DATASETS else name


def start(run: Ended) -> str:
    """Where a run starts: a date, or the run and frame of a simulation."""
    name, _, frame = str(run.request.init).rpartition(":")
    dataset = DATASETS.get(run.request.dataset)
    if name.startswith(OWN):
        return f"Your own field {name.removeprefix(OWN)}"
    if dataset is None or dataset.calendar is None or run.date is None:
        return f"{wording.run_title(name)}, frame {frame}"
    return _dated(dataset, name, run.date)


def _dated(dataset: Dataset, region: str, date: str) -> str:
    assert dataset.calendar is not None
    try:
        when = wording.date_title(dataset.calendar, dataset.calendar.time(parse_date(date)))
    except EngineError:
        when = date
    return when if dataset.runs() == (region,) else f"{wording.region_title(region)}, {when}"


def reach(request: ResolvedRequest) -> str:
    """How far a run goes."""
    assert request.steps is not None
    dataset = DATASETS.get(request.dataset)
    if dataset is None or dataset.calendar is None:
        return f"{request.steps} steps"
    return wording.duration(dataset, request.steps)


def moment(ended: float, timezone: str | None) -> str:
    """A moment on the visitor's own clock, in UTC where that is not known."""
    try:
        zone: datetime.tzinfo = zoneinfo.ZoneInfo(timezone) if timezone else datetime.UTC
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        zone = datetime.UTC
    when = datetime.datetime.fromtimestamp(ended, zone)
    text = f"{when.day} {wording.MONTHS[when.month - 1][:3]} {when:%Y, %H:%M}"
    return text if zone is not datetime.UTC else f"{text} UTC"


def numbers(run: Ended) -> list[tuple[str, str]]:
    """The headline scores with their labels; none where there are none."""
    found = run.scores
    if found is None:
        return []
    units = pretty_units(found.units)
    return [
        ("CRPS", with_units(found.crps, units)),
        ("RMSE", with_units(found.rmse, units)),
        ("Spread ÷ RMSE", "–" if found.ratio is None else f"{found.ratio:.2f}"),
    ]


def with_units(value: float | None, units: str) -> str:
    """A score with three significant digits."""
    return "–" if value is None else f"{value:#.3g}".rstrip(".") + (f" {units}" if units else "")


def without_numbers(run: Ended) -> str:
    """Why a run has no scores; empty where it has."""
    if run.outcome == "cancelled":
        members = run.request.members
        return f"Cancelled when {run.arrived} of {members} member{'' if members == 1 else 's'} had arrived."
    if run.scores is None or run.scores.rmse is None:
        return "No truth is known at its lead times."
    if run.scores.crps is None:
        return "One member: no spread, and so no fair CRPS."
    return ""


def scored_variable(run: Ended) -> str:
    """The variable that the scores are of, in words; empty where there are none."""
    if run.scores is None:
        return ""
    try:
        known = {variable.name: variable.title for variable in variables_of(run.request.dataset)}
    except KeyError:
        known = {}
    return known.get(run.scores.variable, run.scores.variable)
