"""The verbs of `python -m engine`, one file each; a line in `COMMANDS` adds one."""

COMMANDS: dict[str, str] = {
    "forecast": "engine.commands.forecast",
    "datasets": "engine.commands.datasets",
    "models": "engine.commands.models",
    "schedules": "engine.commands.schedules",
    "simulate": "engine.commands.simulate",
    "train": "engine.commands.train",
    "publish": "engine.commands.publish",
    "evaluate": "engine.commands.evaluate",
    "calibrate": "engine.commands.calibrate",
    "ablate": "engine.commands.ablate",
    "scorecard": "engine.commands.scorecard",
    "fetch": "engine.commands.fetch",
    "benchmark": "engine.commands.benchmark",
}
