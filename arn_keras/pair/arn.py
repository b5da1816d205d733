"""The pair of adversarial residual networks, Eq. (9), (12), (15)-(18).

One builder makes both; only the sign of the residual and the names differ. They are Functional
Keras models of built-in layers: saving, `summary()` and conversion need no custom object.
The idea of a residual network that perturbs a sent signal to evade a listener's classifier is
from Flowers, Buehrer and Headley, MILCOM 2019. What computes the residual is a block, one of
`pair.BLOCKS`: the letter's is dense.
"""

import inspect
import itertools
import math
from typing import Any

import keras
from keras import layers, ops

from arn_keras.errors import ConfigError
from arn_keras.pair import BLOCKS
from arn_keras.pair.film import csi_range, embedded, scaled, share
from arn_keras.rooms import answer


def nearly_zero():
    """Initialiser of a block's last kernel: a tenth of Glorot's scale.

    A module starts near the identity, and the first epochs do not go into undoing a random
    perturbation. To be made with its layer, for an initialiser draws its seed when made.
    """
    return keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform")


#: Parameters up to which a block is made: 80 MB of weights, and three times that in training.
MOST_PARAMETERS = 20_000_000
#: Layers up to which a block is made: each takes its time, in every build and every trace.
MOST_LAYERS = 100


def parameters_of(sizes, places=1):
    """Weights and biases of layers of these sizes, one after the other, each of so many places."""
    return sum((places * given + 1) * made for given, made in itertools.pairwise(sizes))


def refuse_larger(block, parameters, shape, way_out):
    """Refuses a block of more than `MOST_PARAMETERS` before it takes memory; `ConfigError`."""
    if parameters > MOST_PARAMETERS:
        raise ConfigError(
            f"expected a {block} block of at most {MOST_PARAMETERS:,} parameters, got "
            f"{parameters:,} for signals of {math.prod(shape):,} symbols: take {way_out}"
        )


def _build_arn(
    signal_shape,
    hidden,
    block,
    options,
    *,
    merge,
    name,
    input_name,
    output_name,
    told_input="snr_db",
    range_db=None,
    takes_noise_out=False,
    pauses=False,
    limit=None,
):
    residual_of = answer(BLOCKS, block)
    if hidden is not None:
        options = {"hidden": hidden, **options}
    # By what the block itself says it takes, so that one from outside needs no list here.
    known = list(inspect.signature(residual_of).parameters)[1:]
    if range_db is not None and "told" not in known:
        raise ConfigError(f"expected a block that may be told the SNR, got {block}")
    known = [each for each in known if each != "told"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConfigError(
            f"expected options of the {block} block ({', '.join(known)}), got {', '.join(unknown)}"
        )
    if (depth := options.get("depth") or 0) > MOST_LAYERS:
        raise ConfigError(f"expected a {block} block of at most {MOST_LAYERS} layers, got {depth}")
    if not isinstance(signal_shape, list | tuple):
        raise ConfigError(f"expected signal_shape as a tuple of lengths, got {signal_shape!r}")
    inputs = signal = keras.Input(tuple(signal_shape), name=input_name)
    if range_db is None:
        residual = residual_of(signal, **options)
    else:
        inputs = [signal, keras.Input((1,), name=told_input)]
        told = embedded(inputs[1], *range_db)
        residual = scaled(residual_of(signal, told=told, **options), told)
        residual = residual + share(signal, told) if takes_noise_out else residual
    if pauses:
        # 1 above an amplitude of 0.006, 0 in silence: of operators that are quantised well.
        loudest = ops.max(ops.abs(signal), axis=-1, keepdims=True)
        residual = residual * (ops.relu6(1000.0 * loudest) / 6.0)
    joined = merge(name=output_name, activity_regularizer=limit)
    return keras.Model(inputs, joined([signal, residual]), name=name)


def build_transmitter_arn(
    signal_shape: tuple[int, ...],
    hidden: tuple[int, ...] | None = None,
    *,
    block: str = "dense",
    snr_db: tuple[float, float] | None = None,
    pauses: bool = False,
    limit: keras.regularizers.Regularizer | None = None,
    **options: Any,
) -> keras.Model:
    """Alice's module, Eq. (9), (15), (16): z = y + delta, delta = F_A(y).

    Args:
        signal_shape: shape of one source's signal, for example (128,) or (8, 8, 16).
        hidden: neurons of each hidden layer of the dense block, (256, 256) by default.
        block: name of the block F_A, one of `pair.BLOCKS`.
        snr_db: (low, high), the SNRs in dB that the module is made for and is told (`pair.film`);
            None for a module that is told nothing.
        pauses: whether places of the signal that are all zeros get no perturbation: what is silent
            stays silent.
        limit: what else of the signal sent costs something, added to Eq. (19): `peaks.PeakLimit`.
        **options: of the block: `width`, `depth` and what else it has.

    Returns:
        Model from y, [batch, *signal_shape], to z of the same shape; one that is told the SNR is of
        a list of two, y and `snr_db` [batch, 1].

    Raises:
        ConfigError: for an unknown block or option, signals that the block is not made for, SNRs
            that are no range, or one that cannot be told.
    """
    return _build_arn(
        signal_shape,
        hidden,
        block,
        options,
        merge=layers.Add,
        name="transmitter_arn",
        input_name="signal",
        output_name="sent",
        range_db=snr_db,
        pauses=pauses,
        limit=limit,
    )


def build_receiver_arn(
    signal_shape: tuple[int, ...],
    hidden: tuple[int, ...] | None = None,
    *,
    block: str = "dense",
    snr_db: tuple[float, float] | None = None,
    csi: bool = False,
    **options: Any,
) -> keras.Model:
    """Bob's module, Eq. (12), (17), (18): y_clean = y_bob - r, r = F_B(y_bob).

    The residual r estimates delta + n_bob: the attack and the channel's noise together.

    Args:
        signal_shape: shape of one source's signal, for example (128,) or (8, 8, 16).
        hidden: neurons of each hidden layer of the dense block, (256, 256) by default.
        block: name of the block F_B, one of `pair.BLOCKS`.
        snr_db: as of Alice's module.
        csi: whether it is told the SNR of each source instead, as its listener knows it
            (`Listener.hear`), by an input `csi` in the place of `snr_db`; that may be one SNR then.
        **options: of the block: `width`, `depth` and what else it has.

    Returns:
        Model from y_bob, [batch, *signal_shape], to y_clean of the same shape; likewise.

    Raises:
        ConfigError: for an unknown block or option, signals that the block is not made for, SNRs
            that are no range, one that cannot be told, or `csi` without a range.
    """
    range_db = snr_db
    if csi:
        if snr_db is None:
            raise ConfigError(
                "expected snr_db=(low, high) beside csi, of the average SNR, got None"
            )
        range_db = csi_range(*snr_db)
    return _build_arn(
        signal_shape,
        hidden,
        block,
        options,
        merge=layers.Subtract,
        name="receiver_arn",
        input_name="received",
        output_name="cleaned",
        told_input="csi" if csi else "snr_db",
        range_db=range_db,
        takes_noise_out=True,
    )
