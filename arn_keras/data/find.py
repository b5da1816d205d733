"""Prepared TensorFlow Datasets data sets: finding one on disk, or downloading and preparing it.

Finding reads file names only: importing tensorflow_datasets takes seconds. TensorFlow Datasets
retries for minutes where there is no network; so its host is asked first, in the background and for
a bounded time, and nothing is downloaded unless it answers.
"""

import hashlib
import json
import os
import re
import threading
import time
from pathlib import Path

HOST = "storage.googleapis.com"
PROBE_SECONDS = 5.0
_NAME = re.compile(
    r"(?P<name>[a-z]\w*)(/(?P<config>[\w+-][\w+.-]*))?(:(?P<version>\d+\.\d+\.\d+))?",
    re.ASCII | re.IGNORECASE,
)
_VERSION = re.compile(r"\d+\.\d+\.\d+", re.ASCII)


def default_data_dir():
    """TensorFlow Datasets' own rule: $TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    return os.environ.get("TFDS_DATA_DIR") or os.path.expanduser("~/tensorflow_datasets")


def parse_name(name):
    """Parts (name, config, version) of NAME[/CONFIG][:VERSION]; None for a part left out."""
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError(f"expected a data set NAME[/CONFIG][:VERSION], got {name!r}")
    return match["name"], match["config"], match["version"]


def find(name, data_dir):
    """Folder of a prepared data set, or None; of several versions, the newest.

    Args:
        name: NAME[/CONFIG][:VERSION]; without CONFIG, the one recorded as the default.
        data_dir: folder of prepared data sets.

    Raises:
        ValueError: if the name is malformed or leaves open which configuration is meant.
        OSError: if a folder exists and cannot be looked into.
    """
    name, config, version = parse_name(name)
    home = Path(data_dir, name)
    found = _newest(home / config if config else home, version)
    if found or config:
        return found
    default = _default_config(home)
    if default:
        return _newest(home / default, version)
    configs = [child.name for child in _folders(home) if _newest(child, version)]
    if configs:
        raise ValueError(f"expected one of {', '.join(f'{name}/{c}' for c in configs)}, got {name}")
    return None


def fingerprint(folder):
    """Key of a prepared data set's content: changes when its files or this module's rules do."""
    digest = hashlib.sha256(b"arn_keras data 2")
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        if path.name in ("dataset_info.json", "features.json"):
            digest.update(path.read_bytes())
        else:
            # Shards are too large to hash; equal sizes with other labels differ in the time.
            status = path.stat()
            digest.update(repr((path.name, status.st_size, status.st_mtime_ns)).encode())
    return digest.hexdigest()[:32]


def start_probe(url=f"https://{HOST}/", seconds=PROBE_SECONDS):
    """Asks in the background whether a host answers; any HTTP status is an answer.

    The client is the one TensorFlow Datasets downloads with, so proxies and certificates are too.

    Args:
        url: address to ask.
        seconds: time after which silence counts as a refusal, from now.

    Returns:
        Function that waits for the outcome and returns it: "" if the host answered, else why not.
    """
    import requests

    deadline = time.monotonic() + seconds
    outcome = []

    def ask():
        try:
            requests.head(url, timeout=seconds)
            outcome.append("")
        except (OSError, ValueError) as error:  # every error of requests is one of the two
            outcome.append(f"{_host(url)} cannot be reached ({type(error).__name__})")

    # A daemon: a name server that never answers must hold up neither the decision nor the exit.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()

    def wait():
        thread.join(max(0.0, deadline - time.monotonic()))
        return outcome[0] if outcome else f"{_host(url)} did not answer in {seconds:g} s"

    return wait


def known_names():
    """Names of the data sets TensorFlow Datasets can prepare; needs no network."""
    import tensorflow_datasets as tfds

    return tfds.list_builders(with_community_datasets=False)


def download_and_prepare(name, data_dir):
    """Downloads a TensorFlow Datasets data set and prepares it in a folder.

    Args:
        name: NAME[/CONFIG][:VERSION].
        data_dir: folder of prepared data sets, made if need be.

    Returns:
        Folder of the prepared set, as `find` would.

    Raises:
        ValueError: if it fails, with the first line of the reason.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        builder.download_and_prepare()
    except Exception as error:  # builders raise whatever their sources make them raise
        reason = next(iter(str(error).strip().splitlines()), "no reason given")
        raise ValueError(f"the download failed ({type(error).__name__}: {reason})") from error
    return Path(builder.data_path)


def _default_config(home):
    try:
        text = (home / ".config" / "metadata.json").read_text()
        return str(json.loads(text)["default_config_name"])
    except (FileNotFoundError, NotADirectoryError, ValueError, LookupError, TypeError):
        return None


def _folders(home):
    try:
        return sorted(child for child in home.iterdir() if child.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _newest(home, version):
    """Folder of the newest complete version (or of the one asked for), or None."""
    prepared = [
        folder
        for folder in _folders(home)
        if _VERSION.fullmatch(folder.name)
        and version in (None, folder.name)
        and (folder / "dataset_info.json").is_file()
        and (folder / "features.json").is_file()
    ]
    numbers = [tuple(map(int, folder.name.split("."))) for folder in prepared]
    return prepared[numbers.index(max(numbers))] if prepared else None


def _host(url):
    return url.split("/")[2]
