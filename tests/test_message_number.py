"""Numbers under crashes, damage and disorder; the window against a model that forgets nothing."""

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arn_keras.pair import owned_file
from arn_keras.pair.message_number import MessageCounter, ReplayWindow
from arn_keras.pair.refusal import END, KeyingError, RefusedMessageError

PAIR = bytes(range(8))

PRINT_NUMBERS = """
import sys
from arn_keras.pair.message_number import MessageCounter
counter = MessageCounter(sys.argv[1], bytes(range(8)), block=7)
while True:
    print(counter.next(), flush=True)
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "counter"
    MessageCounter.create(path, PAIR)
    return path


def take(path, count, block=1024):
    with MessageCounter(path, PAIR, block) as counter:
        return [counter.next() for _ in range(count)]


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
        child = subprocess.Popen(
            [sys.executable, "-c", PRINT_NUMBERS, str(path)], stdout=subprocess.PIPE
        )
        with child:
            lines = [child.stdout.readline() for _ in range(wanted)]
            os.kill(child.pid, signal.SIGKILL)
            lines += child.stdout.readlines()
        assert child.returncode == -signal.SIGKILL
        numbers = [int(line) for line in lines if line.endswith(b"\n")]
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


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 70),
    start=st.sampled_from([0, 1000, END - 300]),
    steps=st.lists(st.integers(0, 299), max_size=200),
)
def test_the_window_takes_a_number_if_it_is_new_and_not_too_old_and_never_else(size, start, steps):
    window, taken = ReplayWindow(size), set()
    for number in (start + step for step in steps):
        good = number not in taken and number > max(taken, default=-1) - size
        if good:
            window.check(number)
            window.accept(number)
            taken.add(number)
        else:
            reason = "a replay|too old" if number in taken else "too old"
            with pytest.raises(RefusedMessageError, match=reason):
                window.check(number)
            with pytest.raises(RefusedMessageError, match=reason):
                window.accept(number)


def test_the_default_window_is_1024_numbers_and_a_gap_of_any_length_costs_nothing():
    window = ReplayWindow()
    for number in (*range(1500), 5000, 3977):
        window.accept(number)
        assert window._accepted.bit_length() <= 1024
    with pytest.raises(RefusedMessageError, match="expected a message number above 3976, got 3976"):
        window.accept(3976)
    window.accept(END - 1)
    window.accept(np.uint64(END - 1024))
    with pytest.raises(RefusedMessageError, match="a replay"):
        window.accept(END - 1024)


def test_of_two_threads_with_one_number_the_window_takes_one(monkeypatch):
    window, check, outcomes = ReplayWindow(), ReplayWindow.check, []

    def slow_check(self, number):
        check(self, number)
        time.sleep(0.05)

    def accept():
        try:
            outcomes.append(window.accept(7))
        except RefusedMessageError:
            outcomes.append("refused")

    monkeypatch.setattr(ReplayWindow, "check", slow_check)
    threads = [threading.Thread(target=accept) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [None, "refused"]


@pytest.mark.parametrize("number", [-1, END, 1.0, "1", True, None])
def test_what_is_no_message_number_is_refused(number):
    with pytest.raises(KeyingError, match=r"expected an? (integer )?message number"):
        ReplayWindow().accept(number)


def test_empty_blocks_and_windows_are_refused(path):
    with pytest.raises(KeyingError, match="expected a block of at least 1 number, got 0"):
        MessageCounter(path, PAIR, block=0)
    with pytest.raises(KeyingError, match="expected a window of at least 1 number, got 0"):
        ReplayWindow(0)


def test_a_lock_that_was_removed_gives_no_number_twice(path):
    with MessageCounter(path, PAIR, block=5) as first:
        seen = [first.next()]
        os.unlink(f"{path}.lock")
        with MessageCounter(path, PAIR, block=5) as second:
            seen += [first.next() for _ in range(4)] + [second.next() for _ in range(5)]
            with pytest.raises(KeyingError, match=r"nobody else touches, got its lock .* removed"):
                first.next()
            seen += [second.next()]
    assert len(set(seen)) == len(seen) == 11


def test_two_counters_without_a_common_lock_cannot_reserve_one_block(path):
    """Removed at the worst moment: both were opened before either reserved."""
    with MessageCounter(path, PAIR, block=5) as first:
        os.rename(f"{path}.lock", f"{path}.kept")
        with MessageCounter(path, PAIR, block=5) as second:
            os.unlink(f"{path}.lock")
            os.rename(f"{path}.kept", f"{path}.lock")  # the first one's again
            assert first.next() == 0
            with pytest.raises(KeyingError, match=r"nobody else touches, got its lock"):
                second.next()


def test_a_hard_link_gives_no_number_twice(path):
    other = path.with_name("other")
    os.link(path, other)
    for name in (path, other):
        with pytest.raises(KeyingError, match="file under one name, got 2"):
            MessageCounter(name, PAIR)
    other.unlink()
    with MessageCounter(path, PAIR, block=2) as counter:
        assert [counter.next(), counter.next()] == [0, 1]
        os.link(path, other)
        with pytest.raises(KeyingError, match="file under one name, got 2"):
            counter.next()


def test_a_file_renamed_or_replaced_while_open_gives_no_number_twice(path):
    other = path.with_name("other")
    with MessageCounter(path, PAIR, block=2) as counter:
        seen = [counter.next()]
        os.rename(path, other)
        with MessageCounter(other, PAIR, block=2) as second:
            seen += [counter.next(), second.next(), second.next(), second.next()]
            with pytest.raises(KeyingError, match="nobody else touches, got its file gone"):
                counter.next()
    assert len(set(seen)) == len(seen)
    os.rename(other, path)
    with MessageCounter(path, PAIR, block=2) as counter:
        counter.next(), counter.next()
        MessageCounter.create(other, PAIR)
        os.rename(other, path)
        with pytest.raises(KeyingError, match="nobody else touches, got its file at 0 instead of"):
            counter.next()


def test_a_pipe_a_device_or_a_folder_in_the_place_of_a_counter_is_refused_unread(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "device", "folder"):
        with pytest.raises(KeyingError, match=r"got no regular file|expected a writable folder"):
            MessageCounter(tmp_path / name, PAIR)
        with pytest.raises(KeyingError, match=r"got no regular file|expected a writable folder"):
            ReplayWindow(path=tmp_path / name, pair=PAIR)


@pytest.mark.parametrize("beside", ["counter.lock", ".counter.new"])
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_lies_in_the_place_of_a_lock_is_refused_or_swept_and_never_waited_for(
    path, beside, kind
):
    whole, other = path.read_bytes(), path.parent / "other"
    other.write_bytes(b"other")
    (path.parent / beside).unlink(missing_ok=True)
    make = {"pipe": os.mkfifo, "link": lambda at: at.symlink_to(other), "folder": os.mkdir}
    make[kind](path.parent / beside)
    if beside == ".counter.new" and kind != "folder":
        take(path, 1)
    else:
        with pytest.raises(KeyingError, match="expected a writable folder for the counter, got "):
            MessageCounter(path, PAIR)
        assert path.read_bytes() == whole
    assert other.read_bytes() == b"other"


@pytest.mark.parametrize("path", ["a\0b", "\ud800", 1.5, None])
def test_what_names_no_file_is_refused_in_one_line(path):
    with pytest.raises(KeyingError, match="expected the path of a file, got"):
        MessageCounter(path, PAIR)


@pytest.mark.parametrize("code", ["EBADF", "ENOLCK", "ENOSYS"])
def test_a_file_system_without_working_locks_is_told_from_one_in_use(path, monkeypatch, code):
    import errno
    import fcntl

    def fail(*_):
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(KeyingError, match="expected a file system with working locks for a count"):
        MessageCounter(path, PAIR)


def test_what_a_killed_process_left_is_swept_by_the_next(path):
    (path.parent / ".counter.new").write_bytes(b"half a reco")
    take(path, 1)
    assert sorted(each.name for each in path.parent.iterdir()) == ["counter", "counter.lock"]


@pytest.fixture
def window_path(tmp_path):
    path = tmp_path / "window"
    ReplayWindow.create(path, PAIR)
    return path


def test_a_window_that_is_closed_refuses_the_late_ones_alone(window_path):
    with ReplayWindow(path=window_path, pair=PAIR, block=10) as window:
        window.accept(3, 1)
        window.accept(7)
    with ReplayWindow(path=window_path, pair=PAIR, block=10) as window:
        for number in (1, 3, 7):
            with pytest.raises(RefusedMessageError, match="a replay"):
                window.accept(number)
        with pytest.raises(RefusedMessageError, match="a replay"):
            window.accept(2)  # never seen, but before the restart: refused with the others
        window.accept(8)


def test_after_a_crash_at_most_a_block_is_refused_that_would_have_been_good(window_path):
    window = ReplayWindow(path=window_path, pair=PAIR, block=10)
    window.accept(12)
    window._file.close()  # as a crash leaves it
    with ReplayWindow(path=window_path, pair=PAIR, block=10) as window:
        for number in (12, 13, 19):
            with pytest.raises(RefusedMessageError, match="a replay"):
                window.accept(number)
        window.accept(20)


TAKE_NUMBERS = """
import sys
from arn_keras.pair.message_number import ReplayWindow
window = ReplayWindow(path=sys.argv[1], pair=bytes(range(8)), block=5)
number = window.reached
while True:
    window.accept(number + 1)
    window.accept(number)
    print(number, number + 1, flush=True)
    number += 2
"""


def test_a_killed_receiver_never_takes_a_number_twice(window_path):
    seen = []
    for wanted in (1, 3, 20):
        child = subprocess.Popen(
            [sys.executable, "-c", TAKE_NUMBERS, str(window_path)], stdout=subprocess.PIPE
        )
        with child:
            lines = [child.stdout.readline() for _ in range(wanted)]
            os.kill(child.pid, signal.SIGKILL)
            lines += child.stdout.readlines()
        seen += [int(word) for line in lines if line.endswith(b"\n") for word in line.split()]
    assert len(seen) == len(set(seen)) >= 48
    with ReplayWindow(path=window_path, pair=PAIR) as window:
        for number in seen:
            with pytest.raises(RefusedMessageError):
                window.accept(number)


def test_of_a_refused_batch_nothing_is_taken_and_of_a_good_one_all(window_path):
    for window in (ReplayWindow(), ReplayWindow(path=window_path, pair=PAIR)):
        window.accept(3000, 10)  # a fresh window: good in any order
        for batch in ([3001, 10], [3001, 3001], [3001, 3000]):
            with pytest.raises(RefusedMessageError):
                window.accept(*batch)

        def fail():
            raise OSError("no space")

        with pytest.raises(OSError, match="no space"):
            window.accept(3001, 3002, before=fail)
        window.accept(3002, 3001)
        window.close()


def test_two_threads_with_the_same_messages_lose_none_of_them():
    window, taken = ReplayWindow(), []

    def accept():
        for number in range(200):
            try:
                window.accept(number)
                taken.append(number)
            except RefusedMessageError:
                pass

    threads = [threading.Thread(target=accept) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(200))


def _accept_in_child(window, pipe):
    try:
        pipe.send(window.accept(5))
    except KeyingError as error:
        pipe.send(str(error))


def test_a_forked_receiver_takes_nothing(window_path):
    for window in (ReplayWindow(), ReplayWindow(path=window_path, pair=PAIR)):
        ours, theirs = multiprocessing.Pipe()
        child = multiprocessing.get_context("fork").Process(
            target=_accept_in_child, args=(window, theirs)
        )
        child.start()
        assert "in the process that opened it" in ours.recv()
        child.join()
        window.accept(5)
        window.close()


def test_the_window_of_another_key_damaged_or_in_use_is_refused(window_path, path):
    with pytest.raises(KeyingError, match="expected the window of pair ffffffffffffffff, got that"):
        ReplayWindow(path=window_path, pair=b"\xff" * 8)
    with (
        ReplayWindow(path=window_path, pair=PAIR),
        pytest.raises(KeyingError, match="expected a window nobody else uses, got one in use"),
    ):
        ReplayWindow(path=window_path, pair=PAIR)
    with pytest.raises(KeyingError, match="expected a whole message window's file, got a damaged"):
        ReplayWindow(path=path, pair=PAIR)  # a counter
    with pytest.raises(KeyingError, match="expected a message window's file, got none"):
        ReplayWindow(path=window_path.with_name("none"), pair=PAIR)
    with pytest.raises(KeyingError, match="expected a block of at least 1 number, got 0"):
        ReplayWindow(path=window_path, pair=PAIR, block=0)
