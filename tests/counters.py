"""The file of a counter that a test numbers messages with."""

import pytest

from arn_keras.pair.message_number import MessageCounter

PAIR = bytes(range(8))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "counter"
    MessageCounter.create(path, PAIR)
    return path


def take(path, count, block=1024):
    with MessageCounter(path, PAIR, block) as counter:
        return [counter.next() for _ in range(count)]
