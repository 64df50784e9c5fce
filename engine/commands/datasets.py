"""`python -m engine datasets`: what there is to forecast."""

import argparse

HELP = "list the data sets with their channels, windows and bundled runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb has no options."""


def run(arguments: argparse.Namespace) -> int:
    """Print a short paragraph a data set."""
    from engine.datasets import DATASETS

    for dataset in DATASETS.values():
        grid = " × ".join(f"{len(axis.values)} {axis.name}" for axis in dataset.axes)
        channels = ", ".join(f"{channel.name} ({channel.units})" for channel in dataset.channels)
        print(f"{dataset.name}: {dataset.title}")
        print(f"  grid {grid}; channels {channels}")
        print(f"  window {dataset.horizon} steps, {dataset.horizon * dataset.time_step:g} {dataset.time_units}")
        starts = f"{len(dataset.initial_conditions())} initial conditions; runs {', '.join(dataset.runs())}"
        print(f"  {starts}" if dataset.runs() else f"  no data on this machine: {dataset.remedy}")
    return 0
