"""E8, for keyed protections: what an eavesdropper can do about keys.

Wrong key, known plaintext, the same message twice and the undoing of the last mixing must give
nothing. Reuse of a key breaks a rule of use, and fewer rounds are not what is deployed: they are
measured to show why the rules are there, and do not count for the worst case.
"""

import copy
import dataclasses
import functools

import numpy as np

from arn_keras.audit.attack import predict
from arn_keras.audit.effort import Finding
from arn_keras.audit.kerckhoffs import bob_sees
from arn_keras.audit.rung import Rung
from arn_keras.eve.structural import build_structural_eavesdropper
from arn_keras.pair.rotation import fast
from arn_keras.power import noise_variance
from arn_keras.training.transmit import in_batches

#: SNR of an Eve who hears as good as no noise.
NO_NOISE_DB = 60.0


def wrong_key(tap):
    """Bob's chain with a key that Eve guessed, then her frozen classifier of his cleaned signal.

    The row's `mse` is of the picture she gets, `mse_mean_picture` that of the mean picture; other
    tasks have their first measure, and that of the best estimate without any signal.
    """
    heard = tap.hear(tap.signals[1], tap.keys("test"))
    guess = tap.keys("guess")

    def clean(batch, csi):
        return tap.protection.clean(batch, csi, guess.draw(batch.shape[0]))

    cleaned, pictures = in_batches(clean, *heard), bob_sees(tap, *heard)
    task = tap.problem.task
    field = task.measures[0].field
    blind = task.blind(tap.targets(tap.dataset.train), len(pictures))
    more = {field: tap.judged(pictures)[field], task.blind_field: tap.judged(blind)[field]}
    return Finding("wrong key", predict(tap.eavesdropper, cleaned), more=more)


def known_plaintext(tap, effort, reused):
    """Least squares for the rotation from N messages whose plaintext is known, then the next ones.

    W = argmin ||Z W - Y||^2 + sigma^2 N ||W||^2 over N pairs of a known y and its received z; the
    estimate z W of the next messages goes to the frozen Eve. With one key for all this is her way
    back at about N = n messages; with a key a message there is no one W to find. Phase
    and timing, where she does not hear them, are told her: she finds them from what she knows.
    """
    keys = tap.keys("reused" if reused else "known", reused=reused)
    count, channel = min(max(effort.known), len(tap.signals[0])), tap.eve_channel.synchronised()
    plain = tap.unprotected[0][:count].reshape(count, -1).astype(float)
    known = tap.overhear(tap.signals[0][:count], keys, purpose="known", channel=channel)
    heard = tap.overhear(tap.signals[1], keys, channel=channel)
    known, heard = (each.reshape(len(each), -1) for each in (known, heard))
    found = []
    for messages in effort.known if reused else (count,):
        if messages > count:
            continue
        guess = mapped_back(
            known[:messages], plain[:messages], heard, noise_variance(tap.eve_snr_db)
        )
        # The frozen Eve expects power 1, and a shrunken estimate has less.
        guess /= np.sqrt(np.mean(np.square(guess), axis=1, keepdims=True)) + 1e-12
        logits = predict(tap.eavesdropper, guess.reshape(-1, *tap.shape))
        name = "known plaintext, key reused" if reused else "known plaintext"
        found.append(Finding(name, logits, counts=not reused, more={"messages": messages}))
    return found


def mapped_back(known, plain, heard, noise):
    """X W of W = argmin ||Z W - Y||^2 + sigma^2 N ||W||^2, float32.

    With fewer messages than symbols by W = Z^T (Z Z^T + sigma^2 N I)^-1 Y, which is the same: so
    long signals cost what their messages do.

    Args:
        known: Z, received signals of known plaintext, [N, n].
        plain: Y, their plaintext, [N, n].
        heard: X, what is to be mapped back, [messages, n].
        noise: sigma^2.
    """
    seen, (messages, symbols) = known.astype(float), known.shape
    ridge = noise * messages * np.eye(min(messages, symbols))
    if messages < symbols:
        return (heard @ seen.T @ np.linalg.solve(seen @ seen.T + ridge, plain)).astype(np.float32)
    return (heard @ np.linalg.solve(seen.T @ seen + ridge, seen.T @ plain)).astype(np.float32)


def sent_twice(tap, effort):
    """A fresh Eve who hears each message twice, under two keys, and sees both at once."""
    attack = tap.train(
        tap.build_eve,
        effort.epochs,
        name="twice",
        keys=tap.keys("twice", copies=2),
        test=tap.overhear(tap.signals[1], tap.keys("twice, test", copies=2)),
    )
    return Finding("same message twice", attack.logits, attack.curve)


def structure(tap, effort):
    """A fresh Eve who undoes the last mixing and looks at what signs do not touch.

    A rotation without mixings leaves her the second alone.
    """
    rounds = tap.protection.rounds
    attack = tap.train(
        functools.partial(build_structural_eavesdropper, rounds=rounds),
        effort.epochs,
        name="structure",
        keys=tap.keys("training"),
    )
    more = {"rounds": rounds} if rounds else {}
    name = "undoes the last mixing" if rounds else "looks for structure"
    return Finding(name, attack.logits, attack.curve, more=more)


def fewer_rounds(tap, effort):
    """The same against keyed modules of fewer rounds, without noise: the curve over rounds."""
    found = []
    for rounds in effort.rounds if tap.protection.rounds else ():
        weaker = copy.copy(tap)
        weaker.protection = dataclasses.replace(tap.protection, rotation=fast(rounds))
        weaker.snr_db = NO_NOISE_DB
        each = structure(weaker, effort)
        found.append(dataclasses.replace(each, eve=f"{each.eve}, no noise", counts=False))
    return found


def key_reuse(tap, effort):
    """A fresh Eve with N labelled recordings under one key, for all that follows under that key."""
    keys = tap.keys("reused", reused=True)
    test = tap.overhear(tap.signals[1], keys)
    found = []
    for messages in (*effort.recordings, len(tap.signals[0])):
        if messages <= len(tap.signals[0]):
            attack = tap.train(
                tap.build_eve,
                effort.epochs,
                name=f"reused {messages}",
                keys=keys,
                test=test,
                recordings=messages,
            )
            found.append(
                Finding(
                    "labelled recordings, key reused",
                    attack.logits,
                    attack.curve,
                    counts=False,
                    more={"messages": messages},
                )
            )
    return found


RUNG = Rung(
    (
        lambda tap, effort: [wrong_key(tap), *known_plaintext(tap, effort, reused=False)],
        lambda tap, effort: [sent_twice(tap, effort)],
        lambda tap, effort: [structure(tap, effort)],
        fewer_rounds,
        lambda tap, effort: known_plaintext(tap, effort, reused=True),
        key_reuse,
    ),
    "attacks on keys",
    keyed_only=True,
)
