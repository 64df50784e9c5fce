"""What the page about verification knows of a forecast: each is computed once."""

import json
from functools import partial

import streamlit as st
import xarray as xr

from app.frame import Stage
from app.summary import Summary
from engine.case import Case
from engine.physics import consistency
from engine.verification import verify


def case_of(summary: Summary) -> Case:
    """A forecast with its members beside what happened; nothing is copied."""
    ensemble = summary.ensemble
    assert ensemble is not None  # the frame sees to it
    return Case(
        dataset=summary.dataset,
        leads=summary.leads,
        members=ensemble.members,
        truth=ensemble.truth,
        x=summary.x,
        y=summary.y,
        scored=ensemble.scored,
        references={name: values[1:] for name, values in ensemble.references.items()},
        frame=int(json.loads(summary.request)["init"].rpartition(":")[2]),
    )


def verified(stage: Stage) -> xr.Dataset:
    """The verification of the variable that is looked at. Raises RequestError where there is no truth."""
    summary, variable = stage.summary, stage.variable

    def make() -> xr.Dataset:
        with st.spinner("Verifying …"):
            return verify(case_of(summary), variable)

    return summary.once("verified", variable.name, make=make)


def physics_of(stage: Stage) -> xr.Dataset:
    """The physical consistency of all members beside the truth's."""
    return stage.summary.once("physics", make=partial(_physics, stage.summary))


def _physics(summary: Summary) -> xr.Dataset:
    return consistency(case_of(summary))


def command_of(stage: Stage) -> str:
    """The line that computes the same numbers without the page."""
    said = json.loads(stage.summary.request)
    return (
        f"python -m engine evaluate --dataset {said['dataset']} --init {said['init']} "
        f"--variable {stage.variable.name} {sampler_arguments(said)} --out verified.nc"
    )


def sampler_arguments(said: dict[str, object]) -> str:
    """The fields of a request on the command line, but data set and initial condition."""
    leads = said["output_leads"]
    assert isinstance(leads, list | tuple)
    words = [f"--{name.replace('_', '-')} {said[name]}" for name in NAMES]
    words.append("--refine" if said["refine"] else "--no-refine")
    if leads:
        words.append(f"--output-leads {','.join(f'{lead:g}' for lead in leads)}")
    return " ".join(words)


NAMES = ("model", "members", "steps", "schedule", "solver", "last_step", "noise", "seed", "precision")
