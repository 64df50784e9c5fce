"""The block of bytes that the player's script reads."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.place import Place, cell_place
from app.player import SCRIPT, Panel, View, fitted_limits, limits_told, place_told
from app.player.colours import TABLES, colour_table
from app.player.encoding import COARSE, FINE, WHOLE, encode, quantise
from app.player.view import chances, moments

RAMP = np.arange(36, dtype=np.float32).reshape(3, 3, 4)


def view(*, diverging: bool = False, fields: dict[str, np.ndarray] | None = None, **changes: Any) -> View:
    """Three frames of a ramp on 3 × 4 cells: the mean 0 … 35, truth one below, spread constant."""
    base = View(
        dataset="navier-stokes",
        kind="grid",
        forecast="a",
        variable="speed",
        title="Speed",
        leads=np.array([0.0, 0.5, 1.0]),
        valid=np.array([2.0, 2.5, 3.0]),
        time_units="s",
        x=np.array([0.0, 0.5, 1.0, 1.5]),
        y=np.array([0.0, 1.0, 2.0]),
        length_units="m",
        solid=np.zeros((3, 4), bool),
        fields={"mean": RAMP, "truth": RAMP - 1, "spread": np.full_like(RAMP, 0.25), **(fields or {})},
        panels=moments("m s⁻¹", diverging=diverging),
    )
    return replace(base, **changes)


def decode(block: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What player.js does, in Python."""
    length = int.from_bytes(block[:4], "little")
    header = json.loads(block[4 : 4 + length])
    start = -(-(4 + length) // 4) * 4
    arrays = {
        name: np.frombuffer(block, "<" + entry["type"], entry["count"], start + entry["offset"])
        for name, entry in header["arrays"].items()
    }
    return header, arrays


def values_of(header: dict[str, Any], arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    scale = header["scales"][name]
    return np.where(arrays[name] == scale["missing"], np.nan, scale["minimum"] + scale["quantum"] * arrays[name])


@pytest.mark.parametrize(("coarse", "levels"), [(False, 2**FINE - 2), (True, 2**COARSE - 2)])
def test_the_fields_come_back_to_half_a_quantum(coarse: bool, levels: int) -> None:
    header, arrays = decode(encode(view(coarse=coarse)))
    assert header["scales"]["mean"]["quantum"] == pytest.approx(35 / levels)
    back = values_of(header, arrays, "mean").reshape(3, 3, 4)
    assert np.abs(back - RAMP).max() <= 1.001 * 35 / levels / 2


def test_every_array_starts_at_a_multiple_of_four_bytes() -> None:
    header, _ = decode(encode(view()))
    assert all(entry["offset"] % 4 == 0 for entry in header["arrays"].values())


def test_unknown_truth_is_sent_as_missing_and_stays_out_of_the_limits() -> None:
    truth = RAMP - 1
    truth[1:] = np.nan
    header, arrays = decode(encode(view(fields={"truth": truth})))
    back = values_of(header, arrays, "truth").reshape(3, 3, 4)
    assert np.isnan(back[1:]).all()
    assert np.isfinite(back[0]).all()
    assert all(np.isfinite(panel["limits"]).all() for panel in header["panels"])


def test_no_truth_at_all_still_gives_finite_limits() -> None:
    found = fitted_limits(view(fields={"truth": np.full((3, 3, 4), np.nan, np.float32)}))
    assert all(low < high for low, high in found.values())


@pytest.mark.parametrize("value", [0.0, -3.5])
def test_a_constant_field_comes_back_exactly(value: float) -> None:
    codes, scale = quantise(np.full((2, 2), value, np.float32), FINE)
    assert np.all(scale["minimum"] + scale["quantum"] * codes == value)


def test_mean_and_truth_share_their_limits_and_the_error_is_symmetric() -> None:
    header, _ = decode(encode(view()))
    mean, truth = (panel["limits"] for panel in header["panels"][:2])
    assert mean == truth
    found = fitted_limits(view())
    assert found["error"] == (-1.0, 1.0)
    assert found["spread"] == (0.0, 0.25)


def test_a_field_with_a_sign_is_symmetric_about_zero() -> None:
    low, high = fitted_limits(view(diverging=True))["field"]
    assert low == -high


def test_solid_cells_do_not_count_in_the_limits() -> None:
    mean = RAMP.copy()
    solid = np.zeros((3, 4), bool)
    solid[0, 0] = True
    mean[:, 0, 0] = 1e9
    assert fitted_limits(view(fields={"mean": mean}, solid=solid))["field"][1] < 100


def test_limits_that_the_view_names_are_those_of_the_colour_bars() -> None:
    header, _ = decode(encode(view(limits={"field": (0.0, 9.0), "spread": (0.0, 2.0), "error": (-3.0, 3.0)})))
    assert [panel["limits"] for panel in header["panels"]] == [[0, 9], [0, 9], [0, 2], [-3, 3]]


def test_the_step_to_which_values_are_rounded_is_said() -> None:
    header, _ = decode(encode(view()))
    assert "steps of 0.0005 m s⁻¹" in header["panels"][0]["legendNote"]


def test_velocities_are_sent_where_paths_are_drawn() -> None:
    header, _ = decode(encode(view(can_trace=True)))
    assert (header["canTrace"], header["hasTraces"]) == (True, False)
    drawn, arrays = decode(encode(view(can_trace=True, traced=True, fields={"mean_u": RAMP, "mean_v": -RAMP})))
    assert drawn["hasTraces"]
    assert np.allclose(values_of(drawn, arrays, "mean_v").reshape(3, 3, 4), -RAMP, atol=1e-3)
    assert [panel["traced"] for panel in drawn["panels"]] == ["mean", "", "", ""]


@pytest.mark.parametrize(
    ("place", "sent"), [(cell_place(2, 1), {"cell": 9}), (Place(1, 0, 3, 2), {"box": [1, 0, 3, 2]})]
)
def test_a_place_comes_back_as_it_was_sent(place: Place, sent: dict[str, Any]) -> None:
    header, _ = decode(encode(view(place=place)))
    assert header["place"] == sent
    assert place_told(header["place"], (3, 4)) == place


@pytest.mark.parametrize(
    "message",
    [{}, {"cell": 12}, {"cell": -1}, {"cell": "3"}, {"box": [0, 0, 4, 2]}, {"box": [2, 0, 1, 2]}, {"box": [0, 0, 1]}],
)
def test_what_is_no_place_on_the_grid_is_passed_over(message: dict[str, Any]) -> None:
    assert place_told(message, (3, 4)) is None


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ({"group": "spread", "limits": [0, 2]}, ("spread", (0.0, 2.0))),
        ({"group": "spread", "limits": [2, 0]}, None),
        ({"group": "spread", "limits": [0, None]}, None),
        ({"group": "hue", "limits": [0, 2]}, None),
        ({"fit": True}, None),
    ],
)
def test_only_ends_of_colours_that_can_be_used_are_taken(message: dict[str, Any], found: object) -> None:
    assert limits_told(message) == found


def test_particles_send_their_places() -> None:
    places = np.zeros((3, 2, 3, 4), np.float32)
    places[:, 0] = np.arange(4)
    places[:, 1] = np.arange(3)[:, None]
    pairs = np.array([[0, 1], [1, 2]])
    along, up = places[:, 0], places[:, 1]
    stand = {"mean_x": along, "mean_y": up, "truth_x": along, "truth_y": up}
    header, arrays = decode(encode(view(kind="particles", fields=stand, springs=pairs)))
    assert [panel["positions"][0] for panel in header["panels"]] == ["mean_x", "truth_x", "mean_x", "mean_x"]
    assert np.allclose(values_of(header, arrays, "mean_x").reshape(3, 3, 4)[0], np.arange(4)[None], atol=1e-4)
    assert arrays["springs"].tolist() == [0, 1, 1, 2]


def test_small_maps_a_swipe_and_a_pin_are_told_to_the_script() -> None:
    panels = (
        Panel("member-0", "Member 1", "", ("mean",), "field", pinned=True),
        Panel("both", "Both", "", ("mean",), "field", swipe=("truth",)),
    )
    header, _ = decode(encode(replace(view(compact=True, tells_lead=2), panels=panels)))
    assert (header["compact"], header["tellsLead"]) == (True, 2)
    assert [panel["pinned"] for panel in header["panels"]] == [True, None]
    assert [panel["swipe"] for panel in header["panels"]] == [[], ["truth"]]


# -- on Earth ----------------------------------------------------------------------------------------------


def on_earth(**changes: Any) -> View:
    """Four cells of 10° from 165°E to 165°W, three from 60°S to 30°S, and one line across the map."""
    line = np.array([[160.0, -60.0], [200.0, -30.0]])
    degrees: dict[str, Any] = {"x": np.array([165.0, 175.0, 185.0, 195.0]), "y": np.array([-55.0, -45.0, -35.0])}
    return view(**({"coastlines": [line]} | degrees | changes))


def test_the_map_is_as_narrow_as_its_parallel() -> None:
    header, _ = decode(encode(on_earth()))
    assert header["aspect"] == pytest.approx(40 / 30 * np.cos(np.pi / 4))


def test_coastlines_are_shares_of_the_map() -> None:
    lines = [np.array([[160.0, -60.0], [200.0, -30.0], [180.0, -45.0]]), np.array([[180.0, -30.0], [190.0, -45.0]])]
    _, arrays = decode(encode(on_earth(coastlines=lines)))
    assert arrays["coastStarts"].tolist() == [0, 3, 5]
    shares = arrays["coast"].reshape(-1, 2) / WHOLE
    expected = np.array([[0, 0], [1, 1], [0.5, 0.5], [0.5, 1], [0.75, 0.5]])
    np.testing.assert_allclose(shares, expected, atol=1e-5)


def test_a_sea_without_coasts_has_no_points() -> None:
    _, arrays = decode(encode(on_earth(coastlines=[])))
    assert arrays["coastStarts"].tolist() == [0]
    assert arrays["coast"].size == 0


def test_land_without_values_stays_out_of_the_limits() -> None:
    mean = RAMP.copy()
    solid = np.zeros((3, 4), bool)
    solid[0, 0] = True
    mean[:, 0, 0] = np.nan
    found = fitted_limits(on_earth(fields={"mean": mean, "truth": mean}, solid=solid))
    assert found["field"][0] > 0
    assert all(np.isfinite(bound).all() for bound in found.values())


def test_a_probability_runs_from_nothing_to_all_beside_its_margin() -> None:
    share = np.full((3, 3, 4), 20.0, np.float32)
    fields = {"mean": share, "truth": share, "margin": share / 10}
    header, arrays = decode(encode(replace(on_earth(fields=fields), panels=chances("°C"))))
    panels = {panel["id"]: panel for panel in header["panels"]}
    assert list(panels) == ["mean", "truth", "margin", "error"]
    assert panels["mean"]["limits"] == [0, 100]
    assert panels["margin"]["limits"] == [-2, 2]
    assert (panels["mean"]["units"], panels["margin"]["units"]) == ("%", "°C")
    assert panels["mean"]["lut"] == "amp"
    assert np.allclose(values_of(header, arrays, "margin"), 2)


def test_dates_are_sent_as_words() -> None:
    labels = [("0 days", "2014-01-01"), ("1 day", "2014-01-02"), ("2 days", "2014-01-03")]
    header, _ = decode(encode(on_earth(labels=labels)))
    assert header["labels"] == [list(pair) for pair in labels]


@pytest.mark.parametrize("name", TABLES)
def test_a_colour_table_has_256_distinct_steps(name: str) -> None:
    table = colour_table(name)
    assert table.shape == (256, 3)
    assert len(np.unique(table, axis=0)) > 200


def test_the_script_is_valid_javascript(tmp_path: Path) -> None:
    module = tmp_path / "player.mjs"
    module.write_text(SCRIPT, encoding="utf-8")
    try:
        outcome = subprocess.run(["node", "--check", str(module)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no node to check the script with")
    assert outcome.returncode == 0, outcome.stderr
