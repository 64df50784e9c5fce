"""Arrays kept on disk under a key: what was computed once is not computed again.

Each array is an immutable npy file named by the sha256 of its bytes; a small index (diskcache) maps keys to
those names. Nothing read is trusted: the digest is verified, nothing is unpickled, what is damaged is a miss.
"""

import functools
import hashlib
import io
import os
import re
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diskcache
import numpy as np

from engine.folders import cache_dir

_NAME = re.compile(rb"[0-9a-f]{64}")
_INDEX_BYTES = 32 * 2**20
_STALE_SECONDS = 3600
_HEADER = re.compile(  # of an npy file, version 1.0, with plain numbers
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|][biufc]\d{1,2})', 'fortran_order': (True|False), "
    rb"'shape': \(([\d, ]*)\), \} *\n",
    re.DOTALL,
)


class _ForeignRow(Exception):
    """The index holds something that this module never stores."""


@dataclass(frozen=True)
class Usage:
    """What a cache holds: arrays by key, the files that they lie in, and the bytes of these."""

    arrays: int
    files: int
    size: int


class _PlainDisk(diskcache.Disk):
    """Text keys and short bytes only; diskcache's own unpickles any row that says so (CVE-2025-69872)."""

    def put(self, key: object) -> tuple[str, bool]:
        if not isinstance(key, str):
            raise TypeError(f"Keys are text, not {key!r}.")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not raw or not isinstance(key, str):
            raise _ForeignRow
        return key

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, None, Any]:
        if not isinstance(value, bytes) or read:
            raise TypeError(f"Values are bytes, not {type(value).__name__}.")
        return 0, diskcache.core.MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        if mode != diskcache.core.MODE_RAW or not isinstance(value, bytes) or not _NAME.fullmatch(value):
            raise _ForeignRow
        return value

    def remove(self, file_path: object) -> None:
        """Delete nothing: rows of this cache own no files, so one that names a file was planted."""


class ArrayCache:
    """A store of arrays by key, bounded in size, safe for several threads and processes of one machine.

    It never raises for the state of its folder: where that cannot be used every `get` is a miss, every `put`
    is refused and `problem` says why in one sentence. The least recently used arrays go first. Not for
    network file systems.
    """

    def __init__(self, directory: Path | None = None, *, size_limit: int = 2 * 2**30) -> None:
        self.directory = cache_dir() / "arrays" if directory is None else directory
        self.size_limit = size_limit
        self.problem: str | None = None
        self._files = self.directory / "files"
        self._lock = threading.RLock()
        self._index: diskcache.Cache | None = None
        self._unmeasured = size_limit  # bytes written since the folder was measured; so the first put measures
        with self._reporting():
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.directory.chmod(0o700)
            self._files.mkdir(exist_ok=True)
            self._index = self._open_index()

    def get(self, key: str) -> np.ndarray | None:
        """The array stored under `key`, or None; what fails its digest is dropped and counts as absent."""
        index, array = self._index, None
        if index is None:
            return None
        with self._reporting(index):
            try:
                name = index.get(key)
                array = None if name is None else self._read(name.decode())
                damaged = name is not None and array is None
            except _ForeignRow:
                damaged = True
            if damaged:
                index.delete(key)
        return array

    def holds(self, key: str) -> bool:
        """Whether an array is stored under `key`; it is not read, so it may yet turn out damaged."""
        index, found = self._index, False
        if index is not None:
            with self._reporting(index), suppress(_ForeignRow):
                name = index.get(key)
                found = name is not None and (self._files / f"{name.decode()}.npy").is_file()
        return found

    def put(self, key: str, array: np.ndarray) -> bool:
        """Store a copy of `array`; False if it was not stored (too large for the cache, or see `problem`).

        Raises: ValueError for an array of Python objects.
        """
        index = self._index
        if index is None or array.nbytes > self.size_limit // 8:
            return False
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        data = buffer.getvalue()
        name = hashlib.sha256(data).hexdigest()
        stored = False
        with self._reporting(index):
            self._make_room(len(data))
            self._write(name, data)
            stored = bool(index.set(key, name.encode()))
            self.problem = None
        return stored

    def usage(self, keys: Collection[str] | None = None) -> Usage:
        """What is stored, under some keys or altogether; a file that two keys share counts once."""
        index, found = self._index, Usage(0, 0, 0)
        if index is not None:
            with self._reporting(index):
                rows = self._rows()
                names = [name for key, name in rows.items() if keys is None or key in keys]
                if keys is None:  # also files that no row names
                    sizes = {path.stem: size for _, size, path in self._measured() if path.suffix == ".npy"}
                else:
                    sizes = {name: size for name in set(names) if (size := self._size(name)) is not None}
                there = sum(name in sizes for name in names)  # others had to make room
                found = Usage(there, len(sizes), sum(sizes.values()))
        return found

    def delete(self, keys: Collection[str]) -> int:
        """Drop what is stored under some keys; returns the bytes that are free now.

        A file goes when no other key has the same array.
        """
        index, freed = self._index, 0
        if index is None:
            return 0
        with self._reporting(index):
            rows = {key: name for key, name in self._rows().items() if key in keys}
            with index.transact():
                for key in rows:
                    index.delete(key)
            for name in set(rows.values()) - set(self._rows().values()):
                freed += self._size(name) or 0
                (self._files / f"{name}.npy").unlink(missing_ok=True)
        return freed

    def clear(self) -> int:
        """Drop all arrays; returns the bytes that are free now. What is being written meanwhile may stay."""
        index, freed = self._index, 0
        if index is None:
            return 0
        with self._reporting(index):
            index.clear()
            for _, size, path in list(self._measured()):
                if path.suffix == ".npy":
                    path.unlink(missing_ok=True)
                    freed += size
        return freed

    def _rows(self) -> dict[str, str]:
        """The name of the file of every key, read in one go; rows that this module never writes are left out."""
        path = self.directory / "index" / diskcache.core.DBNAME
        with closing(sqlite3.connect(path, timeout=10)) as database:
            rows = database.execute(
                "SELECT key, value FROM Cache WHERE mode = ?", (diskcache.core.MODE_RAW,)
            ).fetchall()
        return {
            key: value.decode()
            for key, value in rows
            if isinstance(key, str) and isinstance(value, bytes) and _NAME.fullmatch(value)
        }

    def _size(self, name: str) -> int | None:
        """Bytes of a file; None where it is gone."""
        try:
            return (self._files / f"{name}.npy").stat().st_size
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> np.ndarray | None:
        path = self._files / f"{name}.npy"
        try:
            data = _bytes_of(path)
            if hashlib.sha256(data).hexdigest() != name:
                path.unlink(missing_ok=True)
                return None
            os.utime(path)  # the time of last use decides what is dropped first
            return _array_in(data)
        except (FileNotFoundError, ValueError, TypeError):  # dropped meanwhile, or bytes that are no plain array
            return None

    def _write(self, name: str, data: bytes) -> None:
        # Also where the file exists: it may be damaged, and a rename over it cannot hurt a reader.
        handle, temporary = tempfile.mkstemp(dir=self._files, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, self._files / f"{name}.npy")
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _make_room(self, size: int) -> None:
        """Drop the least recently used files if `size` more bytes might not fit.

        The folder is measured anew whenever a 32nd of the limit was written: others may write there too.
        """
        with self._lock:
            self._unmeasured += size
            if self._unmeasured < self.size_limit // 32:
                return
            self._unmeasured = 0
            entries = sorted(self._measured(), key=lambda entry: entry[0])
            excess = sum(length for _, length, _ in entries) + size - self.size_limit * 31 // 32
            for _, length, path in entries:
                if excess <= 0:
                    return
                path.unlink(missing_ok=True)
                excess -= length

    def _measured(self) -> Iterator[tuple[float, int, Path]]:
        """Time of last use, size and path of each file; leftovers of killed writers go on the way."""
        with os.scandir(self._files) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process dropped it
                    status = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(".tmp") and status.st_mtime < time.time() - _STALE_SECONDS:
                        os.unlink(entry.path)
                    else:
                        yield status.st_mtime, status.st_size, Path(entry.path)

    def _open_index(self) -> diskcache.Cache:
        folder = self.directory / "index"
        for attempt in (1, 2):
            try:
                return diskcache.Cache(
                    str(folder),
                    timeout=10,
                    disk=_PlainDisk,
                    size_limit=_INDEX_BYTES,
                    # of rows, so that to read one writes nothing; the files go by their last use
                    eviction_policy="least-recently-stored",
                    cull_limit=2,
                    statistics=0,
                )
            except (sqlite3.Error, TypeError, ValueError) as error:  # damaged pages, or foreign settings
                if attempt == 2 or not _is_damage(error):
                    raise
                self._set_aside(folder)
        raise AssertionError("unreachable")

    def _set_aside(self, folder: Path) -> None:
        """Move a damaged index out of the way; the last one is kept to look at."""
        aside = folder.with_name("index-damaged")
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(FileNotFoundError):  # another process was first
            folder.rename(aside)

    @contextmanager
    def _reporting(self, index: diskcache.Cache | None = None) -> Iterator[None]:
        """Turn failures of the folder into `problem`, and replace an index that turns out to be damaged."""
        try:
            yield
        except diskcache.Timeout:
            pass  # busy with other processes: a miss
        except (OSError, sqlite3.Error) as error:
            if index is not None and _is_damage(error):
                self._replace(index)
            else:
                self._complain(error)

    def _replace(self, damaged: diskcache.Cache) -> None:
        with self._lock, self._reporting():
            if self._index is None or self._index is not damaged:
                return  # another thread was first
            self._index.close()
            self._set_aside(self.directory / "index")
            self._index = None  # if the next line fails
            self._index = self._open_index()

    def _complain(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or error
        self.problem = f"Forecasts are not being stored: the folder {self.directory} cannot be used ({reason})."


def _bytes_of(path: Path) -> bytearray:
    """A file's content, in memory that an array may take over."""
    with path.open("rb", buffering=0) as file:
        data = bytearray(os.fstat(file.fileno()).st_size)
        file.readinto(data)
    return data


def _array_in(data: bytearray) -> np.ndarray:
    """The array in the bytes of an npy file, without a copy. Raises ValueError where they are no plain array.

    numpy's own reader parses the header as Python, which Python 3.11 may fail at in several threads.
    """
    header = _HEADER.match(data)
    if header is None:
        raise ValueError("These are not the bytes of a plain array.")
    dtype, by_columns, sizes = (group.decode() for group in header.groups())
    shape = tuple(int(size) for size in sizes.split(",") if size.strip())
    flat = np.frombuffer(data, dtype, offset=header.end())
    return flat.reshape(shape[::-1]).T if by_columns == "True" else flat.reshape(shape)


def default_cache() -> ArrayCache:
    """The cache of this process in the user's cache folder (`COLDCAST_CACHE_DIR` moves it)."""
    return _cache_in(cache_dir() / "arrays")


@functools.cache
def _cache_in(directory: Path) -> ArrayCache:
    return ArrayCache(directory)


def _is_damage(error: Exception) -> bool:
    """Whether the database itself is bad, rather than locked, read-only or on a full disk."""
    if isinstance(error, sqlite3.OperationalError):
        return any(words in str(error) for words in ("no such", "malformed", "has no column"))
    return not isinstance(error, OSError)
