"""What names a pair: its weights, or of what has none its rotation, the same in every precision."""

import hashlib
import json
import pathlib
import zipfile
import zlib

from arn_keras.errors import RunDirError
from arn_keras.export import runtime
from arn_keras.machine.files import checked
from arn_keras.pair import KEY_INPUTS


def pair_identity(run_dir, public, is_keyed):
    """SHA-256 that names a pair: of the weights of both ARNs, in every precision the same.

    Of keyed modules, which have no weights, of their rotation and symbols: keyed pairs without ARNs
    that fit each other are one pair, and their keys tell them apart.

    Args:
        run_dir: the run directory.
        public: stage of the public modules, for example "arn/white", or None for none.
        is_keyed: whether there are keyed modules.

    Raises:
        RunDirError: if a module's file is missing or damaged.
    """
    total = hashlib.sha256()
    for role in runtime.ROLES:
        if public:
            weights = _read_module(run_dir, public, role, "model.weights.h5")
            total.update(hashlib.sha256(weights).digest())
        if is_keyed:
            layers = json.loads(_read_module(run_dir, "keyed", role, "config.json"))["config"]
            (keys,) = [each for each in layers["layers"] if each["name"] in KEY_INPUTS]
            shape = keys["config"]["batch_shape"][1:]
            total.update(f"arn-keras keyed v2 {keys['name']} of {shape}".encode())
    return total.hexdigest()


def _read_module(run_dir, stage, role, part):
    file = pathlib.Path(run_dir) / stage / f"{role}.keras"
    try:
        with checked(file) as stream, zipfile.ZipFile(stream) as archive:
            return archive.read(part)
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise RunDirError(f"{file}: expected a whole Keras model: {error}") from None
