"""Keys that are stepped: what was sent before a theft stays shut, also after restarts."""

import os
import threading
import time

import numpy as np
import pytest
from key_ends import SIGNS, hkdf, taken

from arn_keras.pair import key_file, owned_file
from arn_keras.pair.key_ends import ReceiverKeys, TransmitterKeys
from arn_keras.pair.key_file import KeyFile, make_key, read_key
from arn_keras.pair.key_schedule import EPOCH, PairKey
from arn_keras.pair.message_number import MessageCounter, ReplayWindow
from arn_keras.pair.owned_file import write_durably
from arn_keras.pair.refusal import KeyingError, RefusedMessageError


@pytest.fixture
def files(tmp_path):
    """A key with its own file at each end, counter and window, opened with small blocks."""
    make_key(tmp_path / "alice")
    (tmp_path / "bob").write_bytes((tmp_path / "alice").read_bytes())
    (tmp_path / "bob").chmod(0o600)
    return tmp_path


def opened(files):
    at_alice, at_bob = KeyFile(files / "alice"), KeyFile(files / "bob")
    counter = MessageCounter(files / "alice.counter", at_alice.key.identity)
    window = ReplayWindow(path=files / "alice.window", pair=at_bob.key.identity)
    alice = TransmitterKeys(at_alice.key, counter, at_alice)
    return alice, ReceiverKeys(at_bob.key, window, at_bob), counter, window


def test_what_is_stolen_after_a_step_opens_nothing_that_was_sent_before(files):
    root = (files / "alice").read_bytes()
    alice, bob, counter, window = opened(files)
    sent = []
    for index in range(3 * EPOCH + 5):
        sent.append(alice.next(*SIGNS))
        if index not in (2 * EPOCH + 10, 7):  # one comes late, one too late
            np.testing.assert_array_equal(taken(bob, sent[-1][0]), sent[-1][1])
    np.testing.assert_array_equal(taken(bob, sent[2 * EPOCH + 10][0]), sent[2 * EPOCH + 10][1])
    with pytest.raises(RefusedMessageError, match="too old"):
        taken(bob, sent[7][0])
    counter.close()
    window.close()
    for end, epoch in (("alice", 3), ("bob", 2)):
        stolen = [path.read_bytes() for path in files.iterdir()]
        assert root not in stolen
        key = read_key(files / end)
        assert key.epoch == epoch
        for message in (0, 1, EPOCH, epoch * EPOCH - 1):
            with pytest.raises(RefusedMessageError, match="its key is forgotten"):
                key.stream(message, "signs")
        for message in (epoch * EPOCH, 3 * EPOCH + 4):
            np.testing.assert_array_equal(key.signs(message, 8, 2), sent[message][1])
    # The chain is one-way: none of the old links is among what the files hold, or one step on.
    links, chain = [], hkdf(bytes.fromhex(root.decode()), key.identity, b"chain")
    for _ in range(2):
        links.append(chain)
        chain = hkdf(chain, key.identity, b"step")
    held = b"".join(stolen)
    assert not any(link.hex().encode() in held for link in links)
    assert chain.hex().encode() in held  # Bob's, of epoch 2


def test_both_ends_go_on_with_their_stepped_keys_after_a_restart(files):
    for _ in range(3):
        alice, bob, counter, window = opened(files)
        for _ in range(EPOCH):
            header, signs = alice.next(*SIGNS)
            np.testing.assert_array_equal(taken(bob, header), signs)
        counter.close()
        window.close()


def test_counter_and_window_restored_from_a_backup_are_refused(files):
    kept = {name: (files / f"alice.{name}").read_bytes() for name in ("counter", "window")}
    alice, bob, counter, window = opened(files)
    for _ in range(2 * EPOCH + 1):
        taken(bob, alice.next(*SIGNS)[0])
    counter.close()
    window.close()
    for name, content in kept.items():
        (files / f"alice.{name}").write_bytes(content)
    with (
        MessageCounter(files / "alice.counter", read_key(files / "alice").identity) as counter,
        pytest.raises(KeyingError, match=r"expected a counter that is not behind its key, got 0"),
    ):
        TransmitterKeys(read_key(files / "alice"), counter)
    with (
        ReplayWindow(path=files / "alice.window", pair=counter.pair) as window,
        pytest.raises(KeyingError, match=r"expected a window that is not behind its key, got 0"),
    ):
        ReceiverKeys(read_key(files / "bob"), window)


def test_an_older_key_is_refused_by_an_end_that_has_gone_on(files):
    old = {end: (files / end).read_bytes() for end in ("alice", "bob")}
    alice, bob, counter, window = opened(files)
    for _ in range(2 * EPOCH + 1):
        taken(bob, alice.next(*SIGNS)[0])
    counter.close()
    window.close()
    before = {name: (files / f"alice.{name}").read_bytes() for name in ("counter", "window")}
    for end, content in old.items():
        (files / end).write_bytes(content)
    at_alice, at_bob = KeyFile(files / "alice"), KeyFile(files / "bob")
    with (
        MessageCounter(files / "alice.counter", at_alice.key.identity) as counter,
        pytest.raises(KeyingError, match=r"the key that this counter has gone on with.* 2048 on"),
    ):
        TransmitterKeys(at_alice.key, counter, at_alice)
    with (
        ReplayWindow(path=files / "alice.window", pair=at_bob.key.identity) as window,
        pytest.raises(KeyingError, match=r"the key that this window has gone on with.* 1024 on"),
    ):
        ReceiverKeys(at_bob.key, window, at_bob)
    assert before == {name: (files / f"alice.{name}").read_bytes() for name in before}
    assert old == {end: (files / end).read_bytes() for end in old}  # nor stepped on


@pytest.mark.parametrize(
    ("file", "write"),
    [("alice", 1), ("alice.counter", 1), ("bob", 1), ("alice.window", 1), ("alice.window", 2)],
)
def test_an_end_killed_between_its_two_files_goes_on(files, file, write, monkeypatch):
    alice, bob, counter, window = opened(files)
    for _ in range(EPOCH):
        taken(bob, alice.next(*SIGNS)[0])
    late = read_key(files / "bob").header(7 * EPOCH)  # much was lost on the air
    written = []

    def killed_there(path, content):
        written.append(os.path.basename(path))
        if written.count(file) == write:
            raise InterruptedError
        write_durably(path, content)

    at_alice = file in ("alice", "alice.counter")
    with monkeypatch.context() as patch:
        patch.setattr(key_file, "write_durably", killed_there)
        patch.setattr(owned_file, "write_durably", killed_there)
        with pytest.raises(InterruptedError):
            _ = alice.next(*SIGNS) if at_alice else taken(bob, late)
    for each in (counter, window):  # what the kill lets go; nothing is written
        each._file.close()
    alice, bob, counter, window = opened(files)
    with counter, window:
        header, signs = alice.next(*SIGNS)
        assert header.message == EPOCH
        if window.reached <= EPOCH:
            np.testing.assert_array_equal(taken(bob, header), signs)
        taken(bob, read_key(files / "bob").header(9 * EPOCH))
    assert (read_key(files / "alice").epoch, read_key(files / "bob").epoch) == (1, 8)


def test_two_ends_in_one_process_share_a_file_and_two_processes_do_not(files):
    shared, other = KeyFile(files / "alice"), KeyFile(files / "alice")
    for end in ("first", "second"):
        shared.hold(end, 0)
    shared.step("first", 5 * EPOCH)
    assert shared.key.epoch == read_key(files / "alice").epoch == 0
    shared.step("second", 3 * EPOCH)
    assert shared.key.epoch == read_key(files / "alice").epoch == 3
    with pytest.raises(KeyingError, match="expected this end's own key file, got one that another"):
        other.step("third", EPOCH)
    assert other.key.epoch == 0


def test_two_ends_in_two_threads_step_their_key_one_after_the_other(files, monkeypatch):
    shared, writing, overlaps = KeyFile(files / "alice"), [], []
    write = key_file.write_durably
    for end in ("first", "second"):
        shared.hold(end, 0)

    def slow(path, content):
        overlaps.append(len(writing))
        writing.append(path)
        time.sleep(0.05)
        write(path, content)
        writing.pop()

    monkeypatch.setattr(key_file, "write_durably", slow)
    shared.step("first", 5 * EPOCH)
    thread = threading.Thread(target=shared.step, args=("second", 6 * EPOCH))
    thread.start()
    while not writing:
        time.sleep(0.001)
    shared.step("first", 6 * EPOCH)
    thread.join()
    assert overlaps == [0, 0]
    assert shared.key.epoch == read_key(files / "alice").epoch == 6
    root = PairKey(bytes.fromhex((files / "bob").read_text()))
    assert read_key(files / "alice").secrets(6) == root.secrets(6)


def test_a_key_under_a_second_name_is_refused_since_the_old_one_would_stay_there(files):
    keys = KeyFile(files / "bob")
    for end in ("alice", "bob"):
        os.link(files / end, files / "second")
        with pytest.raises(KeyingError, match="expected a key file under one name, got 2"):
            keys.step("end", EPOCH) if end == "bob" else KeyFile(files / end)
        (files / "second").unlink()
    keys.step("end", EPOCH)


def test_a_stepped_key_is_bound_as_it_was_and_damage_is_named(files):
    KeyFile(files / "alice", b"modules", "up").step("end", EPOCH)
    assert (files / "alice").stat().st_mode & 0o777 == 0o600
    whole = (files / "alice").read_bytes()
    assert read_key(files / "alice", b"modules", "up").epoch == 1
    for bound in ((b"", "up"), (b"modules", ""), (b"modules", "down")):
        with pytest.raises(KeyingError, match="of this bundle and label, got one for anot"):
            read_key(files / "alice", *bound)
    for at in range(15, len(whole)):
        (files / "alice").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(KeyingError, match="expected a whole key file, got a damaged one"):
            read_key(files / "alice", b"modules", "up")


def test_a_step_that_cannot_be_written_sends_nothing_and_forgets_nothing(files, monkeypatch):
    alice, bob, counter, window = opened(files)
    headers = [alice.next(*SIGNS)[0] for _ in range(EPOCH)]
    taken(bob, headers[0])

    def fail(*_):
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr("arn_keras.pair.key_file.write_durably", fail)
        with pytest.raises(OSError, match="no space"):
            alice.next(*SIGNS)
    header, signs = alice.next(*SIGNS)
    late = PairKey(bytes.fromhex((files / "bob").read_text())).header(5 * EPOCH)
    with monkeypatch.context() as patch:
        patch.setattr("arn_keras.pair.key_file.write_durably", fail)
        with pytest.raises(OSError, match="no space"):
            taken(bob, late)
    np.testing.assert_array_equal(taken(bob, header), signs)
    counter.close()
    window.close()
