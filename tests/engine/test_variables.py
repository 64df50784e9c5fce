"""Quantities that follow from the channels, against closed forms."""

import numpy as np
import pytest

from app.summary import places
from app.wording import pretty_units
from engine.variables import Threshold, Variable, exceedance, ordinal, variables_of


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


@pytest.mark.parametrize(
    ("units", "shown"), [("m s-1", "m s⁻¹"), ("m2 s-2", "m² s⁻²"), ("1", ""), ("degree_Celsius", "°C")]
)
def test_units_are_written_as_people_write_them(units: str, shown: str) -> None:
    assert pretty_units(units) == shown


def test_a_heatwave_is_where_the_temperature_exceeds_the_threshold_and_unknown_on_land() -> None:
    fields = {"sst": np.array([20.0, 21.0, 21.5, np.nan]), "percentile-90": np.array([21.0, 21.0, 21.0, np.nan])}
    np.testing.assert_array_equal(exceedance(Threshold()).of(fields), [0, 0, 1, np.nan])


def test_every_threshold_has_a_name_of_its_own() -> None:
    thresholds = [
        Threshold(),
        Threshold("percentile", 95),
        Threshold("temperature", 90),
        Threshold("temperature", 28.5),
    ]
    assert len({exceedance(threshold).name for threshold in thresholds}) == 4
    assert [threshold.title for threshold in thresholds[:2]] == ["90th percentile", "95th percentile"]
    assert thresholds[3].title == "28.5 °C"


@pytest.mark.parametrize(
    ("number", "words"), [(1, "1st"), (11, "11th"), (92, "92nd"), (93, "93rd"), (90, "90th"), (97.5, "97.5th")]
)
def test_a_rank_ends_as_it_is_spoken(number: float, words: str) -> None:
    assert ordinal(number) == words
