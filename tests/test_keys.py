"""The key schedule, recomputed from the `cryptography` primitives, and its two guarded ends."""

import hashlib
import hmac
import json
import multiprocessing
import os
import pathlib
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from test_haar import by_definition
from test_keyed import dense_matrix

from arn_keras.pair import key_file, owned_file
from arn_keras.pair.key_ends import ReceiverKeys, TransmitterKeys
from arn_keras.pair.key_file import KeyFile, generate_key, make_key, read_key, write_key
from arn_keras.pair.key_schedule import EPOCH, STEPS, Header, PairKey, drawn
from arn_keras.pair.message_number import MessageCounter, ReplayWindow
from arn_keras.pair.owned_file import write_durably
from arn_keras.pair.refusal import END, KeyingError, RefusedMessageError

VECTORS = json.loads((pathlib.Path(__file__).parent / "keystream_vectors.json").read_text())
SECRET = bytes(range(100, 132))
SIGNS = ("signs", (2, 8))


def hkdf(key, salt, info, length=32):
    return HKDF(SHA256(), length, salt, b"arn-keras keyed v2 " + info).derive(key)


def vector_of(key, message, n, rounds=0, modules=b"", label=""):
    """One entry of keystream_vectors.json, without any code of the project; 0 rounds: haar."""
    identity = hkdf(key, None, b"identity" + bytes([len(modules)]) + modules + label.encode(), 8)
    chain = hkdf(key, identity, b"chain")
    for _ in range(message // 1024):
        chain = hkdf(chain, identity, b"step")
    stream = hkdf(chain, identity, b"signs" if rounds else b"rotation")
    number = message.to_bytes(8, "little")
    tag = hmac.new(hkdf(key, identity, b"header"), identity + number, "sha256").digest()[:16]
    nonce = b"\0\0\0\0" + b"\0\0\0\0" + number
    count = rounds * n // 8 + 1 if rounds else 12 * -(-n * (n + 1) // 4)
    keystream = Cipher(algorithms.ChaCha20(stream, nonce), None).encryptor().update(bytes(count))
    vector = {
        "key": key.hex(),
        **({"modules": modules.hex()} if modules else {}),
        **({"label": label} if label else {}),
        "message": str(message),
        "n": n,
        "pair": identity.hex(),
        "header": (identity + number + tag).hex(),
    }
    if rounds:
        signs = [-1 if keystream[k // 8] & 2 ** (k % 8) else 1 for k in range(rounds * n)]
        matrix = dense_matrix(np.array(signs, "float64").reshape(rounds, n))
        vector |= {
            "rounds": rounds,
            "first_signs": signs[:16],
            "signs_sha256": hashlib.sha256(np.array(signs, np.int8).tobytes()).hexdigest(),
        }
    else:
        matrix = by_definition(keystream, n, np.float64)
        vector["first_of_q"] = [round(value, 6) for value in matrix[0, :4].tolist()]
    rotated = matrix @ np.array([(37 * i % 101 - 50) / 32 for i in range(n)])
    return vector | {
        "rotated": [round(value, 6) for value in rotated[:16].tolist()],
        "rotated_last": round(rotated[-1].item(), 6),
    }


def _id(vector):
    return f"{'signs' if 'rounds' in vector else 'haar'}-{vector['n']}-{vector['message']}"


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=_id)
def test_the_vectors_follow_from_the_primitives_and_from_the_project(vector):
    key, message = bytes.fromhex(vector["key"]), int(vector["message"])
    n, rounds = vector["n"], vector.get("rounds", 0)
    bound = bytes.fromhex(vector.get("modules", "")), vector.get("label", "")
    assert vector_of(key, message, n, rounds, *bound) == vector

    from arn_keras.pair.haar import MatrixRotation
    from arn_keras.pair.rotation import KeyedRotation

    pair = PairKey(key, *bound)
    assert pair.header(message).pack().hex() == vector["header"]
    pair.check(Header.unpack(bytes.fromhex(vector["header"])))
    signal = ((37 * np.arange(n) % 101 - 50) / 32).astype("float32")
    if rounds:
        keys, layer = pair.signs(message, n, rounds), KeyedRotation(rounds)
        digest = hashlib.sha256(keys.astype(np.int8).tobytes()).hexdigest()
        assert digest == vector["signs_sha256"]
    else:
        keys, layer = pair.rotation(message, n), MatrixRotation()
        np.testing.assert_allclose(keys[0, :4], vector["first_of_q"], atol=1e-6)
    assert (keys.dtype, keys.shape) == (np.float32, (rounds or n, n))
    rotated = np.asarray(layer(signal[None], keys[None]))[0]
    np.testing.assert_allclose(rotated[:16], vector["rotated"], atol=1e-5)
    assert rotated[-1] == pytest.approx(vector["rotated_last"], abs=1e-5)


def test_the_keystream_is_chacha20_of_rfc_8439():
    # The block of its section 2.3.2, with block counter 1: the first 4 of the 16 bytes are
    # the counter, the other 12 the nonce, as key_schedule.py takes them to be.
    nonce = bytes.fromhex("01000000000000090000004a00000000")
    cipher = Cipher(algorithms.ChaCha20(bytes(range(32)), nonce), None).encryptor()
    assert cipher.update(bytes(16)).hex() == "10f1e7e4d13b5915500fdd1fa32071c4"


def test_the_vectors_cover_the_ends_of_every_range():
    messages = {int(vector["message"]) for vector in VECTORS["vectors"]}
    assert {0, 1, EPOCH - 1, EPOCH} <= messages
    assert max(messages) > 100 * EPOCH
    for rounds in (True, False):
        of_kind = [vector for vector in VECTORS["vectors"] if ("rounds" in vector) == rounds]
        assert {1, 127, 128} <= {vector["n"] for vector in of_kind}
        assert len({vector["key"] for vector in of_kind}) > 1
        assert any("modules" in vector and "label" in vector for vector in of_kind)


def test_the_last_message_number_has_a_keystream_of_its_own():
    for message in (0, 2**32, END - 1):
        nonce = bytes(8) + message.to_bytes(8, "little")
        cipher = Cipher(algorithms.ChaCha20(SECRET, nonce), None).encryptor()
        bits = np.unpackbits(np.frombuffer(cipher.update(bytes(2)), np.uint8), bitorder="little")
        np.testing.assert_array_equal(drawn(SECRET, message, *SIGNS).ravel(), 1.0 - 2.0 * bits)
    with pytest.raises(KeyingError, match=f"expected at most {STEPS} epochs ahead of the key"):
        PairKey(SECRET).signs(END - 1, 8, 2)
    for shape in ((0, 8), (2, 0), (8,)):
        with pytest.raises(KeyingError, match="expected signs or a rotation, n >= 1, got 'signs'"):
            drawn(SECRET, 0, "signs", shape)
    with pytest.raises(KeyingError, match="got 'rot13'"):
        drawn(SECRET, 0, "rot13", (2, 8))


@settings(max_examples=30, deadline=None)
@given(a=st.integers(0, 50 * EPOCH), b=st.integers(0, 50 * EPOCH))
def test_another_message_key_label_or_input_gives_unrelated_signs(a, b):
    n, rounds = 1000, 4
    first = PairKey(SECRET).signs(a, n, rounds)
    limit = 5.5 / np.sqrt(n * rounds)
    assert abs(first.mean()) < limit
    others = [PairKey(SECRET[::-1]), PairKey(SECRET, label="up"), PairKey(SECRET, b"up")]
    for other in others:
        assert abs((first * other.signs(a, n, rounds)).mean()) < limit
        assert other.identity != PairKey(SECRET).identity
    same = (first * PairKey(SECRET).signs(b, n, rounds)).mean()
    assert same == 1 if a == b else abs(same) < limit
    key = PairKey(SECRET)
    assert key.stream(a, "signs") != key.stream(a, "rotation")


def test_numpy_integers_give_the_same_signs():
    plain = PairKey(SECRET).signs(3, 7, 2)
    numpy = PairKey(SECRET).signs(np.uint64(3), np.int64(7), np.int64(2))
    np.testing.assert_array_equal(plain, numpy)


@pytest.fixture
def ends(tmp_path):
    key = PairKey(SECRET)
    MessageCounter.create(tmp_path / "counter", key.identity)
    with MessageCounter(tmp_path / "counter", key.identity) as counter:
        yield TransmitterKeys(key, counter), ReceiverKeys(PairKey(SECRET), ReplayWindow(4))


def taken(bob, header, name="signs", shape=(2, 8)):
    """What a bundle's client does with a message, in its order."""
    bob.check(header)
    keys = bob.keys(header, name, shape)
    bob.accept([header])
    return keys


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


@given(message=st.integers(0, END - 1))
def test_a_header_is_32_bytes_and_comes_back(message):
    header = PairKey(SECRET).header(message)
    assert len(header.pack()) == 32
    assert Header.unpack(header.pack()) == header
    PairKey(SECRET).check(header)


def test_a_header_that_cannot_be_is_refused():
    with pytest.raises(KeyingError, match="expected a header of 32 bytes, got 31"):
        Header.unpack(bytes(31))
    with pytest.raises(KeyingError, match="got 16: that of format 1, which has no tag"):
        Header.unpack(bytes(16))
    with pytest.raises(KeyingError, match="expected a header of bytes, got str"):
        Header.unpack("x" * 32)
    with pytest.raises(KeyingError, match="expected a pair identity of 8 bytes, got str"):
        Header("12345678", 1, bytes(16))
    with pytest.raises(KeyingError, match="expected a message number from 0 to 2"):
        Header(bytes(8), END, bytes(16))
    with pytest.raises(KeyingError, match="expected a tag of 16 bytes"):
        Header(bytes(8), 1, bytes(8))


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


def test_what_is_stolen_from_a_silent_direction_opens_nothing_of_the_other(tmp_path):
    """A thief of a device has every file there, of every label."""
    make_key(tmp_path / "key", b"modules", ("up", "down"))
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"} == {
        f"key.{label}{rest}" for label in ("up", "down") for rest in ("", ".counter", ".window")
    }
    up = read_key(tmp_path / "key.up", b"modules", "up")
    sent = up.signs(0, 8, 2)
    np.testing.assert_array_equal(
        sent, read_key(tmp_path / "key.up", b"modules", "up").signs(0, 8, 2)
    )
    KeyFile(tmp_path / "key.up", b"modules", "up").step("end", EPOCH)
    for path in tmp_path.iterdir():
        for label in ("up", "down"):
            try:
                stolen = read_key(path, b"modules", label)
            except KeyingError:
                continue
            assert stolen.epoch == (label == "up")
            if label == "up":
                with pytest.raises(RefusedMessageError, match="its key is forgotten"):
                    stolen.signs(0, 8, 2)
            else:
                assert stolen.identity != up.identity


@pytest.mark.parametrize("label", ["\udcff", 5, None, b"up", "a\0b", "a/b", ".." * 200])
def test_a_label_that_is_no_name_is_refused_and_nothing_is_made(tmp_path, label):
    with pytest.raises(KeyingError, match="expected a "):
        make_key(tmp_path / "key", labels=("fine", label))
    with pytest.raises(KeyingError, match="expected each label once"):
        make_key(tmp_path / "key", labels=("up", "up"))
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
    with pytest.raises(KeyingError, match="expected a writable place for a new key, got No such f"):
        make_key(tmp_path / "none" / "key")


def test_a_folder_in_the_place_of_a_key_is_refused(tmp_path):
    for path in (tmp_path, "a\0b"):
        with pytest.raises(KeyingError, match=r"got no regular file|expected the path of a file"):
            KeyFile(path)


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


def test_a_written_key_is_private_fresh_and_never_overwritten(tmp_path):
    old = os.umask(0)
    try:
        for name in ("a", "b"):
            write_key(tmp_path / name)
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    text = (tmp_path / "a").read_text()
    assert read_key(tmp_path / "a").identity == PairKey(bytes.fromhex(text)).identity
    assert read_key(tmp_path / "a").identity != read_key(tmp_path / "b").identity
    with pytest.raises(KeyingError, match="expected no file where a new key goes, got one"):
        write_key(tmp_path / "a")
    assert (tmp_path / "a").read_text() == text
    assert len(generate_key()) == 32
    assert generate_key() != generate_key()


def test_a_key_is_made_together_with_its_counter_or_not_at_all(tmp_path, monkeypatch):
    make_key(tmp_path / "key", b"modules")
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == [
        "key",
        "key.counter",
        "key.window",
    ]
    identity = read_key(tmp_path / "key", b"modules").identity
    assert identity != read_key(tmp_path / "key").identity
    with MessageCounter(tmp_path / "key.counter", identity) as counter:
        assert counter.next() == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "key.counter").rename(tmp_path / "kept")
    with pytest.raises(KeyingError, match="expected no file where a new"):
        make_key(tmp_path / "key")
    (tmp_path / "kept").rename(tmp_path / "key.counter")
    (tmp_path / "key").rename(tmp_path / "kept")
    with pytest.raises(KeyingError, match="expected no file where a new"):
        make_key(tmp_path / "key")
    (tmp_path / "kept").rename(tmp_path / "key")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    def fail(path, pair):
        raise OSError("no space")

    monkeypatch.setattr(MessageCounter, "create", fail)
    with pytest.raises(OSError, match="no space"):
        make_key(tmp_path / "another")
    assert not (tmp_path / "another").exists()


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


def test_a_failed_write_leaves_no_key_file(tmp_path, monkeypatch):
    def fail(_):
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_key(tmp_path / "key")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_that_others_may_use_is_read_with_a_warning(tmp_path, mode):
    write_key(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.warns(UserWarning, match=f"only its owner may use, got mode {mode:04o}: chmod 600"):
        read_key(tmp_path / "key")


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (SECRET.hex()[:-1], "got fewer"),
        (SECRET.hex() + "0", "got more"),
        (SECRET.hex() + "\n\n", "got more"),
        (SECRET.hex()[:-1] + "g", "got others"),
        ("", "got fewer"),
    ],
)
def test_a_key_file_of_the_wrong_form_is_refused_without_showing_it(tmp_path, text, got):
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(KeyingError, match=f"expected a key file of .*, {got}: ") as refusal:
        read_key(path)
    assert "\n" not in str(refusal.value)
    assert SECRET.hex()[:8] not in str(refusal.value)


def test_a_missing_key_file_is_refused(tmp_path):
    with pytest.raises(KeyingError, match="expected a key file, got No such file"):
        read_key(tmp_path / "key")


@pytest.mark.parametrize("key", [bytes(31), bytes(33), "00" * 32, None])
def test_a_key_of_the_wrong_length_is_refused(key):
    with pytest.raises(KeyingError, match="expected a key of 32 bytes, got") as refusal:
        PairKey(key)
    assert "0000" not in str(refusal.value)


def test_no_key_in_what_is_printed_and_none_in_what_is_pickled(ends):
    key = PairKey(SECRET)
    secrets = [SECRET, key._chain, key._mark, key.stream(0, "signs")]
    for shown in (key, *ends, key.header(3), {"key": [key]}):
        for text in (repr(shown), str(shown)):
            assert not any(s.hex() in text or repr(s)[2:-1] in text for s in secrets)
    assert repr(key) == f"PairKey(identity={key.identity.hex()}, key=<hidden>)"
    with pytest.raises(TypeError, match="expected a key to stay in its process"):
        pickle.dumps(key)
    assert not hasattr(key, "__dict__")


def test_the_key_schedule_needs_no_tensorflow_and_the_counter_no_cryptography():
    script = """
import sys
import arn_keras.pair.message_number, arn_keras.pair.key_schedule, arn_keras.pair.key_ends
assert "cryptography" not in sys.modules
arn_keras.pair.key_schedule.PairKey(bytes(32)).signs(0, 8, 2)
assert "cryptography" in sys.modules
assert not {"tensorflow", "keras"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
