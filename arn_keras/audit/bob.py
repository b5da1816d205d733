"""What a protection costs Bob, his task and the power; and what his answer tells of the label.

Where his task is to name a label, that one tells something of the private one: who knows no more
than Bob's true answer is the bound that no scheme goes below.
"""

import numpy as np

from arn_keras.channel.listener import ear
from arn_keras.measure.leakage import accuracy, leakage_nats
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
        `remainder_nats` (`pair.remainder`); of tasks of a label `answer_accuracy` and
        `answer_leakage_nats`, of who knows the answer alone.
    """
    keys, channel = tap.keys("bob"), ear(tap.bob_channel, tap.seed, "bob_channel")
    pauses = tap.scenario.pauses
    powers, air = [], tap.problem.air and tap.problem.air()

    def measure(public, signal):
        drawn = keys.draw(public.shape[0]) if keys else None
        sent = keys.module([public, drawn], training=False) if keys else public
        received, csi = channel.hear(sent, snr_db=tap.snr_db)
        if air:
            air.add(sent)
        over = sent if pauses else None
        both = mean_power(sent, over), mean_power(sent - signal, over)
        powers.append(np.stack(both, axis=1))
        return tap.receive(tap.protection.clean(received, csi, drawn))

    estimates = in_batches(measure, tap.signals[1], tap.unprotected[1])
    sent, added = np.concatenate(powers).T
    rotation, more = tap.protection.rotation, {}
    if rotation:
        more = {"rotation": rotation.name}
    if rotation and rotation.name == HAAR.name:
        more |= remainder(tap.signals[1], noise_variance(tap.eve_snr_db), tap.seed)
    return {
        **more,
        **answer_alone(tap.dataset),
        **tap.judged(estimates),
        **(air.fields(tap.snr_db) if air else {}),
        "sent_power": float(np.mean(sent, dtype=float)),
        "perturbation_power": float(np.mean(added, dtype=float)),
        "norm_spread": float(np.std(sent, dtype=float) / np.mean(sent, dtype=float)),
    }


def answer_alone(dataset):
    """What Bob's true answer tells of the private label, counted on the training sources.

    Args:
        dataset: `data.dataset.Dataset`.

    Returns:
        `answer_accuracy`, `answer_leakage_nats`, on the test sources; nothing unless Bob is to name
        a label.
    """
    answers, test = dataset.train.target, dataset.test
    if answers is None or answers.ndim != 1 or answers.dtype.kind not in "iu":
        return {}
    counts = np.full((1 + max(int(answers.max()), int(test.target.max())), dataset.classes), 1e-3)
    np.add.at(counts, (answers, dataset.train.label), 1)
    logits, labels = np.log(counts)[test.target], np.asarray(test.label)
    return {
        "answer_accuracy": accuracy(logits, labels),
        "answer_leakage_nats": leakage_nats(logits, labels),
    }
