"""The score card: how good every checkpoint is on data it has not seen, beside its rivals, as tables and as text.

`checkpoints/scorecard.csv` holds the scores, `checkpoints/paired.csv` how a model compares with the data set's Dropout
model on the same forecasts. Where a score counts only for some rows it is empty in the others.
"""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from engine.bootstrap import Estimate, mean_estimate, paired_ratio_estimate, root_mean_estimate
from engine.checkpoint import load_card
from engine.errors import CheckpointError, DataError
from engine.evaluation import by_unit, resampling, skill
from engine.folders import checkpoints_dir, data_dir
from engine.tables import read_csv_table, with_rows_replaced, write_csv_table

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "make it with python -m engine scorecard"
BASELINE_METHODS = {"persistence": "persistence", "damped persistence": "damped", "climatology": "climatology"}
"""Names of baselines in evaluations, and in the column `method`."""

_WHAT = ("dataset", "model", "method", "split")
_SELECTED = ("quantity", "start", "lead")
_COUNTS = ("initial_conditions", "members")
_SCORES = ("crps", "crps_low", "crps_high", "rmse", "rmse_low", "rmse_high", "ssr", "ssr_low", "ssr_high")
_PAPER = ("crps_paper", "mse_paper", "ssr_paper")
COLUMNS = (*_WHAT, *_SELECTED, "runs", *_COUNTS, *_SCORES, "rank_deviation", *_PAPER, "request")
WORDS = (*_WHAT, *_SELECTED, "runs", "request")

PAIRED_COLUMNS = ("dataset", "model", "rival", "split", *_SELECTED, "crps_ratio", "crps_ratio_low", "crps_ratio_high")
PAIRED_WORDS = ("dataset", "model", "rival", "split", *_SELECTED)


@dataclass(frozen=True)
class Scored:
    """What was scored; `model` and `request` are empty and `members` is None of a baseline.

    runs: how many and which, such as "20 generated" or "5 bundled"; of a record its name.
    """

    dataset: str
    model: str
    method: str
    split: str
    runs: str
    members: int | None
    request: str


@dataclass(frozen=True, eq=False)
class Selection:
    """Some of the scores of an evaluation: a quantity ("all": channels joined), from a start, at a lead or over all."""

    quantity: str
    start: str
    lead: str
    scores: xr.Dataset


def read_scorecard() -> "pd.DataFrame":
    """The score card, one row a data set, model or baseline, split, quantity, start and lead.

    Raises: DataError if it is missing or damaged.
    """
    return read_csv_table(scorecard_path(), COLUMNS, words=WORDS, remedy=REMEDY)


def read_paired() -> "pd.DataFrame":
    """Ratios of CRPS to that of the data set's Dropout model on the same forecasts; no rows where none were compared.

    Raises: DataError if the table is damaged.
    """
    import pandas as pd

    if not paired_path().exists():
        return pd.DataFrame(
            {name: pd.Series(dtype="str" if name in PAIRED_WORDS else float) for name in PAIRED_COLUMNS}
        )
    return read_csv_table(paired_path(), PAIRED_COLUMNS, words=PAIRED_WORDS, remedy=REMEDY)


def scorecard_path() -> Path:
    """The file of the score card."""
    return checkpoints_dir() / "scorecard.csv"


def paired_path() -> Path:
    """The file of the paired comparisons."""
    return checkpoints_dir() / "paired.csv"


def renew_scorecard(rows: "pd.DataFrame") -> None:
    """Write rows into the score card; those of other models, splits and baselines stay.

    Raises: DataError if the card is damaged or cannot be written.
    """
    old = read_scorecard() if scorecard_path().exists() else rows.iloc[:0]
    write_csv_table(scorecard_path(), with_rows_replaced(old, rows, _WHAT))


def model_rows(scores: xr.Dataset, what: Scored) -> "pd.DataFrame":
    """Rows of the card for what `engine.evaluation.evaluate` returns of a model."""
    return _table([_scored_row(what, each) for each in selections(scores)])


def baseline_rows(scores: xr.Dataset, what: Scored) -> "pd.DataFrame":
    """Rows of the card for one baseline: `crps` and `mse`, dims (run, start, lead, channel)."""
    return _table([_baseline_row(what, each) for each in selections(scores)])


def selections(scores: xr.Dataset) -> Iterator[Selection]:
    """Every row of an evaluation: by channel and start frame, of an observed record by quantity and lead."""
    names = [str(name) for name in scores["channel"].values]
    if "mean" in scores:
        for name in names:
            part = scores.sel(channel=[name])
            yield Selection(name, "all", "all", part)
            for lead in scores["lead"].values:
                yield Selection(name, "all", f"{lead:g}", part.sel(lead=[lead]))
        return
    for name in ("all", *names):
        part = scores if name == "all" else scores.sel(channel=[name])
        yield Selection(name, "all", "all", part)
        for start in scores["start"].values:
            yield Selection(name, f"{start}", "all", part.sel(start=[start]))


def keep_for_pairs(scores: xr.Dataset, what: Scored) -> None:
    """Keep the CRPS of every forecast of a model in the data folder, for comparisons with models scored later.

    Raises: DataError if it cannot be written.
    """
    path = _kept_path(what.dataset, what.split, what.model)
    labels = {name: scores[name].values for name in ("run", "start", "lead", "channel")}
    crps = scores["crps"].transpose("run", "start", "lead", "channel").values.astype(np.float32)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                allow_pickle=False,
                crps=crps,
                digest=np.array(load_card(what.model).digest),
                runs=np.array(what.runs),
                record=np.array("mean" in scores),
                **{name: np.array(values) for name, values in labels.items()},
            )
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); free some space.") from error


def renew_paired(dataset: str, split: str) -> None:
    """Compare every model of the data set whose scores are kept with its Dropout model; renews `paired.csv`.

    Only forecasts of the same initial conditions by the weights of today are compared.
    """
    rival = f"{dataset}-dropout"
    of_rival = _kept(dataset, split, rival)
    if of_rival is None:
        return
    rows = []
    for path in sorted(_kept_path(dataset, split, rival).parent.glob("*.npz")):
        scores = None if path.stem == rival else _kept(dataset, split, path.stem)
        if scores is not None and _same_forecasts(scores, of_rival):
            rows += _paired_rows(scores, of_rival, (dataset, path.stem, rival, split))
    if rows:
        import pandas as pd

        table = pd.DataFrame(rows, columns=list(PAIRED_COLUMNS))
        keys = ("dataset", "model", "rival", "split")
        write_csv_table(paired_path(), with_rows_replaced(read_paired(), table, keys))


def _scored_row(what: Scored, selected: Selection) -> dict[str, object]:
    fair, paper = skill(selected.scores), skill(selected.scores, convention="paper")
    pooled = selected.start == "all"
    return {
        **_described(what, selected, selected.scores["mse"]),
        **_estimate("crps", fair.crps),
        **_estimate("rmse", fair.rmse),
        **_estimate("ssr", fair.ratio),
        "rank_deviation": fair.rank_deviation if pooled else None,
        "crps_paper": paper.crps.value,
        "mse_paper": paper.rmse.value**2,
        "ssr_paper": paper.ratio.value,
    }


def _baseline_row(what: Scored, selected: Selection) -> dict[str, object]:
    counts = resampling(selected.scores)
    return {
        **_described(what, selected, selected.scores["mse"]),
        **_estimate("crps", mean_estimate(by_unit(selected.scores, "crps"), counts)),
        **_estimate("rmse", root_mean_estimate(by_unit(selected.scores, "mse"), counts)),
    }


def _described(what: Scored, selected: Selection, scored: xr.DataArray) -> dict[str, object]:
    """How many initial conditions were scored is counted, as a record ends before the last leads do."""
    known = scored.notnull().any(("lead", "channel"))
    place = {"quantity": selected.quantity, "start": selected.start, "lead": selected.lead}
    return {**asdict(what), **place, "initial_conditions": int(known.sum())}


def _estimate(name: str, estimate: Estimate) -> dict[str, object]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _table(rows: list[dict[str, object]]) -> "pd.DataFrame":
    import pandas as pd

    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = [name for name in COLUMNS if name not in WORDS]
    return table.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(WORDS, "str"))


def _kept_path(dataset: str, split: str, model: str) -> Path:
    return data_dir() / "scorecard" / dataset / split / f"{Path(model).name}.npz"


def _kept(dataset: str, split: str, model: str) -> xr.Dataset | None:
    """What `keep_for_pairs` kept, `crps`; None where there is none of the weights of today, or its file is damaged."""
    try:
        with np.load(_kept_path(dataset, split, model), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        dims = ("run", "start", "lead", "channel")
        result = xr.Dataset({"crps": (dims, arrays["crps"])}, {name: arrays[name] for name in dims})
        if str(arrays["digest"]) != load_card(model).digest:
            return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, CheckpointError):
        return None  # scored again, it is written anew
    result.attrs["runs"] = str(arrays["runs"])
    return result.assign(mean=result["crps"]) if bool(arrays["record"]) else result


def _same_forecasts(scores: xr.Dataset, rival: xr.Dataset) -> bool:
    return scores.attrs["runs"] == rival.attrs["runs"] and all(
        np.array_equal(scores[name].values, rival[name].values) for name in ("run", "start", "lead", "channel")
    )


def _paired_rows(scores: xr.Dataset, rival: xr.Dataset, what: tuple[str, str, str, str]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for ours, theirs in zip(selections(scores), selections(rival), strict=True):
        pair = (by_unit(ours.scores, "crps"), by_unit(theirs.scores, "crps"))
        ratio = paired_ratio_estimate(*pair, resampling(ours.scores))
        rows.append((*what, ours.quantity, ours.start, ours.lead, ratio.value, ratio.low, ratio.high))
    return rows
