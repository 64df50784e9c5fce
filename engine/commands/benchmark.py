"""`python -m engine benchmark`: how fast the default forecasts are on this machine."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.commands.forecast import add_request_arguments, request_from

if TYPE_CHECKING:
    from engine.benchmark import Comparison, Report
    from engine.requests import ForecastRequest

HELP = "time the default forecasts against this machine's convolution peak and a plain loop"
MEMBERS = (5, 10, 20, 50, 100)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dataset", help="only this data set; else all that have a checkpoint")
    parser.add_argument("--init", default="0", help="index or RUN:FRAME")
    parser.add_argument("--preset", help="networks of this preset with random weights, such as paper, not a checkpoint")
    add_request_arguments(parser)
    parser.add_argument("--plain-members", type=int, default=4, help="members for the plain loop")
    parser.add_argument("--table", action="store_true", help="also time 5 to 100 members over half and all steps")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; exit code 1 where the engine and the plain loop disagree."""
    import torch

    from engine.benchmark import convolution_peak, measure, members_table

    reports = []
    peaks = {name: convolution_peak(name, device=arguments.device) for name in ("fp32", "bf16")}
    print(f"torch {torch.__version__}, {arguments.device}, {torch.get_num_threads()} threads")
    print("convolution peak", *(f"{name} {_gflops(peak)}" for name, peak in peaks.items()), sep="  ")
    for dataset in _datasets(arguments.dataset, arguments.preset):
        with _request(arguments, dataset) as request:
            report = measure(request, device=arguments.device, plain_members=arguments.plain_members)
            print(f"\n{describe(report, peaks)}", flush=True)
            if arguments.table:
                print(describe_table(members_table(request, MEMBERS, device=arguments.device)), flush=True)
        reports.append(report)
    return 0 if all(report.comparison.agree for report in reports) else 1


def describe(report: "Report", peaks: dict[str, float]) -> str:
    """A report in lines of text; `peaks` are the convolution peaks by precision, operations per second."""
    request, calls, comparison = report.request, report.calls, report.comparison
    verdict = "the same but for rounding" if comparison.agree else "NOT THE SAME"
    settings = f"{request.members} members, {request.steps} steps, schedule {request.schedule}, {request.solver}"
    lines = {
        f"{request.dataset}": f"{settings}, {request.precision}",
        "wall time": f"{report.seconds:.2f} s, {report.seconds / request.members:.3f} s per member; "
        f"{report.cpu_seconds:.2f} s of processor time",
        "first window": f"{report.first_seconds:.2f} s until the first members have it",
        "from the store": f"{1000 * report.stored_seconds:.0f} ms, all windows on disk",
        "network calls": f"{calls.forecaster} F and {calls.interpolator} I per member",
        "per call": f"{calls.forecaster_flops / 1e9:.3f} (F), {calls.interpolator_flops / 1e9:.3f} GFLOP (I)",
        "achieved": f"{_gflops(report.flops_per_second)}, "
        f"{report.flops_per_second / peaks[request.precision]:.0%} of the peak",
        "peak memory": f"{report.peak_memory / 2**20:.0f} MiB, this process so far",
        "plain loop": f"{comparison.plain_seconds:.2f} s for {comparison.members} members, "
        f"{_gflops(comparison.plain_flops_per_second)}",
        **{f"engine, {name}": _against_plain(comparison, name, peaks) for name in comparison.engine_seconds},
        "agreement": f"{verdict}, at most {comparison.difference:.1e} standard deviations apart",
    }
    return "\n".join(f"{label:<16}{text}" for label, text in lines.items())


def _against_plain(comparison: "Comparison", precision: str, peaks: dict[str, float]) -> str:
    speed = comparison.flops_per_second(precision)
    return (
        f"{comparison.engine_seconds[precision]:.2f} s: {comparison.ratio(precision):.2f} times as fast, "
        f"{_gflops(speed)}, {speed / peaks['fp32']:.0%} of the fp32 peak"
    )


def describe_table(table: list[tuple[int, int, float]]) -> str:
    """Seconds by members and steps, and what a member costs."""
    lines = [f"{'members':>16}{'steps':>8}{'seconds':>10}{'per member':>12}"]
    lines += [f"{count:>16}{steps:>8}{taken:>10.2f}{taken / count:>12.4f}" for count, steps, taken in table]
    return "\n".join(lines)


@contextmanager
def _request(arguments: argparse.Namespace, dataset: str) -> Iterator["ForecastRequest"]:
    """The request to measure, of a checkpoint or of a preset's networks with random weights."""
    if arguments.preset is None:
        yield request_from(arguments, dataset)
        return
    from engine.random_weights import save_random_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / f"{dataset}-{arguments.preset}"
        model = save_random_checkpoint(named, dataset, arguments.preset)
        yield replace(request_from(arguments, dataset), model=model)


def _datasets(chosen: str | None, preset: str | None) -> list[str]:
    from engine.checkpoint import list_checkpoints
    from engine.datasets import DATASETS
    from engine.models.presets import PRESETS

    if chosen is not None:
        return [chosen]
    there = [name for name, dataset in DATASETS.items() if dataset.runs()]
    if preset is not None:
        return [name for name in there if (name, preset) in PRESETS]
    return [name for name in there if list_checkpoints(name)] or list(DATASETS)


def _gflops(speed: float) -> str:
    return f"{speed / 1e9:.1f} GFLOP/s"
