"""A file that one process owns: what else may lie in its place, or get there while it is open."""

import os

import pytest
from counters import PAIR, path, take  # noqa: F401

from arn_keras.pair.message_number import MessageCounter, ReplayWindow
from arn_keras.pair.refusal import KeyingError


def test_a_lock_that_was_removed_gives_no_number_twice(path):
    with MessageCounter(path, PAIR, block=5) as first:
        seen = [first.next()]
        os.unlink(f"{path}.lock")
        with MessageCounter(path, PAIR, block=5) as second:
            seen += [first.next() for _ in range(4)] + [second.next() for _ in range(5)]
            with pytest.raises(KeyingError, match=r"nobody else touches, got its lock .* removed"):
                first.next()
            seen += [second.next()]
    assert len(set(seen)) == len(seen) == 11


def test_two_counters_without_a_common_lock_cannot_reserve_one_block(path):
    """Removed at the worst moment: both were opened before either reserved."""
    with MessageCounter(path, PAIR, block=5) as first:
        os.rename(f"{path}.lock", f"{path}.kept")
        with MessageCounter(path, PAIR, block=5) as second:
            os.unlink(f"{path}.lock")
            os.rename(f"{path}.kept", f"{path}.lock")  # the first one's again
            assert first.next() == 0
            with pytest.raises(KeyingError, match=r"nobody else touches, got its lock"):
                second.next()


def test_a_hard_link_gives_no_number_twice(path):
    other = path.with_name("other")
    os.link(path, other)
    for name in (path, other):
        with pytest.raises(KeyingError, match="file under one name, got 2"):
            MessageCounter(name, PAIR)
    other.unlink()
    with MessageCounter(path, PAIR, block=2) as counter:
        assert [counter.next(), counter.next()] == [0, 1]
        os.link(path, other)
        with pytest.raises(KeyingError, match="file under one name, got 2"):
            counter.next()


def test_a_file_renamed_or_replaced_while_open_gives_no_number_twice(path):
    other = path.with_name("other")
    with MessageCounter(path, PAIR, block=2) as counter:
        seen = [counter.next()]
        os.rename(path, other)
        with MessageCounter(other, PAIR, block=2) as second:
            seen += [counter.next(), second.next(), second.next(), second.next()]
            with pytest.raises(KeyingError, match="nobody else touches, got its file gone"):
                counter.next()
    assert len(set(seen)) == len(seen)
    os.rename(other, path)
    with MessageCounter(path, PAIR, block=2) as counter:
        counter.next(), counter.next()
        MessageCounter.create(other, PAIR)
        os.rename(other, path)
        with pytest.raises(KeyingError, match="nobody else touches, got its file at 0 instead of"):
            counter.next()


def test_a_pipe_a_device_or_a_folder_in_the_place_of_a_counter_is_refused_unread(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "device", "folder"):
        with pytest.raises(KeyingError, match=r"got no regular file|expected a writable folder"):
            MessageCounter(tmp_path / name, PAIR)
        with pytest.raises(KeyingError, match=r"got no regular file|expected a writable folder"):
            ReplayWindow(path=tmp_path / name, pair=PAIR)


@pytest.mark.parametrize("beside", ["counter.lock", ".counter.new"])
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_lies_in_the_place_of_a_lock_is_refused_or_swept_and_never_waited_for(
    path, beside, kind
):
    whole, other = path.read_bytes(), path.parent / "other"
    other.write_bytes(b"other")
    (path.parent / beside).unlink(missing_ok=True)
    make = {"pipe": os.mkfifo, "link": lambda at: at.symlink_to(other), "folder": os.mkdir}
    make[kind](path.parent / beside)
    if beside == ".counter.new" and kind != "folder":
        take(path, 1)
    else:
        with pytest.raises(KeyingError, match="expected a writable folder for the counter, got "):
            MessageCounter(path, PAIR)
        assert path.read_bytes() == whole
    assert other.read_bytes() == b"other"


@pytest.mark.parametrize("path", ["a\0b", "\ud800", 1.5, None])
def test_what_names_no_file_is_refused_in_one_line(path):
    with pytest.raises(KeyingError, match="expected the path of a file, got"):
        MessageCounter(path, PAIR)


@pytest.mark.parametrize("code", ["EBADF", "ENOLCK", "ENOSYS"])
def test_a_file_system_without_working_locks_is_told_from_one_in_use(path, monkeypatch, code):
    import errno
    import fcntl

    def fail(*_):
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(KeyingError, match="expected a file system with working locks for a count"):
        MessageCounter(path, PAIR)


def test_what_a_killed_process_left_is_swept_by_the_next(path):
    (path.parent / ".counter.new").write_bytes(b"half a reco")
    take(path, 1)
    assert sorted(each.name for each in path.parent.iterdir()) == ["counter", "counter.lock"]
