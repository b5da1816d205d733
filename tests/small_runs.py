"""A small run that several tests go on from or compare with: its options, and its fixture."""

import functools

import pytest

from arn_keras.figures import draw
from arn_keras.run import command

BOTH = [
    *("--dataset", "digits", "--limit", "200", "--epochs", "4", "--link-epochs", "3"),
    *("--eve-epochs", "2", "--no-export"),
]
SMALL = [*BOTH, "--knowledge", "white"]


def draw_no_picture(patch):
    """Has runs draw nothing: no picture is asked about."""
    patch.setattr(draw, "draw_examples", lambda path: None)


@pytest.fixture
def pictureless(monkeypatch):
    """Runs that this process makes in this test have no picture."""
    draw_no_picture(monkeypatch)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run, to be read or copied. It has no picture."""
    return _trained(tmp_path_factory.getbasetemp() / "small-run")


@functools.cache  # for all modules
def _trained(path):
    with pytest.MonkeyPatch.context() as patch:
        draw_no_picture(patch)
        assert command.main([*SMALL, "--run-dir", str(path), "--quiet"]) == 0
    return path
