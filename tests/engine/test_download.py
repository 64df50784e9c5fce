"""Downloads from a small local server: whole, interrupted, continued, refused, wrong, offline."""

import argparse
import hashlib
import io
import socket
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from engine.commands import fetch
from engine.download import digest, download, extract_tar, extract_zip
from engine.errors import Cancelled, DataError, RequestError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the local server sends, and what it was asked for."""

    url: str = ""
    content: bytes = CONTENT
    ranges: bool = True  # whether it can continue a download
    break_after: int | None = None  # bytes of the next answer after which it hangs up, once
    asked: list[str | None] = field(default_factory=list)  # the Range headers


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            state.asked.append(asked)
            if not self.path.endswith(".bin"):
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges else 0
            if start and start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.break_after is not None:
                body, state.break_after = body[: state.break_after], None
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http_server.server_port}/archive.bin"
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http_server.shutdown()
    thread.join()
    http_server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_download_arrives_whole_and_says_how_far_it_is(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "new" / "archive.bin"
    download(server.url, target, sha256=SHA256, progress=lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["archive.bin"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_what_is_there_already_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "archive.bin").write_bytes(CONTENT)
    download(server.url, tmp_path / "archive.bin", sha256=SHA256)
    assert server.asked == []


def test_an_old_file_of_another_digest_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "archive.bin").write_bytes(b"of last year")
    download(server.url, tmp_path / "archive.bin", sha256=SHA256)
    assert (tmp_path / "archive.bin").read_bytes() == CONTENT


def test_an_interrupted_download_continues(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "archive.bin"
    server.break_after = 1_300_000
    with pytest.raises(DataError, match=r"broke off; run the same command again"):
        download(server.url, target, sha256=SHA256)
    assert not target.exists()
    have = (tmp_path / "archive.bin.part").stat().st_size
    assert 0 < have <= 1_300_000
    seen: list[int] = []
    download(server.url, target, sha256=SHA256, progress=lambda done, total: seen.append(done))
    assert target.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={have}-"]
    assert seen[0] > have and seen[-1] == len(CONTENT)


def test_a_server_that_cannot_continue_starts_again(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "archive.bin"
    server.ranges, server.break_after = False, 1_300_000
    with pytest.raises(DataError, match="broke off"):
        download(server.url, target, sha256=SHA256)
    download(server.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    assert server.asked[1] is not None


def test_a_part_that_is_whole_already_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "archive.bin.part").write_bytes(CONTENT)
    download(server.url, tmp_path / "archive.bin", sha256=SHA256)
    assert (tmp_path / "archive.bin").read_bytes() == CONTENT


def test_a_wrong_digest_keeps_nothing(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match=f"not {SHA256}"):
        download(server.url, tmp_path / "archive.bin", sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_another_file_is_dropped_and_the_next_attempt_is_clean(server: Server, tmp_path: Path) -> None:
    (tmp_path / "archive.bin.part").write_bytes(b"of another file")
    with pytest.raises(DataError, match="digest"):
        download(server.url, tmp_path / "archive.bin", sha256=SHA256)
    download(server.url, tmp_path / "archive.bin", sha256=SHA256)
    assert (tmp_path / "archive.bin").read_bytes() == CONTENT


def test_a_missing_page_is_reported_with_its_status(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone answered 404 Not Found"):
        download(server.url.replace("archive.bin", "gone"), tmp_path / "archive.bin", sha256=SHA256)


def test_being_offline_is_said_in_words(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/archive.bin"
        with pytest.raises(DataError, match=r"cannot be reached .*connect to the internet"):
            download(url, tmp_path / "archive.bin", sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/archive.bin"
        with pytest.raises(DataError, match=r"cannot be reached|broke off"):
            download(url, tmp_path / "archive.bin", sha256=SHA256, timeout=0.2)


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        download(server.url, tmp_path / "file" / "archive.bin", sha256=SHA256)


def test_an_md5_digest_is_checked_too(server: Server, tmp_path: Path) -> None:
    right = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    download(server.url, tmp_path / "archive.bin", md5=right)
    assert digest(tmp_path / "archive.bin", "md5") == right
    download(server.url, tmp_path / "archive.bin", md5=right)
    assert len(server.asked) == 1
    with pytest.raises(DataError, match=f"with the digest {right}, not {'0' * 32}"):
        download(server.url, tmp_path / "other.bin", md5="0" * 32)


def test_a_file_of_unknown_digest_is_fetched_anew_and_never_continued_blindly(server: Server, tmp_path: Path) -> None:
    (tmp_path / "archive.bin").write_bytes(b"of last year")
    (tmp_path / "archive.bin.part").write_bytes(b"of another file")
    download(server.url, tmp_path / "archive.bin")
    assert (tmp_path / "archive.bin").read_bytes() == CONTENT
    assert server.asked == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["archive.bin"]


def test_a_download_can_be_stopped_and_continued(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Cancelled, match="start it again to continue"):
        download(server.url, tmp_path / "archive.bin", sha256=SHA256, cancelled=lambda: True)
    have = (tmp_path / "archive.bin.part").stat().st_size
    assert 0 < have < len(CONTENT)
    download(server.url, tmp_path / "archive.bin", sha256=SHA256, cancelled=lambda: False)
    assert server.asked == [None, f"bytes={have}-"]


@pytest.mark.parametrize("scheme", ["file", "ftp", "data"])
def test_only_web_addresses_are_fetched(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(DataError, match="only http and https addresses are fetched"):
        download(f"{scheme}://{tmp_path}/secret", tmp_path / "archive.bin")
    assert not (tmp_path / "archive.bin").exists()


def make_tar(path: Path, name: str, content: bytes = b"1 2 3", kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.type, info.linkname = len(content), kind, "/etc/passwd"
        tar.addfile(info, io.BytesIO(content))
    return path


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    extract_tar(make_tar(tmp_path / "a.tar.gz", "run/data_gen/set/system_meta.json"), tmp_path / "out")
    assert (tmp_path / "out/run/data_gen/set/system_meta.json").read_bytes() == b"1 2 3"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("../escaped", tarfile.REGTYPE), ("link", tarfile.SYMTYPE), ("device", tarfile.CHRTYPE)],
)
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str, kind: bytes) -> None:
    with pytest.raises(DataError, match="not an archive that can be unpacked"):
        extract_tar(make_tar(tmp_path / "a.tar.gz", name, b"", kind), tmp_path / "out")
    assert not (tmp_path / "escaped").exists()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("part", [10, -10_000])
def test_a_truncated_archive_is_refused(tmp_path: Path, part: int) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", "big", CONTENT)
    archive.write_bytes(archive.read_bytes()[:part])
    with pytest.raises(DataError, match="not an archive that can be unpacked"):
        extract_tar(archive, tmp_path / "out")


def make_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("set/big", CONTENT[:100_000])
    return path


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    extract_zip(make_zip(tmp_path / "a.zip"), tmp_path / "out")
    assert (tmp_path / "out/set/big").read_bytes() == CONTENT[:100_000]


def unknown_packing(content: bytearray) -> None:
    for header, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(header) + at] = 77


def encrypted(content: bytearray) -> None:
    for header, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + at] |= 1


def truncated(content: bytearray) -> None:
    del content[-200:]


def changed(content: bytearray) -> None:
    content[50_000] ^= 1


@pytest.mark.parametrize("harm", [unknown_packing, encrypted, truncated, changed])
def test_a_zip_that_cannot_be_unpacked_is_refused(tmp_path: Path, harm: Callable[[bytearray], None]) -> None:
    archive = make_zip(tmp_path / "a.zip")
    content = bytearray(archive.read_bytes())
    harm(content)
    archive.write_bytes(content)
    with pytest.raises(DataError, match="not an archive that can be unpacked"):
        extract_zip(archive, tmp_path / "out")


def test_a_zip_that_unpacks_to_more_than_the_disk_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 50_000

    archive = make_zip(tmp_path / "a.zip")
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage)
    with pytest.raises(DataError, match="free some space"):
        extract_zip(archive, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def fetch_arguments(text: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    fetch.add_arguments(parser)
    return parser.parse_args(text.split())


@pytest.mark.parametrize("keep", [False, True])
def test_the_command_fetches_and_unpacks(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], keep: bool
) -> None:
    archive = make_tar(tmp_path / "made.tar.gz", "set/trajectories.npz")
    server.content = archive.read_bytes()
    monkeypatch.setitem(fetch.SOURCES, "spring-mesh-published", fetch.Source(server.url, digest(archive)))
    out = tmp_path / "out"
    assert fetch.run(fetch_arguments(f"spring-mesh-published --out {out}" + " --keep-archive" * keep)) == 0
    assert (out / "set/trajectories.npz").read_bytes() == b"1 2 3"
    assert (out / "archive.bin").exists() == keep
    assert "100 %" in capsys.readouterr().out


def test_an_unknown_source_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"'weather'.*navier-stokes-published, spring-mesh-published"):
        fetch.run(fetch_arguments(f"weather --out {tmp_path}"))


@pytest.mark.parametrize("name", fetch.SOURCES)
def test_every_source_is_a_secure_address_with_a_digest(name: str) -> None:
    source = fetch.SOURCES[name]
    assert source.url.startswith("https://") and source.url.endswith(".tar.gz")
    assert len(bytes.fromhex(source.sha256)) == 32
