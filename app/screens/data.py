"""The data page: bring your own field, and download what does not come with the project."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import streamlit as st

from app import downloads, own, session
from app.notes import guarded
from app.place import span
from app.plain_text import plain
from app.plots.preview import Preview, preview_map
from app.screens import forecast
from app.summary import places, solid_channel
from app.widgets import tabs_in_link
from app.wording import degree_ticks, latitude_title, longitude_title, pretty_units
from engine.checkpoint import list_checkpoints
from engine.coastlines import coastlines
from engine.datasets import DATASETS, Dataset, get_dataset
from engine.datasets.base import axes_of
from engine.datasets.oisst_fetch import DEFAULT_YEARS, parse_years
from engine.datasets.regions import TASMAN, Box
from engine.errors import EngineError
from engine.own.fields import LEAST_SHARE, OwnField
from engine.own.store import keep_own
from engine.requests import ForecastRequest
from engine.variables import variables_of

T = TypeVar("T")

MOST_ANSWERS = 4  # of one file; fields may be large
UPLOAD, PATH = "Upload", "On this machine"
UNITS = {"": "as its values say", "degree_Celsius": "°C", "kelvin": "K", "degree_Fahrenheit": "°F"}
COMMANDS = (
    "python -m engine fetch navier-stokes-published\n"
    "python -m engine fetch spring-mesh-published\n"
    "python -m engine fetch sst-daily --box 45S,37S,147E,155E --years 1982-2014"
)


@guarded
def show() -> None:
    """The page."""
    st.markdown("# Data")
    bring, fetch = tabs_in_link("section", ("Bring your own field", "Downloads"))
    with bring:
        bring_your_own()
        list_kept()
    with fetch:
        fetch_data()


# -- bring your own ----------------------------------------------------------------------------------------


@dataclass
class Looked:
    """What was found out about one file, errors too, so that a rerun of the page does not open it again."""

    identity: str
    asked: dict[object, own.Asked | EngineError] = field(default_factory=dict)
    read: dict[object, OwnField | EngineError] = field(default_factory=dict)


def looked_at(source: own.Source) -> Looked:
    """What is known of a file; of the one before nothing is kept."""
    known = st.session_state.get("own/looked")
    if not isinstance(known, Looked) or known.identity != source.identity:
        known = st.session_state["own/looked"] = Looked(source.identity)
    return known


def answered(answers: dict[object, T | EngineError], question: object, answer: Callable[[], T]) -> T:
    """The answer to a question, worked out the first time that it is asked. Raises the error that is the answer."""
    if question not in answers:
        try:
            answers[question] = answer()
        except EngineError as error:
            answers[question] = error
        if len(answers) > MOST_ANSWERS:
            answers.pop(next(iter(answers)))
    found = answers[question]
    if isinstance(found, EngineError):
        raise found
    return found


def bring_your_own() -> None:
    """From a file to a forecast: which model, which file, what is unclear, what was done, how it looks."""
    st.markdown(
        "Start a forecast from a netCDF file of your own: an analysis, a model's output or another satellite product. "
        "It is put on the model's grid and into its units. Later times in the file serve as truth."
    )
    system, file = st.columns([2, 3], gap="large")
    with system:
        dataset = dataset_control()
        model = model_control(dataset)
    try:
        with file:
            source = source_control()
        if source is not None:
            examine(source, dataset, model)
        else:
            st.caption(needs(dataset))
    except EngineError as error:
        st.error(plain(str(error)))


def needs(dataset: Dataset) -> str:
    """What a file must have to start a forecast."""
    names = [f"{each.long_name} ({pretty_units(each.units) or 'no units'})" for each in dataset.channels]
    y, x = dataset.axes
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return (
        f"**What the file needs:** {listed}, on any grid that covers at least {LEAST_SHARE:.0%} of the cells within "
        f"{extent(dataset, y.values, x.values)}. Other units of the same kind are converted, names and order of axes "
        "are found out, and whatever stays unclear is asked here."
    )


def dataset_control() -> Dataset:
    """Pick the system that the field is one of."""
    name = st.selectbox(
        "Forecast it as",
        list(DATASETS),
        key="own/dataset",
        format_func=lambda each: DATASETS[each].title,
        help="The system that the field is a state of; its model forecasts it.",
    )
    return get_dataset(name)


def model_control(dataset: Dataset) -> str | None:
    """Pick the model, where there are several."""
    names = list_checkpoints(dataset.name)
    if len(names) < 2:
        return names[0] if names else None
    return st.selectbox("Model", names, key=f"own/{dataset.name}/model", help="The first is the usual one.")


def source_control() -> own.Source | None:
    """Send a file or, where page and person share a machine, name it."""
    kind = UPLOAD
    if is_at_home():
        kind = st.segmented_control(
            "File", [UPLOAD, PATH], default=UPLOAD, key="own/kind", required=True, label_visibility="collapsed"
        )
    if kind == PATH:
        text = st.text_input("Path of a netCDF file", key="own/path", placeholder="/data/sst.nc")
        return own.on_this_machine(text) if text.strip() else None
    largest = st.get_option("server.maxUploadSize")
    sent = st.file_uploader(
        f"A netCDF file of at most {largest:,} MB",
        key="own/upload",
        help="netCDF 3 or 4, best with CF attributes. It is deleted as soon as it is read.",
    )
    return None if sent is None else own.uploaded(sent.file_id, sent.name, sent.getbuffer())


def is_at_home() -> bool:
    """Whether the visitor sits at the machine that serves the page, and nothing passes visits of others on to it."""
    headers = st.context.headers
    return st.context.ip_address is None and not any(name in headers for name in ("X-Forwarded-For", "Forwarded"))


def examine(source: own.Source, dataset: Dataset, model: str | None) -> None:
    """Ask what is unclear, then say what was done, warn, show the field and offer its forecast."""
    key = f"own/{source.identity}/{dataset.name}"
    named, asked = questions_control(source, dataset, key)
    if asked.names:
        return
    time = None if asked.times else time_control(dataset, key)
    if time is None and not asked.times:
        return
    left, right = st.columns([3, 2], gap="large")
    with right:
        found = start_control(source, dataset, named, time, asked.times, key)
        if found is None:
            return
        describe(dataset, found)
        offer_forecast(dataset, found, model)
    with left:
        for warning in found.warnings:
            st.warning(plain(warning), icon=":material/warning:")
        draw(dataset, found)


def offer_forecast(dataset: Dataset, found: OwnField, model: str | None) -> None:
    """The button that keeps the field and turns to its forecast."""
    pressed = st.button(
        "Forecast from here",
        key="own/forecast",
        type="primary",
        icon=":material/air:",
        help="Keeps the field under a name that stands for its content, and goes to the forecast page.",
    )
    if pressed:
        try:
            keep_own(found, dataset)
            go_to(dataset, f"{found.run.name}:{found.frame}", model)
        except EngineError as error:
            st.error(plain(str(error)))


def questions_control(source: own.Source, dataset: Dataset, key: str) -> tuple[dict[str, str], own.Asked]:
    """Ask for variables, axes and units where they are unclear; returns what was named, and what is still asked."""
    named: dict[str, str] = {}
    asked = ask(source, dataset, named)
    while asked.names:  # what is asked next may depend on an answer
        for what, options in asked.names.items():
            picked = st.selectbox(
                f"Which variable of the file is the {title_of(dataset, what)}?",
                options,
                index=None,
                key=f"{key}/{what}",
                placeholder="Choose one",
            )
            if picked is not None:
                named[what] = picked
        if not named.keys() >= asked.names.keys():
            return named, asked
        asked = ask(source, dataset, named)
    for channel, variable in asked.without_units.items():
        units = st.selectbox(
            f"The file does not say the units of {variable!r}",
            UNITS if channel == "sst" else ("", units_of(dataset, channel)),
            key=f"{key}/{channel}/units",
            format_func=lambda each: UNITS.get(each, each),
        )
        if units:
            named[channel] = f"{variable}[{units}]"
    return named, asked


def ask(source: own.Source, dataset: Dataset, named: Mapping[str, str]) -> own.Asked:
    """What is unclear in the file."""
    question = (dataset.name, *sorted(named.items()))
    with st.spinner("Looking into the file …"):
        return answered(looked_at(source).asked, question, partial(own.ask, source, dataset, dict(named)))


def read(source: own.Source, dataset: Dataset, named: Mapping[str, str], time: str | None) -> OwnField:
    """The file as a run."""
    question = (dataset.name, time, *sorted(named.items()))
    with st.spinner("Reading the file …", show_time=True):
        return answered(looked_at(source).read, question, partial(own.read, source, dataset, dict(named), time))


def time_control(dataset: Dataset, key: str) -> str | None:
    """When the field of a file without times is; None before that is said."""
    if dataset.calendar is None:
        return "0"  # a simulated system knows no dates, and nothing depends on its time
    form = "2016-01" if dataset.calendar.unit == "M" else "2016-01-30"
    text = st.text_input("The file does not say when its field is: its date", key=f"{key}/time", placeholder=form)
    return text.strip() or None


def start_control(
    source: own.Source, dataset: Dataset, named: Mapping[str, str], time: str | None, times: int, key: str
) -> OwnField | None:
    """Pick the time to start from, where there are several; None where the usual one will not do and none is named."""
    try:
        found = read(source, dataset, named, time)
    except EngineError as error:
        if times < 2:
            raise
        st.error(plain(str(error)))
        text = st.text_input("Start from another time of the file", key=f"{key}/other", placeholder="2016-01")
        return read(source, dataset, named, text.strip()) if text.strip() else None
    if found.run.frames < 2:
        return found
    frame = st.selectbox(
        "Start from",
        range(found.run.frames),
        index=found.frame,
        key=f"{key}/start",
        format_func=lambda index: own.when(dataset, float(found.run.times[index])),
        help="One of the times in the file; those after it serve as truth.",
    )
    if frame == found.frame:
        return found
    return read(source, dataset, named, own.written(dataset, float(found.run.times[frame])))


def title_of(dataset: Dataset, what: str) -> str:
    """A channel or an axis in words."""
    channels = {channel.name: channel.long_name for channel in dataset.channels}
    return channels.get(what) or {axis.name: axis.long_name for axis in dataset.axes}[what]


def units_of(dataset: Dataset, channel: str) -> str:
    """The units of a channel."""
    return next(each.units for each in dataset.channels if each.name == channel)


def describe(dataset: Dataset, found: OwnField) -> None:
    """When the field is, its grid, and what was done to it."""
    run, frame = found.run, found.frame
    y, x = axes_of(dataset, run)
    st.markdown(f"**{own.when(dataset, float(run.times[frame]))}** · {own.covered(dataset, run, frame)}")
    st.caption(f"{len(y.values)} × {len(x.values)} cells, {extent(dataset, y.values, x.values)}")
    done = found.notes[1:]  # the first says what the line above does
    st.markdown("\n".join(f"- {plain(note)}" for note in done) or "Nothing had to be changed.")


def extent(dataset: Dataset, y: np.ndarray, x: np.ndarray) -> str:
    """The first and the last row and column in words."""
    if dataset.calendar is None:
        units = pretty_units(dataset.axes[1].units)
        return f"x {x[0]:g} to {x[-1]:g}, y {y[0]:g} to {y[-1]:g} {units}".strip()
    south, north = (latitude_title(float(each)) for each in (y[0], y[-1]))
    west, east = (longitude_title(float(each)) for each in (x[0], x[-1]))
    return f"{south} to {north}, {west} to {east}"


def draw(dataset: Dataset, found: OwnField) -> None:
    """The field on a map."""
    run, frame = found.run, found.frame
    rows, columns = axes_of(dataset, run)
    y, x = rows.values, columns.values
    variable = next(each for each in variables_of(dataset.name) if not each.references)
    values = variable.of({**own.values_of(run, frame, dataset), **places(x, y)})
    on_earth = dataset.calendar is not None
    narrowing = float(np.cos(np.deg2rad(y.mean()))) if on_earth else 1.0
    preview = Preview(
        field=values,
        x=x,
        y=y,
        hidden=run.static[dataset.static_channels.index(solid_channel(dataset))] > 0,
        units=pretty_units(variable.units),
        diverging=variable.scale == "balance",
        coastlines=coastlines(span(x), span(y)) if on_earth else (),
        stretch=1 / narrowing,
        x_ticks=[(tick, longitude_title(tick)) for tick in degree_ticks(*span(x))] if on_earth else (),
        y_ticks=[(tick, latitude_title(tick)) for tick in degree_ticks(*span(y))] if on_earth else (),
    )
    st.markdown(f"**{variable.title}**")
    st.plotly_chart(preview_map(preview), key="own/preview", config={"displayModeBar": False})


def go_to(dataset: Dataset, init: str, model: str | None) -> None:
    """Ask for the forecast from an own field, and turn to its page. Raises EngineError where it cannot be made."""
    session.keep(session.backend().resolve(ForecastRequest(dataset.name, model=model, init=init)))
    st.switch_page(st.Page(forecast.show, title="Forecast", default=True))


# -- what is kept ------------------------------------------------------------------------------------------


def list_kept() -> None:
    """Own fields that are kept, each with its buttons."""
    kept = own.kept_fields()
    if not kept:
        return
    st.divider()
    st.markdown("**Kept fields**", help="They lie in the data folder of this machine, for everyone who uses this page.")
    for each in kept:
        show_kept(each)


def show_kept(kept: own.Kept) -> None:
    """One kept field: where it came from, when it is, for what, and its buttons."""
    dataset = get_dataset(kept.dataset)
    words, start, delete = st.columns([6, 1.2, 1], vertical_alignment="center")
    words.markdown(
        f"{plain(kept.source)} · from {kept.start}  \n:small[{dataset.title.partition(':')[0]} · kept "
        f"{kept.added:%Y-%m-%d %H:%M} · {kept.name}]"
    )
    try:
        if start.button("Forecast", key=f"own/{kept.dataset}/{kept.name}/forecast", width="stretch"):
            go_to(dataset, kept.init, None)
        if delete.button("Delete", key=f"own/{kept.dataset}/{kept.name}/delete", width="stretch"):
            own.forget(kept)
            turn_away(kept)
            st.rerun()
    except EngineError as error:
        st.error(plain(str(error)))


def turn_away(kept: own.Kept) -> None:
    """Ask for no forecast any more from a field that is gone."""
    here = session.visit()
    asked = here.requests.get(kept.dataset)
    if asked is not None and str(asked.init).startswith(f"{kept.name}:"):
        del here.requests[kept.dataset]
        here.shown.pop(kept.dataset, None)


# -- downloads ---------------------------------------------------------------------------------------------


def fetch_data() -> None:
    """What can be downloaded, and how far that is."""
    downloads.follow()
    st.markdown("#### Daily sea surface temperature, the Tasman Sea")
    st.markdown(downloads.DESCRIPTIONS[downloads.DAILY])
    server = downloads.server_control()
    downloads.order("The Tasman Sea", TASMAN, DEFAULT_YEARS, key="tasman", server=server)
    with st.expander("Other regions and years"):
        other_region(server)
    with st.expander("The boxes of the paper, from Zenodo"):
        st.markdown(
            "Eleven boxes of the eastern tropical Pacific, 60 × 60 cells of daily OISST, standardised cell by cell "
            "(Rühling Cachay et al. 2023, [doi:10.5281/zenodo.7259555](https://doi.org/10.5281/zenodo.7259555)). They "
            "are for training and scoring on the paper's own data; the page does not show them."
        )
        downloads.order_boxes(key="boxes")
    with st.expander("On the command line"):
        st.markdown(
            "The simulated systems of nn-benchmark (Otness et al. 2021), as published, are large and are fetched here:"
        )
        st.code(COMMANDS, language="bash")


def other_region(server: str) -> None:
    """Pick a box and years."""
    st.caption(
        "The climatology of a region comes from its own record and needs the years 1982 to 2010. The model was trained "
        "on the Tasman Sea and is untested elsewhere."
    )
    edges = [
        column.number_input(name, least, most, value, 0.25, key=f"box/{name}", format="%.2f")
        for column, (name, least, most, value) in zip(st.columns(4), EDGES, strict=True)
    ]
    text = st.text_input("Years", "1982-2014", key="box/years", help="Such as 1982-2014, or 2013,2014.")
    try:
        box, years = Box(*edges), parse_years(text)
        downloads.order(f"{extent_of(box)}", box, years, key="box", server=server)
    except EngineError as error:
        st.error(plain(str(error)))


def extent_of(box: Box) -> str:
    """A box in words."""
    south, north = latitude_title(box.south), latitude_title(box.north)
    return f"{south} to {north}, {longitude_title(box.west)} to {longitude_title(box.east)}"


EDGES = (
    ("South", -90.0, 90.0, 30.0),
    ("North", -90.0, 90.0, 38.0),
    ("West", -180.0, 360.0, -128.0),
    ("East", -180.0, 360.0, -120.0),
)
