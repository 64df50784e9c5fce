"""Text of unknown origin inside Markdown."""

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+.!|~$:^=-])")


def plain(text: str) -> str:
    """A text that Markdown shows as it is: names in files may hold links, pictures or formulas, and stay names."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
