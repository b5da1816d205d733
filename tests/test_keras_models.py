"""Every public Keras class goes through one checker."""

import ast
import functools
import importlib
import json
import pathlib

import keras
import numpy as np
import pytest
from keras_model_checker import (
    Subject,
    check_callbacks,
    check_compiled,
    check_counting,
    check_feeds,
    check_handed_in,
    check_precision,
)
from weights import weights_of

import arn_keras
from arn_keras import EavesdropperLink, MinMaxLink, SecureLink, SemanticLink, registration
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.link.dense import build_receiver, build_transmitter
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.pair.purge import build_purge
from arn_keras.training.frozen_parts import FrozenParts
from arn_keras.training.purge_link import PurgeLink

SOURCES = np.random.default_rng(0).uniform(size=(40, 6)).astype("float32")
SIGNALS = np.random.default_rng(1).normal(size=(40, 8)).astype("float32")
LABELS = np.arange(40, dtype="int32") % 3


@functools.cache
def _kept(*precision):
    """Models of one precision and their weights: what is built takes longer than what it does."""
    models = {
        "transmitter": build_transmitter((6,), symbols=8, hidden=8),
        "receiver": build_receiver((6,), symbols=8, hidden=8),
        "eve": build_eavesdropper((8,), 3, hidden=(8,)),
        "reader": build_eavesdropper((8,), 3, hidden=(8,), name="reader"),
        "module": build_purge((8,), 3),
        "transmitter_arn": build_transmitter_arn((8,)),
        "receiver_arn": build_receiver_arn((8,)),
    }
    return models, {name: weights_of(model) for name, model in models.items()}


def _models(*names):
    kept, beginnings = _kept(keras.config.floatx(), keras.config.dtype_policy().name)
    for name in names:
        kept[name].set_weights(beginnings[name])
    return {name: kept[name] for name in names}


LETTERS = "transmitter", "receiver", "eve"


def _semantic():
    handed = _models("transmitter", "receiver")
    return SemanticLink(**handed), handed


def _eavesdropper():
    handed = _models("eve", "transmitter_arn")
    handed = {"classifier": handed["eve"], "protection": handed["transmitter_arn"]}
    return EavesdropperLink(**handed), handed


def _secure(kind=SecureLink):
    handed = _models(*LETTERS)
    return kind(*handed.values(), **_models("transmitter_arn", "receiver_arn")), handed


def _purge():
    handed = _models("module", "reader", *LETTERS)
    handed["receiver"] = handed.pop("reader")
    return PurgeLink(handed["module"], handed["receiver"]), handed


CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
SUBJECTS = {
    "SemanticLink": Subject(
        _semantic,
        {"loss": "mse", "metrics": ["mae"]},
        SOURCES,
        None,
        "source",
        ("transmitter", "receiver"),
    ),
    "EavesdropperLink": Subject(
        _eavesdropper,
        {"loss": CROSS_ENTROPY, "metrics": ["accuracy"]},
        SIGNALS,
        LABELS,
        "signal",
        ("classifier",),
    ),
    "SecureLink": Subject(_secure, {}, SOURCES, LABELS, "source", ()),
    "MinMaxLink": Subject(
        lambda: _secure(MinMaxLink), {}, SOURCES, LABELS, "source", ("eve",), fed_as="SecureLink"
    ),
    "PurgeLink": Subject(_purge, {}, SIGNALS, LABELS, "signal", ("module",)),
}
every = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)


def test_every_registered_link_is_checked():
    links = {
        name
        for name, home in registration.CLASSES.items()
        if issubclass(getattr(importlib.import_module(f"arn_keras.{home}"), name), FrozenParts)
    }
    assert links == SUBJECTS.keys()


@every
@pytest.mark.parametrize(
    "check",
    [check_feeds, check_counting, check_handed_in, check_callbacks],
    ids=lambda c: c.__name__,
)
def test_it_is_an_ordinary_keras_model(subject, check):
    check(subject)


# What XLA compiles of SemanticLink are parts that it compiles of SecureLink (test_fitting), in the
# step that EavesdropperLink inherits too, here for batches of two sizes.
@pytest.mark.parametrize(
    ("name", "batch_size", "options"),
    [("SemanticLink", 20, {}), ("EavesdropperLink", 24, {"jit_compile": True})],
)
def test_it_is_compiled_as_any_other(name, batch_size, options):
    check_compiled(SUBJECTS[name], batch_size, steps_per_execution=2, **options)


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16", "float64"])
def policy(request):
    """A precision, for one test."""
    floatx = keras.config.floatx()
    if request.param == "float64":
        keras.config.set_floatx("float64")
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy("float32")


@every
def test_it_trains_in_any_precision(subject, policy):
    found = check_precision(subject, policy)
    found = found["logits"] if isinstance(found, dict) else found
    assert found.dtype == ("float64" if policy == "float64" else "float32")


def test_the_list_of_what_is_registered_is_whole():
    found = {}
    package = pathlib.Path(arn_keras.__file__).parent
    for path in package.rglob("*.py"):
        home = ".".join(path.relative_to(package).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            decorators = map(ast.unparse, getattr(node, "decorator_list", ()))
            if any("register_keras_serializable" in each for each in decorators):
                found[node.name] = home
    assert found == registration.CLASSES | registration.FUNCTIONS, json.dumps(found)
