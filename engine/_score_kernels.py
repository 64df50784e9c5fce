"""Scores of ensembles as functions of tensors; the members lie along the first dimension.

The training loops use these directly, `engine.scores` wraps them for labelled arrays.
"""

import math

import numpy as np
import torch
from torch import Tensor

from engine.errors import RequestError


def crps(members: Tensor, truth: Tensor, *, fair: bool = True) -> Tensor:
    """Continuous ranked probability score of an ensemble at every point.

    Fair: mean|x_i - y| - sum_i (2i - M - 1) x_(i) / (M (M - 1)), whose expectation does not depend on M;
    otherwise M^2 divides (the score of the empirical distribution).

    members: (M, ...), truth: (...), in the same units; returns (...) in those units. NaN where either is NaN.

    Raises: RequestError if a fair score is asked of one member.

    Source: Zamo & Naveau 2018 (doi:10.1007/s11004-017-9709-7), Ferro 2014 (doi:10.1002/qj.2270).
    """
    return _weighted_crps(members, truth, spread_weight=1.0 if fair else _biased_weight(len(members)))


def almost_fair_crps(members: Tensor, truth: Tensor, *, alpha: float = 0.95) -> Tensor:
    """The mixture alpha fair + (1 - alpha) biased CRPS at every point, a loss for two or more members.

    The fair score alone does not feel one member while another sits on the truth; the small biased part does.
    Differentiable in `members`. members: (M, ...) with M >= 2, truth: (...); returns (...).

    Raises: RequestError if there are fewer than two members or alpha lies outside [0, 1].

    Source: Lang et al. 2024, AIFS-CRPS, eq. 4 (arXiv 2412.15832).
    """
    if not 0 <= alpha <= 1:
        raise RequestError(f"alpha must lie between 0 and 1, not {alpha}.")
    return _weighted_crps(members, truth, spread_weight=1 - (1 - alpha) / len(members))


def almost_fair_crps_loss(members: Tensor, truth: Tensor, *, alpha: float = 0.95) -> Tensor:
    """The average of `almost_fair_crps` over every point: a scalar to minimise."""
    return almost_fair_crps(members, truth, alpha=alpha).mean()


def gaussian_crps(mean: Tensor, std: Tensor, truth: Tensor) -> Tensor:
    """CRPS of N(mean, std^2): std (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)); |mean - truth| where std is 0.

    Source: Gneiting et al. 2005, eq. 5 (doi:10.1175/MWR2904.1).
    """
    error = truth - mean
    z = error / torch.where(std > 0, std, torch.ones_like(std))
    density = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    spread_out = std * (z * torch.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))
    return torch.where(std > 0, spread_out, error.abs())


def ensemble_mean(members: Tensor) -> Tensor:
    """Mean over the members: (M, ...) to (...)."""
    return members.mean(dim=0)


def ensemble_variance(members: Tensor, *, ddof: int = 1) -> Tensor:
    """Variance over the members, divided by M - ddof: (M, ...) to (...), in squared units.

    Raises: RequestError unless there are more than `ddof` members.
    """
    if len(members) <= ddof:
        raise RequestError(
            f"A variance with ddof {ddof} needs more than {ddof} member(s), not {len(members)}; ask for more members."
        )
    return members.var(dim=0, correction=ddof)


def half_mean_difference(members: Tensor) -> Tensor:
    """Half the mean distance between two different members, by order statistics: (M, ...) to (...).

    It is what a fair CRPS takes off the mean error; O(M log M), and free of any truth.

    Raises: RequestError if there are fewer than two members.
    """
    count = len(members)
    if count < 2:
        raise RequestError(
            f"The fair score compares members with each other and got {count} of them;"
            " ask for two or more members, or for the biased score (fair=False)."
        )
    if count == 2:  # no sort: this is the inner loop of training
        return (members[0] - members[1]).abs() / 2
    ranks = torch.arange(1, count + 1, dtype=members.dtype, device=members.device)
    weights = (2 * ranks - count - 1) / (count * (count - 1))
    return torch.einsum("m,m...->...", weights, _sorted(members))


def _sorted(members: Tensor) -> Tensor:
    """Members in order at every point; on a CPU, where nothing is to be learned, by numpy: it is far faster."""
    if members.requires_grad or members.device.type != "cpu":
        return members.sort(dim=0).values
    return torch.from_numpy(np.sort(members.numpy(), axis=0))


def _biased_weight(count: int) -> float:
    return (count - 1) / count


def _weighted_crps(members: Tensor, truth: Tensor, *, spread_weight: float) -> Tensor:
    """mean|x_i - y| - spread_weight * (half the mean distance between two different members)."""
    # Distances to the truth instead of values: the weights below add up to 0, so nothing changes but the
    # rounding, which no longer grows with the distance of the values from 0 (temperatures in kelvin).
    distance = members - truth
    error = distance.abs().mean(dim=0)
    if len(members) == 1 and spread_weight == 0:
        return error
    return error - spread_weight * half_mean_difference(distance)
