"""The paper's sea surface temperature boxes from Zenodo: every file of the record, checked against its digest there.

Zenodo's REST API: https://developers.zenodo.org/#records
"""

import json
import re
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.datasets.sst_boxes import box_files
from engine.download import Progress, download, extract_tar, extract_zip
from engine.errors import DataError
from engine.folders import data_dir

RECORD = "https://zenodo.org/api/records/7259555"

_LENGTHS = {"md5": 32, "sha256": 64}
_UNPACKED = "UNPACKED"


@dataclass(frozen=True)
class RecordFile:
    """A file of a Zenodo record: its plain name, its size in bytes, its digest, "" in one of the two, and its place."""

    name: str
    size: int
    md5: str
    sha256: str
    url: str

    @property
    def digest(self) -> str:
        """The digest that there is."""
        return self.sha256 or self.md5


def fetch_boxes(
    *,
    folder: Path | None = None,
    record: str = RECORD,
    announce: Callable[[RecordFile], None] | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Fetch the files of a record, unpack the archives among them, and return the folder that they lie in.

    What was interrupted continues; files that are there and right, and archives that were unpacked, are left alone.
    folder: the user's data folder by default; announce: called with each file before it comes.

    Raises:
        DataError: the server cannot be reached, refuses, breaks off or sends something else; or no space.
        Cancelled: `cancelled()` became true.
    """
    place = data_dir() / "sst-boxes" if folder is None else folder
    for file in record_files(place, record, cancelled):
        if file.digest in _unpacked(place) and box_files(place):
            continue
        if announce is not None:
            announce(file)
        target = place / file.name
        download(file.url, target, sha256=file.sha256, md5=file.md5, progress=progress, cancelled=cancelled)
        _unpack(target, file)
    if not box_files(place):
        raise DataError(f"{record} holds no sst.day.mean.boxNN.nc; report that the record has changed.")
    return place


def record_files(place: Path, record: str = RECORD, cancelled: Callable[[], bool] | None = None) -> list[RecordFile]:
    """What Zenodo says of the files of a record.

    Raises: DataError where Zenodo cannot be reached or answers in another form; Cancelled.
    """
    listing = place / "record.json"
    listing.unlink(missing_ok=True)
    download(record, listing, cancelled=cancelled)
    try:
        content = json.loads(listing.read_text(encoding="utf-8"))
        files = [_record_file(entry) for entry in content["files"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{record} did not answer with a list of files; try again later.") from error
    finally:
        listing.unlink(missing_ok=True)
    return files


def _record_file(entry: Mapping[str, Any]) -> RecordFile:
    """Raises ValueError, KeyError or TypeError where an entry is not of the form that is documented."""
    name = str(entry["key"])
    algorithm, _, value = str(entry["checksum"]).partition(":")
    url = str(entry["links"]["self"])
    if not re.fullmatch(r"[\w][\w .+-]*", name):
        raise ValueError(f"{name!r} is no plain file name")
    if len(bytes.fromhex(value)) * 2 != _LENGTHS[algorithm]:
        raise ValueError(f"{value!r} is no digest")
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is no address")
    digests = {"md5": "", "sha256": "", algorithm: value.lower()}
    return RecordFile(name, int(entry["size"]), digests["md5"], digests["sha256"], url)


def _unpack(archive: Path, file: RecordFile) -> None:
    """Unpack a tar or zip archive beside itself, remember that, and delete it; other files stay as they are."""
    if zipfile.is_zipfile(archive):
        extract_zip(archive, archive.parent)
    elif tarfile.is_tarfile(archive):
        extract_tar(archive, archive.parent)
    else:
        return
    with (archive.parent / _UNPACKED).open("a", encoding="utf-8") as names:
        names.write(f"{file.digest}  {file.name}\n")
    archive.unlink()


def _unpacked(place: Path) -> set[str]:
    """Digests of the archives that were unpacked here."""
    path = place / _UNPACKED
    return {line.split()[0] for line in path.read_text(encoding="utf-8").splitlines()} if path.exists() else set()
