"""The data sets. To add one: a file beside this one and a line in `DATASETS`."""

from engine.datasets.base import Axis, Channel, Dataset, InitialCondition, Run
from engine.datasets.navier_stokes import NavierStokes
from engine.datasets.spring_mesh import SpringMesh
from engine.datasets.sst_daily import DailySeaSurface
from engine.datasets.sst_monthly import MonthlySeaSurface
from engine.errors import RequestError

__all__ = ["DATASETS", "Axis", "Channel", "Dataset", "InitialCondition", "Run", "get_dataset"]

DATASETS: dict[str, Dataset] = {
    "sst-monthly": MonthlySeaSurface(),
    "sst-daily": DailySeaSurface(),
    "navier-stokes": NavierStokes(),
    "spring-mesh": SpringMesh(),
}


def get_dataset(name: str) -> Dataset:
    """The named data set. Raises RequestError, naming those there are."""
    if name not in DATASETS:
        raise RequestError(f"There is no data set {name!r}; choose one of {', '.join(DATASETS)}.")
    return DATASETS[name]
