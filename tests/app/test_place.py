"""The place that the charts are about."""

import numpy as np
import pytest

from app.place import Place, cell_place, coordinates_of, middle, place_at

X, Y = np.linspace(0.0, 2.2, 23), np.linspace(-1.0, 1.0, 11)


@pytest.mark.parametrize("place", [cell_place(3, 7), cell_place(0, 0), Place(2, 1, 9, 4), Place(0, 0, 22, 10)])
def test_a_place_survives_being_written_as_coordinates(place: Place) -> None:
    assert place_at(coordinates_of(place, X, Y), X, Y) == place


@pytest.mark.parametrize("corners", [(1.0, -0.6, 0.3, 0.4), (0.3, 0.4, 1.0, -0.6), (1.0, 0.4, 0.3, -0.6)])
def test_a_box_may_be_named_by_any_two_corners(corners: tuple[float, ...]) -> None:
    assert place_at(corners, X, Y) == Place(3, 2, 10, 7)


def test_coordinates_beyond_the_grid_are_its_edge() -> None:
    assert place_at((-5.0, 99.0), X, Y) == cell_place(10, 0)


def test_the_part_of_a_field_is_what_lies_inside() -> None:
    field = np.arange(2 * 11 * 23).reshape(2, 11, 23)
    np.testing.assert_array_equal(Place(4, 2, 6, 3).part(field), field[:, 2:4, 4:7])
    assert cell_place(1, 2).is_cell and not Place(4, 2, 6, 2).is_cell


def test_the_middle_is_the_nearest_free_cell() -> None:
    free = np.ones((5, 7), bool)
    assert middle(free) == cell_place(2, 3)
    free[1:4, 2:5] = False
    assert middle(free) in [cell_place(0, 3), cell_place(4, 3), cell_place(2, 1), cell_place(2, 5)]


@pytest.mark.parametrize("longitude", [-150.0, 210.0, 570.0])
def test_longitudes_are_the_same_in_any_convention(longitude: float) -> None:
    axis = np.arange(121.25, 290.0, 2.5)
    found = place_at((longitude, 0.0), axis, Y, turn=360.0)
    assert abs(axis[found.west] - 210.0) <= 1.25
