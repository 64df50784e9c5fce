"""What holds for every test: folders of its own, and no browser test left out unseen."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from engine.datasets.base import Run


@pytest.fixture(autouse=True, scope="session")
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests out of the user's data and stored forecasts, and those out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLDCAST_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("COLDCAST_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def tasman_file() -> Path:
    """The daily record of the Tasman Sea, which may not come with the project; skips where it is not at hand."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("COLDCAST_TEST_DATA", beside)) / "oisst_tasman_1982_2014.nc"
    if not path.exists():
        pytest.skip("the daily record of the Tasman Sea is not here: set COLDCAST_TEST_DATA to its folder")
    return path


@pytest.fixture
def tasman(tasman_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Run":
    """That record in the place where the data set sst-daily looks for it."""
    from engine.datasets import get_dataset

    folder = tmp_path / "sst-daily"
    folder.mkdir()
    (folder / "tasman.nc").symlink_to(tasman_file)
    monkeypatch.setenv("COLDCAST_DATA_DIR", str(tmp_path))
    return get_dataset("sst-daily").load("tasman")


# On CI a browser test that skips has failed: the browser is part of what `make test` installs. A skip may come from
# the test itself or, before any mark can be read, from the file that holds it.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get("CI") and report.skipped and item.get_closest_marker("browser"):
        report.outcome = "failed"
        report.longrepr = f"A browser test was skipped on CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if os.environ.get("CI") and report.skipped and collector.path.parent.name == "browser":
        report.outcome = "failed"
        report.longrepr = f"A file of browser tests was skipped on CI: {report.longrepr}"
    return report
