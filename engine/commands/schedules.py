"""`python -m engine schedules`: the schedule vocabulary, spelled out for one window."""

import argparse

HELP = "show what the schedule names mean, as leads of a window"

EXAMPLES = (
    "full",
    "only_dynamics",
    "only_dynamics_plus2",
    "every5th",
    "first3",
    "first0.5",
    "stride4",
    "0,2.5,8",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The window and the schedules to show."""
    parser.add_argument("schedule", nargs="*", default=EXAMPLES)
    parser.add_argument("--horizon", type=int, default=16)
    parser.add_argument("--auxiliary-steps", type=int, default=0)


def run(arguments: argparse.Namespace) -> int:
    """Print one line a schedule: its name, the cold sampler's network calls and its leads."""
    from engine.forecasting import window_calls
    from engine.schedules import parse_schedule

    for text in arguments.schedule:
        schedule = parse_schedule(text, horizon=arguments.horizon, auxiliary_steps=arguments.auxiliary_steps)
        calls = window_calls(schedule, "cold", "forecast")
        leads = ", ".join(f"{lead:.3g}" for lead in schedule.leads)
        print(f"{text:22s} {calls:4d} calls   {leads}")
    return 0
