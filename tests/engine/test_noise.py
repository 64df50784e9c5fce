"""Random numbers of members: keyed, reproducible, independent of batching; dropout masks and their coupling."""

import pytest
import torch

import engine.noise
from engine.errors import RequestError
from engine.noise import Coupling, MaskedDropout, MaskSource, MemberNoise, parse_coupling

ONES = torch.ones(3, 16, 32, 32)
NOISE = MemberNoise(seed=5, members=(0, 1, 2), window=0)


def test_a_member_s_numbers_do_not_depend_on_who_runs_beside_it() -> None:
    alone = MemberNoise(5, (2,), 0)
    assert torch.equal(NOISE.normal("role", (4, 5))[2], alone.normal("role", (4, 5))[0])
    assert torch.equal(NOISE.uniform_bytes("role", 99)[2], alone.uniform_bytes("role", 99)[0])


@pytest.mark.parametrize(
    "other",
    [
        MemberNoise(6, (0, 1, 2), 0),
        MemberNoise(5, (3, 4, 5), 0),
        MemberNoise(5, (0, 1, 2), 1),
        MemberNoise(5, (0, 1, 2), 0, "elsewhere"),
    ],
)
def test_seed_member_window_and_initial_condition_all_matter(other: MemberNoise) -> None:
    assert not torch.equal(NOISE.normal("role", (8,)), other.normal("role", (8,)))


def test_many_numbers_drawn_by_threads_are_the_same_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (3, 300, 100)
    assert engine.noise.WORTH_THREADS < 3 * 4 * 300 * 100
    threaded = NOISE.normal("role", shape), NOISE.uniform_bytes("role", 300_001)
    monkeypatch.setattr(engine.noise, "WORTH_THREADS", 10**12)
    for one, other in zip(threaded, (NOISE.normal("role", shape), NOISE.uniform_bytes("role", 300_001)), strict=True):
        assert torch.equal(one, other)


def test_the_role_matters_and_repeating_it_repeats_the_numbers() -> None:
    assert not torch.equal(NOISE.normal("a", (8,)), NOISE.normal("b", (8,)))
    assert torch.equal(NOISE.normal("a", (8,)), NOISE.normal("a", (8,)))


def test_normal_numbers_are_standard_and_uncorrelated_between_members() -> None:
    x = NOISE.normal("role", (20000,)).double()
    assert torch.allclose(x.mean(dim=1), torch.zeros(3).double(), atol=0.03)
    assert torch.allclose(torch.corrcoef(x) - torch.eye(3).double(), torch.zeros(3, 3).double(), atol=0.03)
    assert torch.allclose(x.std(dim=1), torch.ones(3).double(), atol=0.03)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.15, 0.5])
def test_dropout_drops_the_stated_share_and_keeps_the_mean(rate: float) -> None:
    dropped = MaskedDropout(MaskSource(NOISE, "role"))(ONES, rate, 0)
    assert float((dropped == 0).double().mean()) == pytest.approx(rate, abs=0.01)
    assert float(dropped.double().mean()) == pytest.approx(1.0, abs=0.01)


def test_sites_of_one_call_have_their_own_masks() -> None:
    dropout = MaskedDropout(MaskSource(NOISE, "role"))
    assert not torch.equal(dropout(ONES, 0.5, 0), dropout(ONES, 0.5, 1))


@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
def test_a_correlation_is_the_share_of_the_mask_in_common(correlation: float) -> None:
    masks = [
        MaskedDropout(MaskSource(NOISE, role, "shared", correlation))(ONES, 0.5, 0) > 0 for role in ("first", "second")
    ]
    agree = float((masks[0] == masks[1]).double().mean())
    assert agree == pytest.approx(0.5 + 0.5 * correlation, abs=0.01)


def test_couplings_read_from_text() -> None:
    assert parse_coupling("independent") == Coupling("independent", 0.0)
    assert parse_coupling("step") == Coupling("step", 1.0)
    assert parse_coupling("window") == Coupling("window", 1.0)
    assert parse_coupling("0.25") == Coupling("step", 0.25)


@pytest.mark.parametrize("text", ["", "banana", "-0.1", "1.5", "nan"])
def test_an_unknown_coupling_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="coupling"):
        parse_coupling(text)
