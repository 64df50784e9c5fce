"""Names of files that every disk takes, and that say what is inside."""

import json
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.summary import Summary
    from engine.datasets import Dataset

LONGEST = 120  # characters, so that folder, ending and a browser's "(1)" find room in 255 bytes


def file_name(*parts: str, ending: str) -> str:
    """The parts joined by underscores; whatever a disk or a shell may take amiss becomes a hyphen."""
    words = [_plain(part) for part in parts]
    return f"{'_'.join(word for word in words if word)[:LONGEST].rstrip('-._') or 'coldcast'}.{ending}"


def forecast_name(dataset: "Dataset", summary: "Summary", what: str) -> str:
    """What a file about a forecast is called: data set, what it shows, and where the forecast starts."""
    return f"{dataset.name}_{what}_from-{start_name(dataset, summary)}"


def start_name(dataset: "Dataset", summary: "Summary") -> str:
    """Where a forecast starts: a date, or run and frame."""
    if dataset.calendar is not None:
        return dataset.calendar.label(summary.init_time)
    return str(json.loads(summary.request)["init"]).replace(":", "-frame-")


def _plain(text: str) -> str:
    ascii_ = unicodedata.normalize("NFKD", text.replace("°", "")).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9.+_-]+", "-", ascii_).strip("-.")
