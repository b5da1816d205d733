"""TensorFlow without its chatter: it greets with a dozen lines that tell a user nothing."""

import contextlib
import logging
import os
import sys


@contextlib.contextmanager
def quiet_tensorflow():
    """Imports TensorFlow without its start-up lines, and holds absl's warnings back meanwhile."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "tensorflow" not in sys.modules:
        with _silent_stderr():
            import tensorflow as tf

            tf.config.list_physical_devices()
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _silent_stderr():
    # TensorFlow's C++ writes before any of its settings holds: only the descriptor can be turned.
    sys.stderr.flush()
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
