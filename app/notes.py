"""Errors as sentences in the page."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

from app.plain_text import plain
from engine.errors import EngineError

P = ParamSpec("P")
log = logging.getLogger(__name__)


def guarded(page: Callable[P, None]) -> Callable[P, None]:
    """A page, or a part of one, that answers an error with one sentence; the unforeseen goes to the log."""

    @wraps(page)
    def body(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            page(*args, **kwargs)
        except EngineError as error:
            st.error(plain(str(error)))
        except Exception:  # Streamlit stops and reruns a script by exceptions that are no `Exception`
            log.exception("The page failed")
            st.error("Something unforeseen went wrong: reload the page; the server's log has the details.")

    return body
