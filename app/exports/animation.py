"""The maps on the screen as an animation: GIF for everywhere, MP4 for talks."""

import io
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from app.exports.maps import lead_words, lines_at, places_of, shown_values
from app.player import Panel, View, limits_of
from app.player.colours import colour_table
from app.plots.movie import Film, Movie, Stage
from engine.datasets import get_dataset
from engine.errors import RequestError

Kind = Literal["gif", "mp4"]
KINDS: dict[Kind, str] = {"gif": "GIF", "mp4": "MP4"}
MIMES: dict[Kind, str] = {"gif": "image/gif", "mp4": "video/mp4"}
RATES = (2, 5, 10, 20, 25)  # frames per second; those that a GIF, which counts hundredths of a second, can keep
WIDTHS = {640: "small", 960: "medium", 1280: "large", 1920: "full HD"}
GREYS = 24  # of the 256 colours of a GIF, for letters and lines
QUALITY = "18"  # constant rate factor of x264: nobody sees the loss


@dataclass(frozen=True)
class Cut:
    """What of a view becomes an animation: the names of its maps, every how-manyth frame, how fast and how large.

    dark: letters on a dark ground.
    """

    panels: tuple[str, ...]
    every: int = 1
    rate: int = 10
    width: int = 1280
    dark: bool = False

    def frames(self, view: View) -> range:
        """The frames of the view, from the first to the last."""
        return range(0, len(view.leads), self.every)


def animation(view: View, cut: Cut, kind: Kind) -> bytes:
    """The maps over time as a file. Raises RequestError where nothing is chosen, or there is no ffmpeg for an MP4."""
    movie = movie_of(view, cut)
    pictures = movie.frames(cut.frames(view))
    if kind == "gif":
        return gif(pictures, rate=cut.rate, palette=palette_of(view, cut))
    return mp4(pictures, movie.size, rate=cut.rate)


def movie_of(view: View, cut: Cut) -> Movie:
    """The animation before it is a file."""
    panels = [panel for panel in view.panels if panel.name in cut.panels]
    if not panels:
        raise RequestError("No map is chosen: choose one or more for the animation.")
    stage = Stage(
        title=view.title,
        clock=[clock(view, frame) for frame in range(len(view.leads))],
        x=view.x,
        y=view.y,
        solid=view.solid,
        footer=footer(view),
        coastlines=view.coastlines,
        springs=view.springs if view.kind == "particles" else None,
    )
    return Movie(stage, [film_of(view, panel) for panel in panels], width=cut.width, dark=cut.dark)


def footer(view: View) -> str:
    """What the animation is of: data set, members, initial condition and seed, and what the axes count."""
    said, *rival = (json.loads(each) for each in (view.forecast, view.beside) if each)
    members = f"{said['members']} member{'' if said['members'] == 1 else 's'}"
    axes = [] if view.coastlines is not None else [f"x, y in {view.length_units}" if view.length_units else "x, y"]
    start = [f"from {said['init']}", f"seed {said['seed']}"]
    beside = [f"B: {model_words(each)}" for each in rival]
    return " · ".join([get_dataset(view.dataset).title, said["model"], members, *start, *beside, *axes])


def model_words(said: dict[str, Any]) -> str:
    """How another forecast from the same start is made."""
    return f"{said['model']}, {said['schedule']}, {said['solver']}, noise {said['noise']}"


def film_of(view: View, panel: Panel) -> Film:
    """A map of the view over time, with the colours and ends of the page."""
    return Film(
        title=panel.title,
        note=panel.note,
        units=panel.units,
        values=shown_values(view, panel),
        limits=limits_of(view)[panel.group],
        colours=colour_table(panel.table),
        places=places_of(view, panel),
        grows=panel.grows,
        lines=partial(lines_at, view, panel) if panel.strands else None,
        empty=panel.empty,
    )


def clock(view: View, frame: int) -> str:
    """What an animation says of its time; of one width, so that it stands still."""
    widest = max(len(lead_words(view, each)[0]) for each in (0, len(view.leads) - 1, frame))
    lead, valid = lead_words(view, frame)
    return f"lead {lead:>{widest}} · valid {valid}"


# -- files -------------------------------------------------------------------------------------------------


def gif(pictures: Iterable[np.ndarray], *, rate: int, palette: np.ndarray) -> bytes:
    """Pictures (height, width, 3) as a GIF that begins anew at its end; palette: uint8 (256, 3)."""
    colours = Image.new("P", (1, 1))
    colours.putpalette(palette.tobytes())

    def reduced() -> Iterator[Image.Image]:
        for picture in pictures:
            yield Image.fromarray(picture).quantize(palette=colours, dither=Image.Dither.NONE)

    first, *others = reduced()
    file = io.BytesIO()
    first.save(
        file, "GIF", save_all=True, append_images=others, duration=1000 // rate, loop=0, optimize=False, disposal=1
    )
    return file.getvalue()


def palette_of(view: View, cut: Cut) -> np.ndarray:
    """The 256 colours of a GIF, uint8 (256, 3): the tables of its maps in equal shares, greys, and what is solid."""
    tables = sorted({panel.table for panel in view.panels if panel.name in cut.panels})
    greys = np.linspace([16, 22, 27], [255, 255, 255], GREYS).round().astype(np.uint8)
    others = np.concatenate([greys, [[139, 148, 155]]])
    share = (256 - len(others)) // len(tables)
    of_tables = [colour_table(name)[np.linspace(0, 255, share).round().astype(int)] for name in tables]
    colours = np.concatenate([*of_tables, others]).astype(np.uint8)
    return np.concatenate([colours, np.repeat(colours[-1:], 256 - len(colours), axis=0)])


def mp4(pictures: Iterable[np.ndarray], size: tuple[int, int], *, rate: int) -> bytes:
    """Pictures as H.264 that every browser and office program plays. Raises RequestError where there is no ffmpeg."""
    import imageio_ffmpeg

    if not has_ffmpeg():
        raise RequestError("There is no ffmpeg for this machine: save a GIF, or name an ffmpeg in IMAGEIO_FFMPEG_EXE.")
    with tempfile.TemporaryDirectory(prefix="coldcast-") as folder:
        path = Path(folder) / "film.mp4"
        writer = imageio_ffmpeg.write_frames(
            str(path), size, fps=rate, codec="libx264", quality=None, macro_block_size=2, output_params=list(ENCODING)
        )
        writer.send(None)
        try:
            for picture in pictures:
                writer.send(np.ascontiguousarray(picture))
        finally:
            writer.close()
        return path.read_bytes()


def has_ffmpeg() -> bool:
    """Whether an MP4 can be made here."""
    import imageio_ffmpeg

    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        return False
    return True


# The matrix is named in the file, since players guess another one for large films than for small ones.
ENCODING: Sequence[str] = (
    *("-crf", QUALITY, "-preset", "fast", "-movflags", "+faststart"),
    *("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709", "-color_primaries", "bt709"),
    *("-color_trc", "bt709", "-color_range", "tv"),
)
