"""Boxes: how they are written, which cells they hold, what their folders are called."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.regions import TASMAN, Box, cells, longitude_pieces, parse_box, region_name
from engine.datasets.sst_daily import DailySeaSurface
from engine.errors import RequestError


def test_the_tasman_box_holds_the_cells_of_the_data_set() -> None:
    for own, axis in zip(cells(TASMAN), DailySeaSurface.axes, strict=True):
        np.testing.assert_array_equal(own, axis.values)
    assert region_name(TASMAN) == "tasman"


@pytest.mark.parametrize(
    "text", ["-45,-37,147,155", " -45 , -37.0, 147, 155 ", "45S,37S,147E,155E", "45s,37S,147,-205", "Tasman"]
)
def test_a_box_is_read_however_it_is_written(text: str) -> None:
    assert parse_box(text) == TASMAN


@pytest.mark.parametrize(
    ("text", "lon"),
    [
        ("0,1,179,-179", [179.125, 179.375, 179.625, 179.875, 180.125, 180.375, 180.625, 180.875]),
        ("0,1,179,181", [179.125, 179.375, 179.625, 179.875, 180.125, 180.375, 180.625, 180.875]),
        ("0,1,359.5,0.5", [-0.375, -0.125, 0.125, 0.375]),
        ("0,1,-0.5,0.5", [-0.375, -0.125, 0.125, 0.375]),
        ("0,1,280,280.5", [-79.875, -79.625]),
        ("0,1,147.1,147.4", [147.125, 147.375]),
        ("0,1,147.125,147.375", [147.125, 147.375]),
        ("0,1,147.13,147.37", None),
    ],
)
def test_longitudes_rise_across_the_date_line_and_greenwich(text: str, lon: list[float] | None) -> None:
    if lon is None:
        with pytest.raises(RequestError, match="no centre"):
            parse_box(text)
    else:
        np.testing.assert_array_equal(cells(parse_box(text))[1], lon)


@pytest.mark.parametrize("text", ["-90,90,-180,180", "-90,90,0,360", "-90,90,-179.875,180.125"])
def test_the_whole_globe_has_720_by_1440_cells(text: str) -> None:
    lat, lon = cells(parse_box(text))
    assert (len(lat), len(lon)) == (720, 1440)
    assert (lat[0], lat[-1]) == (-89.875, 89.875)
    assert len(np.unique(lon % 360)) == 1440


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "''; write S,N,W,E"),
        ("-45,-37,147", "'-45,-37,147'; write"),
        ("-45,-37,147,east", "'east' is no number of degrees"),
        ("45E,37S,147E,155E", "'45E' is no number of degrees"),
        ("nan,-37,147,155", "'nan' is no number"),
        ("-37,-45,147,155", "from latitude -37 to -45; .*rising"),
        ("-95,-37,147,155", "from latitude -95 to -37"),
        ("-45,-37,147,147", "no width"),
        ("-45,-37,147,400", "from longitude 147 to 400"),
        ("-45,-37,-200,170", "from longitude -200 to 170"),
        ("-45,-44.99,147,155", "no centre of a 0.25° cell"),
    ],
)
def test_what_is_no_box_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        parse_box(text)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(RequestError, match="is no box"):
        Box(-45, -37, math.nan, 155)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("-45.1,-36.9,146.9,155.1", "tasman"),  # the same cells
        ("-45,-37,146,155", "45S-37S_146E-155E"),
        ("-5,5,190,240", "5S-5N_170W-120W"),
        ("0,1.25,170,-170", "0N-1.25N_170E-170W"),
        ("-90,90,-180,180", "90S-90N_180W-180E"),
        ("10.1,20.1,-0.5,0.5", "10N-20N_0.5W-0.5E"),
    ],
)
def test_a_folder_is_named_after_the_edges_of_its_cells(text: str, name: str) -> None:
    assert region_name(parse_box(text)) == name


@given(
    st.integers(0, 719), st.integers(1, 720), st.integers(-1440, 1439), st.integers(1, 1440), st.sampled_from([-180, 0])
)
def test_cells_and_their_pieces_agree_with_counting_them_all(
    row: int, rows: int, column: int, columns: int, west: int
) -> None:
    south, north = -90 + row / 4, min(-90 + (row + rows) / 4, 90)
    start = column / 4
    if start + columns / 4 > 360:
        start -= 360
    lat, lon = cells(Box(south, north, start, start + columns / 4))
    every = np.arange(-90 + 0.125, 90, 0.25)
    np.testing.assert_array_equal(lat, every[(every > south) & (every < north)])
    assert len(lon) == columns and (np.diff(lon) == 0.25).all() and (lon[0] - start) % 360 == 0.125
    pieces = longitude_pieces(lon, float(west))
    assert len(pieces) <= 2
    np.testing.assert_array_equal(np.concatenate(pieces) % 360, lon % 360)
    for piece in pieces:
        assert (np.diff(piece) == 0.25).all() and piece[0] > west and piece[-1] < west + 360


@given(st.integers(-1440, 1439), st.integers(1, 1440), st.integers(-1440, 1439), st.integers(1, 1440))
def test_two_boxes_share_a_folder_only_if_they_share_all_cells(a: int, wide: int, b: int, other: int) -> None:
    def box(start: int, width: int) -> Box:
        west = start / 4 if start / 4 + width / 4 <= 360 else start / 4 - 360
        return Box(0, 1, west, west + width / 4)

    one, two = box(a, wide), box(b, other)
    assert (region_name(one) == region_name(two)) == np.array_equal(cells(one)[1], cells(two)[1])
