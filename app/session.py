"""What outlives a rerun of the page: the backend shared by all, and this visitor's own state."""

import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.backend import Backend, Shown, arriving, complaint
from app.demo import SCENES, Scene, scene_number, with_scene
from app.link import FIELDS, request_from_query, request_to_query
from app.look import READERS, Look, first_look, look_from_query, look_to_query
from app.place import Place, coordinates_of, middle, place_at
from app.summary import Summary
from app.widgets import begin_anew, generation
from engine.datasets.base import OWN
from engine.errors import EngineError, RequestError
from engine.jobs import Job
from engine.requests import ResolvedRequest

MORE_MEMBERS = 1.5  # times as many as are shown: then they are
SECONDS_BETWEEN_PARTS = 2.0  # of a run under way: each redraws the page, and takes the browser memory and time
SHARED = {"demo", "dataset", *FIELDS, *READERS}  # names in the link that mean the same on all pages
SHARE_BETWEEN_PARTS = 0.2  # of the time since the start: the more members there are, the less a few of them change


@st.cache_resource(show_spinner=False)
def backend() -> Backend:
    """The one backend of this process."""
    return Backend()


@dataclass
class Visit:
    """One visitor: the request and the look of every data set seen, the job under way, and the forecasts shown last.

    problems: of the last run; complaints: about the link. begun: data sets whose first forecast started by itself.
    arrived: members and leads shown of the run under way, and when the page was last drawn for it; started: when it was
    asked for. link: what was last written into the link. greeted: whether the browser has drawn maps before. came:
    whether a run that went on before was looked for. scene: of the demo, from 1 on; 0 outside of it; scene_query: what
    the link would be without it. page: the name of the page that is shown, as in the link's path; settings: what its
    own widgets hold, as the link has it, by page and data set. frames: where the maps' time rests, by data set.
    beside: whether the run under way is of a second forecast, which does not take the place of the one that is shown.
    """

    dataset: str
    requests: dict[str, ResolvedRequest]
    problems: list[str]
    complaints: list[str] = field(default_factory=list)
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    run: str | None = None
    running: ResolvedRequest | None = None
    shown: dict[str, Shown] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    arrived: tuple[tuple[int, int], float] = ((0, 0), 0.0)
    started: float = 0.0
    link: dict[str, str] = field(default_factory=dict)
    greeted: bool = False
    came: bool = False
    scene: int = 0
    scene_query: dict[str, str] | None = None
    page: str = ""
    settings: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    beside: bool = False


def visit() -> Visit:
    """This visitor; at first, what the link says."""
    if "visit" not in st.session_state:
        _begin(st.session_state.get("page", ""))
    found: Visit = st.session_state["visit"]
    return found


def _begin(page: str) -> None:
    here = Visit("", {}, [], page=page)
    follow_link(here)
    st.session_state["visit"] = here


def follow_link(here: Visit) -> None:
    """Let a visitor turn to what the link says."""
    link = st.query_params.to_dict()
    here.link, here.scene, here.scene_query = link, scene_number(link), None
    query = with_scene(link)
    request, problems = request_from_query(query, backend().resolve, backend().first_request)
    look, more = look_from_query(query if query.get("dataset") == request.dataset else {}, request.dataset)
    here.dataset, here.problems, here.complaints = request.dataset, [], problems + more
    here.requests[request.dataset] = request
    here.looks[request.dataset] = look.keeping_limits(here.looks.get(request.dataset, look))
    here.settings[here.page, request.dataset] = {name: text for name, text in query.items() if name not in SHARED}
    st.session_state["dataset"] = request.dataset


def enter(page: str) -> None:
    """A page begins to be drawn; its name is that in the link's path, empty for the first."""
    st.session_state["page"] = page  # for a visit that begins later: pages about no forecast need none
    if "visit" in st.session_state:
        visit().page = page


def settings_of(dataset: str) -> dict[str, str]:
    """What the widgets of the page itself hold for a data set, as the link has it; to be changed in place."""
    here = visit()
    return here.settings.setdefault((here.page, dataset), {})


def turn_to_scene(number: int) -> None:
    """Turn to a scene of the demo, 0 to leave it. A callback: the script has not begun."""
    if number:
        st.query_params.from_dict({"demo": str(number)})
        begin_anew()
        follow_link(visit())
    else:
        visit().scene = 0


def leave_scene_of_another(dataset: str) -> None:
    """Leave the demo where a person turned to another data set than the scene's."""
    now = scene()
    if now is not None and now.query["dataset"] != dataset:
        visit().scene = 0


def turn() -> tuple[int, int]:
    """Which turn to another scene or entry of the history this is; what was drawn before it is out of date."""
    return generation(), visit().scene


def scene() -> Scene | None:
    """The scene of the demo that is shown."""
    number = visit().scene
    return SCENES[number - 1] if number else None


def follow_history() -> None:
    """Turn to what the link says where a person went back or on in the browser's history.

    No other run of the script trusts the link: it may be older than what the page was told since.
    """
    context = get_script_run_ctx()
    link = st.query_params.to_dict()
    # an empty link is the entry that Streamlit's navigation leaves before the page has written its own
    if context is not None and context.is_history_navigation and link and link != visit().link:
        begin_anew()
        follow_link(visit())


def request_of(dataset: str) -> ResolvedRequest:
    """The request last made for a data set, its defaults at first."""
    requests = visit().requests
    if dataset not in requests or not requests[dataset].model:  # its data or its model may have come since
        requests[dataset] = defaults(dataset)
    return requests[dataset]


def defaults(dataset: str, model: str | None = None) -> ResolvedRequest:
    """What is asked for by default, of the data set's first model or of another."""
    query = {"dataset": dataset} | ({"model": model} if model else {})
    return request_from_query(query, backend().resolve, backend().first_request)[0]


def starts_from_an_own_field(dataset: str) -> bool:
    """Whether the request of a data set starts from a person's own field: it needs no data of the data set."""
    request = visit().requests.get(dataset)
    return request is not None and str(request.init).startswith(OWN)


def turn_to(dataset: str) -> None:
    """Turn to a data set whose data are not there: there is nothing to keep but its name."""
    here = visit()
    here.dataset, here.problems, here.complaints = dataset, [], []
    _write_link({"dataset": dataset})


def keep(request: ResolvedRequest) -> None:
    """Remember a request; a new one makes old complaints pointless."""
    here = visit()
    if request != here.requests.get(request.dataset) or request.dataset != here.dataset:
        here.problems = []
        if request != here.requests.get(request.dataset):
            here.complaints = []
    here.dataset = request.dataset
    here.requests[request.dataset] = request


def look_of(dataset: str) -> Look:
    """How this visitor looks at a data set."""
    return visit().looks.get(dataset) or first_look(dataset)


def change_look(dataset: str, **news: Any) -> Look:
    """Look at a data set in another way."""
    visit().looks[dataset] = replace(look_of(dataset), **news)
    return visit().looks[dataset]


def write_link(dataset: str) -> None:
    """Write the request of a data set, and how it is looked at, into the link."""
    request = visit().requests[dataset]
    query = request_to_query(request, defaults(dataset), defaults(dataset, request.model))
    _write_link(query | look_to_query(look_of(dataset), dataset) | settings_of(dataset))


def _write_link(query: dict[str, str]) -> None:
    here = visit()
    if here.link.keys() == {"demo"} and here.scene_query is None:  # it has just begun
        here.scene_query = query
    if here.scene and query == here.scene_query:  # else it is no longer what the scene shows
        query = {"demo": str(here.scene)}
    here.link = query
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def shown(dataset: str, request: ResolvedRequest | None) -> Shown | None:
    """What arrives of the run under way, else the forecast of this very request if it is at hand or the example, else
    the last one shown, else the example.
    """
    here, example = visit(), backend().example(dataset)
    part = _part(dataset)
    if part is not None:
        return part
    found = backend().finished.get(request) if request else None
    if found is None and request is not None and example is not None and example.is_of(request):
        found = example
    if found is not None:
        here.shown[dataset] = found
    return here.shown.get(dataset) or example


def _part(dataset: str) -> Shown | None:
    """What has arrived of the run under way, where it is one of the data set."""
    here = visit()
    if here.running is None or here.running.dataset != dataset or here.beside:
        return None
    job = current_job()
    ensemble = None if job is None else arriving(job)
    if job is None or ensemble is None:
        return None
    shape = ensemble.block_shape
    try:
        part = backend().arrived(job, here.running)
    except EngineError:  # what has arrived cannot be shown; the run goes on, and its end is
        part = None
    here.arrived = shape, time.monotonic()
    return part


def greet() -> None:
    """The browser has drawn its first maps."""
    visit().greeted = True


def saw_maps() -> bool:
    """Whether the browser has drawn maps: what draws the charts is large, and loading it would keep them waiting."""
    return visit().greeted


# -- the run ---------------------------------------------------------------------------------------------


def has_more(job: Job, dataset: str) -> bool:
    """Whether more has arrived of this visitor's job than the page of a data set shows, a while ago at least."""
    here, ensemble = visit(), arriving(job)
    if ensemble is None or here.running is None or here.running.dataset != dataset or here.beside:
        return False
    shown, when = here.arrived
    now = time.monotonic()
    wait = max(SECONDS_BETWEEN_PARTS, SHARE_BETWEEN_PARTS * (now - here.started))
    return is_worth_showing(ensemble.block_shape, shown) and now - when >= wait


def is_worth_showing(arrived: tuple[int, int], shown: tuple[int, int]) -> bool:
    """Whether so many members and lead times are more than those shown: a few members more change little.

    To draw the page anew leaves some 15 MB behind in the browser, which it clears away when it finds the time.
    """
    (members, leads), (members_shown, leads_shown) = arrived, shown
    return leads > leads_shown or members >= MORE_MEMBERS * members_shown > 0


def start(request: ResolvedRequest, *, beside: bool = False) -> None:
    """Run a request, unless its forecast is at hand already.

    beside: it is of a second forecast, which does not take the place of the one that is shown.
    """
    here = visit()
    here.problems = []
    if backend().finished.get(request) is None:
        try:
            here.run, here.running, here.beside = backend().start(request, here.owner), request, beside
            here.arrived, here.started = ((0, 0), 0.0), time.monotonic()
        except EngineError as error:
            here.problems = [str(error)]


def rejoin(request: ResolvedRequest) -> None:
    """Follow the run of a request that goes on already, once: a person may have loaded the page anew."""
    here = visit()
    if not here.came and here.run is None and backend().is_under_way(request):
        start(request)
    here.came = True


def show_stored(request: ResolvedRequest, patience: float, *, beside: bool = False) -> None:
    """Take up a request of which all is stored, and wait a moment for it; does nothing where it is shown already."""
    here = visit()
    if here.problems or backend().finished.get(request) is not None:
        return
    start(request, beside=beside)
    deadline = time.monotonic() + patience
    while (job := current_job()) is not None and not job.finished and time.monotonic() < deadline:
        time.sleep(0.01)
    if job is not None and job.finished:
        collect(job)


def current_job() -> Job | None:
    """How this visitor's job stands; None where there is none."""
    here = visit()
    try:
        return backend().job(here.run) if here.run is not None else None
    except RequestError:  # long finished, or the server was started anew
        here.run = here.running = None
        return None


def cancel() -> None:
    """Take this visitor's request back; what has arrived of it stays on the page, and says so."""
    here = visit()
    run, running = here.run, here.running
    if run is None or running is None:
        return
    backend().cancel(run, here.owner)
    part = _part(running.dataset)
    if part is not None:
        here.shown[running.dataset] = replace(part, origin="cancelled")
    here.run = here.running = None


def collect(job: Job) -> None:
    """Take over what the finished job gave, or its complaint."""
    here = visit()
    found = backend().finished.get(here.running) if here.running is not None else None
    if found is not None and here.running is not None and not here.beside:
        here.shown[here.running.dataset] = found
    problem = complaint(job)
    here.problems = [problem] if problem else []
    here.run = here.running = None


# -- the place looked at -----------------------------------------------------------------------------------


def place_of(summary: Summary) -> Place:
    """The place whose fan chart is shown; a free cell near the middle where none was chosen, or it is not free."""
    look, counted = look_of(summary.dataset), summary.counted
    if not look.at:
        return middle(counted)
    found = place_at(look.at, summary.x, summary.y, turn=360.0 if summary.on_earth else None)
    if not found.part(counted).any():
        found = middle(counted)
    look_at_place(summary, found)  # the link names what is shown, not what was asked for beyond the map
    return found


def pin(dataset: str, member: int) -> None:
    """Pin a member of the ensemble: it is marked on all pages. The one that is pinned is let go."""
    change_look(dataset, member=None if look_of(dataset).member == member else member)


def pinned(summary: Summary) -> int | None:
    """The pinned member, counted from 0, where the forecast has it."""
    member = look_of(summary.dataset).member
    return member if member is not None and summary.ensemble is not None and member < summary.members else None


def rest_at(dataset: str, frame: int) -> None:
    """The time of the maps rests at a frame."""
    visit().frames[dataset] = frame


def frame_of(summary: Summary) -> int:
    """The frame at which the time of the maps rests: 0 is the initial condition; the last one at first."""
    last = len(summary.leads)
    return min(visit().frames.get(summary.dataset, last), last)


def look_at_place(summary: Summary, place: Place) -> None:
    """Show the fan chart of another place."""
    change_look(summary.dataset, at=coordinates_of(place, summary.x, summary.y))
