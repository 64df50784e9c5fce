"""Two forecasts from the same start compared: the scores of each, and their differences with paired 95 % intervals.

What is paired are the cells: both forecasts are scored in the same cells against the same truth, so that what makes a
cell hard to forecast drops out of the difference. Neighbouring cells err together, so whole blocks of them are drawn
anew, the same ones for both. The intervals say how far a difference might move with other cells of this forecast;
another initial condition, or another seed, may move it further.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.bootstrap import resample_clusters
from engine.case import Case
from engine.ensemble_scores import BLOCK, cell_scores, check_finite
from engine.errors import RequestError
from engine.spatial_blocks import Blocks, Interval, blocks_of, interval_of, seen_share
from engine.variables import Variable

RESAMPLES = 2000
SCORES = ("crps", "rmse", "spread", "ratio", "miss")
"""Fair CRPS, RMSE of the mean, corrected spread, spread over RMSE, and how far that is from 1, where it should be."""


@dataclass(frozen=True, eq=False)
class Cells:
    """What every scored cell adds to the scores of one forecast, (lead, cell) each: bias is of the mean."""

    crps: np.ndarray
    bias: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True, eq=False)
class Pair:
    """A score of two forecasts, (lead,) or () over all leads.

    difference: the first less the second; change: of the second against the first, as a share of the first.
    """

    first: np.ndarray
    second: np.ndarray
    difference: Interval
    change: Interval


@dataclass(frozen=True, eq=False)
class Comparison:
    """The SCORES of two forecasts by lead and over all leads, NaN at leads without a truth.

    Over all leads CRPS, variance and squared error are averaged before roots and ratios are taken. leads: data steps;
    cells: how many are scored, in `blocks`.
    """

    leads: np.ndarray
    by_lead: Mapping[str, Pair]
    overall: Mapping[str, Pair]
    cells: int
    blocks: Blocks


def compare(first: Case, second: Case, variable: Variable, *, seed: int = 0) -> Comparison:
    """Compare two forecasts that start alike in one variable.

    Raises: RequestError if they are not of the same leads, cells and truth, no lead has a truth, or one is not finite
    somewhere.
    """
    _check_pair(first, second)
    known = first.known
    cells = [_cells(case, variable, known) for case in (first, second)]
    error = np.full((2 * np.count_nonzero(known), *first.scored.shape), np.nan)
    error[:, first.scored] = np.concatenate([each.bias for each in cells])
    blocks = blocks_of(error, first.scored)
    apart = np.full((np.count_nonzero(known), *first.scored.shape), np.nan)
    fair = min(first.count, second.count) > 1
    apart[:, first.scored] = cells[0].crps - cells[1].crps if fair else _squares_apart(*cells)
    by_lead, overall = paired_scores(blocks, *cells, seen=seen_share(blocks, apart, first.scored), seed=seed)
    return Comparison(
        first.leads,
        {name: _at_known(pair, known) for name, pair in by_lead.items()},
        overall,
        int(np.count_nonzero(first.scored)),
        blocks,
    )


def paired_scores(
    blocks: Blocks, first: Cells, second: Cells, *, seen: float = 1.0, seed: int = 0
) -> tuple[dict[str, Pair], dict[str, Pair]]:
    """The SCORES of two forecasts, by lead and over all leads; of both the same blocks are drawn.

    seen: the share of the variance of a mean difference that blocks show, as `seen_share` finds it.
    """
    counts = np.concatenate(
        [np.ones((1, blocks.count)), resample_clusters(blocks.count, resamples=RESAMPLES, seed=seed)]
    )
    a, b = (_drawn(blocks, cells, counts) for cells in (first, second))
    all_a, all_b = ({name: values.mean(axis=1) for name, values in each.items()} for each in (a, b))
    return _pairs(a, b, blocks.count, seen), _pairs(all_a, all_b, blocks.count, seen)


def _check_pair(first: Case, second: Case) -> None:
    if not np.array_equal(first.leads, second.leads) or not np.array_equal(first.scored, second.scored):
        raise RequestError("The two forecasts are not of the same leads and cells, so that nothing can be paired.")
    names = first.truth.keys() | second.truth.keys()
    if not all(np.array_equal(first.truth[name], second.truth[name], equal_nan=True) for name in names):
        raise RequestError("The two forecasts start from different initial conditions: compare those that start alike.")
    if not first.known.any():
        raise RequestError("No truth is known at any lead of these forecasts: start them earlier to score them.")


def _cells(case: Case, variable: Variable, known: np.ndarray) -> Cells:
    """A few leads at a time: that bounds the memory that derived members take."""
    random = np.random.default_rng(case.frame)  # of the ranks, which are not used
    at_once = max(1, 4 * BLOCK // (case.count * case.scored.size))
    parts = []
    for start in range(0, len(case.leads), at_once):
        leads = slice(start, start + at_once)
        if not known[leads].any():
            continue
        members = case.members_of(variable, leads)[:, known[leads]][..., case.scored]
        parts.append(cell_scores(members, case.truth_of(variable, leads)[known[leads]][:, case.scored], random))
    crps, bias, variance = (
        np.concatenate([getattr(part, name) for part in parts]).astype(np.float64)
        for name in ("crps", "bias", "corrected_variance")
    )
    check_finite((bias**2).mean(axis=1))
    return Cells(crps, bias, variance)


def _squares_apart(first: Cells, second: Cells) -> np.ndarray:
    """What takes the place of CRPS where one forecast is a single member."""
    return first.bias**2 - second.bias**2


def _drawn(blocks: Blocks, cells: Cells, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Means over the cells of every draw, (draw, lead)."""
    drawn_cells = counts @ blocks.sums(np.ones((1, cells.crps.shape[1])))
    fields = {"crps": cells.crps, "square": cells.bias**2, "variance": cells.variance}
    return {name: counts @ blocks.sums(values) / drawn_cells for name, values in fields.items()}


def _pairs(first: dict[str, np.ndarray], second: dict[str, np.ndarray], count: int, seen: float) -> dict[str, Pair]:
    """Every score of both; the first line of what was drawn, (draw, …), is that of the cells themselves."""
    a, b = _scores(first), _scores(second)
    with np.errstate(invalid="ignore", divide="ignore"):  # what was 0 has no change in per cent
        changes = {name: b[name] / a[name] - 1 for name in SCORES}
    return {
        name: Pair(
            a[name][0], b[name][0], _interval(a[name] - b[name], count, seen), _interval(changes[name], count, seen)
        )
        for name in SCORES
    }


def _scores(means: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    rmse, spread = np.sqrt(means["square"]), np.sqrt(means["variance"])
    with np.errstate(invalid="ignore", divide="ignore"):  # where there is no error there is no ratio
        ratio = np.where(rmse > 0, spread / rmse, np.nan)
    return {"crps": means["crps"], "rmse": rmse, "spread": spread, "ratio": ratio, "miss": np.abs(ratio - 1)}


def _interval(drawn: np.ndarray, count: int, seen: float) -> Interval:
    return interval_of(drawn[0], drawn[1:], count, seen)


def _at_known(pair: Pair, known: np.ndarray) -> Pair:
    """By lead, NaN at the leads without a truth."""

    def spread_out(values: np.ndarray) -> np.ndarray:
        found = np.full(len(known), np.nan)
        found[known] = values
        return found

    def interval(each: Interval) -> Interval:
        return Interval(spread_out(each.value), spread_out(each.low), spread_out(each.high))

    return Pair(spread_out(pair.first), spread_out(pair.second), interval(pair.difference), interval(pair.change))
