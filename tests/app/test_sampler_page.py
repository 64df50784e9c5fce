"""The page about the sampler: its numbers are the engine's, and where there is nothing to see it says why."""

import base64
import json
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.backend import Backend
from app.plots.curves import Curve
from app.plots.walk import Colours, Grid, Strip, along_chart, strip_chart
from app.summary import score
from app.walk.work import Bench, FillAsk, ForwardAsk, WalkAsk
from engine.datasets import get_dataset
from engine.errors import Cancelled, RequestError
from engine.fill_in import fill_in
from engine.forecasting import Progress, forecast
from engine.requests import ForecastRequest, ResolvedRequest, resolve
from engine.walk_trace import trace_calls
from tests.app.conftest import Open
from tests.app.fakes import FakeEngine
from tests.app.small_models import RealRequests, save_model
from tests.engine.test_walk_trace import noted, to_the_end

MESH = "spring-mesh"
HORIZON = 134
LEADS = (0.0, 30.0, 60.0, 100.0)
PATIENCE = 120.0  # s; only a broken page waits that long


def frame() -> None:
    """The page in the frame of an app of its own."""
    import streamlit as st

    from app import session
    from app.screens import sampler

    session.enter("sampler")
    st.navigation([st.Page(sampler.show, title="Sampler", default=True)]).run()


@pytest.fixture
def engine() -> FakeEngine:
    """An engine whose forecasts are quick, and which knows the models of this test."""
    return RealRequests()


@pytest.fixture
def models(checkpoints: Path) -> Path:
    """A model of the spring mesh that walks in four steps, and a rival that does not walk."""
    schedule = ",".join(f"{lead:g}" for lead in LEADS)
    save_model(checkpoints, MESH, "fast", schedule=schedule, members=5)
    save_model(checkpoints, MESH, "dropout")
    return checkpoints


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench for this test alone."""
    made = Bench()
    monkeypatch.setattr("app.walk.waiting.bench", lambda: made)
    yield made
    made.close()


@pytest.fixture
def open_sampler(backend: Backend, bench: Bench, models: Path) -> Open:
    """Opens the page by a link, and waits until it has what it shows."""

    def visit(**link: str) -> AppTest:
        page = AppTest.from_function(frame, default_timeout=60)
        for name, value in ({"dataset": MESH, "model": f"{MESH}-fast"} | link).items():
            page.query_params[name] = value
        return settled(page.run())

    return visit


def settled(page: AppTest) -> AppTest:
    """Rerun the page as its fragments do until nothing is under way."""
    deadline = time.monotonic() + PATIENCE
    while any(button.label == "Cancel" for button in page.button):
        assert time.monotonic() < deadline, "it did not end"
        time.sleep(0.05)
        page.run()
    assert not page.exception
    return page


def request(**other: Any) -> ResolvedRequest:
    """What the controls ask for at first."""
    return replace(resolve(ForecastRequest(MESH, model=f"{MESH}-fast", init="0:0")), **other)


def widget(page: AppTest, kind: str, name: str) -> Any:
    """The widget of the page's own controls, by its name in the link."""
    found = [each for each in getattr(page, kind) if (each.key or "").endswith(f"/{name}")]
    assert len(found) == 1, (kind, name, [each.key for each in getattr(page, kind)])
    return found[0]


def words(page: AppTest) -> str:
    """All that the page says."""
    return "\n".join(each.value for kind in ("markdown", "caption", "info", "error") for each in getattr(page, kind))


def maps(page: AppTest) -> list[Any]:
    return list(page.main.get("bidi_component"))


def line(page: AppTest, chart: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A line of a chart, by the end of the chart's key: x and y."""
    found = [each for each in page.get("plotly_chart") if each.proto.id.endswith(chart)]
    assert len(found) == 1, [each.proto.id for each in page.get("plotly_chart")]
    traces = {trace["name"]: trace for trace in json.loads(found[0].proto.spec)["data"]}
    return numbers(traces[name]["x"]), numbers(traces[name]["y"])


def numbers(values: Any) -> np.ndarray:
    """The numbers of a figure, which plotly writes as a list or packed."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).astype(float)
    return np.array(values, float)


def speed(states: np.ndarray) -> np.ndarray:
    """The speed of particles in states (…, channel, y, x)."""
    names = [channel.name for channel in get_dataset(MESH).channels]
    found: np.ndarray = np.hypot(states[..., names.index("p_x"), :, :], states[..., names.index("p_y"), :, :])
    return found


def run_states() -> np.ndarray:
    return get_dataset(MESH).load("0").states


def scored(fields: np.ndarray) -> np.ndarray:
    """The particles that count."""
    dataset = get_dataset(MESH)
    return fields[..., dataset.scored(dataset.load("0"))]


# -- the walk ------------------------------------------------------------------------------------------------


def test_the_walk_shows_maps_charts_and_what_it_cost(open_sampler: Open) -> None:
    page = open_sampler()
    assert len(maps(page)) == 1
    assert len(page.get("plotly_chart")) == 2
    assert f"network calls per member: cold {trace_calls(request(), refined=False)}, and 3 to refine" in words(page)
    assert "Test run 0 at 0.00 s" in words(page)


@pytest.mark.parametrize("window", [1, 2])
def test_spread_and_error_along_the_walk_are_those_of_the_forecast(open_sampler: Open, window: int) -> None:
    asked = {"steps": str(2 * HORIZON), "members": "4"} | ({"window": "2"} if window == 2 else {})
    page = open_sampler(**asked)
    leads = [(window - 1) * HORIZON + lead for lead in (*LEADS[1:], HORIZON)]
    result = forecast(request(steps=2 * HORIZON, members=4)).sel(lead=leads)
    states = np.hypot(result["p_x"].values, result["p_y"].values)
    truth = speed(run_states())[[int(lead) for lead in leads]]
    expected = score(scored(states), scored(truth))
    x, spread = line(page, "walk-spread", "states")
    np.testing.assert_allclose(x[1:], np.array(leads) * get_dataset(MESH).time_step, rtol=1e-6)
    np.testing.assert_allclose(spread[1:], expected.spread, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(line(page, "walk-error", "states, RMSE")[1][1:], expected.rmse, rtol=1e-4)


def test_the_refined_spread_is_that_of_a_forecast_with_refinement(open_sampler: Open) -> None:
    page = open_sampler(members="4")
    result = forecast(request(steps=HORIZON, members=4, refine=True)).sel(lead=[*LEADS[1:], HORIZON])
    states = scored(np.hypot(result["p_x"].values, result["p_y"].values))
    expected = score(states, states.mean(axis=0)).spread
    np.testing.assert_allclose(line(page, "walk-spread", "refined")[1][1:], expected, rtol=1e-4, atol=1e-6)


def test_the_last_estimate_scores_as_the_end_of_the_window(open_sampler: Open) -> None:
    page = open_sampler()
    estimates, states = (line(page, "walk-error", name)[1] for name in ("x̂ₕ, RMSE", "states, RMSE"))
    assert len(estimates) == len(states) - 1 == len(LEADS)
    assert estimates[-1] == pytest.approx(states[-1], rel=1e-6)


def test_solvers_stand_side_by_side_and_in_the_link(open_sampler: Open) -> None:
    page = open_sampler()
    widget(page, "toggle", "solvers").set_value(True)
    settled(page.run())
    assert page.query_params["solvers"] == "true"
    ends = {}
    for name in ("cold", "naive", "heun"):
        calls = trace_calls(request(solver=name), refined=False)
        ends[name] = line(page, "solvers-spread", f"{name.capitalize()} · {calls} calls")[1]
    assert not np.allclose(ends["cold"], ends["naive"])
    again = open_sampler(solvers="true")
    for name, values in ends.items():
        calls = trace_calls(request(solver=name), refined=False)
        np.testing.assert_array_equal(line(again, "solvers-spread", f"{name.capitalize()} · {calls} calls")[1], values)


def test_another_number_of_steps_is_walked_and_linked(open_sampler: Open) -> None:
    page = open_sampler()
    widget(page, "selectbox", "steps-of").set_value("few")
    settled(page.run())
    assert page.query_params["steps-of"] == "few"
    assert "8 steps through 134 data steps" in words(page)
    assert "8 steps through 134 data steps" in words(open_sampler(**{"steps-of": "few"}))


def test_a_schedule_of_one_step_is_not_what_is_shown_at_first(open_sampler: Open) -> None:
    page = open_sampler(schedule="0")
    assert "8 steps through 134 data steps" in words(page)
    own = open_sampler(schedule="0", **{"steps-of": "own"})
    assert "nothing between the ends" in words(own)


def test_a_pinned_member_is_followed_and_shown(open_sampler: Open) -> None:
    page = open_sampler(members="5", member="5")
    picker = widget(page, "selectbox", "maps-of")
    assert picker.value == "5"
    assert picker.options == ["Member 1", "Member 2", "Member 3", "Member 5", "Mean"]


def test_one_member_has_no_spread_and_the_page_says_so(open_sampler: Open) -> None:
    page = open_sampler(members="1")
    assert "One member has no spread" in words(page)
    assert len(maps(page)) == 1


def test_the_page_leaves_the_colours_of_the_link_alone(open_sampler: Open) -> None:
    for part in ("walk", "forward", "fill"):
        page = open_sampler(part=part, members="4")
        assert "limits" not in page.query_params


def test_whether_a_heatwave_happens_is_scored_between_0_and_1(open_sampler: Open, models: Path) -> None:
    model = save_model(models, "sst-monthly", "fast", schedule="full", steps=6, members=3)
    page = open_sampler(dataset="sst-monthly", model=model, variable="above-percentile-90", init="2015-06")
    brier = line(page, "walk-error", "x̂ₕ, Brier score")[1]
    assert len(brier) == 6
    assert ((brier >= 0) & (brier <= 1)).all()
    assert brier.max() > 0
    assert "%" not in next(each.value for each in page.markdown if "Inside the window" in each.value)


def test_a_model_that_does_not_walk_says_why(open_sampler: Open) -> None:
    for part in ("walk", "forward", "fill"):
        page = open_sampler(model=f"{MESH}-dropout", part=part)
        assert "no interpolator" in words(page)
        assert not maps(page)


# -- forward process, fill in, ablations -----------------------------------------------------------------------


def test_the_forward_process_starts_clean_and_ends_in_noise_or_in_the_earlier_state(open_sampler: Open) -> None:
    page = open_sampler(part="forward")
    assert len(maps(page)) == 1
    share, noise = line(page, "forward", "Gaussian noise")
    between = line(page, "forward", "interpolation")[1]
    assert list(share[[0, -1]]) == [0, 100]
    assert noise[0] == pytest.approx(0, abs=1e-6)
    assert 0 < noise[1] < noise[-1]
    assert between.max() > 0
    np.testing.assert_allclose(between[[0, -1]], 0, atol=1e-6)
    np.testing.assert_allclose(line(page, "forward", "its RMSE")[1][[0, -1]], 0, atol=1e-6)
    assert "the same state, that at **1.05 s**" in words(page)


def test_the_scores_of_what_is_filled_in_are_the_engine_s(open_sampler: Open) -> None:
    page = open_sampler(part="fill", **{"from": "40"})
    lead, rmse = line(page, "fill-in", "RMSE")
    leads = np.round(lead / get_dataset(MESH).time_step).astype(int)
    found = to_the_end(fill_in(request(init="0:40"), leads=leads.tolist(), members=8))
    truth = speed(run_states())[40 + leads]
    expected = score(scored(speed(found.states)), scored(truth))
    np.testing.assert_allclose(rmse, expected.rmse, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(line(page, "fill-in", "fair CRPS")[1], expected.crps, rtol=1e-4, atol=1e-6)
    straight = score(scored(speed(found.straight))[None], scored(truth)).rmse
    np.testing.assert_allclose(line(page, "fill-in", "straight line")[1], straight, rtol=1e-4, atol=1e-6)
    assert leads[0] == 0 and leads[-1] == HORIZON


def test_half_steps_have_a_spread_and_no_truth(open_sampler: Open) -> None:
    page = open_sampler(part="fill", finer="true")
    spread, rmse = (line(page, "fill-in", name)[0] for name in ("spread", "RMSE"))
    assert len(spread) > len(rmse)
    assert set(np.round(rmse, 9)) <= set(np.round(spread, 9))


def test_a_first_frame_whose_second_is_beyond_the_run_cannot_be_picked(open_sampler: Open) -> None:
    last = get_dataset(MESH).load("0").frames - 1
    page = open_sampler(part="fill", **{"from": str(last)})
    assert widget(page, "number_input", "from").max == last - HORIZON
    assert not page.error


def test_ablations_that_were_not_made_name_the_command(open_sampler: Open) -> None:
    page = open_sampler(part="ablations")
    assert f"python -m engine ablate --dataset {MESH} --model {MESH}-fast" in words(page)


# -- asking and waiting ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slow:
    """An ask that ends when it may; it counts how often it was begun."""

    name: str
    may_end: threading.Event
    begun: list[str]
    calls: int = 2
    error: Exception | None = None

    def run(self, cancelled: Callable[[], bool]) -> Generator[Progress, None, Any]:
        self.begun.append(self.name)
        yield Progress(0, 1, 0, 1, 1, 2)
        while not self.may_end.wait(0.01):
            if cancelled():
                raise Cancelled
        if self.error is not None:
            raise self.error
        return np.zeros(100, np.float32)

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slow) and other.name == self.name


def slow(name: str, *, ends: bool = True, error: Exception | None = None) -> Slow:
    event = threading.Event()
    if ends:
        event.set()
    return Slow(name, event, [], error=error)


def ended(bench: Bench, ask: Slow) -> None:
    """Wait until an ask has ended."""
    deadline = time.monotonic() + PATIENCE
    while (job := bench.job(ask)) is None or not job.finished:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_equal_asks_are_computed_once(bench: Bench) -> None:
    ask = slow("one", ends=False)
    for owner in "ab":
        bench.start(ask, owner)
    ask.may_end.set()
    ended(bench, ask)
    assert bench.found(ask) is not None
    assert ask.begun == ["one"]


def test_a_shared_ask_goes_on_until_everybody_took_it_back(bench: Bench) -> None:
    ask = slow("one", ends=False)
    for owner in "ab":
        bench.start(ask, owner)
    bench.cancel(ask, "a")
    job = bench.job(ask)
    assert job is not None and not job.finished
    bench.cancel(ask, "b")
    ended(bench, ask)
    assert bench.found(ask) is None


def test_the_oldest_result_goes_first_where_memory_runs_short() -> None:
    bench = Bench(limit=1000)  # bytes; a result takes 400
    asks = [slow(name) for name in "abc"]
    for ask in asks:
        bench.start(ask, "me")
        ended(bench, ask)
    assert [bench.found(ask) is not None for ask in asks] == [False, True, True]
    bench.close()


@pytest.mark.parametrize("kind", ["walk", "fill", "forward"])
def test_progress_ends_where_the_calls_were_said_to(models: Path, kind: str) -> None:
    asks: dict[str, WalkAsk | FillAsk | ForwardAsk] = {
        "walk": WalkAsk(request(steps=2 * HORIZON), (0, 1), 1),
        "fill": FillAsk(request(), (0.0, 30.0, 70.5, float(HORIZON)), 3, "window"),
        "forward": ForwardAsk(request(), (0.0, 0.5, 1.0), 2),
    }
    ask = asks[kind]
    seen: list[Progress] = []
    result = to_the_end(noted(ask.run(lambda: False), seen))
    assert result.nbytes > 0
    done = [each.calls_done for each in seen]
    assert done == sorted(done)
    assert {each.calls_total for each in seen} == {seen[0].calls_total}
    assert done[-1] <= seen[-1].calls_total
    if kind == "walk":  # refinement comes after the last step
        assert done[-1] == ask.calls - 2 * 3


def test_what_was_cancelled_says_so_and_can_be_computed_after_all(
    open_sampler: Open, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    real = WalkAsk.run

    def waits(self: WalkAsk, cancelled: Callable[[], bool]) -> Generator[Progress, None, Any]:
        while not held.wait(0.01):
            if cancelled():
                raise Cancelled
            yield Progress(0, 1, 0, 1, 0, 1)
        return (yield from real(self, cancelled))

    monkeypatch.setattr(WalkAsk, "run", waits)
    page = AppTest.from_function(frame, default_timeout=60)
    for name, value in {"dataset": MESH, "model": f"{MESH}-fast"}.items():
        page.query_params[name] = value
    page.run()
    deadline = time.monotonic() + PATIENCE
    while not any(button.key == "sampler/cancel" for button in page.button):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        page.run()
    next(button for button in page.button if button.key == "sampler/cancel").click().run()
    page.run()
    assert "cancelled before it was done" in words(page)
    assert not maps(page)
    held.set()
    next(button for button in page.button if button.label == "Compute it").click().run()
    assert len(maps(settled(page))) == 1


def test_what_fails_is_one_sentence(open_sampler: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: WalkAsk, cancelled: Callable[[], bool]) -> Generator[Progress, None, Any]:
        yield Progress(0, 1, 0, 1, 0, 1)
        raise RequestError("The walk stumbled.")

    monkeypatch.setattr(WalkAsk, "run", fails)
    page = open_sampler()
    assert len(page.error) == 1
    assert "The walk stumbled" in page.error[0].value
    assert any(button.label == "Compute it" for button in page.button)


# -- charts --------------------------------------------------------------------------------------------------------


def test_a_line_along_the_walk_shares_the_maps_time() -> None:
    frames = np.array([0.0, 0.5, 2.0])
    curve = Curve("spread", frames, np.array([0.0, 1.0, 2.0]), "#000000")
    figure = along_chart((curve,), frames, x_title="lead time (s)", units="m")
    assert figure.layout.meta["cursor"] == [0.0, 0.5, 2.0]
    assert figure.data[0].mode == "lines+markers"
    empty = along_chart((replace(curve, values=np.full(3, np.nan)),), frames, x_title="", units="", missing="none")
    assert [note.text for note in empty.layout.annotations] == ["none"]


@pytest.mark.parametrize(("columns", "grid"), [(30, (3, 2)), (4, (2, 3))])
def test_wide_maps_stand_in_columns_and_square_ones_in_rows(columns: int, grid: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    solid = np.zeros((4, columns), bool)
    solid[0, 0] = True
    strips = [Strip(name, rng.random((3, 4, columns))) for name in ("noise", "between")]
    where = Grid(np.arange(float(columns)), np.arange(4.0), solid)
    figure = strip_chart(strips, ["0 %", "50 %", "100 %"], where, Colours((0.0, 1.0), "thermal", "m"))
    rows, across = len({trace.yaxis for trace in figure.data}), {trace.xaxis for trace in figure.data}
    assert rows == len(across) == 6
    domains = [figure.layout[name.replace("x", "xaxis")].domain for name in across]
    assert len({round(domain[0], 6) for domain in domains}) == grid[1]
    field, grey = figure.data[0], figure.data[1]
    assert np.isnan(np.array(field.z)[0, 0]) and np.array(grey.z)[0, 0] == 1
    np.testing.assert_allclose(np.array(field.z)[1:], strips[0].fields[0][1:], rtol=1e-6)


def test_particles_of_a_strip_stand_where_they_are() -> None:
    at = np.arange(2 * 2 * 9, dtype=float).reshape(2, 2, 3, 3)
    strip = Strip("noise", np.ones((2, 3, 3)), at)
    solid = np.zeros((3, 3), bool)
    solid[2] = True
    figure = strip_chart([strip], ["a", "b"], Grid(np.arange(3.0), np.arange(3.0), solid), Colours((0, 1), "amp", ""))
    assert list(figure.data[1].x) == list(at[1, 0, :2].ravel())
    assert list(figure.data[1].y) == list(at[1, 1, :2].ravel())
