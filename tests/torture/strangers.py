"""Model, data and other files of a stranger: each is refused in one line, and runs no code."""

import io
import json
import os
import pathlib
import pickle
import zipfile

import numpy as np

from torture.tally import Attempt, Tally, judge

SECONDS = 60


def hostile(folder, trials, seed=0):
    """Each file in a process of its own, which must say in one line why it is refused."""
    tally, place = Tally("hostile-files"), folder / "strangers"
    place.mkdir()
    made = Attempt(lambda: _make_models(place), folder / "models")
    if not judge(tally, made, made.wait(SECONDS), (0,)):
        return tally
    sentinel = place / "code-was-run"
    for name, open_it in list(_files(place, sentinel).items())[:trials]:
        tally.tried += 1
        attempt = Attempt(lambda open_it=open_it: _refused(open_it), folder / "hostile")
        status = attempt.wait(SECONDS)
        said = "\n".join(
            line for line in attempt.said().splitlines() if not line.startswith(("W0", "E0", "I0"))
        )
        if status is None:
            attempt.kill()
            tally.count("hung", name)
        elif status == 3:
            tally.count("wrong", f"{name}: accepted")
        elif status != 2:
            tally.count("crashed", f"{name}: status {status}: {said[-300:]}")
        elif len(said.splitlines()) != 1:
            tally.count("unclear", f"{name}: {said[-300:]}")
        if sentinel.exists():
            sentinel.unlink()
            tally.count("wrong", f"{name}: its code was run")
    return tally


def _refused(open_it):
    import sys

    from arn_keras.errors import ArnError
    from arn_keras.export.runtime import BundleError, KeyingError
    from arn_keras.pair.refusal import KeyingError as PairKeyingError

    try:
        open_it()
    except (ArnError, BundleError, KeyingError, PairKeyingError) as error:
        print(error, file=sys.stderr)
        return 2
    return 3


def _make_models(place):
    """A good model, and parts of it for bad ones."""
    import keras

    keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)]).save(place / "good.keras")
    return 0


class _Touch:
    """Pickled: a call when it is loaded."""

    def __init__(self, path):
        self._path = str(path)

    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path(self._path),)


def _files(place, sentinel):
    """{name: a function that opens the file}."""
    from arn_keras.data import arrays
    from arn_keras.errors import ModelError
    from arn_keras.export import runtime
    from arn_keras.export.signing import load_private_key
    from arn_keras.figures.draw import draw
    from arn_keras.machine.files import read_json
    from arn_keras.machine.models import load
    from arn_keras.measure import journal
    from arn_keras.pair.key_file import read_key
    from arn_keras.run.saved import SavedRun

    (place / "pipe.keras").unlink(missing_ok=True)
    for ending in ("keras", "npz", "json", "sqlite", "key", "pem"):
        os.mkfifo(place / f"pipe.{ending}")
        os.symlink("/dev/zero", place / f"zero.{ending}")
    huge = place / "huge.json"
    with open(huge, "wb") as file:
        file.truncate(1 << 40)  # no room is taken
    models = {
        "a model that is a pipe": place / "pipe.keras",
        "a model that is /dev/zero": place / "zero.keras",
        "a model that is a folder": place,
        "a model elsewhere": pathlib.Path("hf://someone/model.keras"),
        **_models(place, sentinel),
    }
    sets = {
        "data that are a pipe": place / "pipe.npz",
        "data that are /dev/zero": place / "zero.npz",
        **_arrays(place, sentinel),
    }
    runs = {name: _run(place / f"run-{n}", text) for n, (name, text) in enumerate(_CONFIGS.items())}
    bundle = place / "bundle"
    bundle.mkdir()
    os.mkfifo(bundle / "manifest.json")
    return {
        **{name: lambda path=path: load(path, ModelError) for name, path in models.items()},
        **{name: lambda path=path: arrays.read(path) for name, path in sets.items()},
        **{name: lambda path=path: SavedRun.read(path) for name, path in runs.items()},
        "rows that are none": lambda: draw(_run(place / "rows", '{"config": {}}', "[]")),
        "settings that are a pipe": lambda: read_json(place / "pipe.json"),
        "settings of a terabyte": lambda: read_json(huge),
        "a journal that is a pipe": lambda: journal.read(place / "pipe.sqlite"),
        "a journal that is /dev/zero": lambda: journal.read(place / "zero.sqlite"),
        "a key that is a pipe": lambda: read_key(place / "pipe.key"),
        "a key that is /dev/zero": lambda: read_key(place / "zero.key"),
        "a signing key that is a pipe": lambda: load_private_key(place / "pipe.pem"),
        "a bundle whose manifest is a pipe": lambda: runtime.Pair.load(bundle),
    }


_CONFIGS = {
    "a run of no scenario": '{"config": {"snr_db": [1, 1], "scenario": "os:system"}}',
    "a run with foreign fields": '{"config": {"snr_db": [1, 1], "plugins": "os"}}',
    "a run nested 100,000 deep": "[" * 100_000,
    "a run of other types": '{"config": {"snr_db": "loud"}}',
}


def _run(path, config, rows=None):
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(config)
    if rows is not None:
        (path / "results.json").write_text(rows)
        (path / "examples.npz").write_bytes(b"PK")
    return path


def _models(place, sentinel):
    """Files of models that would run code, unpack to gigabytes, or are no models."""
    with zipfile.ZipFile(place / "good.keras") as archive:
        good = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(good["config.json"])
    dense = config["config"]["layers"][1]

    def changed(**fields):
        return {**dense, **fields}

    function = {
        "class_name": "function",
        "config": "touch",
        "module": "builtins",
        "registered_name": "touch",
    }
    bodies = {
        "a model with a Lambda": changed(
            class_name="Lambda",
            config={
                "name": "x",
                "function": {
                    "class_name": "__lambda__",
                    "config": {"code": "4wEAAAA=", "defaults": None, "closure": None},
                },
            },
        ),
        "a model of a foreign module": changed(
            class_name="Popen", module="subprocess", config={"args": ["touch", str(sentinel)]}
        ),
        "a model with a foreign function": changed(
            config={**dense["config"], "activation": function}
        ),
        "a model of a petabyte": changed(config={**dense["config"], "units": 1 << 46}),
    }
    found = {}
    for number, (name, layer) in enumerate(bodies.items()):
        layers = [config["config"]["layers"][0], layer]
        body = {**config, "config": {**config["config"], "layers": layers}}
        parts = {**good, "config.json": json.dumps(body).encode()}
        found[name] = _zipped(place / f"model-{number}.keras", parts)
    bomb = {**good, "model.weights.h5": bytes(1 << 28)}
    found["a model that unpacks to 256 MB of nothing"] = _zipped(place / "bomb.keras", bomb)
    found["a model whose settings are nested"] = _zipped(
        place / "nested.keras", {**good, "config.json": b"[" * 100_000}
    )
    cut = place / "cut.keras"
    cut.write_bytes((place / "good.keras").read_bytes()[:-100])
    found["a model that was cut off"] = cut
    return found


def _zipped(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def _arrays(place, sentinel):
    """Files of arrays that would run code, promise or unpack to more than there is, or are none."""
    label = io.BytesIO()
    np.save(label, np.zeros(4, np.int64))
    promise = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 45,)}
    np.lib.format.write_array_header_1_0(promise, header)
    pickled = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        pickled, {"descr": "|O", "fortran_order": False, "shape": (1,)}
    )
    pickled.write(pickle.dumps(_Touch(sentinel)))
    found = {
        "data with a pickle": pickled.getvalue(),
        "data that promise 128 TB": promise.getvalue(),
        "data whose header is no header": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
    }
    files = {
        name: _zipped(
            place / f"data-{number}.npz", {"source.npy": content, "label.npy": label.getvalue()}
        )
        for number, (name, content) in enumerate(found.items())
    }
    bare = place / "bare.npz"
    bare.write_bytes(label.getvalue())
    whole = place / "pickle.npz"
    whole.write_bytes(pickle.dumps(_Touch(sentinel)))
    return {**files, "data that are one array": bare, "data that are a pickle": whole}
