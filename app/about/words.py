"""What Coldcast is and where its data come from, in words."""

METHOD = """
Coldcast makes probabilistic forecasts of physical fields by **cold sampling**, the method of *DYffusion:
A Dynamics-informed Diffusion Model for Spatiotemporal Forecasting* (Rühling Cachay, Zhao, Joren, Yu;
NeurIPS 2023, [arXiv 2306.01984](https://arxiv.org/abs/2306.01984)). Two networks work together. A
*forecaster* looks from any time inside a window to its end; an *interpolator*, which is random, fills in
the times between. Sampling walks through the window along a schedule of lead times, and every walk is
one ensemble member.

#### What the maps show
- **Mean** and **spread** (standard deviation) of the members, the **truth** where the run is known, and
  the **error**, mean − truth.
- Colours keep the same ends over all lead times, members and schedules until you write others beside the
  colour bar; at first they span the 2nd to 98th percentile. Mean and truth share theirs.
- While the maps play, the picture glides from one lead to the next; numbers and still pictures are those of
  a lead. Numbers on the maps are rounded to a 65534th of the range, or a 254th while members arrive; charts
  and files have them in full.
- A click shows the members at a cell, a drag the mean of a box over the cells that count, by their area.

#### What the scores mean
- **CRPS**, the continuous ranked probability score, in the units of the variable; 0 is perfect. It is
  the fair form, whose expectation does not depend on the number of members.
- **RMSE** of the ensemble mean, and **spread**, the root mean variance of the members times (M + 1)/M.
  Both are equal for a reliable ensemble, so their ratio is 1.
- The **Brier score** of a heatwave's probability: the mean squared difference between the probability and
  what happened, 1 or 0; 0 is perfect. It is the fair form, too.

The page **Skill** has the scores of every model beside simpler forecasts and the paper's, and what each part of
the method is worth.
"""

DATA = """
- **Monthly SST**: sea surface temperature of the tropical Pacific, NOAA OI SST V2 monthly means, December
  1981 to January 2023 on a 2.5° grid (Reynolds et al. 2002,
  [Journal of Climate 15](https://doi.org/10.1175/1520-0442%282002%29015%3C1609:AIISAS%3E2.0.CO;2)).
  Trained on 1982–2009, validated on 2010–2014, tested from 2015 on. The *Niño 3.4* index is the anomaly
  averaged over 5°S–5°N, 170°W–120°W.
- **Daily SST**: NOAA OISST daily means on a 0.25° grid (Reynolds et al. 2007,
  [doi:10.1175/2007JCLI1824.1](https://doi.org/10.1175/2007JCLI1824.1); Huang et al. 2021,
  [doi:10.1175/JCLI-D-20-0166.1](https://doi.org/10.1175/JCLI-D-20-0166.1)); the models know the Tasman Sea
  off Tasmania. Trained on 1982–2010, validated on 2011–2012, tested on 2013–2014. These data do not come
  with Coldcast: the page offers to fetch them from NOAA.
- **Navier–Stokes**: flow past four obstacles in a channel, simulated with finite elements.
- **Spring mesh**: a 10 × 10 lattice of particles joined by damped springs.

NOAA OISST is a product of the United States government and free to use; NOAA does not endorse what is made
of it here. Anomalies are departures from a climatology of the training years, which the page names. A **marine
heatwave** is water warmer than the 90th percentile of those years at the same time of the year, after Hobday
et al. 2016 ([doi:10.1016/j.pocean.2015.12.014](https://doi.org/10.1016/j.pocean.2015.12.014)), who also ask
for five days in a row; the maps show every day, or month, by itself. Coastlines are Natural Earth's (public
domain).

The simulated data follow the set-ups of *nn-benchmark* (Otness et al. 2021, [arXiv
2108.07799](https://arxiv.org/abs/2108.07799)). Their forecasts start from test runs that no model has seen
in training; runs *unlike training* have smaller obstacles or larger displacements than any in training.
"""
