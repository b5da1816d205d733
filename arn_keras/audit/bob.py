"""What a protection costs Bob: his task with the right key, and the power."""

import numpy as np

from arn_keras.channel.awgn import AWGN
from arn_keras.power import mean_power
from arn_keras.training.transmit import in_batches


def bob(tap):
    """What the protection costs: Bob's task with the right key, the sent and the added power.

    Returns:
        The task's measures (for pictures `mse`, `psnr_db`), `sent_power`, `perturbation_power`,
        `norm_spread` (standard deviation over mean of the sent power of a message).
    """
    keys, channel = tap.keys("bob"), AWGN(tap.seed)
    powers = []

    def measure(public, signal):
        signs = keys.signs(public.shape[0]) if keys else None
        sent = keys.module([public, signs], training=False) if keys else public
        received = channel(sent, snr_db=tap.snr_db)
        powers.append(np.stack([mean_power(sent), mean_power(sent - signal)], axis=1))
        return tap.receive(tap.protection.clean(received, signs))

    estimates = in_batches(measure, tap.signals[1], tap.unprotected[1])
    sent, added = np.concatenate(powers).T
    return {
        **tap.judged(estimates),
        "sent_power": float(np.mean(sent, dtype=float)),
        "perturbation_power": float(np.mean(added, dtype=float)),
        "norm_spread": float(np.std(sent, dtype=float) / np.mean(sent, dtype=float)),
    }
