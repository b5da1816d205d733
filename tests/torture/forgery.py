"""Bundles damaged, forged, or signed and then forged: none may answer otherwise unnoticed."""

import functools
import hashlib
import json
import random
import shutil

import numpy as np

from torture.tally import Attempt, Tally, judge

KINDS = ("arn", "keyed")
SENTINEL = "import pathlib; pathlib.Path({!r}).touch()\n"


def damaged(folder, trials, seed=0):
    """Bits flipped, ends cut, files swapped or removed, and no signature."""
    return _tried("bundles-damaged", folder, trials, seed, _damage, asked=False)


def forged(folder, trials, seed=0):
    """Files, manifest and digest changed by one who knows the format; a signature is asked for."""
    return _tried("bundles-forged", folder, trials, seed, _forge)


def signed_then_forged(folder, trials, seed=0):
    """The same of a bundle that was signed, the signature kept, cut, or of another key."""
    return _tried("bundles-signed", folder, trials, seed, _forge, signed=True)


def unsigned(folder, trials, seed=0):
    """Code, identity or figures changed, and no signature asked for: such a bundle is a bundle.

    Nothing but a signature tells a forger who makes all sums right again. A device that asks for
    none runs his code; how often is said here, and no failure.
    """
    change = functools.partial(_forge, kinds=(0, 4, 5))
    return _tried("bundles-unsigned", folder, trials, seed, change, asked=False)


def _tried(name, folder, trials, seed, change, *, signed=False, asked=True):
    tally = Tally(name)
    if not _bundles(folder, tally):
        return tally
    attempt = Attempt(
        lambda: _all(tally, folder, trials, seed, change, signed, asked), folder / name
    )
    status = attempt.wait(3600)
    if status != 0:
        judge(tally, attempt, status, (0,))
        return tally
    found = json.loads((folder / f"{name}.json").read_text())
    tally.tried = found["tried"]
    for kind, note in found["failed"]:
        tally.count(kind, note)
    return tally


def _bundles(folder, tally):
    """Makes a bundle of each kind for all parts that are tried here; whether it could.

    In a process of its own, since it converts models, which needs TensorFlow at work.
    """
    place = folder / "bundles"
    if place.exists():
        return True
    attempt = Attempt(lambda: _make(place), folder / "bundles-made")
    status = attempt.wait(600)
    return status == 0 or judge(tally, attempt, status, ())


def _make(place):
    from bundles import tiny_bundle

    for protection in KINDS:
        (place / protection).mkdir(parents=True)
        tiny_bundle(place / protection, precisions=("float32",), protection=protection)
    return 0


def _all(tally, folder, trials, seed, change, signed, asked):
    from arn_keras.export import runtime

    chance, failed, tried = random.Random(seed), [], 0
    place = folder / tally.name
    place.mkdir()
    key, public_key = _key(place)
    public_key = public_key if asked else None
    for protection in KINDS:
        own = place / protection
        bundle = shutil.copytree(folder / "bundles" / protection / "pair-0", own / "bundle")
        if signed:
            signature = key.sign((bundle / "manifest.json").read_bytes())
            (bundle / "manifest.json.sig").write_bytes(signature)
        whole = {file.name: file.read_bytes() for file in bundle.iterdir()}
        secret = own / "secret"
        if protection == "keyed":
            runtime.new_key(bundle, secret)
        expected = _answer(runtime, bundle, secret, 0, public_key if signed else None)
        sentinel = own / "code-was-run"
        for trial in range(trials // len(KINDS)):
            tried += 1
            changed = change(dict(whole), chance, sentinel)
            _write(bundle, whole, changed)
            said = None
            try:
                found = _answer(runtime, bundle, secret, trial + 1, public_key)
                if change is not _damage:
                    said = "wrong", "accepted"
                elif protection == "arn" and not np.array_equal(found, expected):
                    said = "wrong", "another answer"
            except (runtime.BundleError, runtime.KeyingError) as error:
                if "\n" in str(error):
                    said = "unclear", str(error)
            except Exception as error:
                said = "crashed", repr(error)
            if sentinel.exists():
                sentinel.unlink()
                said = "wrong", "its code was run"
            if said:
                failed.append((said[0], f"{protection} {trial}: {said[1]}"))
    (folder / f"{tally.name}.json").write_text(json.dumps({"tried": tried, "failed": failed}))
    return 0


def _answer(runtime, bundle, secret, trial, public_key):
    """What Alice's module makes of a fixed signal; of a keyed one, that it makes anything."""
    keyed = {"key": secret, "counter": f"{secret}.counter"} if secret.exists() else {}
    with runtime.Pair.load(bundle, role="transmitter", public_key=public_key, **keyed) as pair:
        signal = np.linspace(-1.7, 1.7, 8, dtype=np.float32)
        found = pair.alice.protect(signal)
        return found[1] if keyed else found


def _write(bundle, whole, changed):
    for name in {file.name for file in bundle.iterdir()} - changed.keys():
        (bundle / name).unlink()
    for name, content in changed.items():
        file = bundle / name
        if not file.exists() or file.read_bytes() != content:
            file.write_bytes(content)


def _damage(files, chance, sentinel):
    name = chance.choice(sorted(files))
    content = bytearray(files[name])
    kind = chance.randrange(10)
    if kind < 6 and content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        files[name] = bytes(content)
    elif kind == 6:
        files[name] = bytes(content[: chance.randrange(len(content) + 1)])
    elif kind == 7:
        files[name] = bytes(content) + chance.randbytes(chance.randrange(1, 99))
    elif kind == 8:
        del files[name]
    else:
        files[name] = files[chance.choice(sorted(files))]
    return files


def _forge(files, chance, sentinel, kinds=range(6)):
    """Another module, other code, other figures, one file more; then all sums made right again."""
    manifest = json.loads(files["manifest.json"])
    sources = sorted(name for name in files if name.endswith(".py"))
    kind = chance.choice(kinds)
    if kind == 0:  # code that would run
        name = chance.choice(sources)
        files[name] = SENTINEL.format(str(sentinel)).encode() + files[name]
    elif kind == 1:  # code that looks the same
        name = chance.choice([name for name in sources if set(files[name]) & set(b"0123456789")])
        content = bytearray(files[name])
        at = chance.choice([i for i, byte in enumerate(content) if byte in b"0123456789"])
        content[at] = chance.choice(b"0123456789".replace(bytes([content[at]]), b""))
        files[name] = bytes(content)
    elif kind == 2:  # a file beside them
        files[chance.choice(("argparse.py", "numpy.py", "more.bin"))] = SENTINEL.format(
            str(sentinel)
        ).encode()
    elif kind == 3:
        name = chance.choice(sorted(name for name in files if name.endswith(".tflite")))
        content = bytearray(files[name])
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        files[name] = bytes(content)
    elif kind == 4:
        manifest["pair"] = chance.randbytes(32).hex()
    else:
        manifest["seed"] = chance.randrange(1, 10**6)
    if "manifest.json.sig" in files and chance.random() < 0.3:
        signature = bytearray(files["manifest.json.sig"])
        signature[chance.randrange(len(signature))] ^= 1 << chance.randrange(8)
        files["manifest.json.sig"] = bytes(signature)
    _resum(manifest, files)
    manifest["digest"] = _digest(manifest)
    files["manifest.json"] = (json.dumps(manifest, indent=1) + "\n").encode()
    return files


def _resum(node, files):
    for each in node.values() if isinstance(node, dict) else node:
        if isinstance(each, (dict, list)):
            _resum(each, files)
    if isinstance(node, dict) and node.get("file") in files:
        content = files[node["file"]]
        node.update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def _digest(manifest):
    from arn_keras.export import runtime

    return runtime.digest(manifest)


def _key(place):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = place / "public.pem"
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return key, public
