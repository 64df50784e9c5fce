"""Runs as netCDF files: what goes in comes out, within the stated quantum, from many threads."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from engine.datasets import get_dataset
from engine.datasets.base import Dataset, Run
from engine.datasets.netcdf import BETWEEN, NETCDF_LOCK, open_dataset, read_run, write_run
from engine.errors import DataError
from engine.folders import bundled_dir

OBSTACLES = [[0.5, 0.2, 0.07], [1.25, 0.1, 0.0512345678901234]]


@pytest.fixture
def flow() -> Dataset:
    return get_dataset("navier-stokes")


def make_run(*, frames: int = 5, fine: bool = False, seed: int = 0) -> Run:
    """A run on the channel's grid with smooth fields, zero where the masks say so."""
    random = np.random.default_rng(seed)
    static = np.zeros((2, 42, 221), dtype=np.float32)
    static[1, 10:20, 30:40] = 1.0
    static[0] = static[1]
    static[0, [0, -1]] = static[0, :, 0] = 1.0

    def fields(count: int) -> np.ndarray:
        states = random.normal(size=(count, 3, 42, 221)).cumsum(axis=-1) * 0.05 + 0.3
        return (states * (static[0] == 0)).astype(np.float32)

    return Run(
        name="3",
        states=fields(frames),
        static=static,
        times=0.08 * np.arange(1, frames + 1),
        fine_states=fields(4 * frames) if fine else None,
        fine_times=0.02 * np.arange(1, 4 * frames + 1) if fine else None,
        attributes={"obstacles": json.dumps(OBSTACLES), "seed": "7"},
    )


def write(path: Path, run: Run, dataset: Dataset, **options: float) -> Path:
    write_run(path, run, dataset, source="made up for a test", **options)
    return path


def raw(path: Path) -> netCDF4.Dataset:
    return netCDF4.Dataset(path)


def test_a_run_comes_back_within_half_a_quantum(tmp_path: Path, flow: Dataset) -> None:
    run = make_run(fine=True)
    path = write(tmp_path / "test-3.nc", run, flow)
    back = read_run(path, flow)
    assert back.name == "3"
    np.testing.assert_array_equal(back.times, run.times)
    np.testing.assert_array_equal(back.static, run.static)
    assert back.fine_states is not None and back.fine_times is not None and run.fine_states is not None
    np.testing.assert_array_equal(back.fine_times, run.fine_times)
    with NETCDF_LOCK, raw(path) as file:
        stored = (("", run.states, back.states, 1), ("fine_", run.fine_states, back.fine_states, BETWEEN))
        for prefix, before, after, coarser in stored:
            assert after.dtype == np.float32 and after.shape == before.shape
            for index, name in enumerate("uvp"):
                quantum = file[f"{prefix}{name}"].quantum
                assert quantum <= coarser * 1e-4 * np.ptp(before[:, index])
                assert np.abs(after[:, index] - before[:, index]).max() <= 0.5001 * quantum


def test_zeros_come_back_as_zeros(tmp_path: Path, flow: Dataset) -> None:
    run = make_run()
    back = read_run(write(tmp_path / "r.nc", run, flow), flow)
    assert (run.static[0] == 1).sum() > 0
    assert not back.states[..., run.static[0] == 1].any()


def test_the_extremes_of_a_wide_range_fit_into_sixteen_bits(tmp_path: Path, flow: Dataset) -> None:
    for high in (1.0, 0.99999, 0.50001, 131.07, 3e-9):
        run = make_run(frames=1)
        run.states[:] = 0.0
        run.states[0, :, 5, 5], run.states[0, :, 6, 6] = high, -0.3 * high
        back = read_run(write(tmp_path / "r.nc", run, flow), flow)
        np.testing.assert_allclose(back.states, run.states, atol=0.5001 * 1e-4 * 1.3 * high)


def test_a_constant_field_comes_back_exactly(tmp_path: Path, flow: Dataset) -> None:
    run = make_run()
    run.states[:, 2] = 0.1
    np.testing.assert_array_equal(read_run(write(tmp_path / "r.nc", run, flow), flow).states[:, 2], run.states[:, 2])


def test_whole_numbers_of_the_lattice_come_back_exactly(tmp_path: Path) -> None:
    mesh = get_dataset("spring-mesh")
    y, x = np.mgrid[0:10, 0:10].astype(np.float32)
    states = np.stack([0 * x, 0 * x, x, y])[None].repeat(3, axis=0)
    states[:, :, 0, 0] += 0.123
    run = Run("0", states, (y == 9)[None].astype(np.float32), 0.00781 * np.arange(3))
    back = read_run(write(tmp_path / "ood-0.nc", run, mesh), mesh)
    assert back.name == "ood-0"
    np.testing.assert_array_equal(back.states[..., 1:, 1:], states[..., 1:, 1:])
    assert back.fine_states is None and "obstacles" not in back.attributes


def test_a_coarser_step_makes_a_smaller_file(tmp_path: Path, flow: Dataset) -> None:
    run = make_run()
    fine, coarse = write(tmp_path / "f.nc", run, flow), write(tmp_path / "c.nc", run, flow, step=5e-5)
    assert coarse.stat().st_size < fine.stat().st_size
    error = np.abs(read_run(coarse, flow).states - run.states).max(axis=(0, 2, 3))
    assert (error <= 0.5001e-4 * np.ptp(run.states, axis=(0, 2, 3))).all()


def test_obstacles_and_other_attributes_come_back(tmp_path: Path, flow: Dataset) -> None:
    back = read_run(write(tmp_path / "r.nc", make_run(), flow), flow)
    assert json.loads(back.attributes["obstacles"]) == OBSTACLES
    assert back.attributes["seed"] == "7"


def test_the_file_says_what_it_is_after_the_cf_conventions(tmp_path: Path, flow: Dataset) -> None:
    path = write(tmp_path / "test-0.nc", make_run(fine=True), flow)
    with NETCDF_LOCK, raw(path) as file:
        assert file.Conventions == "CF-1.11"
        for name in ("title", "source", "license", "history"):
            assert file.getncattr(name)
        assert file["u"].dimensions == ("time", "y", "x")
        assert file["u"].dtype == np.int16 and file["u"].units == "m s-1" and file["u"].long_name
        assert file["fine_p"].dimensions == ("fine_time", "y", "x")
        assert file["time"].units == "s" and file["fine_time"].units == "s" and file["x"].units == "m"
        assert file["fixed"].dtype == np.int8 and file["fixed"].dimensions == ("y", "x")
        assert file["obstacle_radius"].units == "m"
        assert str(tmp_path) not in str(file)


def test_the_same_run_makes_the_same_bytes(tmp_path: Path, flow: Dataset) -> None:
    paths = [write(tmp_path / name, make_run(), flow) for name in ("a.nc", "b.nc")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_eight_threads_read_at_once(tmp_path: Path, flow: Dataset) -> None:
    runs = [make_run(seed=seed) for seed in range(8)]
    paths = [write(tmp_path / f"{index}.nc", run, flow) for index, run in enumerate(runs)]
    alone = [read_run(path, flow).states for path in paths]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(6):
            together = list(pool.map(lambda path: read_run(path, flow).states, paths))
            for first, second in zip(alone, together, strict=True):
                np.testing.assert_array_equal(first, second)


def test_threads_write_and_read_at_once(tmp_path: Path, flow: Dataset) -> None:
    runs = [make_run(frames=2, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(write, tmp_path / f"{index}.nc", run, flow) for index, run in enumerate(runs)]
        paths = [job.result() for job in jobs]
        for run, back in zip(runs, pool.map(lambda path: read_run(path, flow), paths), strict=True):
            np.testing.assert_allclose(back.states, run.states, atol=1e-3)


def test_an_opened_file_is_in_memory_and_closed(tmp_path: Path, flow: Dataset) -> None:
    path = write(tmp_path / "r.nc", make_run(), flow)
    content = open_dataset(path)
    path.unlink()
    assert content["u"].shape == (5, 42, 221)


def test_an_absent_file_is_named(tmp_path: Path, flow: Dataset) -> None:
    with pytest.raises(DataError, match=r"no file .*test-9\.nc"):
        read_run(tmp_path / "test-9.nc", flow)


@pytest.mark.parametrize("part", [0, 100, 5_000, -2_000])
def test_a_truncated_file_is_refused(tmp_path: Path, flow: Dataset, part: int) -> None:
    path = write(tmp_path / "r.nc", make_run(), flow)
    path.write_bytes(path.read_bytes()[:part])
    with pytest.raises(DataError, match="damaged or not a netCDF file"):
        read_run(path, flow)


def test_a_damaged_field_is_refused(tmp_path: Path, flow: Dataset) -> None:
    path = write(tmp_path / "r.nc", make_run(), flow)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2_000] = bytes(2_000)
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_run(path, flow)


def test_a_text_file_is_refused(tmp_path: Path, flow: Dataset) -> None:
    path = tmp_path / "test-0.nc"
    path.write_text("u,v,p\n1,2,3\n")
    with pytest.raises(DataError, match="damaged or not a netCDF file"):
        read_run(path, flow)


def test_a_run_of_another_data_set_is_refused(tmp_path: Path, flow: Dataset) -> None:
    path = write(tmp_path / "test-0.nc", make_run(), flow)
    with pytest.raises(DataError, match="no variable 'p_x'"):
        read_run(path, get_dataset("spring-mesh"))


def test_fields_on_another_grid_are_refused(tmp_path: Path, flow: Dataset) -> None:
    path = tmp_path / "test-0.nc"
    with NETCDF_LOCK, netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 2), ("y", 3), ("x", 4)):
            file.createDimension(name, size)
        for name in "uvp":
            file.createVariable(name, "f4", ("time", "y", "x"))[:] = 0.0
    with pytest.raises(DataError, match=r"'u' in .*'y': 3.* on 42 × 221 points"):
        read_run(path, flow)


def test_a_missing_value_is_refused(tmp_path: Path, flow: Dataset) -> None:
    path = write(tmp_path / "test-0.nc", make_run(), flow)
    with NETCDF_LOCK, netCDF4.Dataset(path, "a") as file:
        file["v"].set_auto_maskandscale(False)
        file["v"][2, 3, 4] = file["v"]._FillValue
    with pytest.raises(DataError, match=r"'v' in .* missing values"):
        read_run(path, flow)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, flow: Dataset) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be written"):
        write(tmp_path / "file" / "r.nc", make_run(), flow)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, flow: Dataset) -> None:
    path = write(tmp_path / "r.nc", make_run(), flow)
    before = path.read_bytes()
    wrong = replace(make_run(), static=np.zeros((1, 42, 221), dtype=np.float32))
    with pytest.raises(ValueError, match="zip"):
        write(path, wrong, flow)
    assert path.read_bytes() == before


def test_the_bundled_files_are_those_of_the_checksums() -> None:
    lines = (bundled_dir() / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = {
        path.relative_to(bundled_dir()).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in bundled_dir().rglob("*.nc")
    }
    assert listed and found == listed


@pytest.mark.parametrize(("name", "frames", "test", "ood"), [("navier-stokes", 65, 5, 2), ("spring-mesh", 805, 15, 3)])
def test_every_bundled_run_is_readable_and_keeps_its_boundaries(name: str, frames: int, test: int, ood: int) -> None:
    dataset = get_dataset(name)
    assert dataset.runs() == (*map(str, range(test)), *(f"ood-{index}" for index in range(ood)))
    for run_name in dataset.runs():
        run = dataset.load(run_name)
        assert run.name == run_name and run.states.shape[0] == frames
        assert run.times[1] - run.times[0] == pytest.approx(dataset.time_step)
        at_rest = [0, 1]  # velocity or momentum
        held = run.static[0] == 1
        held[:, 0] &= name == "spring-mesh"  # the inlet is held, but not at rest
        assert not run.states[:, at_rest][..., held].any()


def test_the_finer_frames_of_the_first_flow_meet_its_frames() -> None:
    run = get_dataset("navier-stokes").load("0")
    assert run.fine_states is not None and run.fine_times is not None
    np.testing.assert_allclose(run.fine_times[3::4], run.times, atol=1e-12)
    # Both are rounded: frames to half of 1e-4 of a range of about 8, those between to BETWEEN times that.
    np.testing.assert_allclose(run.fine_states[3::4], run.states, atol=(1 + BETWEEN) * 4e-4)
