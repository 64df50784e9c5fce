"""The service when things go wrong around it: killed, short of disk, damaged. Nothing wrong is ever served."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from engine.cache import ArrayCache
from engine.forecasting import ForecastRequest, forecast
from tests.engine.conftest import ROOT, run_python

PATIENCE = 120.0  # s; only a broken test needs as long


@pytest.fixture
def request_of(mesh_model: str) -> Callable[[int], ForecastRequest]:
    """A small forecast by its seed: 6 members, three windows, states on the way and refined ones."""
    asked = ForecastRequest("spring-mesh", model=mesh_model, steps=402, members=6, refine=True)
    return lambda seed: replace(asked, seed=seed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "arrays"


def agree(found: xr.Dataset, expected: xr.Dataset) -> bool:
    return all(np.allclose(found[name], expected[name], rtol=0, atol=1e-5) for name in expected.data_vars)


WRITER = """
    import sys
    from itertools import count
    from pathlib import Path
    from engine.cache import ArrayCache
    from engine.forecasting import ForecastRequest, forecast
    store = ArrayCache(Path(sys.argv[1]))
    for seed in count(int(sys.argv[3])):
        print(seed, flush=True)
        request = ForecastRequest("spring-mesh", model=sys.argv[2], steps=402, members=6, refine=True, seed=seed)
        forecast(request, cache=store)
"""


def kill_writers(times: int, folder: Path, request_of: Callable[[int], ForecastRequest]) -> int:
    """Kill a process that stores forecasts, at random moments; returns how many of its forecasts were looked at.

    After each death, whatever is stored must give the forecast that is computed without a store.
    """
    moments, seed, looked_at = random.Random(4), 0, 0
    for _ in range(times):
        writer = run_python(WRITER, str(folder), str(request_of(0).model), str(seed))
        assert writer.stdout is not None
        assert writer.stdout.readline().strip() == str(seed)
        time.sleep(moments.uniform(0.0, 1.0))
        writer.send_signal(signal.SIGKILL)
        begun = [seed, *map(int, writer.communicate(timeout=PATIENCE)[0].split())]
        store = ArrayCache(folder)
        for each in begun[-2:]:  # the one under way, and the last that was finished
            assert agree(forecast(request_of(each), cache=store), forecast(request_of(each)))
            looked_at += 1
        assert store.problem is None
        seed = begun[-1] + 1
    return looked_at


def test_a_process_killed_in_mid_write_leaves_nothing_wrong_behind(
    folder: Path, request_of: Callable[[int], ForecastRequest]
) -> None:
    assert kill_writers(5, folder, request_of) >= 5


@pytest.mark.soak
def test_fifty_processes_killed_in_mid_write_leave_nothing_wrong_behind(
    folder: Path, request_of: Callable[[int], ForecastRequest]
) -> None:
    assert kill_writers(50, folder, request_of) >= 50


def test_two_processes_with_one_store_forecast_what_one_without_does(
    folder: Path, request_of: Callable[[int], ForecastRequest], tmp_path: Path
) -> None:
    script = """
        import sys
        from pathlib import Path
        from engine.cache import ArrayCache
        from engine.forecasting import ForecastRequest, forecast
        members = int(sys.argv[4])
        request = ForecastRequest("spring-mesh", model=sys.argv[2], steps=402, members=members, refine=True, seed=1)
        forecast(request, cache=ArrayCache(Path(sys.argv[1]))).to_netcdf(sys.argv[3])
    """
    outputs = [tmp_path / "four.nc", tmp_path / "six.nc"]
    model = str(request_of(1).model)
    processes = [
        run_python(script, str(folder), model, str(output), count) for output, count in zip(outputs, "46", strict=True)
    ]
    for process in processes:
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    expected = forecast(request_of(1))
    for output, members in zip(outputs, (4, 6), strict=True):
        with xr.open_dataset(output) as found:
            assert agree(found, expected.isel(member=slice(0, members)))


def damage_by_truncating(files: list[Path]) -> None:
    for path in files:
        path.write_bytes(path.read_bytes()[:-100])


def damage_by_flipping_a_bit(files: list[Path]) -> None:
    for path in files:
        content = bytearray(path.read_bytes())
        content[-40] ^= 4
        path.write_bytes(content)


def damage_by_swapping(files: list[Path]) -> None:
    contents = [path.read_bytes() for path in files]
    for path, content in zip(files, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)


def damage_by_deleting(files: list[Path]) -> None:
    for path in files:
        path.unlink()


@pytest.mark.parametrize(
    "damage", [damage_by_truncating, damage_by_flipping_a_bit, damage_by_swapping, damage_by_deleting]
)
def test_damaged_files_are_computed_anew(
    damage: Callable[[list[Path]], None], folder: Path, request_of: Callable[[int], ForecastRequest]
) -> None:
    expected = forecast(request_of(2), cache=ArrayCache(folder))
    files = sorted((folder / "files").glob("*.npy"))
    assert len(files) > 10
    damage(files)
    store = ArrayCache(folder)
    assert agree(forecast(request_of(2), cache=store), expected)
    assert agree(forecast(request_of(2), cache=store), expected)
    assert store.problem is None


def test_a_database_garbled_while_it_is_open_costs_no_forecast(
    folder: Path, request_of: Callable[[int], ForecastRequest]
) -> None:
    store = ArrayCache(folder)
    expected = forecast(request_of(3), cache=store)
    for path in (folder / "index").iterdir():
        if path.is_file():
            path.write_bytes(b"no database" * 1000)
    for _ in range(2):
        assert agree(forecast(request_of(3), cache=store), expected)
    assert agree(forecast(request_of(3), cache=ArrayCache(folder)), expected)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("A small file system cannot be mounted here.")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_said_and_the_forecast_is_right(
    small_disk: Path, request_of: Callable[[int], ForecastRequest]
) -> None:
    store = ArrayCache(small_disk / "arrays")
    expected = forecast(request_of(4))
    for _ in range(2):
        assert agree(forecast(request_of(4), cache=store), expected)
    assert store.problem is not None and "not being stored" in store.problem


def test_files_over_a_quota_are_not_stored_and_the_forecast_is_right(
    folder: Path, request_of: Callable[[int], ForecastRequest], tmp_path: Path
) -> None:
    script = """
        import resource, signal, sys
        from pathlib import Path
        from engine.cache import ArrayCache
        from engine.forecasting import ForecastRequest, forecast
        request = ForecastRequest("spring-mesh", model=sys.argv[2], steps=402, members=6, refine=True, seed=5)
        store = ArrayCache(Path(sys.argv[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        result = forecast(request, cache=store)
        print(store.problem)
        sys.stdout.flush()
        sys.stdout.buffer.write(result["q_x"].values.tobytes())
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder), str(request_of(5).model)],
        cwd=ROOT,
        capture_output=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert found.returncode == 0, found.stderr.decode()
    said, _, numbers = found.stdout.partition(b"\n")
    expected = forecast(request_of(5))["q_x"].values
    assert np.allclose(np.frombuffer(numbers, np.float32).reshape(expected.shape), expected, rtol=0, atol=1e-5)
    assert b"not being stored" in said
