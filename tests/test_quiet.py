"""TensorFlow's chatter stays off the screen, and nothing else does."""

import logging
import os
import subprocess
import sys

from tiny_sets import COLOUR, ROOT, rows, start_load, write_set

from arn_keras.quiet import quiet_tensorflow


def test_a_first_read_in_a_fresh_process_puts_nothing_on_the_screen(tmp_path):
    write_set(tmp_path / "sets", {"train": rows(COLOUR)})
    out, err = start_load("tiny", tmp_path / "sets", tmp_path / "cache").communicate(timeout=100)
    assert err == ""
    assert out.split()[1:] == ["270", "True", "True"]


def test_what_is_written_before_and_after_the_import_is_seen():
    program = (
        "import os, sys, types\n"
        "from arn_keras.quiet import quiet_tensorflow\n"
        "class Noisy:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'tensorflow': os.write(2, b'chatter'); raise ImportError('broken')\n"
        "sys.meta_path.insert(0, Noisy())\n"
        "print('before', file=sys.stderr)\n"
        "try:\n"
        "    with quiet_tensorflow(): print('never')\n"
        "except ImportError as error: print(error, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "before\nbroken\n")


def test_the_level_of_absl_is_put_back():
    logger = logging.getLogger("absl")
    before = logger.level
    with quiet_tensorflow():
        assert not logger.isEnabledFor(logging.WARNING)
        assert logger.isEnabledFor(logging.ERROR)
    assert logger.level == before
