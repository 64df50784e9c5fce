"""The score kernels against hand-worked fractions, brute force over all pairs, closed forms and gradients."""

import math

import pytest
import torch

from engine import _score_kernels as kernels
from engine.errors import RequestError


def ensemble(members: int, *shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(members + 1, *shape, generator=generator, dtype=torch.float64)
    return draw[1:], draw[0]


def by_pairs(members: torch.Tensor, truth: torch.Tensor, divisor: float) -> torch.Tensor:
    pairs = (members[:, None] - members[None]).abs().sum(dim=(0, 1))
    return (members - truth).abs().mean(dim=0) - pairs / (2 * divisor)


def test_crps_of_three_members_is_the_fraction_worked_by_hand() -> None:
    # members 0, 1, 3, truth 2: mean error 4/3; pairs 1 + 3 + 2 = 6, fair 6/6 = 1, biased 6/9 = 2/3
    members, truth = torch.tensor([3.0, 0.0, 1.0]), torch.tensor(2.0)
    assert kernels.crps(members, truth).item() == pytest.approx(1 / 3)
    assert kernels.crps(members, truth, fair=False).item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("count", [2, 3, 4, 7, 50])
def test_crps_agrees_with_brute_force_over_all_pairs(count: int) -> None:
    members, truth = ensemble(count, 5, 4)
    torch.testing.assert_close(kernels.crps(members, truth), by_pairs(members, truth, count * (count - 1)))
    torch.testing.assert_close(kernels.crps(members, truth, fair=False), by_pairs(members, truth, count**2))


def test_crps_of_a_perfect_ensemble_is_zero() -> None:
    truth = torch.arange(6.0)
    assert torch.equal(kernels.crps(truth.expand(4, 6), truth), torch.zeros(6))


def test_crps_does_not_depend_on_the_order_of_the_members() -> None:
    members, truth = ensemble(9, 6)
    torch.testing.assert_close(kernels.crps(members.flip(0), truth), kernels.crps(members, truth))


def test_crps_keeps_its_precision_far_from_zero() -> None:
    members, truth = ensemble(20, 100)
    exact = kernels.crps(members * 0.01 + 300, truth * 0.01 + 300)
    single = kernels.crps((members * 0.01 + 300).float(), (truth * 0.01 + 300).float())
    assert (single - exact).abs().max() < 3e-5  # float32 itself resolves 3e-5 near 300


def test_crps_is_nan_only_where_the_truth_or_a_member_is() -> None:
    members, truth = ensemble(5, 4)
    truth[1], members[2, 3] = math.nan, math.nan
    assert kernels.crps(members, truth).isnan().tolist() == [False, True, False, True]


def test_biased_crps_of_one_member_is_the_absolute_error_and_the_fair_one_is_refused() -> None:
    member, truth = torch.tensor([[1.0, -2.0]]), torch.tensor([0.5, 0.5])
    assert kernels.crps(member, truth, fair=False).tolist() == [0.5, 2.5]
    with pytest.raises(RequestError, match="two or more members"):
        kernels.crps(member, truth)


def test_fair_crps_does_not_reward_larger_ensembles_and_the_biased_one_does() -> None:
    truth, many = torch.tensor(0.0, dtype=torch.float64), ensemble(3 * 40000)[0]
    small, large = many[: 2 * 60000].reshape(2, -1), many.reshape(12, -1)
    fair = [kernels.crps(x, truth.expand(x.shape[1])).mean().item() for x in (small, large)]
    biased = [kernels.crps(x, truth.expand(x.shape[1]), fair=False).mean().item() for x in (small, large)]
    assert fair[0] == pytest.approx(fair[1], abs=0.01)
    assert biased[0] - biased[1] == pytest.approx((1 / 2 - 1 / 12) / math.sqrt(math.pi), abs=0.01)


@pytest.mark.parametrize("count", [2, 3, 10])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.95, 1.0])
def test_almost_fair_crps_is_the_stated_mixture(count: int, alpha: float) -> None:
    members, truth = ensemble(count, 6)
    mixture = alpha * kernels.crps(members, truth) + (1 - alpha) * kernels.crps(members, truth, fair=False)
    torch.testing.assert_close(kernels.almost_fair_crps(members, truth, alpha=alpha), mixture)


@pytest.mark.parametrize("count", [2, 5])
def test_almost_fair_crps_has_the_gradient_of_finite_differences(count: int) -> None:
    members, truth = ensemble(count, 3)
    assert torch.autograd.gradcheck(lambda x: kernels.almost_fair_crps_loss(x, truth), members.requires_grad_())


def test_almost_fair_crps_feels_a_stray_member_that_the_fair_score_does_not() -> None:
    truth = torch.tensor(0.0)
    members = torch.tensor([0.0, 5.0], requires_grad=True)
    (fair,) = torch.autograd.grad(kernels.almost_fair_crps_loss(members, truth, alpha=1.0), members)
    (almost,) = torch.autograd.grad(kernels.almost_fair_crps_loss(members, truth, alpha=0.95), members)
    assert fair[1] == 0
    assert almost[1].item() == pytest.approx(0.05 / 4)


def test_minimising_the_almost_fair_crps_of_two_members_finds_the_spread_of_the_truth() -> None:
    noise, truth = ensemble(2, 4000)
    log_std = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([log_std], lr=0.1)
    for _ in range(60):
        optimiser.zero_grad()
        kernels.almost_fair_crps_loss(noise * log_std.exp(), truth, alpha=1.0).backward()
        optimiser.step()
    assert log_std.exp().item() == pytest.approx(1.0, abs=0.1)


def test_almost_fair_crps_refuses_one_member_and_an_alpha_beyond_one() -> None:
    with pytest.raises(RequestError, match="two or more members"):
        kernels.almost_fair_crps(torch.zeros(1, 3), torch.zeros(3))
    with pytest.raises(RequestError, match=r"alpha must lie between 0 and 1, not 1\.5"):
        kernels.almost_fair_crps(torch.zeros(2, 3), torch.zeros(3), alpha=1.5)


def test_gaussian_crps_of_the_standard_normal_at_its_mean_is_the_closed_form() -> None:
    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    assert kernels.gaussian_crps(zero, one, zero).item() == pytest.approx((math.sqrt(2) - 1) / math.sqrt(math.pi))
    assert kernels.gaussian_crps(zero, 3 * one, zero).item() == pytest.approx(
        3 * (math.sqrt(2) - 1) / math.sqrt(math.pi)
    )


def test_gaussian_crps_is_the_limit_of_the_crps_of_a_large_ensemble() -> None:
    level = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    members = 2 + 0.5 * math.sqrt(2) * torch.erfinv(2 * level - 1)
    truth = torch.tensor(2.7, dtype=torch.float64)
    limit = kernels.gaussian_crps(torch.full_like(truth, 2.0), torch.full_like(truth, 0.5), truth)
    assert kernels.crps(members, truth, fair=False).item() == pytest.approx(limit.item(), abs=1e-4)


def test_gaussian_crps_without_spread_is_the_absolute_error() -> None:
    mean, truth = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 5.0])
    assert kernels.gaussian_crps(mean, torch.zeros(2), truth).tolist() == [0.0, 3.0]


def test_variance_divides_by_the_stated_count() -> None:
    members = torch.tensor([[1.0], [2.0], [6.0]])  # mean 3, squares 4 + 1 + 9 = 14
    assert kernels.ensemble_mean(members).item() == 3
    assert kernels.ensemble_variance(members).item() == pytest.approx(7)
    assert kernels.ensemble_variance(members, ddof=0).item() == pytest.approx(14 / 3)
    with pytest.raises(RequestError, match="more members"):
        kernels.ensemble_variance(members[:1])


def test_the_order_of_members_is_the_same_with_and_without_gradients() -> None:
    members = torch.randn(7, 5, dtype=torch.float64)
    plain = kernels.half_mean_difference(members)
    learned = kernels.half_mean_difference(members.clone().requires_grad_())
    torch.testing.assert_close(plain, learned.detach())
