"""The history of runs: what was written comes back, whoever writes beside, and whatever happens to its file."""

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

import numpy as np
import pytest
import scoringrules

from app.backend import Backend
from app.headline import headline, over_all_leads
from app.history import Ended, Headline, History, default_history
from app.summary import Scores
from engine.errors import DataError, RequestError
from engine.requests import ForecastRequest, ResolvedRequest
from engine.variables import variables_of
from tests.app.fakes import FakeEngine, forecast_summary
from tests.engine.conftest import ROOT

REQUEST = ResolvedRequest(
    "spring-mesh", "fake", "0:3", 5, 4, "stride4", "cold", "forecast", "0.5", True, 7, (0.5, 2.25), "fp32"
)
SCORES = Headline("q_x", "m", 0.25, 0.5, None)
RUN = Ended(REQUEST, "computed", 1.5, 120, 4, "a processor", None, SCORES)


def run(seed: int) -> Ended:
    return replace(RUN, request=replace(REQUEST, seed=seed))


def seeds(history: History) -> list[int]:
    return [entry.run.request.seed for entry in history.listing().entries]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history")


@pytest.fixture
def own_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """The history of a data folder of this test's own."""
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path / "data"))
    return default_history()


# -- what is written down ----------------------------------------------------------------------------------


def test_a_history_that_was_never_written_is_empty_and_makes_no_folder(history: History) -> None:
    assert history.listing().entries == ()
    assert not history.folder.exists()


@pytest.mark.parametrize(
    "ended",
    [
        RUN,
        replace(RUN, scores=None, outcome="cancelled", arrived=2),
        replace(RUN, date="2015-06", request=replace(REQUEST, dataset="sst-monthly", output_leads=())),
        replace(RUN, request=replace(REQUEST, seed=2**63 - 1, members=1), scores=replace(SCORES, crps=None)),
    ],
)
def test_what_is_written_down_comes_back(history: History, ended: Ended) -> None:
    history.add(ended, ended=1000.25)
    (entry,) = History(history.folder).listing().entries  # another process reads it
    assert (entry.run, entry.ended, entry.times, entry.pinned, entry.name) == (ended, 1000.25, 1, False, "")
    assert history.problem is None


def test_the_newest_run_comes_first_and_pinned_ones_before_all(history: History) -> None:
    for seed in (1, 2, 3):
        history.add(run(seed), ended=seed)
    assert seeds(history) == [3, 2, 1]
    history.pin(run(1).id, True)
    assert seeds(history) == [1, 3, 2]
    history.pin(run(1).id, False)
    assert seeds(history) == [3, 2, 1]


def test_equal_requests_share_an_entry_that_keeps_its_name_and_pin(history: History) -> None:
    history.add(RUN, ended=1)
    history.rename(RUN.id, "  the  first ")
    history.pin(RUN.id, True)
    history.add(replace(RUN, seconds=0.75), ended=2)
    (entry,) = history.listing().entries
    assert (entry.times, entry.ended, entry.name, entry.pinned) == (2, 2, "the first", True)
    assert entry.run.seconds == 0.75


def test_frames_that_shift_as_a_record_grows_are_the_same_start_by_their_date(history: History) -> None:
    at = replace(RUN, date="2015-06", request=replace(REQUEST, dataset="sst-monthly", init="pacific:402"))
    history.add(at)
    history.add(replace(at, request=replace(at.request, init="pacific:405")))
    (entry,) = history.listing().entries
    assert entry.times == 2
    assert entry.run.asked.init == "2015-06"
    assert type(entry.run.asked) is ForecastRequest


def test_reading_from_store_leaves_what_the_computation_took(history: History) -> None:
    history.add(RUN, ended=1)
    history.add(replace(RUN, outcome="stored", seconds=0.01, calls=0, device=""), ended=2)
    (entry,) = history.listing().entries
    assert (entry.run, entry.ended, entry.times) == (RUN, 2, 2)


def test_a_cancelled_run_leaves_a_finished_one_as_it_is(history: History) -> None:
    history.add(RUN, ended=1)
    history.add(replace(RUN, outcome="cancelled", arrived=1, scores=None), ended=2)
    (entry,) = history.listing().entries
    assert (entry.run, entry.ended, entry.times) == (RUN, 1, 1)


def test_a_finished_run_takes_the_place_of_a_cancelled_one(history: History) -> None:
    history.add(replace(RUN, outcome="cancelled", arrived=1, scores=None), ended=1)
    history.add(RUN, ended=2)
    (entry,) = history.listing().entries
    assert (entry.run, entry.times) == (RUN, 2)


def test_what_is_deleted_is_gone(history: History) -> None:
    for seed in (1, 2, 3):
        history.add(run(seed), ended=seed)
    history.delete(run(1).id, run(3).id, "nobody")
    assert seeds(history) == [2]


def test_only_the_newest_stay_and_those_that_are_pinned(tmp_path: Path) -> None:
    history = History(tmp_path, most=3)
    history.add(run(0), ended=0)
    history.pin(run(0).id, True)
    for seed in range(1, 8):
        history.add(run(seed), ended=seed)
    assert seeds(history) == [0, 7, 6, 5]


# -- several at once ---------------------------------------------------------------------------------------


def test_threads_lose_none_of_their_runs(history: History) -> None:
    def write(thread: int) -> None:
        for number in range(10):
            history.add(run(10 * thread + number))
            history.add(RUN)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    entries = history.listing().entries
    assert history.problem is None
    assert {entry.run.request.seed: entry.times for entry in entries} == {
        seed: 61 if seed == REQUEST.seed else 1 for seed in range(60)
    }


def test_processes_lose_none_of_their_runs(history: History) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom app.history import History\n"
        "from tests.app.test_history import RUN, run\n"
        "history = History(Path(sys.argv[1]))\n"
        "for number in range(10):\n    history.add(run(100 * int(sys.argv[2]) + number))\n    history.add(RUN)\n"
        "assert history.problem is None, history.problem\n"
    )
    begun = [Popen([sys.executable, "-c", program, str(history.folder), str(n)], cwd=ROOT) for n in (1, 2, 3)]
    assert [each.wait(timeout=300) for each in begun] == [0, 0, 0]
    entries = history.listing().entries
    assert sorted(entry.times for entry in entries) == [1] * 30 + [30]


# -- damage ------------------------------------------------------------------------------------------------


def change(history: History, content: Callable[[str], str]) -> None:
    """Let another hand change the content of the first run."""
    with closing(sqlite3.connect(history.path)) as database, database:
        (old,) = database.execute("SELECT content FROM runs WHERE id = ?", (run(1).id,)).fetchone()
        database.execute("UPDATE runs SET content = ? WHERE id = ?", (content(old), run(1).id))


def with_field(name: str, value: object) -> Callable[[str], str]:
    def changed(text: str) -> str:
        said = json.loads(text)
        said["request"][name] = value
        return json.dumps(said)

    return changed


@pytest.mark.parametrize(
    "content",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "null",
        lambda text: "[" * 100_000,
        lambda text: text.replace('"computed"', '"exploded"'),
        lambda text: text.replace('"seconds": 1.5', '"seconds": "long"'),
        with_field("members", "four"),
        with_field("members", True),
        with_field("colour", "red"),
        with_field("seed", 2),  # no longer what its id stands for
    ],
)
def test_a_damaged_entry_is_left_out_and_can_be_removed(history: History, content: Callable[[str], str]) -> None:
    for seed in (1, 2):
        history.add(run(seed))
    change(history, content)
    assert seeds(history) == [2]
    assert history.listing().damaged == (run(1).id,)
    history.delete(*history.listing().damaged)
    assert history.listing().damaged == ()


def test_a_run_takes_the_place_of_its_damaged_entry(history: History) -> None:
    history.add(run(1))
    change(history, lambda text: "{")
    history.add(run(1))
    assert seeds(history) == [1]


@pytest.mark.parametrize("content", [b"this is no database", b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_damaged_file_is_moved_aside_and_a_new_history_begins(history: History, content: bytes) -> None:
    history.add(run(1))
    history.path.write_bytes(content)
    assert history.listing().entries == ()
    assert history.problem is not None
    assert history.problem.startswith("The history of runs was damaged: it was moved to ")
    assert (history.folder / "runs-damaged.sqlite").read_bytes() == content
    history.add(run(2))
    assert seeds(history) == [2]


def test_writing_into_a_damaged_file_raises_nothing_and_the_next_run_is_kept(history: History) -> None:
    history.add(run(1))
    history.path.write_bytes(b"this is no database")
    history.add(run(2))
    history.add(run(3))
    assert seeds(history) == [3]


def test_a_folder_that_cannot_be_used_is_one_sentence_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    history = History(tmp_path / "file")
    history.add(RUN)
    assert history.problem is not None
    assert history.problem.startswith("The history of runs is not being kept")
    with pytest.raises(DataError, match="cannot be written"):
        history.rename(RUN.id, "a name")


# -- the headline ------------------------------------------------------------------------------------------


def test_the_headline_pools_all_leads_whose_truth_is_known() -> None:
    nan = float("nan")
    scores = Scores(crps=np.array([1.0, 3.0, nan]), rmse=np.array([3.0, 4.0, nan]), spread=np.array([1.0, 7.0, 100.0]))
    # rmse² = (9 + 16) / 2, variance = (1 + 49) / 2
    assert over_all_leads(scores) == pytest.approx((2.0, 12.5**0.5, 2**0.5))


def test_without_truth_there_is_no_headline() -> None:
    nan = np.full(3, np.nan)
    assert over_all_leads(Scores(nan, nan, np.ones(3))) == (None, None, None)


def test_with_one_member_there_is_an_error_and_no_spread() -> None:
    nan = np.full(2, np.nan)
    assert over_all_leads(Scores(nan, np.array([2.0, 2.0]), nan)) == (None, 2.0, None)


def test_a_perfect_forecast_has_no_ratio() -> None:
    assert over_all_leads(Scores(np.zeros(2), np.zeros(2), np.zeros(2))) == (0.0, 0.0, None)


def test_the_headline_of_a_forecast_is_that_of_scoringrules() -> None:
    summary = forecast_summary("spring-mesh", "0:3", steps=6, members=5)
    variable = variables_of("spring-mesh")[0]
    ensemble = summary.ensemble
    assert ensemble is not None
    members = variable.of({**ensemble.members, **ensemble.places})[..., ensemble.scored].astype(np.float64)
    truth = variable.of({**ensemble.truth, **ensemble.places})[..., ensemble.scored].astype(np.float64)
    crps = scoringrules.crps_ensemble(truth, np.moveaxis(members, 0, -1), estimator="fair").mean()
    squared = ((members.mean(axis=0) - truth) ** 2).mean()
    variance = members.var(axis=0, ddof=1).mean() * 6 / 5
    found = headline(summary, variable)
    assert (found.variable, found.units) == (variable.name, variable.units)
    assert (found.crps, found.rmse, found.ratio) == pytest.approx(
        (crps, squared**0.5, (variance / squared) ** 0.5), rel=1e-4
    )


# -- the runs of the page ----------------------------------------------------------------------------------


def ended(backend: Backend, request: ResolvedRequest, *, cancel: bool = False) -> str:
    """Run a request to its end; how it ended."""
    job = backend.start(request, "somebody")
    deadline = time.monotonic() + 60
    while not (job_now := backend.job(job)).finished:
        assert time.monotonic() < deadline
        if cancel and job_now.progress is not None:
            backend.cancel(job, "somebody")
        time.sleep(0.01)
    return job_now.status


def asked(engine: FakeEngine) -> ResolvedRequest:
    return engine.resolve(ForecastRequest("spring-mesh", steps=4, members=10, init="0:3"))


def test_a_run_that_ends_is_written_down_with_what_it_took_and_how_good_it_was(own_history: History) -> None:
    engine = FakeEngine()
    backend = Backend(engine)
    request = asked(engine)
    assert ended(backend, request) == "done"
    (entry,) = own_history.listing().entries
    shown = backend.finished.get(request)
    assert shown is not None
    assert entry.run.request == request
    assert (entry.run.outcome, entry.run.calls, entry.run.arrived) == ("computed", 30, 10)
    assert entry.run.seconds == shown.seconds
    assert entry.run.scores == headline(shown.summary, variables_of("spring-mesh")[0])
    assert entry.run.device


def test_a_run_of_observed_data_is_written_down_with_its_date(own_history: History) -> None:
    engine = FakeEngine()
    backend = Backend(engine)
    ended(backend, backend.resolve(ForecastRequest("sst-monthly", init="2015-06", steps=2, members=2)))
    assert [entry.run.date for entry in own_history.listing().entries] == ["2015-06"]


def test_a_cancelled_run_is_written_down_as_such(own_history: History) -> None:
    engine = FakeEngine(pause=0.05)
    assert ended(Backend(engine), asked(engine), cancel=True) == "cancelled"
    (entry,) = own_history.listing().entries
    assert (entry.run.outcome, entry.run.scores) == ("cancelled", None)
    assert 0 < entry.run.arrived < 10


def test_a_run_that_fails_is_not_written_down(own_history: History) -> None:
    engine = FakeEngine(failure=RequestError("it does not work"))
    assert ended(Backend(engine), asked(engine)) == "failed"
    assert own_history.listing().entries == ()


def test_a_forecast_is_not_lost_where_the_history_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path / "file"))
    engine = FakeEngine()
    backend = Backend(engine)
    request = asked(engine)
    assert ended(backend, request) == "done"
    assert backend.finished.get(request) is not None
