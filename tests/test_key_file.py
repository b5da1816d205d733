"""A key in a file: made whole or not at all, private, read only if it is one, never shown."""

import os

import numpy as np
import pytest
from key_ends import SECRET

from arn_keras.pair.key_file import KeyFile, generate_key, make_key, read_key, write_key
from arn_keras.pair.key_schedule import EPOCH, PairKey
from arn_keras.pair.message_number import MessageCounter
from arn_keras.pair.refusal import KeyingError, RefusedMessageError


@pytest.mark.parametrize("label", ["\udcff", 5, None, b"up", "a\0b", "a/b", ".." * 200])
def test_a_label_that_is_no_name_is_refused_and_nothing_is_made(tmp_path, label):
    with pytest.raises(KeyingError, match="expected a "):
        make_key(tmp_path / "key", labels=("fine", label))
    with pytest.raises(KeyingError, match="expected each label once"):
        make_key(tmp_path / "key", labels=("up", "up"))
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
    with pytest.raises(KeyingError, match="expected a writable place for a new key, got No such f"):
        make_key(tmp_path / "none" / "key")


def test_a_folder_in_the_place_of_a_key_is_refused(tmp_path):
    for path in (tmp_path, "a\0b"):
        with pytest.raises(KeyingError, match=r"got no regular file|expected the path of a file"):
            KeyFile(path)


def test_a_written_key_is_private_fresh_and_never_overwritten(tmp_path):
    old = os.umask(0)
    try:
        for name in ("a", "b"):
            write_key(tmp_path / name)
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    text = (tmp_path / "a").read_text()
    assert read_key(tmp_path / "a").identity == PairKey(bytes.fromhex(text)).identity
    assert read_key(tmp_path / "a").identity != read_key(tmp_path / "b").identity
    with pytest.raises(KeyingError, match="expected no file where a new key goes, got one"):
        write_key(tmp_path / "a")
    assert (tmp_path / "a").read_text() == text
    assert len(generate_key()) == 32
    assert generate_key() != generate_key()


def test_a_key_is_made_together_with_its_counter_or_not_at_all(tmp_path, monkeypatch):
    make_key(tmp_path / "key", b"modules")
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == [
        "key",
        "key.counter",
        "key.window",
    ]
    identity = read_key(tmp_path / "key", b"modules").identity
    assert identity != read_key(tmp_path / "key").identity
    with MessageCounter(tmp_path / "key.counter", identity) as counter:
        assert counter.next() == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "key.counter").rename(tmp_path / "kept")
    with pytest.raises(KeyingError, match="expected no file where a new"):
        make_key(tmp_path / "key")
    (tmp_path / "kept").rename(tmp_path / "key.counter")
    (tmp_path / "key").rename(tmp_path / "kept")
    with pytest.raises(KeyingError, match="expected no file where a new"):
        make_key(tmp_path / "key")
    (tmp_path / "kept").rename(tmp_path / "key")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    def fail(path, pair):
        raise OSError("no space")

    monkeypatch.setattr(MessageCounter, "create", fail)
    with pytest.raises(OSError, match="no space"):
        make_key(tmp_path / "another")
    assert not (tmp_path / "another").exists()


def test_a_failed_write_leaves_no_key_file(tmp_path, monkeypatch):
    def fail(_):
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_key(tmp_path / "key")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_that_others_may_use_is_read_with_a_warning(tmp_path, mode):
    write_key(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.warns(UserWarning, match=f"only its owner may use, got mode {mode:04o}: chmod 600"):
        read_key(tmp_path / "key")


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (SECRET.hex()[:-1], "got fewer"),
        (SECRET.hex() + "0", "got more"),
        (SECRET.hex() + "\n\n", "got more"),
        (SECRET.hex()[:-1] + "g", "got others"),
        ("", "got fewer"),
    ],
)
def test_a_key_file_of_the_wrong_form_is_refused_without_showing_it(tmp_path, text, got):
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(KeyingError, match=f"expected a key file of .*, {got}: ") as refusal:
        read_key(path)
    assert "\n" not in str(refusal.value)
    assert SECRET.hex()[:8] not in str(refusal.value)


def test_a_missing_key_file_is_refused(tmp_path):
    with pytest.raises(KeyingError, match="expected a key file, got No such file"):
        read_key(tmp_path / "key")


def test_what_is_stolen_from_a_silent_direction_opens_nothing_of_the_other(tmp_path):
    """A thief of a device has every file there, of every label."""
    make_key(tmp_path / "key", b"modules", ("up", "down"))
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"} == {
        f"key.{label}{rest}" for label in ("up", "down") for rest in ("", ".counter", ".window")
    }
    up = read_key(tmp_path / "key.up", b"modules", "up")
    sent = up.signs(0, 8, 2)
    np.testing.assert_array_equal(
        sent, read_key(tmp_path / "key.up", b"modules", "up").signs(0, 8, 2)
    )
    KeyFile(tmp_path / "key.up", b"modules", "up").step("end", EPOCH)
    for path in tmp_path.iterdir():
        for label in ("up", "down"):
            try:
                stolen = read_key(path, b"modules", label)
            except KeyingError:
                continue
            assert stolen.epoch == (label == "up")
            if label == "up":
                with pytest.raises(RefusedMessageError, match="its key is forgotten"):
                    stolen.signs(0, 8, 2)
            else:
                assert stolen.identity != up.identity
