"""Journals with a bit flipped or their end cut: nothing altered is used, what is lost is said."""

import random
import sqlite3

from torture.tally import Tally

_BYTES = "SELECT CAST(key AS BLOB), CAST(value AS BLOB), digest FROM records"


def content_of(path):
    """The bytes of a journal's file, and the places in it of those that are its records'."""
    whole = path.read_bytes()
    with sqlite3.connect(path) as connection:
        records = [b"".join(row) for row in connection.execute(_BYTES)]
    starts = [(each, whole.index(each, 8192)) for each in records]  # before it: the tree's root
    return whole, {start + offset for each, start in starts for offset in range(len(each))}


def harmed(whole, trial, chance):
    """The bytes with a bit flipped, each fourth time cut off instead; and where."""
    found, at = bytearray(whole), chance.randrange(len(whole))
    if trial % 4:
        found[at] ^= 1 << chance.randrange(8)
    else:
        del found[at:]
    return found, at


def flipped(folder, trials, seed=0):
    """Half of an audit's journal, half of one that many rows were added to at once."""
    from arn_keras.errors import RunDirError
    from arn_keras.measure import journal

    tally, chance = Tally("journals"), random.Random(seed)
    records = {
        ("quick 10.0 -10.0", number, "arn", f"E{number % 9}"): [
            {"eve_accuracy": number / 7, "curve": [[number, 0.5, 1.25]] * 12}
        ]
        for number in range(40)
    }
    for name, parts in (("audit", 40), ("sweep", 2)):
        path = folder / f"{name}.sqlite"
        file = journal.Journal(path, print)
        items = list(records.items())
        for start in range(0, 40, 40 // parts):
            file.add(dict(items[start : start + 40 // parts]))
        (whole, inside), copy = content_of(path), folder / "copy.sqlite"
        for trial in range(trials // 2):
            tally.tried += 1
            content, at = harmed(whole, trial, chance)
            copy.write_bytes(content)
            try:
                found, said = journal.read(copy), ""
            except RunDirError as error:
                found, said = None, str(error)
            except Exception as error:
                tally.count("crashed", f"{name} {trial}: {error!r}")
                continue
            if "\n" in said:
                tally.count("unclear", f"{name} {trial}: {said}")
            if found is not None and found != records:
                tally.count("wrong", f"{name} {trial}: altered or lost without a word")
            if found is not None and trial % 4 and at in inside:
                tally.count("wrong", f"{name} {trial}: a flip in a record was not seen")
            if trial % 20 == 0:  # and what is whole goes on
                for left in folder.glob("copy.sqlite.damaged*"):
                    left.unlink()
                going_on = journal.Journal(copy, lambda line: None).records
                if not going_on.items() <= records.items():
                    tally.count("wrong", f"{name} {trial}: an altered record goes on")
    return tally
