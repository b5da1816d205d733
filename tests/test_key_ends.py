"""Alice and Bob with one key: what is taken, what is refused, and what never repeats."""

import multiprocessing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from key_ends import SECRET, SIGNS, ends, taken  # noqa: F401

from arn_keras.pair.key_ends import ReceiverKeys, TransmitterKeys
from arn_keras.pair.key_schedule import Header, PairKey
from arn_keras.pair.message_number import MessageCounter, ReplayWindow
from arn_keras.pair.refusal import KeyingError, RefusedMessageError


def test_bob_gets_alice_s_keys_out_of_order_and_after_losses(ends):
    alice, bob = ends
    sent = [alice.next("signs", (3, 16)) for _ in range(40)]
    assert [header.message for header, _ in sent] == list(range(40))
    for index in (0, 3, 1, 30, 28, 27, 39):
        header, signs = sent[index]
        received = Header.unpack(header.pack())
        np.testing.assert_array_equal(taken(bob, received, "signs", (3, 16)), signs)
    header, rotation = alice.next("rotation", (9, 9))
    np.testing.assert_array_equal(taken(bob, header, "rotation", (9, 9)), rotation)


def test_bob_refuses_replays_old_messages_and_other_pairs(ends):
    alice, bob = ends
    headers = [alice.next(*SIGNS)[0] for _ in range(10)]
    taken(bob, headers[9])
    with pytest.raises(RefusedMessageError, match="expected a new message number, got 9: a replay"):
        taken(bob, headers[9])
    with pytest.raises(RefusedMessageError, match="expected a message number above 5, got 5: too"):
        taken(bob, headers[5])
    with pytest.raises(RefusedMessageError, match=r"expected a message of pair .*, got one of"):
        taken(bob, PairKey(bytes(32)).header(10))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_changed_header_is_taken_and_none_moves_the_window(data):
    key, window = PairKey(SECRET), ReplayWindow(8)
    bob = ReceiverKeys(PairKey(SECRET), window)
    taken(bob, key.header(5))
    wire = bytearray(key.header(data.draw(st.integers(6, 1000))).pack())
    wire[data.draw(st.integers(0, 31))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RefusedMessageError, match=r"a forged or damaged one|got one of"):
        taken(bob, Header.unpack(bytes(wire)))
    assert window.reached == 6


def test_a_message_that_could_not_be_decoded_may_come_again(ends):
    alice, bob = ends
    header, signs = alice.next(*SIGNS)
    with pytest.raises(KeyingError, match="n >= 1, got 'signs' of"):
        taken(bob, header, "signs", (2, 0))
    np.testing.assert_array_equal(taken(bob, header), signs)


def test_alice_refuses_the_counter_of_another_pair(tmp_path):
    other = PairKey(bytes(32))
    MessageCounter.create(tmp_path / "counter", other.identity)
    with (
        MessageCounter(tmp_path / "counter", other.identity) as counter,
        pytest.raises(KeyingError, match="expected the counter of pair"),
    ):
        TransmitterKeys(PairKey(SECRET), counter)


def test_a_restarted_transmitter_never_repeats_a_keystream(tmp_path):
    key, seen = PairKey(SECRET), set()
    MessageCounter.create(tmp_path / "counter", key.identity)
    for _ in range(4):
        with MessageCounter(tmp_path / "counter", key.identity, block=3) as counter:
            for _ in range(2):
                alice = TransmitterKeys(key, counter)
                seen |= {alice.next("signs", (3, 128))[1].tobytes() for _ in range(5)}
    assert len(seen) == 40


def test_a_forked_transmitter_is_refused_also_where_another_thread_was_sending(ends):
    alice, _ = ends
    ours, theirs = multiprocessing.Pipe()

    def child():
        try:
            theirs.send(alice.next(*SIGNS))
        except KeyingError as error:
            theirs.send(str(error))

    with alice._lock:
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        answered = ours.poll(5)
        process.kill()
        process.join()
    assert answered
    assert ours.recv() == "expected an open counter in the process that opened it"


def test_bob_may_check_a_message_without_taking_it(ends):
    alice, bob = ends
    (first, _), (second, _) = alice.next(*SIGNS), alice.next(*SIGNS)
    for header in (first, first, second):
        bob.check(header)
    taken(bob, first)
    with pytest.raises(RefusedMessageError, match="got 0: a replay"):
        bob.check(first)
    with pytest.raises(RefusedMessageError, match=r"expected a message of pair .*, got one of"):
        bob.check(Header(bytes(8), 5, bytes(16)))
