"""The run directory: stages that are whole or absent, and files that are whole or absent.

A stage works in a partial directory and is renamed when it is done; a file is written under
another name and renamed. So a program killed at any moment leaves finished work and nothing that
looks finished but is not.
"""

import fcntl
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil

from arn_keras.errors import RunDirError
from arn_keras.files import TEMPORARY, flush, read_json, write_json

_PACKAGES = ("arn-keras", "tensorflow", "keras", "numpy", "tensorflow-datasets", "ai-edge-litert")


class RunDirectory:
    """A directory that belongs to one configuration, locked inside a `with` block.

    Args:
        path: the directory; made if missing.
        identity: the configuration's fields that decide what is trained, JSON values.
        versions: versions of what computes, recorded only.
        notes: what else is recorded for who opens it later, {name: JSON value}.
        option: the option that names the directory, for the error's sake.

    Raises:
        RunDirError: if it is not writable, in use, or holds something else.
    """

    def __init__(self, path, identity, versions, option="--run-dir", notes=None):
        self.path = pathlib.Path(path)
        self._option = option
        identity = json.loads(json.dumps(identity))
        self._check(identity)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / ".lock", os.O_WRONLY | os.O_CREAT)
        except OSError as error:
            raise RunDirError(f"{path}: expected a writable directory: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise RunDirError(f"{path}: another process is at work in it") from None
        for left in self.path.rglob(f"{TEMPORARY}*"):  # by a killed program
            left.unlink()
        if not (self.path / "config.json").exists():
            content = {"config": identity, "versions": versions, **(notes or {})}
            write_json(self.path / "config.json", content)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._lock)

    def _check(self, identity):
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise RunDirError(f"{self.path}: expected a directory, got a file")
        file = self.path / "config.json"
        if not file.exists():
            foreign = [entry.name for entry in self.path.iterdir() if entry.name[0] != "."]
            if foreign:
                raise RunDirError(
                    f"{self.path}: expected an empty or a run directory, found {foreign[0]!r}"
                )
            return
        found = read_json(file)
        found = found.get("config") if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise RunDirError(f"{file}: expected a run's configuration")
        differing = [name for name in identity if found.get(name) != identity[name]]
        if differing or found.keys() != identity.keys():
            fields = ", ".join(
                f"{name} ({found.get(name)} there, {identity[name]} asked)" for name in differing
            )
            raise RunDirError(
                f"{self.path}: made with another configuration: {fields or 'other fields'}; "
                f"choose another {self._option}"
            )

    def done(self, stage):
        """Whether a stage, for example "arn/white", is finished."""
        return (self.path / stage).exists()

    def partial(self, stage):
        """The directory in which an unfinished stage works; what it holds survives a kill."""
        partial = self._partial(stage)
        partial.mkdir(parents=True, exist_ok=True)
        return partial

    def finish(self, stage):
        """Makes a stage's partial directory the finished one."""
        partial, final = self._partial(stage), self.path / stage
        for left in partial.glob("checkpoint*"):
            shutil.rmtree(left, ignore_errors=True)
        for file in partial.rglob("*"):
            if file.is_file():
                flush(file)
        os.replace(partial, final)

    def keep(self, stage, models):
        """Keeps the models of a stage, {name: Keras model}: it is finished then."""
        partial = self.partial(stage)
        for name, model in models.items():
            model.save(partial / f"{name}.keras")
        self.finish(stage)

    def _partial(self, stage):
        final = self.path / stage
        return final.with_name(f".partial.{final.name}")

    def load_models(self, stage, *names):
        """The Keras models of a finished stage, as `load_models`."""
        return load_models(self.path, stage, *names)


def read_files(path, stage, *names):
    """The contents of a finished stage's models: {name: bytes}.

    Raises:
        RunDirError: if a file cannot be read.
    """
    folder = pathlib.Path(path) / stage
    try:
        return {name: (folder / f"{name}.keras").read_bytes() for name in names}
    except OSError as error:
        raise RunDirError(f"{folder}: {error.strerror}: delete it to train it again") from None


def load_models(path, stage, *names):
    """The Keras models of a finished stage of the run directory at `path`.

    Raises:
        RunDirError: if a file is missing or damaged.
    """
    import keras

    models = []
    for name in names:
        file = pathlib.Path(path) / stage / f"{name}.keras"
        try:
            models.append(keras.saving.load_model(file, compile=False))
        except Exception as error:  # zip, HDF5, JSON and Keras each raise their own
            reason = str(error).strip().splitlines()[0]
            raise RunDirError(
                f"{file}: expected a whole Keras model ({reason}); "
                f"delete {file.parent} to train it again"
            ) from None
    return models


def versions():
    """Versions of what computes: {package: version, or None if it is not installed}."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found
