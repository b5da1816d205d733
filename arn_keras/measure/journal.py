"""What is finished, in one file that survives a kill at any moment and is never used altered.

A SQLite file (sqlite.org/atomiccommit.html) of numbered records, each with the SHA-256 of its
number, key and value; the file's `user_version` counts them, so that a lost end is missed too. One
process writes. A rollback journal and no write-ahead log, on purpose: a damaged end of the latter
is dropped without a word, it needs shared memory (so no network file system), and who copies the
file alone loses what is in it. It holds no secret and no signature: who forges a record and its
sum is believed.
"""

import hashlib
import json
import pathlib
import shutil

from arn_keras.errors import RunDirError
from arn_keras.machine.database import fetched, opened, rollback
from arn_keras.machine.files import atomic_file

_TABLE = "CREATE TABLE records (number INTEGER PRIMARY KEY, key TEXT, value TEXT, digest BLOB)"


def hashable(key):
    """A key as it comes back from JSON, hashable: lists and tuples are tuples."""
    return tuple(map(hashable, key)) if isinstance(key, list | tuple) else key


def read(path):
    """All records, without changing the file.

    Args:
        path: of a journal; a missing one has no records.

    Returns:
        {key: value}, in the order in which they were added.

    Raises:
        RunDirError: if anything in it is damaged, with what and which record; if it cannot be read.
    """
    path = pathlib.Path(path)
    records, damage = _scan(path) if path.exists() else ({}, "")
    if damage:
        raise RunDirError(
            f"{path}: expected a whole journal, got a damaged one: {damage}; the command that "
            "wrote it sets it aside and makes again what is lost"
        )
    return records


class Journal:
    """The records of a file that this process alone adds to.

    A damaged file is set aside as NAME.damaged, NAME.damaged.2 and so on; what is whole goes on.

    Args:
        path: the file; made if missing.
        say: called with a line for the user if something was cut off or is damaged.
        first: {key: value} that a journal begins with where there is none yet.

    Raises:
        RunDirError: if the file cannot be read or written.
    """

    def __init__(self, path, say, first=None):
        self._path = pathlib.Path(path)
        if not self._path.exists():
            self._records = {}
            self._write({hashable(key): value for key, value in (first or {}).items()})
            return
        interrupted = rollback(self._path).exists()
        self._records, damage = _scan(self._path)
        if damage:
            aside = self._set_aside()
            self._write(self._records)
            say(f"note: {path}: {damage}; set aside as {aside.name}, and made again")
        elif interrupted:
            say(f"note: {path}: what was being added when a kill came is cut off")

    def __contains__(self, key):
        return hashable(key) in self._records

    def __len__(self):
        return len(self._records)

    @property
    def records(self):
        """All records, {key: value}, in the order in which they were added."""
        return dict(self._records)

    def get(self, key):
        """The value of a key, or None if it is not there."""
        return self._records.get(hashable(key))

    def add(self, records):
        """Adds records, all or none; they are on the disk when this returns.

        Args:
            records: {key: value}; keys of strings, numbers, None and tuples of them, JSON values.

        Raises:
            ValueError: if a key is there already, or a number is not finite.
            RunDirError: if the file cannot be written, or another process wrote to it.
        """
        records = {hashable(key): value for key, value in records.items()}
        if not self._records.keys().isdisjoint(records):
            raise ValueError("expected keys that are not there yet, got one of them again")
        rows = _rows(records, len(self._records))
        with opened(self._path) as connection:
            connection.execute("PRAGMA synchronous = EXTRA")  # FULL, and of the folder too
            connection.execute("BEGIN IMMEDIATE")
            [(count,)] = connection.execute("PRAGMA user_version")
            if count != len(self._records):
                raise RunDirError(
                    f"{self._path}: expected {len(self._records)} records, got {count}: another "
                    "process wrote to it"
                )
            _insert(connection, rows)
            connection.execute("COMMIT")
        self._records |= _values(rows)

    def drop(self, keys):
        """Removes records, all or none; the others are numbered anew.

        Raises:
            RunDirError: if the file cannot be written.
        """
        gone = set(map(hashable, keys))
        self._write({key: each for key, each in self._records.items() if key not in gone})

    def _write(self, records):
        """Makes the file anew, whole or not at all."""
        rows = _rows(records)
        try:
            with atomic_file(self._path) as temporary:
                with opened(temporary, "rwc") as connection:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute(_TABLE)
                    _insert(connection, rows)
                    connection.execute("COMMIT")
                rollback(self._path).unlink(missing_ok=True)  # or it is played back into the new
        except OSError as error:
            raise RunDirError(f"{self._path}: cannot be written: {error.strerror}") from None
        self._records = _values(rows)

    def _set_aside(self):
        name = aside = self._path.with_name(f"{self._path.name}.damaged")
        number = 1
        while aside.exists():
            number += 1
            aside = name.with_name(f"{name.name}.{number}")
        try:
            with atomic_file(aside) as temporary:
                shutil.copyfile(self._path, temporary)
        except OSError as error:
            raise RunDirError(f"{aside}: cannot be written: {error.strerror}") from None
        return aside


def _rows(records, count=0):
    """Rows of the table for records that come after so many."""
    rows = []
    for number, (key, value) in enumerate(records.items(), start=count + 1):
        key, value = (json.dumps(each, allow_nan=False) for each in (key, value))
        rows.append((number, key, value, _digest(number, key.encode(), value.encode())))
    return rows


def _values(rows):
    """{key: value} of rows of the table, as JSON gives them back."""
    return {hashable(json.loads(key)): json.loads(value) for _, key, value, _ in rows}


def _digest(number, key, value):
    return hashlib.sha256(b"%d\n%s\n%s" % (number, key, value)).digest()


def _insert(connection, rows):
    connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", rows)
    if rows:
        connection.execute(f"PRAGMA user_version = {rows[-1][0]}")


def _scan(path):
    """Whole records, {key: value}, and what is damaged, in words; nothing if nothing is."""
    with opened(path) as connection:
        connection.execute("BEGIN")  # all of one state: another process may be adding
        # Lets a file be read whose end is missing; what is read is checked all the same.
        connection.execute("PRAGMA writable_schema = ON")
        schema, error = fetched(connection, "SELECT sql FROM sqlite_schema")
        if schema != [(_TABLE.encode(),)]:
            return {}, f"no record of it can be read ({error or 'it is no journal'})"
        [(count,)], _ = fetched(connection, "PRAGMA user_version")
        structure, error = fetched(connection, "PRAGMA quick_check(1)")
        rows = {}
        for order in ("", " DESC"):  # what is unreadable in the middle does not hide the end
            found, broken = fetched(connection, f"SELECT * FROM records ORDER BY number{order}")
            rows |= {number: (number, *row) for number, *row in found}
            if not broken:
                break
    whole = [rows[number] for number in sorted(rows) if _is_whole(*rows[number])]
    damage = _lost([number for number, *_ in whole], count)
    if not damage and (error or structure != [(b"ok",)]):
        damage = "no record of it, but its structure is damaged"
    return _values(whole), damage


def _is_whole(number, key, value, digest):
    return (
        isinstance(key, bytes)
        and isinstance(value, bytes)
        and digest == _digest(number, key, value)
    )


def _lost(numbers, count):
    """What is not there of records 1 to `count`, in words; nothing if all are."""
    last = numbers[-1] if numbers else 0
    gaps = sorted(set(range(1, last)) - set(numbers))
    shown = ", ".join(map(str, gaps[:5])) + (f" and {len(gaps) - 5} more" if gaps[5:] else "")
    words = [f"damaged: record {shown} of {max(count, last)}"] if gaps else []
    if count > last:
        words.append(f"its end is damaged or missing, after record {last} of {count}")
    if count < last:
        words.append(f"its count of records is damaged: {count}, and {last} are there")
    return "; ".join(words)
