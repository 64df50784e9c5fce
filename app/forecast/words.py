"""Which forecast the maps show, in one line."""

import json
from typing import Any

import streamlit as st

from app import sampler, wording
from app.backend import Shown, request_json
from app.plain_text import plain
from app.summary import Summary
from engine.datasets import get_dataset
from engine.requests import ResolvedRequest

BADGES = {
    "example": ":orange-badge[example] ",
    "computed": ":green-badge[done] ",
    "stored": ":blue-badge[from store] ",
    "arriving": ":violet-badge[arriving] ",
    "cancelled": ":orange-badge[cancelled] ",
}


def heading(shown: Shown, request: ResolvedRequest | None) -> None:
    """Say which forecast the maps show, and whether the request in the controls is another one by now."""
    said = json.loads(shown.summary.request)
    words = [
        *start_words(shown.summary, said["init"], *extent_words(shown.summary, said)),
        *sampling_words(said),
        f"seed {said['seed']}",
        plain(wording.model_title(said["model"])),
    ]
    if shown.seconds is not None:
        words.append(f"{shown.seconds:.1f} s")
    st.markdown(BADGES[shown.origin] + " · ".join(words))
    if request is not None:
        difference = difference_words(said, request_json(request))
        if difference:
            st.caption(difference)


def difference_words(said: dict[str, Any], asked: dict[str, Any]) -> str:
    """How the controls differ from the forecast that is shown; empty where they do not."""
    if said == asked:
        return ""
    if said | {"members": asked["members"]} == asked and said["members"] < asked["members"]:
        return f"{said['members']} members so far: **Run** adds the other {asked['members'] - said['members']}."
    return "The settings have changed since: press Run for a forecast that follows them."


def sampling_words(said: dict[str, Any]) -> list[str]:
    """How the windows of a forecast were sampled; with schedule 0 there are no steps, and so no sampler."""
    if said["schedule"] == "0":
        return ["one forecaster call per window"]
    noise = [] if said["noise"] == "independent" else [sampler.noise_words(said["noise"])]
    return [", ".join([said["schedule"], said["solver"], *noise, *(["refined"] if said["refine"] else [])])]


def extent_words(summary: Summary, said: dict[str, Any]) -> tuple[str, str]:
    """How far a forecast goes and how many members it has; of one under way, how much of that is there."""
    dataset = get_dataset(summary.dataset)
    there, steps = int(summary.leads[-1]), said["steps"]
    count = f"{summary.members} of {said['members']}" if summary.members < said["members"] else f"{said['members']}"
    members = f"{count} member" + ("" if said["members"] == 1 else "s")
    if dataset.calendar is None:
        return f"{there} of {steps} steps" if there < steps else f"{steps} steps", members
    reach = wording.duration(dataset, steps)
    return f"{wording.duration(dataset, there)} of {reach}" if there < steps else reach, members


def start_words(summary: Summary, init: str, reach: str, members: str) -> list[str]:
    """Where a forecast starts, how many members it has and how far it goes."""
    dataset = get_dataset(summary.dataset)
    run, _, frame = init.rpartition(":")
    if dataset.calendar is None:
        return [f"{wording.run_title(run)}, frame {frame}", members, reach]
    region = [wording.region_title(run)] if dataset.runs() != (run,) else []
    start = f"from {wording.date_title(dataset.calendar, summary.init_time)}, {reach}"
    return [*region, start, members]
