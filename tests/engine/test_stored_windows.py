"""What a forecast leaves in the store can be named, measured and deleted, and nothing else goes with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.cache import ArrayCache, Usage
from engine.checkpoint import WEIGHTS_FILE, count_weights, load_checkpoint
from engine.errors import CheckpointError
from engine.forecasting import ForecastRequest, calls_to_make, forecast, resolve, window_keys
from engine.hardware import cores, device_name, processor_name
from engine.version import version
from tests.engine.conftest import ROOT, save_small_checkpoint


def array(number: int, size: int = 500) -> np.ndarray:
    return np.random.default_rng(number).normal(size=size).astype(np.float32)


def bytes_of(cache: ArrayCache) -> int:
    return sum(path.stat().st_size for path in (cache.directory / "files").iterdir())


@pytest.fixture
def cache(tmp_path: Path) -> ArrayCache:
    return ArrayCache(tmp_path / "cache")


@pytest.fixture
def request_of(tmp_path: Path) -> Callable[..., ForecastRequest]:
    model = save_small_checkpoint(tmp_path / "mesh", "spring-mesh")

    def make(**asked: Any) -> ForecastRequest:
        return ForecastRequest("spring-mesh", model=model, **({"steps": 140, "members": 2} | asked))

    return make


# -- the keys of a forecast ---------------------------------------------------------------------------------


class Noted(dict[str, np.ndarray]):
    """A store that is empty at first."""

    def get(self, key: str, default: object = None) -> Any:
        return super().get(key)

    def holds(self, key: str) -> bool:
        return key in self

    def put(self, key: str, array: np.ndarray) -> bool:
        self[key] = array
        return True


@pytest.mark.parametrize("asked", [{}, {"refine": True}, {"output_leads": (0.5, 134.25)}, {"steps": 20, "members": 1}])
def test_the_keys_of_a_forecast_are_those_it_stores_under(
    request_of: Callable[..., ForecastRequest], asked: dict[str, Any]
) -> None:
    request, store = request_of(**asked), Noted()
    forecast(request, cache=store)
    assert window_keys(resolve(request)) == store.keys()


def test_a_smaller_ensemble_has_some_of_the_keys_of_a_larger_one(request_of: Callable[..., ForecastRequest]) -> None:
    few, many = (window_keys(request_of(members=members)) for members in (2, 3))
    assert few < many
    assert not window_keys(request_of(seed=1)) & many


def test_a_forecast_whose_keys_are_deleted_is_computed_anew(
    request_of: Callable[..., ForecastRequest], cache: ArrayCache
) -> None:
    few, many = resolve(request_of(members=1)), resolve(request_of(members=2))
    forecast(many, cache=cache)
    cache.delete(window_keys(many) - window_keys(few))
    assert calls_to_make(few, cache) == 0
    assert calls_to_make(many, cache) == calls_to_make(few, Noted())


# -- the store ------------------------------------------------------------------------------------------------


def test_usage_counts_arrays_files_and_bytes(cache: ArrayCache) -> None:
    assert cache.usage() == Usage(0, 0, 0)
    cache.put("a", array(1))
    cache.put("b", array(2))
    cache.put("c", array(2))  # the same bytes as b, so the same file
    assert cache.usage() == Usage(3, 2, bytes_of(cache))
    assert cache.usage({"b", "c", "none"}) == Usage(2, 1, bytes_of(cache) // 2)


def test_deleting_a_key_frees_its_bytes_and_leaves_the_others(cache: ArrayCache) -> None:
    for key in "ab":
        cache.put(key, array(ord(key)))
    before = bytes_of(cache)
    assert cache.delete({"a", "none"}) == before // 2 == bytes_of(cache)
    assert cache.get("a") is None
    np.testing.assert_array_equal(cache.get("b"), array(ord("b")))


def test_an_array_that_another_key_has_too_stays(cache: ArrayCache) -> None:
    for key in "ab":
        cache.put(key, array(1))
    assert cache.delete({"a"}) == 0
    assert cache.get("a") is None
    np.testing.assert_array_equal(cache.get("b"), array(1))
    assert cache.delete({"b"}) > 0
    assert bytes_of(cache) == 0


def test_what_one_process_deletes_is_a_miss_in_another(cache: ArrayCache) -> None:
    other = ArrayCache(cache.directory)
    cache.put("a", array(1))
    assert other.holds("a")
    other.delete({"a"})
    assert not cache.holds("a")
    assert cache.put("a", array(1))
    np.testing.assert_array_equal(other.get("a"), array(1))


def test_a_cleared_cache_is_empty_and_goes_on(cache: ArrayCache) -> None:
    for number in range(20):
        cache.put(str(number), array(number))
    before = bytes_of(cache)
    assert cache.clear() == before
    assert cache.usage() == Usage(0, 0, 0)
    assert bytes_of(cache) == 0
    assert cache.put("a", array(1))
    np.testing.assert_array_equal(cache.get("a"), array(1))


def test_a_cache_without_a_folder_has_nothing_to_delete(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ArrayCache(tmp_path / "file")
    assert cache.problem is not None
    assert (cache.usage(), cache.delete({"a"}), cache.clear()) == (Usage(0, 0, 0), 0, 0)


def test_an_index_that_is_damaged_is_replaced_and_nothing_is_raised(cache: ArrayCache) -> None:
    cache.put("a", array(1))
    for path in (cache.directory / "index").glob("cache.db*"):
        path.write_bytes(b"no database at all" * 500)
    assert cache.usage().arrays in (0, 1)
    assert cache.delete({"a"}) >= 0
    assert cache.put("b", array(2))
    np.testing.assert_array_equal(cache.get("b"), array(2))


# -- what the page says about models and the machine ------------------------------------------------------------


def test_the_weights_of_a_checkpoint_are_counted_without_loading_them(tmp_path: Path) -> None:
    save_small_checkpoint(tmp_path / "flow", "navier-stokes")
    loaded = load_checkpoint(tmp_path / "flow")
    assert count_weights(tmp_path / "flow") == {
        "forecaster": sum(weight.numel() for weight in loaded.forecaster.values()),
        "interpolator": sum(weight.numel() for weight in loaded.interpolator.values()),
    }


@pytest.mark.parametrize("content", [None, b"", b"\xff" * 64])
def test_weights_that_cannot_be_counted_are_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    save_small_checkpoint(tmp_path / "flow", "navier-stokes")
    path = tmp_path / "flow" / WEIGHTS_FILE
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        count_weights(tmp_path / "flow")


def test_the_version_is_that_of_the_project() -> None:
    assert f'\nversion = "{version()}"\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_machine_has_a_name_and_a_core() -> None:
    assert processor_name().strip()
    assert device_name("cpu") == processor_name()
    assert cores() >= 1
