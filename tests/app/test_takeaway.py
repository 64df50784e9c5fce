"""A map to take away: what may be picked, what is drawn, and what the file is called."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import takeaway
from app.player import View, limits_of
from app.player.view import chances, moments
from app.plots import static_map
from engine.datasets import get_dataset

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


def popover(view: View, dataset: str) -> AppTest:
    """The controls on a page of their own."""

    def page(view: "View", dataset: str) -> None:  # the script knows no imports of this file
        from app.takeaway import static_map_controls
        from engine.datasets import get_dataset

        static_map_controls(get_dataset(dataset), view)

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
    monthly = get_dataset("sst-monthly")
    assert takeaway.draw(monthly, view, "error", 1, "mercator", "png").startswith(b"\x89PNG")
    ((name, field, options),) = drawn
    assert name == "static_map"
    np.testing.assert_array_equal(field, np.ones((3, 4)))
    assert options["title"] == "Departure from the climatology\nError (mean − truth), lead 1 month, valid 2015-07"
    assert (options["scale"], options["units"], options["projection"]) == ("balance", "°C", "mercator")
    assert options["limits"] == limits_of(view)["error"]
    np.testing.assert_array_equal(options["land"], view.solid)


def test_a_simulated_field_becomes_a_plain_map(view: View, drawn: list[Any]) -> None:
    assert takeaway.draw(get_dataset("navier-stokes"), flow(view), "spread", 2, None, "pdf").startswith(b"%PDF")
    ((name, field, options),) = drawn
    assert name == "plain_map"
    np.testing.assert_array_equal(field, MEAN[2] / 10)
    assert (options["scale"], options["axis_units"]) == ("amp", "m")
    assert options["title"].endswith("Spread (standard deviation), lead 2.00 s, valid 547.00 s")


def test_a_probability_has_its_own_panels_and_runs_to_100_percent(view: View, drawn: list[Any]) -> None:
    chance = replace(view, fields={**view.fields, "margin": MEAN / 7}, panels=chances("K"))
    monthly = get_dataset("sst-monthly")
    for panel in ("mean", "margin"):
        takeaway.draw(monthly, chance, panel, 1, "plate-carree", "png")
    (_, _, probability), (_, field, margin) = drawn
    assert (probability["scale"], probability["limits"], probability["units"]) == ("amp", (0.0, 100.0), "%")
    np.testing.assert_array_equal(field, MEAN[1] / 7)
    assert (margin["scale"], margin["units"]) == ("balance", "K")


@pytest.mark.parametrize("projection", takeaway.PROJECTIONS)
def test_every_projection_that_is_offered_can_be_drawn(view: View, projection: str) -> None:
    assert takeaway.draw(get_dataset("sst-monthly"), view, "mean", 0, projection, "png").startswith(b"\x89PNG")


def test_the_projections_offered_are_those_there_are() -> None:
    assert set(takeaway.PROJECTIONS) == set(static_map.PROJECTIONS)
    assert set(takeaway.FORMATS) == set(static_map.FORMATS) == set(takeaway.MIMES)


def test_the_file_is_named_after_what_it_shows(view: View) -> None:
    monthly = get_dataset("sst-monthly")
    assert takeaway.file_name(monthly, view, "mean", 2) == "sst-monthly_anomaly_mean_from-2015-06_lead-2-months"
    assert takeaway.file_name(get_dataset("navier-stokes"), flow(view), "truth", 1) == (
        "navier-stokes_speed_truth_from-545_lead-1"
    )


def test_truth_and_error_are_offered_only_where_the_truth_is_known(view: View) -> None:
    page = popover(view, "sst-monthly")
    assert not page.exception
    assert page.selectbox[0].options == ["Mean", "Spread"]
    page.select_slider[0].set_value(1).run()
    assert page.selectbox[0].options == ["Mean", "Truth", "Spread", "Error"]


def test_a_simulated_field_is_offered_no_projection(view: View) -> None:
    assert [box.label for box in popover(view, "sst-monthly").selectbox] == ["Panel", "Projection"]
    assert [box.label for box in popover(flow(view), "navier-stokes").selectbox] == ["Panel"]
