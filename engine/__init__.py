"""Coldcast's engine: probabilistic forecasts of physical fields by DYffusion cold sampling.

>>> import engine
>>> result = engine.forecast(engine.ForecastRequest("navier-stokes", members=8, steps=16))  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.forecasting import ForecastRequest, forecast

__all__ = ["ForecastRequest", "forecast"]


def __getattr__(name: str) -> Any:
    """Import the orchestrator only when it is asked for (PEP 562): it brings torch and xarray along."""
    if name in __all__:
        from engine import forecasting

        return getattr(forecasting, name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
