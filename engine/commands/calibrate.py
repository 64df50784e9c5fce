"""`python -m engine calibrate`: which schedule, coupling of the noise and refinement a model should run with."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.commands.ablate import add_ground_arguments, ground_of

if TYPE_CHECKING:
    from engine.fronts import FrontPoint

HELP = "score a model's schedules and couplings of the noise, and recommend its defaults"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model", help="another model than the data set's default")
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    add_ground_arguments(parser, split="validation")
    parser.add_argument("--apply", action="store_true", help="make the recommended point the default of the model card")


def run(arguments: argparse.Namespace) -> int:
    """Try every point, write them beside the checkpoint, and print them with the recommended one."""
    from engine.commands.evaluate import say_done
    from engine.fronts import apply_recommended, calibrate, read_front, write_front
    from engine.requests import ForecastRequest, card_of, resolve

    asked = ForecastRequest(
        arguments.dataset,
        arguments.model,
        members=arguments.members,
        seed=arguments.seed,
        solver="cold",
        precision=arguments.precision,
    )
    request, card, ground = resolve(asked), card_of(asked), ground_of(arguments, arguments.dataset)
    print(f"{card.name}: {ground.initial_conditions} initial conditions of the {ground.split} split")
    path = write_front(request.model, calibrate(ground, card, request, done=say_done))
    print("\n".join(report(read_front(request.model))), path, sep="\n")
    if arguments.apply:
        apply_recommended(request.model)
        print(f"{card.name} now runs with the recommended point unless a request says otherwise")
    return 0


def report(points: "Sequence[FrontPoint]") -> list[str]:
    """The lines of a calibration, by calls; * on the Pareto front, > the recommended point."""
    from engine.fronts import pareto, recommended

    front, default = pareto(points), recommended(points)
    lines = [f"   {'schedule':22}{'noise':14}{'refine':8}{'calls':>7}{'CRPS':>12}{'spread/RMSE':>13}"]
    for point in points:
        marks = f"{'*' if point in front else ' '}{'>' if point == default else ' '}"
        refine = "yes" if point.refine else "no"
        numbers = f"{point.calls:>7}{point.crps:>12.5g}{point.ssr:>13.3f}"
        lines.append(f"{marks} {point.schedule:22}{point.noise:14}{refine:8}{numbers}")
    return [*lines, "* none is cheaper and better; > recommended"]
