"""Two small drawings to click on, one component: a schedule on the axis of lead time, and a model's measured front."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import streamlit as st

from app.scripts import joined
from engine.errors import RequestError
from engine.fronts import FrontPoint, pareto
from engine.schedules import Schedule, trained_leads

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "coldcast_schedule_editor",
    js=joined(_HERE, "schedule_editor"),
    css=(_HERE / "schedule_editor.css").read_text(encoding="utf-8"),
)

Meant = TypeVar("Meant")

SAME = 1e-6  # data steps; leads as near as that are one, such as 0.0384615 and 1/26


class Window(Protocol):
    """The leads that a model was trained on."""

    @property
    def horizon(self) -> int: ...
    @property
    def auxiliary_steps(self) -> int: ...


def schedule_editor(
    schedule: Schedule,
    window: Window,
    *,
    key: str,
    on_edit: Callable[[tuple[float, ...]], None],
    title: str | None = None,
) -> None:
    """Draw the leads of a window as ticks: tall whole ones, short fractional ones, hollow what the schedule skips.

    A click keeps or skips a lead. on_edit is told the leads that are left, before the page is drawn anew; title is
    what stands at the end of the axis.
    """
    data = {
        "kind": "schedule",
        "horizon": window.horizon,
        "title": title or f"{window.horizon} data steps",
        "ticks": ticks(schedule, window),
    }
    _draw(key, data, partial(edited_leads, horizon=window.horizon), on_edit)


def ticks(schedule: Schedule, window: Window) -> list[dict[str, Any]]:
    """Every lead to draw, rising: those that training knows, and those of the schedule that it does not."""
    trained = trained_leads(window.horizon, window.auxiliary_steps)
    kept = {snapped(lead, trained) for lead in schedule.leads}
    return [
        {"lead": lead, "on": lead in kept, "trained": lead in trained, "whole": lead.is_integer()}
        for lead in sorted({*trained, *kept})
    ]


def snapped(lead: float, leads: Iterable[float]) -> float:
    """The one of some leads that a lead means, itself where it is none of them."""
    return next((each for each in leads if abs(each - lead) < SAME), lead)


def edited_leads(click: Any, horizon: int) -> tuple[float, ...] | None:
    """The leads that a click has left, None where the browser sent no schedule."""
    try:
        return Schedule(horizon, tuple(click["leads"])).leads
    except (TypeError, KeyError, ValueError, RequestError):
        return None


def front_picker(
    points: Sequence[FrontPoint],
    words: Sequence[str],
    *,
    calls: int,
    current: FrontPoint | None,
    key: str,
    on_pick: Callable[[FrontPoint], None],
) -> None:
    """Draw the measured ways to sample a model, CRPS against network calls, and tell on_pick which is clicked.

    words: of each point, for the pointer. A dotted line joins those that none beats; `current` is ringed, and where
    there is none, a line marks so many calls.
    """
    best = set(pareto(points))
    dots = [
        {"calls": each.calls, "crps": each.crps, "words": said, "best": each in best, "on": each == current}
        for each, said in zip(points, words, strict=True)
    ]
    _draw(key, {"kind": "front", "calls": calls, "dots": dots}, partial(picked_point, points=points), on_pick)


def picked_point(click: Any, points: Sequence[FrontPoint]) -> FrontPoint | None:
    """The point that a click means, None where the browser sent none."""
    try:
        return points[click["pick"]] if click["pick"] >= 0 else None
    except (TypeError, KeyError, IndexError):
        return None


def _draw(key: str, data: dict[str, Any], read: Callable[[Any], Meant | None], act: Callable[[Meant], None]) -> None:
    """Show the component; what a click means is acted on before the page is drawn anew, so that it is never stale.

    The drawing counts its clicks, and knows an answer to an earlier one by the number of the last that was seen here.
    """

    def tell() -> None:
        meant = read(_last_click(key))
        if meant is not None:
            act(meant)

    click = _last_click(key)
    seen = click["number"] if isinstance(click, dict) and isinstance(click.get("number"), int) else 0
    _component(key=key, data={**data, "name": key, "click": seen}, on_click_change=tell)


def _last_click(key: str) -> Any:
    """What the browser sent last: the number of the click, and what it left or picked."""
    return (st.session_state.get(key) or {}).get("click")
