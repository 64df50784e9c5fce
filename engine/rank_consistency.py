"""How far from flat the rank histogram of a reliable ensemble may be, where neighbouring cells are dependent.

A band of consistency holds the counts that a reliable ensemble gives with a probability of 95 %, rank by rank: those of
a binomial distribution, had the cells been independent. They are not, so they count as fewer: as many as would make the
members' own histograms, each member ranked among them all, differ as much as they do. The members are exchangeable by
construction, whatever the truth does, and as dependent from cell to cell as a reliable truth would be.

Source: Bröcker & Smith 2007 (doi:10.1175/WAF993.1), with an effective number of cells.
"""

import numpy as np

LEVEL = 0.95


def member_rank_counts(members: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """In how many cells each member has which rank among all: int (lead, member, rank) of members (M, lead, cell).

    Ranks among equal members are drawn evenly.
    """
    count, leads = members.shape[:2]
    order = np.argsort(members, axis=0)
    rising = np.take_along_axis(members, order, axis=0)
    tied = (rising[1:] == rising[:-1]).any(axis=0)
    if tied.any():
        equal = members[:, tied]
        order[:, tied] = np.lexsort((random.random(equal.shape), equal), axis=0)
    lead = np.arange(leads)[None, :, None] * count * count
    rank = np.arange(count)[:, None, None]
    flat = np.bincount((lead + order * count + rank).ravel(), minlength=leads * count * count)
    counts: np.ndarray = flat.reshape(leads, count, count)
    return counts


def effective_cells(counts: np.ndarray) -> np.ndarray:
    """How many independent cells would vary as much: (…,) of the members' counts (…, member, rank).

    Between 1 and the number of cells; that number itself of one member, which tells nothing.
    """
    members = counts.shape[-1]
    cells = counts.sum(axis=-1).max(axis=-1).astype(np.float64)
    if members < 2:
        return cells
    share = counts / cells[..., None, None]
    variance = ((share - 1 / members) ** 2).mean(axis=(-2, -1))
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.clip((1 / members) * (1 - 1 / members) / variance, 1.0, cells)
    return found


def consistency_band(cells: np.ndarray, ranks: int) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the frequencies of one rank among `ranks` that a reliable ensemble gives, (…,).

    cells: the number of independent cells, (…,). The band is for each rank by itself: of all ranks one in twenty of a
    reliable ensemble lies outside.
    """
    from scipy.stats import binom  # takes half a second to load, which the page need not wait for

    whole = np.maximum(1, np.round(cells))
    tail = (1 - LEVEL) / 2
    low, high = (binom.ppf(share, whole, 1 / ranks) / whole for share in (tail, 1 - tail))
    return np.maximum(low, 0.0), high
