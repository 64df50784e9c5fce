"""Moments of an ensemble against plain numpy and numbers worked by hand."""

import numpy as np
import pytest
import xarray as xr

from engine.moments import QUANTILES, moments

MEMBERS = np.random.default_rng(3).normal(2, 1, (7, 3, 4, 5)).astype(np.float32)


def ensemble(values: np.ndarray = MEMBERS) -> xr.Dataset:
    dims = ("member", "lead", "y", "x")
    return xr.Dataset(
        {
            "u": (dims, values, {"units": "m s-1", "long_name": "velocity"}),
            "u_init": (dims[2:], values[0, 0], {"units": "m s-1"}),
        },
        {"member": np.arange(len(values)), "lead": np.arange(1.0, values.shape[1] + 1)},
        {"title": "flow"},
    )


def test_mean_and_standard_deviation_of_two_members_worked_by_hand() -> None:
    values = np.array([1.0, 4.0], np.float32).reshape(2, 1, 1, 1)
    found = moments(ensemble(values))
    assert found["u_mean"].item() == 2.5
    assert found["u_standard_deviation"].item() == pytest.approx(np.sqrt(4.5))  # (1.5² + 1.5²) / (2 − 1)


def test_moments_are_those_of_numpy_over_the_members() -> None:
    found = moments(ensemble(), quantiles=QUANTILES)
    np.testing.assert_allclose(found["u_mean"], MEMBERS.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found["u_standard_deviation"], MEMBERS.std(axis=0, ddof=1), rtol=1e-5)
    assert found["u_quantile"].dims == ("quantile", "lead", "y", "x")
    np.testing.assert_allclose(found["u_quantile"], np.quantile(MEMBERS, QUANTILES, axis=0), rtol=1e-6)
    assert {str(found[name].dtype) for name in ("u_mean", "u_standard_deviation", "u_quantile")} == {"float32"}


def test_the_median_of_seven_members_is_the_fourth_of_them() -> None:
    found = moments(ensemble(), quantiles=(0.5,))
    np.testing.assert_array_equal(found["u_quantile"].squeeze("quantile"), np.sort(MEMBERS, axis=0)[3])


def test_moments_say_what_they_are() -> None:
    found = moments(ensemble(), quantiles=QUANTILES)
    assert found["u_mean"].attrs == {
        "units": "m s-1",
        "long_name": "ensemble mean of velocity",
        "cell_methods": "realization: mean",
    }
    assert "M - 1" in found["u_standard_deviation"].attrs["cell_methods"]
    assert found["quantile"].attrs["units"] == "1"
    assert found.attrs == {"title": "flow", "members": 7}


def test_no_member_is_left_and_what_has_none_stays() -> None:
    found = moments(ensemble())
    assert "member" not in found.dims and "member" not in found.coords and "u" not in found
    np.testing.assert_array_equal(found["u_init"], MEMBERS[0, 0])


def test_one_member_has_a_mean_and_no_standard_deviation() -> None:
    found = moments(ensemble(MEMBERS[:1]), quantiles=QUANTILES)
    np.testing.assert_array_equal(found["u_mean"], MEMBERS[0])
    assert found["u_standard_deviation"].isnull().all()
    np.testing.assert_array_equal(found["u_quantile"].isel(quantile=0), MEMBERS[0])


def test_a_cell_without_a_value_in_one_member_has_no_moments() -> None:
    values = MEMBERS.copy()
    values[2, 1, 0, 0] = np.nan
    found = moments(ensemble(values), quantiles=QUANTILES)
    for name in ("u_mean", "u_standard_deviation", "u_quantile"):
        assert found[name].isel(lead=1, y=0, x=0).isnull().all()
        assert found[name].isel(lead=0).notnull().all()
