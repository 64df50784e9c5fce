"""Making many runs: resumable, the same bytes whatever the workers, refusals in words."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engine.commands import simulate
from engine.errors import DataError, RequestError
from engine.simulators import spring_mesh
from engine.simulators.files import read_simulated, simulated_dir, write_simulated
from engine.simulators.generate import SIMULATORS, generate

ROOT = Path(__file__).resolve().parents[2]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_generated_runs_are_those_of_the_simulator(tmp_path: Path) -> None:
    made = list(generate("spring-mesh", split="validation", out=tmp_path, runs=2, workers=1))
    assert sorted(run.index for run in made) == [0, 1]
    assert [(run.done, run.total, run.skipped) for run in made] == [(1, 2, False), (2, 2, False)]
    expected = spring_mesh.simulate_run("validation", 1)
    stored = read_simulated(tmp_path / "run_0001.npz")
    np.testing.assert_array_equal(stored.states, expected.states)
    np.testing.assert_array_equal(stored.static, expected.static)
    np.testing.assert_array_equal(stored.times, expected.times)
    assert stored.seed == expected.seed
    assert stored.obstacles is None and stored.fine_states is None


def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    for workers in (1, 2):
        list(generate("spring-mesh", split="test", out=tmp_path / str(workers), runs=3, workers=workers))
    one, two = bytes_of(tmp_path / "1"), bytes_of(tmp_path / "2")
    assert one.keys() == {"run_0000.npz", "run_0001.npz", "run_0002.npz"}
    assert one == two


def test_finished_runs_are_skipped_and_damaged_or_partial_ones_replaced(tmp_path: Path) -> None:
    list(generate("spring-mesh", split="test", out=tmp_path, runs=3, workers=1))
    whole = bytes_of(tmp_path)
    changed = whole["run_0001.npz"][:-400]
    (tmp_path / "run_0001.npz").write_bytes(changed)
    (tmp_path / "run_0002.npz").rename(tmp_path / "run_0002.npz.partial")
    again = {run.index: run.skipped for run in generate("spring-mesh", split="test", out=tmp_path, runs=3, workers=1)}
    assert again == {0: True, 1: False, 2: False}
    assert bytes_of(tmp_path) == whole


def test_a_flipped_byte_in_a_stored_run_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    write_simulated(path, spring_mesh.simulate_run("test", 0))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a readable simulated run"):
        read_simulated(path)


def test_a_killed_simulation_continues_where_it_was(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from engine.simulators.generate import generate\n"
        "if __name__ == '__main__':\n"
        f"    list(generate('spring-mesh', split='test', out=Path({str(tmp_path / 'runs')!r}), runs=8, workers=1))\n"
    )
    (tmp_path / "simulate.py").write_text(script)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "simulate.py")], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    first = tmp_path / "runs" / "run_0000.npz"
    while not first.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {path.name for path in (tmp_path / "runs").glob("*.npz")}
    assert 1 <= len(finished) < 8

    again = list(generate("spring-mesh", split="test", out=tmp_path / "runs", runs=8, workers=1))
    skipped = {run.path.name for run in again if run.skipped}
    assert finished <= skipped
    list(generate("spring-mesh", split="test", out=tmp_path / "whole", runs=8, workers=1))
    assert bytes_of(tmp_path / "runs") == bytes_of(tmp_path / "whole")


def test_runs_go_to_the_users_data_folder_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path))
    (made,) = generate("spring-mesh", split="ood", runs=1, workers=1)
    assert made.path == tmp_path / "simulated/spring-mesh/accurate/ood/run_0000.npz"
    assert made.path.parent == simulated_dir("spring-mesh", split="ood")
    assert made.path.exists()


def test_asking_for_one_thread_each_leaves_the_environment_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    list(generate("spring-mesh", split="ood", out=tmp_path, runs=1, workers=1))
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("dataset", SIMULATORS)
def test_every_simulator_has_the_four_splits_and_an_accurate_integrator(dataset: str) -> None:
    simulator = SIMULATORS[dataset]
    assert set(simulator.split_runs) == {"train", "validation", "test", "ood"}
    assert simulator.integrators[0] == "accurate"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"dataset": "sheep-mesh"}, "'sheep-mesh'.*navier-stokes, spring-mesh"),
        ({"split": "exam"}, "'exam'.*train, validation, test, ood"),
        ({"integrator": "reference"}, "'reference'.*accurate"),
        ({"runs": 0}, "runs.*at least 1, not 0"),
        ({"workers": -2}, "workers.*at least 1, not -2"),
        ({"fine": [3]}, r"\[3\]"),
    ],
)
def test_what_cannot_be_simulated_is_refused_before_anything_is_written(
    tmp_path: Path, changes: dict[str, object], named: str
) -> None:
    arguments = argparse.Namespace(
        **{
            "dataset": "spring-mesh",
            "split": "test",
            "integrator": "accurate",
            "out": tmp_path / "runs",
            "runs": 1,
            "workers": 1,
            "fine": [],
            **changes,
        }
    )
    with pytest.raises(RequestError, match=named):
        simulate.run(arguments)
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file.*cannot be written"):
        generate("spring-mesh", split="test", out=tmp_path / "file" / "runs")


def test_the_command_shows_a_line_for_each_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    simulate.add_arguments(parser)
    text = f"spring-mesh --split validation --runs 2 --workers 1 --out {tmp_path}"
    assert simulate.run(parser.parse_args(text.split())) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1/2", "2/2"]
    assert lines[-1].endswith("0:00:00 left")
    assert simulate.run(parser.parse_args(text.split())) == 0
    assert all("already there" in line for line in capsys.readouterr().out.splitlines())
