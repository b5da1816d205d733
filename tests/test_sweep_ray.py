"""A sweep on Ray: a cluster of two nodes on this machine, one of which is killed."""

import os
import signal
import subprocess
import sys

import psutil
from small_sweeps import ROOT, SMALL, await_rows, measured, start

from arn_keras.sweep import __main__ as sweep

GRID = [
    *SMALL,
    *("--snr-db", "0", "5", "10", "15", "20"),
    *("--psr-db", "-20", "-15", "-10", "-5"),
]
ROWS = 5 + 5 * 4 * 2  # the original link at each SNR; SNR x budget x knowledge

CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
node = cluster.add_node(num_cpus=1)
[raylet] = node.all_processes["raylet"]
print(cluster.address, raylet.process.pid, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


def test_on_ray_a_node_is_killed_and_every_row_is_there_once_as_on_this_machine(tmp_path):
    cluster = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        address, raylet = cluster.stdout.readline().split()
        process = start(*GRID, "--ray", address, "--out", str(tmp_path / "ray"))
        await_rows(tmp_path / "ray", ROWS // 2, process)
        raylet = psutil.Process(int(raylet))
        at_work = [p for p in raylet.children() if "ray::" in " ".join(p.cmdline())]
        assert at_work  # the node that is to die has its share of the work
        os.kill(raylet.pid, signal.SIGKILL)
        _, err = process.communicate(timeout=400)
        assert process.returncode == 0, err
    finally:
        cluster.communicate()
    assert sweep.main([*GRID, "--jobs", "2", "--out", str(tmp_path / "local"), "--quiet"]) == 0
    rows = measured(tmp_path / "ray")
    assert len(rows) == ROWS
    assert rows == measured(tmp_path / "local")
