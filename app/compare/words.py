"""Both forecasts of a comparison in words: how they differ, what B takes, and who is better."""

import numpy as np

from app import wording
from app.backend import Cost
from app.forecast.running import cost_words
from app.plain_text import plain
from app.sampler import LAST_STEP, PRECISION, noise_words
from engine.paired import Comparison, Pair
from engine.requests import ResolvedRequest

SAMPLING = ("schedule", "solver", "noise", "refine", "last_step")


def difference_sentence(first: ResolvedRequest, second: ResolvedRequest) -> str:
    """How B differs from A, in Markdown."""
    names = [name for name in ("model", *SAMPLING, "precision", "members") if _differs(first, second, name)]
    if not names:
        return "B is the same as A so far."
    parts = [f"{TITLES[name]} **{_value(second, name)}** (A: {_value(first, name)})" for name in names]
    return f"B differs in {_listed(parts)}."


def cost_sentence(second: ResolvedRequest, cost: Cost, seconds: float | None, calls_of_first: int) -> str:
    """What B takes, beside the calls of A."""
    if cost.left == 0:
        return "B is stored: shown at once."
    about = cost_words(second, Cost(cost.per_member, cost.left, seconds))
    unknown = "" if seconds is not None else "; how long that takes is known after the first run of this model here"
    return f"B takes {about}{unknown}. A takes {calls_of_first:,} network calls per member."


def _differs(first: ResolvedRequest, second: ResolvedRequest, name: str) -> bool:
    """Whether a field differs and matters: of a model that walks along no schedule, sampling says nothing."""
    if name in SAMPLING and first.model != second.model and "0" in (first.schedule, second.schedule):
        return False
    return bool(getattr(first, name) != getattr(second, name))


def _value(request: ResolvedRequest, name: str) -> str:
    value = getattr(request, name)
    if name == "model":
        return plain(wording.model_title(value))
    if name == "noise":
        return plain(noise_words(value).removeprefix("noise "))
    if name == "refine":
        return "on" if value else "off"
    if name == "last_step":
        return LAST_STEP[value].lower()
    if name == "precision":
        return PRECISION[value].lower()
    return plain(str(value))


TITLES = {
    "model": "model",
    "schedule": "schedule",
    "solver": "sampler",
    "noise": "noise",
    "refine": "refinement",
    "last_step": "last step",
    "precision": "precision",
    "members": "members",
}


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


# -- verdicts ----------------------------------------------------------------------------------------------


def change_words(pair: Pair) -> str:
    """B against A over all leads in per cent, with the interval: "−12.3 % (−15.1 to −9.2 %)"."""
    value, low, high = (100 * float(each) for each in (pair.change.value, pair.change.low, pair.change.high))
    if not np.isfinite(value):
        return ""
    if value == low == high == 0:
        return "0 %"
    ends = f" ({_signed(low)} to {_signed(high)} %)" if np.isfinite(low) else ""
    return f"{_signed(value)} %{ends}"


def verdict(name: str, overall: dict[str, Pair]) -> str:
    """What a score says of B against A over all leads."""
    judged = overall["miss" if name == "ratio" else name]
    side = sign(judged)
    if not np.isfinite(float(judged.difference.value)):
        return "nothing to compare"
    if side is None:
        return "one block alone: no interval"
    if side == 0:
        same = float(judged.difference.value) == 0
        return "the same" if same else "not distinguishable"
    if name == "spread":
        return "B spreads less" if side < 0 else "B spreads more"
    if name == "ratio":
        return "B is nearer to 1" if side < 0 else "A is nearer to 1"
    return "B is better" if side < 0 else "A is better"


def sign(pair: Pair) -> int | None:
    """-1 where B's score is surely lower over all leads, 1 where it is surely higher, else 0; None without interval."""
    low, high = float(pair.difference.low), float(pair.difference.high)
    if not np.isfinite(low + high):
        return None
    return -1 if low > 0 else 1 if high < 0 else 0


def headline(found: Comparison, score: str, title: str) -> str:
    """Who is better, in a sentence, and at how many leads."""
    pair = found.overall[score]
    value, low, high = (100 * float(each) for each in (pair.change.value, pair.change.low, pair.change.high))
    side = sign(pair)
    if side is None or not np.isfinite(value):
        return ""
    if float(pair.difference.value) == low == high == 0:
        return f"B's {title} is exactly A's."
    if side == 0:
        words = f"A and B are **not distinguishable** in {title}: B's is {_signed(value)} % against A's"
        words += f", interval {_signed(low)} to {_signed(high)} %"
    else:
        near, far = sorted((abs(low), abs(high)))
        words = f"B's {title} is **{abs(value):.3g} % {'lower' if side < 0 else 'higher'}**, "
        words += (
            f"interval {near:.2g} to {far:.2g} %" if low * high > 0 else f"interval {_signed(low)} to {_signed(high)} %"
        )
    lower, higher, other = lead_counts(found.by_lead[score])
    return f"{words}. By lead it is lower at {lower}, higher at {higher} and not distinguishable at {other}."


def lead_counts(pair: Pair) -> tuple[int, int, int]:
    """At how many leads B's score is surely lower, surely higher, and neither."""
    low, high = pair.difference.low, pair.difference.high
    known = np.isfinite(low)
    lower, higher = int((low[known] > 0).sum()), int((high[known] < 0).sum())
    return lower, higher, int(known.sum()) - lower - higher


def _signed(percent: float) -> str:
    text = f"{percent:+.1f}" if abs(percent) < 100 else f"{percent:+.0f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")
