"""The forecast page: pick, run, look, ask why."""

from app import session
from app.forecast.charts import charts
from app.frame import Stage, on_a_forecast
from app.player import player
from app.takeaway import heading_row, take_away
from app.views import answers_of, moments_view


@on_a_forecast()
def show(stage: Stage) -> None:
    """What is shown of a forecast."""
    view = moments_view(stage.dataset, stage.shown, stage.variable)
    take_away(stage, view, heading_row(stage))
    player(view, answers_of(stage.summary, stage.variable), key=f"{stage.dataset.name}/player")
    if session.saw_maps():
        charts(stage.dataset, stage.summary, stage.variable)
