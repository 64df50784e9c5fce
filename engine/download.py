"""Downloads that may be interrupted, are checked against their digest, and appear only when whole."""

import hashlib
import http.client
import os
import re
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from engine.errors import Cancelled, DataError

Progress = Callable[[int, int | None], None]
"""Called as progress(bytes so far, bytes in all or None where the server does not say)."""

_CHUNK = 1 << 18
_TIMEOUT = 30.0  # seconds without a byte
_AGENT = "coldcast"
_REASON = re.compile(r'message="((?:[^"\\]|\\.)*)"')  # how ERDDAP says what is wrong


def download(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    md5: str = "",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    timeout: float = _TIMEOUT,
) -> None:
    """Fetch `url` into the file `target`, continuing where an earlier attempt was interrupted.

    The bytes gather in `<target>.part`, which is renamed once it is whole and its digest, where one is known, is right.
    A target that is already there with the right digest is left alone. A server that cannot continue a download
    starts again; so does one that gives no means to tell whether it would continue with the same file.

    Raises:
        DataError: the server cannot be reached, refuses, breaks off, or sends something else.
        Cancelled: `cancelled()` became true; what has come stays for the next attempt.
    """
    algorithm, expected = ("sha256", sha256) if sha256 else ("md5", md5)
    if expected and target.exists() and digest(target, algorithm) == expected:
        return
    part = target.with_name(target.name + ".part")
    shown = url.partition("?")[0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, part, bool(expected), progress, cancelled, timeout)
        if expected and (received := digest(part, algorithm)) != expected:
            part.unlink()
            raise DataError(
                f"{shown} sent a file with the digest {received}, not {expected}; try again or report the change."
            )
        os.replace(part, target)
        _tag_file(part).unlink(missing_ok=True)
    except urllib.error.HTTPError as error:
        with error:
            said = _server_says(error)
        raise DataError(
            f"{shown} answered {error.code} {error.reason}{said}; check the address or try again later."
        ) from error
    except urllib.error.URLError as error:
        raise DataError(
            f"{shown} cannot be reached ({error.reason}); connect to the internet and try again."
        ) from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise DataError(f"The download of {shown} broke off; run the same command again to continue it.") from error
    except OSError as error:
        raise DataError(
            f"{part} cannot be written ({error.strerror}); free some space or name another folder."
        ) from error


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The digest of a file, "sha256" or "md5", in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def extract_tar(archive: Path, folder: Path) -> None:
    """Unpack a tar archive, refusing devices and what would lead out of `folder` (PEP 706, filter "data").

    Raises DataError if the archive is damaged or holds such an entry, or if the folder cannot be written.
    """
    with _unpacking(archive, folder), tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")


def extract_zip(archive: Path, folder: Path) -> None:
    """Unpack a zip archive, refusing what would lead out of `folder` and what is larger than the disk has room for.

    Raises DataError if the archive is damaged or holds such an entry, or if the folder cannot be written.
    """
    with _unpacking(archive, folder), zipfile.ZipFile(archive) as content:
        for name in content.namelist():
            if _leads_out(name):
                raise zipfile.BadZipFile(f"{name!r} would lead out of the folder")
        require_space(folder, sum(info.file_size for info in content.infolist()))
        content.extractall(folder)


@contextmanager
def _unpacking(archive: Path, folder: Path) -> Iterator[None]:
    """Make the folder, and say in a sentence what goes wrong inside."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError) as error:
        # A RuntimeError means that a zip archive is encrypted, or packed in a way unknown here.
        raise DataError(
            f"{archive} is not an archive that can be unpacked ({error}); delete it and fetch it again."
        ) from error
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror}); free some space or name another folder."
        ) from error


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name


def require_space(folder: Path, size: int) -> None:
    """Raises DataError where the disk of an existing folder has less room than `size` bytes."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{folder} has {free / 1e6:,.0f} MB free and {size / 1e6:,.0f} MB are to come; "
            "free some space or name another folder."
        )


def _fetch(
    url: str,
    part: Path,
    digest_known: bool,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
    timeout: float,
) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise urllib.error.URLError("only http and https addresses are fetched")
    have, headers = _continuation(part, digest_known)
    request = urllib.request.Request(url, headers=headers | {"User-Agent": _AGENT})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        # The part is whole, or longer than the file: its digest or its reader will tell.
        return
    with response:
        if have and response.status != HTTPStatus.PARTIAL_CONTENT:
            have = 0
        if not digest_known:
            _tag_file(part).write_text(response.headers.get("ETag", ""), encoding="utf-8")
        _copy(response, part, have, progress, cancelled)


def _continuation(part: Path, digest_known: bool) -> tuple[int, dict[str, str]]:
    """Bytes that are there and the headers that ask for the rest, none where it could be the rest of another file."""
    have = part.stat().st_size if part.exists() else 0
    if not have or digest_known:
        return have, {"Range": f"bytes={have}-"} if have else {}
    tag = _tag_file(part).read_text(encoding="utf-8") if _tag_file(part).exists() else ""
    # A weak tag (W/"…") promises the same meaning, not the same bytes (RFC 9110, 13.1.5).
    return (have, {"Range": f"bytes={have}-", "If-Range": tag}) if tag.startswith('"') else (0, {})


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + "-tag")


def _copy(
    response: http.client.HTTPResponse,
    part: Path,
    have: int,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    length = response.headers.get("Content-Length")
    total = have + int(length) if length else None
    require_space(part.parent, total - have if total else 0)
    with part.open("ab" if have else "wb") as file:
        while chunk := _read(response):
            file.write(chunk)
            have += len(chunk)
            if progress is not None:
                progress(have, total)
            if cancelled is not None and cancelled():
                raise Cancelled("The download was stopped; start it again to continue.")
    # Reading in pieces ends quietly when the connection does.
    if total is not None and have < total:
        raise http.client.IncompleteRead(b"", total - have)


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)
    except OSError as error:  # of the network, not of the file that is written
        raise ConnectionError(str(error)) from error


def _server_says(error: urllib.error.HTTPError) -> str:
    """The server's own words for a refusal, in parentheses; nothing where it sends a page for browsers."""
    try:
        body = error.read(4096).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
    found = _REASON.search(body)
    plain = body if error.headers.get_content_type() == "text/plain" else ""
    words = " ".join((re.sub(r"\\(.)", r"\1", found[1]) if found else plain).split())
    return f" ({words[:300]})" if words else ""
