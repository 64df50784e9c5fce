"""`python -m engine benchmark`: how fast the default forecasts are on this machine."""

import argparse
from typing import TYPE_CHECKING

from engine.commands.forecast import add_request_arguments, request_from

if TYPE_CHECKING:
    from engine.benchmark import Report

HELP = "time the default forecasts against this machine's convolution peak and a plain loop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dataset", help="only this data set; else all that have a checkpoint")
    parser.add_argument("--init", default="0", help="index or RUN:FRAME")
    add_request_arguments(parser)
    parser.add_argument("--plain-members", type=int, default=2, help="members for the plain loop")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; exit code 1 where the engine and the plain loop disagree."""
    import torch

    from engine.benchmark import convolution_peak, measure

    reports = []
    for dataset in _datasets(arguments.dataset):
        request = request_from(arguments, dataset)
        reports.append(measure(request, device=arguments.device, plain_members=arguments.plain_members))
    peaks = {name: convolution_peak(name, device=arguments.device) for name in ("fp32", "bf16")}
    print(f"torch {torch.__version__}, {arguments.device}, {torch.get_num_threads()} threads")
    print("convolution peak", *(f"{name} {_gflops(peak)}" for name, peak in peaks.items()), sep="  ")
    for report in reports:
        print(f"\n{describe(report, peaks[report.request.precision])}")
    return 0 if all(report.comparison.agree for report in reports) else 1


def describe(report: "Report", peak: float) -> str:
    """A report in lines of text; `peak` is the convolution peak at its precision, operations per second."""
    request, calls, comparison = report.request, report.calls, report.comparison
    verdict = "the same but for rounding" if comparison.agree else "NOT THE SAME"
    settings = f"{request.members} members, {request.steps} steps, schedule {request.schedule}, {request.solver}"
    lines = {
        f"{request.dataset}": f"{settings}, {request.precision}",
        "wall time": f"{report.seconds:.2f} s, {report.seconds / request.members:.3f} s per member; "
        f"{report.cpu_seconds:.2f} s of processor time",
        "network calls": f"{calls.forecaster} F and {calls.interpolator} I per member",
        "per call": f"{calls.forecaster_flops / 1e9:.3f} (F), {calls.interpolator_flops / 1e9:.3f} GFLOP (I)",
        "achieved": f"{_gflops(report.flops_per_second)}, {report.flops_per_second / peak:.0%} of the peak",
        "peak memory": f"{report.peak_memory / 2**20:.0f} MiB, this process so far",
        "plain loop": f"{comparison.plain_seconds:.2f} s for {comparison.members} members, "
        f"the engine {comparison.engine_seconds:.2f} s: "
        f"{comparison.plain_seconds / comparison.engine_seconds:.2f} times as fast",
        "agreement": f"{verdict}, at most {comparison.difference:.1e} standard deviations apart",
    }
    return "\n".join(f"{label:<16}{text}" for label, text in lines.items())


def _datasets(chosen: str | None) -> list[str]:
    from engine.checkpoint import list_checkpoints
    from engine.datasets import DATASETS

    if chosen is not None:
        return [chosen]
    return [name for name, dataset in DATASETS.items() if list_checkpoints(name) and dataset.runs()] or list(DATASETS)


def _gflops(speed: float) -> str:
    return f"{speed / 1e9:.1f} GFLOP/s"
