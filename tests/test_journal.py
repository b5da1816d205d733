import concurrent.futures
import os
import pathlib
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import threading
import time

import pytest
from torture.journals import content_of, harmed

from arn_keras.errors import RunDirError
from arn_keras.measure import journal
from arn_keras.measure.journal import Journal

ROOT = pathlib.Path(__file__).parents[1]


def record(number):
    """A key as an audit's, and rows of about 300 bytes."""
    key = ("Effort(name='quick') 10.0 -10.0", number, "arn", f"E{number % 9}")
    return key, [{"eve": "fresh", "eve_accuracy": number / 7, "curve": [[number, 0.5, 1.25]] * 12}]


RECORDS = dict(record(number) for number in range(40))


def opened(path, said=None, **first):
    return Journal(path, (said if said is not None else []).append, **first)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "finished.sqlite"
    file = opened(path)
    for key, value in RECORDS.items():
        file.add({key: value})
    return path


def test_records_come_back_in_order_as_json_gives_them(tmp_path):
    file = opened(tmp_path / "j.sqlite")
    file.add({("a", (1.0, 2.0)): {"x": (1, 2)}, "b": None})
    file.add({("a", None): 0.1})
    expected = {("a", (1.0, 2.0)): {"x": [1, 2]}, "b": None, ("a", None): 0.1}
    for found in (file.records, opened(tmp_path / "j.sqlite").records):
        assert list(found.items()) == list(expected.items())
    assert list(journal.read(tmp_path / "j.sqlite").items()) == list(expected.items())
    assert file.get(["a", [1, 2]]) == {"x": [1, 2]}
    assert file.get("c") is None
    assert ["a", None] in file
    assert len(file) == 3
    assert journal.read(tmp_path / "none.sqlite") == {}
    assert not (tmp_path / "none.sqlite").exists()


def test_a_key_is_never_there_twice_and_a_refused_batch_leaves_nothing(path):
    file = opened(path)
    for batch in ({"new": 1, record(3)[0]: 2}, {"new": float("nan")}, {"new": float("inf")}):
        with pytest.raises(ValueError, match=r"again|not JSON compliant"):
            file.add(batch)
    assert journal.read(path) == RECORDS
    file.add({"new": 1})
    assert journal.read(path)["new"] == 1


def test_2000_flips_and_cuts_are_named_or_change_nothing_and_no_altered_record_is_used(
    path, tmp_path
):
    (whole, inside), chance = content_of(path), random.Random(0)
    assert len(inside) > len(whole) / 2  # the rest is SQLite's, a good part of it without use
    copy = tmp_path / "copy.sqlite"
    for trial in range(2000):
        content, at = harmed(whole, trial, chance)
        copy.write_bytes(content)
        found, damage = journal._scan(copy)
        assert found.items() <= RECORDS.items()
        assert damage or list(found.items()) == list(RECORDS.items())
        assert damage or (trial % 4 and at not in inside)
        assert "\n" not in damage


def test_a_damaged_journal_is_set_aside_and_goes_on_with_what_is_whole(path, tmp_path):
    whole, chance = path.read_bytes(), random.Random(1)
    for trial in range(60):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        for file in tmp_path.iterdir():
            file.unlink()
        path.write_bytes(damaged)
        said = []
        file = opened(path, said)
        left = file.records
        assert len(said) <= 1
        if said:
            assert (tmp_path / "finished.sqlite.damaged").read_bytes() == damaged
        file.add({key: value for key, value in RECORDS.items() if key not in left})
        assert opened(path, said).records == RECORDS
        assert len(said) <= 1, trial


def test_what_is_damaged_is_named_by_its_number_and_nothing_else_is_lost(path, tmp_path):
    whole = path.read_bytes()
    at = whole.index(b'"eve_accuracy": 1.0,')  # of record 8
    path.write_bytes(whole.replace(whole[at : at + 20], b'"eve_accuracy": 0.1,'))
    with pytest.raises(RunDirError, match="a damaged one: damaged: record 8 of 40; the command"):
        journal.read(path)
    said = []
    kept = opened(path, said).records
    assert said == [
        f"note: {path}: damaged: record 8 of 40; set aside as finished.sqlite.damaged, "
        "and made again"
    ]
    assert kept == {key: value for key, value in RECORDS.items() if key != record(7)[0]}
    opened(path, said)
    assert len(said) == 1
    path.write_bytes(whole[:-8192])  # two pages
    found = opened(path, said).records
    assert f"its end is damaged or missing, after record {len(found)} of 40" in said[1]
    assert "set aside as finished.sqlite.damaged.2" in said[1]
    assert 20 < len(found) < 40
    assert list(found.items()) == list(RECORDS.items())[: len(found)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM records WHERE number = 40",
        "DELETE FROM records WHERE number = 17",
        "UPDATE records SET key = '\"other\"' WHERE number = 17",
        "UPDATE records SET digest = (SELECT digest FROM records WHERE number = 3) "
        "WHERE number = 17",
        "UPDATE records SET number = 41 WHERE number = 17",
        "UPDATE records SET value = NULL WHERE number = 17",
        "PRAGMA user_version = 7",
    ],
)
def test_a_record_taken_out_moved_or_renamed_is_missed(path, statement):
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    with pytest.raises(RunDirError, match=r"17 of 4|after record 39 of 40|7, and 40 are there"):
        journal.read(path)


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\0" * 4096, b"SQLite format 3\0"])
def test_a_file_that_is_no_journal_is_set_aside_not_taken_for_an_empty_one(tmp_path, content):
    path, said = tmp_path / "j.sqlite", []
    path.write_bytes(content)
    with pytest.raises(RunDirError, match="no record of it can be read"):
        journal.read(path)
    assert len(opened(path, said)) == 0
    assert "no record of it can be read" in said[0]
    assert (tmp_path / "j.sqlite.damaged").read_bytes() == content


APPENDING = """
import sys
from arn_keras.measure.journal import Journal
file = Journal(sys.argv[1], print)
for number in range(len(file), 10**6):
    file.add({("key", number): {"value": number, "padding": "x" * 2000}})
    print(number, flush=True)
"""


def test_killed_at_any_moment_it_keeps_what_was_finished(tmp_path):
    path, chance = tmp_path / "j.sqlite", random.Random(2)
    confirmed = -1
    for _ in range(15):
        command = [sys.executable, "-c", APPENDING, str(path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            lines = [process.stdout.readline() for _ in range(chance.randrange(1, 12))]
            while chance.random() < 0.9:
                os.sched_yield()
            process.kill()
            lines += process.stdout.read().split(b"\n")[:-1]
        confirmed = max([confirmed, *(int(line) for line in lines if line.strip().isdigit())])
        found = Journal(path, lambda line: None).records
        assert confirmed < len(found) <= confirmed + 2
        assert [value["value"] for value in found.values()] == list(range(len(found)))
    assert confirmed > 15
    assert not list(tmp_path.glob("*.damaged"))


def _names_another(path, other):
    """A rollback's record of nothing that ends in another file's name (SQLite's file format)."""
    magic, name = bytes.fromhex("d9d505f920a163d7"), str(other).encode()
    (size,) = struct.unpack(">H", path.read_bytes()[16:18])
    pages = path.stat().st_size // size
    header = magic + struct.pack(">5I", 0, 1, pages, 512, size)
    end = struct.pack(">I", (1 << 30) // size + 1) + name + struct.pack(">2I", len(name), sum(name))
    path.with_name(f"{path.name}-journal").write_bytes(header.ljust(512, b"\0") + end + magic)


@pytest.mark.parametrize("reader", [journal.read, opened])
def test_a_journal_of_a_stranger_removes_no_file_of_mine(path, tmp_path, reader):
    (tmp_path / "thesis").write_text("mine")
    _names_another(path, tmp_path / "thesis")
    link = tmp_path / "link.sqlite"
    link.symlink_to(path)
    for each in (path, link):
        with pytest.raises(RunDirError, match=r"finished\.sqlite-journal names another file$"):
            reader(each)
    assert (tmp_path / "thesis").read_text() == "mine"


@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
def test_pipes_beside_a_journal_are_not_waited_for(path, end):
    os.mkfifo(f"{path}{end}")
    for reader in (journal.read, opened):
        with pytest.raises(
            RunDirError, match=r"not a regular file|expected no .*-(wal|shm) beside"
        ):
            reader(path)


def test_what_was_being_added_when_a_kill_came_is_cut_off_and_said(path, tmp_path):
    """The state in the middle of a commit, copied while SQLite is in it."""
    caught = tmp_path / "caught" / path.name
    caught.parent.mkdir()
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("PRAGMA cache_spill = 1")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO records VALUES (?, '', ?, '')", ((n, "x" * 3000) for n in range(41, 80))
        )
        for file in (path, path.with_name(f"{path.name}-journal")):
            shutil.copy(file, caught.parent)
        connection.execute("ROLLBACK")
    assert caught.read_bytes() != path.read_bytes()
    said = []
    assert opened(caught, said).records == RECORDS
    assert said == [f"note: {caught}: what was being added when a kill came is cut off"]


def test_two_processes_that_write_are_told_so(path):
    one, two = opened(path), opened(path)
    one.add({"one": 1})
    with pytest.raises(RunDirError, match="expected 40 records, got 41: another process wrote"):
        two.add({"two": 2})
    assert "two" not in journal.read(path)


def test_a_file_removed_or_replaced_meanwhile_is_not_written_to(path, tmp_path):
    file = opened(path)
    path.unlink()
    with pytest.raises(RunDirError, match="unable to open database file"):
        file.add({"more": 1})


def test_another_journals_rest_is_not_played_back_into_a_new_one(path, tmp_path):
    rest = tmp_path / "new.sqlite-journal"
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("BEGIN")
        connection.execute("DELETE FROM records")
        shutil.copy(f"{path}-journal", rest)
        connection.execute("ROLLBACK")
    file = opened(tmp_path / "new.sqlite", first={("a", 1): 2})
    file.add({"b": 3})
    assert journal.read(tmp_path / "new.sqlite") == {("a", 1): 2, "b": 3}


FULL = """
import resource, signal, sys
from arn_keras.errors import RunDirError
from arn_keras.measure.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = Journal(sys.argv[1], print)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**15, 2**15))
try:
    for number in range(len(file), 10**6):
        file.add({number: "x" * 2000})
except RunDirError as error:
    print(number, error)
"""


def test_a_full_disk_is_one_clear_line_and_what_was_finished_stays(tmp_path):
    path = tmp_path / "j.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    [line] = done.stdout.splitlines()
    number, _, message = line.partition(" ")
    assert message.startswith(f"{path}: cannot be read or written: ")
    assert done.stderr == ""
    found = opened(path).records
    assert list(found) == list(range(int(number)))
    assert len(found) > 5


def test_what_may_not_be_written_is_one_clear_line(path, monkeypatch):
    file = opened(path)
    monkeypatch.setattr(journal, "opened", _read_only(journal.opened))
    with pytest.raises(RunDirError, match="cannot be read or written: attempt to write a readonly"):
        file.add({"more": 1})
    assert file.records == RECORDS
    assert journal.read(path) == RECORDS


def _read_only(connect):
    """As if the file were on a read-only disk: root may write everywhere else."""
    return lambda path, mode="ro": connect(path, "ro")


def test_a_journal_is_read_whole_while_another_adds_to_it(tmp_path):
    path, enough = tmp_path / "journal.sqlite", threading.Event()
    kept = Journal(path, print)

    def add():
        while not enough.is_set():
            kept.add({len(kept): "finished"})
            time.sleep(0.001)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        adding = pool.submit(add)
        try:
            seen = [len(journal.read(path)) for _ in range(60)]
        finally:
            enough.set()
        adding.result()
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]  # it was read in the middle
    assert len(journal.read(path)) == len(kept)
