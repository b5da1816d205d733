"""Writes the edge bundle of a run's pair of modules, proves it, and only then puts it in place.

The bundle is made under another name beside its place. A bundle that is not proven, or an export
that is stopped, leaves nothing behind.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

from arn_keras.errors import ArnError, ExportError, RunDirError
from arn_keras.rundir import read_json
from export import manifest, runtime
from export.signing import load_private_key

KNOWLEDGE = ("white", "black")
DEFAULT_PRECISIONS = ("float32", "float16", "int8")


def export(
    run_dir,
    *,
    knowledge=None,
    precisions=DEFAULT_PRECISIONS,
    out=None,
    data_dir=None,
    force=False,
    sign=None,
):
    """Exports the pair of one run.

    Args:
        run_dir: a finished run directory.
        knowledge: which pair, "white" or "black"; by default white if the run has it.
        precisions: of `arn_keras.litert.PRECISIONS`, the default one first.
        out: the bundle's directory; by default `bundle` in the run directory.
        data_dir: where prepared data sets are; by default as TensorFlow Datasets decides.
        force: whether another pair's bundle may be replaced.
        sign: PEM file of an Ed25519 private key, or None for no signature.

    Returns:
        (directory of the bundle, its manifest).

    Raises:
        ArnError: if anything cannot be used, or the bundle is not what the run's modules are.
    """
    run_dir = pathlib.Path(run_dir)
    out = pathlib.Path(out) if out else run_dir / "bundle"
    config = _config(run_dir)
    knowledge = _knowledge(run_dir, knowledge)
    identity = pair_identity(run_dir, knowledge)
    check_place(out, identity, force)
    key = load_private_key(sign) if sign else None
    facts = {
        "pair": identity,
        "knowledge": knowledge,
        "precisions": list(dict.fromkeys(precisions)),
        **{name: config[name] for name in ("dataset", "snr_db", "psr_db", "seed")},
    }
    try:
        with _staging(out) as bundle, tempfile.TemporaryDirectory() as handover:
            handover = pathlib.Path(handover)
            _make(bundle, handover, facts, run_dir=run_dir, config=config, data_dir=data_dir)
            written = manifest.finish(bundle, facts, handover, key)
            _python(bundle / "runtime.py", "--selftest")
            _put_in_place(bundle, out)
    except OSError as error:
        raise ExportError(f"{out}: expected a place to write to: {error.strerror}") from None
    return out, written


def pair_identity(run_dir, knowledge):
    """SHA-256 that names a pair: of the weights of both its modules, in every precision the same.

    Raises:
        RunDirError: if a module's file is missing or damaged.
    """
    total = hashlib.sha256()
    for role in runtime.ROLES:
        file = pathlib.Path(run_dir) / "arn" / knowledge / f"{role}.keras"
        try:
            with zipfile.ZipFile(file) as archive:
                total.update(hashlib.sha256(archive.read("model.weights.h5")).digest())
        except (OSError, KeyError, zipfile.BadZipFile, zipfile.zlib.error) as error:
            raise RunDirError(f"{file}: expected a whole Keras model: {error}") from None
    return total.hexdigest()


def check_place(out, identity, force):
    """Refuses a place that holds anything but a bundle of this pair.

    Raises:
        ExportError: also with `force` where what is there is no bundle at all.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / "manifest.json").is_file():
        raise ExportError(f"{out}: expected a new or empty directory or a bundle; it is neither")
    try:
        found = runtime.read_manifest(out)
    except runtime.BundleError as error:
        found, of = None, f"a bundle that cannot be read ({error})"
    else:
        of = f"the bundle of another pair ({found['knowledge']} box, {found['pair'][:12]})"
    if not force and (found is None or found["pair"] != identity):
        raise ExportError(f"{out}: holds {of}; choose another --out, or --force to replace it")


def _config(run_dir):
    if not (run_dir / "config.json").is_file():
        raise RunDirError(f"{run_dir}: expected a run directory; it has no config.json")
    config = read_json(run_dir / "config.json")
    config = config.get("config") if isinstance(config, dict) else None
    needed = {"dataset", "limit", "snr_db", "psr_db", "seed"}
    if not isinstance(config, dict) or not needed <= config.keys():
        raise RunDirError(f"{run_dir / 'config.json'}: expected a run's configuration")
    return config


def _knowledge(run_dir, asked):
    trained = [name for name in KNOWLEDGE if (run_dir / "arn" / name).is_dir()]
    if not trained or asked not in (None, *trained):
        has = f"only {trained[0]}" if trained else "none"
        raise RunDirError(
            f"{run_dir}: expected a trained pair{f' of {asked} box' if asked else ''}, found {has}"
        )
    return asked or trained[0]


@contextlib.contextmanager
def _staging(out):
    """A directory beside `out`, locked while in use, gone afterwards unless it was renamed."""
    staging = out.absolute().with_name(f".partial.{out.name}")
    staging.mkdir(parents=True, exist_ok=True)
    lock = os.open(staging, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ExportError(f"{out}: another export is writing it") from None
        try:
            for left in staging.iterdir():  # by a killed export
                left.unlink()
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        os.close(lock)


def _make(bundle, handover, facts, **run):
    """Converts and proves, each in a process of its own; completes the facts."""
    job = {
        "run_dir": str(run["run_dir"]),
        "config": run["config"],
        "data_dir": run["data_dir"],
        "knowledge": facts["knowledge"],
        "precisions": facts["precisions"],
        "bundle": str(bundle),
        "handover": str(handover),
    }
    _python("-m", "export.conversion", json.dumps(job))
    facts |= read_json(handover / "facts.json")
    shutil.copyfile(runtime.__file__, bundle / "runtime.py")
    manifest.write(bundle, manifest.draft(bundle, facts))
    _python("-m", "export.proof", bundle, handover)
    facts |= read_json(handover / "proof.json")
    manifest.check_parity(facts["parity"])


def _python(*arguments):
    """Runs a fresh Python; its last line on standard error is the reason if it fails."""
    command = [sys.executable, "-B", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{arguments[1]} ended without a reason"]
        raise ExportError(lines[-1])


def _put_in_place(bundle, out):
    for file in bundle.iterdir():
        with open(file, "rb") as stream:
            os.fsync(stream.fileno())
    replaced = out.absolute().with_name(f".replaced.{out.name}")
    shutil.rmtree(replaced, ignore_errors=True)
    if out.exists():
        os.rename(out, replaced)
    os.rename(bundle, out)
    shutil.rmtree(replaced, ignore_errors=True)
