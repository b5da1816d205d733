"""The bundle's own README.md, for the engineer who gets nothing but the bundle."""

_TEXT = """\
# Secure-link modules, pair {pair}

Two modules for a semantic link whose transmitter and receiver are already deployed:

```
transmitter -> [transmitter_arn] -> channel -> [receiver_arn] -> receiver
            y                    z          y_bob             y_clean
```

Both go in, or none: the receiver's module takes out what the transmitter's puts in. Trained on
{dataset} ({knowledge} box) at an SNR of {snr} dB, with a perturbation budget of {psr_db:g} dB.

| file | what |
|---|---|
{files}

**Signals.** float32, shape {shape}, one at a time (the files have a fixed batch of 1).
{power}. The transmitter's output must have power 1; do not rescale between transmitter and module.

## Python (Linux boards, servers)

```
pip install numpy ai-edge-litert
python runtime.py --selftest
```

```python
from runtime import Pair

with Pair.load(".", precision="{precision}") as pair:
    sent = pair.alice.protect(signal)      # at the transmitter
    cleaned = pair.bob.clean(received)     # at the receiver
```

A device at one end loads its own module with `role="transmitter"` or `role="receiver"`, and refuses
another pair with `identity="{identity}"`.

## Anything else

Any LiteRT (TensorFlow Lite) interpreter runs the files as they are: operators {operators}.
Signature `serve`: {ends}.

## What was measured

By a process without TensorFlow, on {sources} test sources, {transmissions} transmission(s) each,
under the training SNR; Eve is the classifier of the unprotected link, and does not retrain. Changes
are against the Keras modules, Eve's in points; other pairs of precisions are in `manifest.json`.

```
{table}
```

An eavesdropper who retrains on the protected signal is another matter: this pair does not keep her
out.

## Is it whole, and is it ours

`manifest.json` has the SHA-256 of every file, and `runtime.py` checks it. That finds damage, not a
forger, who can write new hashes. Against one, let the bundle be signed on export (`--sign`), and
give `Pair.load` or `--selftest` the public key (`--public-key`; needs `cryptography`).
"""


def text(manifest, table):
    """README.md of a bundle.

    Args:
        manifest: its manifest, proven.
        table: the figures of the proof, as shown on the screen.
    """
    modules = manifest["modules"]
    entries = [entry for of_role in modules.values() for entry in of_role.values()]
    files = [f"| `{entry['file']}` | {entry['bytes']} bytes |" for entry in entries]
    files += [
        "| `manifest.json` | identity, hashes, training, measured figures |",
        "| `runtime.py` | the client below |",
        "| `vectors.npz` | signals and answers for the self-test |",
    ]
    first = manifest["precisions"][0]
    ends = [of_role[first] for of_role in modules.values()]
    low, high = manifest["snr_db"]
    return _TEXT.format(
        pair=manifest["pair"][:12],
        identity=manifest["pair"],
        dataset=manifest["dataset"],
        knowledge=manifest["knowledge"],
        snr=f"{low:g}" if low == high else f"{low:g} to {high:g}",
        psr_db=manifest["psr_db"],
        files="\n".join(files),
        shape=tuple(ends[0]["signal_shape"]),
        power=manifest["power_convention"].capitalize(),
        precision=first,
        operators=", ".join(sorted({name for entry in entries for name in entry["operators"]})),
        ends=" and ".join(f"`{entry['input']}` to `{entry['output']}`" for entry in ends),
        sources=manifest["sources"],
        transmissions=manifest["transmissions"],
        table=table,
    )
