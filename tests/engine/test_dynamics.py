"""The trained pair: scaling, output forms, conditionings, and the small networks themselves."""

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.datasets import DATASETS
from engine.datasets.background import Background
from engine.errors import CheckpointError, RequestError
from engine.models import FAMILIES, build_network
from engine.models.dynamics import (
    OUTPUT_FORMS,
    DirectLeads,
    Forecaster,
    Interpolator,
    OutputForm,
    Scaling,
    forecaster_inputs,
    interpolator_inputs,
    noise_level,
)
from engine.models.layers import Dropout
from engine.models.presets import PRESETS, get_preset
from engine.schedules import diffusion_step_of
from tests.engine.conftest import side_channels

X, Y = torch.randn(2, 3, 6, 5), torch.randn(2, 3, 6, 5)
SIDE = torch.zeros(2, 1, 6, 5)


def one(inputs: Tensor, time: Tensor, dropout: Dropout | None) -> Tensor:
    """A network that answers 1 everywhere."""
    return torch.ones(len(inputs), 3, *inputs.shape[-2:])


def test_scaling_there_and_back_is_the_identity() -> None:
    for harmonics in (0, 2):
        scaling = Scaling(torch.randn(1 + 2 * harmonics, 3, 6, 5), torch.rand(3, 1, 1) + 0.1)
        torch.testing.assert_close(scaling.restore(scaling.normalise(X, 0.3), 0.3), X)
    flat = Scaling(torch.full((1, 3, 1, 1), 2.0), torch.full((3, 1, 1), 4.0))
    torch.testing.assert_close(flat.normalise(torch.full((1, 3, 1, 1), 10.0), 0.0), torch.full((1, 3, 1, 1), 2.0))


def test_a_network_sees_departures_from_the_season_in_units_of_their_scale() -> None:
    seasonal = Background(
        np.array([10.0, 4.0, 0.0], np.float32)[:, None, None, None], np.full((1, 1, 1), 2, np.float32)
    )
    scaling = Scaling.of_channels(seasonal, (0.5,), (3.0,), torch.device("cpu"))
    winter, summer = 10 + 4 * 1.0, 10 + 4 * -1.0  # cos of 0 and of half a turn
    for season, field in ((0.0, winter), (0.5, summer)):
        departure = (20.0 - field) / 2.0
        seen = scaling.normalise(torch.full((1, 1, 1, 1), 20.0), season)
        assert float(seen) == pytest.approx((departure - 0.5) / 3.0, abs=1e-5)


def test_a_network_sees_zero_where_there_are_no_data() -> None:
    missing = np.array([[[True, False]]])
    background = Background(np.full((1, 1, 1, 2), 7, np.float32), np.ones((1, 1, 2), np.float32))
    scaling = Scaling.of_channels(background, (0.0,), (1.0,), torch.device("cpu"), missing=missing)
    seen = scaling.normalise(torch.tensor([[[float("nan"), 9.0]]]), 0.0)
    torch.testing.assert_close(seen, torch.tensor([[[0.0, 2.0]]]))


@pytest.mark.parametrize(("form", "weight"), [("linear", 0.75), ("root", 0.75**0.5)])
def test_a_forecast_corrects_the_present_state_by_what_remains(form: str, weight: float) -> None:
    forecaster = Forecaster(one, 8, OutputForm(form))
    torch.testing.assert_close(forecaster(X, torch.full((2,), 2.0), side=SIDE), X + weight)


@pytest.mark.parametrize("form", ["linear", "root"])
def test_an_interpolation_meets_both_ends(form: str) -> None:
    interpolator = Interpolator(one, 8, OutputForm(form))
    torch.testing.assert_close(interpolator(X, Y, torch.zeros(2), side=SIDE), X)
    torch.testing.assert_close(interpolator(X, Y, torch.full((2,), 8.0), side=SIDE), Y)
    torch.testing.assert_close(interpolator(X, Y, torch.full((2,), 4.0), side=SIDE), (X + Y) / 2 + 1)


def test_the_absolute_form_is_the_network_s_answer() -> None:
    ones = torch.ones_like(X)
    torch.testing.assert_close(Forecaster(one, 8, OutputForm("absolute"))(X, torch.ones(2), side=SIDE), ones)
    torch.testing.assert_close(Interpolator(one, 8, OutputForm("absolute"))(X, Y, torch.ones(2), side=SIDE), ones)


def test_conditioning_hands_the_network_the_initial_state_blurred_as_stated() -> None:
    seen: list[Tensor] = []

    def spy(inputs: Tensor, time: Tensor, dropout: Dropout | None) -> Tensor:
        seen.append(inputs)
        return one(inputs, time, dropout)

    noise, lead = torch.randn_like(X), torch.tensor([0.0, 3.0])
    for conditioning in ("none", "data", "data+noise"):
        forecaster = Forecaster(spy, 4, OutputForm("linear"), conditioning)
        forecaster(X, lead, side=SIDE, initial=Y, noise=noise)
    assert [inputs.shape[1] for inputs in seen] == [4, 7, 7]
    torch.testing.assert_close(seen[1][:, 3:6], Y)
    torch.testing.assert_close(seen[2][0, 3:6], noise[0])  # lead 0: pure noise
    torch.testing.assert_close(seen[2][1, 3:6], Y[1])  # last trained lead: no noise
    with pytest.raises(ValueError, match="needs noise"):
        Forecaster(spy, 4, OutputForm("linear"), "data+noise")(X, lead, side=SIDE, initial=Y)
    with pytest.raises(ValueError, match="initial"):
        Forecaster(spy, 4, OutputForm("linear"), "data")(X, lead, side=SIDE)


def test_a_model_without_interpolator_reaches_every_lead_with_its_forecaster() -> None:
    def remaining(inputs: Tensor, time: Tensor, dropout: Dropout | None) -> Tensor:
        return time.view(-1, 1, 1, 1).expand_as(X)

    leads = DirectLeads(Forecaster(remaining, 8, OutputForm("absolute")))
    out = leads(X, torch.full_like(X, torch.nan), torch.tensor([1.0, 6.0]), side=SIDE)
    assert leads.horizon == 8
    assert out[0].unique().item() == 7  # the forecaster's time is that of its window: 7 of 8 have passed
    assert out[1].unique().item() == 2


def test_the_noise_level_follows_the_trained_diffusion_step() -> None:
    leads = [0.0, 0.5, 1.0, 1.5, 6.0]
    steps = [diffusion_step_of(lead, 25) for lead in leads]
    assert steps[-1] == 31  # the last trained one, of k = 25 and h = 7
    torch.testing.assert_close(noise_level(torch.tensor(leads), 7, 25), torch.tensor(steps) / 31)


def test_an_unknown_output_form_family_or_preset_is_refused() -> None:
    with pytest.raises(ValueError, match="banana"):
        OutputForm("banana")
    with pytest.raises(CheckpointError, match="banana"):
        build_network("banana", {})
    with pytest.raises(CheckpointError, match="colour"):
        build_network("convnet", {"in_channels": 1, "out_channels": 1, "colour": "red"})
    with pytest.raises(RequestError, match="banana"):
        get_preset("spring-mesh", "banana")


@pytest.mark.parametrize("owner", [key for key in PRESETS if key[0] in DATASETS])
def test_every_preset_builds_for_its_data_set(owner: tuple[str, str]) -> None:
    dataset, preset = DATASETS[owner[0]], PRESETS[owner]
    channels, side = len(dataset.channels), side_channels(dataset) if preset.side_inputs else 0
    assert preset.output_form in OUTPUT_FORMS
    for spec, inputs in (
        (preset.forecaster, forecaster_inputs(channels, side, preset.conditioning)),
        *([(preset.interpolator, interpolator_inputs(channels, side))] if preset.interpolator else []),
    ):
        assert spec.family in FAMILIES
        assert spec.config["in_channels"] == inputs
        assert spec.config["out_channels"] == channels


@pytest.mark.parametrize("name", ["navier-stokes", "spring-mesh"])
def test_fast_networks_are_stateless_and_treat_samples_alone(name: str) -> None:
    spec = PRESETS[name, "published"].forecaster
    torch.manual_seed(0)
    network = build_network(spec.family, spec.config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    shape = [len(axis.values) for axis in DATASETS[name].axes]
    x, time = torch.randn(3, spec.config["in_channels"], *shape), torch.tensor([0.0, 1.0, 5.0])
    with torch.inference_mode():
        together = network(x, time, None)
        assert together.shape == (3, spec.config["out_channels"], *shape)
        torch.testing.assert_close(network(x[1:2], time[1:2], None), together[1:2], rtol=0, atol=1e-4)
        network.train()
        torch.testing.assert_close(network(x, time, None), together)


@pytest.mark.parametrize("name", ["navier-stokes", "spring-mesh"])
def test_fast_networks_number_their_dropout_sites_in_order(name: str) -> None:
    spec = PRESETS[name, "fast"].interpolator
    assert spec is not None
    sites: list[int] = []

    def note(x: Tensor, rate: float, site: int) -> Tensor:
        assert rate == spec.config["dropout"]
        sites.append(site)
        return x

    shape = [len(axis.values) for axis in DATASETS[name].axes]
    network = build_network(spec.family, spec.config)
    network(torch.zeros(1, spec.config["in_channels"], *shape), torch.zeros(1), note)
    assert len(sites) == len(set(sites)) >= 2
