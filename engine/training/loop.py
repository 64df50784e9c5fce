"""The training loop: a time budget, an averaged network, the best one kept, a state that survives a kill."""

import csv
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.datasets.base import Dataset, Run, missing_cells
from engine.errors import DataError, RequestError
from engine.loading import choose_device
from engine.models import build_network, channels_last
from engine.models.dynamics import Forecaster, OutputForm, Scaling, make_interpolator
from engine.models.presets import Preset, get_preset
from engine.training.data import TrainingRuns, channel_statistics, to_tensors
from engine.training.linear_inverse import synthetic_runs
from engine.training.stages import LOSSES, STAGES, StageSetting
from engine.training.state import Counters, TrainingState, load_best, load_state, save_state, training_folder
from engine.training.validation import VALIDATIONS

AVERAGE_DECAY = 0.998
WARMUP_STEPS = 200
CLIP = 1.0
BETAS = (0.9, 0.99)
SAVE_SECONDS = 300


@dataclass(frozen=True)
class TrainingOptions:
    """What to train, for how long, and how."""

    dataset: Dataset
    preset: str
    stage: str
    minutes: float
    resume: bool = False
    seed: int = 0
    batch: int = 8
    learning_rate: float = 5e-4
    weight_decay: float = 1e-4
    loss: str | None = None
    runs: int | None = None
    synthetic: int = 0
    data: Path | None = None
    folder: Path | None = None
    device: str = "auto"
    validate_seconds: float = SAVE_SECONDS


@dataclass(frozen=True)
class Progress:
    """One line of the log; `validation` is the fair CRPS in normalised units where it was just measured."""

    steps: int
    seconds: float
    loss: float
    learning_rate: float
    validation: float | None
    best: float


def train(options: TrainingOptions) -> Iterator[Progress]:
    """Train one stage for `minutes` in all, yielding progress about every ten seconds and at every validation.

    Writes `<stage>.safetensors` (state), `<stage>.csv` (log) into the training folder. With `resume` it continues a
    killed or finished run up to the new total of minutes. Raises RequestError on options that do not fit and
    DataError where training data or an earlier stage are missing.
    """
    _check(options)
    device = choose_device(options.device)
    torch.manual_seed(options.seed)
    validation, setting, networks = _prepare(options, device)
    network = STAGES[options.stage].network(*networks)
    state = _fresh_state(network, options)
    path = _folder(options) / f"{options.stage}.safetensors"
    if not options.resume:
        _set_aside(path)
    elif path.exists():
        load_state(path, state)
    return _loop(options, state, setting, validation, path)


def _set_aside(path: Path) -> None:
    """A fresh run does not overwrite an earlier one's state or log: they get "previous" in their names."""
    for kept in (path, path.with_suffix(".csv")):
        if kept.exists():
            kept.replace(kept.with_name(f"{path.stem}-previous{kept.suffix}"))


def _check(options: TrainingOptions) -> None:
    if options.stage not in STAGES:
        raise RequestError(f"There is no stage {options.stage!r}; choose one of {', '.join(STAGES)}.")
    if options.loss is not None and options.loss not in LOSSES:
        raise RequestError(f"There is no loss {options.loss!r}; choose one of {', '.join(LOSSES)}.")
    if not 0 < options.minutes < math.inf:
        raise RequestError(f"The time budget is {options.minutes} minutes: give a number above 0.")
    if options.synthetic and options.dataset.calendar is None:
        raise RequestError(
            f"Synthetic runs are for observed records; {options.dataset.name} is simulated: make more runs."
        )
    if options.batch < 1:
        raise RequestError(f"The batch is {options.batch}: give a whole number of at least 1.")


def _folder(options: TrainingOptions) -> Path:
    return options.folder or training_folder(options.dataset.name, options.preset)


def _prepare(
    options: TrainingOptions, device: torch.device
) -> tuple[TrainingRuns, StageSetting, tuple[nn.Module, nn.Module | None]]:
    dataset, preset = options.dataset, get_preset(options.dataset.name, options.preset)
    loaded = dataset.training_runs("train", folder=options.data, limit=options.runs)
    statistics = normalisation(dataset, preset, loaded, _folder(options))
    missing = missing_cells(dataset, loaded[0])
    scaling = Scaling.of_channels(dataset.background(loaded[0]), *statistics, device, missing=missing)
    runs = to_tensors(dataset, _with_synthetic(options, loaded), scaling, device)
    held_out = None if options.data is None else options.data.parent / "validation"
    validation = to_tensors(dataset, dataset.training_runs("validation", folder=held_out), scaling, device)
    networks = build_pair(preset, device)
    _load_earlier(options, *networks)
    setting = make_setting(dataset, preset, runs, networks, options)
    return validation, setting, networks


def _with_synthetic(options: TrainingOptions, loaded: Sequence[Run]) -> Sequence[Run]:
    """The runs with invented ones of the first among them; the real one repeats to stay a tenth of all."""
    if not options.synthetic:
        return loaded
    invented = synthetic_runs(options.dataset, loaded[0], options.synthetic, options.seed)
    return (*invented, *itertools.repeat(loaded[0], max(1, options.synthetic // 9)))


def normalisation(
    dataset: Dataset, preset: Preset, runs: Sequence, folder: Path
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Channel mean and std: fitted once per training folder, then kept, so that all stages share them."""
    channels = len(dataset.channels)
    if not preset.normalised:
        return (0.0,) * channels, (1.0,) * channels
    path = folder / "normalisation.csv"
    if not path.exists():
        mean, std = channel_statistics(dataset, runs)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{m!r},{s!r}\n" for m, s in zip(mean, std, strict=True)), encoding="utf-8")
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [tuple(map(float, row)) for row in csv.reader(lines)]
    return tuple(row[0] for row in rows), tuple(row[1] for row in rows)


def build_pair(preset: Preset, device: torch.device) -> tuple[nn.Module, nn.Module | None]:
    """The preset's networks with random weights, channels last: forecaster, and interpolator if it has one."""
    forecaster, interpolator = (
        None if spec is None else channels_last(build_network(spec.family, spec.config).to(device))
        for spec in (preset.forecaster, preset.interpolator)
    )
    assert forecaster is not None
    return forecaster, interpolator


def make_setting(
    dataset: Dataset,
    preset: Preset,
    runs: TrainingRuns,
    networks: tuple[nn.Module, nn.Module | None],
    options: TrainingOptions,
) -> StageSetting:
    """The stage's loss setting around the two networks."""
    form = OutputForm(preset.output_form)
    forecaster = Forecaster(
        networks[0],
        dataset.horizon,
        form,
        preset.conditioning,
        preset.auxiliary_steps,
        preset.side_inputs,
        preset.keeps_dropout,
    )
    return StageSetting(
        dataset,
        runs,
        forecaster,
        make_interpolator(networks[1], forecaster, form, beside=preset.side_inputs),
        options.batch,
        options.loss or STAGES[options.stage].default_loss,
    )


def _load_earlier(options: TrainingOptions, forecaster: nn.Module, interpolator: nn.Module | None) -> None:
    stage, folder = STAGES[options.stage], _folder(options)
    wanted = [(name, folder / f"{name}.safetensors") for name in stage.needs]
    if stage.starts_from is not None and (first := folder / f"{stage.starts_from}.safetensors").exists():
        wanted.append((stage.starts_from, first))
    for name, path in wanted:
        weights, _ = load_best(path)
        STAGES[name].network(forecaster, interpolator).load_state_dict(weights)
    for network in filter(None, (forecaster, interpolator)):
        network.requires_grad_(network is stage.network(forecaster, interpolator))


def _fresh_state(network: nn.Module, options: TrainingOptions) -> TrainingState:
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, betas=BETAS, weight_decay=options.weight_decay
    )
    generator = torch.Generator().manual_seed(options.seed)
    average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    return TrainingState(network, optimiser, average, {}, generator)


def _loop(
    options: TrainingOptions,
    state: TrainingState,
    setting: StageSetting,
    validation: TrainingRuns,
    path: Path,
) -> Iterator[Progress]:
    counters, budget = state.counters, 60 * options.minutes
    precision = training_precision(validation.states.device)
    stage = STAGES[options.stage]
    reported = validated = counters.seconds
    recent: list[float] = []
    while counters.seconds < budget:
        begun = time.monotonic()
        rate = _learning_rate(options, counters)
        with precision():
            loss = stage.loss(setting, state.generator)
        recent.append(_update(state, loss, rate))
        counters.steps += 1
        counters.seconds += time.monotonic() - begun
        due = counters.seconds - validated >= options.validate_seconds or counters.seconds >= budget
        if due or counters.seconds - reported >= 10:
            score = _validate_and_save(options, state, setting, validation, path) if due else None
            mean = sum(recent) / len(recent)
            progress = Progress(counters.steps, counters.seconds, mean, rate, score, counters.best)
            _log(path.with_suffix(".csv"), progress)
            recent, reported = [], counters.seconds
            validated = counters.seconds if due else validated
            yield progress


def _learning_rate(options: TrainingOptions, counters: Counters) -> float:
    """Linear warm-up by steps, then a half cosine over the time budget down to 2%."""
    warm = min(1.0, (counters.steps + 1) / WARMUP_STEPS)
    done = min(1.0, counters.seconds / (60 * options.minutes))
    return options.learning_rate * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)


def _update(state: TrainingState, loss: Tensor, rate: float) -> float:
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(state.network.parameters(), CLIP)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise DataError(f"Training diverged at step {state.counters.steps}: resume with a lower --learning-rate.")
    state.optimiser.step()
    decay = min(AVERAGE_DECAY, (1 + state.counters.steps) / (10 + state.counters.steps))
    with torch.no_grad():
        for name, tensor in state.network.state_dict().items():
            if tensor.is_floating_point():
                state.average[name].lerp_(tensor, 1 - decay)
            else:
                state.average[name].copy_(tensor)
    return value


def _validate_and_save(
    options: TrainingOptions,
    state: TrainingState,
    setting: StageSetting,
    validation: TrainingRuns,
    path: Path,
) -> float:
    trained = {name: tensor.clone() for name, tensor in state.network.state_dict().items()}
    state.network.load_state_dict(state.average)
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(0)  # the same dropout masks at every validation
        score = VALIDATIONS[options.stage](setting, validation)
    state.network.load_state_dict(trained)
    if score < state.counters.best or not state.best:
        state.counters.best = score
        state.best = {name: tensor.clone() for name, tensor in state.average.items()}
    state.counters.history.append((round(state.counters.seconds, 1), score))
    save_state(path, state)
    return score


def training_precision(device: torch.device) -> Callable[[], AbstractContextManager]:
    """bf16 autocast where it pays: on GPUs that have it, and on CPUs where a convolution is measured to be faster."""
    if device.type == "cuda":
        pays = torch.cuda.is_bf16_supported()
    else:
        pays = _convolution_seconds(torch.bfloat16) < 0.8 * _convolution_seconds(torch.float32)
    if not pays:
        return nullcontext
    return lambda: torch.autocast(device.type, torch.bfloat16)


def _convolution_seconds(dtype: torch.dtype) -> float:
    x = torch.zeros(8, 64, 32, 64, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.zeros(64, 64, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
    seconds = []
    for _ in range(4):
        begun = time.perf_counter()
        torch.conv2d(x, weight, padding=1)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _log(path: Path, progress: Progress) -> None:
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["steps", "seconds", "loss", "learning_rate", "validation_crps", "best"])
        validation = "" if progress.validation is None else f"{progress.validation:.6g}"
        writer.writerow(
            [
                progress.steps,
                f"{progress.seconds:.1f}",
                f"{progress.loss:.6g}",
                f"{progress.learning_rate:.3g}",
                validation,
                f"{progress.best:.6g}",
            ]
        )
