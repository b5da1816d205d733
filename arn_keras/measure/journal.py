"""The rows of a sweep: a file of one JSON object a line that survives a kill at any moment.

One process writes. What it has appended is on the disk before it goes on; a line that a kill tore
is set aside at the next start, and every other line is kept.
"""

import json
import os
import pathlib

from arn_keras.errors import RunDirError

# What makes a row this row and no other; the rest of it is measured.
KEY = (
    "dataset",
    "seed",
    "case",
    "knowledge",
    "black_box",
    "training_snr_db",
    "psr_db",
    "snr_db",
    "eve",
)


def key(row):
    """What identifies a row, hashable."""
    return tuple(tuple(v) if isinstance(v := row[name], list) else v for name in KEY)


def read(path):
    """Rows of a file, whole lines only, without changing it.

    Args:
        path: the file; a missing one has no rows.

    Returns:
        The rows, and the bytes of a torn last line (empty if there is none).

    Raises:
        RunDirError: if a line before the last is not a row, or a row is there twice.
    """
    path = pathlib.Path(path)
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise RunDirError(f"{path}: expected a readable file: {error.strerror}") from None
    whole, _, torn = content.rpartition(b"\n")
    rows, seen = [], {}
    for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            row = json.loads(line)
            identity = key(row)
        except (ValueError, TypeError, KeyError):
            raise RunDirError(
                f"{path}: expected a row in line {number}, got {line[:40]!r}"
            ) from None
        if identity in seen:
            raise RunDirError(f"{path}: line {number} is the row of line {seen[identity]} again")
        seen[identity] = number
        rows.append(row)
    return rows, torn


class RowsFile:
    """The rows of a sweep, appended to by this process alone.

    Args:
        path: the file; made with the first row.
        configuration: written into each row under this name; rows of another are refused.
        say: called with a line for the user if a torn line was set aside.

    Raises:
        RunDirError: as `read`, or if the rows belong to another configuration.

    Attributes:
        keys: of all rows that are there.
    """

    def __init__(self, path, configuration, say):
        self._path = pathlib.Path(path)
        self._configuration = configuration
        rows, torn = read(path)
        for number, row in enumerate(rows, start=1):
            if row.get("configuration") != configuration:
                raise RunDirError(
                    f"{path}: line {number} was made with another configuration "
                    f"({row.get('configuration')}, expected {configuration})"
                )
        if torn:
            aside = self._path.with_name(self._path.name + ".torn")
            with open(aside, "ab") as file:
                file.write(torn + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.truncate(self._path, self._path.stat().st_size - len(torn))
            say(f"note: {path}: the torn last line is set aside in {aside.name}")
        self.keys = {key(row) for row in rows}

    def append(self, rows):
        """Adds rows; they are on the disk when this returns.

        Raises:
            ValueError: if a row is there already, or holds a number that is not finite.
        """
        rows = [{**row, "configuration": self._configuration} for row in rows]
        new = [key(row) for row in rows]
        if len(set(new)) != len(new) or not self.keys.isdisjoint(new):
            raise ValueError("expected rows that are not there yet, got one of them again")
        lines = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
        with open(self._path, "ab") as file:
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
        self.keys |= set(new)
