"""The command line: what it prints and writes, and one sentence with exit code 2 for whatever it refuses."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from engine.__main__ import main
from engine.commands import COMMANDS
from engine.datasets import get_dataset
from engine.errors import EngineError


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert verb in capsys.readouterr().out


def test_forecast_writes_a_netcdf_file_that_holds_the_request(mesh_model: str, tmp_path: Path) -> None:
    out = tmp_path / "f.nc"
    words = f"forecast --dataset spring-mesh --model {mesh_model} --members 2 --steps 5 --output-leads 0.5 --out {out}"
    assert main(words.split()) == 0
    with xr.open_dataset(out) as result:
        assert dict(result.sizes) == {"member": 2, "lead": 6, "y": 10, "x": 10}
        assert np.isfinite(result.q_x.values).all()
        assert '"members": 2' in result.attrs["request"]


def test_datasets_and_schedules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets"]) == 0
    assert main(["schedules", "stride4", "--horizon", "16"]) == 0
    printed = capsys.readouterr().out
    assert "navier-stokes" in printed
    assert "spring-mesh" in printed
    assert "0, 4, 8, 12" in printed


REFUSED = [
    ("forecast --dataset weather --out {out}", "weather"),
    ("forecast --dataset spring-mesh --model {model} --init 999999999 --out {out}", "999999999"),
    ("forecast --dataset spring-mesh --model {model} --init 0:805 --out {out}", "805"),
    ("forecast --dataset spring-mesh --model {model} --members 0 --out {out}", "members is 0"),
    ("forecast --dataset spring-mesh --model {model} --members 1000000 --out {out}", "1000000"),
    ("forecast --dataset spring-mesh --model {model} --steps 999999 --members 900 --out {out}", "GiB"),
    ("forecast --dataset spring-mesh --model {model} --schedule 5,3 --out {out}", "does not rise"),
    ("forecast --dataset spring-mesh --model {model} --schedule nan --out {out}", "finite"),
    ("forecast --dataset spring-mesh --model {model} --device abacus --out {out}", "abacus"),
    ("forecast --dataset spring-mesh --model no-such --out {out}", "no-such"),
    ("forecast --dataset spring-mesh --model {model} --out {out}/not/there/f.nc", "does not exist"),
    ("train weather --stage direct", "weather"),
    ("train spring-mesh --stage banana", "banana"),
    ("train spring-mesh --stage direct --minutes -1", "-1"),
    ("simulate weather --split train", "weather"),
    ("evaluate --dataset weather", "weather"),
    ("schedules banana", "banana"),
    ("publish spring-mesh --preset banana", "banana"),
    ("publish spring-mesh --notes banana", "banana"),
    ("publish spring-mesh --scores [1]", "[1]"),
]


@pytest.mark.parametrize(("words", "named"), REFUSED)
def test_what_cannot_be_done_is_said_in_one_sentence_with_exit_code_2(
    words: str, named: str, mesh_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.format(model=mesh_model, out=tmp_path / "f.nc").split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("coldcast: ")
    assert named in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["truncated weights", "foreign card", "newer card", "other weights"])
def test_a_damaged_checkpoint_is_refused_in_one_sentence(
    damage: str, mesh_model: str, flow_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "model"
    copy.mkdir()
    card, weights = (Path(mesh_model) / name for name in ("card.json", "weights.safetensors"))
    text, data = card.read_text(), weights.read_bytes()
    if damage == "truncated weights":
        data = data[: len(data) // 2]
    elif damage == "foreign card":
        text = '{"format": "something-else"}'
    elif damage == "newer card":
        text = text.replace('"version": 1', '"version": 99')
    else:
        data = (Path(flow_model) / "weights.safetensors").read_bytes()
    (copy / "card.json").write_text(text)
    (copy / "weights.safetensors").write_bytes(data)
    assert main(f"forecast --dataset spring-mesh --model {copy} --out {tmp_path / 'f.nc'}".split()) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert not (tmp_path / "f.nc").exists()


def test_a_corrupt_cache_costs_nothing_but_time(
    mesh_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLDCAST_CACHE_DIR", str(tmp_path / "cache"))
    words = f"forecast --dataset spring-mesh --model {mesh_model} --members 2 --steps 5 --out {{}}"
    assert main(words.format(tmp_path / "first.nc").split()) == 0
    damaged = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert damaged
    for path in damaged:
        path.write_bytes(b"not what it was")
    assert main(words.format(tmp_path / "second.nc").split()) == 0
    with xr.open_dataset(tmp_path / "first.nc") as first, xr.open_dataset(tmp_path / "second.nc") as second:
        np.testing.assert_array_equal(first.q_x.values, second.q_x.values)


def test_an_engine_error_is_the_only_kind_the_command_line_swallows(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(arguments: object) -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr("engine.commands.datasets.run", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["datasets"])
    assert not issubclass(RuntimeError, EngineError)


def test_a_forecast_starts_from_a_file_of_one_s_own(
    monthly_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = get_dataset("sst-monthly").load("pacific")
    lat, lon = (axis.values for axis in get_dataset("sst-monthly").axes)
    field = record.states[410:412, 0, ::-1] + 273.15
    own = xr.Dataset(
        {"tos": (("time", "latitude", "longitude"), field, {"units": "K", "standard_name": "sea_surface_temperature"})},
        {
            "time": np.array(["2016-02-15", "2016-03-15"], "datetime64[ns]"),
            "latitude": ("latitude", lat[::-1], {"units": "degrees_north"}),
            "longitude": ("longitude", np.where(lon > 180, lon - 360, lon), {"units": "degrees_east"}),
        },
    )
    own.to_netcdf(tmp_path / "own.nc")
    # without noise, for each initial condition has its own, and a rounded one is another
    request = ["forecast", "--dataset", "sst-monthly", "--model", monthly_model, "--members", "2", "--steps", "2"]
    request += ["--noise", "none"]
    first = [
        *request,
        "--init-file",
        str(tmp_path / "own.nc"),
        "--init-time",
        "2016-02",
        "--out",
        str(tmp_path / "a.nc"),
    ]
    assert main(first) == 0
    said = capsys.readouterr().err
    init = said.partition("--init ")[2].split()[0]
    assert init.startswith("own-") and "K" in said
    assert main([*request, "--init", init, "--out", str(tmp_path / "b.nc")]) == 0
    assert main([*request, "--init", "2016-02", "--out", str(tmp_path / "c.nc")]) == 0
    a, b, c = (xr.load_dataset(tmp_path / f"{name}.nc") for name in "abc")
    np.testing.assert_array_equal(a["sst"], b["sst"])
    np.testing.assert_allclose(a["sst"], c["sst"], atol=1e-2)  # the file is kelvin in single precision
    assert str(a["init_time"].values)[:7] == "2016-02"


def test_a_variable_that_is_not_in_the_own_file_is_named(
    monthly_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    xr.Dataset({"x": ("n", np.zeros(3))}).to_netcdf(tmp_path / "own.nc")
    request = ["forecast", "--dataset", "sst-monthly", "--model", monthly_model, "--out", str(tmp_path / "a.nc")]
    for extra, words in (
        (["--init-variable", "sst=tos"], "tos"),
        (["--init-variable", "sst"], "CHANNEL=NAME"),
        ([], "own.nc"),
    ):
        assert main([*request, "--init-file", str(tmp_path / "own.nc"), *extra]) == 2
        assert words in capsys.readouterr().err
