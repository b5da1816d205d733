"""Loading TensorFlow: the right Keras backend, and a clean screen."""

import contextlib
import io
import json
import logging
import os
import pathlib
import sys
import tempfile

from arn_keras.errors import BackendError

_left_out = set()  # of what Keras imports if it is there


def require_tensorflow():
    """Checks which backend Keras would load, before it is loaded.

    Raises:
        BackendError: if `KERAS_BACKEND` or Keras's configuration file names another.
    """
    backend = os.environ.get("KERAS_BACKEND") or _configured() or "tensorflow"
    if backend != "tensorflow":
        raise BackendError(
            f"expected Keras on the tensorflow backend, got {backend!r}: "
            "set KERAS_BACKEND=tensorflow"
        )


def usable_cores():
    """Number of cores that this process may use; all of them where the system does not say."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_tensorflow(split_layers=False):
    """Imports TensorFlow and Keras without the lines that TensorFlow prints at start.

    Args:
        split_layers: whether each layer is computed by all cores, which pays for convolutions.

    Raises:
        BackendError: as `require_tensorflow`.
    """
    require_tensorflow()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    cores = usable_cores()
    # Half the cores for each of two operations at a time: most layers are small, and an operation
    # that is split over all cores waits for the last of them (docs/performance.md).
    threads = cores if split_layers else max(1, cores // 2)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(min(2, cores)))
    with quiet_stderr(), _hidden(_left_out):
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()
    # Each stage traces a step of its own, which TensorFlow takes for one that is traced anew.
    tf.get_logger().setLevel("ERROR")


def own_process():
    """Says that this process runs a command of this package: TensorFlow starts sooner there.

    Keras imports scikit-learn for its wrappers, and matplotlib for its galleries: a third of the
    start, for what no command uses. A program that imports this package has Keras whole. Matplotlib
    does not warn of a home directory that it cannot write to: it does without.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    _left_out.update(("matplotlib", "sklearn"))


@contextlib.contextmanager
def _hidden(names):
    """Modules that are not there for what is imported inside the block, if they are not yet."""
    hidden = [name for name in names if sys.modules.setdefault(name) is None]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def quiet_tensorflow():
    """TensorFlow loaded, and absl's warnings held back inside the block."""
    load_tensorflow()
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def quiet_stderr():
    """Holds back what C++ code writes to standard error; shows it if the block fails."""
    said = io.BytesIO()
    try:
        with captured_stderr(said):
            yield
    except BaseException:
        os.write(2, said.getvalue())
        raise


@contextlib.contextmanager
def captured_stderr(said):
    """Holds back what C++ code writes to standard error.

    Args:
        said: `io.BytesIO` that it is in after the block.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            said.write(held.read())


def _configured():
    # Of a user without a home it is a folder named "~", which is not there.
    home = pathlib.Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"))
    try:
        return json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
