"""A person's netCDF file as a run of a data set: initial condition of a forecast, and truth where it covers the leads.

Frames stand on the data set's steps and grid, in its units. What the file does not have is not made up: a step without
a field is no frame of the run, a cell without a value is NaN, and truth is unknown in both. Only the initial condition
is made whole, with the climatology, because a forecast starts from every cell.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from engine.checkpoint import list_checkpoints, load_checkpoint
from engine.datasets.base import Dataset, Run, axes_of
from engine.errors import DataError, RequestError
from engine.own.files import OwnFile, open_isolated
from engine.own.matching import Candidates, Field, candidates, match
from engine.own.ranges import TrainingRange, range_warnings, training_range
from engine.own.regridding import Rectangular
from engine.own.source import Source, grid_of, prepare, read_fields
from engine.own.times import LONGEST_AXIS, Steps, label, moment, on_steps_from, single_step, steps_of

MOST_VALUES = 200_000_000
"""Values that are read of a file at most; of a longer one the frames from the initial condition on come first."""

LEAST_SHARE = 0.5
"""The part of the cells that a file must cover."""

Opener = Callable[[Path], AbstractContextManager[OwnFile]]


@dataclass(frozen=True, eq=False)
class OwnField:
    """A file as a run.

    frame: that of the initial condition; notes: what was done; warnings: in what it is unlike the training data.
    """

    run: Run
    frame: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def questions(
    path: Path, dataset: Dataset, *, variables: Mapping[str, str] | None = None, opener: Opener = open_isolated
) -> Candidates:
    """What a person has to say before the file can be read. Raises DataError where it is no netCDF file."""
    with opener(path) as file:
        return candidates(file, dataset, variables or {})


def read_own(
    path: Path,
    dataset: Dataset,
    *,
    variables: Mapping[str, str] | None = None,
    time: str | int | None = None,
    regrid: bool = True,
    reference: Run | None = None,
    training: TrainingRange | None = None,
    opener: Opener = open_isolated,
) -> OwnField:
    """Read a netCDF file as a run of `dataset`.

    variables: channel, or lat, lon, y, x, time -> name in the file, with units as "NAME[units]" where it has none;
    time: that of the initial condition, a date or a number of the data set's time units, or an index of the run's
    frames; else the first of a simulated run and the last of a record. reference: the run that stands for the grid,
    land and climatology, else the data set's first; training: what the states are compared with.

    Raises: RequestError where something must be named or does not fit, DataError where the file cannot be read.
    """
    if reference is None:
        reference = first_run(dataset)
    with opener(path) as file:
        fields = match(file, dataset, variables or {})
        steps, start = _steps(file, fields, dataset, time)
        run, frame, notes = _read(file, fields, dataset, reference, steps, start, regrid)
    notes = (*_start_note(run, frame, dataset, time, path.name), *notes)
    run, filled = _made_whole(run, frame, dataset, reference, path.name)
    run = _named(replace(run, attributes=_attributes(path, frame, notes)))
    compared = training or training_range(dataset, reference, float(run.times[frame]))
    unlike = range_warnings(run, frame, dataset, compared) if compared is not None else ()
    return OwnField(run, frame, notes, (*filled, *unlike))


# -- when --------------------------------------------------------------------------------------------------


def _steps(file: OwnFile, fields: tuple[Field, ...], dataset: Dataset, time: str | int | None) -> tuple[Steps, int]:
    """The steps that the file has, and which of them is the initial condition."""
    steps = _steps_of_file(file, fields, dataset, time)
    start = _start(steps, dataset, time, file.name)
    chosen = on_steps_from(steps, start, dataset)
    return chosen, int(np.searchsorted(chosen.times, steps.times[start]))


def _steps_of_file(file: OwnFile, fields: tuple[Field, ...], dataset: Dataset, time: str | int | None) -> Steps:
    axis, time_dim = fields[0].time, fields[0].time_dim
    count = file.header.dims[time_dim] if time_dim else 1
    if len({(field.time_dim, field.time and field.time.name) for field in fields}) > 1:
        raise DataError(f"The channels in {file.name} have different times; write them along one time axis.")
    if axis is None:
        if count == 1 and isinstance(time, str):
            return single_step(time, dataset)
        if count == 1:
            raise RequestError(f"{file.name} does not say when its field is: give its time with --init-time.")
        raise DataError(
            f"{file.name} has {count} times along {time_dim!r} and none is named; write them into the file."
        )
    if count > LONGEST_AXIS:
        raise DataError(f"{file.name} has {count:,} times, more than {LONGEST_AXIS:,}; cut it to those of interest.")
    bounds = file.header.variables.get(axis.text("bounds"))
    if bounds is not None and bounds.is_numeric and bounds.shape == (*axis.shape, 2) and dataset.calendar is not None:
        values = file.read(bounds.name, [(0, size) for size in bounds.shape], "f8").mean(axis=-1)
    else:
        values = file.read(axis.name, [(0, size) for size in axis.shape], "f8")
    return steps_of(np.atleast_1d(values), axis, dataset, file.name)


def _start(steps: Steps, dataset: Dataset, time: str | int | None, name: str) -> int:
    count = len(steps.times)
    if time is None:
        return 0 if dataset.calendar is None else count - 1
    if isinstance(time, int):
        if not 0 <= time < count:
            raise RequestError(f"{name} has no frame {time}: give one from 0 to {count - 1}.")
        return time
    near = np.abs(steps.times - moment(time, dataset))
    if near.min() > 1e-3 * dataset.time_step:
        first, last = (label(float(each), dataset) for each in steps.times[[0, -1]])
        raise RequestError(f"{name} has no field at {time}: it has {count} from {first} to {last}.")
    return int(near.argmin())


def _start_note(run: Run, frame: int, dataset: Dataset, time: str | int | None, name: str) -> tuple[str, ...]:
    when = label(float(run.times[frame]), dataset)
    covered = run.frames - 1 - frame
    truth = f"later fields that serve as truth: {covered or 'none'}"
    asked = "" if time is not None or run.frames == 1 else ", which --init-time changes"
    return (f"the forecast starts from {when} of {name}{asked}; {truth}",)


# -- reading -----------------------------------------------------------------------------------------------


def _read(
    file: OwnFile,
    fields: tuple[Field, ...],
    dataset: Dataset,
    reference: Run | None,
    steps: Steps,
    start: int,
    regrid: bool,
) -> tuple[Run, int, tuple[str, ...]]:
    """The states of the run as the file has them; the frame of the initial condition; what was done."""
    axes = dataset.axes if reference is None else axes_of(dataset, reference)
    sources = [prepare(file, field, axes, dataset, steps.sources[start][0]) for field in fields]
    if not regrid and any(source.regridder.kind != "same" for source in sources):
        raise RequestError(
            f"{file.name} has another grid than {dataset.name} and regridding is turned off: turn it on."
        )
    frames = _within_limit(sources, steps, start)
    groups = steps.sources[frames.start : frames.stop]
    states = np.stack([source.at(groups) for source in sources], axis=1)
    run = Run(
        name="",
        states=states,
        static=_static(file, fields[0], dataset, reference, states[frames.index(start)]),
        times=steps.times[list(frames)],
        axes=None if reference is None else reference.axes,
        background=None if reference is None else reference.background,
    )
    cut = (f"only {len(frames)} of {len(steps.times)} times were read",) if len(frames) < len(steps.times) else ()
    notes = (*steps.notes, *cut, *dict.fromkeys(note for source in sources for note in _notes(source)))
    return run, frames.index(start), notes


def _within_limit(sources: list[Source], steps: Steps, start: int) -> range:
    """The frames that may be read: those from the initial condition on, then those before it."""
    cells = sum(source.cells for source in sources)
    costs = [cells * len(each) for each in steps.sources]
    first, after, spent = start, start + 1, costs[start]
    while after < len(costs) and spent + costs[after] <= MOST_VALUES:
        spent += costs[after]
        after += 1
    while first > 0 and spent + costs[first - 1] <= MOST_VALUES:
        spent += costs[first - 1]
        first -= 1
    return range(first, after)


def _notes(source: Source) -> tuple[str, ...]:
    field, name = source.field, source.field.variable.name
    notes = [*field.notes]
    if name != field.channel.name:
        notes.append(f"{field.channel.name} is {name!r} in the file")
    if not field.units and field.channel.units != "1":
        notes.append(f"{name!r} has no units; its range says {source.units.units}")
    if source.units.is_needed:
        notes.append(f"{name!r} was converted from {source.units.units} to {field.channel.units}")
    return (*notes, *_grid_notes(source))


def _grid_notes(source: Source) -> tuple[str, ...]:
    grid = source.regridder
    if grid.kind == "same":
        return ()
    if not isinstance(grid, Rectangular):
        how = {"mean": "means of the points in each cell", "nearest": "four nearest points by inverse distance"}
        return (f"regridded from a curvilinear grid: {how[grid.kind]}",)
    how = {"mean": "means by area", "linear": "linear interpolation"}
    return (f"regridded from {grid.y.spacing:.4g} × {grid.x.spacing:.4g} by {how[grid.kind]}",)


# -- land, walls and gaps ----------------------------------------------------------------------------------


def _static(file: OwnFile, field: Field, dataset: Dataset, reference: Run | None, initial: np.ndarray) -> np.ndarray:
    """The static fields: those of the file, else what cells without values say, else those of the reference."""
    unknown = np.isnan(initial).any(axis=0)
    stored = [file.header.variables.get(name) for name in dataset.static_channels]
    if dataset.calendar is not None:
        return unknown.astype(np.float32)[None] if reference is None else reference.static
    if all(each is not None and each.is_numeric and set(each.dims) == {field.y, field.x} for each in stored):
        axes = dataset.axes if reference is None else axes_of(dataset, reference)
        grid = grid_of(file, field, axes, dataset)
        masks = []
        for each in stored:
            assert each is not None
            mask = replace(field, variable=each, time_dim=None, fixed={})
            masks.append(grid(read_fields(file, mask, grid.pieces)[0]) >= 0.5)
        return np.stack(masks).astype(np.float32)
    if reference is None:
        raise DataError(f"{file.name} lacks the fields {', '.join(dataset.static_channels)}; write them into the file.")
    walls: np.ndarray = np.min([dataset.load(name).static[0] for name in dataset.runs()], axis=0) > 0
    if "obstacle" in dataset.static_channels:
        return np.stack([walls | unknown, unknown]).astype(np.float32)
    return walls[None].astype(np.float32)


def _made_whole(
    run: Run, frame: int, dataset: Dataset, reference: Run | None, name: str
) -> tuple[Run, tuple[str, ...]]:
    """Land without values, and the initial condition with one in every other cell."""
    states = run.states.copy()
    free = dataset.scored(run)
    if dataset.calendar is None:
        states[:, :, ~free] = np.nan_to_num(states[:, :, ~free])
    else:
        states[:, :, ~free] = np.nan
    missing = np.isnan(states[frame]) & free
    share = float(np.mean(missing[:, free])) if free.any() else 1.0
    covered = float(np.mean(free)) if reference is None else 1 - share
    if covered < LEAST_SHARE:
        when = label(float(run.times[frame]), dataset)
        raise DataError(
            f"{name} covers {covered:.0%} of the cells of {dataset.name} at {when}, and at least {LEAST_SHARE:.0%} are "
            "needed; name another file or time."
        )
    if not missing.any():
        return replace(run, states=states), ()
    if dataset.calendar is None or reference is None or reference.background is None:
        raise DataError(
            f"{name} lacks {share:.1%} of the values of {dataset.name} and there is no climatology to take them from; "
            "fill them first."
        )
    normal = dataset.background(reference).at(dataset.season(float(run.times[frame])))
    states[frame] = np.where(missing, normal, states[frame])
    note = f"{share:.1%} of the cells have no value in the file and were filled with the climatology"
    return replace(run, states=states), (note,)


def first_run(dataset: Dataset) -> Run | None:
    """A run on the data set's own grid, where one is on this machine; else the climatology that a model brings."""
    runs = (dataset.load(name) for name in dataset.runs())
    return next((run for run in runs if run.axes is None), None) or _climatology_of_a_model(dataset)


def _climatology_of_a_model(dataset: Dataset) -> Run | None:
    if dataset.calendar is None:
        return None
    for name in list_checkpoints(dataset.name):
        background = load_checkpoint(name).background
        if background is not None:
            land = (background.coefficients == 0).all(axis=(0, 1))  # as `fit_background` leaves it
            states = np.where(land, np.nan, background.at(0.0))[None]
            return Run(name, states, land[None].astype(np.float32), np.zeros(1), background=background)
    return None


# -- name --------------------------------------------------------------------------------------------------


def _attributes(path: Path, frame: int, notes: tuple[str, ...]) -> Mapping[str, str]:
    return MappingProxyType({"source": path.name, "initial_frame": str(frame), "comment": "; ".join(notes)})


def _named(run: Run) -> Run:
    """The run under a name that stands for its content."""
    return replace(run, name=name_of(run))


def name_of(run: Run) -> str:
    """own- and twelve digits of the sha256 of states, static fields, times and axes."""
    content = hashlib.sha256()
    axes = () if run.axes is None else tuple(axis.values for axis in run.axes)
    for array in (run.states, run.static, run.times, *axes):
        content.update(repr(array.shape).encode())
        content.update(np.ascontiguousarray(array).tobytes())
    return f"own-{content.hexdigest()[:12]}"
