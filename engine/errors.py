"""The errors that the engine raises; every message is one sentence that names the value and the remedy."""


class EngineError(Exception):
    """Anything the engine refuses to do, in words for the person who asked."""


class DataError(EngineError):
    """Data are missing, unreadable or not of the stated form."""


class CheckpointError(EngineError):
    """A model card or its weights are missing, damaged, too old or foreign."""


class RequestError(EngineError, ValueError):
    """A request asks for something that does not exist or cannot be done."""


class Cancelled(EngineError):
    """The person who asked for a forecast took it back."""

    def __init__(self, message: str = "The forecast was cancelled; what had finished stays stored.") -> None:
        super().__init__(message)
