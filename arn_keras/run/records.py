"""What stands in a run directory, and what it was made from: a record of SHA-256 sums for each.

`.made/STAGE.json` holds {"files": {name: sum}, "from": {stage: sum}}. It is written before its
stage is put in place, so that no stage ever stands beside the record of an earlier one unnoticed.
What is missing, was changed, or was made from what is no longer there is made again, and so is all
that was computed from it. A stage without a record (of an earlier version, or put there by hand) is
taken as it is. The sums find damage and mix-ups, not a forger: he writes records too.
"""

import contextlib
import hashlib
import io
import json
import pathlib
import re
import zipfile

from arn_keras.errors import RunDirError
from arn_keras.machine.files import checked, read_json, write_json
from arn_keras.machine.places import own_directory

FOLDER = ".made"
#: What an audit found, of the stages that it was measured on.
AUDIT = "audit/audit.json"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_NAME, _ID = re.compile(rb'"name": ("[^"]*")'), re.compile(rb'"shared_object_id": \d+')


def write(run, stage, files, sources):
    """Records a stage that is about to be put in place.

    Args:
        run: the run directory.
        stage: its name, a path in it.
        files: {name: where it is now}; the name is a path in the stage, or beside it where the
            stage is a file.
        sources: {stage: sum} of what it was made from, as `digests` gives them.
    """
    file = _file(run, stage)
    for folder in (pathlib.Path(run) / FOLDER, file.parent):
        own_directory(folder)
    sums = {str(name): file_digest(each) for name, each in sorted(files.items())}
    write_json(file, {"files": sums, "from": sources})


def data_of(content):
    """{name of a data set: its digest} of what `config.json` holds; empty in older runs."""
    found = content.get("data")
    return found if isinstance(found, dict) else {}


def check_data(run, made_of, given):
    """Refuses other data of the same name than what a run directory is made of.

    Args:
        run: the run directory.
        made_of, given: {name of a data set: its digest}.

    Raises:
        RunDirError: with the name.
    """
    for name, digest in given.items():
        if made_of.get(name, digest) != digest:
            raise RunDirError(f"{run}: expected the data that it was made of, got another {name}")


def why_not(run, stage, sources=()):
    """Why a stage cannot be used, in a few words; "" if it can.

    Args:
        run: the run directory.
        stage: its name.
        sources: stages that it is made from: without a record it is older than those that have one.
    """
    place = pathlib.Path(run) / stage
    if not place.exists():
        return "missing"
    try:
        record = _read(run, stage)
    except RunDirError:
        return "its record is damaged"
    if record is None:
        newer = [each for each in sources if is_there(run, each)]
        return f"made before {newer[0]} was" if newer else ""
    folder = place if place.is_dir() else place.parent
    for name, recorded in record["files"].items():
        if not (folder / name).exists():
            return f"{name} is missing"
        if _digest_or_none(folder / name) != recorded:
            return f"{name} was changed"
    for source, recorded in record["from"].items():
        why = why_not(run, source)
        if why or digest(run, source) != recorded:
            return f"made from {source}: {why or 'another one'}"
    return ""


def is_there(run, stage):
    """Whether a stage has a record."""
    return _file(run, stage).exists()


def digest(run, stage):
    """SHA-256 of a stage's content, 16 hexadecimal digits of it."""
    record, place = _read(run, stage), pathlib.Path(run) / stage
    sums = record["files"] if record else sums_of(place)
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()[:16]


def combined(run, stages):
    """One sum of several stages."""
    return hashlib.sha256(json.dumps(digests(run, stages)).encode()).hexdigest()[:16]


def digests(run, stages):
    """{stage: sum} of those stages that are there."""
    return {each: digest(run, each) for each in stages if (pathlib.Path(run) / each).exists()}


def files_of(folder):
    """The files of a stage: {name: path}."""
    paths = (each for each in folder.rglob("*") if each.is_file())
    return {str(each.relative_to(folder)): each for each in paths if each.name[0] != "."}


def sums_of(folder):
    """{name: SHA-256} of the files of a stage."""
    return {name: file_digest(each) for name, each in sorted(files_of(folder).items())}


def file_digest(path):
    """SHA-256 of a file; of a Keras model of what it computes, not of when and how often before.

    Raises:
        OSError: if it cannot be read.
    """
    with checked(path) as file:
        # What is no model, or a damaged one: zip, HDF5 and others each raise their own.
        with contextlib.suppress(Exception), zipfile.ZipFile(file) as archive:
            if {_CONFIG, _WEIGHTS} <= set(archive.namelist()):
                total = hashlib.sha256(_without_names(archive.read(_CONFIG)))
                for part in _weights(archive.read(_WEIGHTS)):
                    total.update(part)
                return total.hexdigest()
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(content):
    """The arrays in a file of weights, with their places; Keras writes its layers' names beside."""
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        found = []
        file.visititems(lambda place, each: found.append((place, each)))
        for place, each in found:
            if isinstance(each, h5py.Dataset):
                yield f"{place} {each.dtype.str} {each.shape}".encode()
                yield each[()].tobytes()


def _without_names(config):
    """A model's configuration with its names numbered: Keras counts layers on in a process."""
    for number, name in enumerate(dict.fromkeys(_NAME.findall(config))):
        config = config.replace(name, b'"%d"' % number)
    return _ID.sub(b"", config)


def _digest_or_none(path):
    with contextlib.suppress(OSError):
        return file_digest(path)
    return None


def _file(run, stage):
    return pathlib.Path(run) / FOLDER / f"{stage}.json"


def _read(run, stage):
    file = _file(run, stage)
    if not file.exists():
        return None
    record = read_json(file)
    try:
        pairs = [*record["files"].items(), *record["from"].items()]
        if all(isinstance(each, str) for pair in pairs for each in pair):
            return record
    except (TypeError, KeyError, AttributeError):
        pass
    raise RunDirError(f"{file}: expected a record of a stage")
