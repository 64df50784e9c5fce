"""What this is, where the data come from, and what the numbers mean."""

import streamlit as st

from app.notes import guarded

TEXT = """
# About Coldcast

Coldcast makes probabilistic forecasts of physical fields by **cold sampling**, the method of *DYffusion:
A Dynamics-informed Diffusion Model for Spatiotemporal Forecasting* (Rühling Cachay, Zhao, Joren, Yu;
NeurIPS 2023, [arXiv 2306.01984](https://arxiv.org/abs/2306.01984)). Two networks work together. A
*forecaster* looks from any time inside a window to its end; an *interpolator*, which is random, fills in
the times between. Sampling walks through the window along a schedule of lead times, and every walk is
one ensemble member.

## What the maps show
- **Mean** and **spread** (standard deviation) of the members, the **truth** where the run is known, and
  the **error**, mean − truth.
- Colours keep the same limits over all lead times; mean and truth share theirs. Values between the
  frames' codes are exact to a 65534th of the range.

## What the scores mean
- **CRPS**, the continuous ranked probability score, in the units of the variable; 0 is perfect. It is
  the fair form, whose expectation does not depend on the number of members.
- **RMSE** of the ensemble mean, and **spread**, the root mean variance of the members times (M + 1)/M.
  Both are equal for a reliable ensemble, so their ratio is 1.

## The data
- **Navier–Stokes**: flow past four obstacles in a channel, simulated with finite elements.
- **Spring mesh**: a 10 × 10 lattice of particles joined by damped springs.

Both follow the set-ups of *nn-benchmark* (Otness et al. 2021, [arXiv
2108.07799](https://arxiv.org/abs/2108.07799)). The forecasts start from test runs that no model has seen
in training; runs *unlike training* have smaller obstacles or larger displacements than any in training.
"""


@guarded
def show() -> None:
    """The page."""
    st.markdown(TEXT)
