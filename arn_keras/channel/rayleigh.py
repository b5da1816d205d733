"""Rayleigh fading: no line of sight, h ~ CN(0, 1), so |h|^2 is exponential of mean 1."""

import keras

from arn_keras.channel.fading import Fading


@keras.saving.register_keras_serializable("arn_keras")
class Rayleigh(Fading):
    """A listener behind Rayleigh fading.

    Args:
        seed, snr_offset_db, fast_fading, csi, pilots, equalizer: see `Fading`.
    """

    line_of_sight = 0.0
