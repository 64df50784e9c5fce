"""What is left of a run: whether it can be asked for again, and whether its members are still stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.backend import Backend
from app.history import Entry
from engine.cache import Usage, default_cache
from engine.errors import EngineError
from engine.requests import ForecastRequest, ResolvedRequest

Kept = Literal["all", "some", "none"]


@dataclass(frozen=True)
class Left:
    """What is left of a run: the request to make again and how much of it is stored, or why it cannot be made."""

    request: ResolvedRequest | None
    kept: Kept = "none"
    problem: str = ""


def left_of(entry: Entry, backend: Backend) -> Left:
    """What is left of a run; its data set, model or own field may be gone since."""
    try:
        request = backend.resolve(entry.run.asked)
        calls = backend.engine.calls_to_make(request, default_cache())
        of_all = backend.engine.calls_per_member(request) * entry.run.request.members
    except EngineError as error:
        return Left(None, problem=str(error))
    return Left(request, "all" if calls == 0 else "some" if calls < of_all else "none")


def own_windows(entry: Entry, others: Sequence[Entry], backend: Backend) -> frozenset[str]:
    """The keys of a run's stored windows that no other run shares. Raises EngineError where it cannot be made again."""
    keys = backend.engine.window_keys(backend.resolve(entry.run.asked))
    for other in others:
        if keys and other.id != entry.id and _start_alike(other.run.asked, entry.run.asked):
            keys -= _keys_of(other, backend)
    return keys


def _start_alike(one: ForecastRequest, other: ForecastRequest) -> bool:
    """Whether two forecasts may share windows: else there is no need to look."""
    return (one.dataset, one.init, one.seed) == (other.dataset, other.init, other.seed)


def _keys_of(entry: Entry, backend: Backend) -> frozenset[str]:
    try:
        return backend.engine.window_keys(backend.resolve(entry.run.asked))
    except EngineError:  # it can no longer be made, so it needs none
        return frozenset()


def space_of(keys: frozenset[str]) -> Usage:
    """What some windows take in the store."""
    return default_cache().usage(keys)


def delete_windows(keys: frozenset[str]) -> int:
    """Drop stored windows; returns the bytes that are free now."""
    return default_cache().delete(keys)
