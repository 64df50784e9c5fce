"""Validation scores of each stage: the fair CRPS, in normalised units over scored cells, of small ensembles."""

import torch
from torch import Tensor

from engine import _score_kernels as kernels
from engine.models.dynamics import Forecaster, Interpolator
from engine.noise import MemberNoise, parse_coupling
from engine.sampling import cold_sampling
from engine.schedules import parse_schedule
from engine.training.data import TrainingRuns
from engine.training.stages import StageSetting, training_dropout
from engine.window import Pair, WindowSetting, bind

MEMBERS = 4
WINDOWS = 2


def validate_direct(setting: StageSetting, runs: TrainingRuns) -> float:
    """CRPS at the horizon of F(x_t, 0) with dropout, from a few starts of every run."""
    forecaster, horizon = setting.forecaster, setting.forecaster.horizon
    scores = []
    for start in _starts(runs, horizon):
        x, target = runs.states[:, start], runs.states[:, start + horizon]
        lead = torch.zeros(len(x), device=x.device)
        noise = torch.randn_like(x) if forecaster.conditioning == "data+noise" else None
        members = [
            forecaster(x, lead, static=runs.static, initial=x, noise=noise, dropout=training_dropout)
            for _ in range(MEMBERS)
        ]
        scores.append(_mean_crps(torch.stack(members), target, runs.scored))
    return sum(scores) / len(scores)


def validate_interpolator(setting: StageSetting, runs: TrainingRuns) -> float:
    """CRPS of I with dropout at three leads of a few windows of every run."""
    interpolator: Interpolator = setting.interpolator
    horizon = interpolator.horizon
    scores = []
    for start in _starts(runs, horizon):
        ends = (runs.states[:, start], runs.states[:, start + horizon])
        for lead in sorted({1, horizon // 2, horizon - 1} - {0}):
            times = torch.full((len(runs),), float(lead), device=runs.states.device)
            members = [interpolator(*ends, times, static=runs.static, dropout=training_dropout) for _ in range(MEMBERS)]
            scores.append(_mean_crps(torch.stack(members), runs.states[:, start + lead], runs.scored))
    return sum(scores) / len(scores)


def validate_forecast(setting: StageSetting, runs: TrainingRuns) -> float:
    """CRPS at the end of each of the first windows of a cold-sampled ensemble of the pair."""
    pair = Pair(setting.dataset, setting.forecaster, setting.interpolator, runs.scaling, runs.states.device)
    horizon = setting.forecaster.horizon
    windows = min(WINDOWS, (runs.states.shape[1] - 1) // horizon)
    scores = [
        score
        for run in range(len(runs))
        for start in _starts(runs, windows * horizon)[:2]
        for score in _rollout_scores(pair, runs, run, start, windows)
    ]
    return sum(scores) / len(scores)


def _rollout_scores(pair: Pair, runs: TrainingRuns, run: int, start: int, windows: int) -> list[float]:
    forecaster: Forecaster = pair.forecaster
    horizon = forecaster.horizon
    schedule = parse_schedule(f"stride{max(1, horizon // 8)}", horizon=horizon)
    boundary = runs.scaling.restore(runs.states[run, start])
    x = boundary.expand(MEMBERS, *boundary.shape)
    scores = []
    for window in range(windows):
        first = start + window * horizon
        setting = WindowSetting(x, runs.static[run], boundary, runs.times[first])
        bound = bind(pair, setting, MemberNoise(0, tuple(range(MEMBERS)), window), parse_coupling("independent"))
        *_, last = cold_sampling(*bound, x, schedule)
        x = last.x
        scores.append(_mean_crps(runs.scaling.normalise(x), runs.states[run, first + horizon], runs.scored[run]))
    return scores


def _starts(runs: TrainingRuns, span: int) -> list[int]:
    last = runs.states.shape[1] - 1 - span
    return sorted({0, last // 2, last})


def _mean_crps(members: Tensor, target: Tensor, scored: Tensor) -> float:
    error = kernels.crps(members, target)
    return float((error * scored).sum() / (scored.sum() * error.shape[-3]))


VALIDATIONS = {
    "direct": validate_direct,
    "interpolator": validate_interpolator,
    "forecaster": validate_forecast,
}
