"""The bundle's own README.md, for the engineer who gets nothing but the bundle."""

from arn_keras.export import runtime
from arn_keras.pair import PROTECTIONS
from arn_keras.rooms import answer

_TEXT = """\
# Secure-link modules, pair {pair}

Modules for a semantic link whose transmitter and receiver are already deployed:

```
transmitter -> {alice} -> channel -> {bob} -> receiver
```

Both ends get theirs, or none: the receiver's take out what the transmitter's put in. {training}

| file | what |
|---|---|
{files}

**Signals.** float32{others}, shape {shape}, one at a time: the files have a
fixed batch of 1. The transmitter's output has power 1, and nothing rescales it before the module.
Power convention: {power}.

## Python (Linux boards, servers)

```
pip install {packages}
python runtime.py --selftest
```

{calls}

A device at one end loads its own module with `role="transmitter"` or `role="receiver"`, and refuses
another pair with `identity="{identity}"`.

## Anything else

Any LiteRT (TensorFlow Lite) interpreter runs the files as they are: operators {operators}.
Signature `serve`: {ends}.

## What was measured

By a process without TensorFlow, on {sources} test sources, {transmissions} transmission(s) each,
under the training SNR; Eve is the classifier of the unprotected link, and does not retrain (chance
is {chance:.4f}). Changes are against the Keras modules, Eve's in points; other pairs of precisions
are in `manifest.json`.

```
{table}
```

{retrains}

## Is it whole, and is it ours

`manifest.json` has the SHA-256 of every file, and `runtime.py` checks it. That finds damage, not a
forger, who can write new hashes. Against one, let the bundle be signed on export (`--sign`), and
give `Pair.load` or `--selftest` the public key (`--public-key`; needs `cryptography`).
"""


_CALLS = """\
```python
from runtime import Pair

with Pair.load(".", precision="{precision}") as pair:
    sent = pair.alice.protect(signal)      # at the transmitter
    cleaned = pair.bob.clean(received)     # at the receiver
```"""

_KEYED_CALLS = """\
One key for both ends, by a way that nobody else reads; the counter stays with the transmitter:

```
python runtime.py --new-key ../pair.key    # and ../pair.key.counter; never inside the bundle
```

```python
from runtime import Pair

key, counter = "../pair.key", "../pair.key.counter"
with Pair.load(".", role="transmitter", key=key, counter=counter) as pair:
    header, sent = pair.alice.protect(signal)   # both go on the air, the header in the clear

key, window = "../pair.key", "../pair.key.window"   # on the other device, a copy of the key
with Pair.load(".", role="receiver", key=key, window=window) as pair:
    cleaned = pair.bob.clean(received, header)  # a replay raises RefusedMessageError
```

A key belongs to this pair: another pair's bundle refuses its messages. Never copy counter or
window, nor restore them from a backup: a message number used twice gives the messages away; make a
new key then.
Other runtimes derive the input `{key_input}` themselves: `key_schedule.py` says how."""

_TOLD_BOTH = """

The pair is told the SNR: give `protect` and `clean` `snr_db=` too, Bob's average SNR in dB as he
estimates it, from {:g} to {:g}, one or one for each signal of a batch. For an SNR beyond give the
nearer end: another value is refused. Both ends are told the same."""

_TOLD_ALICE = """

Alice is told the SNR: give `protect` `snr_db=` too, Bob's average SNR in dB as he estimates it,
from {:g} to {:g}, one or one for each signal of a batch. For an SNR beyond give the nearer end:
another value is refused."""

_TOLD_CSI = """

Bob is told how well he heard each signal: give `clean` `csi=` too, the average SNR in dB plus
10 log10 |gain|^2, as he estimates the channel's gain, one or one for each signal of a batch."""

_RETRAINS = """\
An eavesdropper who retrains on the protected signal is another matter: this pair does not keep her
out."""

_KEYED_RETRAINS = """\
The rotation perturbs by 3 dB and sends the power of the unprotected signal. An eavesdropper who
retrains without the key stays at chance, as far as was tried; nobody is kept from transmitting, and
whoever has the key reads everything."""

_PURGE_RETRAINS = """\
The transmitter's module sends what the receiver's task needs, so an eavesdropper who retrains hears
no more than that either. Without a key she has all of it: what the task's answer itself tells of
anything else is not hidden."""


def _training(manifest):
    low, high = manifest["snr_db"]
    snr = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    link = f"{manifest['dataset']} at an SNR of {snr} dB"
    if manifest["channel"] != "awgn":
        given = "as it comes" if manifest["csi"] == "none" else "equalised"
        link += (
            f" over the {manifest['channel']} channel\n(Bob's modules are given the signal {given})"
        )
    means = answer(PROTECTIONS, manifest["protection"])
    if not means.arns and means.trained is None:
        return f"Nothing of them\nwas trained; measured on a link for {link}."
    if manifest["psr_db"] is None:
        return f"Trained on\n{link}, against no eavesdropper."
    return (
        f"Trained on\n{link} ({manifest['knowledge']} box), with a perturbation budget of "
        f"{manifest['psr_db']:g} dB."
    )


def retrains(manifest):
    """What is known of an Eve who retrains on signals of such a pair."""
    if "keyed" in manifest:
        return _KEYED_RETRAINS
    return _PURGE_RETRAINS if manifest["psr_db"] is None else _RETRAINS


def text(manifest, table):
    """README.md of a bundle.

    Args:
        manifest: its manifest, proven.
        table: the figures of the proof, as shown on the screen.
    """
    arns, keyed = manifest["modules"], manifest.get("keyed", {})
    entries = [entry for of_role in arns.values() for entry in of_role.values()]
    entries += keyed.values()
    files = [f"| `{entry['file']}` | {entry['bytes']} bytes |" for entry in entries]
    files += ["| `manifest.json` | identity, hashes, training, measured figures |"]
    files += ["| `runtime.py` | the client below |"]
    if keyed:
        modules = ", ".join(f"`{name}.py`" for name in runtime.CODE)
        files.append(f"| {modules} | its key schedule, checked and run by runtime.py |")
    files.append("| `vectors.npz` | signals and answers for the self-test |")
    first = manifest["precisions"][0]
    ends = [of_role[first] for of_role in arns.values()] + list(keyed.values())
    kinds = [(name, entry["dtype"]) for name, entry in arns.get("transmitter", {}).items()]
    others = [(name, kind) for name, kind in kinds if kind != "float32"]
    chain = ["arn"] * bool(arns) + ["keyed"] * bool(keyed)
    return _TEXT.format(
        pair=manifest["pair"][:12],
        identity=manifest["pair"],
        alice=" -> ".join(f"[transmitter_{name}]" for name in chain),
        bob=" -> ".join(f"[receiver_{name}]" for name in chain[::-1]),
        training=_training(manifest),
        packages="numpy ai-edge-litert" + " cryptography" * bool(keyed),
        calls=_calls(first, keyed) + _told(ends),
        retrains=retrains(manifest),
        chance=manifest["chance"],
        files="\n".join(files),
        others="".join(f" ({kind} at the ends of `{name}`)" for name, kind in others),
        shape=tuple(ends[0]["signal_shape"]),
        power=manifest["power_convention"],
        operators=", ".join(sorted({name for entry in entries for name in entry["operators"]})),
        ends="; ".join(_signature(entry) for entry in ends),
        sources=manifest["sources"],
        transmissions=manifest["transmissions"],
        table=table,
    )


def _calls(precision, keyed):
    if not keyed:
        return _CALLS.format(precision=precision)
    (name,) = {entry["key_input"] for entry in keyed.values()}
    return _KEYED_CALLS.replace("{key_input}", name)


def _told(ends):
    """What of the pair's modules is told the SNR, if any is."""
    ranges = [entry["snr_db"] for entry in ends if "snr_db" in entry]
    both = len(ranges) == len([each for each in ends if "key_input" not in each])
    told = (_TOLD_BOTH if both else _TOLD_ALICE).format(*ranges[0]) if ranges else ""
    return told + _TOLD_CSI * any("csi" in entry for entry in ends)


def _signature(entry):
    keys = ""
    if "key_input" in entry:
        keys = f" and `{entry['key_input']}` {tuple(entry['key_shape'])}"
    keys += "".join(f" and `{name}` (1,)" for name in runtime.TOLD_INPUTS if name in entry)
    return f"`{entry['input']}`{keys} to `{entry['output']}`"
