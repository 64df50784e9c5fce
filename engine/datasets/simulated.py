"""Generated runs as runs of a data set, for training, validation and baselines."""

from pathlib import Path

from engine.datasets.base import Run
from engine.simulators.files import read_simulated


def load_simulated(path: Path) -> Run:
    """Read one generated run. Raises DataError where the file is absent, damaged or of another form."""
    stored = read_simulated(path)
    return Run(path.stem, stored.states, stored.static, stored.times, stored.fine_states, stored.fine_times)
