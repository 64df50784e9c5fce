"""Quantities that follow from the channels, against closed forms."""

import numpy as np
import pytest

from app.summary import places
from app.variables import Variable, pretty_units, variables_of


def variable(dataset: str, name: str) -> Variable:
    return next(each for each in variables_of(dataset) if each.name == name)


def test_the_vorticity_of_a_turning_disc_is_twice_its_rate() -> None:
    at = places(np.arange(0, 1, 0.1), np.arange(0, 2, 0.2))
    fields = {"u": -3 * at["y"], "v": 3 * at["x"], **at}
    np.testing.assert_allclose(variable("navier-stokes", "vorticity").of(fields), 6.0, rtol=1e-6)


def test_the_speed_is_the_length_of_the_velocity() -> None:
    fields = {"u": np.array([[3.0]]), "v": np.array([[-4.0]])}
    assert variable("navier-stokes", "speed").of(fields) == [[5.0]]


def test_the_displacement_counts_from_the_place_at_rest() -> None:
    at = places(np.arange(3.0), np.arange(2.0))
    fields = {"q_x": at["x"] + 0.3, "q_y": at["y"] - 0.4, **at}
    np.testing.assert_allclose(variable("spring-mesh", "displacement").of(fields), 0.5, rtol=1e-6)


@pytest.mark.parametrize(("units", "shown"), [("m s-1", "m s⁻¹"), ("m2 s-2", "m² s⁻²"), ("1", "")])
def test_units_are_written_as_people_write_them(units: str, shown: str) -> None:
    assert pretty_units(units) == shown
