"""The key schedule, recomputed from the `cryptography` primitives."""

import hashlib
import hmac
import json
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given, settings
from hypothesis import strategies as st
from key_ends import SECRET, SIGNS, ends, hkdf  # noqa: F401
from test_haar import by_definition
from test_keyed import dense_matrix

from arn_keras.pair.key_schedule import EPOCH, STEPS, Header, PairKey, drawn
from arn_keras.pair.refusal import END, KeyingError

VECTORS = json.loads((pathlib.Path(__file__).parent / "keystream_vectors.json").read_text())


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
