"""What the page computes of two forecasts: their scores with paired intervals."""

import json
from functools import partial

from app.summary import Summary
from engine.case import Case
from engine.datasets import get_dataset
from engine.datasets.base import parse_initial_condition
from engine.paired import Comparison, compare
from engine.variables import Variable


def comparison(a: Summary, b: Summary, variable: Variable) -> Comparison:
    """The scores of both with paired intervals, over the leads that both have; made once. Raises RequestError."""
    return a.once("paired", variable.name, b.request, b.members, make=partial(_compare, a, b, variable))


def _compare(a: Summary, b: Summary, variable: Variable) -> Comparison:
    leads = min(len(a.leads), len(b.leads))
    return compare(case_of_summary(a, variable, leads), case_of_summary(b, variable, leads), variable)


def case_of_summary(summary: Summary, variable: Variable, leads: int) -> Case:
    """The first leads of a forecast beside what happened, with all that a variable needs."""
    ensemble = summary.ensemble
    assert ensemble is not None
    start = parse_initial_condition(json.loads(summary.request)["init"], get_dataset(summary.dataset))
    return Case(
        dataset=summary.dataset,
        leads=summary.leads[:leads],
        members={name: values[:, :leads] for name, values in ensemble.members.items()},
        truth={name: values[:leads] for name, values in ensemble.truth.items()},
        x=summary.x,
        y=summary.y,
        scored=ensemble.scored,
        references={name: ensemble.references[name][1 : leads + 1] for name in variable.references},
        frame=start.frame,
    )
