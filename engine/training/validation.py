"""Validation scores of each stage: the fair CRPS, in normalised units over scored cells, of small ensembles."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from engine import _score_kernels as kernels
from engine.noise import MemberNoise, parse_coupling
from engine.sampling import cold_sampling
from engine.schedules import parse_schedule
from engine.training.data import TrainingRuns, Windows, windows_at
from engine.training.stages import SCALES, StageSetting, draw_noise, pooled, sample_forecast, training_dropout
from engine.window import Pair, WindowSetting, bind

MEMBERS = 4
WINDOWS = 2
STARTS = 96
FORECASTS = 12


def validate_direct(setting: StageSetting, runs: TrainingRuns) -> float:
    """CRPS at the horizon of F(x_t, 0) with dropout, from starts spread over the runs."""
    forecaster, horizon = setting.forecaster, setting.forecaster.horizon
    windows = _windows(setting, runs, horizon)
    x = windows.initial
    lead = torch.zeros(len(x), device=x.device)

    def member() -> Tensor:
        noise = draw_noise(forecaster, x)
        return forecaster(x, lead, side=windows.side, initial=x, noise=noise, dropout=training_dropout)

    return _mean_crps(setting, torch.stack([member() for _ in range(MEMBERS)]), windows.x_horizon, windows.scored)


def validate_interpolator(setting: StageSetting, runs: TrainingRuns) -> float:
    """CRPS of I with dropout at three leads of windows spread over the runs."""
    return _validate_leads(setting, runs, _inner_leads(setting), lambda windows: windows.x_horizon)


def validate_calibration(setting: StageSetting, runs: TrainingRuns) -> float:
    """CRPS of I between the initial state and forecast ends, at three leads of windows spread over the runs."""
    return _validate_leads(setting, runs, _inner_leads(setting), partial(sample_forecast, setting.forecaster))


def validate_dropout(setting: StageSetting, runs: TrainingRuns) -> float:
    """CRPS of G with dropout at three leads, the horizon among them, from starts spread over the runs."""
    horizon = setting.forecaster.horizon
    leads = {max(1, horizon // 4), max(1, horizon // 2), horizon}
    return _validate_leads(setting, runs, leads, lambda windows: windows.x_horizon)


def _inner_leads(setting: StageSetting) -> set[int]:
    horizon = setting.interpolator.horizon
    return {1, horizon // 2, horizon - 1} - {0}


def _validate_leads(
    setting: StageSetting, runs: TrainingRuns, leads: set[int], end: Callable[[Windows], Tensor]
) -> float:
    """Mean CRPS at some leads between the initial states and ends, which every member asks for."""
    interpolator = setting.interpolator
    windows = _windows(setting, runs, interpolator.horizon)
    scores = []
    for lead in sorted(leads):
        times = torch.full((len(windows.run),), float(lead), device=runs.states.device)
        ends = [(windows.initial, end(windows)) for _ in range(MEMBERS)]
        members = [interpolator(*each, times, side=windows.side, dropout=training_dropout) for each in ends]
        target = runs.states[windows.run, windows.start + lead]
        scores.append(_mean_crps(setting, torch.stack(members), target, windows.scored))
    return sum(scores) / len(scores)


def validate_forecast(setting: StageSetting, runs: TrainingRuns) -> float:
    """CRPS at the end of each of the first windows of a cold-sampled ensemble of the pair."""
    pair = Pair(setting.dataset, setting.forecaster, setting.interpolator, (), (), runs.states.device)
    horizon = setting.forecaster.horizon
    windows = min(WINDOWS, (runs.states.shape[1] - 1) // horizon)
    scores = [
        score
        for run, start in _starts(runs, windows * horizon, FORECASTS)
        for score in _rollout_scores(setting, pair, runs, run, start, windows)
    ]
    return sum(scores) / len(scores)


def _rollout_scores(
    stage: StageSetting, pair: Pair, runs: TrainingRuns, run: int, start: int, windows: int
) -> list[float]:
    horizon, dataset = pair.forecaster.horizon, pair.dataset
    schedule = parse_schedule(f"stride{max(1, horizon // 8)}", horizon=horizon)
    boundary = runs.scaling.restore(runs.states[run, start], float(runs.seasons[start]))
    x = boundary.expand(MEMBERS, *boundary.shape)
    scores = []
    for window in range(windows):
        first = start + window * horizon
        setting = WindowSetting(x, runs.static[run], boundary, runs.times[first], runs.scaling)
        bound = bind(pair, setting, MemberNoise(0, tuple(range(MEMBERS)), window), parse_coupling("independent"))
        *_, last = cold_sampling(*bound, x, schedule)
        x = last.x
        end = first + horizon
        reached = runs.scaling.normalise(x, dataset.season(runs.times[end]))
        scores.append(_mean_crps(stage, reached[:, None], runs.states[run, end][None], runs.scored[run][None]))
    return scores


def _windows(setting: StageSetting, runs: TrainingRuns, horizon: int) -> Windows:
    run, start = torch.tensor(_starts(runs, horizon, STARTS)).T
    return windows_at(setting.dataset, runs, horizon, run, start)


def _starts(runs: TrainingRuns, span: int, count: int) -> list[tuple[int, int]]:
    """About `count` pairs of run and start frame, spread evenly over each run, its first frame among them."""
    last = runs.states.shape[1] - 1 - span
    of_each = max(2, count // len(runs))
    frames = sorted({last * index // (of_each - 1) for index in range(of_each)})
    return [(run, frame) for run in range(len(runs)) for frame in frames]


def _mean_crps(setting: StageSetting, members: Tensor, target: Tensor, scored: Tensor) -> float:
    """Over scored cells, and with the loss "multiscale" over blocks of cells too."""
    parts = []
    for scale in SCALES if setting.loss == "multiscale" else (1,):
        both, counts = pooled(torch.cat([members, target[None]]).nan_to_num(), scored, scale)
        error = kernels.crps(both[:-1], both[-1])
        parts.append(float((error * counts).sum() / (counts.sum() * error.shape[-3])))
    return sum(parts) / len(parts)


VALIDATIONS = {
    "direct": validate_direct,
    "interpolator": validate_interpolator,
    "forecaster": validate_forecast,
    "calibration": validate_calibration,
    "dropout": validate_dropout,
}
