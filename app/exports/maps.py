"""What a map of the page shows at a time, for whatever draws it elsewhere."""

from collections.abc import Sequence

import numpy as np

from app.player import Panel, View
from app.player.view import Lines, Strand
from app.plots.line import Line


def panel_named(view: View, name: str) -> Panel:
    """One of the maps."""
    return next(panel for panel in view.panels if panel.name == name)


def shown_values(view: View, panel: Panel) -> np.ndarray:
    """What a map shows, (frame, y, x); of one with a divider the two sides of its middle."""
    values = view.values_of(panel)
    if not panel.swipe:
        return values
    first, *others = (view.fields[name] for name in panel.swipe)
    other = first - others[0] if others else first
    middle = (len(view.x) + 1) // 2
    return np.concatenate([values[..., :middle], other[..., middle:]], axis=-1)


def has_values(view: View, panel: Panel, frame: int) -> bool:
    """Whether a map shows anything at a frame: no error is known where no truth is."""
    if panel.strands:
        return bool(lines_at(view, panel, frame))
    return bool(np.isfinite(view.values_of(panel)[frame][~view.solid]).any())


def places_of(view: View, panel: Panel) -> np.ndarray | None:
    """Where the particles of a map are, (frame, 2, y, x); None on a grid."""
    if view.kind != "particles" or panel.strands:
        return None
    return np.stack([view.fields[name] for name in panel.positions], axis=1)


def lines_at(view: View, panel: Panel, frame: int) -> list[Line]:
    """What a map of many members draws at a frame: isolines, or where particles are and the path of the marked one."""
    if view.lines is not None:
        return isolines_at(view.lines, panel.strands, frame)
    dots, paths = [], []
    for strand in panel.strands:
        if not all(name in view.fields for name in strand.positions):
            continue
        along, up = (view.fields[name] for name in strand.positions)
        look = (strand.legend, strand.colour, strand.width, strand.opacity)
        points = np.stack([along[frame].ravel(), up[frame].ravel()], axis=1)
        dots.append(Line(points[np.isfinite(points).all(axis=1)], *look, dots=True))
        if view.place.is_cell:
            cell = (slice(frame + 1), view.place.south, view.place.west)
            path = np.stack([along[cell], up[cell]], axis=1)
            paths.append(Line(path[np.isfinite(path).all(axis=1)], *look))
    return [*dots, *paths]


def isolines_at(lines: Lines, strands: Sequence[Strand], frame: int) -> list[Line]:
    """The lines of a frame, in the order in which they are drawn."""
    found = []
    for number in range(lines.frames[frame], lines.frames[frame + 1]):
        points = lines.points[lines.offsets[number] : lines.offsets[number + 1]]
        strand = strands[lines.strands[number]]
        found.append(Line(points, strand.legend, strand.colour, strand.width, strand.opacity))
    return found


def lead_words(view: View, frame: int) -> tuple[str, str]:
    """Lead time and valid time of a frame."""
    if view.labels is not None:
        return view.labels[frame]
    return f"{view.leads[frame]:.2f} {view.time_units}".strip(), f"{view.valid[frame]:.2f} {view.time_units}".strip()
