"""Every registered layer, loss and optimiser, and the modules of pairs, go through one checker."""

import dataclasses
import importlib
import json
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from arn_keras import AWGN, Rayleigh, Rician, registration
from arn_keras.channel.awgn import traced_by_xla
from arn_keras.channel.listener import Listener
from arn_keras.channel.unsynchronised import Unsynchronised
from arn_keras.data.modulation import frames
from arn_keras.data.preprocessing import unit_interval
from arn_keras.eve.expert import SymbolFeatures
from arn_keras.eve.structural import SignBlindFeatures
from arn_keras.link import modem
from arn_keras.loss import composite, tokens
from arn_keras.pair import BLOCKS, ROTATIONS
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.pair.haar import MatrixRotation
from arn_keras.pair.over_symbols import Symbols
from arn_keras.pair.peaks import PeakLimit
from arn_keras.pair.power_kept import keep_power
from arn_keras.pair.purge import build_identity, build_purge
from arn_keras.pair.rotation import KeyedRotation
from arn_keras.rooms import answer
from arn_keras.training.frozen_parts import FrozenParts

rng = np.random.default_rng(0)
SIGNAL = rng.normal(size=(5, 16)).astype("float32")
SAMPLES = rng.normal(size=(5, 256)).astype("float32")  # 16 symbols of 8 complex samples
SIGNS = rng.choice([-1.0, 1.0], (5, 5, 16)).astype("float32")
ROTATION = np.linalg.qr(rng.normal(size=(5, 16, 16)))[0].astype("float32")
LOGITS = rng.normal(size=(5, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 0, 1])
SENTENCES = np.array([[1, 2, 0], [2, 1, 1], [1, 0, 0], [2, 0, 0], [1, 1, 0]])
SCORES = rng.normal(size=(5, 3, 4)).astype("float32")
MODEM, NAMES = (128, 8, 0.35), ["qpsk", "16qam"]
BITS = frames(5, 16, (0, 1))
HEARD = rng.normal(size=(5, 16, 8, 2)).astype("float32")
SNR = {"snr_db": 10.0}


@dataclasses.dataclass
class Case:
    """What is checked.

    Attributes:
        build: () -> layer, model, loss or function.
        given: arguments, arrays [5, ...].
        wrong: arguments that it has to refuse.
        says: what it says then.
        typed: number of the argument that may be of any type of floats.
        options: named arguments of a call.
    """

    build: Callable
    given: tuple
    wrong: tuple
    says: str
    typed: int = 0
    options: dict = dataclasses.field(default_factory=dict)

    def made(self):
        """Always with the same weights."""
        keras.utils.set_random_seed(0)
        return self.build()

    def run(self, subject, given=None):
        """Its answer, as arrays; a channel's noise is the same each time."""
        _restart(subject)
        found = subject(*(self.given if given is None else given), **self.options)
        return [np.asarray(each, "float64") for each in keras.tree.flatten(found)]


def _restart(subject):
    for layer in (subject, getattr(subject, "air", None)):
        if isinstance(layer, Listener):
            layer.reseed([1, 0])


def _module(build, given=SIGNAL, wrong=SIGNAL[:, :8]):
    """A module of a pair, called with a list where it has two inputs."""
    taken = given if isinstance(given, tuple) else (given,)
    whole = (list(taken),) if len(taken) > 1 else taken
    refused = ([wrong, *taken[1:]],) if len(taken) > 1 else (wrong,)
    return Case(build, whole, refused, "expected shape=.*found shape=")


def _layer(build, given, wrong, says="expected shape=.*found shape=", **options):
    return Case(build, given, wrong, says, options=options)


LAYERS = {
    "AWGN": _layer(AWGN, (SIGNAL,), (SIGNAL.astype("complex64"),), "got complex64", **SNR),
    "Rayleigh": _layer(Rayleigh, (SIGNAL,), (SIGNAL[:, :7],), "even number of reals", **SNR),
    "Rician": _layer(Rician, (SIGNAL,), (SIGNAL[:, :7],), "even number of reals", **SNR),
    "Unsynchronised": _layer(
        lambda: Unsynchronised(AWGN(), 4), (SIGNAL,), (SIGNAL[:, :7],), "even number", **SNR
    ),
    "KeyedRotation": _layer(KeyedRotation, (SIGNAL, SIGNS), (SIGNAL[:, :8], SIGNS)),
    "MatrixRotation": _layer(MatrixRotation, (SIGNAL, ROTATION), (SIGNAL[:, :8], ROTATION)),
    "Modulator": _layer(lambda: modem.Modulator(*MODEM, NAMES), (BITS,), (BITS[:, 1:],)),
    "MatchedFilter": _layer(lambda: modem.MatchedFilter(*MODEM), (SAMPLES,), (SAMPLES[:, 1:],)),
    "SymbolFeatures": _layer(lambda: SymbolFeatures(*MODEM), (SAMPLES,), (SAMPLES[:, 1:],)),
    "SignBlindFeatures": _layer(SignBlindFeatures, (SIGNAL,), (SIGNAL[:, :8],)),
    "Symbols": _layer(lambda: Symbols(*MODEM), (SAMPLES,), (SAMPLES[:, 1:],)),
}
MODULES = (
    {
        f"{block} ARN": _module(lambda block=block: build_transmitter_arn((16,), block=block))
        for block in BLOCKS
        if block != "in_band"
    }
    | {
        "in_band ARN": _module(
            lambda: build_transmitter_arn((256,), block="in_band"), SAMPLES, SAMPLES[:, :128]
        ),
        "receiver ARN": _module(lambda: build_receiver_arn((16,))),
        "ARN of pauses": _module(
            lambda: build_transmitter_arn((8, 2), pauses=True),
            SIGNAL.reshape(5, 8, 2),
            SIGNAL.reshape(5, 2, 8),
        ),
        "power kept": _module(lambda: keep_power(build_transmitter_arn((16,)))),
        "purge": _module(lambda: build_purge((16,), 3)),
        "identity": _module(lambda: build_identity((16,))),
    }
    | {"ARN of limited peaks": _module(lambda: build_transmitter_arn((16,), limit=PeakLimit(1.0)))}
    | {
        f"{end} {name}": _module(
            lambda name=name, end=end: getattr(answer(ROTATIONS, name), f"build_{end}")((16,)),
            (SIGNAL, {"fast": SIGNS, "haar": ROTATION}[name]),
        )
        for name in ROTATIONS
        for end in ("transmitter", "receiver")
    }
)


def _loss(function, given, wrong, says, typed=0):
    return Case(lambda: function, given, wrong, says, typed)


_OF_EVE = ((LOGITS, LABELS), (LOGITS, np.eye(3)[LABELS]), "class numbers, .* argmax")
_OF_POWER = ((SIGNAL, np.full(5, 0.1, "float32")), (SIGNAL, np.ones((5, 2))), r"\[\] or \[batch\]")
_OF_MODEM = ((BITS, HEARD), (BITS[:, 1:], HEARD), "expected frames of 16 symbols")
LOSSES = {
    "attack_power_loss": _loss(composite.attack_power_loss, *_OF_POWER),
    "mean_attack_power_loss": _loss(composite.mean_attack_power_loss, *_OF_POWER),
    "eve_confidence": _loss(composite.eve_confidence, *_OF_EVE),
    "eve_log_odds": _loss(composite.eve_log_odds, *_OF_EVE),
    "eve_logit_margin": _loss(composite.eve_logit_margin, *_OF_EVE),
    "eve_entropy_gap": _loss(
        composite.eve_entropy_gap,
        (LOGITS, LABELS),
        (LOGITS[0], LABELS),
        r"logits, \[batch, classes",
    ),
    "mean_squared_error": _loss(
        composite.mean_squared_error,
        (SIGNAL, SIGNAL / 2),
        (SIGNAL, SIGNAL[:, :8]),
        "a target of",
        1,
    ),
    "masked_cross_entropy": _loss(
        tokens.masked_cross_entropy,
        (SENTENCES, SCORES),
        (SENTENCES[:, :2], SCORES),
        "the same shape",
        1,
    ),
    "SymbolError": Case(lambda: modem.SymbolError(NAMES), *_OF_MODEM, typed=1),
    "DemapperCrossEntropy": Case(lambda: modem.DemapperCrossEntropy(NAMES), *_OF_MODEM, typed=1),
    "PeakLimit": Case(
        lambda: PeakLimit(1.0), (SIGNAL,), (SIGNAL[:, :7],), r"I/Q signals \[batch, 2 n\]"
    ),
    "unit_interval": _loss(
        unit_interval, ((SIGNAL * 50).astype("uint8"),), ("image",), "expected arrays, got str"
    ),
}
CASES = {**LAYERS, **MODULES, **LOSSES}
every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
OF_FLOATS = {name: case for name, case in CASES.items() if name != "unit_interval"}
floats = pytest.mark.parametrize("case", OF_FLOATS.values(), ids=OF_FLOATS)
layered = pytest.mark.parametrize(
    "case", [*LAYERS.values(), *MODULES.values()], ids=[*LAYERS, *MODULES]
)


def test_whatever_is_registered_is_checked():
    names = {*LAYERS, *LOSSES, "FusedAdam"}
    links = {
        name
        for name, home in registration.CLASSES.items()
        if issubclass(getattr(importlib.import_module(f"arn_keras.{home}"), name), FrozenParts)
    }
    assert names | links == registration.CLASSES.keys() | registration.FUNCTIONS.keys()


def _typed(case, dtype):
    given = list(case.given)
    given[case.typed] = keras.tree.map_structure(lambda a: a.astype(dtype), given[case.typed])
    return given


@floats
def test_floats_of_any_width_give_the_same_numbers(case):
    subject = case.made()
    expected = case.run(subject)
    for dtype, near in (("float64", 1e-4), ("float16", 0.1)):
        for found, wanted in zip(case.run(subject, _typed(case, dtype)), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=near, atol=near)


@layered
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_in_mixed_precision_it_gives_the_same_but_for_rounding(case, policy):
    expected = case.run(case.made())
    keras.config.set_dtype_policy(policy)
    try:
        found = case.run(case.made())
    finally:
        keras.config.set_dtype_policy("float32")
    for each, wanted in zip(found, expected, strict=True):
        assert np.sqrt(np.mean((each - wanted) ** 2)) < 0.05 * (1 + np.sqrt(np.mean(wanted**2)))


@layered
def test_its_configuration_makes_it_anew(case):
    subject = case.made()
    expected = case.run(subject)
    config = json.loads(json.dumps(subject.get_config()))
    again = type(subject).from_config(config)
    case.run(again)
    again.set_weights(subject.get_weights())
    if not isinstance(subject, keras.Model):
        assert again.get_config() == subject.get_config()
    for found, wanted in zip(case.run(again), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@layered
def test_a_symbolic_call_knows_shape_and_type(case):
    subject = case.made()
    symbols = keras.tree.map_structure(
        lambda a: keras.KerasTensor((None, *a.shape[1:]), a.dtype), case.given
    )
    told = keras.tree.flatten(subject(*symbols, **case.options))
    made = keras.tree.flatten(subject(*case.given, **case.options))
    for each, tensor in zip(told, made, strict=True):
        assert each.shape == (None, *tensor.shape[1:])
        assert each.dtype == keras.backend.standardize_dtype(tensor.dtype)


@pytest.mark.parametrize("case", (LAYERS | LOSSES).values(), ids=LAYERS | LOSSES)
def test_xla_compiles_it_to_the_same_numbers(case):
    subject = case.made()
    expected = case.run(subject)
    given = keras.tree.map_structure(tf.convert_to_tensor, list(case.given))
    compiled = tf.function(
        lambda *a: subject(*a, **case.options), jit_compile=True, autograph=False
    )
    _restart(subject)
    noisy = isinstance(subject, Listener)  # from another generator
    with traced_by_xla(noisy):
        found = keras.tree.flatten(compiled(*given))
    for each, wanted in zip(found, expected, strict=True):
        assert each.shape == wanted.shape
        assert np.isfinite(each).all()
        if not noisy:
            np.testing.assert_allclose(each, wanted, rtol=1e-3, atol=1e-3)


@every
def test_what_it_cannot_take_is_refused_in_one_line(case):
    subject = case.made()
    case.run(subject)
    with pytest.raises(ValueError, match=case.says) as refused:
        case.run(subject, case.wrong)
    if not isinstance(subject, Listener):  # Keras sets a frame around errors of `call`
        assert "\n" not in str(refused.value)
