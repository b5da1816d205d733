"""The rows of a sweep: kept in `rows.sqlite`, a journal, and put out as `rows.jsonl`.

`rows.jsonl`, one JSON object a line, is for people and other programs: it is written whole when a
sweep ends or is interrupted, and nothing here reads it, but where there is no journal beside it: a
directory of before there were journals is taken over. For a killed sweep
`sqlite3 rows.sqlite 'select value from records'` prints the same lines.
"""

import json
import pathlib

from arn_keras.errors import RunDirError
from arn_keras.machine.files import read_bytes, write_bytes
from arn_keras.measure.journal import Journal, hashable, read

JOURNAL, EXPORT = "rows.sqlite", "rows.jsonl"
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


def key(row, fields=KEY, home=0.0):
    """What identifies a row, hashable; of other rows, by their own fields.

    Args:
        row: of a sweep, or another.
        fields: those that every row has.
        home: Eve's SNR over Bob's in dB in rows whose key says nothing of it: all those of before
            that was an axis.
    """
    found = [row[name] for name in fields]
    if fields is KEY:
        more = {"snr_aware": False, "eve_snr_offset_db": home}
        found += [[name, row[name]] for name in more if row.get(name, more[name]) != more[name]]
    return hashable(found)


def read_rows(directory, home=0.0):
    """The rows of a directory, {key: row}, without changing anything; none if it has none.

    Raises:
        RunDirError: if a row is damaged.
    """
    path = pathlib.Path(directory) / JOURNAL
    return read(path) if path.exists() else _earlier(path.with_name(EXPORT), home)[0]


class SweepRows:
    """The rows of a sweep's directory, added to by this process alone.

    Args:
        directory: the sweep's, of this process alone.
        configuration: written into each row under this name; rows of another are refused.
        say: called with each line for the user.
        home: as of `key`.

    Raises:
        RunDirError: as `Journal`; if the rows belong to another configuration.
    """

    def __init__(self, directory, configuration, say, home=0.0):
        path = pathlib.Path(directory) / JOURNAL
        self._export = path.with_name(EXPORT)
        self._configuration = configuration
        earlier, torn = ({}, b"") if path.exists() else _earlier(self._export, home)
        self._check(self._export, earlier)
        self._journal = Journal(path, say, earlier)
        if earlier or torn:
            cut = ", without its torn last line" * bool(torn)
            say(f"note: {self._export}: {len(earlier)} rows are taken over into {JOURNAL}{cut}")
        self._check(path, self._journal.records)

    def _check(self, path, rows):
        for number, row in enumerate(rows.values(), start=1):
            if row.get("configuration") != self._configuration:
                raise RunDirError(
                    f"{path}: row {number} was made with another configuration "
                    f"({row.get('configuration')}, expected {self._configuration})"
                )

    def __contains__(self, key):
        return key in self._journal

    def add(self, rows):
        """Adds {key: row}; they are on the disk when this returns. Raises: as `Journal.add`."""
        self._journal.add(
            {key: {**row, "configuration": self._configuration} for key, row in rows.items()}
        )

    @property
    def records(self):
        """All rows, {key: row}."""
        return self._journal.records

    def drop(self, keys):
        """Removes rows. Raises: as `Journal.drop`."""
        self._journal.drop(keys)

    def export(self):
        """Writes `rows.jsonl`, whole or not at all."""
        lines = [json.dumps(row) + "\n" for row in self._journal.records.values()]
        try:
            write_bytes(self._export, "".join(lines).encode())
        except OSError as error:
            raise RunDirError(f"{self._export}: cannot be written: {error.strerror}") from None


def _earlier(path, home):
    """Rows of a `rows.jsonl`, {key: row}, whole lines only; and the bytes of a torn last line."""
    content = read_bytes(path) if path.exists() else b""
    *lines, torn = content.split(b"\n")
    rows = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            identity = key(row, home=home)
        except (ValueError, TypeError, KeyError):
            raise RunDirError(
                f"{path}: expected a row in line {number}, got {line[:40]!r}"
            ) from None
        if identity in rows:
            raise RunDirError(f"{path}: line {number} is a row that is there already")
        rows[identity] = row
    return rows, torn
