"""Writes the edge bundle of a run's pair of modules, proves it, and only then puts it in place.

The bundle is made in a locked folder beside its place, and so is all that is written on the way. A
bundle that is not proven leaves nothing behind; what a killed export left goes with the next one.
"""

import json
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from arn_keras.errors import ExportError, RunDirError
from arn_keras.export import PRECISIONS, manifest, runtime
from arn_keras.export.identity import pair_identity
from arn_keras.export.signing import load_private_key
from arn_keras.machine.files import flush, read_json
from arn_keras.machine.places import replace_directory, staging
from arn_keras.machine.process import last_line, run_python
from arn_keras.pair import PROTECTIONS
from arn_keras.rooms import answer
from arn_keras.run import records
from arn_keras.run.saved import SavedRun, path_of

KNOWLEDGE = ("white", "black")


def export(
    run_dir: str | os.PathLike,
    *,
    knowledge: str | None = None,
    precisions: Sequence[str] | None = None,
    out: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
    force: bool = False,
    sign: str | os.PathLike | None = None,
    card: bool = False,
    say: Callable[[str], None] | None = None,
) -> tuple[pathlib.Path, dict[str, Any]]:
    """Exports the pair of one run.

    Args:
        run_dir: a finished run directory.
        knowledge: which pair, "white" or "black"; by default white if the run has it.
        precisions: of `arn_keras.export.PRECISIONS`, the default one first; None for those of
            `default_precisions` that are met, or what keyed modules have.
        out: the bundle's directory; by default `bundle` in the run directory.
        data_dir: where prepared data sets are; by default as TensorFlow Datasets decides.
        force: whether another pair's bundle may be replaced.
        sign: PEM file of an Ed25519 private key, or None for no signature.
        card: whether README.md is a Hugging Face model card, too.
        say: called with a line before each step, of which a proof may take minutes.

    Returns:
        (directory of the bundle, its manifest).

    Raises:
        ArnError: if anything cannot be used, or the bundle is not what the run's modules are.
    """
    run_dir = path_of(run_dir)
    # A working directory inside the bundle, or a link in its path, moves with what is replaced.
    out = pathlib.Path(os.path.realpath(os.path.expanduser(out or run_dir / "bundle")))
    saved = SavedRun.read(run_dir)
    config = saved.config
    means = answer(PROTECTIONS, config.protection)
    if not means.any:
        raise RunDirError(f"{run_dir}: expected a run with modules, got --protection none")
    if means.arns:
        knowledge = _knowledge(saved, knowledge)
    elif knowledge:
        raise ExportError(f"{run_dir}: expected no knowledge for a pair without ARNs")
    public = means.stage(knowledge)
    identity = pair_identity(run_dir, public, means.keyed)
    sign = os.path.expanduser(sign) if sign else None
    key = load_private_key(sign) if sign else None
    facts = {
        "pair": identity,
        "scenario": config.scenario,
        "protection": config.protection,
        "public": public,
        "is_keyed": means.keyed,
        "knowledge": knowledge,
        "precisions": _precisions(means, precisions),
        **{name: getattr(config, name) for name in ("dataset", "snr_db", "seed")},
        "psr_db": config.psr_db if means.arns else None,
    }
    try:
        with staging(out, ExportError) as folder:
            check_place(out, identity, force, keep=(run_dir, sign))
            say = say or (lambda line: None)
            bundle, handover = _made(folder, facts, precisions, say, run_dir, data_dir)
            facts |= {"card": card, "audit": _audit(run_dir, knowledge)}
            written = manifest.finish(bundle, facts, handover, key)
            _python(bundle / "runtime.py", "--selftest", scratch=folder)
            _put_in_place(bundle, out, saved, [each for each in (public, "keyed") if each])
    except OSError as error:
        raise ExportError(f"{out}: expected a place to write to: {error.strerror}") from None
    return out, written


def default_precisions():
    """Those of floats at both ends, which a device need not scale: they are exported unasked."""
    return [name for name in PRECISIONS if answer(PRECISIONS, name).ends == "float32"]


def check_place(out, identity, force, keep=()):
    """Refuses a place that holds anything but a bundle of this pair, or any path of `keep`.

    Raises:
        ExportError: also with `force` where what is there is no bundle at all.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    lost = [each for each in keep if each and out in (path := _real(each), *path.parents)]
    if lost:
        raise ExportError(f"{out}: expected a place that does not hold {lost[0]} too")
    if not (out / "manifest.json").is_file():
        raise ExportError(f"{out}: expected a new or empty directory or a bundle; it is neither")
    try:
        found = runtime.read_manifest(out)
    except runtime.BundleError as error:
        found, of = None, f"a bundle that cannot be read ({error})"
    else:
        of = f"the bundle of another pair ({manifest.kind(found)}, {found['pair'][:12]})"
        _check_nothing_else(out, found)
    if not force and (found is None or found["pair"] != identity):
        raise ExportError(f"{out}: holds {of}; choose another --out, or --force to replace it")


def _real(path):
    return pathlib.Path(os.path.realpath(path))


def _check_nothing_else(out, found):
    """Refuses to replace a bundle beside whose files others lie, which would be lost."""
    try:
        runtime.check_listed(out, found)
    except runtime.BundleError as error:
        raise ExportError(f"{out}: cannot be replaced: {error}") from None


def _knowledge(saved, asked):
    """The knowledge of the pair that is asked for, or else of the first that the run's rows are of.

    Where that one is missing another is not taken for it: the rows are not of the other.
    """
    trained = [name for name in KNOWLEDGE if (saved.path / "arn" / name).is_dir()]
    wanted = asked or saved.config.knowledges[0]
    if wanted not in trained:
        has = f"only {trained[0]}" if trained else "none"
        raise RunDirError(f"{saved.path}: expected a trained pair of {wanted} box, found {has}")
    return wanted


def _audit(run_dir, knowledge):
    """Contents of the run's `audit.json`, None where there is none of this pair as it is now."""
    if not records.is_there(run_dir, records.AUDIT) or records.why_not(run_dir, records.AUDIT):
        return None
    found = read_json(run_dir / records.AUDIT)
    return found if knowledge in (None, found["knowledge"]) else None


def _precisions(means, asked):
    """Keyed modules are float32 alone: they have no weights to shrink (docs/deploy.md)."""
    if means.keyed and not means.has_public:
        if asked not in (None, ["float32"]):
            raise ExportError(f"expected float32 for a keyed pair, got {', '.join(asked)}")
        return ["float32"]
    precisions = list(dict.fromkeys(asked or default_precisions()))
    foreign = [name for name in precisions if name not in default_precisions()]
    if means.keyed and foreign:
        raise ExportError(
            f"expected {', '.join(default_precisions())} beside keyed modules, got {foreign[0]}"
        )
    return precisions


def _made(folder, facts, asked, say, *places):
    """The bundle and what it is proven by; a precision unasked for and not met is left out."""
    facts["left_out"] = {}
    while True:
        names = (f"{name}-{len(facts['left_out'])}" for name in ("bundle", "handover"))
        made = [folder / name for name in names]
        for each in made:
            each.mkdir()
        try:
            _make(*made, facts, say, *places)
            return made
        except manifest.ParityError as error:
            if asked or error.precision == facts["precisions"][0]:
                raise
            facts["precisions"].remove(error.precision)
            facts["left_out"][error.precision] = str(error)
            say(f"{error.precision} is left out, {error}")


def _make(bundle, handover, facts, say, run_dir, data_dir):
    """Converts and proves, each in a process of its own; completes the facts."""
    job = {
        "run_dir": os.path.abspath(run_dir),
        "data_dir": data_dir,
        "pair": {name: facts[name] for name in ("pair", "public", "is_keyed", "precisions")},
        "bundle": str(bundle),
        "handover": str(handover),
    }
    scratch = bundle.parent
    say(f"converting to {', '.join(facts['precisions'])} ...")
    _python("-m", "arn_keras.export.conversion", json.dumps(job), scratch=scratch)
    facts |= read_json(handover / "facts.json")
    say("proving each against the Keras modules on the test sources ...")
    manifest.copy_code(bundle, facts["is_keyed"])
    manifest.write(bundle, manifest.draft(bundle, facts))
    _python("-m", "arn_keras.export.proof", bundle, handover, scratch=scratch)
    facts |= read_json(handover / "proof.json")
    manifest.check_parity(facts["parity"], facts["measure"]["field"])
    if facts["is_keyed"]:
        manifest.check_keyed(facts)


def _python(*arguments, scratch):
    """Runs a fresh Python; its last line on standard error is the reason if it fails."""
    done = run_python(*arguments, scratch=scratch)
    if done.returncode:
        foreseen = done.returncode == 2
        step = "" if foreseen else f"{arguments[1]} ended with status {done.returncode}: "
        raise ExportError(step + last_line(done))


def _put_in_place(bundle, out, saved, modules):
    for file in bundle.iterdir():
        flush(file)
    if out == _real(saved.path / "bundle"):
        stages = ("link", next(iter(saved.config.problem.judges.values())), *modules)
        made_from = records.digests(saved.path, stages)
        records.write(saved.path, "bundle", records.files_of(bundle), made_from)
    replace_directory(bundle, out)
