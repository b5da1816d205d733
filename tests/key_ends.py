"""Two ends of one key, for the tests of what they do with messages."""

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from arn_keras.pair.key_ends import ReceiverKeys, TransmitterKeys
from arn_keras.pair.key_schedule import PairKey
from arn_keras.pair.message_number import MessageCounter, ReplayWindow

SECRET = bytes(range(100, 132))
SIGNS = ("signs", (2, 8))


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


def hkdf(key, salt, info, length=32):
    return HKDF(SHA256(), length, salt, b"arn-keras keyed v2 " + info).derive(key)
