import ast
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
from bundles import SHAPE
from tiny_bundles import tiny_bundle

from arn_keras.export import runtime
from arn_keras.export.runtime import BundleError, Pair, SignalError

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("other"), seed=1, precisions=("float32",))


@pytest.fixture
def copy(tiny, tmp_path):
    return shutil.copytree(tiny.path, tmp_path / "bundle")


def _edit(bundle, change):
    """Changes a manifest and gives it a fresh digest, as a careful hand would."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    change(manifest)
    manifest["digest"] = runtime.digest(manifest)
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def test_both_modules_give_what_the_keras_models_give(tiny):
    with Pair.load(tiny.path) as pair:
        sent, cleaned = pair.alice.protect(tiny.signal), pair.bob.clean(tiny.received)
    np.testing.assert_allclose(sent, np.asarray(tiny.alice(tiny.signal)), atol=1e-5)
    np.testing.assert_allclose(cleaned, np.asarray(tiny.bob(tiny.received)), atol=1e-5)
    assert np.abs(sent - tiny.signal).max() > 0.1


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_batch_is_its_signals_one_by_one(tiny, precision):
    with Pair.load(tiny.path, precision) as pair:
        batch = pair.alice.protect(tiny.signal)
        assert batch.shape == tiny.signal.shape
        assert np.array_equal(batch, [pair.alice.protect(signal) for signal in tiny.signal])
        assert pair.alice.protect(tiny.signal[0]).shape == SHAPE
        assert pair.alice.protect(tiny.signal[:0]).shape == (0, *SHAPE)
        assert np.array_equal(pair.alice.protect(tiny.signal[::-2]), batch[::-2])


def test_an_answer_does_not_change_when_the_next_one_comes(tiny):
    with Pair.load(tiny.path) as pair:
        first = pair.alice.protect(tiny.signal[0])
        kept = first.copy()
        pair.alice.protect(tiny.signal[1])
    assert np.array_equal(first, kept)


def test_int8_at_the_ends_is_the_same_module(tiny):
    with Pair.load(tiny.path, "int8") as pair, Pair.load(tiny.path, "int8-io") as whole:
        alice = whole.alice
        sent = alice.dequantize(alice.protect(alice.quantize(tiny.signal)))
        np.testing.assert_allclose(
            sent, pair.alice.protect(tiny.signal), atol=1.01 * alice.quantization[1][0]
        )
        with pytest.raises(SignalError, match="expected an array of int8, got float32"):
            alice.protect(tiny.signal)


def test_what_int8_cannot_represent_is_refused(tiny):
    with Pair.load(tiny.path, "int8-io") as pair:
        pair.alice.quantize(tiny.signal)
        for value in (1e6, -1e30, np.nan):
            with pytest.raises(SignalError, match=r"expected values within .*, got"):
                pair.alice.quantize(_with(value))


def test_threads_get_the_answers_of_one_thread(tiny):
    signals = np.tile(tiny.signal, (20, 1))
    with Pair.load(tiny.path) as pair:
        alone = pair.alice.protect(signals)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            together = list(pool.map(pair.alice.protect, signals))
    assert np.array_equal(alone, together)


def test_several_interpreter_threads_give_the_same_answer(tiny):
    with Pair.load(tiny.path) as one, Pair.load(tiny.path, threads=2) as two:
        sent = one.alice.protect(tiny.signal)
        np.testing.assert_allclose(two.alice.protect(tiny.signal), sent, atol=1e-6)


def _with(value):
    signal = np.ones(SHAPE, "float32")
    signal[3] = value
    return signal


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (np.ones(9, "float32"), r"expected shape \(8,\) or a batch of it, got \(9,\)"),
        (np.ones((2, 9), "float32"), r"got \(2, 9\)"),
        (np.ones((1, 1, 8), "float32"), r"got \(1, 1, 8\)"),
        (np.float32(1), "expected an array of float32, got a number of float32"),
        (np.ones(8), "expected an array of float32, got float64"),
        (np.ones(8, ">f4"), "expected an array of float32, got >f4"),
        (np.ones(8, "int8"), "expected an array of float32, got int8"),
        ([1.0] * 8, "expected an array of float32, got list"),
        (None, "expected an array of float32, got NoneType"),
        (_with(np.nan), "expected finite values, got 1 NaN or infinite"),
        (_with(np.inf), "expected finite values, got 1 NaN or infinite"),
        (_with(-np.inf), "expected finite values, got 1 NaN or infinite"),
        (np.stack([_with(1), _with(np.nan)]), "expected finite values, got 1 NaN or infinite"),
    ],
)
def test_a_signal_that_is_none_is_refused(tiny, signal, message):
    with Pair.load(tiny.path) as pair:
        for run in (pair.alice.protect, pair.bob.clean):
            with pytest.raises(SignalError, match=message):
                run(signal)


def test_a_huge_signal_is_refused_and_a_large_one_is_still_a_signal(tiny):
    with Pair.load(tiny.path) as pair:
        for value in (0.0, -1e-30, 1e5, -524287.0):
            assert pair.alice.protect(_with(value)).shape == SHAPE
        for value in (524288.0, -1e20, 3e38):
            for run in (pair.alice.protect, pair.bob.clean):
                with pytest.raises(SignalError, match="expected values below 524288, mean square"):
                    run(_with(value))


@pytest.mark.parametrize("end", ["alice", "bob"])
def test_what_integers_cannot_stand_for_is_refused_not_cut_off(tiny, end):
    given = {"alice": tiny.signal, "bob": tiny.received}[end]
    with Pair.load(tiny.path, "int8") as pair:
        run = getattr(getattr(pair, end), "protect" if end == "alice" else "clean")
        run(given)
        for factor in (100, 1e4):
            with pytest.raises(SignalError, match=r"expected values below (32|128), mean square"):
                run(np.float32(factor) * given)


def test_only_float32_becomes_int8_and_only_of_a_module_of_int8(tiny):
    with Pair.load(tiny.path, "int8-io") as pair:
        for wrong in (tiny.signal.astype(complex), tiny.signal.astype(object), None, [1.0]):
            with pytest.raises(SignalError, match="expected an array of float32, got"):
                pair.alice.quantize(wrong)
            with pytest.raises(SignalError, match="expected an array of int8, got"):
                pair.alice.dequantize(wrong)
    with Pair.load(tiny.path, "int8") as pair:
        for scale in (pair.bob.quantize, pair.bob.dequantize):
            with pytest.raises(SignalError, match="expected a module of int8, got one of float32"):
                scale(tiny.signal)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_forked_process_ends_as_it_should_whatever_it_does_with_the_pair(tiny, threads):
    code = f"""
import os, sys, numpy
from arn_keras.export.runtime import Pair
for number in range(3):
    pair = Pair.load({str(tiny.path)!r}, threads={threads})
    pair.alice.protect(numpy.ones(8, "float32"))
    child = os.fork()
    if not child:
        if number == 0:
            sys.exit(0)
        if number == 1:
            del pair
        else:
            pair.close()
        os._exit(0)
    print(os.waitpid(child, 0)[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"] * 3


def test_a_closed_pair_says_so(tiny):
    with Pair.load(tiny.path) as pair:
        pass
    with pytest.raises(RuntimeError, match="expected an open pair, got one that was closed"):
        pair.alice.protect(tiny.signal[0])


def test_one_end_needs_only_its_own_file(copy, tiny):
    for file in copy.glob("receiver*"):
        file.unlink()
    with Pair.load(copy, role="transmitter") as pair:
        assert pair.alice.protect(tiny.signal[0]).shape == SHAPE
        assert pair.bob is None
    with pytest.raises(BundleError, match=r"receiver_arn\.float32\.tflite: expected a readable"):
        Pair.load(copy)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "expected a precision of float32, int8, int8-io, got 'int4'"),
        ({"role": "eve"}, "expected a role of transmitter, receiver, got 'eve'"),
        ({"identity": "ab" * 32}, f"expected pair {'ab' * 32}, got a bundle of {'0' * 64}"),
    ],
)
def test_what_the_bundle_has_not_is_refused(tiny, options, message):
    with pytest.raises(BundleError, match=message):
        Pair.load(tiny.path, **options)


def test_the_identity_is_the_one_both_ends_compare(tiny):
    with Pair.load(tiny.path, role="receiver") as bob:
        Pair.load(tiny.path, role="transmitter", identity=bob.identity).close()


def test_a_module_of_another_pair_is_refused(copy, other):
    file = "receiver_arn.float32.tflite"
    shutil.copyfile(other.path / file, copy / file)
    with pytest.raises(BundleError, match=f"{file}: damaged, or of another pair"):
        Pair.load(copy)
    theirs = runtime.read_manifest(other.path)["modules"]["receiver"]["float32"]
    _edit(copy, lambda m: m["modules"]["receiver"].update(float32=theirs))
    with pytest.raises(BundleError, match=f"{file}: of pair 0+1, in a bundle of pair 0+$"):
        Pair.load(copy)


def test_modules_in_each_others_place_are_refused(copy):
    def swap(manifest):
        modules = manifest["modules"]
        for name in ("file", "sha256"):
            alice, bob = modules["transmitter"]["float32"], modules["receiver"]["float32"]
            alice[name], bob[name] = bob[name], alice[name]

    _edit(copy, swap)
    with pytest.raises(BundleError, match="expected what the manifest says"):
        Pair.load(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, r"got 3: export it again, or use the runtime\.py that came with it"),
        ({"format": 1}, "got 1, whose headers can be forged and whose code is not signed"),
        ({"keyed": {"transmitter": {}}}, "expected a bundle as it was exported"),
        ({"files": None}, "expected a bundle as it was exported"),
    ],
)
def test_a_bundle_of_another_kind_is_refused(copy, change, message):
    _edit(copy, lambda manifest: manifest.update(change))
    with pytest.raises(BundleError, match=message):
        Pair.load(copy)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """PEM files of Ed25519 private and public keys, and of a public key of another kind."""
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    folder = tmp_path_factory.mktemp("keys")
    private = ed25519.Ed25519PrivateKey.generate()
    public = {
        "public": private.public_key(),
        "foreign": ed25519.Ed25519PrivateKey.generate().public_key(),
        "elliptic": ec.generate_private_key(ec.SECP256R1()).public_key(),
    }
    for name, key in public.items():
        (folder / name).write_bytes(
            key.public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
        )
    (folder / "text").write_text("no key")
    return folder, private


def test_a_signature_is_checked_where_a_key_is_given(copy, keys):
    folder, private = keys
    with pytest.raises(BundleError, match=r"manifest\.json\.sig: expected a readable file"):
        Pair.load(copy, public_key=folder / "public")
    signature = private.sign((copy / "manifest.json").read_bytes())
    (copy / "manifest.json.sig").write_bytes(signature)
    Pair.load(copy, public_key=folder / "public").close()
    with pytest.raises(BundleError, match="not a signature of this bundle by this key"):
        Pair.load(copy, public_key=folder / "foreign")
    for name in ("elliptic", "text"):
        with pytest.raises(BundleError, match="expected an Ed25519 public key in PEM"):
            Pair.load(copy, public_key=folder / name)
    _edit(copy, lambda manifest: manifest.update(seed=5))  # a forger's fresh digest
    Pair.load(copy).close()
    with pytest.raises(BundleError, match="not a signature of this bundle by this key"):
        Pair.load(copy, public_key=folder / "public")


@pytest.mark.parametrize("name", ["argparse.py", "numpy", "extra.so", "errors.pyc", ".hidden"])
def test_a_file_that_the_manifest_does_not_list_is_refused(copy, name, capsys):
    (copy / "micro").mkdir()  # what export.micro writes
    (copy / "__pycache__").mkdir()  # what Python writes
    Pair.load(copy).close()
    (copy / name).write_text("raise SystemExit(0)")
    with pytest.raises(BundleError, match=f"{name}: expected only files that the manifest lists"):
        Pair.load(copy)
    assert runtime.main(["--selftest", "--bundle", str(copy)]) == 2
    assert name in capsys.readouterr().err


@pytest.mark.parametrize("name", ["__pycache__", "micro"])
def test_a_signed_bundle_has_no_code_beside_it_that_nobody_signed(copy, keys, name):
    folder, private = keys
    (copy / "manifest.json.sig").write_bytes(private.sign((copy / "manifest.json").read_bytes()))
    (copy / name).mkdir()
    with pytest.raises(BundleError, match=f"{name}: expected only files that the manifest"):
        Pair.load(copy, public_key=folder / "public")


def test_a_file_beside_the_runtime_does_not_stand_in_for_a_library(copy):
    (copy / "argparse.py").write_text("print('forged'); raise SystemExit(0)")
    command = [sys.executable, "-B", str(copy / "runtime.py"), "--selftest"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "argparse.py: expected only files that the manifest lists" in done.stderr


def test_pipes_devices_and_files_that_grew_are_refused_unread(copy):
    (copy / "receiver_arn.float32.tflite").unlink()
    os.mkfifo(copy / "receiver_arn.float32.tflite")
    with pytest.raises(BundleError, match="expected a readable file: not a regular file"):
        Pair.load(copy)
    file = copy / "transmitter_arn.float32.tflite"
    with open(file, "r+b") as stream:
        stream.truncate(1 << 40)  # sparse: a terabyte that takes no room
    with pytest.raises(BundleError, match="damaged: expected at most"):
        Pair.load(copy, role="transmitter")
    with open(copy / "manifest.json", "r+b") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(BundleError, match="damaged: expected at most 16777216 bytes"):
        Pair.load(copy)


def test_the_self_test_passes_and_finds_a_wrong_answer(copy, capsys):
    assert runtime.main(["--selftest", "--bundle", str(copy)]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        [precision, "ok,"] for precision in ("float32", "int8", "int8-io")
    ]
    with np.load(copy / "vectors.npz") as stored:
        vectors = dict(stored)
    vectors["cleaned.float32"][5] += 1e-3
    np.savez(copy / "vectors.npz", **vectors)
    assert runtime.main(["--selftest", "--bundle", str(copy)]) == 2
    assert "vectors.npz: damaged" in capsys.readouterr().err
    from arn_keras.export.manifest import hashed

    names = ("README.md", "runtime.py", "vectors.npz")
    _edit(copy, lambda m: m.update(files=[hashed(copy, name) for name in names]))
    assert runtime.main(["--selftest", "--bundle", str(copy)]) == 2
    assert "float32: expected the answers within 0.0001, got 0.001" in capsys.readouterr().err


def test_the_client_needs_numpy_and_litert_only():
    found = set()
    for node in ast.walk(ast.parse((ROOT / "export" / "runtime.py").read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    assert found - sys.stdlib_module_names == {
        *("numpy", "ai_edge_litert", "cryptography", "huggingface_hub")
    }


def mutated(random_, files, theirs):
    """The files of a bundle with one or two of them damaged."""
    files = dict(files)
    name = random_.choice([*files, "manifest.json", "manifest.json"])
    content = bytearray(files[name])
    kind = random_.randrange(8)
    if kind == 0:  # a flipped bit
        content[random_.randrange(len(content))] ^= 1 << random_.randrange(8)
    elif kind == 1:  # cut off
        del content[random_.randrange(len(content)) :]
    elif kind == 2:  # a stretch of zeros, as a disk that lost a page leaves it
        start = random_.randrange(len(content))
        content[start : start + 512] = bytes(len(content[start : start + 512]))
    elif kind == 3:  # something appended
        content += random_.randbytes(random_.randrange(1, 9))
    elif kind == 4:
        del files[name]
        return files
    elif kind == 5:  # two files of the bundle, each in the other's place
        twin = random_.choice(list(files))
        files[name], files[twin] = files[twin], files[name]
        return files
    elif kind == 6:  # a file of another pair
        content = theirs.get(name, b"")
    else:  # an edited manifest, half of them with a fresh digest
        name, manifest = "manifest.json", json.loads(files["manifest.json"])
        _edit_somewhere(random_, manifest)
        if random_.random() < 0.5:
            manifest["digest"] = runtime.digest(manifest)
        content = json.dumps(manifest).encode()
    return {**files, name: bytes(content)}


def _edit_somewhere(random_, node):
    while True:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = random_.choice(keys)
        inner = node[key]
        if not isinstance(inner, (dict, list)) or not inner or random_.random() < 0.2:
            break
        node = inner
    if random_.random() < 0.3:
        del node[key]
    else:
        node[key] = random_.choice(
            [None, 0, -1, 7, 1e300, True, "", "x", [], [1], {}, {"file": "../x"}, "manifest.json"]
        )


def test_damaged_bundles_are_refused_or_give_the_same_answer(tiny, other, monkeypatch):
    seed = random.randrange(2**32)
    random_ = random.Random(seed)
    whole = {path.name: path.read_bytes() for path in tiny.path.iterdir()}
    theirs = {path.name: path.read_bytes() for path in other.path.iterdir()}
    files = whole

    def read(path, limit=None):  # as from a disk, without its time
        if path.name not in files:
            raise BundleError(f"{path}: expected a readable file: No such file or directory")
        return files[path.name]

    def answers(precision):
        with Pair.load("bundle", precision) as pair:
            return pair.alice.protect(tiny.signal[0]), pair.bob.clean(tiny.received[0])

    monkeypatch.setattr(runtime, "_read", read)
    monkeypatch.setattr(runtime, "_names", lambda bundle: list(files))
    truth = {precision: answers(precision) for precision in ("float32", "int8")}
    refused = 0
    for _ in range(2_000):  # others at each run of the test
        files = mutated(random_, whole, theirs)
        precision = random_.choice(list(truth))
        try:
            assert np.array_equal(answers(precision), truth[precision]), seed
        except BundleError:
            refused += 1
    assert 800 < refused < 1_800, seed


def test_a_bundle_works_where_there_is_nothing_but_numpy_and_litert(tiny, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command):
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment, timeout=300
        ).stdout

    # Without pip in it, and without the bytecode of what is never imported.
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    pins = ("--no-compile", "--constraint", ROOT / "constraints.txt")
    install = ("-m", "pip", "--python", python, "install", "--quiet", *pins)
    run(sys.executable, *install, "numpy", "ai-edge-litert")
    names = "from importlib.metadata import distributions as all; print(*(d.name for d in all()))"
    installed = {name.replace("_", "-") for name in run(python, "-I", "-c", names).split()}
    assert {"numpy", "ai-edge-litert"} <= installed
    assert not {"tensorflow", "keras", "cryptography", "arn-keras"} & installed
    out = run(python, "-I", tiny.path / "runtime.py", "--selftest")
    assert [line.split()[:2] for line in out.splitlines()] == [
        [precision, "ok,"] for precision in ("float32", "int8", "int8-io")
    ]
