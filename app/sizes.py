"""How much lies in a folder."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folder:
    """Files of a folder, those in folders of it too, and their bytes."""

    files: int
    size: int


def measure(path: Path) -> Folder:
    """What lies in a folder, links not followed; nothing where it is not there."""
    files = size = 0
    for place, _, names in os.walk(path):
        for name in names:
            try:
                size += os.lstat(os.path.join(place, name)).st_size
                files += 1
            except OSError:  # it went meanwhile
                continue
    return Folder(files, size)


def in_words(size: int) -> str:
    """A size in powers of 1000."""
    for unit, bytes_ in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_:
            return f"{size / bytes_:,.1f} {unit}"
    return f"{size} B"
