"""The lines that compute again what is on the screen, in Python and on the command line."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from app.link import date_in_link
from engine.requests import ForecastRequest, ResolvedRequest

Resolve = Callable[[ForecastRequest], ResolvedRequest]

NAMES = tuple(field.name for field in fields(ForecastRequest))


def settings(request: ResolvedRequest, resolve: Resolve, *, complete: bool = False) -> dict[str, Any]:
    """The fields of a request that differ from the defaults of its data set and model; or all of them.

    The initial condition is a date where that says which it is.
    """
    date = date_in_link(request)
    said = {name: getattr(request, name) for name in NAMES} | ({} if date is None else {"init": date})
    if complete:
        return said
    first = resolve(ForecastRequest(request.dataset))
    of_model = first if request.model == first.model else resolve(ForecastRequest(request.dataset, request.model))
    usual = {name: getattr(of_model, name) for name in NAMES} | {"model": first.model, "dataset": None}
    return {name: value for name, value in said.items() if getattr(request, name) != usual[name]}


def python_lines(given: Mapping[str, Any], variable: str, *, members: int, scored: bool) -> str:
    """A program that makes the forecast, the maps of a variable and, where a truth is known, its scores by lead.

    members: how many there are; one alone has no spread.
    """
    request = "\n".join(f"    {name}={value!r}," for name, value in given.items())
    dataset = given["dataset"]
    maps = ["mean = members.mean(axis=0)"] + ["spread = members.std(axis=0, ddof=1)"] * (members > 1)
    verifying = ["case_of_request"] + ["verify_request"] * scored
    lines = [
        "from engine import ForecastRequest, forecast",
        "from engine.cache import default_cache",
        "from engine.requests import resolve",
        "from engine.variables import parse_variable",
        f"from engine.verifying import {', '.join(verifying)}",
        "",
        f"request = resolve(ForecastRequest(\n{request}\n))",
        "cache = default_cache()  # what is stored is not computed again",
        "result = forecast(request, cache=cache)  # all channels: (member, lead, y, x)",
        "",
        "# The maps, (lead, y, x)",
        f"variable = parse_variable({dataset!r}, {variable!r})",
        "case = case_of_request(request, variable, cache=cache)",
        "members = case.members_of(variable, slice(None))",
        *maps,
    ]
    if scored:
        lines += [
            "",
            "# By lead: crps, rmse, spread, ratio …",
            "scores = verify_request(request, variable, cache=cache)",
        ]
    return "\n".join(lines) + "\n"


def forecast_line(given: Mapping[str, Any], out: str = "forecast.nc") -> str:
    """The command that writes the members as netCDF."""
    return _command("forecast", given, {"out": out})


def evaluate_line(given: Mapping[str, Any], variable: str, out: str = "scores.csv") -> str:
    """The command that scores this one forecast."""
    given = {"init": 0, **given}  # without it, evaluate scores the starts of the data set
    return _command("evaluate", given, {"variable": variable, "out": out})


def _command(verb: str, given: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    words = [word for name, value in {**given, **more}.items() for word in _option(name, value)]
    return " ".join(["python -m engine", verb, *words])


def _option(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag if value else flag.replace("--", "--no-", 1)]
    if isinstance(value, tuple):
        return [flag, shlex.quote(",".join(repr(each) for each in value))] if value else []
    text = shlex.quote(str(value))
    return [f"{flag}={text}"] if str(value).startswith("-") else [flag, text]
