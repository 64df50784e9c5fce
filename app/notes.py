"""Errors as sentences in the page."""

import logging
from collections.abc import Callable
from functools import wraps

import streamlit as st

from app.plain_text import plain
from engine.errors import EngineError

log = logging.getLogger(__name__)


def guarded(page: Callable[[], None]) -> Callable[[], None]:
    """A page that answers an error with one sentence, never a traceback; the unforeseen goes to the log."""

    @wraps(page)
    def body() -> None:
        try:
            page()
        except EngineError as error:
            st.error(plain(str(error)))
        except Exception:  # Streamlit stops and reruns a script by exceptions that are no `Exception`
            log.exception("The page failed")
            st.error("Something unforeseen went wrong: reload the page; the server's log has the details.")

    return body
