"""An ensemble that fills up while it is computed, so that what has arrived can be shown."""

from collections.abc import Callable, Sequence

import numpy as np

Allocate = Callable[[tuple[int, ...]], np.ndarray]
"""shape -> an array of float32 to be filled."""


def in_memory(shape: tuple[int, ...]) -> np.ndarray:
    """Room for states in this process's own memory."""
    return np.empty(shape, np.float32)


class GrowingEnsemble:
    """States (member, lead, channel, y, x), filled member by member and window by window, first ones first.

    One thread adds, others may read `block()` at any time: what it returns changes no more, but for rounding where
    memory ran out and members are computed anew in smaller batches.
    """

    def __init__(
        self,
        members: int,
        leads: Sequence[float],
        state: tuple[int, ...],
        allocate: Allocate = in_memory,
    ) -> None:
        self.leads = tuple(leads)
        self.states = allocate((members, len(self.leads), *state))
        self._block = (0, 0)

    @classmethod
    def over(cls, states: np.ndarray, leads: Sequence[float]) -> "GrowingEnsemble":
        """One that another process fills up, in memory that both have."""
        return cls(len(states), leads, states.shape[2:], lambda _: states)

    def room(self, members: range, leads: range) -> np.ndarray:
        """Where frames (member, lead, channel, y, x) of some members at some leads, by index, are to be written."""
        return self.states[members.start : members.stop, leads.start : leads.stop]

    def arrived(self, members: range, leads: range) -> None:
        """Say that frames are written."""
        if members.start == 0 or leads.stop == len(self.leads):
            self.extend_to((members.stop, leads.stop))

    def extend_to(self, block: tuple[int, int]) -> None:
        """Say that so many members have arrived at so many leads; what has arrived before stays."""
        if block[0] >= self._block[0] and block[1] >= self._block[1]:
            self._block = block

    @property
    def block_shape(self) -> tuple[int, int]:
        """Members and leads of `block()`."""
        return self._block

    def block(self) -> np.ndarray:
        """What has arrived and is rectangular: all members at every lead, or the first ones at the leads so far."""
        members, leads = self._block
        return self.states[:members, :leads]
