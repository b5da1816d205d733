"""E5: Bob's own modules in Eve's hands, by Kerckhoffs's principle: all is public but the key."""

import numpy as np

from arn_keras.audit.attack import predict
from arn_keras.audit.effort import Finding
from arn_keras.audit.rung import Rung
from arn_keras.channel.awgn import AWGN
from arn_keras.pair.chain import RandomKeys
from arn_keras.training.transmit import in_batches


def kerckhoffs(tap, effort):
    """E5: Bob's own receiver module and receiver, then a classifier of pictures; no training on
    protected traffic. Where Bob has a key, Eve uses one that she drew herself.
    """
    pictures = bob_sees(tap, *tap.hear(tap.signals[1], tap.keys("test")))
    found, of_bob = [], lambda: in_batches(tap.receive, tap.overhear(tap.unprotected[0]))
    readers = {"clean pictures": lambda: tap.targets(tap.dataset.train), "Bob's pictures": of_bob}
    if tap.targets(tap.dataset.test.part(slice(1))).shape[1:] != pictures.shape[1:]:
        readers = {"Bob's answers": of_bob}  # a label is not what he says of it, logits
    for name, sources in readers.items():
        key = f"classifier of {name}"
        if key not in tap.clean:
            test = in_batches(tap.receive, tap.overhear(tap.unprotected[1]))
            tap.clean[key] = tap.train(
                tap.scenario.build_reader,
                effort.epochs,
                name=key,
                signals=np.asarray(sources(), np.float32),
                test=test,
                snr_db=60.0,
                channel=AWGN(),
            )
        found.append(Finding(key, predict(tap.clean[key].classifier, pictures)))
    return found


def bob_sees(tap, heard, csi):
    """Bob's picture from what Eve heard, by his modules; a key, where he has one, is a guess.

    Args:
        tap: `Wiretap`.
        heard, csi: of `Wiretap.hear`.
    """
    rotation = tap.protection.rotation
    guess = RandomKeys(tap.shape, rotation, seed=tap.seed + 1) if rotation else None

    def picture(batch, csi):
        keys = guess.draw(batch.shape[0]) if guess else None
        return tap.receive(tap.protection.clean(batch, csi, keys))

    return in_batches(picture, heard, csi)


RUNG = Rung(kerckhoffs, "Kerckhoffs: Bob's own modules, then a picture classifier")
