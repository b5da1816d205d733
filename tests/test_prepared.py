"""Finding prepared sets from file names alone, and the bounded question to the network."""

import http.server
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from arn_keras.data import find

FILES = ("dataset_info.json", "features.json")


def put(folder, files=FILES):
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).write_text("{}")
    return folder


def test_the_newest_complete_version_is_found(tmp_path):
    put(tmp_path / "set/1.9.0")
    newest = put(tmp_path / "set/1.10.0")
    put(tmp_path / "set/2.0.0", FILES[:1])
    put(tmp_path / "set/3.0.0", FILES[1:])
    put(tmp_path / "set/incomplete.4.0.0")
    assert find.find("set", tmp_path) == newest
    assert find.find("set:1.9.0", tmp_path) == tmp_path / "set/1.9.0"
    assert find.find("set:2.0.0", tmp_path) is None
    assert find.find("other", tmp_path) is None
    assert find.find("set", tmp_path / "nowhere") is None


def test_without_a_configuration_the_recorded_default_is_meant(tmp_path):
    first, second = put(tmp_path / "set/first/1.0.0"), put(tmp_path / "set/second/1.0.0")
    assert find.find("set/first", tmp_path) == first
    assert find.find("set/second:1.0.0", tmp_path) == second
    assert find.find("set/third", tmp_path) is None
    with pytest.raises(ValueError, match=r"expected one of set/first, set/second, got set$"):
        find.find("set", tmp_path)
    (tmp_path / "set/.config").mkdir()
    (tmp_path / "set/.config/metadata.json").write_text('{"default_config_name": "second"}')
    assert find.find("set", tmp_path) == second


@pytest.mark.parametrize(
    "name", ["", "../set", "set/..", "set/../set", "/set", "set:1", "set:1.0.0/../..", "a b", "s\n"]
)
def test_a_name_cannot_lead_out_of_the_folder(tmp_path, name):
    put(tmp_path / "set/1.0.0")
    with pytest.raises(ValueError, match="expected a data set NAME"):
        find.find(name, tmp_path / "set")


def test_the_default_folder_follows_the_rule_of_tensorflow_datasets(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "/prepared")
    assert find.default_data_dir() == "/prepared"
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", "/home/alice")
    assert find.default_data_dir() == "/home/alice/tensorflow_datasets"


def test_the_fingerprint_changes_with_any_file_and_with_nothing_else(tmp_path):
    folder = put(tmp_path / "set/1.0.0")
    shard = folder / "set-train.tfrecord-00000-of-00001"
    shard.write_bytes(b"12345678")
    os.utime(shard, (0, 0))
    seen = [find.fingerprint(folder)]
    assert find.fingerprint(folder) == seen[0]
    for name in FILES:
        (folder / name).write_text('{"a": 1}')
        seen.append(find.fingerprint(folder))
    shard.write_bytes(b"1234567")
    os.utime(shard, (0, 0))
    seen.append(find.fingerprint(folder))
    os.utime(shard, (0, 1))
    seen.append(find.fingerprint(folder))
    shard.rename(folder / "set-test.tfrecord-00000-of-00001")
    seen.append(find.fingerprint(folder))
    assert len(set(seen)) == 6


@pytest.fixture
def direct(monkeypatch):
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


@pytest.mark.usefixtures("direct")
def test_any_http_status_is_an_answer():
    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(403)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert find.start_probe(f"http://127.0.0.1:{server.server_port}/")() == ""


@pytest.mark.usefixtures("direct")
def test_a_refused_connection_is_known_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.monotonic()
    reason = find.start_probe(f"https://127.0.0.1:{port}/")()
    assert reason == f"127.0.0.1:{port} cannot be reached (ConnectionError)"
    assert time.monotonic() - start < 3


@pytest.mark.usefixtures("direct")
def test_a_silent_host_is_given_up_when_the_time_is_over(monkeypatch):
    import requests

    # The client's own time limit holds for each read: a trickle of bytes outlives it.
    monkeypatch.setattr(requests, "head", lambda *_, **__: time.sleep(30))
    start = time.monotonic()
    wait = find.start_probe("https://silent.invalid/", seconds=0.5)
    assert time.monotonic() - start < 0.3
    assert wait() == "silent.invalid did not answer in 0.5 s"
    assert 0.4 < time.monotonic() - start < 1.5


def test_the_names_are_those_of_tensorflow_datasets_and_need_no_network(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", None)
    names = find.known_names()
    assert {"mnist", "fashion_mnist", "cifar10", "svhn_cropped"} <= set(names)
    assert "no_such_set" not in names


def test_a_failed_download_is_one_line(monkeypatch, tmp_path):
    import tensorflow_datasets as tfds

    def refuse(name, data_dir):
        assert (name, data_dir) == ("set", tmp_path)
        raise AssertionError("\nManual download required.\nSee the manual.")

    monkeypatch.setattr(tfds, "builder", refuse)
    with pytest.raises(ValueError, match=r"failed \(AssertionError: Manual download required\.\)$"):
        find.download_and_prepare("set", tmp_path)


def test_a_download_says_where_it_put_the_set(monkeypatch, tmp_path):
    import tensorflow_datasets as tfds

    class Builder:
        data_path = tmp_path / "set/1.0.0"

        def download_and_prepare(self):
            put(Path(self.data_path))

    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: Builder())
    assert find.download_and_prepare("set", tmp_path) == find.find("set", tmp_path)
