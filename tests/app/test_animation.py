"""Animations are decoded again: frames, size, pace, and colours at the places where they belong."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageSequence

from app.exports.animation import KINDS, MIMES, RATES, WIDTHS, Cut, animation, clock, movie_of, mp4
from app.player import View, limits_of
from app.player.colours import colour_table
from app.player.view import Strand, chances, moments
from app.plots.movie import Layout
from app.views import springs
from engine.errors import RequestError
from tests.app.made_lines import lines_of

RAMP = np.arange(36, dtype=np.float32).reshape(3, 3, 4)
SOLID = (139, 148, 155)
CUT = Cut(("mean", "truth", "spread", "error"), width=640)


def view(**changes: Any) -> View:
    """Three frames of a ramp on 3 × 4 cells, the first of them an obstacle; the truth ends after the second."""
    truth = RAMP - 1
    truth[2] = np.nan
    solid = np.zeros((3, 4), bool)
    solid[0, 0] = True
    request = {"model": "flow", "members": 5, "init": "0:3", "seed": 7}
    base = View(
        dataset="navier-stokes",
        kind="grid",
        forecast=json.dumps(request),
        variable="speed",
        title="Speed",
        leads=np.array([0.0, 0.5, 1.0]),
        valid=np.array([2.0, 2.5, 3.0]),
        time_units="s",
        x=np.array([0.0, 0.5, 1.0, 1.5]),
        y=np.array([0.0, 0.4, 0.8]),
        length_units="m",
        solid=solid,
        fields={"mean": RAMP, "truth": truth, "spread": RAMP / 10},
        panels=moments("m s⁻¹", diverging=False),
        limits={"field": (0.0, 35.0), "spread": (0.0, 3.5), "error": (-2.0, 2.0)},
    )
    return replace(base, **changes)


def decoded(content: bytes, kind: str, folder: Path) -> tuple[list[np.ndarray], float]:
    """The pictures of a file, and frames per second."""
    if kind == "gif":
        file = Image.open(io.BytesIO(content))
        pictures = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(file)]
        return pictures, 1000 / file.info["duration"]
    path = folder / "film.mp4"
    path.write_bytes(content)
    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    width, height = about["size"]
    return [np.frombuffer(each, np.uint8).reshape(height, width, 3).astype(int) for each in reader], about["fps"]


def at_cell(found: View, cut: Cut, panel: str, row: int, column: int) -> tuple[int, int]:
    """The pixel (y, x) in the middle of a cell of a map."""
    names = [each.name for each in found.panels if each.name in cut.panels]
    left, top, right, bottom = movie_of(found, cut).box(names.index(panel))
    rows, columns = found.solid.shape
    return round(bottom - (row + 0.5) * (bottom - top) / rows), round(left + (column + 0.5) * (right - left) / columns)


def table_colour(value: float, limits: tuple[float, float], table: str) -> np.ndarray:
    """The colour of a value, worked out from the table."""
    low, high = limits
    found: np.ndarray = colour_table(table)[round(255 * min(1, max(0, (value - low) / (high - low))))].astype(int)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_is_there_in_the_colours_of_the_page(kind: Any, tmp_path: Path) -> None:
    found = view()
    pictures, rate = decoded(animation(found, CUT, kind), kind, tmp_path)
    assert len(pictures) == 3
    assert rate == pytest.approx(10)
    size = movie_of(found, CUT).size
    assert pictures[0].shape == (size[1], size[0], 3) and size[0] == 640 and size[1] % 2 == 0
    for frame in range(3):
        for row, column in ((1, 2), (2, 3), (0, 1)):
            seen = pictures[frame][at_cell(found, CUT, "mean", row, column)]
            expected = table_colour(RAMP[frame, row, column], limits_of(found)["field"], "thermal")
            np.testing.assert_allclose(seen, expected, atol=12)
            spread = pictures[frame][at_cell(found, CUT, "spread", row, column)]
            np.testing.assert_allclose(spread, table_colour(RAMP[frame, row, column] / 10, (0, 3.5), "amp"), atol=12)
        np.testing.assert_allclose(pictures[frame][at_cell(found, CUT, "mean", 0, 0)], SOLID, atol=12)


def test_pace_size_maps_and_leads_are_those_that_were_chosen(tmp_path: Path) -> None:
    cut = Cut(("spread",), every=2, rate=2, width=960, dark=True)
    pictures, rate = decoded(animation(view(), cut, "gif"), "gif", tmp_path)
    assert (len(pictures), rate, pictures[0].shape[1]) == (2, 2.0, 960)
    np.testing.assert_allclose(pictures[0][2, 2], (16, 22, 27), atol=6)  # the dark ground
    seen = pictures[1][at_cell(view(), cut, "spread", 2, 1)]
    np.testing.assert_allclose(seen, table_colour(RAMP[2, 2, 1] / 10, (0, 3.5), "amp"), atol=8)


def test_a_map_without_truth_says_so_instead(tmp_path: Path) -> None:
    found = view()
    first, _, last = movie_of(found, CUT).frames(range(3))
    inside = at_cell(found, CUT, "truth", 2, 3)
    np.testing.assert_array_equal(first[inside], table_colour(10, (0, 35), "thermal"))
    np.testing.assert_array_equal(last[inside], (255, 255, 255))
    left, top, right, bottom = movie_of(found, CUT).box(1)
    words = last[(top + bottom) // 2 - 8 : (top + bottom) // 2 + 8, left + 5 : right - 5]
    assert (words.astype(int).min(axis=-1) < 200).any()  # letters


def test_what_stands_still_is_drawn_once_and_the_clock_moves() -> None:
    same = np.ones_like(RAMP)
    found = view(fields={"mean": same, "truth": same, "spread": same})
    movie = movie_of(found, CUT)
    first, second, _ = movie.frames(range(3))
    rows = np.nonzero((first != second).any(axis=(1, 2)))[0]
    assert rows.size and rows.max() < movie.box(0)[1]
    assert clock(found, 1) == "lead 0.50 s · valid 2.50 s"


def test_frames_are_the_same_in_whatever_order_they_are_drawn() -> None:
    there, back = movie_of(view(), CUT), movie_of(view(), CUT)
    forwards, backwards = list(there.frames(range(3))), list(back.frames([2, 1, 0]))
    for one, other in zip(forwards, reversed(backwards), strict=True):
        np.testing.assert_array_equal(one, other)


def test_coastlines_lie_over_the_field() -> None:
    line = np.array([[199.0, 0.0], [209.0, 0.0]])
    found = view(
        dataset="sst-monthly",
        x=np.array([200.0, 202.5, 205.0, 207.5]),
        y=np.array([-2.5, 0.0, 2.5]),
        coastlines=[line],
        labels=[("0 months", "2015-06"), ("1 month", "2015-07"), ("2 months", "2015-08")],
    )
    (picture,), (without,) = (movie_of(replace(found, coastlines=some), CUT).frames([1]) for some in ([line], []))
    row, column = at_cell(found, CUT, "mean", 1, 1)
    darker = without[row - 1 : row + 2, column].astype(int) - picture[row - 1 : row + 2, column]
    assert darker.max() > 40
    np.testing.assert_array_equal(picture[row + 8, column], without[row + 8, column])
    assert clock(found, 0) == "lead 0 months · valid 2015-06" and clock(found, 1) == "lead  1 month · valid 2015-07"


def test_particles_are_drawn_where_they_are_with_the_springs_between_them() -> None:
    along, up = (each.astype(np.float32) for each in np.meshgrid(np.arange(4), np.arange(3)))
    moving = np.stack([along + 0.3 * frame for frame in range(3)])
    still = np.broadcast_to(up, moving.shape)
    places = {"mean_x": moving, "mean_y": still, "truth_x": moving, "truth_y": still}
    found = view(
        dataset="spring-mesh",
        kind="particles",
        x=np.arange(4.0),
        y=np.arange(3.0),
        springs=springs(3, 4),
        fields={**view().fields, **places},
    )
    cut = Cut(("mean",), width=640)
    movie = movie_of(found, cut)
    left, top, right, bottom = movie.box(0)
    for frame, picture in enumerate(movie.frames(range(3))):
        for row, column in ((1, 1), (2, 2)):
            x, y = moving[frame, row, column], still[frame, row, column]
            across, down = left + (x + 0.6) / 4.2 * (right - left), bottom - (y + 0.6) / 3.2 * (bottom - top)
            expected = table_colour(RAMP[frame, row, column], (0, 35), "thermal")
            np.testing.assert_array_equal(picture[round(down), round(across)], expected)
        between = picture[round(bottom - 1.6 / 3.2 * (bottom - top)) - 2 :][
            :5, round(left + 2.1 / 4.2 * (right - left))
        ]
        assert (between < 230).any(axis=-1).any()  # a spring


def test_isolines_are_drawn_frame_by_frame() -> None:
    line = np.array([[0.0, 0.4], [1.5, 0.4]])
    strands = (Strand("member 1", "members", "#ff0000", 4.0),)
    panel = replace(view().panels[0], name="spaghetti", strands=strands, empty="nowhere")
    found = view(panels=(panel,), lines=lines_of([[[line]], [[]], [[line]]]))
    cut = Cut(("spaghetti",), width=640)
    pictures = list(movie_of(found, cut).frames(range(3)))
    reds = [(np.abs(each.astype(int) - (255, 0, 0)).max(axis=-1) < 40) for each in pictures]
    left, top, right, bottom = movie_of(found, cut).box(0)
    inside = [int(red[top:bottom, left:right].sum()) for red in reds]
    assert inside[0] > 100 and inside[1] == 0 and inside[0] == inside[2]


def test_probabilities_run_to_100_percent() -> None:
    found = view(panels=chances("K"), fields={**view().fields, "margin": RAMP}, limits={})
    (picture,) = movie_of(found, Cut(("mean",), width=640)).frames([2])
    seen = picture[at_cell(found, Cut(("mean",), width=640), "mean", 1, 1)]
    np.testing.assert_array_equal(seen, table_colour(RAMP[2, 1, 1], (0, 100), "amp"))


@pytest.mark.parametrize("maps", [1, 2, 3, 4, 5, 22])
@pytest.mark.parametrize("aspect", [0.7, 1.0, 2.5, 5.2])
@pytest.mark.parametrize("width", WIDTHS)
def test_maps_keep_their_shape_lie_inside_and_do_not_overlap(maps: int, aspect: float, width: int) -> None:
    layout = Layout(width, maps, aspect)
    boxes = [layout.map_box(index) for index in range(maps)]
    taken = np.zeros((layout.size[1], layout.size[0]), int)
    for left, top, across, down in boxes:
        assert across / down == pytest.approx(aspect, rel=0.1)
        assert left >= 0 and top >= 0 and left + across <= layout.size[0] and top + down <= layout.size[1]
        taken[round(top) : round(top + down), round(left) : round(left + across)] += 1
    assert taken.max() == 1


def test_one_lead_alone_is_an_animation_of_two_pictures(tmp_path: Path) -> None:
    fields = {name: values[:2] for name, values in view().fields.items()}
    short = view(leads=np.array([0.0, 0.5]), valid=np.array([2.0, 2.5]), fields=fields)
    assert len(decoded(animation(short, CUT, "gif"), "gif", tmp_path)[0]) == 2


def test_nothing_chosen_is_one_sentence() -> None:
    with pytest.raises(RequestError, match="choose one or more for the animation"):
        animation(view(), Cut(()), "gif")


def test_a_machine_without_ffmpeg_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.exports.animation.has_ffmpeg", lambda: False)
    with pytest.raises(RequestError, match="save a GIF"):
        mp4([], (2, 2), rate=10)


def test_a_hostile_title_is_letters_and_no_formula() -> None:
    found = view(title=r"$\frac{1}{0}$ <b>&amp;</b>")
    (picture,) = movie_of(found, CUT).frames([0])
    assert (picture[:40, :300] < 100).any()


def test_a_gif_counts_hundredths_of_a_second_so_every_rate_must_fit() -> None:
    assert all(100 % rate == 0 for rate in RATES)
    assert set(MIMES) == set(KINDS)
