"""Free memory is the least of what the machine and each container around a process leave."""

from pathlib import Path

import pytest
import torch

from twinlens.restore.memory import UNTOLD_BYTES, USABLE_SHARE, free_bytes, free_host_bytes

KIB, MIB = 2**10, 2**20


def lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


MACHINE = {"proc/meminfo": "MemTotal: 999 kB\nMemAvailable:  800000 kB\n"}


def test_a_machine_without_containers_has_what_it_says(tmp_path: Path) -> None:
    lay(tmp_path, MACHINE)
    assert free_host_bytes(tmp_path) == 800000 * KIB


@pytest.mark.parametrize(("limit", "left_mib"), [(str(300 * MIB), 120), ("max", 500)])
def test_a_container_counts_with_those_around_it_and_file_pages_are_free(
    tmp_path: Path, limit: str, left_mib: int
) -> None:
    inner, outer = "sys/fs/cgroup/jobs/mine", "sys/fs/cgroup/jobs"
    lay(tmp_path, MACHINE | {"proc/self/cgroup": "0::/jobs/mine\n"})
    for folder, allowed, used in ((inner, limit, 200 * MIB), (outer, str(600 * MIB), 120 * MIB)):
        lay(tmp_path, {f"{folder}/memory.max": allowed, f"{folder}/memory.current": str(used)})
        lay(tmp_path, {f"{folder}/memory.stat": f"anon 5\ninactive_file {20 * MIB}\n"})
    assert free_host_bytes(tmp_path) == left_mib * MIB


def test_the_older_form_of_containers_counts_too(tmp_path: Path) -> None:
    lay(tmp_path, MACHINE | {"proc/self/cgroup": "5:memory:/mine\n3:cpu,cpuacct:/mine\n"})
    lay(
        tmp_path,
        {
            "sys/fs/cgroup/memory/mine/memory.limit_in_bytes": str(100 * MIB),
            "sys/fs/cgroup/memory/mine/memory.usage_in_bytes": str(30 * MIB),
            "sys/fs/cgroup/memory/mine/memory.stat": "inactive_file 0\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "1",
            "sys/fs/cgroup/memory/memory.stat": "inactive_file 0\n",
        },
    )
    assert free_host_bytes(tmp_path) == 70 * MIB


def test_a_system_that_tells_nothing_is_taken_to_have_a_little(tmp_path: Path) -> None:
    assert free_host_bytes(tmp_path) == UNTOLD_BYTES


def test_some_of_what_is_free_is_left_to_others() -> None:
    assert 0 < free_bytes(torch.device("cpu")) < USABLE_SHARE * 2**50
