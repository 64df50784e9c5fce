"""A netCDF file, header first, then single blocks; and the program that reads one in a process of its own.

It stands alone, numpy and netCDF4 beside the standard library: as a program it starts in a moment and holds nothing
but the file. A request is a line of JSON on standard input; the answer is a line of JSON on standard output, followed
by the bytes of the block that was asked for.
"""

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import netCDF4
import numpy as np

MEMORY_LIMIT = 3 * 2**30
"""Address space of the reading process in bytes; a block of MAX_BLOCK values takes a third of it."""

MAX_BLOCK = 20_000_000
"""Values that one request may read."""

MAX_NAMES = 2_000
"""Dimensions or variables that a file may have."""

_LONGEST_TEXT = 1_000
_LONGEST_LIST = 16
_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError)


class FileRefused(Exception):
    """The file cannot be read; the text is the end of a sentence that starts with its name."""


class NetcdfFile:
    """An open file. Not for several threads at once: hold NETCDF_LOCK or be alone in the process."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = netCDF4.Dataset(path, "r")
            whole = path.stat().st_size >= _least_size(self._file)
        except _UNREADABLE:
            raise FileRefused("is damaged or not a netCDF file") from None
        except MemoryError:
            raise FileRefused("declares more than memory can hold") from None
        if not whole:
            self.close()
            raise FileRefused("is cut short")

    def close(self) -> None:
        """Close the file; one that is damaged may refuse even that."""
        try:
            self._file.close()
        except _UNREADABLE:
            return

    def header(self) -> dict[str, Any]:
        """Dimensions, variables with their attributes, and names of groups, as JSON can hold them."""
        try:
            if max(len(self._file.dimensions), len(self._file.variables)) > MAX_NAMES:
                raise FileRefused(f"has more than {MAX_NAMES} dimensions or variables")
            return {
                "dims": {name: len(dim) for name, dim in self._file.dimensions.items()},
                "variables": {name: _described(variable) for name, variable in self._file.variables.items()},
                "groups": list(self._file.groups)[:_LONGEST_LIST],
            }
        except _UNREADABLE:
            raise FileRefused("is damaged") from None

    def read(self, name: str, bounds: Sequence[Sequence[int]], dtype: str) -> np.ndarray:
        """A block of a numeric variable, [first, after] along each of its dimensions.

        Packed values are unpacked; what is missing or out of the variable's valid range is NaN.
        """
        if math.prod(after - first for first, after in bounds) > MAX_BLOCK:
            raise FileRefused(f"has more than {MAX_BLOCK:,} values of {name} in one field")
        try:
            values = self._file.variables[name][tuple(slice(first, after) for first, after in bounds)]
            filled: np.ndarray = np.ma.filled(np.ma.asarray(values).astype(dtype), np.nan)
        except MemoryError:
            raise FileRefused(f"declares blocks of {name} that memory cannot hold") from None
        except _UNREADABLE:
            raise FileRefused(f"is damaged where it holds {name}") from None
        return filled


def _least_size(file: netCDF4.Dataset) -> int:
    """Bytes that a file of the classic format has at least: the library reads zeros beyond the end of a shorter one.

    Source: NetCDF Classic Format Specification; HDF5 files are checked by their own library.
    """
    if not file.data_model.startswith("NETCDF3"):
        return 0
    size = 32 + _attributes_size(file) + sum(8 + _padded(name) for name in file.dimensions)
    for name, variable in file.variables.items():
        size += 28 + _padded(name) + 4 * len(variable.dimensions) + _attributes_size(variable)
        size += math.prod(variable.shape) * variable.dtype.itemsize
    return size


def _attributes_size(holder: netCDF4.Dataset | netCDF4.Variable) -> int:
    values = {name: holder.getncattr(name) for name in holder.ncattrs()}
    return sum(
        12 + _padded(name) + (_padded(value) if isinstance(value, str) else -(-np.asarray(value).nbytes // 4) * 4)
        for name, value in values.items()
    )


def _padded(text: str) -> int:
    """Bytes of a text, filled up to a multiple of four."""
    return -(-len(text.encode()) // 4) * 4


def _described(variable: netCDF4.Variable) -> dict[str, Any]:
    dtype = variable.datatype if isinstance(variable.datatype, np.dtype) else np.dtype(object)
    return {
        "dims": list(variable.dimensions),
        "shape": [int(size) for size in variable.shape],
        "kind": dtype.kind,
        "attributes": _attributes(variable),
    }


def _attributes(variable: netCDF4.Variable) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in variable.ncattrs()[:_LONGEST_TEXT]:
        try:
            found[name] = _plain(variable.getncattr(name))
        except _UNREADABLE:
            continue
    return found


def _plain(value: Any) -> Any:
    """An attribute as text, a number or a short list of them."""
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    items = np.atleast_1d(np.asarray(value)).ravel()[:_LONGEST_LIST]
    plain = [item[:_LONGEST_TEXT] if isinstance(item, str) else float(item) for item in items.tolist()]
    return plain[0] if len(plain) == 1 else plain


def _serve(path: Path, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end."""
    try:
        file = NetcdfFile(path)
        _open_nothing_else(file)
    except FileRefused as refused:
        _answer(answers, {"refused": str(refused)})
        return
    for line in requests:
        asked: Mapping[str, Any] = json.loads(line)
        try:
            if asked["verb"] == "header":
                _answer(answers, {"header": file.header()})
            else:
                values = np.ascontiguousarray(file.read(asked["name"], asked["bounds"], asked["dtype"]))
                _answer(answers, {}, values.tobytes())
        except FileRefused as refused:
            _answer(answers, {"refused": str(refused)})
        except MemoryError:
            _answer(answers, {"refused": "declares more than memory can hold"})


def _answer(answers: BinaryIO, head: Mapping[str, Any], body: bytes = b"") -> None:
    answers.write(json.dumps(head).encode() + b"\n" + body)
    answers.flush()


def _limit_resources() -> None:
    """A file that asks for too much ends this process, not the machine."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _open_nothing_else(file: NetcdfFile) -> None:
    """From here on no other file can be opened: HDF5 data may claim to lie in any file of the machine."""
    if sys.platform == "win32":
        return
    import resource

    for codec in ("zstd", "bzip2", "blosc", "szip"):  # asking loads a filter's library, while that is still possible
        getattr(file._file, f"has_{codec}_filter")()
    spare = os.dup(0)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, spare))


def _main() -> None:
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    _limit_resources()
    _serve(Path(sys.argv[1]), requests, answers)


if __name__ == "__main__":
    _main()
