"""The score card as the tables of the README, written from the CSV files alone."""

from collections.abc import Iterator, Sequence
from math import floor, isfinite, log10
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError
from engine.paper_scores import PAPER_SCORES, PaperTable

if TYPE_CHECKING:
    import pandas as pd

BEGIN, END = "<!-- scorecard -->", "<!-- /scorecard -->"

TITLES = {
    "navier-stokes": "Navier–Stokes",
    "spring-mesh": "Spring mesh",
    "sst-daily": "Daily sea surface temperature, Tasman Sea",
    "sst-monthly": "Monthly sea surface temperature, tropical Pacific",
}
"""Data sets in the order of their tables."""

SHOWN_LEADS = {"sst-daily": ("1", "3", "5", "7"), "sst-monthly": ("1", "3", "6", "9", "12")}
BY_START = ("navier-stokes",)
QUANTITIES = {"sst-daily": ("sst",), "sst-monthly": ("sst", "nino34")}
QUANTITY_TITLES = {"all": "", "sst": "", "nino34": "Niño 3.4 index"}
SPLIT_TITLES = {"test": "test", "ood": "out of distribution"}
BASELINE_TITLES = {
    "persistence": "persistence, dressed",
    "damped": "damped persistence, dressed",
    "climatology": "climatology",
}
LEAD_UNITS = {"sst-daily": "day", "sst-monthly": "month"}


def render(card: "pd.DataFrame", paired: "pd.DataFrame") -> str:
    """All tables as Markdown: what `engine.scorecard.read_scorecard` and `read_paired` return, data set by data set."""
    parts = [line for dataset in TITLES for line in _of_dataset(dataset, card, paired)]
    return "\n".join([*parts, *_papers(card)]).strip() + "\n"


def put_into(readme: Path, text: str) -> None:
    """Replace what stands between the markers of the README.

    Raises: DataError if the markers are not there or the file cannot be read or written.
    """
    try:
        whole = readme.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{readme} cannot be read ({error.strerror}).") from error
    before, begin, rest = whole.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise DataError(f"{readme.name} has no place for the score card; put {BEGIN} and {END} where it belongs.")
    try:
        readme.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{readme} cannot be written ({error.strerror}).") from error


def between_markers(readme: Path) -> str:
    """The score card that the README shows."""
    return readme.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip() + "\n"


def _of_dataset(dataset: str, card: "pd.DataFrame", paired: "pd.DataFrame") -> Iterator[str]:
    rows = card[card["dataset"] == dataset]
    for quantity in QUANTITIES.get(dataset, ("all",)):
        chosen = rows[rows["quantity"] == quantity]
        if len(chosen):
            pairs = paired[(paired["dataset"] == dataset) & (paired["quantity"] == quantity)]
            yield from _overall(dataset, quantity, chosen, pairs)
            yield from _by_place(dataset, chosen)


def _overall(dataset: str, quantity: str, rows: "pd.DataFrame", pairs: "pd.DataFrame") -> Iterator[str]:
    whole = _in_order(rows[(rows["start"] == "all") & (rows["lead"] == "all")])
    one = pairs[(pairs["start"] == "all") & (pairs["lead"] == "all")]
    yield f"**{TITLES[dataset]}{_aside(QUANTITY_TITLES[quantity])}** ({_sample(whole)})"
    yield ""
    yield from _head("fair CRPS", "RMSE", "spread ÷ RMSE", "rank deviation", "CRPS ÷ Dropout", "CRPS ÷ best baseline")
    several = len(set(whole["split"])) > 1
    for row in whole.to_dict("records"):
        same = whole[whole["split"] == row["split"]]
        best = same[(same["model"] == "") & (same["runs"] == row["runs"])]["crps"].min()
        pair = one[(one["model"] == row["model"]) & (one["split"] == row["split"])]
        yield _line(
            _name(row, of_split=several),
            _with_interval(row, "crps"),
            _significant(row["rmse"]),
            _with_interval(row, "ssr", places=2),
            _fixed(row["rank_deviation"], 2),
            "" if pair.empty else _with_interval(pair.iloc[0].to_dict(), "crps_ratio", places=2),
            _fixed(row["crps"] / best, 2) if row["model"] and best > 0 else "",
        )
    yield ""


def _by_place(dataset: str, rows: "pd.DataFrame") -> Iterator[str]:
    """The CRPS and, in brackets, spread over RMSE by start frame or by lead."""
    if dataset in BY_START:
        starts = [start for start in dict.fromkeys(rows["start"]) if start != "all"]
        places, title = [("start", start) for start in sorted(starts, key=int)], "from frame"
    elif dataset in SHOWN_LEADS:
        places, title = [("lead", lead) for lead in SHOWN_LEADS[dataset]], LEAD_UNITS[dataset]
    else:
        return
    yield from _head(*(f"{title} {place}" for _, place in places))
    whole = _in_order(rows[(rows["start"] == "all") & (rows["lead"] == "all")])
    several = len(set(whole["split"])) > 1
    for row in whole.to_dict("records"):
        same = rows[
            (rows["model"] == row["model"]) & (rows["method"] == row["method"]) & (rows["split"] == row["split"])
        ]
        yield _line(_name(row, of_split=several), *(_at(same, column, place) for column, place in places))
    yield ""


def _at(rows: "pd.DataFrame", column: str, place: str) -> str:
    found = rows[(rows[column] == place) & (rows["lead" if column == "start" else "start"] == "all")]
    if found.empty:
        return ""
    row = found.iloc[0]
    return _significant(row["crps"]) + (f" ({_fixed(row['ssr'], 2)})" if isfinite(row["ssr"]) else "")


def _papers(card: "pd.DataFrame") -> Iterator[str]:
    rows = PAPER_SCORES.items()
    shown = [(name, of) for name, of in rows if not _in_papers_terms(card, name, of).empty]
    if not shown:
        return
    yield (
        "**In the convention of the DYffusion paper [1]**: the biased CRPS, the mean squared error of the ensemble"
        " mean, and the spread-skill ratio with ddof 0. The paper's forecasts have 50 members; with fewer the biased"
        " CRPS of the same model is higher and its ratio lower."
    )
    yield ""
    for name, published in shown:
        yield f"*{published.title}.* {published.comparable}"
        yield ""
        yield from _head("CRPS", "MSE", "spread ÷ RMSE")
        for score in published.scores:
            label = f"paper: {score.method}{_aside('' if score.split == 'test' else SPLIT_TITLES[score.split])}"
            yield _line(label, *map(_significant, (score.crps, score.mse, score.ssr)))
        rows = _in_order(_in_papers_terms(card, name, published))
        several = len(set(rows["split"])) > 1
        for row in rows.to_dict("records"):
            label = f"{_name(row, of_split=several)}, {row['members']:.0f} members"
            yield _line(label, *(_significant(row[column]) for column in ("crps_paper", "mse_paper", "ssr_paper")))
        yield ""


def _in_papers_terms(card: "pd.DataFrame", dataset: str, published: PaperTable) -> "pd.DataFrame":
    wanted = {"dataset": dataset, "quantity": published.quantity, "start": published.start, "lead": "all"}
    rows = card[card["model"] != ""]
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return rows


def _in_order(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Test runs before others; in each models first, the data set's default in front, baselines last."""
    methods = ("dyffusion", "dropout", *BASELINE_TITLES)

    def place(index: int) -> tuple[object, ...]:
        row = rows.loc[index]
        default = row["model"] == f"{row['dataset']}-fast"
        return (list(SPLIT_TITLES).index(row["split"]), not default, methods.index(row["method"]), row["model"])

    order: list[int] = sorted(rows.index, key=place)
    return rows.loc[order]


def _sample(rows: "pd.DataFrame") -> str:
    """What was scored, in words, from the models' rows where there are any."""
    models = rows[rows["model"] != ""]
    first = (models if len(models) else rows).iloc[0]
    counts = sorted({f"{count:.0f}" for count in models["members"]})
    members = f"; {' or '.join(counts)} members" if counts else ""
    same = rows.drop_duplicates(["split", "runs", "initial_conditions"])
    if first["quantity"] == "all":
        each = [
            f"{SPLIT_TITLES[row['split']]}: {row['runs']} runs, {row['initial_conditions']:.0f} forecasts"
            for row in same.to_dict("records")
        ]
        return f"{'; '.join(dict.fromkeys(each))}{members}"
    return f"°C; {first['initial_conditions']:.0f} forecasts of test years{members}"


def _name(row: "dict[str, object]", *, of_split: bool) -> str:
    base = str(row["model"]) or BASELINE_TITLES[str(row["method"])]
    return base + _aside(SPLIT_TITLES[str(row["split"])] if of_split and row["split"] != "test" else "")


def _aside(words: str) -> str:
    return f", {words}" if words else ""


def _head(*titles: str) -> Sequence[str]:
    return (_line("", *titles), "|" + "---|" * (len(titles) + 1))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _with_interval(row: "dict[str, object]", name: str, *, places: int | None = None) -> str:
    value, low, high = (float(str(row[key])) for key in (name, f"{name}_low", f"{name}_high"))
    if not isfinite(value):
        return ""
    digits = _places(value) if places is None else places
    interval = f" ({_fixed(low, digits)}–{_fixed(high, digits)})" if isfinite(low) else ""
    return _fixed(value, digits) + interval


def _significant(value: float) -> str:
    return _fixed(value, _places(value)) if isfinite(value) else ""


def _places(value: float) -> int:
    """Decimal places that show three significant digits."""
    return 2 if value == 0 else min(8, max(0, 2 - floor(log10(abs(value)))))


def _fixed(value: float, places: int) -> str:
    return f"{value:.{places}f}" if isfinite(value) else ""
