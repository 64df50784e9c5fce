"""Colour tables of 256 × 3 bytes, from the perceptually uniform cmocean scales that plotly brings along."""

import re
from functools import lru_cache

import numpy as np
from plotly.colors import cmocean

TABLES = {"thermal": cmocean.thermal, "balance": cmocean.balance, "amp": cmocean.amp}


@lru_cache
def colour_table(name: str) -> np.ndarray:
    """The named scale, linear between its stops: uint8 (256, 3), red, green, blue."""
    stops = np.array([[float(band) for band in re.findall(r"[\d.]+", stop)] for stop in TABLES[name]])
    at = np.linspace(0, len(stops) - 1, 256)
    bands = [np.interp(at, np.arange(len(stops)), stops[:, band]) for band in range(3)]
    return np.round(np.stack(bands, axis=1)).astype(np.uint8)
