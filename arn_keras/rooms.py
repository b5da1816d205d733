"""Rooms: plain dictionaries that name the answers to one question, for a user to choose from.

A value is the answer itself, or where it is to be found: "module:name", or ("module:name", {its
arguments}). So a room names its answers without loading them. Code outside the package adds a line
to a room; `$ARN_KERAS_PLUGINS` names modules that do, one after a comma, for every process of a
command. A run directory or a bundle never names code.
"""

import functools
import importlib
import inspect
import os
import sys
import types

from arn_keras.errors import ConfigError


def answer(room, name):
    """The answer of this name, loaded.

    Args:
        room: one of the dictionaries.
        name: a key of it.

    Raises:
        ConfigError: if there is none of this name.
    """
    if name not in room:
        raise ConfigError(f"expected one of {', '.join(room)}, got {name!r}")
    found = room[name]
    if isinstance(found, tuple):
        place, arguments = found
        return functools.partial(_loaded(place), **arguments)
    return _loaded(found) if isinstance(found, str) else found


def _loaded(place):
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def make_callable(room, place):
    """Lets a package be called: `arn_keras.audit(run_dir)` is the function at "module:name"."""

    class Callable(types.ModuleType):
        def __call__(self, *args, **kwargs):
            return _loaded(place)(*args, **kwargs)

        @property
        def __signature__(self):
            return inspect.signature(_loaded(place))

    sys.modules[room].__class__ = Callable


def load_plugins():
    """Imports the modules of `$ARN_KERAS_PLUGINS`, which add to rooms.

    Raises:
        ConfigError: if one cannot be imported.
    """
    for module in filter(None, os.environ.get("ARN_KERAS_PLUGINS", "").split(",")):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ConfigError(f"ARN_KERAS_PLUGINS: expected modules, {module}: {error}") from None
