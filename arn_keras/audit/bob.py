"""What a protection costs Bob: his task with the right key, and the power."""

import numpy as np

from arn_keras.channel.listener import ear
from arn_keras.pair.haar import HAAR
from arn_keras.pair.remainder import remainder
from arn_keras.power import mean_power, noise_variance
from arn_keras.training.transmit import in_batches


def bob(tap):
    """What the protection costs: Bob's task with the right key, the sent and the added power.

    Returns:
        The task's measures (for pictures `mse`, `psnr_db`), of a modem those of `measure.air`,
        `sent_power`, `perturbation_power`, `norm_spread` (standard deviation over mean of the sent
        power of a message); of keyed ones `rotation`, of the exactly uniform one `shift` and
        `remainder_nats` (`pair.remainder`).
    """
    keys, channel = tap.keys("bob"), ear(tap.bob_channel, tap.seed, "bob_channel")
    powers, air = [], tap.problem.air and tap.problem.air()

    def measure(public, signal):
        drawn = keys.draw(public.shape[0]) if keys else None
        sent = keys.module([public, drawn], training=False) if keys else public
        received = channel(sent, snr_db=tap.snr_db)
        if air:
            air.add(sent)
        powers.append(np.stack([mean_power(sent), mean_power(sent - signal)], axis=1))
        return tap.receive(tap.protection.clean(received, drawn))

    estimates = in_batches(measure, tap.signals[1], tap.unprotected[1])
    sent, added = np.concatenate(powers).T
    rotation, more = tap.protection.rotation, {}
    if rotation:
        more = {"rotation": rotation.name}
    if rotation and rotation.name == HAAR.name:
        more |= remainder(tap.signals[1], noise_variance(tap.eve_snr_db), tap.seed)
    return {
        **more,
        **tap.judged(estimates),
        **(air.fields(tap.snr_db) if air else {}),
        "sent_power": float(np.mean(sent, dtype=float)),
        "perturbation_power": float(np.mean(added, dtype=float)),
        "norm_spread": float(np.std(sent, dtype=float) / np.mean(sent, dtype=float)),
    }
