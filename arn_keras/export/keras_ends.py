"""What stands at Alice's and at Bob's end, as Keras models: the process that has TensorFlow."""

import dataclasses
from typing import Any

import numpy as np

#: Keys that the proof draws.
KEYS = 256


@dataclasses.dataclass(frozen=True)
class Ends:
    """What stands at Alice's and at Bob's end, as Keras models.

    Attributes:
        arns: (transmitter ARN, receiver ARN), or None.
        keyed: the keyed modules, (transmitter, receiver), or None.
    """

    arns: Any = None
    keyed: Any = None

    def protect(self, signal, keys, snr_db):
        """Signal y to z; without keyed modules the keys are not looked at.

        Args:
            signal: y, array.
            keys: of `draw_keys`.
            snr_db: of each source, which only modules that are told it are given.
        """
        if self.arns:
            signal = _applied(self.arns[0], signal, snr_db, snr_db)
        return _keyed(self.keyed[0], signal, keys) if self.keyed else signal

    def unkey(self, received, keys):
        """What the receiver ARN is given of y_bob."""
        return _keyed(self.keyed[1], received, keys) if self.keyed else received

    def clean(self, received, keys, snr_db, csi):
        """Received y_bob to y_clean; `csi` as `snr_db`, of what Bob knows of each source's SNR."""
        received = self.unkey(received, keys)
        return _applied(self.arns[1], received, snr_db, csi) if self.arns else received

    def draw_keys(self, seed):
        """Keys that nobody knows, for `KEYS` messages, [KEYS, *shape]; without keyed modules one 0.

        Message i has the key of number i modulo `KEYS`: a rotation may be 64 kB.
        """
        if not self.keyed:
            return np.zeros(1, np.float32)
        from arn_keras.pair.keyed import key_input, rotation_of

        module = self.keyed[0]
        shape = tuple(key_input(module).shape[1:])
        return np.asarray(rotation_of(module).random_keys(KEYS, shape, seed % 2**31), np.float32)


def _applied(module, signal, snr_db, csi):
    from arn_keras.pair.told import tell
    from arn_keras.training.transmit import in_batches

    def run(batch, snr_db, csi):
        return tell(module, batch, snr_db=snr_db, csi=csi)

    return in_batches(run, signal, snr_db, csi)


def _keyed(module, signal, keys):
    from keras import ops

    from arn_keras.training.transmit import in_batches

    def run(batch):
        return module([batch, ops.convert_to_tensor(keys[: len(batch)])], training=False)

    return in_batches(run, signal, batch_size=len(keys))
