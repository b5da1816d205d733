"""`manifest.json`: what a bundle holds, how it was trained, and what was measured on it.

Its fields are described in docs/deploy.md. Nothing in it depends on time or place: the same run
gives the same bytes.
"""

import hashlib
import importlib.metadata
import json
import pathlib
import shutil

from arn_keras import errors
from arn_keras.errors import ExportError
from arn_keras.export import PRECISIONS, card, readme, runtime
from arn_keras.measure.guessing import accuracy_limit
from arn_keras.rooms import answer

POWER_CONVENTION = (
    "signals are real; power is the mean square per real symbol, 1 for a transmitter's output; "
    "SNR = 1 / noise variance per real symbol; PSR = perturbation power / 1; dB = 10 log10"
)
#: Folder of the key schedule, and of errors.py above it.
_PAIR = pathlib.Path(errors.__file__).parent / "pair"
_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy")


class ParityError(ExportError):
    """Modules of a precision are not what the Keras modules are.

    Attributes:
        precision: its name.
    """

    def __init__(self, message, precision):
        super().__init__(message)
        self.precision = precision


def check_parity(rows, measure):
    """Refuses modules that are not what the Keras modules are; of two precisions the looser counts.

    Args:
        rows: see `proof.measure`.
        measure: field of what a module is held to, for pictures "mse".

    Raises:
        ParityError: with the precision, what was measured, and what was allowed.
    """
    for row in rows:
        alice, bob = (row[end] for end in runtime.ROLES)
        at_alice, at_bob = (answer(PRECISIONS, name) for name in (alice, bob))
        for field, allowed, precision in (
            (f"{measure}_change", *max((at_alice.mse, alice), (at_bob.mse, bob))),
            ("eve_accuracy_change", at_alice.eve_accuracy, alice),
            ("sent_max_abs_difference", at_alice.difference, alice),
            ("cleaned_max_abs_difference", at_bob.difference, bob),
        ):
            if not abs(row[field]) <= allowed:
                raise ParityError(
                    f"parity not met: {alice} at Alice, {bob} at Bob: "
                    f"expected {field} within {allowed:g}, got {row[field]:.3g}",
                    precision,
                )


def check_keyed(facts):
    """Refuses keyed modules that send another power than 1, or that tell a frozen Eve anything.

    Args:
        facts: of the proof.

    Raises:
        ExportError: with what was measured, and what was allowed: 0.1 % of the power; of Eve's
            accuracy what guessing exceeds once in 10,000 exports.
    """
    looks = len(facts["parity"])
    allowed = accuracy_limit(facts["chance"], facts["sources"], looks, risk=1e-4)
    for row in facts["parity"]:
        if not abs(row["sent_power"] - 1) <= 0.001:
            raise ExportError(f"expected a sent power of 1 within 0.1 %, got {row['sent_power']}")
        if not row["eve_accuracy"] <= allowed:
            raise ExportError(
                f"expected Eve's accuracy at chance, at most {allowed:.4f}, "
                f"got {row['eve_accuracy']:.4f}"
            )


def kind(manifest):
    """What a bundle's pair is, in a few words."""
    knowledge = manifest["knowledge"]
    words = [f"{knowledge} box"] * bool(knowledge) + ["keyed"] * ("keyed" in manifest)
    return ", ".join(words) or manifest["protection"]


def code(is_keyed):
    """The files with the client's code: {name in the bundle: file}."""
    files = {"runtime.py": runtime.__file__}
    if is_keyed:
        folder = {"errors": _PAIR.parent}
        files |= {f"{name}.py": folder.get(name, _PAIR) / f"{name}.py" for name in runtime.CODE}
    return files


def copy_code(bundle, is_keyed):
    """Copies the client's code into a bundle: `runtime.py`; of a keyed one the key schedule too."""
    for name, file in code(is_keyed).items():
        shutil.copyfile(file, bundle / name)


def draft(bundle, facts):
    """The manifest before the proof: identity, training, modules with their hashes."""
    modules = {
        role: {
            precision: {**entry, **hashed(bundle, entry["file"]), "pair": facts["pair"]}
            for precision, entry in entries.items()
        }
        for role, entries in facts["modules"].items()
    }
    keyed = {
        role: {**entry, **hashed(bundle, entry["file"]), "pair": facts["pair"]}
        for role, entry in facts.get("keyed", {}).items()
    }
    rotation = next((entry["rotation"] for entry in keyed.values()), None)
    return {
        "format": runtime.FORMAT,
        "pair": facts["pair"],
        "scenario": facts["scenario"],
        "protection": facts["protection"],
        "knowledge": facts["knowledge"],
        "dataset": facts["dataset"],
        "seed": facts["seed"],
        "snr_db": facts["snr_db"],
        **facts["air"],
        "psr_db": facts["psr_db"],
        "power_convention": POWER_CONVENTION,
        "precisions": facts["precisions"],
        **({"left_out": facts["left_out"]} if facts.get("left_out") else {}),
        "modules": modules,
        **({"keyed": keyed, "rotation": rotation} if keyed else {}),
        "files": [hashed(bundle, name) for name in code(bool(keyed))],
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
    for name in (
        "measure",
        "sources",
        "transmissions",
        "chance",
        "keras",
        "parity",
        "selftest_tolerance",
    ):
        manifest[name] = facts[name]
    text = readme.text(manifest, table(manifest))
    if facts.get("card"):
        text = card.card(manifest, text, readme.retrains(manifest), facts["audit"])
    (bundle / "README.md").write_text(text)
    others = ("README.md", *code(facts["is_keyed"]), "vectors.npz")
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
    measure, keras = manifest["measure"], manifest["keras"]
    field, form = measure["field"], measure["form"]
    width = max(9, len(measure["title"]) + 2)
    lines = [
        f"{'precision':<10}{measure['title']:>{width}}{'change':>10}{'Eve acc.':>10}{'change':>9}"
        f"{'PSR dB':>8}{'power':>8}{'max |dz|':>10}{'max |dy|':>10}{'bytes':>18}",
        f"{'Keras':<10}{keras[field]:>{width}{form}}{'':>10}{keras['eve_accuracy']:>10.4f}{'':>9}"
        f"{_db(keras):>8}{keras['sent_power']:>8.4f}",
    ]
    for row in manifest["parity"]:
        if row["transmitter"] != row["receiver"]:
            continue
        sizes = [
            sum(entry["bytes"] for entry in entries_of(manifest, role, row["transmitter"]))
            for role in runtime.ROLES
        ]
        size = " + ".join(map(str, sizes))
        lines.append(
            f"{row['transmitter']:<10}{row[field]:>{width}{form}}{row[f'{field}_change']:>+10.3%}"
            f"{row['eve_accuracy']:>10.4f}{100 * row['eve_accuracy_change']:>+9.2f}{_db(row):>8}"
            f"{row['sent_power']:>8.4f}"
            f"{row['sent_max_abs_difference']:>10.1e}{row['cleaned_max_abs_difference']:>10.1e}"
            f"{size:>18}"
        )
    lines += [f"{name} is left out: {why}" for name, why in manifest.get("left_out", {}).items()]
    return "\n".join(lines)


def entries_of(manifest, role, precision):
    """Entries of the modules of one end in one precision, the ARN's before the keyed one's."""
    entries = [manifest["modules"][role][precision]] if manifest["modules"] else []
    return entries + ([manifest["keyed"][role]] if "keyed" in manifest else [])


def _db(figures):
    psr_db = figures["measured_psr_db"]
    return "-" if psr_db is None else f"{psr_db:.2f}"
