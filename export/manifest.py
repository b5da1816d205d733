"""`manifest.json`: what a bundle holds, how it was trained, and what was measured on it.

Its fields are described in docs/deploy.md. Nothing in it depends on time or place: the same run
gives the same bytes.
"""

import hashlib
import importlib.metadata
import json
import shutil
from typing import NamedTuple

from arn_keras.errors import ExportError
from export import readme, runtime

POWER_CONVENTION = (
    "signals are real; power is the mean square per real symbol, 1 for a transmitter's output; "
    "SNR = 1 / noise variance per real symbol; PSR = perturbation power / 1; dB = 10 log10"
)
_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy")


class Tolerance(NamedTuple):
    """How far a precision may be from Keras.

    Attributes:
        mse: change of Bob's mean squared error, relative.
        eve_accuracy: change of Eve's accuracy, absolute.
        difference: largest absolute difference of a signal.
    """

    mse: float
    eve_accuracy: float
    difference: float


TOLERANCES = {
    "float32": Tolerance(0.001, 0.001, 1e-5),
    "float16": Tolerance(0.001, 0.001, float("inf")),
    "int8": Tolerance(0.01, 0.005, float("inf")),
    "int8-io": Tolerance(0.01, 0.005, float("inf")),
}


def check_parity(rows):
    """Refuses modules that are not what the Keras modules are; of two precisions the looser counts.

    Args:
        rows: see `proof.measure`.

    Raises:
        ExportError: with the precision, what was measured, and what was allowed.
    """
    for row in rows:
        at_alice, at_bob = TOLERANCES[row["transmitter"]], TOLERANCES[row["receiver"]]
        for field, allowed in (
            ("mse_change", max(at_alice.mse, at_bob.mse)),
            ("eve_accuracy_change", at_alice.eve_accuracy),
            ("sent_max_abs_difference", at_alice.difference),
            ("cleaned_max_abs_difference", at_bob.difference),
        ):
            if not abs(row[field]) <= allowed:
                raise ExportError(
                    f"parity not met: {row['transmitter']} at Alice, {row['receiver']} at Bob: "
                    f"expected {field} within {allowed:g}, got {row[field]:.3g}"
                )


def draft(bundle, facts):
    """The manifest before the proof: identity, training, modules with their hashes."""
    modules = {
        role: {
            precision: {**entry, **hashed(bundle, entry["file"]), "pair": facts["pair"]}
            for precision, entry in entries.items()
        }
        for role, entries in facts["modules"].items()
    }
    return {
        "format": runtime.FORMAT,
        "pair": facts["pair"],
        "protection": "arn",
        "knowledge": facts["knowledge"],
        "dataset": facts["dataset"],
        "seed": facts["seed"],
        "snr_db": facts["snr_db"],
        "psr_db": facts["psr_db"],
        "power_convention": POWER_CONVENTION,
        "precisions": facts["precisions"],
        "modules": modules,
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def finish(bundle, facts, handover, key):
    """Completes a proven bundle: test vectors, README.md, figures, and the signature if asked.

    Args:
        bundle: its directory.
        facts: of the run, the conversion and the proof.
        handover: directory that holds `vectors.npz`.
        key: Ed25519 private key, or None.

    Returns:
        The manifest.
    """
    shutil.copyfile(handover / "vectors.npz", bundle / "vectors.npz")
    manifest = draft(bundle, facts)
    for name in ("sources", "transmissions", "keras", "parity", "selftest_tolerance"):
        manifest[name] = facts[name]
    (bundle / "README.md").write_text(readme.text(manifest, table(manifest)))
    others = ("README.md", "runtime.py", "vectors.npz")
    manifest["files"] = [hashed(bundle, name) for name in others]
    write(bundle, manifest)
    if key:
        signature = key.sign((bundle / "manifest.json").read_bytes())
        (bundle / "manifest.json.sig").write_bytes(signature)
    return manifest


def write(bundle, manifest):
    """Writes a manifest with its digest."""
    manifest["digest"] = runtime.digest(manifest)
    text = json.dumps(manifest, indent=1, allow_nan=False)
    (bundle / "manifest.json").write_text(text + "\n")


def hashed(bundle, file):
    """What the manifest says of a file."""
    content = (bundle / file).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return {"file": file, "sha256": digest, "bytes": len(content)}


def table(manifest):
    """The figures of the proof, one line a precision, Keras first."""
    lines = [
        f"{'precision':<10}{'Bob MSE':>9}{'change':>10}{'Eve acc.':>10}{'change':>9}{'PSR dB':>8}"
        f"{'max |dz|':>10}{'max |dy|':>10}{'bytes':>18}"
    ]
    keras = manifest["keras"]
    lines.append(
        f"{'Keras':<10}{keras['mse']:>9.5f}{'':>10}{keras['eve_accuracy']:>10.4f}{'':>9}"
        f"{_db(keras):>8}"
    )
    for row in manifest["parity"]:
        if row["transmitter"] != row["receiver"]:
            continue
        entries = [entries[row["transmitter"]] for entries in manifest["modules"].values()]
        size = " + ".join(str(entry["bytes"]) for entry in entries)
        lines.append(
            f"{row['transmitter']:<10}{row['mse']:>9.5f}{row['mse_change']:>+10.3%}"
            f"{row['eve_accuracy']:>10.4f}{100 * row['eve_accuracy_change']:>+9.2f}{_db(row):>8}"
            f"{row['sent_max_abs_difference']:>10.1e}{row['cleaned_max_abs_difference']:>10.1e}"
            f"{size:>18}"
        )
    return "\n".join(lines)


def _db(figures):
    psr_db = figures["measured_psr_db"]
    return "-" if psr_db is None else f"{psr_db:.2f}"
