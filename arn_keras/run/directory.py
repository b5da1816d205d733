"""The run directory: stages that are whole or absent, and files that are whole or absent.

A stage works in a partial directory and is renamed when it is done; a file is written under
another name and renamed. So a program killed at any moment leaves finished work and nothing that
looks finished but is not.
"""

import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import tempfile

from arn_keras.errors import RunDirError
from arn_keras.machine import models
from arn_keras.machine.files import TEMPORARY, flush, read_bytes, read_json, write_json
from arn_keras.machine.places import lock, own_directory, replace_directory
from arn_keras.run import records

_SOURCES = ".from.json"  # of an unfinished stage: sums of what it is made from
_PACKAGES = ("arn-keras", "tensorflow", "keras", "numpy", "tensorflow-datasets", "ai-edge-litert")


class RunDirectory:
    """A directory that belongs to one configuration, locked inside a `with` block.

    Args:
        path: the directory; made if missing.
        identity: the configuration's fields that decide what is trained, JSON values.
        versions: versions of what computes, recorded only.
        notes: what else is recorded for who opens it later, {name: JSON value}; of them "data",
            {name of a data set: `data.dataset.Dataset.digest`}, is to be the same for ever.
        option: the option that names the directory, for the error's sake.

    Raises:
        RunDirError: if it is not writable, in use, or holds something else.
    """

    def __init__(self, path, identity, versions, option="--run-dir", notes=None):
        self.path = pathlib.Path(path)
        self._option = option
        identity = json.loads(json.dumps(identity))
        self._check(identity, (notes or {}).get("data", {}))
        self._before = tempfile.tempdir
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self.path / ".lock")
        except OSError as error:
            raise RunDirError(f"{path}: expected a writable directory: {error.strerror}") from None
        try:
            self._sweep()
            own_directory(self.scratch)
            # Libraries leave temporary files where they are killed: here they are found again.
            tempfile.tempdir = str(self.scratch)
            if not (self.path / "config.json").exists():
                content = {"config": identity, "versions": versions, **(notes or {})}
                write_json(self.path / "config.json", content)
        except RunDirError:
            self.__exit__()
            raise
        except OSError as error:
            self.__exit__()
            raise RunDirError(f"{path}: expected a writable directory: {error.strerror}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        tempfile.tempdir = self._before
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.close(self._lock)

    def _check(self, identity, data):
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
        content = read_json(file)
        found = content.get("config") if isinstance(content, dict) else None
        if not isinstance(found, dict):
            raise RunDirError(f"{file}: expected a run's configuration")
        differing = [each for name in identity for each in _differing(name, found, identity)]
        if differing or found.keys() != identity.keys():
            raise RunDirError(
                f"{self.path}: made with another configuration: "
                f"{', '.join(differing) or 'other fields'}; "
                f"choose another {self._option}"
            )
        records.check_data(self.path, records.data_of(content), data)

    def _sweep(self):
        """Removes what a killed program left."""
        for left in self.path.rglob(f"{TEMPORARY}*"):
            left.unlink()
        shutil.rmtree(self.scratch, ignore_errors=True)

    @property
    def scratch(self):
        """A folder for temporary files; it goes when the directory is closed, or opened again."""
        return self.path.absolute() / ".scratch"

    def done(self, stage, sources=()):
        """Whether a stage, for example "arn/white", is finished, as it was, from what is there.

        Args:
            stage: its name.
            sources: stages that it is made from.
        """
        return not records.why_not(self.path, stage, sources)

    def partial(self, stage):
        """The directory in which an unfinished stage works; what it holds survives a kill."""
        partial = self._partial(stage)
        if partial.parent != self.path:
            own_directory(partial.parent)
        own_directory(partial)
        return partial

    def begin(self, stage, sources=(), say=print):
        """As `partial`, for a stage that is not done: what cannot be used of it is set aside.

        Args:
            stage: its name.
            sources: stages that it is made from.
            say: called with a line for the user if anything is set aside.
        """
        final, made_from = self.path / stage, records.digests(self.path, sources)
        if final.exists():
            why = records.why_not(self.path, stage, sources)
            aside = final.with_name(f".unusable.{final.name}")
            shutil.rmtree(aside, ignore_errors=True)
            os.replace(final, aside)
            say(f"note: {final}: {why}; set aside as {aside.name}, and made again")
        partial = self.partial(stage)
        kept = partial / _SOURCES
        if kept.exists() and read_json(kept) != made_from:
            say(f"note: {stage}: begun from what has changed since; it begins again")
            shutil.rmtree(partial)
            self.partial(stage)
        write_json(kept, made_from)
        return partial

    def finish(self, stage):
        """Makes a stage's partial directory the finished one."""
        partial, final = self._partial(stage), self.path / stage
        for left in partial.glob("checkpoint*"):
            shutil.rmtree(left, ignore_errors=True)
        sources = partial / _SOURCES
        made_from = read_json(sources) if sources.exists() else {}
        sources.unlink(missing_ok=True)
        files = records.files_of(partial)
        for file in files.values():
            flush(file)
        records.write(self.path, stage, files, made_from)
        replace_directory(partial, final)

    def keep(self, stage, made):
        """Keeps the models of a stage, {name: Keras model}: it is finished then."""
        partial = self.partial(stage)
        for name, model in made.items():
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
    return {name: read_bytes(pathlib.Path(path) / stage / f"{name}.keras") for name in names}


def load_models(path, stage, *names):
    """The Keras models of a finished stage of the run directory at `path`.

    Raises:
        RunDirError: if a file is missing or damaged.
    """
    folder = pathlib.Path(path) / stage
    why = records.why_not(path, stage)
    if why:
        raise RunDirError(
            f"{folder}: expected it as it was made: {why}; the command that made it makes it again"
        )
    return [models.load(folder / f"{name}.keras") for name in names]


def versions():
    """Versions of what computes: {package: version, or None if it is not installed}."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def _differing(name, there, asked):
    """What a field differs in, "name (... there, ... asked)"; of a dictionary each field in it."""
    there, asked = there.get(name), asked.get(name)
    if isinstance(there, dict) and isinstance(asked, dict):
        for each in sorted({*there, *asked}):
            yield from _differing(each, there, asked)
    elif there != asked:
        yield f"{name} ({there} there, {asked} asked)"
