"""A limit on the peaks of what is sent, held as the power budget is: by a term of the loss.

    sum over frames of max(0, PAPR / P - 1) w1,    PAPR = max |x|^2 / mean |x|^2 of a frame,

which Keras divides by the number of frames and a link adds to Eq. (19). The same form as Eq. (20)
in units of the budget, and the letter's w1; an amplifier clips a peak as surely as a regulator
forbids power. Left out: clipping what is sent, which spreads its band.
"""

import keras
from keras import ops

from arn_keras.errors import ConfigError, DataError
from arn_keras.power import LARGEST_DB, db_to_ratio

W1 = 10.0


@keras.saving.register_keras_serializable("arn_keras")
class PeakLimit(keras.regularizers.Regularizer):
    """What frames above an allowed ratio of peak to mean power cost.

    Args:
        papr_db: P, the allowed ratio, in dB, above 0 and below `LARGEST_DB`.

    Raises:
        ConfigError: for a ratio that no signal but a constant one has, or no number.
    """

    def __init__(self, papr_db: float) -> None:
        if not 0 < papr_db < LARGEST_DB:
            raise ConfigError(
                f"expected papr_db above 0 dB and below {LARGEST_DB:g}, got {papr_db}"
            )
        self.papr_db = papr_db

    def __call__(self, sent):
        """The sum over frames; `sent` is interleaved I/Q, [batch, 2 n].

        Raises:
            DataError: for signals of another shape.
        """
        if len(sent.shape) != 2 or sent.shape[1] % 2:
            raise DataError(f"expected interleaved I/Q signals [batch, 2 n], got {sent.shape}")
        pairs = ops.reshape(sent, (-1, sent.shape[1] // 2, 2))
        power = ops.sum(ops.square(pairs), axis=-1)
        over = ops.max(power, axis=1) / ops.maximum(ops.mean(power, axis=1), 1e-12)
        return W1 * ops.sum(ops.relu(over / db_to_ratio(self.papr_db) - 1.0))

    def get_config(self):
        """Configuration for saving."""
        return {"papr_db": self.papr_db}
