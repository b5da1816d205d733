"""The file of a counter that a test numbers messages with, and a process killed at numbers."""

import os
import signal
import subprocess
import sys

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


def told_before_a_kill(code, path, wanted):
    """Whole lines that a process of this code tells; it is killed once there are so many."""
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    with child:
        lines = [child.stdout.readline() for _ in range(wanted)]
        os.kill(child.pid, signal.SIGKILL)
        lines += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    return [line for line in lines if line.endswith(b"\n")]
