"""Files that are broken, malicious or merely odd: a right result or one clear sentence, in bounded memory."""

import base64
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.datasets.netcdf import NETCDF_LOCK
from engine.errors import DataError, EngineError
from engine.own import files
from engine.own.fields import OwnField, questions, read_own
from tests.engine.own_files import expected, monthly, monthly_sketch, open_here, reference_run

# Files of HDF5 that the netCDF library does not write itself: one without dimension scales, and one whose values
# are said to lie in the file secret.bin beside it.
PLAIN_HDF5 = (
    "c-rgqaB<`1lHy_j0S*oZ76t(ZWbhvfE(oFWVe$!3nh{EOK<O1sFmXn(oCH){5NbZUx{x4OSCH!eXaHu90SkoYU>F4>5qP*d27u@Y"
    "C?A%dPB5XWD=sbp)9GmG(t%8S85vk1W-!9|8W5TZA^=U6KvfJ_`OH9<f>a7B$V2567{oak#OvYeIKc8uOb`P(pgv<}geCO=G#6D2"
    "Xgmb_`MWSOFu_ZS3Rcu`UI6pB0BU|!U>;4wsObuOxriQqgv!MZ!O?PY6i@;dI8qm*mIq9u0Xzyu!6+C7qhJ&a`hFFxU9TX3z1IP&"
    "*F7k1|DyM+AT41=Mn-7Ai2;ok04o*XfVFiU2=t!<I8b|vFfd_I#sj2Z1@H7RR0xcwO>zJL$tPOf"
)
EXTERNAL_HDF5 = (
    "c-rll?@JUx7{_PUJzM3hJ51e*XbB>TD1!(i2(NYRjPp+JgbE_PbjzbW<#wfrK<Ni*SkZsri(d4y7ryA__0E_53H=Ga38FXlz1?SW"
    "cN8m#P@FG3eD;~0*`0ZIX6M;m%=QnowH|I|4H*X0S&BuqPGa4XPZ}d~;sWu5Cdzqm&ZP1*U0<#@Qgoa~?R81wK0SI!lPT>*Wu44$"
    "gEz>xh^tz>-h;9qa=IGO^ZeNS?ETC8a+VC+(gjj9e|u?}e3j}qVTLxUrmbU4r=E5htZR<WCzuhO*EB7-qCqpdiQ_O_39;)XSr7H2"
    "85Im>=Q5=d{Pv(P8{_I99CGrd!9sqtWM^^?+I3UAM9?mu8FCo4(<ALfyu`R3CFD36vHq0ug?^4vic+g-`}m2s$;ZU@^~AdV(!4k3"
    "v;16Vs}<jCJRdxmw#f6DaPQSz*Bh-)*Zj$#yfrwNlIEkC{@3$ygdXuh{$J-Kt=sM5liVUcZaG}&oVA4e4HxT|?i&t|bx=EpDElIw"
    "-zlEMQat5&?Zfps^(WZrQd_MW#@=^|auHv#!-+E@zGKwy1GtnKiDPcCgjd5MigOp;gY$4);x(v6_hWP8IO@k=nX8`}TY)XZmS8im"
    "EX;zf)lm+!>a^PX;KSBnRtEK8Gq5GtGHeC53R}Cv*f-b@*g8zJ*}QHeT3`#91owk!upR6KP4EbK6tuwO;0f>~cnUlXo(0c==fMl$"
    "Meq`M8SDdX&;hgHHE;+lfJJZwybj(3Z-KYLGB^(21t-D#;1oCm*1%ctA@~@40?yg2J`X;%S>H31J%|4S{!91^@E75~g1-d+HT*a5"
    "-@<=qs~ucPNl8g*Cw^C%(s#TS{|&%Acf98MXYN$0qF&fS<R2YUK9yvje&sPf>K2^=r|9Huhw_+CEzDyk%6{2%{onRe<U13UDYxoX"
    "C`;U&XKnTUp+~+LMSr<8UirI29-kxSiMw@t{13kiHuCk&`L`a=zg2Fdq@<*@3w6~l<ap#q9hdeU@qbT~%H{ug^#dxFN=iyfN=iyf"
    "N=iyfN=iFbKLG+H<k$"
)


def read(path: Path, **options: Any) -> OwnField:
    """The file as a person's file is read: by a process of its own."""
    given: dict[str, Any] = {"reference": reference_run(), "time": 0} | options
    return read_own(path, monthly(), **given)


def unpacked(text: str, path: Path) -> Path:
    path.write_bytes(zlib.decompress(base64.b85decode(text)))
    return path


def is_one_clear_sentence(message: str) -> bool:
    """Not a traceback, not a dump: one line that ends as a sentence does and is short enough to read."""
    return 20 < len(message) < 700 and message.endswith(".") and "\n" not in message and "Traceback" not in message


def refusal(path: Path, **options: Any) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(EngineError) as raised:
        read(path, **options)
    assert is_one_clear_sentence(str(raised.value)), str(raised.value)
    return str(raised.value)


def outcome(path: Path, **options: Any) -> OwnField | str:
    """What comes of a file: a field or a sentence; any other error is a failure."""
    try:
        return read(path, **options)
    except EngineError as error:
        return str(error)


# -- no netCDF ---------------------------------------------------------------------------------------------


def as_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "no field")


NO_NETCDF: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("sst\n1,2,3\n"),
    "zip": as_zip,
    "only the first letters": lambda path: path.write_bytes(b"CDF\x01"),
    "only the first letters of HDF5": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"),
    "zeros": lambda path: path.write_bytes(bytes(100_000)),
    # netCDF-C aborted over these thirteen bytes: Unidata/netcdf-c pull request 3376.
    "a count past the end": lambda path: path.write_bytes(b"CDF\x01\0\0\0\xb9\x8d\xff\xff\x08\xdb"),
}


@pytest.mark.parametrize("kind", NO_NETCDF)
def test_what_is_no_netcdf_file_is_called_that(tmp_path: Path, kind: str) -> None:
    NO_NETCDF[kind](tmp_path / "a.nc")
    assert refusal(tmp_path / "a.nc").startswith("a.nc is damaged or not a netCDF file")
    with pytest.raises(DataError, match=r"a\.nc is damaged or not a netCDF file"):
        questions(tmp_path / "a.nc", monthly())


def test_a_file_that_is_not_there_or_is_a_folder_is_called_that(tmp_path: Path) -> None:
    assert "There is no file" in refusal(tmp_path / "a.nc")
    assert "There is no file" in refusal(tmp_path)


def test_hdf5_without_the_structure_of_netcdf_has_no_axes(tmp_path: Path) -> None:
    assert "has no latitude for 'sst'" in refusal(unpacked(PLAIN_HDF5, tmp_path / "a.h5"))


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF3_CLASSIC"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, form: Any, part: float) -> None:
    path = monthly_sketch(format=form).write(tmp_path / "a.nc")
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    assert refusal(path).startswith("a.nc ")


def test_a_file_over_which_the_library_never_comes_back_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PATIENCE", 2.0)
    path = monthly_sketch(format="NETCDF3_CLASSIC").write(tmp_path / "a.nc")
    content = path.read_bytes()
    length = content.index(b"degrees_north") - 4
    path.write_bytes(content[:length] + b"\xb5" + content[length + 1 :])  # an attribute of three billion letters
    assert "a.nc is damaged" in refusal(path)


def test_values_that_claim_to_lie_in_another_file_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.full((21, 69), 25, np.float32).tofile(tmp_path / "secret.bin")
    path = unpacked(EXTERNAL_HDF5, tmp_path / "a.nc")
    leaked = read(path, time="2016-01", opener=open_here)
    assert np.nanmin(leaked.run.states) == 25  # what the library does by itself
    assert refusal(path, time="2016-01").startswith("a.nc is damaged where it holds sst")


# -- sizes that a file only declares -----------------------------------------------------------------------


def declared(path: Path, sizes: dict[str, int]) -> Path:
    """A field of these dimensions of which nothing has been written."""
    with NETCDF_LOCK, netCDF4.Dataset(path, "w") as file:
        for name, size in sizes.items():
            file.createDimension(name, size)
            file.createVariable(name, "f8", (name,), chunksizes=(min(size, 50),)).units = {
                "lat": "degrees_north",
                "lon": "degrees_east",
                "time": "days since 2016-01-15",
            }.get(name, "1")
        chunks = [min(size, 50) for size in sizes.values()]
        file.createVariable("sst", "f4", tuple(sizes), chunksizes=chunks).units = "degC"
    return path


@pytest.mark.parametrize(
    "sizes",
    [
        {"time": 1, "lat": 32_000, "lon": 32_000},
        {"time": 1_000_000_000, "lat": 21, "lon": 69},
        {"time": 1, "lat": 1_000_000_000, "lon": 2},
        {"time": 1, "lat": 2, "lon": 1_000_000_000},
        {"time": 1, "depth": 1_000_000_000, "lat": 2, "lon": 2},
        {"time": 100_000, "depth": 100_000, "lat": 100_000, "lon": 100_000},
    ],
    ids=str,
)
def test_a_billion_declared_cells_are_never_held(tmp_path: Path, sizes: dict[str, int]) -> None:
    path = declared(tmp_path / "a.nc", sizes)
    refusal(path)  # libraries are loaded before memory is watched
    tracemalloc.start()
    try:
        refusal(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50e6


def test_a_large_mesh_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = declared(tmp_path / "a.nc", {"time": 1, "lat": 30_000, "lon": 60_000})
    with NETCDF_LOCK, netCDF4.Dataset(path, "a") as file:
        file["lat"][:] = np.linspace(-90, 90, 30_000)
        file["lon"][:] = np.linspace(0, 359.99, 60_000)
        file["time"][:] = 0
    assert "values in one field of this region; thin it out first" in refusal(path)


def test_more_times_than_may_be_read_are_cut_from_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.own.fields.MOST_VALUES", 3 * 21 * 69)
    own = read(monthly_sketch(times=(0, 31, 60, 91, 121)).write(tmp_path / "a.nc"), time="2016-03")
    assert own.run.frames == 3 and own.frame == 0
    assert "only 3 of 5 times were read" in own.notes


# -- netCDF, but odd ---------------------------------------------------------------------------------------


def edited(path: Path, edit: Callable[[netCDF4.Dataset], object]) -> Path:
    with NETCDF_LOCK, netCDF4.Dataset(path, "a") as file:
        edit(file)
    return path


def test_a_field_of_nothing_but_gaps_is_refused(tmp_path: Path) -> None:
    values = np.full((1, 21, 69), np.nan)
    assert "covers 0% of the cells of sst-monthly" in refusal(monthly_sketch(values=values).write(tmp_path / "a.nc"))


def test_a_field_of_infinities_is_refused(tmp_path: Path) -> None:
    values = np.full((1, 21, 69), np.inf)
    assert "covers 0% of the cells" in refusal(monthly_sketch(values=values).write(tmp_path / "a.nc"))


def test_a_field_of_gaps_without_units_is_refused(tmp_path: Path) -> None:
    values = np.full((1, 21, 69), np.nan)
    assert "has no units" in refusal(monthly_sketch(values=values, units=None).write(tmp_path / "a.nc"))


@pytest.mark.parametrize("dtype", [str, "S1"])
def test_text_is_no_field(tmp_path: Path, dtype: Any) -> None:
    with NETCDF_LOCK, netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("lat", 3)
        file.createDimension("lon", 4)
        file.createVariable("sst", dtype, ("lat", "lon"))
    assert "has no field with two or more dimensions" in refusal(tmp_path / "a.nc")
    assert "holds no numbers" in refusal(tmp_path / "a.nc", variables={"sst": "sst"})


def test_a_field_in_a_group_is_not_searched_for_but_named(tmp_path: Path) -> None:
    with NETCDF_LOCK, netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        group = file.createGroup("ocean")
        group.createDimension("y", 3)
        group.createVariable("sst", "f4", ("y", "y"))
    assert "outside its groups ocean: write it flat" in refusal(tmp_path / "a.nc")


@pytest.mark.parametrize("empty", ["time", "lat"])
def test_a_dimension_of_length_zero_is_named(tmp_path: Path, empty: str) -> None:
    with NETCDF_LOCK, netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        for name in ("time", "lat", "lon"):
            file.createDimension(name, None if name == empty else 4)
            file.createVariable(name, "f8", (name,))
        file.createVariable("sst", "f4", ("time", "lat", "lon"))
    assert f"has nothing along '{empty}'" in refusal(tmp_path / "a.nc")


def test_one_dimension_twice_is_refused(tmp_path: Path) -> None:
    with NETCDF_LOCK, netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("n", 4)
        file.createVariable("sst", "f4", ("n", "n"))
    assert "is no field of rows and columns" in refusal(tmp_path / "a.nc")


def test_points_in_no_rows_are_refused(tmp_path: Path) -> None:
    with NETCDF_LOCK, netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("time", 2)
        file.createDimension("cell", 4)
        file.createVariable("sst", "f4", ("time", "cell"))
        for name in ("lat", "lon"):
            file.createVariable(name, "f8", ("cell",))
    assert "lies on points in no rows and columns" in refusal(tmp_path / "a.nc")


def test_an_axis_with_gaps_or_in_metres_is_refused(tmp_path: Path) -> None:
    lat = monthly().axes[0].values
    with_gap = monthly_sketch(lat=np.where(lat == 0, np.nan, lat), values=np.full((1, 21, 69), 20.0))
    assert "'lat' in a.nc has missing values" in refusal(with_gap.write(tmp_path / "a.nc"))
    in_metres = monthly_sketch(lat=111_000 * lat, values=np.full((1, 21, 69), 20.0))
    assert "which are no degrees" in refusal(in_metres.write(tmp_path / "b.nc"))


def test_times_that_are_all_missing_are_refused(tmp_path: Path) -> None:
    path = monthly_sketch(times=(np.nan,)).write(tmp_path / "a.nc")
    assert "has no time in 'time' that can be read" in refusal(path)


def test_times_beyond_all_calendars_are_left_out(tmp_path: Path) -> None:
    path = monthly_sketch(times=(0.0, np.nan, 31.0)).write(tmp_path / "a.nc")
    own = read(path)
    assert own.run.frames == 2
    assert "1 of 3 times are missing or no dates and were left out" in own.notes
    far = monthly_sketch(times=(0.0, 1e15)).write(tmp_path / "b.nc")
    assert "b.nc" in refusal(far)


ODD_ATTRIBUTES: dict[str, Callable[[netCDF4.Dataset], object]] = {
    "coordinates that are not there": lambda file: file["sst"].setncattr("coordinates", "nowhere lat never"),
    "coordinates of numbers": lambda file: file["sst"].setncattr("coordinates", np.arange(5)),
    "bounds of itself": lambda file: file["time"].setncattr("bounds", "time"),
    "bounds that are not there": lambda file: file["time"].setncattr("bounds", "time_bnds"),
    "a long attribute": lambda file: file.setncattr("history", "x" * 5_000_000),
    "an attribute of the field that is long": lambda file: file["sst"].setncattr("comment", "x" * 5_000_000),
    "a standard name of numbers": lambda file: file["sst"].setncattr("standard_name", np.arange(3.0)),
    "an axis of letters": lambda file: file["lat"].setncattr("axis", "Q"),
    "another variable of strings": lambda file: file.createVariable("station", str, ("lat",)),
    "a scalar": lambda file: file.createVariable("crs", "i4", ()).setncattr("grid_mapping_name", "latitude_longitude"),
    "a group beside": lambda file: file.createGroup("notes"),
    "an odd name": lambda file: file.createVariable("a b é", "f4", ("lat", "lon")),
    "a valid range": lambda file: file["sst"].setncattr("valid_range", np.array([-2, 45], np.float32)),
    "a compound type": lambda file: file.createCompoundType(np.dtype([("a", "i4"), ("b", "f8")]), "pair"),
}


@pytest.mark.parametrize("what", ODD_ATTRIBUTES)
def test_what_is_merely_odd_does_no_harm(tmp_path: Path, what: str) -> None:
    path = edited(monthly_sketch().write(tmp_path / "a.nc"), ODD_ATTRIBUTES[what])
    np.testing.assert_allclose(read(path).run.states[0, 0], expected(), atol=1e-5)


BAD_PACKING: dict[str, Callable[[netCDF4.Dataset], object]] = {
    "a scale of letters": lambda file: file["sst"].setncattr("scale_factor", "large"),
    "a scale that is no number": lambda file: file["sst"].setncattr("scale_factor", np.nan),
    "a scale of several": lambda file: file["sst"].setncattr("scale_factor", np.arange(3.0)),
    "a valid range of nothing": lambda file: file["sst"].setncattr("valid_range", np.array([9, 8], np.float32)),
    "a missing value of letters": lambda file: file["sst"].setncattr("missing_value", "none"),
    "units of numbers": lambda file: file["sst"].setncattr("units", 7),
    "units that explode": lambda file: file["sst"].setncattr("units", "9**9**9**9 K"),
}


@pytest.mark.parametrize("what", BAD_PACKING)
def test_attributes_that_make_no_sense_give_a_result_or_a_sentence(tmp_path: Path, what: str) -> None:
    path = edited(monthly_sketch().write(tmp_path / "a.nc"), BAD_PACKING[what])
    own = outcome(path)
    if isinstance(own, str):
        assert is_one_clear_sentence(own), own
    else:
        np.testing.assert_allclose(own.run.states[0, 0], expected(), atol=1e-5)


# -- any file whatever -------------------------------------------------------------------------------------


def check_outcome(path: Path, **options: Any) -> None:
    """A complete initial condition, or one clear sentence."""
    own = outcome(path, **options)
    if isinstance(own, str):
        assert is_one_clear_sentence(own), own
    else:
        ocean = np.isfinite(expected())
        assert np.isfinite(own.run.states[own.frame, 0][ocean]).all()


NAMES = st.sampled_from(["sst", "tos", "lat", "lon", "time", "depth", "member", "x", "y", "a b", "latitude"])
TYPES = st.sampled_from(["i1", "u1", "i2", "i4", "u4", "i8", "f4", "f8", "S1", str])
TEXTS = st.sampled_from(
    [
        "degC",
        "K",
        "",
        "degrees_north",
        "degrees_east",
        "days since 2016-01-15",
        "months since 2000-13-45",
        "lat lon",
        "sea_surface_temperature",
        "latitude",
        "longitude",
        "time",
        "Y",
        "T",
        "noleap",
        "sst",
        "time_bnds",
        "1",
    ]
)
NUMBERS = st.sampled_from([0.0, -1.0, 1e300, float("nan"), float("inf"), 0.01, 273.15])
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        [
            "units",
            "standard_name",
            "long_name",
            "axis",
            "calendar",
            "bounds",
            "coordinates",
            "scale_factor",
            "add_offset",
            "missing_value",
            "valid_min",
            "valid_range",
            "positive",
            "climatology",
        ]
    ),
    st.one_of(TEXTS, NUMBERS, st.lists(NUMBERS, min_size=2, max_size=3)),
    max_size=4,
)
VARIABLES = st.dictionaries(
    NAMES,
    st.tuples(TYPES, st.lists(NAMES, max_size=4), ATTRIBUTES, st.sampled_from(["none", "count", "nan", "large"])),
    min_size=1,
    max_size=7,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.dictionaries(NAMES, st.sampled_from([0, 1, 2, 21, 69, None]), max_size=6), variables=VARIABLES)
def test_any_structure_gives_a_result_or_a_sentence(
    tmp_path: Path, sizes: dict[str, int | None], variables: dict[str, tuple[Any, list[str], dict[str, Any], str]]
) -> None:
    path = tmp_path / "any.nc"
    path.unlink(missing_ok=True)
    with NETCDF_LOCK, netCDF4.Dataset(path, "w") as file:
        file.set_auto_maskandscale(False)
        for name, size in sizes.items():
            file.createDimension(name, size)
        for name, (dtype, dims, attributes, content) in variables.items():
            variable = file.createVariable(name, dtype, [dim for dim in dims if dim in sizes])
            variable.set_auto_maskandscale(False)
            for key, value in attributes.items():
                variable.setncattr(key, value)
            shape = tuple(size or 2 for size in (sizes[dim] for dim in dims if dim in sizes))
            if dtype not in ("S1", str) and content != "none" and 0 not in [sizes[d] for d in dims if d in sizes]:
                ramp = np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape) % 100
                filled = {"count": ramp, "nan": np.nan * ramp, "large": 1e30 * ramp}[content]
                variable[...] = filled if str(dtype).startswith("f") else ramp.astype(dtype)
    check_outcome(path, opener=open_here, time="2016-01")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    form=st.sampled_from(["NETCDF4", "NETCDF3_CLASSIC"]),
    length=st.one_of(st.none(), st.floats(0, 1)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20),
)
def test_any_damage_gives_a_result_or_a_sentence(
    tmp_path: Path, form: Any, length: float | None, changes: list[tuple[float, int]]
) -> None:
    path = monthly_sketch(format=form).write(tmp_path / "any.nc")
    content = bytearray(path.read_bytes())
    for place, value in changes:
        # Half of the damage hits the header, where there is most to break.
        content[int(place * (len(content) if value % 2 else min(1500, len(content))))] = value
    path.write_bytes(content if length is None else content[: int(length * len(content))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "PATIENCE", 5.0)
        check_outcome(path)
