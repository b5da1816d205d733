"""Keyed bundles on a device: keys, message numbers, replays, and the files that carry them."""

import concurrent.futures
import json
import pathlib
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
from bundles import SHAPE
from test_runtime import mutated
from tiny_bundles import tiny_bundle

from arn_keras.export import manifest, runtime
from arn_keras.export.runtime import (
    BundleError,
    KeyingError,
    Pair,
    RefusedMessageError,
    SignalError,
)

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    return tiny_bundle(
        tmp_path_factory.mktemp("keyed"), precisions=("float32",), protection="keyed"
    )


@pytest.fixture(scope="module")
def haar(tmp_path_factory):
    path = tmp_path_factory.mktemp("haar")
    return tiny_bundle(path, precisions=("float32",), protection="keyed", rotation="haar")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    path = tmp_path_factory.mktemp("both")
    return tiny_bundle(path, 1, precisions=("float32", "int8"), protection="arn+keyed")


@pytest.fixture
def key(keyed, tmp_path):
    """A key of the keyed bundle, with its counter beside it."""
    runtime.new_key(keyed.path, tmp_path / "key")
    _copy_key(tmp_path / "key")
    return tmp_path / "key"


def _copy_key(key):
    """What Bob gets: a copy of the key under a name of his own."""
    shutil.copy(key, f"{key}.bob")


def _alice(made, key, **options):
    return Pair.load(made.path, role="transmitter", key=key, counter=f"{key}.counter", **options)


def _bob(made, key, **options):
    return Pair.load(made.path, role="receiver", key=f"{key}.bob", **options)


def _unit_power(signal):
    return signal / np.sqrt(np.mean(signal**2, axis=-1, keepdims=True))


def _number(header):
    return int.from_bytes(header[8:16], "little")


def test_bob_gets_alice_s_signal_at_power_one_single_and_in_a_batch(keyed, key):
    truth = _unit_power(keyed.signal)
    with _alice(keyed, key) as at_alice, _bob(keyed, key) as at_bob:
        header, sent = at_alice.alice.protect(keyed.signal[0])
        assert (type(header), len(header), sent.shape) == (bytes, 32, SHAPE)
        assert header[:8] == at_alice.alice.key_identity == at_bob.bob.key_identity
        np.testing.assert_allclose(at_bob.bob.clean(sent, header), truth[0], atol=1e-5)
        headers, sent = at_alice.alice.protect(keyed.signal)
        assert [_number(each) for each in headers] == list(range(1, 1 + len(keyed.signal)))
        np.testing.assert_allclose(np.mean(sent**2, axis=1), 1, atol=1e-5)
        assert np.mean((sent - truth) ** 2) > 1
        np.testing.assert_allclose(at_bob.bob.clean(sent, headers), truth, atol=1e-5)
        headers, sent = at_alice.alice.protect(keyed.signal[:0])
        assert (headers, sent.shape) == ([], (0, *SHAPE))


def test_the_uniform_rotation_goes_the_same_way(haar, tmp_path):
    truth = _unit_power(haar.signal)
    runtime.new_key(haar.path, tmp_path / "key")
    _copy_key(tmp_path / "key")
    with _alice(haar, tmp_path / "key") as at_alice, _bob(haar, tmp_path / "key") as at_bob:
        assert at_alice.manifest["rotation"] == "haar"
        entry = at_alice.manifest["keyed"]["transmitter"]
        assert (entry["key_input"], entry["key_shape"]) == ("rotation", [8, 8])
        headers, sent = at_alice.alice.protect(haar.signal)
        np.testing.assert_allclose(np.mean(sent**2, axis=1), 1, atol=1e-5)
        # What is sent has nothing in common with the signal: 1600 products of power 1.
        assert abs(np.mean(sent * truth)) < 5 / np.sqrt(truth.size)
        np.testing.assert_allclose(at_bob.bob.clean(sent, headers), truth, atol=1e-5)


def test_two_directions_of_one_key_have_nothing_in_common(keyed, tmp_path):
    key = tmp_path / "key"
    identities = runtime.new_key(keyed.path, key, labels=("up", "down"))
    assert len(set(identities)) == 2
    for name in ("up", "down"):
        shutil.copy(f"{key}.{name}", tmp_path / f"{name}.alice")
        shutil.copy(f"{key}.{name}", tmp_path / f"{name}.bob")
    sent = {}
    for name in ("up", "down"):
        end = {"key": tmp_path / f"{name}.alice", "counter": f"{key}.{name}.counter"}
        with Pair.load(keyed.path, role="transmitter", label=name, **end) as pair:
            sent[name] = pair.alice.protect(keyed.signal[0])
    assert not np.allclose(sent["up"][1], sent["down"][1])
    end = {"key": tmp_path / "up.bob", "window": f"{key}.up.window"}
    with Pair.load(keyed.path, role="receiver", label="up", **end) as pair:
        with pytest.raises(RefusedMessageError, match="expected a message of pair"):
            pair.bob.clean(sent["down"][1], sent["down"][0])
        pair.bob.clean(sent["up"][1], sent["up"][0])
    with pytest.raises(KeyingError, match=r"of this bundle and label, got one for another"):
        Pair.load(keyed.path, role="receiver", label="down", **end)
    end["key"] = tmp_path / "down.bob"
    with pytest.raises(KeyingError, match=r"expected the window of pair .*, got that of"):
        Pair.load(keyed.path, role="receiver", label="down", **end)


def test_a_window_with_a_file_outlives_bob(keyed, key):
    options = {"window": f"{key}.window"}
    with _alice(keyed, key) as at_alice:
        headers, sent = at_alice.alice.protect(keyed.signal[:5])
    with _bob(keyed, key, **options) as at_bob:
        at_bob.bob.clean(sent[:4], headers[:4])
    with _bob(keyed, key, **options) as at_bob:
        for index in range(4):
            with pytest.raises(RefusedMessageError, match="a replay"):
                at_bob.bob.clean(sent[index], headers[index])
        at_bob.bob.clean(sent[4], headers[4])


def test_silence_and_noise_of_another_scale_are_refused_before_a_number_is_taken(keyed, key):
    bad = [np.zeros(SHAPE, "float32"), np.full(SHAPE, 1e-30, "float32")]
    bad += [np.full(SHAPE, value, "float32") for value in (1e20, np.nan, np.inf)]
    with _alice(keyed, key) as pair:
        for wrong in bad:
            batch = keyed.signal[:3].copy()
            batch[1] = wrong
            for given in (wrong, batch):
                with pytest.raises(SignalError, match="expected"):
                    pair.alice.protect(given)
        assert _number(pair.alice.protect(keyed.signal[0])[0]) == 0


def test_ten_thousand_headers_of_a_forger_move_nothing(keyed, key):
    random_ = random.Random(0)
    with _alice(keyed, key) as at_alice, _bob(keyed, key) as at_bob:
        genuine, sent = at_alice.alice.protect(keyed.signal[:50])
        at_bob.bob.clean(sent[:25], genuine[:25])

        def forged():
            header = bytearray(random_.choice(genuine))
            kind = random_.randrange(5)
            if kind == 0:  # a number of her own, far ahead, under an old tag
                header[8:16] = random_.randrange(26, 2**64).to_bytes(8, "little")
            elif kind == 1:
                header[random_.randrange(32)] ^= random_.randrange(1, 256)
            elif kind == 2:
                del header[random_.randrange(32) :]
            elif kind == 3:
                header[16:] = random_.randbytes(16)
            else:
                return random_.choice(genuine[:25])  # a replay, in any order
            return bytes(header)

        for _ in range(10_000):
            with pytest.raises(KeyingError, match="expected"):
                at_bob.bob.clean(sent[0], forged())
        truth = _unit_power(keyed.signal[25:50])
        np.testing.assert_allclose(at_bob.bob.clean(sent[25:], genuine[25:]), truth, atol=1e-5)


def test_two_threads_with_the_same_messages_lose_none(keyed, key):
    with _alice(keyed, key) as at_alice, _bob(keyed, key) as at_bob:
        headers, sent = at_alice.alice.protect(keyed.signal[:40])

        def clean(index):
            try:
                at_bob.bob.clean(sent[index], headers[index])
            except RefusedMessageError:
                return 0
            return 1

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(clean, [*range(40), *range(40)])) == 40


def _signed(keyed, tmp_path):
    """A signed copy of a bundle, the private key, and the public one's file."""
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ed25519

    copy = shutil.copytree(keyed.path, tmp_path / "signed")
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(
        pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "public").write_bytes(public)
    (copy / "manifest.json.sig").write_bytes(private.sign((copy / "manifest.json").read_bytes()))
    return copy, tmp_path / "public"


@pytest.mark.parametrize("public", [True, False])
def test_a_changed_bit_of_the_code_is_refused(keyed, key, tmp_path, public):
    copy, public_key = _signed(keyed, tmp_path)
    end = {"role": "receiver", "key": f"{key}.bob", "public_key": public_key if public else None}
    Pair.load(copy, **end).close()
    for name in runtime.CODE:
        file = copy / f"{name}.py"
        whole = file.read_text()
        file.write_text(whole.replace("1 - 2 * bits", "1 - 0 * bits") + "\n")
        with pytest.raises(BundleError, match=f"{name}.py: damaged"):
            Pair.load(copy, **end)
        file.write_text(whole)
    Pair.load(copy, **end).close()


def test_the_code_that_runs_is_what_was_checked_whatever_lies_about(keyed, key, tmp_path):
    copy, _ = _signed(keyed, tmp_path)
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import numpy as np
import runtime
with runtime.Pair.load({str(copy)!r}, role="receiver", key={str(key)!r} + ".bob") as pair:
    names = [name for name in sys.modules if name.startswith("_arn_keras_bundle_")]
    assert len(names) == {len(runtime.CODE) + 2}, names
    assert not any(getattr(sys.modules[name], "__file__", None) for name in names)
"""
    shutil.copy(copy / "runtime.py", tmp_path)  # the trusted way: a copy outside the bundle
    (copy / "__pycache__").mkdir()
    forged = copy / "__pycache__" / f"key_schedule.{sys.implementation.cache_tag}.pyc"
    forged.write_bytes(b"not even Python's")
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


def test_a_repeated_signal_is_sent_as_another_each_time(keyed, key):
    with _alice(keyed, key) as pair:
        _, sent = pair.alice.protect(np.tile(keyed.signal[:1], (50, 1)))
    assert len(np.unique(sent.round(4), axis=0)) > 40


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_behind_arns_the_keyed_modules_change_nothing_but_the_power(both, tmp_path, precision):
    runtime.new_key(both.path, tmp_path / "key")
    _copy_key(tmp_path / "key")
    options = {"precision": precision}
    with (
        _alice(both, tmp_path / "key", **options) as at_alice,
        _bob(both, tmp_path / "key", **options) as at_bob,
    ):
        headers, sent = at_alice.alice.protect(both.signal)
        cleaned = at_bob.bob.clean(sent, headers)
    between = _unit_power(np.asarray(both.alice(both.signal)))
    truth = np.asarray(both.bob(between))
    error = np.sqrt(np.mean((cleaned - truth) ** 2)) / np.std(truth)
    assert error < (1e-5 if precision == "float32" else 0.05)


def test_messages_come_in_any_order_and_some_never(keyed, key):
    truth = _unit_power(keyed.signal)
    with _alice(keyed, key) as at_alice, _bob(keyed, key) as at_bob:
        sent = [at_alice.alice.protect(signal) for signal in keyed.signal[:40]]
        for index in (3, 0, 39, 1, 17, 2):
            header, signal = sent[index]
            np.testing.assert_allclose(at_bob.bob.clean(signal, header), truth[index], atol=1e-5)


def test_replays_are_refused_and_a_refused_batch_takes_nothing(keyed, key):
    with _alice(keyed, key) as at_alice, _bob(keyed, key) as at_bob:
        headers, sent = at_alice.alice.protect(keyed.signal[:4])
        bob = at_bob.bob
        bob.clean(sent[0], headers[0])
        with pytest.raises(RefusedMessageError, match="expected a new message number, got 0: a re"):
            bob.clean(sent[0], headers[0])
        with pytest.raises(RefusedMessageError, match="got 0: a replay"):
            bob.clean(sent, headers)
        with pytest.raises(RefusedMessageError, match="each message once in a batch, got a replay"):
            bob.clean(sent[1:3], [headers[1]] * 2)
        with pytest.raises(KeyingError, match="expected a header for each message, got 2"):
            bob.clean(sent[1:], headers[1:3])
        with pytest.raises(KeyingError, match="expected a header of 32 bytes, got 31"):
            bob.clean(sent[1], headers[1][:31])
        bob.clean(sent[1:], headers[1:])


def test_a_bad_signal_uses_up_no_number_and_takes_no_message(keyed, key):
    bad = np.full(SHAPE, np.nan, "float32")
    with _alice(keyed, key) as at_alice, _bob(keyed, key) as at_bob:
        for wrong in (bad, keyed.signal[0].astype(float), keyed.signal[0, :-1]):
            with pytest.raises(SignalError):
                at_alice.alice.protect(wrong)
        header, sent = at_alice.alice.protect(keyed.signal[0])
        assert _number(header) == 0
        for wrong in (bad, sent.astype(float), sent[:-1], None):
            with pytest.raises((SignalError, KeyingError)):
                at_bob.bob.clean(wrong, header)
        at_bob.bob.clean(sent, header)


def test_under_a_wrong_key_bob_is_refused_and_so_is_a_forged_header(keyed, key, tmp_path):
    identity = bytes.fromhex(runtime.new_key(keyed.path, tmp_path / "other")[0])
    _copy_key(tmp_path / "other")
    with _alice(keyed, key) as at_alice, _bob(keyed, tmp_path / "other") as stranger:
        headers, sent = at_alice.alice.protect(keyed.signal)
        with pytest.raises(RefusedMessageError, match=r"expected a message of pair .*, got one of"):
            stranger.bob.clean(sent, headers)
        for header in headers:
            with pytest.raises(RefusedMessageError, match="a forged or damaged one"):
                stranger.bob.clean(sent[0], identity + header[8:])


def test_a_restarted_transmitter_repeats_no_number(keyed, key):
    seen = []
    for _ in range(3):
        with _alice(keyed, key) as pair:
            seen += pair.alice.protect(keyed.signal[:5])[0]
    assert len(set(seen)) == 15


def test_threads_get_numbers_of_their_own(keyed, key):
    truth = _unit_power(keyed.signal)
    with (
        _alice(keyed, key) as at_alice,
        _bob(keyed, key) as at_bob,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        sent = list(pool.map(at_alice.alice.protect, keyed.signal))
        assert len({header for header, _ in sent}) == len(keyed.signal)
        cleaned = list(pool.map(lambda each: at_bob.bob.clean(each[1], each[0]), sent))
    np.testing.assert_allclose(cleaned, truth, atol=1e-5)


def test_a_key_serves_the_pair_it_was_made_for_and_no_other(keyed, both, key):
    with pytest.raises(KeyingError, match=r"expected the counter of pair .*, got that of"):
        _alice(both, key)
    with _alice(keyed, key) as at_alice, _bob(both, key) as at_bob:
        header, sent = at_alice.alice.protect(keyed.signal[0])
        with pytest.raises(RefusedMessageError, match="expected a message of pair"):
            at_bob.bob.clean(sent, header)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "expected a key file for a keyed pair, got none"),
        ({"key": "key"}, "expected the file of Alice's message counter, got none"),
        ({"key": "none", "counter": "key.counter"}, "expected a key file, got No such file"),
        ({"key": "key", "counter": "none"}, "expected a message counter's file, got none"),
        ({"key": "short", "counter": "key.counter"}, "expected a key file of 64 hexadecimal"),
        ({"key": "key", "counter": "key.counter"}, "expected a counter nobody else uses"),
    ],
)
def test_what_cannot_key_a_pair_is_refused_at_once(keyed, key, monkeypatch, options, message):
    monkeypatch.chdir(key.parent)
    pathlib.Path("short").write_text("ab" * 31)
    pathlib.Path("short").chmod(0o600)
    with _alice(keyed, key), pytest.raises(KeyingError, match=message):
        Pair.load(keyed.path, **options)


def test_a_pair_without_keyed_modules_takes_no_key(tmp_path, key):
    unkeyed = tiny_bundle(tmp_path, precisions=("float32",))
    with pytest.raises(KeyingError, match="expected no key and no counter"):
        Pair.load(unkeyed.path, key=key)
    with pytest.raises(KeyingError, match="expected a bundle with keyed modules"):
        runtime.new_key(unkeyed.path, tmp_path / "new")


def test_without_cryptography_a_keyed_pair_says_what_it_needs(keyed, key, monkeypatch):
    for name in [each for each in sys.modules if each.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(KeyingError, match="expected the package cryptography, for a keyed pair"):
        _bob(keyed, key)


def test_a_new_key_is_private_and_overwrites_nothing(keyed, tmp_path, capsys):
    arguments = ["--new-key", str(tmp_path / "key"), "--bundle", str(keyed.path)]
    assert runtime.main(arguments) == 0
    text = (tmp_path / "key").read_text()
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    said = capsys.readouterr().out
    assert str(tmp_path / "key.counter") in said
    assert text.strip() not in said
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert runtime.main(arguments) == 2
    (tmp_path / "key").rename(tmp_path / "moved")
    assert runtime.main(arguments) == 2  # the counter is still there
    errors = capsys.readouterr().err.splitlines()
    assert [line.startswith("runtime.py: error: expected no file where") for line in errors] == [
        True,
        True,
    ]
    (tmp_path / "moved").rename(tmp_path / "key")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert runtime.main(["--new-key", "/proc/no/key", "--bundle", str(keyed.path)]) == 2
    inside = str(keyed.path / "key")
    assert runtime.main(["--new-key", inside, "--bundle", str(keyed.path)]) == 2
    assert "expected a place outside the bundle" in capsys.readouterr().err


_ENDS = """
import sys
sys.modules.update(dict.fromkeys(("arn_keras", "tensorflow", "keras")))
sys.path.insert(0, sys.argv[1])
import numpy as np
from runtime import Pair
role, file = sys.argv[2:]
key = {"key": "key.bob", "window": "key.window"}
if role == "transmitter":
    key = {"key": "key", "counter": "key.counter"}
with Pair.load(sys.argv[1], role=role, **key) as pair:
    if role == "transmitter":
        headers, sent = pair.alice.protect(np.load("signal.npy"))
        np.savez(file, headers=[np.frombuffer(each, "u1") for each in headers], sent=sent)
    else:
        with np.load(file) as heard:
            headers = [bytes(each) for each in heard["headers"]]
            np.save("cleaned.npy", pair.bob.clean(heard["sent"], headers))
"""


def test_two_processes_that_have_nothing_but_the_bundle_and_the_key(keyed, key, tmp_path):
    np.save(tmp_path / "signal.npy", keyed.signal)

    def end(role, file):
        command = [sys.executable, "-IB", "-c", _ENDS, str(keyed.path), role, file]
        subprocess.run(command, check=True, cwd=tmp_path, timeout=100)

    end("transmitter", "first.npz")
    end("transmitter", "second.npz")
    end("receiver", "second.npz")
    with np.load(tmp_path / "first.npz") as one, np.load(tmp_path / "second.npz") as two:
        together = np.concatenate([one["headers"], two["headers"]])
    assert len(np.unique(together, axis=0)) == 2 * len(keyed.signal)
    cleaned = np.load(tmp_path / "cleaned.npy")
    np.testing.assert_allclose(cleaned, _unit_power(keyed.signal), atol=1e-5)


@pytest.mark.parametrize("which", ["keyed", "both"])
def test_the_self_test_runs_every_module_and_finds_a_wrong_answer(which, request, tmp_path, capsys):
    made = request.getfixturevalue(which)
    copy = shutil.copytree(made.path, tmp_path / "bundle")
    arguments = ["--selftest", "--bundle", str(copy)]
    assert runtime.main(arguments) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == (["keyed"] if which == "keyed" else ["float32", "int8", "keyed"])
    with np.load(copy / "vectors.npz") as stored:
        vectors = dict(stored)
    vectors["cleaned.keyed"][5] *= -1
    np.savez(copy / "vectors.npz", **vectors)
    written = json.loads((copy / "manifest.json").read_text())
    written["files"] = [manifest.hashed(copy, entry["file"]) for entry in written["files"]]
    manifest.write(copy, {name: value for name, value in written.items() if name != "digest"})
    assert runtime.main(arguments) == 2
    assert "keyed: expected the answers within 0.0001" in capsys.readouterr().err


def test_the_key_schedule_in_a_bundle_is_the_project_s_own_and_listed(both):
    files = {entry["file"] for entry in runtime.read_manifest(both.path)["files"]}
    for original in ("errors.py", *(f"pair/{name}.py" for name in runtime.CODE[1:])):
        original = ROOT / "arn_keras" / original
        assert (both.path / original.name).read_bytes() == original.read_bytes()
        assert original.name in files
    readme = (both.path / "README.md").read_text()
    assert "[transmitter_arn] -> [transmitter_keyed] -> channel -> [receiver_keyed]" in readme
    assert "--new-key" in readme


def test_damaged_keyed_bundles_are_refused_or_give_the_same_answer(keyed, both, key, monkeypatch):
    seed = random.randrange(2**32)
    random_ = random.Random(seed)
    whole = {path.name: path.read_bytes() for path in keyed.path.iterdir()}
    theirs = {path.name: path.read_bytes() for path in both.path.iterdir()}
    with _alice(keyed, key) as pair:
        header, sent = pair.alice.protect(keyed.signal[0])
    files = whole

    def read(path, limit=None):
        if path.name not in files:
            raise BundleError(f"{path}: expected a readable file: No such file or directory")
        return files[path.name]

    monkeypatch.setattr(runtime, "_read", read)
    monkeypatch.setattr(runtime, "_names", lambda bundle: list(files))
    refused = 0
    for _ in range(500):  # others at each run of the test
        files = mutated(random_, whole, theirs)
        try:
            with Pair.load("bundle", role="receiver", key=f"{key}.bob") as pair:
                cleaned = pair.bob.clean(sent, header)
            np.testing.assert_allclose(
                cleaned, _unit_power(keyed.signal[0]), atol=1e-5, err_msg=str(seed)
            )
        except (BundleError, KeyingError):
            refused += 1
    assert 150 < refused < 475, seed
