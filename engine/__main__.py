"""The command line: `python -m engine VERB`."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from engine.commands import COMMANDS
from engine.errors import EngineError


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; an EngineError becomes one sentence on standard error and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m engine", description="Probabilistic forecasts of physical fields.")
    verbs = parser.add_subparsers(dest="command", metavar="VERB", required=True)
    for verb, module in COMMANDS.items():
        command = importlib.import_module(module)
        command.add_arguments(verbs.add_parser(verb, help=command.HELP, description=command.HELP))
    arguments = parser.parse_args(words)
    try:
        return importlib.import_module(COMMANDS[arguments.command]).run(arguments)
    except EngineError as error:
        print(f"coldcast: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("coldcast: stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
