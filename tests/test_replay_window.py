"""The window of received numbers: a model that forgets nothing, kills, threads, forks."""

import multiprocessing
import threading
import time

import numpy as np
import pytest
from counters import PAIR, path, told_before_a_kill  # noqa: F401
from hypothesis import given, settings
from hypothesis import strategies as st

from arn_keras.pair.message_number import ReplayWindow
from arn_keras.pair.refusal import END, KeyingError, RefusedMessageError


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
        lines = told_before_a_kill(TAKE_NUMBERS, window_path, wanted)
        seen += [int(word) for line in lines for word in line.split()]
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
