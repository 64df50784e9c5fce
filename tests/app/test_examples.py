"""The stored example: written small, read back as it was, and refused in words where it is damaged."""

from pathlib import Path

import numpy as np
import pytest

from app import examples
from app.examples import LEVELS, MEMBER_STEP, load_example, write_example
from app.summary import Summary
from engine.datasets import get_dataset
from engine.errors import DataError
from engine.variables import variable_named, variables_of
from tests.app.fakes import BUNDLED, forecast_summary


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "example.nc"
    monkeypatch.setattr(examples, "example_path", lambda dataset: path)
    return path


def summary(dataset: str, steps: int = 6) -> Summary:
    return forecast_summary(dataset, 2, steps=steps, members=4)


SIMULATED = [name for name in BUNDLED if get_dataset(name).calendar is None]


@pytest.mark.parametrize("dataset", SIMULATED)
def test_an_example_comes_back_to_half_a_step(dataset: str, stored: Path) -> None:
    written = summary(dataset)
    write_example(written, stored)
    read = load_example(dataset)
    assert read.request == written.request
    assert (read.members, read.init_time) == (written.members, written.init_time)
    np.testing.assert_array_equal(read.leads, written.leads)
    np.testing.assert_array_equal(read.solid, written.solid)
    for variable in variables_of(dataset):
        before, after = written.maps(variable), read.maps(variable)
        np.testing.assert_array_equal(after.truth, before.truth)
        np.testing.assert_allclose(after.scores.crps, before.scores.crps, rtol=1e-6)
        for kind in ("mean", "spread"):
            values = getattr(before, kind)[1:]
            step = float(values.max() - values.min()) / LEVELS[kind]
            assert np.abs(getattr(after, kind)[1:] - values).max() <= 0.51 * step


def test_an_example_of_observed_data_comes_back_with_every_member(stored: Path) -> None:
    written = summary("sst-monthly")
    write_example(written, stored)
    read = load_example("sst-monthly")
    assert (read.request, read.members, read.baseline) == (written.request, written.members, written.baseline)
    np.testing.assert_array_equal(read.times, written.times)
    np.testing.assert_array_equal(read.solid, written.solid)
    assert read.ensemble is not None
    assert written.ensemble is not None
    before, after = written.ensemble.members["sst"], read.ensemble.members["sst"]
    np.testing.assert_array_equal(np.isnan(after), np.isnan(before))
    assert np.nanmax(np.abs(after - before)) <= 0.51 * MEMBER_STEP
    for name in ("anomaly", "sst"):
        maps, stored_maps = (each.maps(variable_named("sst-monthly", name)) for each in (written, read))
        np.testing.assert_array_equal(stored_maps.truth, maps.truth)
        np.testing.assert_allclose(stored_maps.mean, maps.mean, atol=0.51 * MEMBER_STEP)


def test_a_missing_example_is_named(stored: Path) -> None:
    with pytest.raises(DataError, match="no stored example for spring-mesh"):
        load_example("spring-mesh")


@pytest.mark.parametrize("content", [b"", b"not netCDF", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_damaged_example_is_refused_in_words(content: bytes, stored: Path) -> None:
    stored.write_bytes(content)
    with pytest.raises(DataError):
        load_example("spring-mesh")


def test_an_example_of_another_data_set_is_refused_in_words(stored: Path) -> None:
    write_example(summary("navier-stokes", steps=2), stored)
    with pytest.raises(DataError, match="make it anew"):
        load_example("spring-mesh")


@pytest.mark.parametrize("dataset", BUNDLED)
def test_the_bundled_example_is_small_and_readable(dataset: str) -> None:
    path = examples.example_path(dataset)
    assert path.is_file(), f"tools/make_examples.py has not been run for {dataset}"
    assert path.stat().st_size <= 1_500_000
    assert load_example(dataset).members >= 2
