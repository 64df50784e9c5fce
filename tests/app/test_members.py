"""Members in order, their isolines and what a pinned one changes, against brute force and closed forms."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.backend import Backend
from app.members.ranking import distances_of, ends, mean_square, over_leads, rising
from app.members.sorting import extremes_words, ranking_of
from app.members.spaghetti import all_isolines, farther, joined_lines, nowhere_words, spaghetti_of, strands_of
from app.place import Place, cell_place
from app.player import Lines, Panel
from app.player.encoding import WHOLE, encode
from app.plots.fan import fan_chart, quantile_bands
from app.plots.isolines import isolines, middle_value, step_of
from app.plots.plume import Plume, plume_chart
from app.summary import Summary
from engine.variables import Threshold, Variable, exceedance, variable_named, variables_of
from tests.app.conftest import Open
from tests.app.fakes import forecast_summary
from tests.app.test_page import SHORT, maps, run_to_the_end, to_the_end, widget
from tests.app.test_player import decode, view

SPEED = variable_named("navier-stokes", "speed")
ANOMALY = variable_named("sst-monthly", "anomaly")


@pytest.fixture(scope="module")
def flow() -> Summary:
    return forecast_summary("navier-stokes", "0:0", steps=4, members=5)


@pytest.fixture(scope="module")
def sea() -> Summary:
    return forecast_summary("sst-monthly", "2015-06", steps=3, members=4)


def with_threshold(summary: Summary, degrees: float) -> Variable:
    """The event that a temperature is exceeded, known to a forecast."""
    event = exceedance(Threshold("temperature", degrees))
    assert summary.ensemble is not None
    shape = (len(summary.times), *summary.solid.shape)
    summary.ensemble.references[event.references[0]] = np.full(shape, degrees, np.float32)
    return event


# -- distances ---------------------------------------------------------------------------------------------


def brute_force(summary: Summary, variable: Variable, member: int, lead: int, other: str) -> float:
    """The mean square by two loops over the cells."""
    values, maps_ = summary.member(variable, member), summary.maps(variable)
    reference = maps_.truth if other == "truth" else maps_.mean
    total = weight = 0.0
    for row, y in enumerate(summary.y):
        area = np.cos(np.deg2rad(y)) if summary.on_earth else 1.0
        for column in range(len(summary.x)):
            if not summary.counted[row, column]:
                continue
            total += area * (float(values[lead + 1, row, column]) - float(reference[lead + 1, row, column])) ** 2
            weight += area
    return total / weight


@pytest.mark.parametrize("other", ["truth", "mean"])
@pytest.mark.parametrize("name", ["flow", "sea"])
def test_distances_are_those_of_two_loops_over_the_cells(name: str, other: str, request: pytest.FixtureRequest) -> None:
    summary: Summary = request.getfixturevalue(name)
    variable = SPEED if name == "flow" else ANOMALY
    found = getattr(distances_of(summary, variable), other)
    assert found.shape == (summary.members, len(summary.leads))
    for member, lead in ((0, 0), (summary.members - 1, len(summary.leads) - 1)):
        assert found[member, lead] == pytest.approx(brute_force(summary, variable, member, lead, other), rel=1e-5)


def test_cells_near_the_pole_count_by_their_area() -> None:
    weights = np.cos(np.deg2rad([0.0, 0.0, 60.0, 60.0]))
    assert mean_square(np.array([[1.0, 1.0, 3.0, 3.0]]), weights) == pytest.approx([(1 * 1 + 0.5 * 9) / 1.5])


def test_a_cell_without_a_value_does_not_count_and_none_at_all_gives_none() -> None:
    found = mean_square(np.array([[2.0, np.nan], [np.nan, np.nan]]), np.ones(2))
    assert found[0] == 4.0 and np.isnan(found[1])


def test_only_leads_that_are_known_count() -> None:
    by_lead = np.array([[1.0, 3.0, np.nan], [2.0, np.nan, np.nan], [np.nan] * 3])
    np.testing.assert_array_equal(over_leads(by_lead, None), [2.0, 2.0, np.nan])
    np.testing.assert_array_equal(over_leads(by_lead, 1), [3.0, np.nan, np.nan])


# -- the order ---------------------------------------------------------------------------------------------


def test_the_order_rises_keeps_ties_and_puts_the_unknown_last() -> None:
    assert rising(np.array([2.0, np.nan, 1.0, 2.0, -3.0])) == [4, 2, 0, 3, 1]


def test_the_most_typical_and_the_most_unlike_are_the_ends() -> None:
    assert ends(np.array([0.3, 0.1, np.nan, 0.7])) == (1, 3)
    assert ends(np.array([0.5, 0.5])) is None
    assert ends(np.array([0.5])) is None


@pytest.mark.parametrize("lead", [None, 2])
def test_members_stand_by_their_error(flow: Summary, lead: int | None) -> None:
    found = ranking_of(flow, SPEED, "error", cell_place(3, 3), lead)
    leads = range(4) if lead is None else [lead]
    rmse = [
        np.sqrt(np.mean([brute_force(flow, SPEED, member, each, "truth") for each in leads])) for member in range(5)
    ]
    assert found.order == sorted(range(5), key=lambda member: rmse[member])
    assert found.notes == [f"RMSE {each:.3g}" for each in rmse]
    assert "RMSE against the truth in m s⁻¹" in found.words


def test_members_stand_by_their_value_at_the_marked_place(sea: Summary) -> None:
    found = ranking_of(sea, ANOMALY, "place", Place(40, 12, 40, 12), 1)
    values = [float(sea.member(ANOMALY, member)[2, 12, 40]) for member in range(4)]
    assert found.order == sorted(range(4), key=lambda member: values[member])
    assert found.notes == [f"{value:.3g}" for value in values]


def test_of_an_event_it_is_the_share_of_the_area_that_is_wrong(sea: Summary) -> None:
    event = with_threshold(sea, 28.0)
    found = ranking_of(sea, event, "error", cell_place(0, 0), 0)
    area = np.where(sea.counted, sea.areas, 0.0)
    for member in range(4):
        wrong = sea.member(event, member)[1] != sea.maps(event).truth[1]
        assert found.notes[member] == f"wrong in {100 * (area * wrong).sum() / area.sum():.2g} %"


def test_a_forecast_without_truth_says_so_and_stands_by_number() -> None:
    summary = forecast_summary("spring-mesh", "0:803", steps=3, members=3)
    assert summary.ensemble is not None
    unknown = {name: np.full_like(each, np.nan) for name, each in summary.ensemble.truth.items()}
    late = replace(summary, ensemble=replace(summary.ensemble, truth=unknown))
    found = ranking_of(late, variables_of("spring-mesh")[0], "error", cell_place(5, 5), None)
    assert found.order == [0, 1, 2]
    assert "No truth is known" in found.words
    assert "nearest to the truth" not in extremes_words(late, variables_of("spring-mesh")[0])


def test_the_nearest_to_the_mean_is_called_the_most_typical(flow: Summary) -> None:
    away = [sum(brute_force(flow, SPEED, member, lead, "mean") for lead in range(4)) for member in range(5)]
    words = extremes_words(flow, SPEED)
    assert f"**member {int(np.argmin(away)) + 1}** is the most typical" in words
    assert f"**member {int(np.argmax(away)) + 1}** the most unlike" in words


def test_one_member_has_no_extremes() -> None:
    assert extremes_words(forecast_summary("navier-stokes", "0:0", steps=2, members=1), SPEED) == ""


# -- isolines ----------------------------------------------------------------------------------------------


def split(points: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """The lines one by one."""
    return [points[first:last] for first, last in itertools.pairwise(offsets)]


def of_frame(lines: Lines, frame: int) -> list[tuple[int, np.ndarray]]:
    """The lines of a frame with their strands."""
    found = split(lines.points, lines.offsets)
    return [(int(lines.strands[line]), found[line]) for line in range(lines.frames[frame], lines.frames[frame + 1])]


def test_the_isoline_of_a_cone_is_a_circle() -> None:
    x, y = np.linspace(-2, 2, 81), np.linspace(-1.5, 1.5, 61)
    (line,) = split(*isolines(np.hypot(*np.meshgrid(x, y)), x, y, 1.0))
    assert np.hypot(*line.T) == pytest.approx(1.0, abs=0.05**2)  # linear between cells: second order in their size
    np.testing.assert_allclose(line[0], line[-1])
    turns = np.unwrap(np.arctan2(line[:, 1], line[:, 0]))
    assert abs(turns[-1] - turns[0]) == pytest.approx(2 * np.pi)


def test_an_isoline_of_a_plane_is_straight_and_exact() -> None:
    x, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 2.0, 4.0])
    (line,) = split(*isolines(np.add.outer(3 * y, 2 * x), x, y, 7.0))
    assert 2 * line[:, 0] + 3 * line[:, 1] == pytest.approx(7.0)


def test_an_isoline_ends_where_the_field_has_no_value() -> None:
    x, y = np.arange(6.0), np.arange(5.0)
    field = np.add.outer(0 * y, x)
    field[2, :] = np.nan
    lines = split(*isolines(field, x, y, 2.5))
    assert sorted((line[:, 1].min(), line[:, 1].max()) for line in lines) == [(0.0, 1.0), (3.0, 4.0)]


@pytest.mark.parametrize("level", [-1.0, 99.0, np.nan])
def test_a_value_beyond_the_field_has_no_isoline(level: float) -> None:
    x, y = np.arange(4.0), np.arange(3.0)
    assert split(*isolines(np.add.outer(y, x), x, y, level)) == []
    assert split(*isolines(np.full((3, 4), np.nan), x, y, 1.0)) == []


def test_the_first_value_is_the_middle_or_half_the_size() -> None:
    ramp = np.linspace(0.0, 10.0, 101)
    assert middle_value(ramp, has_sign=False) == 5.0
    assert middle_value(ramp - 5, has_sign=True) == 2.5  # the 98th percentile of the size is 4.9, and the steps are 0.5
    assert middle_value(np.full(3, np.nan), has_sign=False) == 0.0


@pytest.mark.parametrize(("span", "step"), [(1.6, 0.05), (40.0, 2.0), (20.0, 1.0), (0.0, 0.1), (0.003, 0.0001)])
def test_a_press_changes_the_value_by_a_round_number(span: float, step: float) -> None:
    assert step_of(np.array([3.0, 3.0 + span])) == pytest.approx(step)


# -- spaghetti ---------------------------------------------------------------------------------------------


def test_every_line_lies_where_its_member_has_the_value(flow: Summary) -> None:
    level = 0.4
    found = all_isolines(flow, SPEED, level)
    assert set(found.lines.strands) == set(range(7))  # five, the mean and the truth
    values = flow.member(SPEED, 2)[3]
    ours = np.concatenate([line for strand, line in of_frame(found.lines, 3) if strand == 2])
    for px, py in ours[::25]:
        column = min(int((px - flow.x[0]) / (flow.x[1] - flow.x[0]) + 1e-6), len(flow.x) - 2)
        row = min(int((py - flow.y[0]) / (flow.y[1] - flow.y[0]) + 1e-6), len(flow.y) - 2)
        around = values[max(0, row - 1) : row + 3, max(0, column - 1) : column + 3]
        assert around.min() <= level <= around.max()


def test_a_value_that_occurs_nowhere_is_said_with_those_that_do(flow: Summary) -> None:
    found = all_isolines(flow, SPEED, 50.0)
    assert found.is_empty
    top = max(float(np.nanmax(np.where(flow.solid, np.nan, flow.member(SPEED, member)))) for member in range(5))
    words = nowhere_words(SPEED, 50.0, found)
    assert "No member has the value 50 m s⁻¹" in words
    assert f"to {top:.3g} m s⁻¹" in words


def test_the_edge_of_an_event_runs_where_the_temperature_is_the_threshold(sea: Summary) -> None:
    event = with_threshold(sea, 28.0)
    edges, sst = all_isolines(sea, event, 0.0), all_isolines(sea, variable_named("sst-monthly", "sst"), 28.0)
    for name in ("offsets", "strands", "frames"):
        np.testing.assert_array_equal(getattr(edges.lines, name), getattr(sst.lines, name))
    np.testing.assert_allclose(edges.lines.points, sst.lines.points, atol=1e-3)


def test_isolines_are_found_once_for_a_value(flow: Summary) -> None:
    first = spaghetti_of(flow, SPEED, 0.4)
    assert spaghetti_of(flow, SPEED, 0.4) is first
    assert spaghetti_of(flow, SPEED, 0.5) is not first


def test_the_pinned_member_is_drawn_bold_and_on_top(flow: Summary) -> None:
    strands = strands_of(flow, 1)
    assert [strand.name for strand in strands] == [*(f"member {number}" for number in range(1, 6)), "mean", "truth"]
    assert strands[1].legend == "member 2" and strands[1].width > strands[0].width
    assert [strand.is_top for strand in strands] == [False, True, *[False] * 5]
    assert {strand.legend for strand in strands} == {"members", "member 2", "mean", "truth"}


def test_departures_are_enlarged_and_the_mean_stays() -> None:
    mean = np.array([1.0, 2.0], np.float32)
    np.testing.assert_allclose(farther(mean, mean, 10), mean)
    np.testing.assert_allclose(farther(mean + 0.25, mean, 10), mean + 2.5)


def test_lines_come_back_in_their_frames_and_strands() -> None:
    one, other = np.array([[0.0, 0.0], [1.5, 2.0]]), np.array([[0.5, 1.0], [1.0, 1.0], [1.0, 0.5]])
    none = np.zeros((0, 2)), np.array([0])
    first, second = (one, np.array([0, 2])), (np.concatenate([other, one]), np.array([0, 3, 5]))
    lines = joined_lines([none, first, none, none, second, none], 2)
    header, arrays = decode(encode(view(lines=lines)))
    np.testing.assert_array_equal(arrays["frameLines"], [0, 1, 1, 3])
    np.testing.assert_array_equal(arrays["lineStrands"], [1, 0, 0])
    np.testing.assert_array_equal(arrays["lineStarts"], [0, 2, 5, 7])
    (west, east), (south, north) = header["x"], header["y"]
    back = arrays["lines"].reshape(-1, 2) / WHOLE * [east - west, north - south] + [west, south]
    np.testing.assert_allclose(back, np.concatenate([one, other, one]), atol=1e-4)


def test_a_map_of_an_event_says_so_to_the_browser() -> None:
    panel = Panel("a", "A", "", ("mean",), "field", "percent", is_event=True)
    header, _ = decode(encode(view(panels=(panel,))))
    assert header["panels"][0]["isEvent"] is True


# -- charts ------------------------------------------------------------------------------------------------


def test_the_pinned_member_is_a_bold_line_of_its_own_in_the_charts() -> None:
    members = np.array([[1.0, 2.0], [3.0, 4.0]])
    lead = np.array([0.5, 1.0])
    fan = fan_chart(lead, quantile_bands(members), members[0], members=members, pinned=1, time_units="s", units="m")
    dates = np.array(["2015-06", "2015-07"], "datetime64[s]")
    plume = plume_chart(Plume(dates, members, dates, members[0]), pinned=1)
    for figure in (fan, plume):
        (line,) = [each for each in figure.data if each.name == "member 2"]
        assert list(line.y) == [3.0, 4.0]
        assert line.line.width > 2


# -- the page ----------------------------------------------------------------------------------------------


def frame() -> None:
    """The page without the others."""
    from app import session
    from app.screens import members

    session.enter("members")
    members.show()


@pytest.fixture
def open_members(backend: Backend) -> Open:
    """Opens the page by a link, and waits until the forecast is there."""

    def visit(**link: str) -> AppTest:
        page = AppTest.from_function(frame, default_timeout=60)
        for name, value in (SHORT | link).items():
            page.query_params[name] = value
        page = to_the_end(page.run())
        assert not page.exception and not page.error
        return page

    return visit


def panels(page: AppTest) -> list[dict[str, Any]]:
    """The maps that the browser is sent."""
    (found,) = maps(page)
    header, _ = decode(found.proto.bytes)
    return list(header["panels"])


def titles(page: AppTest) -> list[str]:
    return [panel["title"] for panel in panels(page)]


def said(page: AppTest) -> str:
    return " ".join(caption.value for caption in page.main.caption)


def test_truth_and_mean_come_before_the_members(open_members: Open) -> None:
    page = open_members()
    assert titles(page) == ["Truth", "Mean", "Member 1", "Member 2", "Member 3"]
    assert len({(panel["group"], *panel["limits"]) for panel in panels(page)}) == 1
    assert "is the most typical" in said(page)


def test_the_order_stands_in_the_link_and_comes_back(open_members: Open) -> None:
    page = open_members()
    widget(page, "button_group", "/sort").set_value("error").run()
    ranks = [float(panel["note"].removeprefix("RMSE ")) for panel in panels(page)[2:]]
    assert ranks == sorted(ranks)
    assert page.query_params["sort"] == "error"
    again = open_members(**dict(page.query_params))
    assert titles(again) == titles(page)
    assert "Sorted by RMSE against the truth" in said(again)


def test_many_members_come_in_parts_of_their_order(open_members: Open) -> None:
    page = open_members(members="30", stamps="12", **{"from-12": "13"})
    assert titles(page)[2:] == [f"Member {number}" for number in range(13, 25)]
    widget(page, "button_group", "/from-12").set_value("25").run()
    assert titles(page)[2:] == [f"Member {number}" for number in range(25, 31)]
    page = open_members(members="30", stamps="12", member="2", **{"from-12": "25"})
    assert titles(page)[2:4] == ["Member 2", "Member 25"]  # the pinned one is there whatever part is shown


def test_a_pinned_member_is_said_and_can_be_let_go(open_members: Open) -> None:
    page = open_members(member="2")
    assert [panel["title"] for panel in panels(page) if panel["pinned"]] == ["Member 2"]
    badge = next(button for button in page.button if button.label == "Member 2 pinned")
    page = badge.click().run()
    assert not any(panel["pinned"] for panel in panels(page))
    assert "member" not in page.query_params


def test_a_pinned_member_that_the_forecast_has_not_is_said(open_members: Open) -> None:
    page = open_members(member="40")
    assert any("this forecast has only 3 members" in button.label for button in page.button)
    assert not any(panel["pinned"] for panel in panels(page))


def test_the_forecast_page_shows_a_pinned_member_and_its_error(open_page: Open) -> None:
    page = run_to_the_end(open_page(**(SHORT | {"member": "2"})))
    assert titles(page) == ["Mean", "Truth", "Spread", "Error", "Member 2", "Member 2: error"]
    assert not page.exception


def test_spaghetti_of_particles_has_every_member_and_enlarges_departures(open_members: Open) -> None:
    page = open_members(**{"as": "lines"})
    (panel,) = panels(page)
    assert [strand["name"] for strand in panel["strands"]] == ["member 1", "member 2", "member 3", "mean", "truth"]
    assert "drawn 10 times as far from the mean" in said(page)
    widget(page, "button_group", "/times").set_value("1").run()
    assert page.query_params["times"] == "1"
    assert "times as far" not in said(page)


def test_an_isoline_that_is_nowhere_is_said(open_members: Open) -> None:
    page = open_members(dataset="navier-stokes", steps="3", **{"as": "lines"})
    assert not page.info
    widget(page, "number_input", "/isoline-speed").set_value(77.0).run()
    assert "No member has the value 77 m s⁻¹" in page.info[0].value
    assert page.query_params["isoline-speed"] == "77"


def test_one_member_is_shown_alone(open_members: Open) -> None:
    page = open_members(members="1")
    assert titles(page) == ["Truth", "Mean", "Member 1"]
    assert "most typical" not in said(page)
