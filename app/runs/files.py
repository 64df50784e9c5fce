"""Files about runs: the forecast, its request, the whole history."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from app.exports.names import file_name
from app.exports.table import FORMULA
from app.history import Ended, Entry
from app.runs import words
from engine.cache import default_cache
from engine.errors import Cancelled, DataError
from engine.forecasting import forecast
from engine.netcdf_files import netcdf_bytes
from engine.requests import ResolvedRequest

COLUMNS = (
    "name",
    "pinned",
    "ended",
    "times_run",
    "outcome",
    "seconds",
    "network_calls",
    "members_arrived",
    "device",
    "variable",
    "units",
    "crps",
    "rmse",
    "spread_rmse_ratio",
)


def forecast_file(request: ResolvedRequest) -> bytes:
    """The forecast as `python -m engine forecast` writes it, read from store.

    Raises DataError where a part of it is no longer there: nothing is computed here.
    """
    try:
        result = forecast(request, cache=default_cache(), cancelled=lambda: True)  # asked before every network call
    except Cancelled:
        raise DataError("A part of this forecast is no longer stored: open it and run it again.") from None
    return netcdf_bytes(result)


def request_file(run: Ended) -> bytes:
    """The request as JSON, complete; its fields are those of `engine.ForecastRequest`."""
    return (json.dumps(asdict(run.asked), indent=1) + "\n").encode()


def history_file(entries: Sequence[Entry]) -> bytes:
    """Some runs as CSV in UTF-8, a line each, with a mark by which spreadsheets know it; times are UTC."""
    text = io.StringIO()
    asked = [asdict(entry.run.asked) for entry in entries]
    fields = list(asked[0]) if asked else []
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow([*COLUMNS, *fields])
    for entry, request in zip(entries, asked, strict=True):
        table.writerow([*map(_cell, _values(entry)), *(_cell(request[name]) for name in fields)])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def name_of(run: Ended, ending: str) -> str:
    """What a file about a run is called."""
    return file_name(run.request.dataset, "from", words.start(run), f"seed-{run.request.seed}", ending=ending)


def _values(entry: Entry) -> tuple[object, ...]:
    run, scores = entry.run, entry.run.scores
    of_scores = (
        (None,) * 5
        if scores is None
        else (scores.variable, scores.units, *(_number(each) for each in (scores.crps, scores.rmse, scores.ratio)))
    )
    ended = datetime.fromtimestamp(entry.ended, UTC).isoformat(timespec="seconds")
    took = (run.outcome, f"{run.seconds:.3f}", run.calls, run.arrived, run.device)
    return (entry.name, entry.pinned, ended, entry.times, *took, *of_scores)


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"


def _cell(value: object) -> object:
    """A value as it stands in the table: nothing that a spreadsheet would run."""
    if isinstance(value, tuple):
        return ",".join(f"{each:g}" for each in value)
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
