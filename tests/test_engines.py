"""Tasks answer the same wherever they run, and a lost process or node is told or made good."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_rig import identity_calibration, write_session

from twinlens.building import build_from_sessions
from twinlens.dataset import DatasetSettings
from twinlens.engines import in_processes, on_ray
from twinlens.errors import DatasetError

SETTINGS = DatasetSettings(find_duplicates=False)


def doubled(number: int) -> int:
    return 2 * number


def killed(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_is_answered_once(jobs: int) -> None:
    assert sorted(in_processes(jobs)(doubled, range(7))) == [0, 2, 4, 6, 8, 10, 12]


def test_no_tasks_have_no_answers() -> None:
    assert list(in_processes(2)(doubled, [])) == []


def test_a_killed_process_is_told() -> None:
    with pytest.raises(DatasetError, match="one of 2 processes was killed") as caught:
        list(in_processes(2)(killed, [1, 2]))
    assert "--jobs" in caught.value.hint


def test_a_cluster_that_is_not_there_is_told() -> None:
    with pytest.raises(DatasetError, match=r"no Ray cluster answers at 127\.0\.0\.1:9|ray is not installed"):
        list(on_ray("127.0.0.1:9")(doubled, [1]))


RAY_BUILD = """
import json, sys, threading, time
from pathlib import Path
from ray.cluster_utils import Cluster
from twinlens import build_plan
from twinlens.building import build_from_sessions
from twinlens.capture.session import Session
from twinlens.dataset import DatasetSettings
from twinlens.engines import on_ray

build_plan.MOST_PAIRS = 1
folder = Path(sys.argv[1])
cluster = Cluster()
nodes = [cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20, include_dashboard=False) for _ in range(2)]
lost = threading.Event()

def lose_a_node(done):
    if sys.argv[2] == "lose" and done >= 3 and not lost.is_set():
        lost.set()
        cluster.remove_node(nodes[1], allow_graceful=False)

report = build_from_sessions(
    [Session(folder / "s")], folder / "calibration.json", folder / f"{sys.argv[2]}.h5",
    settings=DatasetSettings(find_duplicates=False), engine=on_ray(cluster.address), on_pair=lose_a_node,
)
assert lost.is_set() == (sys.argv[2] == "lose")
cluster.shutdown()
print(json.dumps([report.pairs, report.content_hash]))
"""


@pytest.mark.parametrize("fate", ["keep", "lose"])
def test_two_ray_nodes_build_the_same_dataset_though_one_is_lost(tmp_path: Path, fate: str) -> None:
    if os.environ.get("CI") != "true":
        pytest.importorskip("ray", reason="ray is not installed")
    session = write_session(tmp_path / "s", pairs_per_scene=4)
    calibration_file = identity_calibration(tmp_path / "calibration.json")
    here = build_from_sessions(
        [session], calibration_file, tmp_path / "here.h5", settings=DatasetSettings(find_duplicates=False)
    )
    child = subprocess.run(
        [sys.executable, "-c", RAY_BUILD, str(tmp_path), fate],
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    assert json.loads(child.stdout.splitlines()[-1]) == [12, here.content_hash]
