"""Numbers, models and missing tables as the page about skill writes them."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import wording
from app.plots.curves import BLUE
from app.plots.skill import Dots
from app.wording import pretty_units
from engine.datasets import Dataset

BASELINES = {"persistence": "Persistence", "damped": "Damped persistence", "climatology": "Climatology"}
INDICES = ("nino34",)  # in degrees Celsius, like the channel that they are made of


def nothing_yet(what: str, command: str) -> None:
    """Say what is missing, what to do about it, and the command that does it."""
    st.info(f"{what}, run `{command}`.", icon=":material/hourglass_empty:")


def forecast_title(row: "pd.Series[object]") -> str:
    """A model by its card's title, a baseline by its name."""
    return BASELINES.get(str(row["method"])) or wording.model_title(str(row["model"]))


def number(value: float, form: str = "{:#.3g}") -> str:
    """A number with its significant digits; empty where there is none."""
    return "" if pd.isna(value) else form.format(value).rstrip(".")


def with_interval(row: "pd.Series[object]", name: str, form: str = "{:#.3g}") -> str:
    """A number and its interval in brackets."""
    value, low, high = (number(row[column], form) for column in (name, f"{name}_low", f"{name}_high"))
    joined = f"({low}\u2060–\u2060{high})"  # word joiners: an interval is not broken over two lines
    return f"{value} {joined}" if low and high else value


def crps_title(units: str, *, form: str = "fair CRPS") -> str:
    """What an axis of scores says; without units where channels of several are joined."""
    return f"{form} ({units})" if units else form


def units_of(dataset: Dataset, quantity: str | None = None) -> str:
    """The units of a quantity's scores, without one of what experiments score; empty where channels are joined."""
    if quantity is None and dataset.calendar is not None:
        quantity = "sst"
    known = {channel.name: pretty_units(channel.units) for channel in dataset.channels}
    return known.get(str(quantity), "°C" if quantity in INDICES else "")


def dots_of(
    rows: pd.DataFrame,
    x: "pd.Series[object]",
    name: str,
    colour: str = BLUE,
    symbol: str = "circle",
    *,
    words: Sequence[str] = (),
) -> Dots:
    """CRPS and its interval as dots of a chart."""
    values, low, high = (rows[column].to_numpy(float) for column in ("crps", "crps_low", "crps_high"))
    return Dots(name, x.to_numpy(), values, low, high, colour, symbol, words)
