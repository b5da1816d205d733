import contextlib
import os
import pathlib
import signal
import socket
import sys
import threading
import time

import numpy as np
import pytest

from arn_keras.errors import ConfigError, EngineError
from arn_keras.sweep import engines
from arn_keras.sweep.engines import LocalEngine, RayEngine


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Two workers, whom the tests keep but for one that is killed."""
    engine = LocalEngine(tmp_path_factory.mktemp("engine"), 2)
    yield engine
    engine.close()


def double(value):
    return 2 * value


def test_every_task_has_its_result_once_in_any_order(engine):
    found = list(engine.run(double, [(value,) for value in range(20)]))
    assert sorted(found) == [(index, 2 * index) for index in range(20)]


def test_tasks_are_taken_as_workers_come_free_and_not_all_at_once(engine):
    taken, ended, most = 0, 0, 0

    def tasks():
        nonlocal taken
        for value in range(40):
            taken += 1
            yield (value,)

    for _, _ in engine.run(double, tasks()):
        ended += 1
        most = max(most, taken - ended)
    assert (taken, ended) == (40, 40)
    assert most < 4 * engine.workers


def test_workers_are_kept_for_the_next_tasks(engine):
    def who(_):
        time.sleep(0.05)
        return os.getpid()

    first, again = ({p for _, p in engine.run(who, [(i,) for i in range(8)])} for _ in range(2))
    assert first | again <= first
    assert os.getpid() not in first


def test_a_shared_value_reaches_every_task_by_its_handle(engine):
    shared = engine.share({"numbers": np.arange(1000.0)})

    def total(handle, factor):
        return factor * float(handle.get()["numbers"].sum())

    found = dict(engine.run(total, [(shared, 1), (shared, 2)]))
    assert found == {0: 499500.0, 1: 999000.0}
    assert engine.share(1).key != shared.key


def test_the_error_of_the_user_is_a_result_and_another_is_raised(engine):
    def task(value):
        if value:
            raise ConfigError("expected this")
        return "well"

    found = dict(engine.run(task, [(0,), (1,), (0,)]))
    assert found[0] == found[2] == "well"
    assert isinstance(found[1], ConfigError)
    with pytest.raises(KeyError):
        list(engine.run(lambda value: {}[value], [(0,)]))


def test_a_task_whose_worker_is_killed_is_run_again_and_only_it(engine, tmp_path):
    def task(index, folder):
        log = pathlib.Path(folder) / f"{index}-{time.time_ns()}"
        log.touch()
        runs = len(list(pathlib.Path(folder).glob(f"{index}-*")))
        if index == 3 and runs == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return index

    found = [index for index, _ in engine.run(task, [(i, str(tmp_path)) for i in range(6)])]
    assert sorted(found) == list(range(6))
    assert len(list(tmp_path.glob("3-*"))) == 2
    assert len(list(tmp_path.glob("0-*"))) == 1


def test_tasks_may_lose_more_workers_than_one_task_may(tmp_path):
    def task(log):
        if not log.exists():
            log.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return log.name

    engine = LocalEngine(tmp_path / "engine", 1)
    tasks = [(tmp_path / str(index),) for index in range(engines._ATTEMPTS + 1)]
    try:
        assert sorted(dict(engine.run(task, tasks))) == list(range(len(tasks)))
    finally:
        engine.close()


def test_a_task_that_always_kills_its_worker_ends_in_a_clear_error(tmp_path):
    engine = LocalEngine(tmp_path, 1)
    try:
        with pytest.raises(EngineError, match="expected workers to live"):
            list(engine.run(lambda: os.kill(os.getpid(), signal.SIGKILL), [()]))
    finally:
        engine.close()


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"pip install 'arn-keras\[ray\]'"):
        RayEngine()


@pytest.mark.parametrize("address", ["nonsense", "ray://localhost:1", "localhost", ":1", "h:x"])
def test_an_address_that_is_none_is_refused(address):
    pytest.importorskip("ray")
    with pytest.raises(EngineError, match="expected HOST:PORT or auto"):
        RayEngine(address)


def test_an_address_where_nobody_or_no_cluster_answers_is_an_error_within_15_s(monkeypatch):
    pytest.importorskip("ray")
    assert 1.5 * engines.SECONDS_TO_REACH <= 15  # half of it to connect, then all of it to answer
    monkeypatch.setattr(engines, "SECONDS_TO_REACH", 4)
    start = time.monotonic()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(EngineError, match=f"no answer from 127.0.0.1:{port}"):
            RayEngine(f"127.0.0.1:{port}")
    assert time.monotonic() - start < 15
    start = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        threading.Thread(target=_accept, args=(silent,), daemon=True).start()
        with pytest.raises(EngineError, match="is no Ray cluster"):
            RayEngine(f"127.0.0.1:{port}")
    assert time.monotonic() - start < 15


def _accept(server):
    with contextlib.suppress(OSError), contextlib.ExitStack() as connections:
        while True:
            connections.enter_context(server.accept()[0])
