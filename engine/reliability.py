"""Whether probabilities are right: reliability diagram, Brier score and its parts, ROC curve, consistency bars.

Of M members a probability is one of 0, 1/M … 1, so everything follows from how often each was forecast and how often
the event then happened.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.errors import RequestError

MOST_OWN_BINS = 21  # up to 20 members every probability is a bin of its own
TENTHS = 10  # with more members they are joined about 0, 0.1 … 1
RESAMPLES = 1000
LEVEL = 0.9  # of the bars, as in the source
AT_ONCE = 2_000_000  # numbers in memory while blocks are drawn


@dataclass(frozen=True, eq=False)
class Tally:
    """How often k of M members were beyond the threshold, and how often the event happened then, by block of cells.

    forecasts and hits: int (block, M + 1). member_hits: int (block, member, M + 1), as if that member were the truth.
    """

    forecasts: np.ndarray
    hits: np.ndarray
    member_hits: np.ndarray

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.forecasts + other.forecasts, self.hits + other.hits, self.member_hits + other.member_hits)

    @property
    def members(self) -> int:
        """M."""
        return self.forecasts.shape[1] - 1

    @property
    def count(self) -> int:
        """Number of forecasts."""
        return int(self.forecasts.sum())

    @cached_property
    def probabilities(self) -> np.ndarray:
        """0, 1/M … 1, (M + 1,)."""
        return np.arange(self.members + 1) / self.members

    @property
    def base_rate(self) -> float:
        """How often it happened; NaN without forecasts."""
        return float(self.hits.sum() / self.count) if self.count else float("nan")


def tally(happens: np.ndarray, truth: np.ndarray, blocks: np.ndarray | None = None) -> Tally:
    """Count the forecasts of an event in cells where all is known.

    happens: 0 or 1 (member, …, cell), truth: 0, 1 or NaN (…, cell); NaN is not known. blocks: of which block every
    cell is, int (cell,); one block where it is None.
    """
    members, cells = len(happens), happens.shape[-1]
    block = np.zeros(cells, int) if blocks is None else blocks
    known = np.isfinite(truth) & np.isfinite(happens).all(axis=0)
    beyond = (happens == 1)[:, known]
    place = np.broadcast_to(block, truth.shape)[known] * (members + 1) + beyond.sum(axis=0)
    size = (int(block.max(initial=0)) + 1) * (members + 1)

    def counts(places: np.ndarray) -> np.ndarray:
        return np.bincount(places, minlength=size).reshape(-1, members + 1)

    member_hits = np.stack([counts(place[each]) for each in beyond], axis=1)
    return Tally(counts(place), counts(place[truth[known] == 1]), member_hits)


# -- scores ------------------------------------------------------------------------------------------------


def brier(found: Tally, *, fair: bool = False) -> float:
    """The mean squared difference between probability and what happened, 0 or 1; NaN without forecasts.

    Fair: what a finite ensemble costs, p (1 - p) / (M - 1), is taken off; NaN for one member.

    Source: Brier 1950; Ferro 2014 (doi:10.1002/qj.2270).
    """
    p, forecasts, hits = found.probabilities, found.forecasts.sum(axis=0), found.hits.sum(axis=0)
    if not found.count or (fair and found.members < 2):
        return float("nan")
    total = (hits * (1 - p) ** 2 + (forecasts - hits) * p**2).sum()
    if fair:
        total -= (forecasts * p * (1 - p)).sum() / (found.members - 1)
    return float(total / found.count)


@dataclass(frozen=True)
class Parts:
    """Brier score = reliability - resolution + uncertainty + within.

    within: what probabilities that share a bin add, their variance less twice their covariance with what happened; 0
    where every probability is a bin of its own.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within: float

    @property
    def brier(self) -> float:
        """The score that they make."""
        return self.reliability - self.resolution + self.uncertainty + self.within


def decompose(found: Tally) -> Parts:
    """The parts of the Brier score (not the fair one), over the bins of the diagram.

    Raises: RequestError without forecasts.

    Source: Murphy 1973; Stephenson, Coelho & Jolliffe 2008 (doi:10.1175/2007WAF2006116.1), equation 8.
    """
    shown = diagram(found)
    n, forecast, happened = shown.count, shown.probability, shown.frequency
    p, forecasts, hits = found.probabilities, found.forecasts.sum(axis=0), found.hits.sum(axis=0)
    of_bin, base, total = _position(shown, found), found.base_rate, found.count
    apart = np.where(forecasts > 0, p - forecast[of_bin], 0.0)
    variance = (forecasts * apart**2).sum()
    covariance = (apart * (hits - forecasts * happened[of_bin])).sum()
    return Parts(
        reliability=float((n * (forecast - happened) ** 2).sum() / total),
        resolution=float((n * (happened - base) ** 2).sum() / total),
        uncertainty=base * (1 - base),
        within=float((variance - 2 * covariance) / total),
    )


def skill(score: float, reference: float) -> float:
    """1 - score / reference: 1 is perfect, 0 as good as the reference; NaN where the reference is perfect."""
    return 1 - score / reference if reference > 0 else float("nan")


# -- curves ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Diagram:
    """A reliability diagram, (bin,): the mean probability, how often it happened then, and how many forecasts.

    Of the bins that hold a forecast; `bins` says which those are.
    """

    probability: np.ndarray
    frequency: np.ndarray
    count: np.ndarray
    bins: np.ndarray


def bins_of(members: int) -> np.ndarray:
    """The bin of every probability k/M, int (M + 1,): its own up to 20 members, else the nearest tenth, halves up."""
    steps = np.arange(members + 1)
    return steps if members + 1 <= MOST_OWN_BINS else (2 * TENTHS * steps + members) // (2 * members)


def diagram(found: Tally) -> Diagram:
    """The reliability diagram. Raises RequestError without forecasts."""
    if not found.count:
        raise RequestError("There are no forecasts whose truth is known: choose leads that have one.")
    bins = bins_of(found.members)
    forecasts, hits = found.forecasts.sum(axis=0), found.hits.sum(axis=0)
    count, happened, mean = (np.bincount(bins, each) for each in (forecasts, hits, forecasts * found.probabilities))
    used = count > 0
    return Diagram(
        mean[used] / count[used], happened[used] / count[used], count[used].astype(int), np.flatnonzero(used)
    )


@dataclass(frozen=True, eq=False)
class Roc:
    """False alarm rate and hit rate, (point,), of warnings from every probability on, from (0, 0) to (1, 1).

    probability: from which on one is warned, infinite for never; area: below the curve, by trapezia.
    """

    false_alarms: np.ndarray
    hits: np.ndarray
    probability: np.ndarray
    area: float


def roc(found: Tally) -> Roc | None:
    """The relative operating characteristic; None where it always or never happened.

    Source: Mason 1982; the area as Hanley & McNeil 1982, 0.5 without skill, 1 if the two are told apart perfectly.
    """
    hits = found.hits.sum(axis=0)
    misses = found.forecasts.sum(axis=0) - hits
    if not hits.sum() or not misses.sum():
        return None
    rate, alarms = (np.concatenate([[0.0], np.cumsum(each[::-1]) / each.sum()]) for each in (hits, misses))
    probability = np.concatenate([[np.inf], found.probabilities[::-1]])
    return Roc(alarms, rate, probability, float(np.trapezoid(rate, alarms)))


def consistency_bars(found: Tally, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Between which frequencies 90 % of diagrams would lie if the probabilities were right, (bin,) each, as `diagram`.

    Blocks of cells are drawn anew with replacement, and in each the truth is one of the members, drawn at random: of
    those cells in which k of M members are beyond the threshold, k/M are then expected to be, and neighbouring cells
    and leads depend on each other as the members' do. NaN of fewer than two blocks.

    Source: Bröcker & Smith 2007 (doi:10.1175/WAF993.1), with blocks in the place of single forecasts.
    """
    bins, shown = bins_of(found.members), diagram(found)
    filled = np.flatnonzero(found.forecasts.sum(axis=1))
    if len(filled) < 2:
        empty = np.full(len(shown.bins), np.nan)
        return empty, empty.copy()
    to_bin = (bins[:, None] == shown.bins).astype(np.float64)
    forecasts, member_hits = found.forecasts[filled] @ to_bin, found.member_hits[filled] @ to_bin
    random = np.random.default_rng(seed)
    frequencies, left = [], resamples
    while left > 0:
        draws = min(left, max(1, AT_ONCE // forecasts.size))
        block = random.integers(len(filled), size=(draws, len(filled)))
        member = random.integers(found.members, size=block.shape)
        count, hits = forecasts[block].sum(axis=1), member_hits[block, member].sum(axis=1)
        frequencies.append(np.where(count > 0, hits / np.where(count > 0, count, 1), np.nan))
        left -= draws
    tail = (1 - LEVEL) / 2
    drawn = np.concatenate(frequencies)
    low, high = np.nanquantile(drawn[np.isfinite(drawn).any(axis=1)], [tail, 1 - tail], axis=0)
    return low, high


def _position(shown: Diagram, found: Tally) -> np.ndarray:
    """Where in a diagram the bin of every probability stands, int (M + 1,); any where it has none."""
    return np.clip(np.searchsorted(shown.bins, bins_of(found.members)), 0, len(shown.bins) - 1)
