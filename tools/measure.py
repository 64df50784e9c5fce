"""Measures how quick and how small the page is, in a real headless Chromium: `make measure`.

    python -m tools.measure [--only warm --only rerun] [--json FILE]

Every figure is a function that yields rows; FIGURES lists them with what they say. Folders are own and empty, so
nothing is found in a store that was not put there by the visit before. What the operating system holds of the disk is
warm after the first server, and Chromium draws without a GPU.
"""

import argparse
import base64
import json
import math
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

from playwright.sync_api import Browser, BrowserType, Locator, Page, sync_playwright
from playwright.sync_api import Error as BrowserError
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tools.page_server import ARGUMENTS, NoAnswer, find_chromium, served

DATASETS = ("navier-stokes", "spring-mesh", "sst-monthly")
WIDTH, HEIGHT = 1440, 900
WARM_VISITS, COLD_VISITS, SWITCHES, STRETCHES, MOVES = 5, 2, 10, 3, 50
STRETCH = 5.0  # s, over which drawn frames are counted
QUIET = 3.0  # s without a word on the websocket: the page has settled
SAMPLE = 0.5  # s between two looks at the memory
PATIENCE = 60.0  # s until something that should happen counts as missing
RUN_PATIENCE = 600.0  # s, the same of a run
MEGABYTE = 1e6
Sample = tuple[float, float]  # private and proportional memory, MB


class Unmeasured(Exception):
    """Why a figure could not be measured, in one sentence."""


@dataclass(frozen=True)
class Wanted:
    """A bound, and which of the repetitions it is about."""

    sense: Literal["≤", "≥"]
    bound: float
    of: Literal["median", "worst"] = "worst"


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure's repetitions in `unit`, none where `note` says why it could not be measured."""

    title: str
    values: tuple[float, ...]
    unit: str
    wanted: Wanted | None = None
    note: str = ""


@dataclass(frozen=True)
class Frame:
    """One message on the websocket; second on the browser's clock, `ends` where it says that a run is through."""

    second: float
    sent: bool
    ends: bool = False


# -- the stage: browser, servers, visits -------------------------------------------------------------------


class Stage:
    """What the figures are measured on: a browser, a warm server, and the requests that went elsewhere."""

    def __init__(self, chromium: BrowserType, program: str, folder: Path, stack: ExitStack) -> None:
        self.chromium, self.program, self.folder, self.stack = chromium, program, folder, stack
        self.strangers: list[str] = []

    @cached_property
    def browser(self) -> Browser:
        return self.stack.enter_context(self.own_browser())

    @cached_property
    def warm(self) -> str:
        """The address of a server that has shown every data set once."""
        address = self.stack.enter_context(self.cold())
        for dataset in DATASETS:
            with self.visit(address, dataset) as (page, wire):
                wire.settle(page)
        return address

    def own_browser(self, *more: str) -> Browser:
        return self.chromium.launch(executable_path=self.program, args=[*ARGUMENTS, *more])

    @contextmanager
    def cold(self) -> Iterator[str]:
        """The address of a server that nobody has visited."""
        with served(Path(tempfile.mkdtemp(dir=self.folder))) as address:
            yield address

    @contextmanager
    def visit(self, address: str, dataset: str) -> Iterator[tuple[Page, "Wire"]]:
        """A fresh visit that shows the player of a data set."""
        with self.browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}) as context:
            page = context.new_page()
            page.set_default_timeout(1000 * PATIENCE)
            page.on("request", lambda request: self._count(request.url))
            page.on("websocket", lambda socket: self._count(socket.url))
            wire = Wire(page)
            page.goto(f"{address}/?dataset={dataset}")
            player(page).wait_for()
            yield page, wire

    def _count(self, url: str) -> None:
        if is_elsewhere(url):
            self.strangers.append(url)


class Wire:
    """The messages on a page's websocket, with the times that the browser saw them."""

    def __init__(self, page: Page) -> None:
        self.frames: list[Frame] = []
        self._heard = time.monotonic()
        session = page.context.new_cdp_session(page)
        session.on("Network.webSocketFrameSent", lambda event: self._add(event, sent=True))
        session.on("Network.webSocketFrameReceived", lambda event: self._add(event, sent=False))
        session.send("Network.enable")

    def _add(self, event: dict[str, Any], *, sent: bool) -> None:
        self._heard = time.monotonic()
        ends = not sent and ends_a_run(base64.b64decode(event["response"]["payloadData"]))
        self.frames.append(Frame(event["timestamp"], sent, ends))

    def settle(self, page: Page, quiet: float = QUIET) -> None:
        """Wait until nothing has been said for a while."""
        deadline = time.monotonic() + 2 * PATIENCE
        while time.monotonic() - self._heard < quiet:
            if time.monotonic() > deadline:
                raise Unmeasured(f"the page was not quiet for {quiet:g} s within {2 * PATIENCE:g} s")
            page.wait_for_timeout(100)


class Tab:
    """A tab that Playwright does not follow: to hear of every request slows the loading of a page by a quarter."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._answers: dict[int, dict[str, Any]] = {}
        self._asked = 0
        self._browser = browser.new_browser_cdp_session()
        self._browser.on("Target.receivedMessageFromTarget", self._hear)
        self._context = self._browser.send("Target.createBrowserContext")["browserContextId"]
        empty = {"url": "about:blank", "browserContextId": self._context}
        target = self._browser.send("Target.createTarget", empty)["targetId"]
        self._session = self._browser.send("Target.attachToTarget", {"targetId": target, "flatten": False})["sessionId"]
        self.send("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        self.send("Page.navigate", url=url)

    def _hear(self, event: dict[str, Any]) -> None:
        answer = json.loads(event["message"])
        self._answers[answer.get("id", 0)] = answer

    def send(self, method: str, **options: Any) -> dict[str, Any]:
        """The answer to a command of Chrome's DevTools protocol; empty where it failed, as during a navigation."""
        self._asked += 1
        message = json.dumps({"id": self._asked, "method": method, "params": options})
        self._browser.send("Target.sendMessageToTarget", {"sessionId": self._session, "message": message})
        deadline = time.monotonic() + PATIENCE
        while self._asked not in self._answers:
            if time.monotonic() > deadline:
                raise Unmeasured(f"the page did not answer for {PATIENCE:g} s")
            self._browser.send("Browser.getVersion")  # lets the answer come in
            time.sleep(0.05)
        return dict(self._answers.pop(self._asked).get("result", {}))

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, which JSON can say; None where it cannot be had."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer.get("result", {}).get("value")

    def wait_for(self, expression: str, missing: str) -> Any:
        """The value of an expression once it is true; `missing` says what it means that it never is."""
        deadline = time.monotonic() + PATIENCE
        while not (value := self.evaluate(expression)):
            if time.monotonic() > deadline:
                raise Unmeasured(f"{missing} within {PATIENCE:g} s")
            time.sleep(0.5)
        return value

    def close(self) -> None:
        self._browser.send("Target.disposeBrowserContext", {"browserContextId": self._context})
        self._browser.detach()


def player(page: Page) -> Locator:
    return page.locator(".player")


def is_elsewhere(url: str) -> bool:
    """Whether a request leaves this machine."""
    parts = urlparse(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1"


def ends_a_run(message: bytes) -> bool:
    """Whether the server says that a script or a fragment ran to its end; one broken off for another did not."""
    said = ForwardMsg.FromString(message)
    ends = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
    return said.WhichOneof("type") == "script_finished" and said.script_finished in ends


# -- the figures -------------------------------------------------------------------------------------------


def warm_visits(stage: Stage) -> Iterator[Row]:
    """Navigation to the second drawn frame, in a new browser context on a server that others have visited."""
    for dataset in DATASETS:
        seconds = tuple(second_frame(stage.browser, stage.warm, dataset) for _ in range(WARM_VISITS))
        yield Row(f"warm visit, {dataset}", seconds, "s", Wanted("≤", 2))


def cold_visits(stage: Stage) -> Iterator[Row]:
    """The same as the first visit ever of a server just started, with empty folders."""
    for dataset in DATASETS:
        seconds = []
        for _ in range(COLD_VISITS):
            with stage.cold() as address:
                seconds.append(second_frame(stage.browser, address, dataset))
        yield Row(f"first visit, {dataset}", tuple(seconds), "s", Wanted("≤", 6))


def second_frame(browser: Browser, address: str, dataset: str) -> float:
    """Seconds from the start of the navigation until the player drew its second frame, by the browser's clock."""
    mark = "performance.getEntriesByName('coldcast:frame-2')[0]?.startTime"
    with closing(Tab(browser, f"{address}/?dataset={dataset}")) as tab:
        return float(tab.wait_for(mark, "the player set no mark coldcast:frame-2")) / 1000


COUNT_DRAWN = """async (player, seconds) => {
    const drawn = () => Number(player.framesDrawn);
    const [before, start] = [drawn(), performance.now()];
    await new Promise(done => setTimeout(done, 1000 * seconds));
    return {playing: player.dataset.playing, rate: 1000 * (drawn() - before) / (performance.now() - start)};
}"""


def animation(stage: Stage) -> Iterator[Row]:
    """Frames drawn per second while the four maps of the flow play."""
    with stage.visit(stage.warm, "navier-stokes") as (page, wire):
        wire.settle(page)
        found = [player(page).evaluate(COUNT_DRAWN, STRETCH) for _ in range(STRETCHES)]
    if not all(each["playing"] == "true" and each["rate"] >= 0 for each in found):  # a NaN is not
        raise Unmeasured(f"the player does not say that it plays and how often it drew, but {found[0]}")
    yield Row("four maps playing", tuple(each["rate"] for each in found), "frames/s", Wanted("≥", 30))


def scrubbing(stage: Stage) -> Iterator[Row]:
    """Messages that the page sends while the time is dragged along its slider."""
    with stage.visit(stage.warm, "navier-stokes") as (page, wire):
        slider = page.get_by_role("slider", name="Lead time")
        slider.scroll_into_view_if_needed()
        wire.settle(page)
        box = slider.bounding_box()
        if box is None:
            raise Unmeasured("the slider of the lead time is not to be seen")
        before, shown = len(wire.frames), set()
        page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        for move in range(1, MOVES + 1):
            page.mouse.move(box["x"] + box["width"] * move / (MOVES + 1), box["y"] + box["height"] / 2)
            page.wait_for_timeout(20)
            shown.add(player(page).get_attribute("data-frame"))
        page.mouse.up()
        page.wait_for_timeout(1000 * QUIET)  # what is sent late counts
    if len(shown) < MOVES / 4:
        raise Unmeasured(f"the drag showed {len(shown)} frames only")
    sent = sum(frame.sent for frame in wire.frames[before:])
    yield Row("websocket messages of a drag along the time", (sent,), "", Wanted("≤", 0))


def reruns(stage: Stage) -> Iterator[Row]:
    """A rerun that computes nothing: from what the page sends when the variable is switched to the end of the run."""
    for dataset in ("navier-stokes", "sst-monthly"):
        with stage.visit(stage.warm, dataset) as (page, wire):
            choices = page.get_by_role("radiogroup", name="Variable").get_by_role("radio")
            seconds = []
            for switch in range(SWITCHES + 2):  # the first two show each of the variables once
                wire.settle(page, quiet=QUIET if switch == 0 else 1)
                before = len(wire.frames)
                choices.nth((switch + 1) % 2).click()
                seconds.append(run_seconds(page, wire, before))
        yield Row(f"variable shown for the first time, {dataset}", (1000 * seconds[0],), "ms")
        again = tuple(1000 * each for each in seconds[2:])
        yield Row(f"variable shown again, {dataset}", again, "ms", Wanted("≤", 300, of="median"))


def run_seconds(page: Page, wire: Wire, before: int) -> float:
    """Wait for the run that the page asks for after `before` messages; its seconds."""
    deadline = time.monotonic() + PATIENCE
    while (seconds := duration(wire.frames[before:])) is None:
        if time.monotonic() > deadline:
            raise Unmeasured(f"after the switch no run came to its end within {PATIENCE:g} s")
        page.wait_for_timeout(50)
    return seconds


def duration(frames: Sequence[Frame]) -> float | None:
    """Seconds from the first message sent to the end of the run that follows it; None before that."""
    start = next((index for index, frame in enumerate(frames) if frame.sent), None)
    if start is None:
        return None
    end = next((frame for frame in frames[start:] if frame.ends), None)
    return None if end is None else end.second - frames[start].second


RUN_BUTTON = "document.querySelector('.stButton button[kind=primary]')"


def memory(stage: Stage) -> Iterator[Row]:
    """The most memory that the browser's process of the page takes over a run of 50 members, and what an empty takes.

    Private is what no other process shares; proportional adds this process's part of what is shared.
    """
    if not Path("/proc/self/smaps_rollup").exists():
        raise Unmeasured("only Linux tells how much memory of a process is private")
    with stage.own_browser("--disable-features=SpareRendererForSitePerProcess") as browser:
        system = browser.new_browser_cdp_session()

        def now() -> Sample:
            processes = system.send("SystemInfo.getProcessInfo")["processInfo"]
            return max(memory_of(process["id"]) for process in processes if process["type"] == "renderer")

        with closing(Tab(browser, "about:blank")):
            time.sleep(QUIET)
            empty = now()
        with closing(Tab(browser, f"{stage.warm}/?dataset=navier-stokes&members=50&seed=77")) as tab:
            tab.wait_for(f"{RUN_BUTTON} !== null", "there was no button to press")
            time.sleep(2 * QUIET)
            settled = now()
            samples, heaps, seconds = follow_run(tab, now)
    private, proportional = (max(each) for each in zip(settled, *samples, strict=True))
    yield Row("memory of an empty page, private", (empty[0],), "MB")
    yield Row("memory with the example shown, private", (settled[0],), "MB")
    yield Row("memory, peak of a run of 50, JS heap", (max(heaps),), "MB")
    yield Row("memory, peak of a run of 50, proportional", (proportional,), "MB")
    note = f"{len(samples)} samples over {seconds:.0f} s"
    yield Row("memory, peak of a run of 50, private", (private,), "MB", Wanted("≤", 300), note)


def follow_run(tab: Tab, now: Callable[[], Sample]) -> tuple[list[Sample], list[float], float]:
    """Press Run; memory and JS heap in MB every SAMPLE seconds until the run is done, and how long that took."""
    tab.send("Performance.enable")
    tab.evaluate(f"{RUN_BUTTON}.click()")
    samples, heaps, start = [], [], time.monotonic()
    done, enough = math.inf, 2 * QUIET  # what was drawn last also counts
    while (took := time.monotonic() - start) < min(done + enough, RUN_PATIENCE):
        time.sleep(SAMPLE)
        samples.append(now())
        values = {each["name"]: each["value"] for each in tab.send("Performance.getMetrics")["metrics"]}
        heaps.append(values["JSHeapUsedSize"] / MEGABYTE)
        if done == math.inf and tab.evaluate("/^done/m.test(document.body.innerText)"):
            done = took
    if done == math.inf:
        raise Unmeasured(f"the run was not done within {RUN_PATIENCE:g} s")
    return samples, heaps, done


def memory_of(process: int) -> Sample:
    """Private and proportional memory of a process in MB, zeros of one that has ended."""
    try:
        return read_rollup(Path(f"/proc/{process}/smaps_rollup").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0.0


def read_rollup(text: str) -> Sample:
    """Private and proportional memory in MB from Linux's summary of a process, which counts in KiB; swap included."""
    sizes = {name: 1024 * int(size) / MEGABYTE for name, size in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
    private = ("Private_Clean", "Private_Dirty", "Private_Hugetlb", "Swap")
    return sum(sizes[name] for name in private), sizes["Pss"] + sizes["SwapPss"]


def requests(stage: Stage) -> Iterator[Row]:
    """Requests of every page, and of the figures before this one, that went to another machine."""
    with stage.visit(stage.warm, DATASETS[0]) as (page, wire):
        wire.settle(page)
        links = page.locator("a[href]").evaluate_all("links => links.map(link => link.href)")
        for link in sorted({link.partition("#")[0] for link in links if not is_elsewhere(link)}):
            page.goto(link)
            wire.settle(page)
    yield Row("requests to other machines", (len(stage.strangers),), "", Wanted("≤", 0), " ".join(stage.strangers[:3]))


FIGURES: dict[str, Callable[[Stage], Iterator[Row]]] = {
    "warm": warm_visits,
    "cold": cold_visits,
    "animation": animation,
    "scrubbing": scrubbing,
    "rerun": reruns,
    "memory": memory,
    "requests": requests,
}


# -- the table ---------------------------------------------------------------------------------------------


def worst(row: Row) -> float:
    return min(row.values) if row.wanted is not None and row.wanted.sense == "≥" else max(row.values)


def verdict(row: Row) -> str:
    """Whether a row's figure is what is wanted of it."""
    if not row.values:
        return "not measured"
    if row.wanted is None:
        return ""
    value = statistics.median(row.values) if row.wanted.of == "median" else worst(row)
    held = value <= row.wanted.bound if row.wanted.sense == "≤" else value >= row.wanted.bound
    return "held" if held else "missed"


def table(rows: Sequence[Row]) -> str:
    """The rows as text, in columns."""
    lines = [("figure", "median", "worst", "of", "wanted", ""), *(cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def cells(row: Row) -> tuple[str, ...]:
    said = " · ".join(filter(None, (verdict(row), row.note)))
    if not row.values:
        return row.title, "", "", "", "", said
    median, extreme = (f"{number(value)} {row.unit}".strip() for value in (statistics.median(row.values), worst(row)))
    bound = ""
    if row.wanted is not None:
        bound = f"{row.wanted.of} {row.wanted.sense} {number(row.wanted.bound)} {row.unit}".strip()
    return row.title, median, extreme, str(len(row.values)), bound, said


def number(value: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


# -- the program -------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 1 where a figure could not be measured."""
    options = parse(arguments)
    program = find_chromium()
    if program is None:
        sys.stderr.write("coldcast: there is no Chromium: install one or name it in CHROMIUM.\n")
        return 2
    busy = busyness()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        chromium = stack.enter_context(sync_playwright()).chromium
        stage = Stage(chromium, program, Path(folder), stack)
        rows = [row for name in options.only or FIGURES for row in measured(name, stage)]
        browser = f"Chromium {stage.browser.version} without a GPU"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {browser}, {busy}"
    print(f"{machine}\n\n{table(rows)}")
    if options.json is not None:
        figures = [{**asdict(row), "verdict": verdict(row)} for row in rows]
        text = json.dumps({"machine": machine, "figures": figures}, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if all(row.values for row in rows) else 1


def busyness() -> str:
    """How many programs wanted a core in the minute before, since timings of a busy machine say little."""
    return f"load before {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Which figures, and where to."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure", description="Measure the page in a browser.")
    parser.add_argument("--only", action="append", choices=FIGURES, help="this figure; may be given again for another")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every repetition there, too")
    return parser.parse_args(arguments)


def measured(name: str, stage: Stage) -> Iterator[Row]:
    """The rows of a figure; what could not be measured is a row that says why."""
    sys.stderr.write(f"measuring: {name} …\n")
    try:
        yield from FIGURES[name](stage)
    except (Unmeasured, NoAnswer, BrowserError) as error:
        yield Row(name, (), "", note=str(error).partition("\n")[0])


if __name__ == "__main__":
    sys.exit(main())
