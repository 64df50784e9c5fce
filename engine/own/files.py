"""A file of unknown origin, read by a process of its own: whatever it does to the libraries, this one lives on.

The netCDF and HDF5 libraries have ended processes over damaged files more than once (Unidata/netcdf-c issues 2436,
2731, 2735 and 3376; HDFGroup/hdf5 5375 and 5869).
"""

import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from engine.errors import DataError
from engine.own import reader

PATIENCE = 30.0
"""Seconds that the reading process may take over one answer: on some damaged files the libraries never come back."""

Bounds = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Variable:
    """What a file says of a variable. kind: numpy's letter of its type, "f", "i" and "u" being numbers."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    kind: str
    attributes: Mapping[str, Any]

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers."""
        return self.kind in "fiu"

    def text(self, attribute: str) -> str:
        """An attribute as text, "" where it is absent; a number such as units = 1 as it is written."""
        value = self.attributes.get(attribute, "")
        return value.strip() if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else ""


@dataclass(frozen=True)
class Header:
    """What a file says it holds."""

    dims: Mapping[str, int]
    variables: Mapping[str, Variable]
    groups: tuple[str, ...]


class OwnFile(Protocol):
    """A file that can be asked for its header and for blocks of its variables."""

    @property
    def name(self) -> str:
        """How sentences call it."""

    @property
    def header(self) -> Header:
        """What it says it holds."""

    def read(self, name: str, bounds: Bounds, dtype: str = "f4") -> np.ndarray:
        """A block of a variable, (first, after) along each dimension, NaN where missing. Raises DataError."""


@contextmanager
def open_isolated(path: Path) -> Iterator[OwnFile]:
    """The file, read by a process of its own that ends with the block. Raises DataError where it cannot be read."""
    if not path.is_file():
        raise DataError(f"There is no file {path}; name another one.")
    # The program runs by its path, so that it needs neither this package nor the folder that it lies in.
    command = [sys.executable, "-P", str(Path(reader.__file__)), str(path.resolve())]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            yield _IsolatedFile(path.name, process)
        finally:
            process.kill()


class _IsolatedFile:
    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self._process = process
        self.header = header_of(self._ask({"verb": "header"})[0]["header"])

    def read(self, name: str, bounds: Bounds, dtype: str = "f4") -> np.ndarray:
        shape = [after - first for first, after in bounds]
        request = {"verb": "read", "name": name, "bounds": list(bounds), "dtype": dtype}
        _, body = self._ask(request, math.prod(shape) * np.dtype(dtype).itemsize)
        return np.frombuffer(body, dtype).reshape(shape)

    def _ask(self, request: Mapping[str, Any], size: int = 0) -> tuple[Mapping[str, Any], bytes]:
        """The answer's first line and the `size` bytes that follow it."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None
        watch = threading.Timer(PATIENCE, self._process.kill)
        watch.start()
        try:
            with suppress(BrokenPipeError):  # it has refused already: that is read below
                os.write(requests.fileno(), json.dumps(request).encode() + b"\n")
            head = json.loads(answers.readline())
            body = b"" if "refused" in head else answers.read(size)
        except (OSError, ValueError):
            raise DataError(_broken(self.name)) from None
        finally:
            watch.cancel()
        if "refused" in head:
            raise DataError(f"{self.name} {head['refused']}; write it anew or name another file.")
        if len(body) != size:
            raise DataError(_broken(self.name))
        return head, body


def _broken(name: str) -> str:
    return f"{name} is damaged: reading it broke off; write it anew or name another file."


def header_of(plain: Mapping[str, Any]) -> Header:
    """The header that the reading program has described."""
    variables = {
        name: Variable(name, tuple(found["dims"]), tuple(found["shape"]), found["kind"], found["attributes"])
        for name, found in plain["variables"].items()
    }
    return Header(plain["dims"], variables, tuple(plain["groups"]))
