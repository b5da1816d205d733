"""The block diagram (the letter's Fig. 2) as one forward pass with named signals.

Training, evaluation and audit run this function and no other, so a measured signal is the one
that was trained. Leaving a module out gives the plain link of Section III, bit for bit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from arn_keras.channel.awgn import refuse_complex
from arn_keras.channel.listener import Listener
from arn_keras.pair.told import tell
from arn_keras.power import with_power_of


class Signals(NamedTuple):
    """What passes each point of the block diagram; all real, [batch, ...].

    Attributes:
        sent: z, the channel input, Eq. (9).
        perturbation: delta = z - y, Eq. (16); None without a transmitter module.
        received: y_bob = z + n_bob, Eq. (10).
        overheard: y_eve = z + n_eve, Eq. (11).
        cleaned: y_clean, Eq. (12).
        estimate: s_hat, Eq. (13).
    """

    sent: Any
    perturbation: Any
    received: Any
    overheard: Any
    cleaned: Any
    estimate: Any


def forward(
    signal: Any,
    snr_db: Any,
    *,
    receiver: Callable,
    bob_channel: Listener,
    eve_channel: Callable,
    transmitter_module: Callable | None = None,
    receiver_module: Callable | None = None,
    training: bool = False,
    keep_power: bool = False,
) -> Signals:
    """Sends a batch of transmitter outputs over the air, Eq. (9)-(13).

    The base link's receiver always runs as deployed (`training=False`): Dropout is off and batch
    statistics do not move.

    Args:
        signal: y, output of the semantic transmitter, real, [batch, ...].
        snr_db: SNR in dB referred to signal power 1; scalar or [batch].
        receiver: semantic receiver, y_clean -> s_hat.
        bob_channel: what Bob hears through, a `Listener`.
        eve_channel: the same for Eve, with a noise of its own.
        transmitter_module: y -> z, told the SNR if it names it (`pair.told`); None for none.
        receiver_module: y_bob -> y_clean, told that and Bob's channel knowledge likewise; None for
            none.
        training: whether the modules run in training mode.
        keep_power: whether z is scaled to the power of y, source by source, before it is sent.

    Returns:
        Signals.
    """
    signal = full_precision(signal)
    sent, perturbation = signal, None
    if transmitter_module is not None:
        sent = full_precision(tell(transmitter_module, signal, training, snr_db=snr_db))
        sent = with_power_of(signal, sent) if keep_power else sent
        perturbation = sent - signal
    received, csi = bob_channel.hear(sent, snr_db=snr_db)
    overheard = eve_channel(sent, snr_db=snr_db)
    cleaned = received
    if receiver_module is not None:
        cleaned = full_precision(tell(receiver_module, received, training, snr_db=snr_db, csi=csi))
    estimate = full_precision(receiver(cleaned, training=False))
    return Signals(sent, perturbation, received, overheard, cleaned, estimate)


def full_precision(tensor):
    """What a model puts out, as Keras's `floatx`: in mixed precision only its layers have less."""
    refuse_complex(tensor)
    return ops.cast(tensor, keras.config.floatx())
