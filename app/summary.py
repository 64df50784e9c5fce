"""What the page keeps of a forecast: maps of mean, spread and truth, and scores by lead, per variable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from app.variables import Variable

if TYPE_CHECKING:
    from engine.datasets import Dataset

CELLS_AT_ONCE = 4_000_000  # of all members; bounds the memory that derived members and scores take


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores at every lead over the scored cells, in the variable's units; (lead,), NaN without truth.

    crps: fair CRPS; rmse: of the ensemble mean; spread: root mean variance times (M+1)/M, which equals the
    RMSE of a reliable ensemble. Fair CRPS and spread are NaN with one member.
    """

    crps: np.ndarray
    rmse: np.ndarray
    spread: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """Spread over RMSE: 1 for a reliable ensemble, below 1 where it is too sure of itself."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.rmse > 0, self.spread / self.rmse, np.nan)


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of one variable, float32 (frame, y, x): frame 0 is the initial condition, then one per lead."""

    mean: np.ndarray
    spread: np.ndarray
    truth: np.ndarray
    scores: Scores


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The forecast itself, per channel: members (member, lead, y, x), truth (lead, y, x), initial (y, x).

    places: `x` and `y` of every cell, (y, x); scored: the cells that count, bool (y, x).
    """

    members: Mapping[str, np.ndarray]
    truth: Mapping[str, np.ndarray]
    initial: Mapping[str, np.ndarray]
    places: Mapping[str, np.ndarray]
    scored: np.ndarray

    @property
    def count(self) -> int:
        """Number of members."""
        return len(next(iter(self.members.values())))

    def at(self, variable: Variable, row: int, column: int) -> np.ndarray:
        """The variable at one cell in every member, (member, lead)."""
        rows, columns = self.scored.shape
        # derivatives need the neighbours, so a patch is cut around the cell
        patch, i = _around(row, rows), min(row, 1)
        across, j = _around(column, columns), min(column, 1)
        fields = {**self.members, **self.places}
        return variable.of({name: values[..., patch, across] for name, values in fields.items()})[..., i, j]

    def maps_of(self, variable: Variable) -> Maps:
        """Mean, spread, truth and scores of a variable, a few leads at a time."""
        start = variable.of({**self.initial, **self.places})[None].astype(np.float32)
        mean, spread, truth, scores = [start], [np.zeros_like(start)], [start], []
        leads = next(iter(self.members.values())).shape[1]
        step = max(1, CELLS_AT_ONCE // (self.count * self.scored.size))
        for first in range(0, leads, step):
            part = slice(first, first + step)
            values = variable.of({**{name: all_[:, part] for name, all_ in self.members.items()}, **self.places})
            known = variable.of({**{name: all_[part] for name, all_ in self.truth.items()}, **self.places})
            mean.append(values.mean(axis=0))
            spread.append(values.std(axis=0, ddof=1) if self.count > 1 else np.zeros_like(mean[-1]))
            truth.append(known.astype(np.float32))
            scores.append(score(values[..., self.scored], known[..., self.scored]))
        return Maps(
            np.concatenate(mean),
            np.concatenate(spread),
            np.concatenate(truth),
            Scores(*(np.concatenate([getattr(s, name) for s in scores]) for name in ("crps", "rmse", "spread"))),
        )


@dataclass(frozen=True, eq=False)
class Summary:
    """A finished forecast as the page shows it; the maps of a variable are made when they are first asked for.

    request: the request as JSON; leads: data steps (lead,); times in the data set's units since the start of
    the run; solid: bool (y, x), obstacles or held particles; ensemble: None for a stored example, whose maps
    are all in `made`.
    """

    dataset: str
    request: str
    members: int
    leads: np.ndarray
    init_time: float
    valid_times: np.ndarray
    x: np.ndarray
    y: np.ndarray
    solid: np.ndarray
    ensemble: Ensemble | None = None
    made: dict[str, Maps] = field(default_factory=dict)

    def maps(self, variable: Variable) -> Maps:
        """The maps of a variable."""
        if variable.name not in self.made and self.ensemble is not None:
            self.made[variable.name] = self.ensemble.maps_of(variable)
        return self.made[variable.name]

    @property
    def nbytes(self) -> int:
        """Memory that members and maps take, roughly."""
        members = self.ensemble.members.values() if self.ensemble is not None else ()
        maps = [array for made in list(self.made.values()) for array in (made.mean, made.spread, made.truth)]
        return sum(array.nbytes for array in (*members, *maps))


def summarise(result: xr.Dataset, truth: xr.Dataset, static: xr.Dataset, dataset: "Dataset") -> Summary:
    """A forecast for the page.

    result: the engine's forecast, (member, lead, y, x) per channel; truth: (lead, y, x), NaN where unknown;
    static: the static fields and the boolean `scored`, (y, x).
    """
    names = [channel.name for channel in dataset.channels]
    x, y = result["x"].values.astype(np.float64), result["y"].values.astype(np.float64)
    return Summary(
        dataset=dataset.name,
        request=str(result.attrs["request"]),
        members=result.sizes["member"],
        leads=result["lead"].values.astype(np.float64),
        init_time=float(result["init_time"].values),
        valid_times=result["valid_time"].values.astype(np.float64),
        x=x,
        y=y,
        solid=static[solid_channel(dataset)].values > 0,
        ensemble=Ensemble(
            members={name: result[name].values for name in names},
            truth={name: truth[name].values for name in names},
            initial={name: result[f"{name}_init"].values for name in names},
            places=places(x, y),
            scored=static["scored"].values.astype(bool),
        ),
    )


def places(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """The place of every cell, `x` and `y` of (y, x)."""
    along, across = np.meshgrid(x, y)
    return {"x": along, "y": across}


def solid_channel(dataset: "Dataset") -> str:
    """The static channel of the cells drawn grey: inside obstacles, or particles that are held."""
    return "obstacle" if "obstacle" in dataset.static_channels else "fixed"


def score(members: np.ndarray, truth: np.ndarray) -> Scores:
    """Scores by lead over all cells: members (member, lead, cell), truth (lead, cell)."""
    from engine import scores

    forecast = xr.DataArray(members, dims=("member", "lead", "cell"))
    target = xr.DataArray(truth, dims=("lead", "cell"))
    count, leads = members.shape[:2]
    rmse = scores.rmse(forecast, target, over="cell").values
    if count < 2:
        return Scores(np.full(leads, np.nan), rmse, np.full(leads, np.nan))
    crps = scores.crps(forecast, target, over="cell").values
    return Scores(crps, rmse, scores.spread(forecast, over="cell").values)


def _around(index: int, size: int) -> slice:
    return slice(max(0, index - 1), min(size, index + 2))
