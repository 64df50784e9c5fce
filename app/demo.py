"""Demo mode (`?demo=1`): scenes that show, one after the other, what the page does."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scene:
    """One scene: what it shows as a link has it, and what is said about it.

    query: the request and the look; maps: what the maps begin with, as behind the # of a link; runs: whether its
    forecast is computed before the eyes of the audience, instead of a stored example.
    """

    title: str
    words: str
    query: Mapping[str, str]
    maps: str = ""
    runs: bool = False


SCENES = (
    Scene(
        "A forecast is a distribution",
        "Water flows past obstacles it has not met before. Twenty ensemble members, each one possible future, give a "
        "**mean**, and how far they part, the **spread**. The **truth** and the **error** stand beside them, never "
        "hidden.",
        {"dataset": "navier-stokes"},
    ),
    Scene(
        "Ask any place why",
        "White lines are the paths of drifting particles. In the wake the members part; the ring marks a place there, "
        "and its future stands below the maps. Click anywhere else, or drag a box. Space pauses.",
        {"dataset": "navier-stokes", "at": "1.45,0.1", "traces": "true"},
        maps="view=0.95,1.95,0.06,0.25",
    ),
    Scene(
        "The ocean, twelve months ahead",
        "Sea surface temperature from June 2015, as it was observed. The **plume** shows El Niño in the members and in "
        "truth: the forecast sees it coming, but not how strong it became. Grey lines are what must be beaten.",
        {"dataset": "sst-monthly", "init": "2015-06"},
    ),
    Scene(
        "The sampler is in your hands",
        "This forecast stops at every lead and draws fresh noise at each call: about three times the network calls of "
        "the default, and the members part far too much, which **Spread ÷ RMSE** shows. Pick **stride64** under "
        "Sampling schedule and *Switched off* under Noise, or click the ticks, and run it again.",
        {
            "dataset": "spring-mesh",
            "members": "10",
            "steps": "134",
            "schedule": "full",
            "noise": "independent",
            "seed": "1",
        },
        runs=True,
    ),
    Scene(
        "It says where not to trust it",
        "A spring mesh moved by other forces than any in training. The error grows, the spread does not: **Spread ÷ "
        "RMSE** stays far below 1, the mark of a forecast that is too sure of itself.",
        {"dataset": "spring-mesh", "init": "ood-1:0", "members": "20", "steps": "268"},
        runs=True,
    ),
)


def scene_number(query: Mapping[str, str]) -> int:
    """The scene that a link asks for, from 1 on; 0 for none or another data set's, the last for one beyond it."""
    asked = query.get("demo", "0")
    number = min(int(asked), len(SCENES)) if asked.isdecimal() and len(asked) < 4 else 0
    own = SCENES[number - 1].query["dataset"]
    return number if query.get("dataset", own) == own else 0


def with_scene(query: Mapping[str, str]) -> dict[str, str]:
    """The link with what its scene shows; what the link says itself goes first."""
    number = scene_number(query)
    rest = {name: value for name, value in query.items() if name != "demo"}
    return {**SCENES[number - 1].query, **rest} if number else rest
