"""Lines on maps, as a test writes them down."""

from collections.abc import Sequence

import numpy as np

from app.members.spaghetti import joined_lines
from app.player.view import Lines


def lines_of(frames: Sequence[Sequence[Sequence[np.ndarray]]]) -> Lines:
    """Lines of (point, 2) for every strand of every frame."""
    parts = []
    for lines in (strand for frame in frames for strand in frame):
        points = np.concatenate([*lines, np.zeros((0, 2))])
        parts.append((points, np.cumsum([0, *(len(line) for line in lines)])))
    return joined_lines(parts, len(frames[0]))
