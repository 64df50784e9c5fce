"""The scripts of the page's components.

Streamlit takes the script of a component as one text. Ours are several files, which are joined: each says in its first
lines what it is for, and they share their names.
"""

from pathlib import Path

_DOM = Path(__file__).parent / "dom.js"


def joined(folder: Path, *names: str) -> str:
    """The scripts of a folder, by their names and in this order, behind what all components share."""
    return "\n".join(path.read_text(encoding="utf-8") for path in (_DOM, *(folder / f"{name}.js" for name in names)))
