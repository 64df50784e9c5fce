"""What this machine computes with, in words."""

import os
import platform
from functools import cache
from pathlib import Path


@cache
def device_name(device: str = "auto") -> str:
    """What forecasts are computed on: the name of the GPU, or that of the processor where there is none.

    Raises RequestError for a device that is not there.
    """
    import torch

    from engine.loading import choose_device

    chosen = choose_device(device)
    return torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else processor_name()


@cache
def processor_name() -> str:
    """The processor as its maker calls it, its architecture where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return " ".join(next(filter(None, named), platform.processor() or platform.machine()).split())


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
