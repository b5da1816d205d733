"""Where the tasks of a sweep run: processes of this machine, or Ray on this or many machines.

An engine has `share(value)`, a handle that any number of tasks may take and that reaches each
worker once; `run(function, tasks)`, which yields (number of the task, its result) as they end, the
error of the task where a result would be; and `close()`. Tasks are taken as workers come free, so
what a task holds is read when it is needed. A task whose worker died is run again.
"""

import itertools
import os
import pathlib
import socket
import subprocess
import sys
import warnings

from arn_keras.backend import usable_cores
from arn_keras.errors import ArnError, EngineError
from arn_keras.machine.process import end_with_parent

_ATTEMPTS = 5  # of a task whose worker dies; which one it was, a broken pool does not say
_AHEAD = 4  # tasks a worker that are taken before they can run: each may hold a pair of modules
SECONDS_TO_REACH = 10


class LocalEngine:
    """Processes of this machine, single-threaded, one a core; they live as long as the engine.

    Args:
        folder: for what they share and for their temporary files; made if missing, not removed.
        jobs: number of processes; by default the number of cores this process may use.
    """

    def __init__(self, folder, jobs=None):
        self.workers = jobs or usable_cores()
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._executor = None
        self._shared = 0

    def share(self, value):
        """Writes the value once; workers map its arrays into memory."""
        import joblib

        self._shared += 1
        file = self._folder / f"{self._shared}.joblib"
        joblib.dump(value, file)
        return _File(str(file))

    def run(self, function, tasks):
        """Yields (index, result or error) for each task, in the order in which they end."""
        from concurrent.futures import FIRST_COMPLETED, wait
        from concurrent.futures.process import BrokenProcessPool

        left, held, running, deaths = enumerate(tasks), {}, {}, 0
        while deaths < _ATTEMPTS:
            executor = self._start()
            try:
                while True:
                    held |= itertools.islice(left, _AHEAD * self.workers - len(held))
                    if not held:
                        return
                    for index in sorted(held.keys() - running.values()):
                        running[executor.submit(_guarded, function, *held[index])] = index
                    done = wait(running, return_when=FIRST_COMPLETED).done
                    for future in sorted(done, key=lambda each: each.exception() is not None):
                        result = future.result()
                        index = running.pop(future)
                        del held[index]
                        deaths = 0
                        yield index, result
            except BrokenProcessPool:
                self._stop()
                running = {}
                deaths += 1
        raise EngineError(f"expected workers to live, {_ATTEMPTS} in a row were killed at work")

    def _start(self):
        from joblib.externals.loky import ProcessPoolExecutor

        # It replaces a worker whose memory has grown, as it should.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self.workers,
                timeout=600,
                # Read when a library is loaded; where a killed worker leaves its files.
                env={"OMP_NUM_THREADS": "1", "TMPDIR": str(self._folder)},
                initializer=end_with_parent,
                initargs=(os.getpid(),),
            )
        return self._executor

    def _stop(self):
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None

    def close(self):
        """Ends the processes, at once."""
        self._stop()


class RayEngine:
    """Ray, on this machine or on a cluster; `arn_keras` is to be installed on every node.

    Args:
        address: "HOST:PORT" or "auto" of a running cluster; None starts Ray on this machine.
        jobs: number of CPUs to offer where Ray is started here.
        gpus: GPUs that each task declares to need; may be a fraction.

    Raises:
        EngineError: within 15 s, if Ray is not installed or no cluster answers.
    """

    def __init__(self, address=None, jobs=None, gpus=0.0):
        # Ray's notice of a coming change, which does not touch tasks that ask for no GPU.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError:
            raise EngineError(
                "--ray: expected Ray to be installed: pip install 'arn-keras[ray]'"
            ) from None
        self._ray = ray
        self._gpus = gpus
        options = {"include_dashboard": False, "num_cpus": jobs}
        if address is not None:
            _check_address(address)
            options = {"address": address}
        try:
            ray.init(**options, logging_level="ERROR", log_to_driver=False)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise EngineError(f"--ray: expected a Ray cluster: {reason}") from None
        self._shared = 0

    @property
    def workers(self):
        """CPUs of the cluster, now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def share(self, value):
        """Puts the value into the object store, once."""
        self._shared += 1
        return _Stored(
            f"{self._ray.get_runtime_context().get_job_id()}-{self._shared}", [self._ray.put(value)]
        )

    def run(self, function, tasks):
        """Yields (index, result or error) for each task, in the order in which they end."""
        remote = self._ray.remote(num_cpus=1, num_gpus=self._gpus, max_retries=_ATTEMPTS)(_guarded)
        left, running = enumerate(tasks), {}
        while True:
            for index, task in itertools.islice(left, max(0, _AHEAD * self.workers - len(running))):
                running[remote.remote(function, *task)] = index
            if not running:
                return
            done = self._ray.wait(list(running))[0][0]
            index = running.pop(done)
            try:
                result = self._ray.get(done)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except self._ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[0]
                raise EngineError(f"--ray: a task was lost {_ATTEMPTS} times: {reason}") from None
            yield index, result

    def close(self):
        """Leaves the cluster; ends Ray where it was started here."""
        self._ray.shutdown()


class _File:
    """A shared value in a file."""

    def __init__(self, path):
        self.key = self._path = path

    def get(self):
        import joblib

        return joblib.load(self._path, mmap_mode="r")


class _Stored:
    """A shared value in Ray's object store."""

    def __init__(self, key, reference):
        self.key = key
        self._reference = reference

    def get(self):
        import ray

        return ray.get(self._reference[0])


def _guarded(function, *task):
    """The task's result, or the error that is the user's to mend."""
    try:
        return function(*task)
    except (ArnError, ArithmeticError) as error:
        return error


def _check_address(address):
    """Asks a cluster for a sign of life before Ray does, which would wait for long."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise EngineError(f"--ray: expected HOST:PORT or auto, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_REACH / 2).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"--ray: no answer from {address}: {error}") from None
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        subprocess.run(check, check=True, capture_output=True, timeout=SECONDS_TO_REACH)
    except (subprocess.SubprocessError, OSError):
        raise EngineError(f"--ray: what answers at {address} is no Ray cluster") from None
