"""The cache returns what was stored or nothing, whatever happens to its folder."""

import hashlib
import os
import pickle
import signal
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.cache import ArrayCache, default_cache
from tests.engine.conftest import run_python


def array(number: int, size: int = 500) -> np.ndarray:
    return np.random.default_rng(number).normal(size=(2, size)).astype(np.float32)


def key(number: int) -> str:
    return f"{number:064x}"


def holds(cache: ArrayCache, number: int) -> bool:
    found = cache.get(key(number))
    return found is not None and np.array_equal(found, array(number))


def files(cache: ArrayCache) -> list[Path]:
    return sorted((cache.directory / "files").iterdir())


def database(cache: ArrayCache) -> Path:
    return cache.directory / "index" / "cache.db"


@pytest.fixture
def cache(tmp_path: Path) -> ArrayCache:
    return ArrayCache(tmp_path / "cache", size_limit=10**6)


def test_what_was_put_comes_back_with_its_type_and_shape(cache: ArrayCache) -> None:
    for stored in (array(1), np.arange(6, dtype=">i2").reshape(2, 3).T, np.array(2.5), np.zeros((0, 3))):
        assert cache.put(key(1), stored)
        found = cache.get(key(1))
        assert found is not None
        assert found.dtype == stored.dtype
        np.testing.assert_array_equal(found, stored)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "?", "i1", "<u8", "<c16", "<f2"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_plain_array_comes_back(cache: ArrayCache, dtype: str, shape: tuple[int, ...], order: str) -> None:
    numbers = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    stored = np.asfortranarray(numbers) if order == "F" and shape else numbers
    assert cache.put(key(1), stored)
    found = cache.get(key(1))
    assert found is not None
    assert (found.dtype, found.shape) == (stored.dtype, stored.shape)
    np.testing.assert_array_equal(found, stored)


def test_what_was_never_put_is_a_miss(cache: ArrayCache) -> None:
    assert cache.get(key(1)) is None
    assert cache.problem is None


def test_changing_a_returned_array_does_not_change_the_stored_one(cache: ArrayCache) -> None:
    cache.put(key(1), array(1))
    found = cache.get(key(1))
    assert found is not None
    found[:] = 0
    assert holds(cache, 1)


def test_another_instance_finds_what_was_stored(cache: ArrayCache) -> None:
    cache.put(key(1), array(1))
    assert holds(ArrayCache(cache.directory), 1)


def test_the_folder_is_private(cache: ArrayCache) -> None:
    assert stat.S_IMODE(cache.directory.stat().st_mode) == 0o700


def test_the_module_brings_no_torch_along() -> None:
    script = "import sys, engine.cache; print('torch' in sys.modules)"
    assert run_python(script).communicate()[0].strip() == "False"


@pytest.mark.parametrize("content", [b"", b"half"])
def test_a_truncated_file_is_a_miss_and_can_be_stored_again(cache: ArrayCache, content: bytes) -> None:
    cache.put(key(1), array(1))
    (file,) = files(cache)
    file.write_bytes(file.read_bytes()[:100] if content else b"")
    assert cache.get(key(1)) is None
    assert files(cache) == []
    assert cache.put(key(1), array(1))
    assert holds(cache, 1)


def test_a_damaged_file_is_repaired_by_storing_its_content_again(cache: ArrayCache) -> None:
    cache.put(key(1), array(1))
    (file,) = files(cache)
    file.write_bytes(b"x" * file.stat().st_size)
    cache.put(key(2), array(1))
    assert holds(cache, 1)


def test_a_deleted_file_is_a_miss(cache: ArrayCache) -> None:
    cache.put(key(1), array(1))
    files(cache)[0].unlink()
    assert cache.get(key(1)) is None


def test_swapped_files_are_misses(cache: ArrayCache) -> None:
    for number in (1, 2):
        cache.put(key(number), array(number))
    one, two = files(cache)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert cache.get(key(1)) is None
    assert cache.get(key(2)) is None


@pytest.mark.parametrize("damage", [b"not a database " * 1000, b"SQLite format 3\x00" + bytes(5000)])
@pytest.mark.parametrize("reopened", [True, False])
def test_a_corrupt_database_is_set_aside_and_the_cache_carries_on(
    tmp_path: Path, damage: bytes, reopened: bool
) -> None:
    def used_before() -> ArrayCache:
        cache = ArrayCache(tmp_path)
        cache.put(key(1), array(1))
        return cache

    with ThreadPoolExecutor(1) as pool:  # connections belong to threads, so this one ends with its pool
        cache = pool.submit(used_before).result()
    database(cache).write_bytes(damage)
    if reopened:
        cache = ArrayCache(tmp_path)
    assert cache.get(key(1)) is None
    assert (tmp_path / "index-damaged" / "cache.db").read_bytes() == damage
    assert cache.put(key(2), array(2))
    assert holds(cache, 2)
    assert holds(ArrayCache(tmp_path), 2)
    assert cache.problem is None


def test_an_emptied_database_is_an_empty_cache(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        cache = pool.submit(ArrayCache, tmp_path).result()
    database(cache).write_bytes(b"")
    assert cache.get(key(1)) is None
    assert cache.put(key(1), array(1))
    assert holds(cache, 1)


def test_the_database_of_another_program_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    with sqlite3.connect(tmp_path / "index" / "cache.db") as connection:
        connection.execute("CREATE TABLE Cache (something INTEGER)")
    connection.close()
    cache = ArrayCache(tmp_path)
    assert cache.put(key(1), array(1))
    assert holds(cache, 1)
    assert (tmp_path / "index-damaged" / "cache.db").exists()


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize(
    "columns", ["mode = 4, value = ?", "mode = 4, filename = 'bomb.val', value = NULL", "value = ?"]
)
def test_a_planted_pickle_is_not_executed(cache: ArrayCache, tmp_path: Path, columns: str) -> None:
    cache.put(key(1), array(1))
    payload = pickle.dumps(Bomb(tmp_path / "executed"))
    (cache.directory / "index" / "bomb.val").write_bytes(payload)
    with sqlite3.connect(database(cache)) as connection:
        connection.execute(f"UPDATE Cache SET {columns}", (payload,) * columns.count("?"))
    connection.close()
    assert cache.get(key(1)) is None
    assert not (tmp_path / "executed").exists()
    assert cache.put(key(1), array(1))
    assert holds(cache, 1)


def test_a_pickled_array_in_the_place_of_a_file_is_not_unpickled(cache: ArrayCache, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.npy"
    np.save(bomb, np.array([Bomb(tmp_path / "executed")], dtype=object))
    name = hashlib.sha256(bomb.read_bytes()).hexdigest()
    cache.put(key(1), array(1))
    bomb.rename(cache.directory / "files" / f"{name}.npy")
    with sqlite3.connect(database(cache)) as connection:
        connection.execute("UPDATE Cache SET value = ?", (name.encode(),))
    connection.close()
    assert cache.get(key(1)) is None
    assert not (tmp_path / "executed").exists()


def test_a_planted_row_cannot_name_a_file_for_deletion(cache: ArrayCache, tmp_path: Path) -> None:
    victim = tmp_path / "victim.npy"
    victim.write_text("precious")
    for columns in ("filename = '../../victim.npy'", "value = CAST('../../victim' AS BLOB)"):
        cache.put(key(1), array(1))
        with sqlite3.connect(database(cache)) as connection:
            connection.execute(f"UPDATE Cache SET {columns}")
        connection.close()
        cache.get(key(1))
        cache.put(key(1), array(1))
    assert victim.read_text() == "precious"


def test_arrays_of_python_objects_are_refused(cache: ArrayCache) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        cache.put(key(1), np.array([object()]))


def test_an_unusable_folder_is_said_in_a_sentence_and_every_call_is_a_miss(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ArrayCache(tmp_path / "file" / "cache")
    assert not cache.put(key(1), array(1))
    assert cache.get(key(1)) is None
    assert cache.problem is not None
    assert str(cache.directory) in cache.problem and "Not a directory" in cache.problem


def test_a_folder_that_vanishes_is_said_and_forgiven_when_it_is_back(cache: ArrayCache) -> None:
    (cache.directory / "files").rmdir()
    assert not cache.put(key(1), array(1))
    assert cache.problem is not None
    (cache.directory / "files").mkdir()
    assert cache.put(key(1), array(1))
    assert cache.problem is None


def test_a_full_disk_is_said_and_leaves_no_rubbish(cache: ArrayCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert not cache.put(key(1), array(1))
    assert cache.problem is not None and "No space left" in cache.problem
    assert files(cache) == []


def test_the_size_limit_is_kept_by_dropping_what_was_used_longest_ago(cache: ArrayCache) -> None:
    numbers = range(100)  # 100 arrays of 40 kB under a limit of 1 MB
    for number in numbers:
        assert cache.put(key(number), array(number, 5000))
        for age, file in enumerate(sorted(files(cache), key=lambda file: file.stat().st_mtime_ns)):
            os.utime(file, (age, age))  # seconds apart, so that no clock is too coarse for the test
        assert cache.get(key(0)) is not None  # used all the time
        assert sum(file.stat().st_size for file in files(cache)) <= 10**6
    kept = [number for number in numbers if cache.get(key(number)) is not None]
    assert kept[0] == 0 and kept[1:] == list(range(101 - len(kept), 100))
    assert len(kept) > 15


def test_what_was_dropped_is_not_held_any_more(cache: ArrayCache) -> None:
    for number in range(400):
        cache.put(key(number), array(number))
    held = [number for number in range(400) if cache.holds(key(number))]
    assert 0 < len(held) < 400
    assert held == [number for number in range(400) if cache.get(key(number)) is not None]


def test_a_value_that_would_crowd_out_the_others_is_refused(cache: ArrayCache) -> None:
    cache.put(key(1), array(1))
    assert not cache.put(key(2), np.zeros(10**6 // 8 + 1, dtype=np.uint8))
    assert cache.get(key(2)) is None
    assert holds(cache, 1)
    assert cache.problem is None


def test_leftovers_of_killed_writers_are_deleted_after_an_hour(cache: ArrayCache) -> None:
    for name, age in (("old.tmp", 2 * 3600), ("new.tmp", 0)):
        path = cache.directory / "files" / name
        path.write_bytes(b"half")
        stamp = path.stat().st_mtime - age
        os.utime(path, (stamp, stamp))
    ArrayCache(cache.directory).put(key(1), array(1))
    assert [file.name for file in files(cache) if file.suffix == ".tmp"] == ["new.tmp"]


def test_eight_threads_share_one_cache(cache: ArrayCache) -> None:
    def use(worker: int) -> bool:
        good = True
        for step in range(30):
            number = (worker + step) % 10
            found = cache.get(key(number))
            good = good and (found is None or np.array_equal(found, array(number)))
            good = good and cache.put(key(number), array(number))
        return good

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(8)))
    assert all(holds(cache, number) for number in range(10))
    assert cache.problem is None


def test_two_processes_share_one_folder_under_eviction(cache: ArrayCache) -> None:
    script = """
        import sys, numpy as np
        from pathlib import Path
        from engine.cache import ArrayCache
        cache = ArrayCache(Path(sys.argv[1]), size_limit=10**6)
        wrong = 0
        for step in range(120):
            number = (step * 7 + int(sys.argv[2])) % 40
            found = cache.get(f"{number:064x}")
            wrong += found is not None and not (found == number).all()
            wrong += not cache.put(f"{number:064x}", np.full(10_000, number, dtype=np.float32))
        print(wrong, cache.problem)
    """
    processes = [run_python(script, str(cache.directory), start) for start in ("0", "20")]
    assert [process.communicate()[0].strip() for process in processes] == ["0 None", "0 None"]
    for number in range(40):
        found = cache.get(key(number))
        assert found is None or (found == number).all()


# Where the writer is killed: source lines that make one function of its process fatal.
DEATHS = {
    "before the temporary file": "engine.cache.tempfile.mkstemp = die",
    "with half a temporary file": "engine.cache.os.fdopen = half_written",
    "before the rename": "engine.cache.os.replace = die",
    "after the rename, before the index": "engine.cache.diskcache.Cache.set = die",
    "inside the transaction of the index": "engine.cache.diskcache.Cache._row_insert = die",
}


@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS.keys())
def test_a_writer_killed_in_mid_write_leaves_a_working_cache(cache: ArrayCache, death: str) -> None:
    script = f"""
        import os, signal, sys, numpy as np, engine.cache
        from pathlib import Path
        fdopen = os.fdopen
        def die(*arguments, **options):
            os.kill(os.getpid(), signal.SIGKILL)
        class half_written:
            def __init__(self, handle, mode):
                self.file = fdopen(handle, mode)
            def __enter__(self):
                return self
            def __exit__(self, *error):
                pass
            def write(self, data):
                self.file.write(data[:1000])
                self.file.flush()
                die()
        cache = engine.cache.ArrayCache(Path(sys.argv[1]), size_limit=10**6)
        {death}
        cache.put(f"{{2:064x}}", np.random.default_rng(2).normal(size=(2, 500)).astype(np.float32))
    """
    cache.put(key(1), array(1))
    process = run_python(script, str(cache.directory))
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for survivor in (cache, ArrayCache(cache.directory)):
        assert holds(survivor, 1)
        assert survivor.get(key(2)) is None
    assert cache.put(key(2), array(2))
    assert holds(ArrayCache(cache.directory), 2)
    assert cache.problem is None


def test_the_default_cache_lies_in_the_users_folder_and_is_one_per_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLDCAST_CACHE_DIR", str(tmp_path))
    assert default_cache() is default_cache()
    assert default_cache().directory.is_relative_to(tmp_path)
