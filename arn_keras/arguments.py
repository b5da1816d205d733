"""Command lines whose every refusal is one line."""

import argparse
import os
import pathlib
import sys

from arn_keras.backend import own_process
from arn_keras.errors import ArnError, ConfigError
from arn_keras.rooms import load_plugins


class Parser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` without the usage in front of an error: one line, status 2.

    An option of a scenario takes the place of a command's of the same name. A value that begins
    with `~` is a path below a home, also where no shell has seen it so, as in `--out=~/runs`.
    """

    def __init__(self, **options):
        super().__init__(**{"conflict_handler": "resolve", **options})
        try:
            load_plugins()
        except ConfigError as error:
            self.error(str(error))

    def parse_known_args(self, args=None, namespace=None):
        """As `argparse.ArgumentParser.parse_known_args`, with `~` replaced by the home."""
        found, rest = super().parse_known_args(args, namespace)
        for name, value in vars(found).items():
            several = isinstance(value, list)
            setattr(found, name, list(map(_at_home, value)) if several else _at_home(value))
        return found, rest

    def error(self, message):
        """Ends the program with one line on standard error and status 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def _at_home(value):
    if isinstance(value, str | pathlib.Path) and str(value).startswith("~"):
        return type(value)(os.path.expanduser(value))
    return value


def exit_status(program, run, *errors, interrupted="the same command goes on from here"):
    """Runs a command, and says in one line what ended it.

    Args:
        program: its name, for an error's line.
        run: function without arguments.
        errors: types that are the user's to mend, beside `ArnError`.
        interrupted: what to say of its work after Ctrl-C.

    Returns:
        0, 2 for an error that is the user's to mend, or 130 for Ctrl-C.
    """
    own_process()
    try:
        run()
    except KeyboardInterrupt:
        print(f"\ninterrupted; {interrupted}", file=sys.stderr)
        return 130
    except (ArnError, *errors) as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return 2
    return 0
