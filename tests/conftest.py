"""What holds for every test: folders of its own, and no browser test left out unseen."""

import os
from collections.abc import Generator, Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests out of the user's data and stored forecasts, and those out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLDCAST_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("COLDCAST_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        yield


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
