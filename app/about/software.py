"""The packages that Coldcast uses: their versions and licences, read from what is installed."""

import re
from importlib import metadata
from pathlib import Path

import pandas as pd
import streamlit as st

from engine.version import NAME

ROOT = Path(__file__).resolve().parents[2]
LONGEST_LICENCE = 60  # characters; what is longer is the licence's text, not its name


def software() -> None:
    """What is required, and everything else that is installed beside it."""
    st.markdown(
        "Coldcast itself, its models and the data that it simulated are under the **Apache License 2.0**. It stands on "
        "these packages, each under its own licence; nothing of them is contained in Coldcast."
    )
    st.table(table_of(required()), border="horizontal", hide_index=True)
    rest = st.expander("All installed packages", key="about-packages", on_change="rerun")
    if rest.open:
        with rest:
            st.table(table_of(installed()), border="horizontal", hide_index=True)


def required() -> list[str]:
    """Names of the packages that Coldcast asks for."""
    try:
        lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    except OSError:  # it is installed without its project
        try:
            lines = metadata.requires(NAME) or []
        except metadata.PackageNotFoundError:
            lines = []
    found = (re.match(r"[A-Za-z0-9][\w.-]*", line) for line in lines if ";" not in line)
    return [match.group() for match in found if match is not None]


def installed() -> list[str]:
    """Names of all packages that are installed here."""
    names = {each.metadata["Name"] for each in metadata.distributions()}
    return sorted(filter(None, names), key=str.lower)


def table_of(names: list[str]) -> pd.DataFrame:
    """One line for each package."""
    rows = [(name, *version_and_licence(name)) for name in names]
    return pd.DataFrame(rows, columns=["Package", "Version", "Licence"])


def version_and_licence(name: str) -> tuple[str, str]:
    """What a package says of itself."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "not installed", ""
    return said["Version"] or "", licence_of(said)


def licence_of(said: "metadata.PackageMetadata") -> str:
    """The licence: its SPDX expression, else its name, else what the classifiers say."""
    fields = dict(said.json)
    expression = str(fields.get("license_expression", ""))
    if expression:
        return expression
    classified = [line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or [] if line.startswith("License")]
    name = str(fields.get("license", "")).strip()
    if classified:
        return ", ".join(classified)
    return name if 0 < len(name) <= LONGEST_LICENCE and "\n" not in name else "not stated; see its own files"
