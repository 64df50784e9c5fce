"""The score card over initial conditions: this very request, run and scored from several of them."""

from dataclasses import asdict

import pandas as pd
import streamlit as st
import xarray as xr

from app import session, settings
from app.backend import complaint, run_of
from app.exports.forecast_file import request_of
from app.forecast.running import progress_share
from app.frame import Stage
from app.plain_text import plain
from app.scoring import Conditions, Scoring, choices_of
from app.skill.words import BASELINES, number
from app.verify.numbers import sampler_arguments
from app.wording import date_title, model_title, pretty_units, run_title
from engine.bootstrap import Estimate, mean_estimate, paired_ratio_estimate, root_mean_estimate
from engine.datasets import Dataset
from engine.datasets.base import OWN, load_run
from engine.errors import EngineError, RequestError
from engine.evaluation import by_unit, resampling, skill
from engine.jobs import Job

NOW = "verify-scoring"  # in the session's state: the job that goes on, and what it scores
REFUSED = "verify-refused"  # and why none could be started
SECONDS_BETWEEN_LOOKS = 0.5


def score_card(stage: Stage) -> Scoring | None:
    """Pick how many initial conditions, start, follow, and read the table; returns what is asked for, if it can be."""
    dataset = stage.dataset
    st.markdown("### Score card over initial conditions", help=CARD_HELP)
    run = run_of(stage.summary).name
    run = dataset.runs()[0] if run.startswith(OWN) and dataset.runs() else run
    request = request_of(stage.summary)
    choices = {str(each.count): each for each in choices_of(dataset, run, request.steps)}
    if not choices:
        st.info(
            "There are not two initial conditions of the test split with a truth to the end of this horizon: ask for a "
            "shorter one."
        )
        return None
    picked = settings.choice(
        dataset.name,
        "conditions",
        "Initial conditions",
        {count: condition_words(dataset, each, run) for count, each in choices.items()},
        help=COUNT_HELP,
        default=first_choice(list(choices)),
        shape="list",
        width=420,
    )
    scoring = Scoring(request, choices[picked], stage.variable.name)
    scored = session.backend().scored.get(scoring)
    if REFUSED in st.session_state:
        st.error(plain(st.session_state.pop(REFUSED)))
    now = job_now()
    if now is not None:
        st.fragment(follow, run_every=SECONDS_BETWEEN_LOOKS)()
    elif scored is None:
        begin(scoring)
    if scored is not None:
        table(stage, scoring, scored)
    return scoring


def begin(scoring: Scoring) -> None:
    """The button that starts it, with what it takes."""
    st.button(
        "Score them",
        icon=":material/fact_check:",
        help=BUTTON_HELP,
        key="verify-score",
        on_click=start,
        args=(scoring,),
    )
    st.caption(cost_words(scoring))


def start(scoring: Scoring) -> None:
    """Queue a scoring. A callback: the script has not begun."""
    try:
        st.session_state[NOW] = session.backend().score(scoring, session.visit().owner), scoring
    except EngineError as error:
        st.session_state[REFUSED] = str(error)


def cost_words(scoring: Scoring) -> str:
    """What the forecasts take, at the pace of this machine."""
    backend, request = session.backend(), scoring.request
    costs = [backend.cost(each) for each in scoring.requests]
    calls = sum(each.left for each in costs)
    if calls == 0:
        return "All of these forecasts are stored: scoring them takes a moment."
    members = f"{request.members} member{'' if request.members == 1 else 's'}"
    said = f"{scoring.conditions.count} forecasts of {members}: {calls:,} network calls"
    if any(each.seconds is None for each in costs):  # no run of the model was measured yet
        return said
    seconds = sum(each.seconds or 0.0 for each in costs)
    return said + (f" ≈ {seconds:,.0f} s" if seconds < 120 else f" ≈ {seconds / 60:,.0f} min")


def job_now() -> Job | None:
    """The scoring of this visitor that goes on; what it complained of, where it failed."""
    if NOW not in st.session_state:
        return None
    job_id, _ = st.session_state[NOW]
    try:
        job = session.backend().job(job_id)
    except RequestError:  # long finished, or the server was started anew
        del st.session_state[NOW]
        return None
    if not job.finished:
        return job
    del st.session_state[NOW]
    if (problem := complaint(job)) is not None:
        st.error(plain(problem))
    return None


def follow() -> None:
    """How far it is; draws the page anew at its end."""
    if NOW not in st.session_state:
        st.rerun()
    job_id, scoring = st.session_state[NOW]
    job = session.backend().job(job_id)
    if job.finished:
        st.rerun()
    bar, stop = st.columns([6, 1], vertical_alignment="center")
    bar.progress(progress_share(job), text=progress_words(job, scoring))
    if stop.button(
        "Cancel", width="stretch", key="verify-cancel", help="Stop; the forecasts that are made stay stored."
    ):
        session.backend().cancel(job_id, session.visit().owner)
        st.rerun()


def progress_words(job: Job, scoring: Scoring) -> str:
    """A job's progress in words."""
    if job.status == "queued":
        return f"Waiting: number {job.position} in the queue"
    done = 0 if job.progress is None else job.progress.members_done
    left = "" if job.seconds_left is None else f" · about {job.seconds_left:.0f} s left"
    return f"{done} of {scoring.conditions.count} initial conditions scored{left}"


def table(stage: Stage, scoring: Scoring, scores: xr.Dataset) -> None:
    """The scores over all leads with their intervals, beside those of the baselines."""
    st.caption(scope_words(stage, scoring, scores))
    st.table(score_table(stage, scores), border="horizontal", hide_index=True)


def card_command(stage: Stage, scoring: Scoring) -> str:
    """The line that computes the same score card without the page."""
    said = asdict(scoring.request)
    numbers = ",".join(str(number) for number in range(len(scoring.conditions.runs)))
    runs = f" --runs {numbers}" if stage.dataset.calendar is None else ""
    return (
        f"python -m engine evaluate --dataset {said['dataset']}{runs} "
        f"--starts {','.join(map(str, scoring.conditions.starts))} --variable {scoring.variable} "
        f"{sampler_arguments(said)} --out scores.nc"
    )


def score_table(stage: Stage, scores: xr.Dataset) -> pd.DataFrame:
    """One line for the request and one for each baseline, numbers as text."""
    counts, own = resampling(scores), skill(scores)
    rows = [
        {
            "Forecast": plain(model_title(request_of(stage.summary).model)),
            "Fair CRPS": estimate_words(own.crps),
            "CRPS ratio": "",
            "RMSE": estimate_words(own.rmse),
            "Spread ÷ RMSE": estimate_words(own.ratio, "{:.2f}"),
            "Rank deviation": number(own.rank_deviation, "{:.2f}"),
        }
    ]
    names = scores["baseline"].values if "baseline_crps" in scores else ()
    for name in names:
        at = scores.sel(baseline=name)
        crps, squares = by_unit(at, "baseline_crps"), by_unit(at, "baseline_mse")
        rows.append(
            {
                "Forecast": BASELINES.get(str(name).partition(" ")[0], str(name)),
                "Fair CRPS": estimate_words(mean_estimate(crps, counts)),
                "CRPS ratio": estimate_words(paired_ratio_estimate(by_unit(scores, "crps"), crps, counts), "{:.2f}"),
                "RMSE": estimate_words(root_mean_estimate(squares, counts)),
                "Spread ÷ RMSE": "",
                "Rank deviation": "",
            }
        )
    found = pd.DataFrame(rows)
    return found if len(names) else found.drop(columns="CRPS ratio")


def estimate_words(estimate: Estimate, form: str = "{:#.3g}") -> str:
    """A number and its interval in brackets, where it has one."""
    value, low, high = (number(each, form) for each in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low}\u2060–\u2060{high})" if low and high else value


def scope_words(stage: Stage, scoring: Scoring, scores: xr.Dataset) -> str:
    """What was scored, and what the intervals are."""
    units = pretty_units(stage.variable.units)
    unit = "blocks of neighbouring start dates" if stage.dataset.calendar is not None else "whole runs"
    few = len(scoring.conditions.starts if stage.dataset.calendar is not None else scoring.conditions.runs)
    words = (
        f"{plain(stage.variable.title)}{f' in {units}' if units else ''}, averaged over all lead times. In brackets "
        f"the 95 % interval over initial conditions, from drawing {unit} anew"
    )
    rough = f"; with only {few} of them it is rough." if few < 10 else "."
    beside = (
        " CRPS ratio: the forecast's over the baseline's in the same cases, below 1 the forecast is the better."
        if "baseline_crps" in scores
        else " No baselines are known for this quantity."
    )
    return words + rough + beside


def condition_words(dataset: Dataset, conditions: Conditions, run: str) -> str:
    """A set of initial conditions in words."""
    if dataset.calendar is not None:
        times = load_run(dataset, run).times
        first, last = (date_title(dataset.calendar, float(times[conditions.starts[end]])) for end in (0, -1))
        return f"{conditions.count}: dates from {first} to {last}"
    runs = f"{run_title(conditions.runs[0])} to {conditions.runs[-1]}"
    frames = ", ".join(map(str, conditions.starts))
    return f"{conditions.count}: {runs.lower()}, frame{'s' if len(conditions.starts) > 1 else ''} {frames}"


def first_choice(counts: list[str]) -> str:
    """The first that is at least five, else the most."""
    return next((count for count in counts if int(count) >= 5), counts[-1])


CARD_HELP = (
    "One forecast is one case: the next may be easier or harder. This runs the same sampler, members and steps from "
    "other initial conditions of the test split, which no model was trained on, and scores all of them."
)
COUNT_HELP = (
    "How many, and which: of a simulated system whole runs, from their first frame and then from later ones; of "
    "observed data dates spread over the test years. All have a truth to the end of the horizon."
)
BUTTON_HELP = "Runs in the background; you may go on looking. Forecasts that are stored are not computed again."
