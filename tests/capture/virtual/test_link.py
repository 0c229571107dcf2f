"""A camera behind a real cable of the kernel's (veth) with jumbo frames: found, asked and moved over it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from twinlens.capture.virtual.gvcp import Status


@pytest.fixture(scope="module")
def told():
    """What the script saw; it needs a network of its own."""
    alone = ["unshare", "-rn"]
    if subprocess.run([*alone, "ip", "link", "set", "lo", "up"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody have a network namespace of their own")
    script = Path(__file__).with_name("linked_camera.py")
    done = subprocess.run(
        [*alone, sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_camera_answers_both_kinds_of_broadcast_from_its_own_address(told):
    assert told["answered"] == ["169.254.1.2", "169.254.1.2"]
    assert told["told"] == "169.254.1.2"


def test_a_jumbo_test_packet_arrives_whole(told):
    assert told["test_packet"] == 9000


def test_a_camera_moves_to_the_address_it_is_ordered_to(told):
    assert told["moved"] == 0
    assert told["moved_to"] == ["169.254.1.9", "169.254.1.9"]
    assert told["same_mac"]


def test_a_camera_refuses_to_move_where_it_cannot_or_is_owned(told):
    assert told["impossible"] == Status.LOCAL_PROBLEM
    assert told["owned"] == Status.ACCESS_DENIED
