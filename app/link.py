"""The link that holds a request, and back."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from engine.datasets import DATASETS, get_dataset
from engine.datasets.base import OWN, date_of, load_run, parse_initial_condition
from engine.errors import EngineError, RequestError
from engine.requests import ForecastRequest, ResolvedRequest

Resolve = Callable[[ForecastRequest], ResolvedRequest]


def request_from_query(
    query: Mapping[str, str], resolve: Resolve, first: Callable[[str], ForecastRequest] = ForecastRequest
) -> tuple[ResolvedRequest, list[str]]:
    """Read the link into a complete request, with one sentence for everything in it that cannot be used.

    What cannot be used falls back to its default, which `first` gives for a data set; the rest of the link is kept.
    """
    name = query.get("dataset", next(iter(DATASETS)))
    problems: list[str] = []
    try:
        get_dataset(name)
    except RequestError as error:
        name, query, problems = next(iter(DATASETS)), {}, [str(error)]
    given = first(name)
    entries = {field: query[field] for field in FIELDS if field in query}
    try:
        return resolve(_with(given, entries)), problems
    except EngineError:  # one entry after the other, then, to name those that cannot be used and keep the rest
        pass
    try:
        complete = resolve(given)
    except EngineError as error:
        return _without_model(name), [*problems, str(error)]
    for field, text in entries.items():
        try:
            candidate = _with(given, {field: text})
            complete = resolve(candidate)
            given = candidate
        except EngineError as error:
            problems.append(str(error))
    return complete, problems


def _with(given: ForecastRequest, entries: Mapping[str, str]) -> ForecastRequest:
    return replace(given, **{field: read_entry(field, text) for field, text in entries.items()})


def _without_model(name: str) -> ResolvedRequest:
    """Something plausible to show in the controls while a data set has no usable model, or no data."""
    known = get_dataset(name).initial_conditions()
    return ResolvedRequest(
        dataset=name,
        init=str(known[0]) if known else 0,
        steps=get_dataset(name).default_steps,
        members=10,
        schedule="full",
        solver="cold",
        refine=True,
    )


def request_to_query(
    request: ResolvedRequest, defaults: ResolvedRequest, of_model: ResolvedRequest | None = None
) -> dict[str, str]:
    """The link of a request: the data set, the date it starts from, and whatever differs from the defaults.

    `defaults` are the data set's. Where the request is for another than its first model, the link names it, and
    `of_model`, the defaults of that model, decide on the rest.
    """
    if of_model is not None:
        defaults = replace(of_model, model=defaults.model)
    query = {"dataset": request.dataset}
    date = date_in_link(request)
    if date is not None:
        query["init"] = date
    for field in FIELDS:
        value = getattr(request, field)
        if value != getattr(defaults, field) and field not in query:
            query[field] = written(value)
    return query


def date_in_link(request: ResolvedRequest) -> str | None:
    """The initial condition as a date, where that says which it is: frames shift as a record grows, dates do not."""
    dataset = get_dataset(request.dataset)
    if dataset.calendar is None or not dataset.initial_conditions():
        return None
    start = parse_initial_condition(request.init, dataset)
    if start.run.startswith(OWN):  # whose dates may lie outside every record
        return None
    date = date_of(dataset, load_run(dataset, start.run), start.frame)
    return date if date is not None and parse_initial_condition(date, dataset) == start else None


FIELDS = tuple(field.name for field in fields(ForecastRequest) if field.name != "dataset")


def read_entry(field: str, text: str) -> Any:
    """The value of a field of a request, as the link writes it. Raises RequestError."""
    return _READERS[field](field, text) if field in _READERS else text


LARGEST = {"seed": 2**53 - 1}
"""What the browser's number fields still tell apart."""


def _whole(field: str, text: str) -> int:
    try:
        value = int(text)
    except ValueError:  # also for thousands of digits
        raise RequestError(f"The link says {field}={text[:40]}: give a whole number, such as {field}=4.") from None
    if value > LARGEST.get(field, value):
        raise RequestError(f"The link says {field}={text[:40]}: the page takes at most {LARGEST[field]}.")
    return value


def _yes_or_no(field: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise RequestError(f"The link says {field}={text}: give true or false.")
    return text.lower() == "true"


def _numbers(field: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise RequestError(f"The link says {field}={text}: give numbers separated by commas.") from None


_READERS: dict[str, Callable[[str, str], Any]] = {
    "steps": _whole,
    "members": _whole,
    "seed": _whole,
    "refine": _yes_or_no,
    "output_leads": _numbers,
}


def written(value: object) -> str:
    """The value of a field of a request as the link has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(f"{number:g}" for number in value)
    return str(value)
