import json
import logging
import os
import pathlib
import subprocess
import sys

import pytest
from tiny_sets import COLOUR, rows, start_load, write_set

from arn_keras.backend import quiet_stderr, quiet_tensorflow, require_tensorflow, usable_cores
from arn_keras.errors import BackendError


def test_another_backend_is_refused_by_variable_and_by_file(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(BackendError, match="expected Keras on the tensorflow backend, got 'jax'"):
        require_tensorflow()
    monkeypatch.delenv("KERAS_BACKEND")
    require_tensorflow()
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch"}))
    with pytest.raises(BackendError, match="got 'torch'"):
        require_tensorflow()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    require_tensorflow()


def test_the_cores_are_those_of_this_process_or_all_where_the_system_does_not_say(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert usable_cores() == 12
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_no_file_asks_for_the_cores_in_a_way_of_its_own():
    root = pathlib.Path(__file__).parents[1]
    files = [*root.glob("arn_keras/**/*.py"), *root.glob("benchmarks/*.py"), root / "train.py"]
    asking = [file.name for file in files if "sched_getaffinity" in file.read_text()]
    assert asking == ["backend.py"]


def test_what_is_said_during_a_failure_is_shown(capfd):
    with quiet_stderr():
        os.write(2, b"greeting")
    assert capfd.readouterr().err == ""

    def fail():
        with quiet_stderr():
            os.write(2, b"reason")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert capfd.readouterr().err == "reason"


def test_a_first_read_in_a_fresh_process_puts_nothing_on_the_screen(tmp_path):
    write_set(tmp_path / "sets", {"train": rows(COLOUR)})
    out, err = start_load("tiny", tmp_path / "sets", tmp_path / "cache").communicate(timeout=100)
    assert err == ""
    assert out.split()[1:] == ["270", "True", "True"]


def test_the_level_of_absl_is_put_back():
    logger = logging.getLogger("absl")
    before = logger.level
    with quiet_tensorflow():
        assert not logger.isEnabledFor(logging.WARNING)
        assert logger.isEnabledFor(logging.ERROR)
    assert logger.level == before


def test_a_command_s_process_starts_without_what_keras_alone_would_use_and_has_it_later():
    code = (
        "import sys\nfrom arn_keras.backend import load_tensorflow, own_process\n"
        "own_process()\nload_tensorflow()\n"
        "print(sorted({'sklearn', 'matplotlib', 'keras'} & set(sys.modules)))\n"
        "import importlib, matplotlib\n"
        "assert importlib.util.find_spec('sklearn')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['keras']"


def test_importing_the_package_loads_nothing_heavy():
    code = "import arn_keras, sys; print(len({'tensorflow', 'keras', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_every_public_name_is_there():
    import arn_keras

    for name in arn_keras.__all__:
        found = getattr(arn_keras, name)
        assert callable(found)
        assert found.__name__.removeprefix("arn_keras.") == name
    with pytest.raises(AttributeError, match="has no attribute 'absent'"):
        _ = arn_keras.absent
