"""The networks of the paper: sizes as published, statelessness, dropout sites, the parts against oracles."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.errors import RequestError
from engine.models.folding import folded
from engine.models.paper_convnet import PaperConvNet
from engine.models.paper_layers import DropoutSite, Modulation
from engine.models.paper_resunet import PaperResidualUNet, _FullAttention, _LinearAttention, _StandardisedConv
from engine.models.paper_unet import PaperUNet

UNET_SITES = [(0.15, site) for site in range(12)]
CONVNET_SITES = [(0.05, site) for site in range(4)]
_BLOCK = [0.2, 0.6]
_RESUNET_RATES = [*3 * [*_BLOCK, *_BLOCK, 0.5], *_BLOCK, 0.5, *_BLOCK, *3 * [*_BLOCK, *_BLOCK, 0.5], *_BLOCK]
RESUNET_SITES = [(rate, site) for site, rate in enumerate(_RESUNET_RATES)]

# name -> (small network, input shape of one member, output channels, dropout sites in call order)
SMALL: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int], int, list[tuple[float, int]]]] = {
    "unet": (
        lambda: PaperUNet(in_channels=5, out_channels=3, dim=8, size=64, dropout=0.15),
        (5, 14, 23),
        3,
        UNET_SITES,
    ),
    "convnet": (
        lambda: PaperConvNet(in_channels=9, out_channels=4, dim=8, dropout=0.05),
        (9, 10, 10),
        4,
        CONVNET_SITES,
    ),
    "resunet": (
        lambda: PaperResidualUNet(
            in_channels=2, out_channels=1, dim=8, first_dropout=0.2, second_dropout=0.6, attention_dropout=0.5
        ),
        (2, 12, 8),
        1,
        RESUNET_SITES,
    ),
}


@pytest.mark.parametrize(
    ("family", "config", "published"),
    [
        (PaperUNet, {"in_channels": 5, "out_channels": 3}, 10_270_147),
        (PaperUNet, {"in_channels": 8, "out_channels": 3}, 10_270_339),
        (PaperConvNet, {"in_channels": 9, "out_channels": 4}, 478_532),
        (PaperResidualUNet, {"in_channels": 2, "out_channels": 1}, 9_479_681),
    ],
)
def test_the_networks_have_the_published_number_of_parameters(
    family: Callable[..., nn.Module], config: dict[str, Any], published: int
) -> None:
    with torch.device("meta"):
        network = family(**config)
    assert sum(parameter.numel() for parameter in network.parameters()) == published


@pytest.mark.parametrize("name", SMALL)
def test_output_keeps_the_grid_and_repeats_bit_for_bit_without_dropout(name: str) -> None:
    network, x, time, channels = _example(name, members=2)
    with torch.no_grad():
        first, second = network(x, time, None), network(x, time, None)
    assert first.shape == (2, channels, *x.shape[-2:])
    assert torch.isfinite(first).all()
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", SMALL)
def test_dropout_sites_are_called_in_order_with_their_rates(name: str) -> None:
    network, x, time, _ = _example(name, members=2)
    calls: list[tuple[float, int]] = []

    def record(activations: Tensor, rate: float, site: int) -> Tensor:
        assert len(activations) == 2
        calls.append((rate, site))
        return activations

    with torch.no_grad():
        recorded, plain = network(x, time, record), network(x, time, None)
    assert calls == SMALL[name][3]
    assert torch.equal(recorded, plain)


@pytest.mark.parametrize("name", SMALL)
def test_every_dropout_site_matters(name: str) -> None:
    network, x, time, _ = _example(name, members=1)
    with torch.no_grad():
        plain = network(x, time, None)
        for _, site in SMALL[name][3]:
            changed = network(x, time, lambda a, rate, at, site=site: 1.5 * a if at == site else a)
            assert not torch.allclose(changed, plain, rtol=0, atol=1e-9), site


def test_a_site_of_rate_zero_asks_for_no_noise() -> None:
    x = torch.ones(1, 2, 3, 3)
    assert DropoutSite(0.0, 4)(x, lambda *_: pytest.fail("asked for noise")) is x


@pytest.mark.parametrize("name", SMALL)
def test_a_member_does_not_depend_on_the_members_beside_it(name: str) -> None:
    network, x, time, _ = _example(name, members=4)
    with torch.no_grad():
        together = network(x, time, None)
        alone = torch.cat([network(x[m : m + 1], time[m : m + 1], None) for m in range(4)])
    assert torch.allclose(together, alone, rtol=0, atol=1e-5 * float(alone.abs().max()))


@pytest.mark.parametrize("name", SMALL)
def test_the_lead_matters_also_between_whole_steps(name: str) -> None:
    network, x, _, _ = _example(name, members=1)
    with torch.no_grad():
        whole, between = network(x, torch.tensor([2.0]), None), network(x, torch.tensor([2.5]), None)
    assert not torch.allclose(whole, between, rtol=1e-3)


@pytest.mark.parametrize("name", SMALL)
def test_the_networks_run_in_half_precision_on_request(name: str) -> None:
    network, x, time, _ = _example(name, members=1)
    with torch.no_grad():
        exact = network(x, time, None)
        rough = network.bfloat16()(x.bfloat16(), time, None)
    assert rough.dtype == torch.bfloat16
    assert torch.allclose(rough.float(), exact, rtol=0.1, atol=0.1 * float(exact.abs().max()))


def test_modulation_scales_by_one_plus_the_first_half_and_adds_the_second() -> None:
    modulate = Modulation(3, 2)
    nn.init.zeros_(modulate.project.weight)
    with torch.no_grad():
        modulate.project.bias.copy_(torch.tensor([0.5, -1.0, 10.0, 20.0]))
        result = modulate(torch.full((1, 2, 1, 1), 4.0), torch.zeros(1, 3))
    assert result.flatten().tolist() == [16.0, 20.0]


def test_standardised_weights_ignore_the_scale_and_offset_of_the_stored_ones() -> None:
    x = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    conv = _StandardisedConv(3, 2, 3, padding=1, bias=False)
    nn.init.normal_(conv.weight, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = conv(x)
        conv.weight.mul_(7).add_(3)
        after = conv(x)
        numbers = conv.weight[0].double()
        by_hand = (x[0, :, 1:4, 1:4] * (numbers - numbers.mean()) / numbers.std(correction=0)).sum()
    assert torch.allclose(before, after, atol=1e-3)
    assert float(after[0, 0, 2, 2]) == pytest.approx(float(by_hand), abs=1e-3)


def test_linear_attention_is_the_sum_over_cells_written_out() -> None:
    attend = _LinearAttention(4, DropoutSite(0.0, 0))
    x = torch.randn(1, 4, 2, 3, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        query, key, value = (part[0] for part in attend.heads(attend.norm(x)))
        mixed = torch.zeros(4, 32, 6)
        for head in range(4):
            for cell in range(6):
                wanted = query[head, :, cell].softmax(0) / math.sqrt(32)
                for other in range(6):
                    offered = key[head].softmax(1)[:, other]
                    mixed[head, :, cell] += (wanted @ offered) * value[head, :, other] / 6
        expected = x + attend.merge(mixed.reshape(1, 128, 2, 3))
        assert torch.allclose(attend(x, None), expected, atol=1e-5)


def test_full_attention_agrees_with_the_library() -> None:
    attend = _FullAttention(4, DropoutSite(0.0, 0))
    x = torch.randn(2, 4, 3, 2, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        query, key, value = (part.transpose(2, 3) for part in attend.heads(attend.norm(x)))
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        expected = x + attend.merge(mixed.transpose(2, 3).reshape(2, 128, 3, 2))
        assert torch.allclose(attend(x, None), expected, atol=1e-5)


def test_training_updates_only_the_running_statistics() -> None:
    network, x, time, _ = _example("convnet", members=3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        network.train()(x, time, None)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all("running" in name or "num_batches" in name for name in changed)


@pytest.mark.parametrize("size", [32, 100])
def test_an_inner_grid_that_cannot_be_halved_six_times_is_refused(size: int) -> None:
    with pytest.raises(RequestError, match=str(size)):
        PaperUNet(in_channels=1, out_channels=1, dim=8, size=size)


def test_the_residual_unet_refuses_a_grid_that_does_not_halve_evenly() -> None:
    network = PaperResidualUNet(in_channels=1, out_channels=1, dim=8)
    with pytest.raises(RequestError, match="10 × 12"):
        network(torch.zeros(1, 1, 10, 12), torch.zeros(1), None)


def _example(name: str, *, members: int) -> tuple[nn.Module, Tensor, Tensor, int]:
    """Return a small network with all parts at work, ready to infer, an input, leads and its channels out."""
    build, shape, channels, _ = SMALL[name]
    torch.manual_seed(0)
    network = build().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network, torch.randn(members, *shape), torch.arange(1.0, members + 1), channels


def _randomised(network: nn.Module) -> nn.Module:
    """The network with norms and running statistics away from the identity."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.normal_(module.weight, 1.0, 0.3)
            nn.init.normal_(module.bias, 0.0, 0.3)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features)
            module.running_var = 0.5 + torch.rand(module.num_features)
    return network.eval()


@pytest.mark.parametrize("name", SMALL)
def test_a_folded_network_computes_the_same_without_norms_by_batch_and_standardised_weights(name: str) -> None:
    torch.manual_seed(3)
    make, shape, _, _ = SMALL[name]
    network, x, lead = _randomised(make()), torch.randn(3, *shape), torch.tensor([0.0, 1.5, 4.0])
    with torch.no_grad():
        expected = network(x, lead, None)
        quick = folded(network)
        assert torch.allclose(quick(x, lead, None), expected, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(part, nn.BatchNorm2d | _StandardisedConv) for part in quick.modules())
    assert not any(parameter.requires_grad for parameter in quick.parameters())
