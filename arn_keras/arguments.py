"""Command lines whose every refusal is one line, and lines that machines read."""

import argparse
import contextlib
import json
import os
import pathlib
import select
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


def json_line(event, **fields):
    """Prints one event as a line of JSON, at once."""
    print(json.dumps({"event": event, **fields}), flush=True)


def _at_home(value):
    if isinstance(value, str | pathlib.Path) and str(value).startswith("~"):
        return type(value)(os.path.expanduser(value))
    return value


def exit_status(program, run, *errors, interrupted="the same command goes on from here"):
    """Runs a command, and says in one line what ended it.

    Args:
        program: its name, for an error's line.
        run: function without arguments.
        errors: types that are the user's to mend, beside `ArnError` and what a system refuses: a
            full or read-only disk, rights, memory, an output that nobody reads.
        interrupted: what to say of its work after Ctrl-C.

    Returns:
        0, 2 for an error that is the user's to mend, or 130 for Ctrl-C.
    """
    own_process()
    _open_streams()
    try:
        run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        _end(f"\ninterrupted; {interrupted}")
        return 130
    except (ArnError, MemoryError, OSError, *errors) as error:
        _end(f"{program}: error: {_reason(error)}")
        return 2
    return 0


def _open_streams():
    """Opens standard streams that are closed: the next file would have their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, "w" if number else "r"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name may be no UTF-8
            stream.reconfigure(errors="backslashreplace")


def _end(words):
    """Says why a command ends; what can no longer be said goes nowhere, or Python complains too."""
    with contextlib.suppress(OSError):
        print(words, file=sys.stderr, flush=True)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_unread(stream):
    """Whether a stream is a pipe that its reader has closed."""
    poll = select.poll()
    poll.register(stream, select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _reason(error):
    if isinstance(error, BrokenPipeError) and _is_unread(sys.stdout):
        return "nobody reads its output any more; the same command goes on from here"
    if isinstance(error, OSError) and not isinstance(error, ArnError) and error.strerror:
        named = f"{error.filename}: " if error.filename else ""
        return f"{named}{error.strerror}; the same command goes on when that is mended"
    if isinstance(error, MemoryError):
        return "expected more memory than there is"
    return " ".join(str(error).split()) or type(error).__name__
