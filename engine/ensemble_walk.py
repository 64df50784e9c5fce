"""All members through all windows: in batches that the device can hold, the first members first."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from engine.batching import fields_at_once, is_out_of_memory
from engine.errors import Cancelled, RequestError
from engine.growing import Allocate, GrowingEnsemble, in_memory
from engine.member_windows import MemberWindows, Plan, Store
from engine.requests import calls_by_window, output_leads
from engine.window import Pair


class EnsembleWalk:
    """The forecast of a plan under way; `advance` brings it on, the attributes say how far it is.

    ensemble: what has arrived. members_done: members at their last window. window: the one being computed.
    calls_done, calls_total: network calls of single members; calls_stored: those of them that the store saved.
    """

    def __init__(
        self,
        plan: Plan,
        pair: Pair,
        cache: Store | None,
        cancelled: Callable[[], bool] | None = None,
        allocate: Allocate = in_memory,
    ) -> None:
        self._plan, self._pair, self._cache = plan, pair, cache
        self._cancelled = cancelled
        self._fields = fields_at_once(pair)
        self._calls = calls_by_window(plan.request, plan.schedule)
        leads, state = output_leads(plan.request), plan.run.states.shape[1:]
        self.ensemble = GrowingEnsemble(plan.request.members, leads, state, allocate)
        self.members_done = self.window = self.calls_done = self.calls_stored = 0
        self.calls_total = plan.request.members * sum(self._calls)

    def advance(self) -> Iterator[None]:
        """Compute; yields after every sampling step, and once at the end.

        Raises Cancelled before the next network call once it is cancelled, and RequestError where the memory does not
        hold one member.
        """
        waiting = deque(batches(range(self._plan.request.members), self._fields))
        while waiting:
            members = waiting.popleft()
            before = self.calls_done, self.calls_stored
            try:
                yield from self._walk(members)
                continue
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if len(members) == 1:
                    raise RequestError(
                        "One member does not fit into the memory that is free: choose a smaller model, or close what "
                        "uses it."
                    ) from error
            # here the error is gone, and with it the tensors that its traceback held
            if self._pair.device.type == "cuda":
                torch.cuda.empty_cache()
            self.calls_done, self.calls_stored = before
            self._fields = len(members) // 2
            waiting = deque(batches(range(members.start, self._plan.request.members), self._fields))
        yield

    def _walk(self, members: range) -> Iterator[None]:
        """Bring some members from the initial condition through every window."""
        x, lead = _initial_state(self._plan, len(members)), 0
        self.members_done = members.start
        for window, calls in enumerate(self._calls):
            self.window = window
            leads = range(lead, lead + len(self._plan.window_leads(window)))
            walk = MemberWindows(
                self._plan,
                self._pair,
                self._cache,
                members,
                window,
                x,
                self.ensemble.room(members, leads),
                fields=self._fields,
                before_call=self._check,
            )
            already, made = self.calls_done, 0
            for spent in walk.advance():
                made += spent
                self.calls_done = already + made
                yield
            self.calls_stored += len(members) * calls - made
            self.calls_done = already + len(members) * calls
            self.ensemble.arrived(members, leads)
            x, lead = walk.last, leads.stop
            if window == len(self._calls) - 1:
                self.members_done = members.stop
            yield

    def _check(self) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled


def batches(members: range, at_once: int) -> list[range]:
    """Members in equal parts, none larger than `at_once`."""
    parts = -(-len(members) // at_once)
    edges = [members.start + len(members) * part // parts for part in range(parts + 1)]
    return [range(first, last) for first, last in pairwise(edges)]


def _initial_state(plan: Plan, members: int) -> Tensor:
    state = torch.from_numpy(plan.run.states[plan.frame])
    return state.expand(members, *state.shape)
