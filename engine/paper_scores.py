"""Scores that the DYffusion paper publishes, in its own convention, to stand beside ours (arXiv 2306.01984)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperScore:
    """One line of the paper's tables: 50 members, mean over all leads, the biased CRPS, the ratio with ddof 0."""

    method: str
    split: str
    crps: float
    mse: float
    ssr: float


@dataclass(frozen=True)
class PaperTable:
    """What the paper reports of one system; `comparable` says how far its data are ours, `quantity` what is scored."""

    title: str
    quantity: str
    start: str
    scores: tuple[PaperScore, ...]
    comparable: str


PAPER_SCORES: dict[str, PaperTable] = {
    "navier-stokes": PaperTable(
        title="Navier–Stokes, 64 steps from frame 0",
        quantity="all",
        start="0",
        scores=(
            PaperScore("Perturbation", "test", 0.090, 0.028, 0.448),
            PaperScore("Dropout", "test", 0.078, 0.027, 0.715),
            PaperScore("DDPM", "test", 0.180, 0.105, 0.573),
            PaperScore("MCVD", "test", 0.154, 0.070, 0.524),
            PaperScore("DYffusion", "test", 0.067, 0.022, 0.877),
        ),
        comparable=(
            "Not comparable: the paper's data were made with a coarser time step, which makes the wakes too strong;"
            " ours are an accurate simulation of the same set-up."
        ),
    ),
    "spring-mesh": PaperTable(
        title="Spring mesh, 804 steps from frame 0",
        quantity="all",
        start="0",
        scores=(
            PaperScore("Dropout", "test", 0.0138, 7.27e-4, 1.01),
            PaperScore("DYffusion", "test", 0.0103, 4.20e-4, 1.13),
            PaperScore("Dropout", "ood", 0.0448, 7.08e-3, 0.70),
            PaperScore("DYffusion", "ood", 0.0292, 3.54e-3, 0.82),
        ),
        comparable=(
            "Comparable with care: our simulator agrees with the published trajectories to 5e-4, but the runs are"
            " others than the paper's."
        ),
    ),
    "sst-daily": PaperTable(
        title="Daily sea surface temperature, 7 days, in standard deviations of each cell",
        quantity="standardised",
        start="all",
        scores=(
            PaperScore("Perturbation", "test", 0.281, 0.180, 0.411),
            PaperScore("Dropout", "test", 0.267, 0.164, 0.406),
            PaperScore("DDPM", "test", 0.246, 0.177, 0.674),
            PaperScore("MCVD", "test", 0.216, 0.161, 0.926),
            PaperScore("DYffusion", "test", 0.224, 0.173, 1.033),
        ),
        comparable=(
            "Not comparable: the paper's are eleven boxes of the Pacific and the year 2020, ours the Tasman Sea"
            " and 2013–14; standard deviations differ too."
        ),
    ),
}
"""By data set; what the paper does not score is not here."""
