"""Downloads that may be interrupted, are checked against their digest, and appear only when whole."""

import hashlib
import http.client
import os
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from engine.errors import DataError

Progress = Callable[[int, int | None], None]
"""Called as progress(bytes so far, bytes in all or None where the server does not say)."""

_CHUNK = 1 << 20
_TIMEOUT = 30.0  # seconds without a byte


def download(
    url: str, target: Path, *, sha256: str, progress: Progress | None = None, timeout: float = _TIMEOUT
) -> None:
    """Fetch `url` into the file `target`, continuing where an earlier attempt was interrupted.

    The bytes gather in `<target>.part`, which is renamed once its SHA-256 digest is right. A target that is
    already there with the right digest is left alone. A server that cannot continue a download starts again.

    Raises DataError if the server cannot be reached, refuses, breaks off, or sends something else.
    """
    if target.exists() and digest(target) == sha256:
        return
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, part, progress, timeout)
        received = digest(part)
        if received != sha256:
            part.unlink()
            raise DataError(
                f"{url} sent a file with the digest {received}, not {sha256}; try again or report the change."
            )
        os.replace(part, target)
    except urllib.error.HTTPError as error:
        raise DataError(f"{url} answered {error.code} {error.reason}; check the address or try again later.") from error
    except urllib.error.URLError as error:
        raise DataError(f"{url} cannot be reached ({error.reason}); connect to the internet and try again.") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise DataError(f"The download of {url} broke off; run the same command again to continue it.") from error
    except OSError as error:
        raise DataError(
            f"{part} cannot be written ({error.strerror}); free some space or name another folder."
        ) from error


def digest(path: Path) -> str:
    """The SHA-256 digest of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def extract_tar(archive: Path, folder: Path) -> None:
    """Unpack a tar archive, refusing devices and what would lead out of `folder` (PEP 706, filter "data").

    Raises DataError if the archive is damaged or holds such an entry, or if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(
            f"{archive} is not an archive that can be unpacked ({error}); delete it and fetch it again."
        ) from error
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror}); free some space or name another folder."
        ) from error


def _fetch(url: str, part: Path, progress: Progress | None, timeout: float) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        # The part is whole, or longer than the file: its digest will tell.
        return
    with response:
        if have and response.status != HTTPStatus.PARTIAL_CONTENT:
            have = 0
        _copy(response, part, have, progress)


def _copy(response: http.client.HTTPResponse, part: Path, have: int, progress: Progress | None) -> None:
    length = response.headers.get("Content-Length")
    total = have + int(length) if length else None
    with part.open("ab" if have else "wb") as file:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            if progress is not None:
                progress(have, total)
    # Reading in pieces ends quietly when the connection does.
    if total is not None and have < total:
        raise http.client.IncompleteRead(b"", total - have)
