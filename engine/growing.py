"""An ensemble that fills up while it is computed, so that what has arrived can be shown."""

from collections.abc import Sequence

import numpy as np


class GrowingEnsemble:
    """States (member, lead, channel, y, x), filled member by member and window by window, first ones first.

    One thread adds, others may read `block()` at any time: what it returns changes no more, but for rounding where
    memory ran out and members are computed anew in smaller batches.
    """

    def __init__(self, members: int, leads: Sequence[float], state: tuple[int, ...]) -> None:
        self.leads = tuple(leads)
        self.states = np.empty((members, len(self.leads), *state), np.float32)
        self._block = (0, 0)

    def room(self, members: range, leads: range) -> np.ndarray:
        """Where frames (member, lead, channel, y, x) of some members at some leads, by index, are to be written."""
        return self.states[members.start : members.stop, leads.start : leads.stop]

    def arrived(self, members: range, leads: range) -> None:
        """Say that frames are written."""
        block = members.stop, leads.stop
        is_rectangle = members.start == 0 or leads.stop == len(self.leads)
        if is_rectangle and block[0] >= self._block[0] and block[1] >= self._block[1]:
            self._block = block

    @property
    def block_shape(self) -> tuple[int, int]:
        """Members and leads of `block()`."""
        return self._block

    def block(self) -> np.ndarray:
        """What has arrived and is rectangular: all members at every lead, or the first ones at the leads so far."""
        members, leads = self._block
        return self.states[:members, :leads]
