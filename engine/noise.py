"""Random numbers of ensemble members, each a pure function of (seed, start, member, window, role).

A number depends neither on which members run beside its own, nor on the order of network calls, nor on the device:
every stream is a counter-based Philox generator on the CPU whose key is a digest of its name (Salmon et al. 2011,
doi:10.1145/2063384.2063405).
"""

import functools
import hashlib
import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.errors import RequestError

WORTH_THREADS = 2**18
"""Bytes of random numbers from which on threads draw them faster than one does."""

COUPLINGS = ("independent", "step", "window", "none")


@dataclass(frozen=True)
class Coupling:
    """How the interpolator's randomness is shared between network calls of one member.

    `shared` names what is shared: nothing, all calls with the same x_h ("step"), or all of a window ("window");
    with "none" the interpolator is deterministic, its dropout off. `correlation` is that of the dropout masks of two
    such calls, unit by unit.
    """

    shared: str
    correlation: float = 1.0


def parse_coupling(text: str | float) -> Coupling:
    """Read "independent", "step", "window", "none", or the correlation of the calls of a step, such as "0.5".

    Raises RequestError on anything else.
    """
    words = str(text).strip()
    if words == "independent":
        return Coupling("independent", 0.0)
    if words in COUPLINGS:
        return Coupling(words)
    try:
        correlation = float(words)
    except ValueError:
        correlation = math.nan
    if not 0 <= correlation <= 1:
        raise RequestError(f"The noise coupling is {words!r}: use {', '.join(COUPLINGS)} or a correlation from 0 to 1.")
    return Coupling("step", correlation)


@dataclass(frozen=True)
class MemberNoise:
    """The random numbers of some members of an ensemble in one window.

    start names the initial condition: forecasts from different ones have noise of their own, so that their scores
    vary independently.
    """

    seed: int
    members: tuple[int, ...]
    window: int
    start: str = ""

    def uniform_bytes(self, role: str, count: int) -> Tensor:
        """Independent bytes, uint8 (member, count), for one named role."""
        words = -(-count // 8)  # whole words of the generator: six times as fast as bytes from it
        rows = np.empty((len(self.members), words), "<u8")

        def fill(row: np.ndarray, member: int) -> None:
            row[:] = self._stream(member, role).random_raw(words)

        _fill_rows(fill, rows, self.members)
        return torch.from_numpy(rows.view(np.uint8)[:, :count])

    def normal(self, role: str, shape: Sequence[int]) -> Tensor:
        """Independent standard normal numbers, float32 (member, *shape), for one named role."""
        rows = np.empty((len(self.members), *shape), np.float32)

        def fill(row: np.ndarray, member: int) -> None:
            np.random.Generator(self._stream(member, role)).standard_normal(dtype=np.float32, out=row)

        _fill_rows(fill, rows, self.members)
        return torch.from_numpy(rows)

    def _stream(self, member: int, role: str) -> np.random.Philox:
        name = f"{self.seed}/{self.start}/{member}/{self.window}/{role}".encode()
        key = int.from_bytes(hashlib.blake2b(name, digest_size=16).digest(), "little")
        return np.random.Philox(key=key)


def _fill_rows(fill: Callable[[np.ndarray, int], None], rows: np.ndarray, members: Sequence[int]) -> None:
    """Fill one row a member; many numbers on all processors, as drawing them frees the interpreter's lock."""
    if rows.nbytes < WORTH_THREADS or len(members) < 2:
        for row, member in zip(rows, members, strict=True):
            fill(row, member)
    else:
        deque(_threads().map(fill, rows, members), maxlen=0)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(torch.get_num_threads(), "noise")


@dataclass(frozen=True)
class MaskSource:
    """The random bytes behind the dropout masks of one network call.

    With a shared role, each unit takes the shared byte with the chance √correlation, else the call's own: the masks of
    two such calls then correlate as stated.
    """

    noise: MemberNoise
    role: str
    shared_role: str | None = None
    correlation: float = 0.0

    def draw(self, site: int, count: int) -> Tensor:
        """Bytes (member, count) for one call site within the network."""
        if self.shared_role is None or self.correlation <= 0:
            return self.noise.uniform_bytes(f"{self.role}/{site}", count)
        shared = self.noise.uniform_bytes(f"{self.shared_role}/{site}", count)
        if self.correlation >= 1:
            return shared
        own = self.noise.uniform_bytes(f"{self.role}/{site}", count)
        choice = self.noise.uniform_bytes(f"{self.role}/choice/{site}", count)
        return torch.where(choice < round(256 * math.sqrt(self.correlation)), shared, own)


def sent(drawn: Tensor, device: torch.device) -> Tensor:
    """Random numbers on a device, without waiting for what it is busy with."""
    if device.type != "cuda":
        return drawn.to(device)
    return drawn.pin_memory().to(device, non_blocking=True)


class MaskedDropout:
    """Inverted dropout with the members' own masks, for one or several network calls in a batch.

    Called as (x, rate, site) with x (source × member, channel, y, x); `site` numbers the call sites within the
    network. The rate is kept to 1/256, one byte a unit, channels fastest, as channels-last networks hold their
    activations.
    """

    def __init__(self, *sources: MaskSource) -> None:
        self._sources = sources

    def __call__(self, x: Tensor, rate: float, site: int) -> Tensor:
        cut = round(256 * rate)
        if cut == 0:
            return x
        batch, channels, rows, columns = x.shape
        drawn = torch.cat([source.draw(site, x[0].numel()) for source in self._sources])
        # 1 from the cut on, else 0, without the slow detour over truth values
        kept = sent(drawn, x.device).to(x.dtype).sub_(cut - 1).clamp_(0, 1).mul_(256 / (256 - cut))
        return x * kept.view(batch, rows, columns, channels).permute(0, 3, 1, 2)
