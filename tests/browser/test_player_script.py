"""The functions of the player's script against plain mathematics, on an empty page."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from app import wording
from app.player import SCRIPT

pytestmark = pytest.mark.browser

Evaluate = Callable[..., Any]


@pytest.fixture(scope="module")
def script(browser: Browser) -> Iterator[Evaluate]:
    """Evaluates a function of the script's names; its argument comes from Python."""
    page = browser.new_page()
    plain = SCRIPT.replace("export default function", "function mount")

    def evaluate(body: str, argument: Any = None) -> Any:
        return page.evaluate(f"argument => {{ {plain}\n return ({body})(argument); }}", argument)

    yield evaluate
    page.close()


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [
        (0, 2.21, 5, [0, 0.5, 1, 1.5, 2]),
        (-0.6, 9.6, 6, [0, 2, 4, 6, 8]),
        (0.95, 1.95, 5, [1, 1.2, 1.4, 1.6, 1.8]),
        (0, 0.42, 3, [0, 0.2, 0.4]),
        (1.1e-3, 1.2e-3, 5, [0.0011, 0.00112, 0.00114, 0.00116, 0.00118, 0.0012]),
    ],
)
def test_ticks_are_few_round_numbers(script: Evaluate, low: float, high: float, most: int, ticks: list[float]) -> None:
    assert script("([low, high, most]) => ticksBetween(low, high, most, false)", [low, high, most]) == ticks


@pytest.mark.parametrize(("low", "high"), [(120.0, 290.0), (-44.875, -37.125), (160.0, 200.0), (-60.0, -30.0)])
def test_degrees_are_those_of_python(script: Evaluate, low: float, high: float) -> None:
    assert script("([low, high]) => ticksBetween(low, high, 6, true)", [low, high]) == wording.degree_ticks(low, high)


@pytest.mark.parametrize("degrees", [0, 2.5, 45, 120, 160, 180, 190, 200, 290, 359.5, -20, -179])
def test_places_on_earth_are_named_as_in_python(script: Evaluate, degrees: float) -> None:
    assert script("value => tickName(value, 'x', true)", degrees) == wording.longitude_title(degrees)
    if abs(degrees) <= 90:
        assert script("value => tickName(value, 'y', true)", degrees) == wording.latitude_title(degrees)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.031, "0.031"),
        (1.63, "1.63"),
        (0, "0"),
        (100, "100"),
        (-0.214, "−0.214"),
        (5e-4, "0.0005"),
        (2e-8, "2e−8"),
        (16349, "16300"),
    ],
)
def test_ends_of_colours_are_short_and_can_be_read_back(script: Evaluate, value: float, text: str) -> None:
    assert script("formatShort", value) == text
    assert script("text => parseValue(text)", text) == float(f"{value:.3g}")


def test_what_is_typed_wrongly_is_no_number(script: Evaluate) -> None:
    assert script("texts => texts.map(text => Number.isNaN(parseValue(text)))", ["", " ", "warm", "1 2"]) == [True] * 4


def test_a_moment_between_two_frames_is_their_blend_and_missing_stays_missing(script: Evaluate) -> None:
    found = script(
        """() => {
            const view = { nx: 2, ny: 1, leads: [0, 1], arrays: { a: new Uint8Array([10, 255, 30, 40]) },
                           scales: { a: { minimum: 1, quantum: 0.5, missing: 255 } } };
            const values = (position, blend) => {
                const read = new Moment(view, position, blend).reader("a");
                return [read(0), Number.isNaN(read(1))];
            };
            return [values(0, true), values(0.25, true), values(0.25, false), values(1, true)];
        }"""
    )
    assert found == [[6, True], [8.5, True], [6, True], [16, False]]


def test_own_limits_are_the_percentiles_of_free_cells(script: Evaluate) -> None:
    values = np.random.default_rng(0).integers(0, 200, 400)
    solid = np.zeros(400, int)
    solid[:50], values[:50] = 1, 250
    found = script(
        """([values, solid]) => {
            const view = { nx: 20, ny: 20, leads: [0],
                           arrays: { a: new Uint8Array(values), solid: new Uint8Array(solid) },
                           scales: { a: { minimum: 0, quantum: 1, missing: 255 } } };
            return ownLimits(new Moment(view, 0, false), ["a"], false);
        }""",
        [values.tolist(), solid.tolist()],
    )
    np.testing.assert_allclose(found, np.percentile(values[50:], [2, 98], method="nearest"), atol=1)


def test_particles_follow_a_rotating_flow_on_circles(script: Evaluate) -> None:
    """In a solid rotation of period 2π every path is an arc about the middle, passed at one radian per time unit."""
    size, frames, step = 41, 30, 0.1
    axis = np.linspace(-2, 2, size)
    x, y = np.meshgrid(axis, axis)
    u, v = (np.tile(np.round((each + 2) / 4 * 65534).astype(int).ravel(), frames) for each in (-y, x))
    path = script(
        """([u, v, size, frames, step]) => {
            const scale = { minimum: -2, quantum: 4 / 65534, missing: 65535 };
            const view = { nx: size, ny: size, x0: -2, dx: 4 / (size - 1), y0: -2, dy: 4 / (size - 1),
                           x: [-2.05, 2.05], y: [-2.05, 2.05],
                           leads: Array.from({ length: frames }, (_, index) => index * step),
                           arrays: { mean_u: new Uint16Array(u), mean_v: new Uint16Array(v),
                                     solid: new Uint8Array(size * size) },
                           scales: { mean_u: scale, mean_v: scale } };
            const traces = new Traces(view);
            const paths = Array.from({ length: 50 }, (_, index) => [...traces.follow("mean", index, 2)]);
            return paths.filter((path) => path.length === 2 * (LIFE * STEPS + 1));
        }""",
        [u.tolist(), v.tolist(), size, frames, step],
    )
    assert len(path) > 10
    for each in path:
        points = np.array(each).reshape(-1, 2)
        radius, angle = np.hypot(*points.T), np.unwrap(np.arctan2(points[:, 1], points[:, 0]))
        np.testing.assert_allclose(radius, radius[0], rtol=2e-3)
        np.testing.assert_allclose(np.diff(angle), step / 3, rtol=1e-2)


def test_the_same_moment_shows_the_same_paths(script: Evaluate) -> None:
    found = script(
        """() => {
            const view = { nx: 3, ny: 3, x0: 0, dx: 1, y0: 0, dy: 1, x: [-0.5, 2.5], y: [-0.5, 2.5],
                           leads: [0, 1, 2, 3], arrays: { mean_u: new Uint8Array(36).fill(1),
                           mean_v: new Uint8Array(36), solid: new Uint8Array(9) },
                           scales: { mean_u: { minimum: 0, quantum: 0.1, missing: 255 },
                                     mean_v: { minimum: 0, quantum: 0.1, missing: 255 } } };
            const paths = () => new Traces(view).at("mean", new Moment(view, 2, false));
            const drawn = () => JSON.stringify(paths().map((path) => [...path]));
            return [drawn() === drawn(), new Set(Array.from({ length: 999 }, (_, i) => random(i, 0, 0))).size];
        }"""
    )
    assert found == [True, 999]


@pytest.mark.parametrize(
    ("part", "found"),
    [
        (None, {"x": [0, 2], "y": [0, 1]}),
        ({"x": [0.5, 1], "y": [0.2, 0.45]}, {"x": [0.5, 1], "y": [0.2, 0.45]}),
        ({"x": [0.5, 1], "y": [0, 1]}, {"x": [0.5, 1], "y": [0.375, 0.625]}),  # of another shape
        ({"x": [0.5, 1], "y": [5, 9]}, {"x": [0.5, 1], "y": [0.75, 1]}),
        ({"x": [1, 0.5], "y": [0, 1]}, {"x": [0, 2], "y": [0, 1]}),
        ({"x": [1, 1], "y": [0, 1]}, {"x": [0, 2], "y": [0, 1]}),
        ({"x": [-100, 500], "y": [-100, 500]}, {"x": [0, 2], "y": [0, 1]}),
    ],
)
def test_only_a_part_of_the_map_is_shown(script: Evaluate, part: Any, found: Any) -> None:
    assert script("part => partOf({ x: [0, 2], y: [0, 1] }, part)", part) == found


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (0.048263, 3.2e-3, "0.048"),
        (0.56217, 1e-5, "0.5622"),
        (3.9993, 0.4, "4.0"),
        (1e-4, 1e-3, "0"),
        (-12.5, 0.02, "−12.50"),
    ],
)
def test_numbers_have_no_digits_that_they_do_not_have(script: Evaluate, value: float, step: float, text: str) -> None:
    assert script("([value, step]) => formatRounded(value, step)", [value, step]) == text
