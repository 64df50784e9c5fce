"""The training stages of DYffusion (arXiv 2306.01984, Algorithm 1), each a loss on a random batch.

"direct" trains the forecaster on true states inside the window, x_{t+i} -> x_{t+h}: a cheap start for stage two.
"interpolator" is stage one; "forecaster" is stage two, on interpolated states, from the weights of "direct".
"calibration" goes on with the interpolator between the initial state and forecast ends instead of true ones, so that
the ensemble is reliable at every lead. "dropout" trains the rival without an interpolator.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine import _score_kernels as kernels
from engine.datasets.base import Dataset
from engine.errors import RequestError
from engine.models.dynamics import DirectLeads, Forecaster, Interpolator
from engine.training.data import (
    TrainingRuns,
    Windows,
    draw_mirrored,
    draw_windows,
    mirror_fields,
    mirror_states,
)

LEAD_ZERO_OVERSAMPLING = 0.5
"""Extra share of lead 0 in the forecaster's batches: one lead of h, but the hardest and the start of every window."""

END_SHARE = 0.15
"""Share of the horizon in the batches of the rival: its forecasts go on from there."""

TRUE_STATE_SHARE = 0.25
"""Share of stage two that keeps true states, so that the forecaster does not forget them."""

SCALES = (1, 4, 16)
"""Edges in cells of the blocks whose means "multiscale" looks at."""

TRUE_END_SHARE = 0.25
"""Share of calibration that keeps true ends, so that the interpolator still fills in between two known states."""

AUXILIARY_SHARE = 0.5
"""Share of auxiliary leads among those above 0 in stage two, where the preset has auxiliary steps."""


@dataclass(frozen=True)
class StageSetting:
    """What a stage's loss needs beside the network in training."""

    dataset: Dataset
    runs: TrainingRuns
    forecaster: Forecaster
    interpolator: Interpolator | DirectLeads
    batch: int
    loss: str


def training_dropout(x: Tensor, rate: float, site: int) -> Tensor:
    """Plain inverted dropout from the global generator."""
    return functional.dropout(x, rate)


def interpolator_loss(setting: StageSetting, generator: torch.Generator) -> Tensor:
    """Stage one: distance of I(x_t, x_{t+h}, i), dropout on, to x_{t+i}, i ~ U{1 … h−1}."""
    windows, lead, target = _interpolator_batch(setting, generator)
    return _interpolator_distance(setting, windows, lead, target, lambda: windows.x_horizon)


def calibration_loss(setting: StageSetting, generator: torch.Generator) -> Tensor:
    """Distance of I(x_t, F(x_t, 0), i) to x_{t+i}; F is frozen, and every sample has a forecast of its own."""
    windows, lead, target = _interpolator_batch(setting, generator)
    kept = (torch.rand(setting.batch, generator=generator) < TRUE_END_SHARE).to(target.device)[:, None, None, None]

    def end() -> Tensor:
        with torch.no_grad():
            forecast = sample_forecast(setting.forecaster, windows)
        return torch.where(kept, windows.x_horizon, forecast).to(windows.initial.dtype)

    return _interpolator_distance(setting, windows, lead, target, end)


def sample_forecast(forecaster: Forecaster, windows: Windows) -> Tensor:
    """F(x_t, 0) as the sampler calls it."""
    x = windows.initial
    lead = torch.zeros(len(x), device=x.device)
    dropout = training_dropout if forecaster.keeps_dropout else None
    return forecaster(x, lead, side=windows.side, initial=x, noise=draw_noise(forecaster, x), dropout=dropout)


def draw_noise(forecaster: Forecaster, x: Tensor) -> Tensor | None:
    """Noise for a batch of states, from the global generator; None where the forecaster takes none."""
    return torch.randn(x.shape, device=x.device) if forecaster.draws_noise else None


def direct_loss(setting: StageSetting, generator: torch.Generator) -> Tensor:
    """Distance of F(x_{t+i}, i) from true states, dropout on, to x_{t+h}."""
    windows, lead, x = _forecast_batch(setting, generator)
    return _forecaster_distance(setting, windows, lead, x)


def dropout_loss(setting: StageSetting, generator: torch.Generator) -> Tensor:
    """The rival: distance of G(x_t, i), dropout on, to x_{t+i}; i is h in a fixed share, else ~ U{1 … h−1}."""
    windows, lead, target = _interpolator_batch(setting, generator)
    at_end = (torch.rand(setting.batch, generator=generator) < END_SHARE).to(target.device)
    lead = torch.where(at_end, setting.forecaster.horizon, lead)
    target = torch.where(at_end[:, None, None, None], windows.x_horizon, target)
    return _interpolator_distance(setting, windows, lead, target, lambda: windows.x_horizon)


def forecaster_loss(setting: StageSetting, generator: torch.Generator) -> Tensor:
    """Stage two: distance of F(I(x_t, x_{t+h}, i), i) to x_{t+h}; the interpolator is frozen, its dropout on.

    Half of the leads are auxiliary ones where there are any: their states are always interpolated.
    """
    windows, lead, x = _forecast_batch(setting, generator)
    lead, auxiliary = _with_auxiliary(setting, lead, generator)
    with torch.no_grad():
        ends = (windows.initial, windows.x_horizon)
        guess = setting.interpolator(*ends, lead, side=windows.side, dropout=training_dropout)
    kept = (torch.rand(setting.batch, generator=generator).to(x.device) < TRUE_STATE_SHARE) & ~auxiliary
    x = torch.where((kept | (lead == 0))[:, None, None, None], x, guess.to(x.dtype))
    return _forecaster_distance(setting, windows, lead, x)


def _with_auxiliary(setting: StageSetting, lead: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Leads with some of those above 0 replaced by auxiliary ones, d / (k + 1), and which these are."""
    steps = setting.forecaster.auxiliary_steps
    if not steps:
        return lead, torch.zeros_like(lead, dtype=torch.bool)
    drawn = torch.randint(1, steps + 1, lead.shape, generator=generator).to(lead) / (steps + 1)
    chosen = (torch.rand(lead.shape, generator=generator) < AUXILIARY_SHARE).to(lead.device) & (lead > 0)
    return torch.where(chosen, drawn, lead), chosen


def _forecaster_distance(setting: StageSetting, windows: Windows, lead: Tensor, x: Tensor) -> Tensor:
    """The loss of F at leads (b,); every sample has noise of its own where the conditioning has noise."""

    def sample() -> Tensor:
        noise = draw_noise(setting.forecaster, x)
        return setting.forecaster(
            x, lead, side=windows.side, initial=windows.initial, noise=noise, dropout=training_dropout
        )

    return LOSSES[setting.loss](sample, windows.x_horizon, windows.scored)


def _interpolator_distance(
    setting: StageSetting, windows: Windows, lead: Tensor, target: Tensor, end: Callable[[], Tensor]
) -> Tensor:
    """The loss of I at leads (b,), dropout on, between the initial states and ends, which every sample asks for."""

    def sample() -> Tensor:
        return setting.interpolator(windows.initial, end(), lead, side=windows.side, dropout=training_dropout)

    return LOSSES[setting.loss](sample, target, windows.scored)


def _forecast_batch(setting: StageSetting, generator: torch.Generator) -> tuple[Windows, Tensor, Tensor]:
    windows = _windows(setting, generator)
    lead = torch.randint(setting.forecaster.horizon, (setting.batch,), generator=generator)
    lead[torch.rand(setting.batch, generator=generator) < LEAD_ZERO_OVERSAMPLING] = 0
    state = setting.runs.states[windows.run, windows.start + lead]
    windows, state = _mirrored(setting.dataset, windows, state, generator)
    return windows, lead.to(state.device, torch.float32), state


def _interpolator_batch(setting: StageSetting, generator: torch.Generator) -> tuple[Windows, Tensor, Tensor]:
    windows = _windows(setting, generator)
    lead = torch.randint(1, setting.interpolator.horizon, (setting.batch,), generator=generator)
    target = setting.runs.states[windows.run, windows.start + lead]
    windows, target = _mirrored(setting.dataset, windows, target, generator)
    return windows, lead.to(target.device, torch.float32), target


def _windows(setting: StageSetting, generator: torch.Generator) -> Windows:
    return draw_windows(setting.dataset, setting.runs, setting.forecaster.horizon, setting.batch, generator)


def _mirrored(dataset: Dataset, windows: Windows, state: Tensor, generator: torch.Generator) -> tuple[Windows, Tensor]:
    chosen = draw_mirrored(len(state), generator)
    mirrored = replace(
        windows,
        initial=mirror_states(windows.initial, dataset, chosen),
        x_horizon=mirror_states(windows.x_horizon, dataset, chosen),
        side=mirror_fields(windows.side, dataset, chosen),
        scored=mirror_fields(windows.scored, dataset, chosen),
    )
    return mirrored, mirror_states(state, dataset, chosen)


def _over_scored(error: Tensor, scored: Tensor) -> Tensor:
    return (error * scored).sum() / (scored.sum() * error.shape[-3])


def _mse(sample: Callable[[], Tensor], target: Tensor, scored: Tensor) -> Tensor:
    return _over_scored((sample() - target).square(), scored)


def _l1(sample: Callable[[], Tensor], target: Tensor, scored: Tensor) -> Tensor:
    return _over_scored((sample() - target).abs(), scored)


def _crps(sample: Callable[[], Tensor], target: Tensor, scored: Tensor) -> Tensor:
    return _over_scored(kernels.almost_fair_crps(torch.stack([sample(), sample()]), target), scored)


def _multiscale_crps(sample: Callable[[], Tensor], target: Tensor, scored: Tensor) -> Tensor:
    members = torch.stack([sample(), sample()])
    return torch.stack([_crps_at(members, target, scored, scale) for scale in SCALES]).mean()


def _crps_at(members: Tensor, target: Tensor, scored: Tensor, scale: int) -> Tensor:
    both, counts = pooled(torch.cat([members, target[None]]), scored, scale)
    return _over_scored(kernels.almost_fair_crps(both[:-1], both[-1]), counts)


def pooled(fields: Tensor, scored: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """Means of fields (…, b, channel, y, x) over the scored cells of blocks, and whether a block has any, (b, 1, y, x).

    scale: the edge of a block in cells; blocks at the edge of the grid may be smaller.
    """
    if scale == 1:
        return fields, scored

    def pool(x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, scale, ceil_mode=True, count_include_pad=False)

    share = pool(scored.to(fields.dtype))
    flat = (fields * scored).flatten(0, -4)
    means = pool(flat).unflatten(0, fields.shape[:-3]) / share.clamp(min=1e-6)
    return means, share > 0


LOSSES = {"mse": _mse, "l1": _l1, "crps": _crps, "multiscale": _multiscale_crps}
"""Distances of samples to a target over scored cells.

"crps" is the almost-fair CRPS of two samples, cell by cell; "multiscale" averages it over blocks of several sizes, so
that the members differ in their large patterns as much as the truth does from their mean.
"""


@dataclass(frozen=True)
class Stage:
    """A stage: which network learns, from which loss; stages whose weights it needs, and one that it takes if there.

    alone: only in a preset without an interpolator.
    """

    loss: Callable[[StageSetting, torch.Generator], Tensor]
    default_loss: str
    trains: str
    needs: tuple[str, ...] = ()
    starts_from: str | None = None
    alone: bool = False

    def network(self, forecaster: nn.Module, interpolator: nn.Module | None) -> nn.Module:
        """The network that this stage trains. Raises RequestError in a preset without it, or that is not for it."""
        if self.alone and interpolator is not None:
            raise RequestError("This preset has an interpolator: the stage dropout is for --preset dropout.")
        network = forecaster if self.trains == "forecaster" else interpolator
        if network is None:
            raise RequestError("This preset has no interpolator: train it with --stage dropout.")
        return network


STAGES: dict[str, Stage] = {
    "direct": Stage(direct_loss, "l1", "forecaster"),
    "interpolator": Stage(interpolator_loss, "mse", "interpolator"),
    "forecaster": Stage(forecaster_loss, "l1", "forecaster", needs=("interpolator",), starts_from="direct"),
    "calibration": Stage(calibration_loss, "crps", "interpolator", needs=("direct", "interpolator")),
    "dropout": Stage(dropout_loss, "mse", "forecaster", alone=True),
}
