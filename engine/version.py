"""The version of Coldcast, as its package says it."""

import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

NAME = "coldcast"


@cache
def version() -> str:
    """The version: that of pyproject.toml beside the code, else of the installed package; "unknown" without either."""
    try:
        with (Path(__file__).resolve().parents[1] / "pyproject.toml").open("rb") as file:
            project = tomllib.load(file)["project"]
        if project["name"] == NAME:
            return str(project["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        pass  # it is installed without its project
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return "unknown"
