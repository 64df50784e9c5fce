"""Where things lie on disk: the project's own folders and the two folders of the user."""

import os
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def bundled_dir() -> Path:
    """Data that come with the project."""
    return _ROOT / "data"


def checkpoints_dir() -> Path:
    """Model cards and weights that come with the project."""
    return _ROOT / "checkpoints"


def data_dir() -> Path:
    """Generated and downloaded data, training states; `COLDCAST_DATA_DIR` moves it."""
    return _user_dir("COLDCAST_DATA_DIR", "user_data_dir")


def cache_dir() -> Path:
    """Stored forecasts, safe to delete at any time; `COLDCAST_CACHE_DIR` moves it."""
    return _user_dir("COLDCAST_CACHE_DIR", "user_cache_dir")


def _user_dir(variable: str, kind: str) -> Path:
    named = os.environ.get(variable)
    if named:
        return Path(named).expanduser()
    import platformdirs  # only needed here: simulate and train also run where it is not installed

    return Path(getattr(platformdirs, kind)("coldcast", appauthor=False))
