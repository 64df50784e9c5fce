"""The page as a user serves it, from folders of its own, and the browser that visits it: for tests and timings."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
START_SECONDS = 120


class NoAnswer(Exception):
    """The server ended or does not answer; with what it wrote."""


def find_chromium() -> str | None:
    """The program that CHROMIUM names, else the first Chromium on PATH, else None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, COMMANDS)), None)


def free_port() -> int:
    """A port that nobody serves on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def served(folder: Path, port: int | None = None) -> Iterator[str]:
    """The address of a server of this process's own, on a free port if none is named; it stores in `folder`.

    Raises:
        NoAnswer: it ended, or took longer than START_SECONDS.
    """
    port = port or free_port()
    folders = {"COLDCAST_CACHE_DIR": folder / "cache", "COLDCAST_DATA_DIR": folder / "data"}
    for own in folders.values():
        own.mkdir(parents=True, exist_ok=True)
    words = ["streamlit", "run", "app/main.py", "--server.port", str(port), "--server.address", "127.0.0.1"]
    log = folder / "server.txt"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**os.environ, **{name: str(own) for name, own in folders.items()}},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise NoAnswer(f"the server ended:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise NoAnswer(f"the server did not answer within {START_SECONDS} s:\n{log.read_text()}")
