"""Tables that come with the project as plain CSV: read whole, written in one rename, renewed in part."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_csv_table(path: Path, columns: Sequence[str], *, words: Sequence[str], remedy: str) -> "pd.DataFrame":
    """The table in a file; the columns named `words` hold text, all others numbers, NaN where the file is empty.

    Raises: DataError, ending in the remedy, if the file is missing, damaged or has other columns.
    """
    import pandas as pd

    kinds = {name: "str" if name in words else "float64" for name in columns}
    try:
        table = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""], encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"There is no table {path.name} yet; {remedy}.") from None
    except (OSError, ValueError) as error:  # pandas' ParserError and a failed decoding are ValueErrors
        reason = str(error).splitlines()[0]
        raise DataError(f"The table {path.name} cannot be read ({reason}); {remedy}.") from error
    if list(table.columns) != list(columns):
        raise DataError(f"The table {path.name} has the columns {', '.join(table.columns)}, not its own; {remedy}.")
    table[list(words)] = table[list(words)].fillna("")
    return table


def write_csv_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a table, numbers to six digits; it appears under its name only when it is whole.

    Raises: DataError if it cannot be written.
    """
    try:
        write_text(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); name another file.") from error


def write_text(path: Path, text: str) -> None:
    """Write a text; it appears under its name only when it is whole. Raises OSError."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="")
    os.replace(partial, path)


def with_rows_replaced(old: "pd.DataFrame", new: "pd.DataFrame", keys: Sequence[str]) -> "pd.DataFrame":
    """The rows of both, sorted by the keys; of the old ones none whose keys the new ones have too."""
    import pandas as pd

    renewed = set(new[list(keys)].itertuples(index=False, name=None))
    kept = [row not in renewed for row in old[list(keys)].itertuples(index=False, name=None)]
    parts = [part for part in (old[kept], new) if len(part)]
    joined = pd.concat(parts, ignore_index=True) if parts else new
    return joined.sort_values(list(keys), kind="stable", ignore_index=True)
