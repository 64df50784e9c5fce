"""Physical diagnostics against closed forms, the simulators' own numbers, and bundled truths."""

import numpy as np
import pytest
import xarray as xr

from engine.case import Case
from engine.datasets import get_dataset
from engine.datasets.base import Dataset, axes_of
from engine.indices import INDICES
from engine.physics import (
    PHYSICS,
    Grid,
    basin_mean,
    consistency,
    divergence,
    index_mean,
    kinetic_energy,
    slip,
    speed_beside_walls,
    spring_energy,
)
from engine.record_evaluation import score_record_forecast
from engine.simulators import spring_mesh
from engine.variables import CLIMATOLOGY

X, Y = np.linspace(0, 2, 21), np.linspace(0, 1, 11)
ALONG, ACROSS = np.meshgrid(X, Y)


def channel() -> np.ndarray:
    """Free cells: not the walls above and below, not the inlet, not a square obstacle."""
    free = np.ones((11, 21), bool)
    free[[0, -1]] = free[:, 0] = False
    free[4:7, 8:11] = False
    return free


GRID = Grid(X, Y, channel())


def test_solid_rotation_is_free_of_divergence() -> None:
    fields = {"u": -(ACROSS - 0.5), "v": ALONG - 1}
    np.testing.assert_allclose(divergence(fields, GRID), 0, atol=1e-12)


def test_a_source_of_constant_strength_has_its_divergence_everywhere() -> None:
    fields = {"u": np.stack([2 * ALONG, ALONG]), "v": np.stack([3 * ACROSS, -ACROSS])}
    np.testing.assert_allclose(divergence(fields, GRID), [5, 0], atol=1e-12)


def test_what_lies_on_walls_and_beside_them_does_not_count_in_the_divergence() -> None:
    random = np.random.default_rng(0)
    fields = {"u": ALONG.copy(), "v": ACROSS.copy()}
    fields["u"][~GRID.free] = random.normal(size=(~GRID.free).sum())
    np.testing.assert_allclose(divergence(fields, GRID), 2, atol=1e-12)


def test_a_uniform_stream_slips_along_walls_and_has_half_its_speed_squared_as_energy() -> None:
    fields = {"u": np.full((3, 11, 21), 3.0), "v": np.full((3, 11, 21), 4.0)}
    np.testing.assert_allclose(slip(fields, GRID), 5)
    np.testing.assert_allclose(speed_beside_walls(fields, GRID), 5)
    np.testing.assert_allclose(kinetic_energy(fields, GRID), 12.5)


def test_a_stream_that_stands_still_on_walls_does_not_slip_whatever_comes_in() -> None:
    u = np.where(GRID.free, 3.0, 0.0)
    u[:, 0] = 7  # the inlet
    assert slip({"u": u, "v": 0 * u}, GRID) == 0


def test_the_speed_beside_walls_is_that_of_the_cells_that_touch_them() -> None:
    u = np.zeros((11, 21))
    u[1, 5] = u[3, 9] = 2  # beside the lower wall, and below the obstacle
    u[5, 15] = 100  # in the open
    count = 2 * 18 + 12  # along both walls from the third to the last but one cell, and around the square
    np.testing.assert_allclose(speed_beside_walls({"u": u, "v": 0 * u}, GRID), np.sqrt(8 / count))


def at_rest() -> dict[str, np.ndarray]:
    y, x = np.mgrid[0:10, 0:10].astype(np.float64)
    return {"p_x": 0 * x, "p_y": 0 * x, "q_x": x, "q_y": y}


MESH = Grid(np.arange(10.0), np.arange(10.0), ~spring_mesh.fixed_mask())


def test_a_mesh_at_rest_has_no_energy_and_a_moving_mass_half_its_momentum_squared() -> None:
    fields = at_rest()
    assert spring_energy(fields, MESH) == pytest.approx(0)
    fields["p_x"][2, 3], fields["p_y"][4, 4] = 3.0, 4.0
    assert spring_energy(fields, MESH) == pytest.approx(4.5 + 8)


def test_a_mesh_stretched_along_x_has_the_elastic_energy_of_its_springs() -> None:
    fields = at_rest()
    fields["q_x"] = 1.1 * fields["q_x"]
    along, diagonal = 90 * 0.1**2, 2 * 81 * (np.hypot(1.1, 1) - np.sqrt(2)) ** 2
    assert spring_energy(fields, MESH) == pytest.approx(0.5 * (along + diagonal))


def truth_case(name: str, run: str, first: int, steps: int) -> Case:
    """A forecast of two members that is the truth of a bundled run."""
    dataset = get_dataset(name)
    trajectory = dataset.load(run)
    states = trajectory.states[first + 1 : first + 1 + steps]
    truth = {channel.name: states[:, index] for index, channel in enumerate(dataset.channels)}
    y, x = (axis.values for axis in axes_of(dataset, trajectory))
    return Case(
        name,
        np.arange(1.0, steps + 1),
        {key: np.stack([values, values]) for key, values in truth.items()},
        truth,
        x,
        y,
        dataset.scored(trajectory),
        _climatology(dataset, run, first, steps),
    )


def _climatology(dataset: Dataset, run: str, first: int, steps: int) -> dict[str, np.ndarray]:
    if dataset.calendar is None:
        return {}
    trajectory = dataset.load(run)
    times = trajectory.times[first + 1 : first + 1 + steps]
    return {CLIMATOLOGY: dataset.background(trajectory).series([dataset.season(float(t)) for t in times])[:, 0]}


def test_the_energy_of_a_bundled_mesh_falls_by_what_damping_takes() -> None:
    run = get_dataset("spring-mesh").load("0")
    found = consistency(truth_case("spring-mesh", "0", 0, 804))
    energy = np.concatenate([[spring_mesh.energy(run.states[0].astype(np.float64))], found["total_energy_truth"]])
    assert energy[-1] < 0.6 * energy[0]
    power = spring_mesh.DAMPING * (run.states[:, :2].astype(np.float64) ** 2).sum(axis=(1, 2, 3))
    lost = np.concatenate([[0.0], np.cumsum((power[1:] + power[:-1]) / 2 * spring_mesh.TIME_STEP)])
    np.testing.assert_allclose(energy + lost, energy[0], rtol=1e-3)  # the file is rounded


def test_the_energy_of_an_exact_mesh_only_falls() -> None:
    start = spring_mesh.initial_state(np.random.default_rng(0), 0.0, 0.35)
    states = spring_mesh.integrate(start, frames=120)
    fields = {name: states[:, index] for index, name in enumerate(("p_x", "p_y", "q_x", "q_y"))}
    assert (np.diff(spring_energy(fields, MESH)) < 0).all()


def test_the_flow_of_a_bundled_run_stands_still_on_walls_and_is_nearly_free_of_divergence() -> None:
    case = truth_case("navier-stokes", "0", 16, 8)
    found = consistency(case)
    assert (found["slip_truth"] == 0).all()
    grid = Grid(case.x, case.y, case.scored)
    shuffled = {name: values[:, ::-1] for name, values in case.truth.items()}  # upside down, u against v
    of_other = divergence({"u": case.truth["u"], "v": shuffled["v"]}, grid)
    assert (found["divergence_truth"].values < 0.5 * of_other).all()
    assert (found["beside_walls_truth"] < np.sqrt(2 * found["kinetic_energy_truth"])).all()


def test_members_that_are_the_truth_have_its_numbers() -> None:
    for name, run in (("navier-stokes", "0"), ("spring-mesh", "1"), ("sst-monthly", "pacific")):
        found = consistency(truth_case(name, run, 20, 6))
        for each in PHYSICS[name]:
            np.testing.assert_array_equal(found[each.name].sel(member=1), found[f"{each.name}_truth"], err_msg=name)
            assert found[each.name].attrs["units"] == each.units


def test_the_mean_over_the_sea_counts_cells_by_their_area() -> None:
    lat, lon = np.array([0.0, 60.0]), np.array([100.0, 101.0])
    grid = Grid(lon, lat, np.array([[True, True], [True, False]]))
    fields = {"sst": np.array([[3.0, 3.0], [10.0, np.nan]]), CLIMATOLOGY: np.ones((2, 2))}
    assert basin_mean(fields, grid) == pytest.approx((2 * 2 + 0.5 * 9) / 2.5)


def test_the_index_is_the_one_that_evaluations_score() -> None:
    dataset, case = get_dataset("sst-monthly"), truth_case("sst-monthly", "pacific", 420, 6)
    found = consistency(case)
    dims = ("member", "lead", "lat", "lon")
    forecast = xr.Dataset({"sst": (dims, case.members["sst"])}, {"lead": case.leads, "lat": case.y, "lon": case.x})
    scored = score_record_forecast(forecast, dataset.load("pacific"), 420, dataset).sel(channel="nino34")
    np.testing.assert_allclose(found["nino34_truth"], scored["truth"], rtol=1e-5)
    np.testing.assert_allclose(found["nino34"].mean("member"), scored["mean"], rtol=1e-5)


def test_an_index_beyond_the_grid_is_not_known() -> None:
    grid = Grid(np.arange(0.0, 10), np.arange(30.0, 40), np.ones((10, 10), bool))
    fields = {"sst": np.ones((10, 10)), CLIMATOLOGY: np.zeros((10, 10))}
    assert np.isnan(index_mean(INDICES["nino34"])(fields, grid))
