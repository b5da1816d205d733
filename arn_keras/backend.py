"""Loading TensorFlow: the right Keras backend, and a clean screen."""

import json
import os
import pathlib


class BackendError(RuntimeError):
    """Keras is set to a backend other than TensorFlow."""


def require_tensorflow():
    """Checks Keras's backend before Keras is imported, and silences TensorFlow's start.

    Raises:
        BackendError: if `KERAS_BACKEND` or Keras's configuration file names another backend.
    """
    backend = os.environ.get("KERAS_BACKEND") or _configured() or "tensorflow"
    if backend != "tensorflow":
        raise BackendError(
            f"expected Keras on the tensorflow backend, got {backend!r}: "
            "set KERAS_BACKEND=tensorflow"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


def _configured():
    home = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
    try:
        return json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
