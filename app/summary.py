"""What the page keeps of a forecast: maps of mean, spread and truth, and scores by lead, per variable."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from app.place import Place
from engine.datasets import Dataset, get_dataset
from engine.variables import CLIMATOLOGY, Variable

T = TypeVar("T")

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

    places: `x` and `y` of every cell, (y, x); scored: the cells that count, bool (y, x). references: fields that are
    known at every time beforehand, (frame, y, x), frame 0 at the initial condition; more may be added as variables
    ask for them.
    """

    members: Mapping[str, np.ndarray]
    truth: Mapping[str, np.ndarray]
    initial: Mapping[str, np.ndarray]
    places: Mapping[str, np.ndarray]
    scored: np.ndarray
    references: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of members."""
        return len(next(iter(self.members.values())))

    def at(self, variable: Variable, place: Place) -> np.ndarray:
        """The variable at the cells of a place in every member, (member, lead, y, x)."""
        rows, columns = self.scored.shape
        # derivatives need the neighbours, so a patch is cut around the place
        up, along = _around(place.rows, rows), _around(place.columns, columns)
        fields = {**self.members, **self.places, **self._known(slice(1, None))}
        patch = variable.of({name: values[..., up, along] for name, values in fields.items()})
        shifted = Place(
            place.west - along.start, place.south - up.start, place.east - along.start, place.north - up.start
        )
        return shifted.part(patch)

    def member(self, variable: Variable, number: int) -> np.ndarray:
        """The variable in one member, counted from 0: float32 (lead, y, x)."""
        channels = {name: values[number] for name, values in self.members.items()}
        return variable.of({**channels, **self.places, **self._known(slice(1, None))}).astype(np.float32, copy=False)

    def area_mean(self, variable: Variable, weights: np.ndarray) -> np.ndarray:
        """The weighted sum of a variable over the scored cells in every member, (member, lead); weights (y, x)."""
        counted = self.scored & (weights > 0)
        fields = {**self.members, **self.places, **self._known(slice(1, None))}
        mean: np.ndarray = variable.of(fields)[..., counted] @ weights[counted]
        return mean

    def _known(self, frames: int | slice) -> dict[str, np.ndarray]:
        return {name: values[frames] for name, values in self.references.items()}

    def start_of(self, variable: Variable) -> np.ndarray:
        """The variable at the initial condition, float32 (y, x)."""
        return variable.of({**self.initial, **self.places, **self._known(0)}).astype(np.float32)

    def parts(self, variable: Variable) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """A few leads at a time: which they are, the members (member, lead, y, x), and the truth (lead, y, x)."""
        leads = next(iter(self.members.values())).shape[1]
        step = max(1, CELLS_AT_ONCE // (self.count * self.scored.size))
        for first in range(0, leads, step):
            part = slice(first, min(first + step, leads))
            beside = {**self.places, **self._known(slice(first + 1, first + 1 + step))}
            values = variable.of({**{name: all_[:, part] for name, all_ in self.members.items()}, **beside})
            known = variable.of({**{name: all_[part] for name, all_ in self.truth.items()}, **beside})
            yield part, values, known

    def maps_of(self, variable: Variable) -> Maps:
        """Mean, spread, truth and scores of a variable, a few leads at a time."""
        start = self.start_of(variable)[None]
        mean, spread, truth, scores = [start], [np.zeros_like(start)], [start], []
        for _, values, known in self.parts(variable):
            mean.append(values.mean(axis=0))
            spread.append(values.std(axis=0, ddof=1) if self.count > 1 else np.full_like(mean[-1], np.nan))
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
    the run, or as its calendar counts; solid: bool (y, x), obstacles, held particles or land; ensemble: None for a
    stored example of maps, which are then all in `made`. kept: what else was made of it, by name. baseline: the
    years of the climatology, if there is one.
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
    kept: dict[tuple[Hashable, ...], Any] = field(default_factory=dict)
    baseline: str = ""

    @property
    def times(self) -> np.ndarray:
        """The time of every frame, the initial condition's first."""
        return np.concatenate([[self.init_time], self.valid_times])

    def lacks(self, variable: Variable) -> list[str]:
        """The references that the maps of a variable need and that are not there yet."""
        there = self.ensemble.references if self.ensemble is not None else {}
        made = variable.name in self.made
        return [] if made else [name for name in variable.references if name not in there]

    def maps(self, variable: Variable) -> Maps:
        """The maps of a variable."""
        if variable.name not in self.made and self.ensemble is not None:
            self.made[variable.name] = self.ensemble.maps_of(variable)
        return self.made[variable.name]

    def member(self, variable: Variable, number: int) -> np.ndarray:
        """A variable of one member, counted from 0: float32 (frame, y, x), frame 0 the initial condition."""
        assert self.ensemble is not None
        return np.concatenate([self.maps(variable).truth[:1], self.ensemble.member(variable, number)])

    def once(self, *name: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made at the first call under this name."""
        if name not in self.kept:
            self.kept[name] = make()
        found: T = self.kept[name]
        return found

    def members_at(self, variable: Variable, place: Place) -> np.ndarray | None:
        """The variable at a place in every member, (member, lead); of a box its mean. None without members."""
        return None if self.ensemble is None else self.mean_over(self.ensemble.at(variable, place), place)

    def maps_at(self, fields: np.ndarray, place: Place) -> np.ndarray:
        """Maps (frame, y, x) at a place at every lead, (lead,); of a box its mean."""
        return self.mean_over(place.part(fields[1:]), place)

    def mean_over(self, fields: np.ndarray, place: Place) -> np.ndarray:
        """The mean of fields (…, y, x) of a place's cells: those that count, by their area, where they have a value."""
        weights = np.ones((1, 1)) if place.is_cell else place.part(self.areas * self.counted)
        known = np.isfinite(fields)
        total = np.where(known, weights, 0.0).sum(axis=(-2, -1))
        with np.errstate(invalid="ignore"):
            mean: np.ndarray = (np.where(known, fields, 0.0) * weights).sum(axis=(-2, -1)) / total
        return mean

    @property
    def counted(self) -> np.ndarray:
        """The cells that count in a mean, bool (y, x)."""
        return ~self.solid if self.ensemble is None else self.ensemble.scored

    @property
    def areas(self) -> np.ndarray:
        """What a cell of every row counts for, (y, 1)."""
        return np.cos(np.deg2rad(self.y))[:, None] if self.on_earth else np.ones((len(self.y), 1))

    @property
    def on_earth(self) -> bool:
        """Whether the axes are degrees."""
        return get_dataset(self.dataset).calendar is not None

    @property
    def nbytes(self) -> int:
        """Memory that members and maps take, roughly."""
        members = self.ensemble.members.values() if self.ensemble is not None else ()
        maps = [array for made in list(self.made.values()) for array in (made.mean, made.spread, made.truth)]
        return sum(array.nbytes for array in (*members, *maps))


def summarise(
    result: xr.Dataset,
    truth: xr.Dataset,
    static: xr.Dataset,
    dataset: Dataset,
    background: xr.Dataset | None = None,
) -> Summary:
    """A forecast for the page.

    result: the engine's forecast, (member, lead, y, x) per channel; truth: (lead, y, x), NaN where unknown;
    static: the static fields and the boolean `scored`, (y, x); background: the climatology of observed data,
    (lead, y, x), and `<variable>_init`.
    """
    names = [channel.name for channel in dataset.channels]
    rows, columns = result[names[0]].dims[-2:]
    x, y = result[columns].values.astype(np.float64), result[rows].values.astype(np.float64)
    leads = result["lead"].values.astype(np.float64)
    init_time, valid_times = _times(result, dataset)
    return Summary(
        dataset=dataset.name,
        request=str(result.attrs["request"]),
        members=result.sizes["member"],
        leads=leads,
        init_time=init_time,
        valid_times=valid_times,
        x=x,
        y=y,
        solid=static[solid_channel(dataset)].values > 0,
        ensemble=Ensemble(
            members={name: result[name].values for name in names},
            truth={name: truth[name].values for name in names},
            initial={name: result[f"{name}_init"].values for name in names},
            places=places(x, y),
            scored=static["scored"].values.astype(bool),
            references={} if background is None else {CLIMATOLOGY: _with_init(background, names[0])},
        ),
        baseline="" if background is None else str(background.attrs["baseline"]),
    )


def _times(result: xr.Dataset, dataset: Dataset) -> tuple[float, np.ndarray]:
    """Times of the initial condition and of every lead; dates become what the calendar counts."""
    init = result["init_time"].values
    if dataset.calendar is None:
        return float(init), result["valid_time"].values.astype(np.float64)
    start = dataset.calendar.time(np.datetime64(init.astype("datetime64[s]").item()))
    return start, start + result["lead"].values.astype(np.float64) * dataset.time_step


def _with_init(fields: xr.Dataset, channel: str) -> np.ndarray:
    return np.concatenate([fields[f"{channel}_init"].values[None], fields[channel].values])


def places(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """The place of every cell, `x` and `y` of (y, x)."""
    along, across = np.meshgrid(x, y)
    return {"x": along, "y": across}


def solid_channel(dataset: Dataset) -> str:
    """The static channel of the cells drawn grey: inside obstacles, land, or particles that are held."""
    return next(name for name in ("obstacle", "land", "fixed") if name in dataset.static_channels)


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


def _around(part: slice, size: int) -> slice:
    return slice(max(0, part.start - 1), min(size, part.stop + 1))
