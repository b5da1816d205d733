"""Message numbers under crashes, damage and forks: none is ever given twice."""

import fcntl
import multiprocessing
import os
import threading

import pytest
from counters import PAIR, path, take, told_before_a_kill  # noqa: F401
from hypothesis import given, settings
from hypothesis import strategies as st

from arn_keras.pair import owned_file
from arn_keras.pair.message_number import MessageCounter, ReplayWindow
from arn_keras.pair.refusal import END, KeyingError

PRINT_NUMBERS = """
import sys
from arn_keras.pair.message_number import MessageCounter
counter = MessageCounter(sys.argv[1], bytes(range(8)), block=7)
while True:
    print(counter.next(), flush=True)
"""


def test_numbers_count_up_from_zero_and_skip_the_rest_of_a_block_after_a_restart(path):
    assert take(path, 10, block=4) == list(range(10))
    assert take(path, 3, block=4) == [12, 13, 14]


def test_opening_alone_uses_no_number(path):
    for _ in range(3):
        MessageCounter(path, PAIR).close()
    assert take(path, 1) == [0]


@pytest.mark.parametrize("how", [fcntl.LOCK_EX, fcntl.LOCK_SH])
def test_a_folder_that_somebody_else_holds_stops_neither_end_for_ever(path, how, monkeypatch):
    monkeypatch.setattr(owned_file, "_SECONDS", 0.05)
    ReplayWindow.create(path.with_name("window"), PAIR)
    window = ReplayWindow(path=path.with_name("window"), pair=PAIR)
    with MessageCounter(path, PAIR) as counter, window:
        holder = os.open(path.parent, os.O_RDONLY)  # who may read the folder can lock it
        fcntl.flock(holder, how)
        for use in (counter.next, lambda: window.accept(0)):
            with pytest.raises(KeyingError, match="expected a folder nobody else uses, got one in"):
                use()
        os.close(holder)
        assert counter.next() == 0
        window.accept(0)


def test_a_killed_transmitter_never_gives_a_number_twice(path):
    seen = []
    for wanted in (1, 7, 20, 50):
        numbers = [int(line) for line in told_before_a_kill(PRINT_NUMBERS, path, wanted)]
        assert len(numbers) >= wanted
        seen += numbers
    seen += take(path, 10)
    assert seen == sorted(set(seen))


def test_a_block_is_on_the_disk_before_its_first_number_is_given(path, monkeypatch):
    flushed = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (flushed.append(handle), fsync(handle)))
    with MessageCounter(path, PAIR, block=3) as counter:
        for given_so_far, blocks in ((0, 1), (1, 1), (2, 1), (3, 2)):
            assert counter.next() == given_so_far
            assert len(flushed) == 2 * blocks  # the file, then its directory
            assert int(path.read_text().split()[2]) == 3 * blocks


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_no_number_is_given_when_the_block_cannot_be_written(path, monkeypatch, failing):
    def fail(*_):
        raise OSError("no space")

    with MessageCounter(path, PAIR, block=2) as counter:
        assert [counter.next(), counter.next()] == [0, 1]
        with monkeypatch.context() as patch:
            patch.setattr(os, failing, fail)
            for _ in range(2):
                with pytest.raises(OSError, match="no space"):
                    counter.next()
        assert sorted(file.name for file in path.parent.iterdir()) == ["counter", "counter.lock"]
        assert counter.next() == 2


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "counter"
    MessageCounter.create(path, PAIR)
    whole = path.read_bytes()
    if data.draw(st.booleans()):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
        damaged = whole[:at] + bytes([byte]) + whole[at + 1 :]
    path.write_bytes(damaged)
    with pytest.raises(KeyingError, match="expected a whole message counter's file, got a damaged"):
        MessageCounter(path, PAIR)
    assert path.read_bytes() == damaged


def test_a_missing_file_is_refused_and_an_existing_one_is_not_made_again(tmp_path, path):
    with pytest.raises(KeyingError, match="expected a message counter's file, got none"):
        MessageCounter(tmp_path / "other", PAIR)
    take(path, 5)
    before = path.read_bytes()
    with pytest.raises(KeyingError, match="expected no file where a new counter goes, got one"):
        MessageCounter.create(path, PAIR)
    assert path.read_bytes() == before
    with pytest.raises(
        KeyingError, match="expected a writable folder for the counter, got No such"
    ):
        MessageCounter.create(tmp_path / "missing" / "counter", PAIR)


def test_the_counter_of_another_pair_is_refused(path):
    with pytest.raises(
        KeyingError, match="expected the counter of pair ffffffffffffffff, got that of 0001"
    ):
        MessageCounter(path, b"\xff" * 8)
    with pytest.raises(KeyingError, match="expected a pair identity of 8 bytes, got 3 bytes"):
        MessageCounter(path, b"abc")


def test_two_counters_cannot_share_a_file_by_whatever_path(tmp_path, path):
    (tmp_path / "link").symlink_to(path)
    with MessageCounter(path, PAIR):
        for other in (path, tmp_path / "link"):
            with pytest.raises(KeyingError, match="expected a counter nobody else uses"):
                MessageCounter(other, PAIR)
    take(tmp_path / "link", 1)


def _next_in_child(counter, pipe):
    try:
        pipe.send(counter.next())
    except KeyingError as error:
        pipe.send(str(error))


def test_a_forked_child_gets_no_number(path):
    ours, theirs = multiprocessing.Pipe()
    with MessageCounter(path, PAIR) as counter:
        counter.next()
        counter._file.thread_lock.acquire()
        child = multiprocessing.get_context("fork").Process(
            target=_next_in_child, args=(counter, theirs)
        )
        child.start()
        # Also where another thread held the lock at the fork.
        assert ours.recv() == "expected an open counter in the process that opened it"
        child.join()
        counter._file.thread_lock.release()
    with pytest.raises(KeyingError, match="expected an open counter"):
        counter.next()


def test_threads_get_different_numbers_all_reserved_before(path):
    numbers = []
    with MessageCounter(path, PAIR, block=1) as counter:
        threads = [
            threading.Thread(target=lambda: numbers.extend(counter.next() for _ in range(20)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(numbers) == list(range(160))
    assert take(path, 1) == [160]


def test_the_last_number_is_given_once_and_then_none(path):
    with MessageCounter(path, PAIR, block=END - 1) as counter:
        counter.next()
    assert take(path, 1, block=5) == [END - 1]
    with pytest.raises(KeyingError, match="expected a key with unused message numbers, got all"):
        take(path, 1)


@pytest.mark.parametrize("number", [-1, END, 1.0, "1", True, None])
def test_what_is_no_message_number_is_refused(number):
    with pytest.raises(KeyingError, match=r"expected an? (integer )?message number"):
        ReplayWindow().accept(number)


def test_empty_blocks_and_windows_are_refused(path):
    with pytest.raises(KeyingError, match="expected a block of at least 1 number, got 0"):
        MessageCounter(path, PAIR, block=0)
    with pytest.raises(KeyingError, match="expected a window of at least 1 number, got 0"):
        ReplayWindow(0)
