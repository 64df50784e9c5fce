"""Makes `data/` from simulated runs, once `python -m engine simulate` has made the test and ood splits.

Files that are already there are made again only with --again, so runs may be added as they are simulated.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.datasets import get_dataset
from engine.datasets.base import Run
from engine.datasets.netcdf import FINEST_STEP, write_run
from engine.folders import bundled_dir
from engine.simulators.files import read_simulated, simulated_dir

LARGEST_FILE = 9_000_000  # bytes
LARGEST_WHOLE = 35_000_000


@dataclass(frozen=True)
class Bundle:
    """What of one data set comes with the project: how many runs, where from, and how finely stored."""

    dataset: str
    test: int
    ood: int
    source: str
    step: float


BUNDLES = (
    Bundle(
        dataset="spring-mesh",
        test=15,
        ood=3,
        source="simulated by Coldcast: classical Runge-Kutta of order 4, time step 0.00781",
        step=FINEST_STEP,
    ),
    Bundle(
        dataset="navier-stokes",
        test=5,
        ood=2,
        source="simulated by Coldcast: P2-P1 finite elements, linearly implicit BDF3, time step 0.02 s",
        step=5e-5,
    ),
)


def main() -> int:
    """Write the missing files (all with --again) and the checksums; 1 if a budget is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="make files that are already there again")
    arguments = parser.parse_args()
    for bundle in BUNDLES:
        for split, runs in (("test", bundle.test), ("ood", bundle.ood)):
            for index in range(runs):
                make(bundle, split, index, again=arguments.again)
    write_checksums(bundled_dir())
    return check_sizes(bundled_dir())


def make(bundle: Bundle, split: str, index: int, *, again: bool) -> None:
    """Write one run's file, unless it is there or its run has not been simulated yet."""
    source = simulated_dir(bundle.dataset, split=split) / f"run_{index:04d}.npz"
    target = bundled_dir() / bundle.dataset / f"{split}-{index}.nc"
    if target.exists() and not again:
        return
    if not source.exists():
        print(f"not simulated yet: {bundle.dataset} {split} {index}")
        return
    simulated = read_simulated(source)
    attributes = {"seed": str(simulated.seed)}
    if simulated.obstacles is not None:
        attributes["obstacles"] = json.dumps(simulated.obstacles.tolist())
    fine = split == "test" and index == 0
    run = Run(
        name=str(index) if split == "test" else f"ood-{index}",
        states=simulated.states,
        static=simulated.static,
        times=simulated.times,
        fine_states=simulated.fine_states if fine else None,
        fine_times=simulated.fine_times if fine else None,
        attributes=attributes,
    )
    write_run(target, run, get_dataset(bundle.dataset), source=bundle.source, step=bundle.step)
    print(f"{target.relative_to(bundled_dir())}: {target.stat().st_size:,} bytes")


def write_checksums(folder: Path) -> None:
    """`SHA256SUMS` over every netCDF file below the folder, in the form of sha256sum."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("*.nc"))
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


def check_sizes(folder: Path) -> int:
    """Say what it all weighs; 1 if one file or the whole is too large."""
    sizes = {path: path.stat().st_size for path in folder.rglob("*.nc")}
    print(f"{len(sizes)} files, {sum(sizes.values()):,} bytes")
    large = [path for path, size in sizes.items() if size > LARGEST_FILE]
    for path in large:
        print(f"larger than {LARGEST_FILE:,} bytes: {path.relative_to(folder)}")
    return int(bool(large) or sum(sizes.values()) > LARGEST_WHOLE)


if __name__ == "__main__":
    sys.exit(main())
