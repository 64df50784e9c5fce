"""The published nn-benchmark form, in miniature: flat arrays along y first, found through `field_keys`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.datasets import get_dataset
from engine.datasets.published import read_published
from engine.errors import DataError

FRAMES = 3


def write_set(folder: Path, system: str, trajectories: list[dict[str, Any]], arrays: Mapping[str, Any]) -> Path:
    folder.mkdir(parents=True)
    np.savez(folder / "trajectories.npz", **arrays)
    meta = {"system": system, "system_args": {}, "metadata": {}, "trajectories": trajectories}
    (folder / "system_meta.json").write_text(json.dumps(meta))
    return folder


def entry(name: str, field_keys: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "num_time_steps": FRAMES, "time_step_size": 0.08, "noise_sigma": 0, "field_keys": field_keys}


def flow_arrays(index: int) -> dict[str, np.ndarray]:
    """u = x + frame, v = −y, p = 100·x + y + index at point (x, y) in grid steps; index i·42 + j."""
    i, j = np.divmod(np.arange(221 * 42), 42)
    frame = np.arange(FRAMES)[:, None]
    u, v = i + frame + 0.0 * j, -j + 0.0 * (i + frame)
    masks = np.stack([(j == 0) | (j == 41) | (i == 0) | (i == 100), i == 100], axis=-1)
    name = f"traj_{index:05}"
    return {
        f"{name}_solutions": np.stack([u, v], axis=-1),
        f"{name}_pressures": 100.0 * i + j + index + 0.0 * frame,
        f"{name}_t": 0.08 * np.arange(1, FRAMES + 1),
        f"{name}_extra_fixed_mask": masks,
        f"{name}_fixed_mask": masks[:, 0],
        f"{name}_fixed_mask_pressures": masks[:, 1],
    }


def flow_keys(index: int, *masks: str) -> dict[str, str]:
    name = f"traj_{index:05}"
    known = {
        "extra_fixed_mask": f"{name}_extra_fixed_mask",
        "fixed_mask": f"{name}_fixed_mask",
        "fixed_mask_q": f"{name}_fixed_mask_pressures",
    }
    fields = {"p": f"{name}_solutions", "q": f"{name}_pressures", "t": f"{name}_t"}
    return fields | {mask: known[mask] for mask in masks}


@pytest.fixture
def flow_set(tmp_path: Path) -> Path:
    return write_set(
        tmp_path / "ns-runs_eval",
        "navier-stokes",
        [entry(f"traj_{index:05}", flow_keys(index, "extra_fixed_mask")) for index in range(2)],
        flow_arrays(0) | flow_arrays(1),
    )


def test_a_published_flow_lands_on_the_grid(flow_set: Path) -> None:
    runs = read_published(flow_set, get_dataset("navier-stokes"))
    assert [run.name for run in runs] == ["0", "1"]
    y, x = np.mgrid[0:42, 0:221]
    for index, run in enumerate(runs):
        assert run.states.shape == (FRAMES, 3, 42, 221) and run.states.dtype == np.float32
        for frame in range(FRAMES):
            np.testing.assert_array_equal(run.states[frame], np.stack([x + frame, -y, 100 * x + y + index]))
        np.testing.assert_allclose(run.times, [0.08, 0.16, 0.24])


def test_its_masks_are_fixed_and_obstacle(flow_set: Path) -> None:
    run = read_published(flow_set, get_dataset("navier-stokes"))[0]
    y, x = np.mgrid[0:42, 0:221]
    assert run.static.dtype == np.float32
    np.testing.assert_array_equal(run.static[0], (y == 0) | (y == 41) | (x == 0) | (x == 100))
    np.testing.assert_array_equal(run.static[1], x == 100)


def test_a_set_with_one_obstacle_keeps_its_masks_apart(flow_set: Path, tmp_path: Path) -> None:
    single = write_set(
        tmp_path / "single",
        "navier-stokes",
        [entry("traj_00000", flow_keys(0, "fixed_mask", "fixed_mask_q"))],
        flow_arrays(0),
    )
    (run,) = read_published(single, get_dataset("navier-stokes"))
    np.testing.assert_array_equal(run.static, read_published(flow_set, get_dataset("navier-stokes"))[0].static)


def test_arrays_are_found_through_the_field_keys_only(tmp_path: Path) -> None:
    """Names that look right but are not listed must not be read."""
    arrays = flow_arrays(0)
    arrays["stored_elsewhere"] = 2.0 * arrays["traj_00000_pressures"]
    keys = flow_keys(0, "extra_fixed_mask") | {"q": "stored_elsewhere"}
    folder = write_set(tmp_path / "set", "navier-stokes", [entry("traj_00000", keys)], arrays)
    (run,) = read_published(folder, get_dataset("navier-stokes"))
    assert run.states[0, 2, 1, 1] == 2 * 101


def test_a_published_spring_mesh_lands_on_the_lattice(tmp_path: Path) -> None:
    i, j = np.divmod(np.arange(100), 10)
    q = np.stack([i, j], axis=-1) + 0.01 * np.arange(FRAMES)[:, None, None]
    arrays = {
        "traj_00000_p": np.stack([10.0 * i + j, -1.0 * i], axis=-1)[None].repeat(FRAMES, axis=0),
        "traj_00000_q": q,
        "traj_00000_t": 0.00781 * np.arange(FRAMES),
        "traj_00000_fixed_mask": j == 9,
    }
    keys = {name: f"traj_00000_{name}" for name in ("p", "q", "t", "fixed_mask")}
    folder = write_set(tmp_path / "set", "spring-mesh", [entry("traj_00000", keys)], arrays)
    (run,) = read_published(folder, get_dataset("spring-mesh"))
    y, x = np.mgrid[0:10, 0:10]
    np.testing.assert_array_equal(run.states[0], np.stack([10 * x + y, -x, x, y]))
    np.testing.assert_allclose(run.states[2, 2:], np.stack([x, y]) + 0.02, atol=1e-6)
    np.testing.assert_array_equal(run.static, (y == 9)[None])


def test_the_reader_and_the_simulator_agree_on_the_layout_of_the_lattice(tmp_path: Path) -> None:
    from engine.simulators import spring_mesh

    simulated = spring_mesh.simulate_run("test", 0)
    flat = simulated.states[:FRAMES].transpose(0, 3, 2, 1).reshape(FRAMES, 100, 4)  # particle 10i + j
    arrays = {
        "p": flat[..., :2],
        "q": flat[..., 2:],
        "t": simulated.times[:FRAMES],
        "fixed": np.arange(100) % 10 == 9,
    }
    keys = {"p": "p", "q": "q", "t": "t", "fixed_mask": "fixed"}
    folder = write_set(tmp_path / "set", "spring-mesh", [entry("traj_00000", keys)], arrays)
    (run,) = read_published(folder, get_dataset("spring-mesh"))
    np.testing.assert_array_equal(run.states, simulated.states[:FRAMES])
    np.testing.assert_array_equal(run.static, simulated.static)


def test_a_set_of_another_system_is_refused(flow_set: Path) -> None:
    with pytest.raises(DataError, match="'navier-stokes', not 'spring-mesh'"):
        read_published(flow_set, get_dataset("spring-mesh"))


@pytest.mark.parametrize("name", ["system_meta.json", "trajectories.npz"])
def test_a_missing_file_is_named(flow_set: Path, name: str) -> None:
    (flow_set / name).unlink()
    with pytest.raises(DataError, match=f"has no {name}"):
        read_published(flow_set, get_dataset("navier-stokes"))


def test_damaged_files_are_refused(flow_set: Path) -> None:
    arrays = flow_set / "trajectories.npz"
    arrays.write_bytes(arrays.read_bytes()[:-1_000])
    with pytest.raises(DataError, match="not a readable set"):
        read_published(flow_set, get_dataset("navier-stokes"))
    (flow_set / "system_meta.json").write_text("{")
    with pytest.raises(DataError, match="not a readable set"):
        read_published(flow_set, get_dataset("navier-stokes"))


def test_a_listed_array_that_is_absent_is_refused(tmp_path: Path) -> None:
    keys = flow_keys(0, "extra_fixed_mask") | {"p": "gone"}
    folder = write_set(tmp_path / "set", "navier-stokes", [entry("traj_00000", keys)], flow_arrays(0))
    with pytest.raises(DataError, match="gone"):
        read_published(folder, get_dataset("navier-stokes"))


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    arrays = flow_arrays(0) | {"traj_00000_t": np.array([{"code": 1}], dtype=object)}
    keys = flow_keys(0, "extra_fixed_mask")
    folder = write_set(tmp_path / "set", "navier-stokes", [entry("traj_00000", keys)], arrays)
    with pytest.raises(DataError, match="not a readable set"):
        read_published(folder, get_dataset("navier-stokes"))


def test_states_of_another_grid_are_refused(tmp_path: Path) -> None:
    arrays = flow_arrays(0)
    arrays = {name: a[:, : 220 * 42] if a.ndim > 1 and a.shape[0] == FRAMES else a for name, a in arrays.items()}
    keys = flow_keys(0, "extra_fixed_mask")
    folder = write_set(tmp_path / "set", "navier-stokes", [entry("traj_00000", keys)], arrays)
    with pytest.raises(DataError, match="not a readable set"):
        read_published(folder, get_dataset("navier-stokes"))
