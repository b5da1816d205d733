"""The key schedule, recomputed from the `cryptography` primitives, and its two guarded ends."""

import hashlib
import json
import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from test_keyed import dense_matrix

from arn_keras.pair.key_schedule import (
    Header,
    PairKey,
    ReceiverKeys,
    TransmitterKeys,
    generate_key,
    make_key,
    read_key,
    write_key,
)
from arn_keras.pair.message_number import (
    END,
    KeyingError,
    MessageCounter,
    RefusedMessageError,
    ReplayWindow,
)

VECTORS = json.loads((pathlib.Path(__file__).parent / "keystream_vectors.json").read_text())
SECRET = bytes(range(100, 132))


def vector_of(key, message, n, rounds, modules=b""):
    """One entry of keystream_vectors.json, without any code of the project."""
    identity = HKDF(SHA256(), 8, None, b"arn-keras keyed v1 identity" + modules).derive(key)
    stream = HKDF(SHA256(), 32, identity, b"arn-keras keyed v1 keystream").derive(key)
    nonce = b"\0\0\0\0" + b"\0\0\0\0" + message.to_bytes(8, "little")
    blocks = rounds * n // 512 + 1
    keystream = (
        Cipher(algorithms.ChaCha20(stream, nonce), None).encryptor().update(bytes(64 * blocks))
    )
    signs = [-1 if keystream[k // 8] & 2 ** (k % 8) else 1 for k in range(rounds * n)]
    signal = np.array([(37 * i % 101 - 50) / 32 for i in range(n)])
    rotated = dense_matrix(np.array(signs, "float64").reshape(rounds, n)) @ signal
    return {
        "key": key.hex(),
        **({"modules": modules.hex()} if modules else {}),
        "message": str(message),
        "n": n,
        "rounds": rounds,
        "pair": identity.hex(),
        "header": (identity + message.to_bytes(8, "little")).hex(),
        "first_signs": signs[:16],
        "signs_sha256": hashlib.sha256(np.array(signs, np.int8).tobytes()).hexdigest(),
        "rotated": [round(value, 6) for value in rotated[:16].tolist()],
        "rotated_last": round(rotated[-1].item(), 6),
    }


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda v: f"{v['n']}-{v['message']}")
def test_the_vectors_follow_from_the_primitives_and_from_the_project(vector):
    key, message = bytes.fromhex(vector["key"]), int(vector["message"])
    n, rounds = vector["n"], vector["rounds"]
    modules = bytes.fromhex(vector.get("modules", ""))
    assert vector_of(key, message, n, rounds, modules) == vector

    from arn_keras.pair.rotation import KeyedRotation

    pair = PairKey(key, modules)
    assert Header(pair.identity, message).pack().hex() == vector["header"]
    signs = pair.signs(message, n, rounds)
    assert (signs.dtype, signs.shape) == (np.float32, (rounds, n))
    digest = hashlib.sha256(signs.astype(np.int8).tobytes()).hexdigest()
    assert digest == vector["signs_sha256"]
    signal = ((37 * np.arange(n) % 101 - 50) / 32).astype("float32")
    rotated = np.asarray(KeyedRotation(rounds)(signal[None], signs[None]))[0]
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
    assert {0, 1, 2**32, END - 1} <= messages
    sizes = {vector["n"] for vector in VECTORS["vectors"]}
    assert {1, 100, 127, 128} <= sizes
    assert len({vector["key"] for vector in VECTORS["vectors"]}) > 1
    assert any("modules" in vector for vector in VECTORS["vectors"])


@settings(max_examples=30, deadline=None)
@given(a=st.integers(0, END - 1), b=st.integers(0, END - 1))
def test_another_message_or_another_key_gives_unrelated_signs(a, b):
    n, rounds = 1000, 4
    first = PairKey(SECRET).signs(a, n, rounds)
    other = PairKey(SECRET[::-1]).signs(a, n, rounds)
    limit = 5.5 / np.sqrt(n * rounds)
    assert abs(first.mean()) < limit
    assert abs((first * other).mean()) < limit
    same = (first * PairKey(SECRET).signs(b, n, rounds)).mean()
    assert same == 1 if a == b else abs(same) < limit


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


def test_bob_gets_alice_s_signs_out_of_order_and_after_losses(ends):
    alice, bob = ends
    sent = [alice.next(16, 3) for _ in range(40)]
    assert [header.message for header, _ in sent] == list(range(40))
    for index in (0, 3, 1, 30, 28, 27, 39):
        header, signs = sent[index]
        received = Header.unpack(header.pack())
        np.testing.assert_array_equal(bob.signs(received, 16, 3), signs)


def test_bob_refuses_replays_old_messages_and_other_pairs(ends):
    alice, bob = ends
    headers = [alice.next(8, 2)[0] for _ in range(10)]
    bob.signs(headers[9], 8, 2)
    with pytest.raises(RefusedMessageError, match="expected a new message number, got 9: a replay"):
        bob.signs(headers[9], 8, 2)
    with pytest.raises(RefusedMessageError, match="expected a message number above 5, got 5: too"):
        bob.signs(headers[5], 8, 2)
    stranger = Header(PairKey(bytes(32)).identity, 10)
    with pytest.raises(RefusedMessageError, match=r"expected a message of pair .*, got one of"):
        bob.signs(stranger, 8, 2)


def test_a_message_that_could_not_be_decoded_may_come_again(ends):
    alice, bob = ends
    header, signs = alice.next(8, 2)
    with pytest.raises(KeyingError, match="expected n >= 1 and rounds >= 1, got n = 0"):
        bob.signs(header, 0, 2)
    np.testing.assert_array_equal(bob.signs(header, 8, 2), signs)


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
            seen |= {TransmitterKeys(key, counter).next(128, 3)[1].tobytes() for _ in range(5)}
            seen |= {TransmitterKeys(key, counter).next(128, 3)[1].tobytes() for _ in range(5)}
    assert len(seen) == 40


@given(pair=st.binary(min_size=8, max_size=8), message=st.integers(0, END - 1))
def test_a_header_is_16_bytes_and_comes_back(pair, message):
    wire = Header(pair, message).pack()
    assert len(wire) == 16
    assert Header.unpack(wire) == Header(pair, message)


def test_a_header_that_cannot_be_is_refused():
    with pytest.raises(KeyingError, match="expected a header of 16 bytes, got 15"):
        Header.unpack(bytes(15))
    with pytest.raises(KeyingError, match="expected a pair identity of 8 bytes, got str"):
        Header("12345678", 1)
    with pytest.raises(KeyingError, match="expected a message number from 0 to 2"):
        Header(bytes(8), END)


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
    identity = read_key(tmp_path / "key", b"modules").identity
    assert identity != read_key(tmp_path / "key").identity
    with MessageCounter(tmp_path / "key.counter", identity) as counter:
        assert counter.next() == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "key.counter").rename(tmp_path / "kept")
    with pytest.raises(KeyingError, match="expected no file where a new key goes, got one"):
        make_key(tmp_path / "key")
    (tmp_path / "kept").rename(tmp_path / "key.counter")
    (tmp_path / "key").rename(tmp_path / "kept")
    with pytest.raises(KeyingError, match="expected no file where a new counter goes, got one"):
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
    (first, _), (second, _) = alice.next(8, 2), alice.next(8, 2)
    for header in (first, first, second):
        bob.check(header)
    bob.signs(first, 8, 2)
    with pytest.raises(RefusedMessageError, match="got 0: a replay"):
        bob.check(first)
    with pytest.raises(RefusedMessageError, match=r"expected a message of pair .*, got one of"):
        bob.check(Header(bytes(8), 5))


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
    secrets = [SECRET, key._stream]
    for shown in (key, *ends, Header(key.identity, 3), {"key": [key]}):
        for text in (repr(shown), str(shown)):
            assert not any(s.hex() in text or repr(s)[2:-1] in text for s in secrets)
    assert repr(key) == f"PairKey(identity={key.identity.hex()}, key=<hidden>)"
    with pytest.raises(TypeError, match="expected a key to stay in its process"):
        pickle.dumps(key)
    assert not hasattr(key, "__dict__")


def test_the_key_schedule_needs_no_tensorflow_and_the_counter_no_cryptography():
    script = """
import sys
import arn_keras.pair.message_number, arn_keras.pair.key_schedule
assert "cryptography" not in sys.modules
arn_keras.pair.key_schedule.PairKey(bytes(32)).signs(0, 8, 2)
assert "cryptography" in sys.modules
assert not {"tensorflow", "keras"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
