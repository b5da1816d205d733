"""One run of the small digits, trained once in a process, for tests that export it."""

import functools
import pathlib
import shutil
import tempfile

from bundles import trained_run

from arn_keras.data import images


@functools.cache
def _trained():
    folder = tempfile.TemporaryDirectory()
    pair = trained_run(pathlib.Path(folder.name) / "run", images.load("digits"), epochs=12)
    return folder, pair  # the folder lives as long as the process


def trained_digits(run):
    """Makes a run directory of the digits, without a bundle; gives its pair."""
    folder, pair = _trained()
    shutil.copytree(pathlib.Path(folder.name) / "run", run)
    return pair
