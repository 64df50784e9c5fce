"""A map to take away: what may be picked, what is drawn, and what the file is called."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app import session
from app.exports import still
from app.exports.maps import has_values, lines_at, shown_values
from app.place import cell_place
from app.player import View, limits_of
from app.player.colours import colour_table
from app.player.view import Strand, chances, moments
from app.plots import static_map
from app.views import springs
from engine.datasets import get_dataset
from engine.errors import DataError
from tests.app.made_lines import lines_of

MEAN = np.arange(36, dtype=np.float32).reshape(3, 3, 4)


@pytest.fixture
def view() -> View:
    """Anomalies of a month and the two after it on 3 × 4 cells, one of them land; the truth ends after one month."""
    truth = MEAN - 1
    truth[2] = np.nan
    solid = np.zeros((3, 4), bool)
    solid[0, 0] = True
    return View(
        dataset="sst-monthly",
        kind="grid",
        forecast="a forecast",
        variable="anomaly",
        title="Departure from the climatology",
        leads=np.array([0.0, 1.0, 2.0]),
        valid=np.array([545.0, 546.0, 547.0]),
        time_units="months",
        x=np.array([200.0, 202.5, 205.0, 207.5]),
        y=np.array([-2.5, 0.0, 2.5]),
        length_units="°",
        fields={"mean": MEAN, "truth": truth, "spread": MEAN / 10},
        panels=moments("°C", diverging=True),
        solid=solid,
        labels=[("0 months", "2015-06"), ("1 month", "2015-07"), ("2 months", "2015-08")],
        coastlines=[],
    )


def flow(view: View) -> View:
    """The same as a simulated field."""
    return replace(view, labels=None, coastlines=None, time_units="s", length_units="m", variable="speed")


@pytest.fixture(autouse=True)
def rests_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No visit is needed: the maps rest at the last lead."""
    monkeypatch.setattr(session, "frame_of", lambda summary: 2)


def tab(view: View, dataset: str) -> AppTest:
    """The controls on a page of their own."""

    def page(view: "View", dataset: str) -> None:  # the script knows no imports of this file
        from typing import Any
        from unittest.mock import Mock

        from app.takeaway.still import still_tab
        from engine.datasets import get_dataset

        stage: Any = Mock(dataset=get_dataset(dataset), summary=None)
        still_tab(stage, view)

    return AppTest.from_function(page, default_timeout=60, args=(view, dataset)).run()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, np.ndarray, dict[str, Any]]]:
    """What the plots are asked to draw."""
    asked: list[tuple[str, np.ndarray, dict[str, Any]]] = []

    def noted(name: str) -> Callable[..., Any]:
        real = getattr(static_map, name)

        def plot(field: np.ndarray, *axes: np.ndarray, **options: Any) -> Any:
            asked.append((name, field, options))
            return real(field, *axes, **options)

        return plot

    for name in ("static_map", "plain_map"):
        monkeypatch.setattr(static_map, name, noted(name))
    return asked


def test_a_forecast_on_earth_becomes_a_projected_map(view: View, drawn: list[Any]) -> None:
    assert still.draw(view, "error", 1, "mercator", "png").startswith(b"\x89PNG")
    ((name, field, options),) = drawn
    assert name == "static_map"
    np.testing.assert_array_equal(field, np.ones((3, 4)))
    assert options["title"] == "Departure from the climatology\nError (mean − truth), lead 1 month, valid 2015-07"
    assert (options["scale"], options["units"], options["projection"]) == ("balance", "°C", "mercator")
    assert options["limits"] == limits_of(view)["error"]
    np.testing.assert_array_equal(options["land"], view.solid)


def test_a_simulated_field_becomes_a_plain_map(view: View, drawn: list[Any]) -> None:
    assert still.draw(flow(view), "spread", 2, None, "pdf").startswith(b"%PDF")
    ((name, field, options),) = drawn
    assert name == "plain_map"
    np.testing.assert_array_equal(field, MEAN[2] / 10)
    assert (options["scale"], options["axis_units"]) == ("amp", "m")
    assert options["title"].endswith("Spread (standard deviation), lead 2.00 s, valid 547.00 s")


def test_a_probability_has_its_own_panels_and_runs_to_100_percent(view: View, drawn: list[Any]) -> None:
    chance = replace(view, fields={**view.fields, "margin": MEAN / 7}, panels=chances("K"))
    for panel in ("mean", "margin"):
        still.draw(chance, panel, 1, "plate-carree", "png")
    (_, _, probability), (_, field, margin) = drawn
    assert (probability["scale"], probability["limits"], probability["units"]) == ("amp", (0.0, 100.0), "%")
    np.testing.assert_array_equal(field, MEAN[1] / 7)
    assert (margin["scale"], margin["units"]) == ("balance", "K")


@pytest.mark.parametrize("projection", still.PROJECTIONS)
def test_every_projection_that_is_offered_can_be_drawn(view: View, projection: str) -> None:
    assert still.draw(view, "mean", 0, projection, "png").startswith(b"\x89PNG")


def test_the_projections_offered_are_those_there_are() -> None:
    assert set(still.PROJECTIONS) == set(static_map.PROJECTIONS)
    assert set(still.FORMATS) == set(static_map.FORMATS) == set(still.MIMES)


def test_the_file_is_named_after_what_it_shows(view: View) -> None:
    monthly = get_dataset("sst-monthly")
    assert still.map_name(monthly, view, "mean", 2, "png") == (
        "sst-monthly_anomaly_mean_from-2015-06_lead-2-months.png"
    )
    assert still.map_name(get_dataset("navier-stokes"), flow(view), "truth", 1, "pdf") == (
        "navier-stokes_speed_truth_from-545_lead-1.pdf"
    )


def test_truth_and_error_are_offered_only_where_the_truth_is_known(view: View) -> None:
    page = tab(view, "sst-monthly")
    assert not page.exception
    assert page.selectbox[0].options == ["Mean", "Spread"]
    page.select_slider[0].set_value(1).run()
    assert page.selectbox[0].options == ["Mean", "Truth", "Spread", "Error"]


def test_a_simulated_field_is_offered_no_projection(view: View) -> None:
    assert [box.label for box in tab(view, "sst-monthly").selectbox] == ["Panel", "Projection"]
    assert [box.label for box in tab(flow(view), "navier-stokes").selectbox] == ["Panel"]


# -- particles and lines -----------------------------------------------------------------------------------


def lattice(view: View) -> View:
    """The same 3 × 4 values on particles that move up by 0.1 a frame; the first is held."""
    along, up = (each.astype(np.float32) for each in np.meshgrid(np.arange(4), np.arange(3)))
    moving = np.stack([up + 0.1 * frame for frame in range(3)])
    still_there = np.broadcast_to(along, moving.shape)
    places = {"mean_x": still_there, "mean_y": moving, "truth_x": still_there, "truth_y": moving}
    return replace(
        flow(view),
        kind="particles",
        x=np.arange(4.0),
        y=np.arange(3.0),
        fields={**view.fields, **places},
        springs=springs(3, 4),
    )


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def share_near(picture: np.ndarray, colour: Any, within: int = 6) -> float:
    """The share of the pixels that have about this colour."""
    return float((np.abs(picture - np.asarray(colour)).max(axis=-1) <= within).mean())


def test_particles_are_drawn_in_the_colours_of_their_values(view: View) -> None:
    held, mesh = (139, 148, 155), lattice(view)
    same = replace(mesh, fields={**mesh.fields, "mean": np.full_like(MEAN, 20.0)}, limits={"field": (0.0, 20.0)})
    picture = pixels(still.draw(same, "mean", 2, None, "png"))
    one_colour, held_colour = share_near(picture, colour_table("balance")[255]), share_near(picture, held)
    assert one_colour > 0.05
    assert one_colour / held_colour == pytest.approx(11, rel=0.2)  # eleven particles move, one is held
    assert still.draw(mesh, "spread", 1, None, "pdf").startswith(b"%PDF")


def test_particles_that_are_not_where_the_axes_say_are_an_error(view: View) -> None:
    wrong = replace(lattice(view), x=np.arange(5.0))
    with pytest.raises(DataError, match=r"4 × 5|3 × 5"):
        still.draw(wrong, "mean", 0, None, "png")


def strands() -> tuple[Strand, ...]:
    red, green = ("#ff0000", 6.0), ("#00ff00", 6.0)
    return (
        Strand("member 1", "members", *red, positions=("mean_x", "mean_y")),
        Strand("mean", "mean", *green, positions=("truth_x", "truth_y")),
    )


@pytest.mark.parametrize("projection", [None, "plate-carree", "robinson"])
def test_isolines_are_drawn_with_their_legend(view: View, projection: str | None) -> None:
    line = np.array([[200.0, 0.0], [207.5, 0.0]])
    lines = lines_of([[[line], [line + np.array([0, 2.5])]], [[line], []], [[], []]])
    panel = replace(view.panels[0], name="spaghetti", strands=strands())
    many = replace(view if projection else flow(view), panels=(panel,), lines=lines)
    both, one, none = (pixels(still.draw(many, "spaghetti", frame, projection, "png")) for frame in range(3))
    assert share_near(both, (255, 0, 0), 30) > 0.001 and share_near(both, (0, 255, 0), 30) > 0.001
    assert share_near(one, (255, 0, 0), 30) > 0.001 and share_near(one, (0, 255, 0), 30) == 0
    assert share_near(none, (255, 0, 0), 30) == 0
    assert [has_values(many, panel, frame) for frame in range(3)] == [True, True, False]


def test_positions_of_all_members_are_dots_with_the_path_of_the_marked_particle(view: View) -> None:
    mesh = lattice(view)
    panel = replace(mesh.panels[0], name="spaghetti", strands=strands())
    many = replace(mesh, panels=(panel,), place=cell_place(1, 2))
    found = lines_at(many, panel, 2)
    dots, paths = [line for line in found if line.dots], [line for line in found if not line.dots]
    assert [len(line.points) for line in dots] == [12, 12]
    np.testing.assert_allclose(paths[0].points, np.array([[2, 1], [2, 1.1], [2, 1.2]]), atol=1e-6)
    assert share_near(pixels(still.draw(many, "spaghetti", 2, None, "png")), (0, 255, 0), 30) > 0.001


def test_right_of_a_divider_are_the_other_fields(view: View) -> None:
    panel = replace(view.panels[0], swipe=("truth",))
    both = shown_values(replace(view, panels=(panel,)), panel)
    np.testing.assert_array_equal(both[..., :2], MEAN[..., :2])
    np.testing.assert_array_equal(both[1, :, 2:], MEAN[1, :, 2:] - 1)
