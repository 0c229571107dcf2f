"""How much memory restoring a piece takes, and how much there is: of the machine, of a container, of a GPU."""

from pathlib import Path

import torch

from twinlens.restore.footprint import live_peak_bytes
from twinlens.restore.networks.network import Network

MIB, GIB = 2**20, 2**30
RESIDENT_PER_LIVE = {torch.float32: 1.1, torch.bfloat16: 1.4}
"""What a process grows by, in parts of its live tensors; with `BACKEND_BYTES` never less than was measured.

MPRNet tiny, demo and deblur and NAFNet demo and gopro32, 384x384 to 2592x2048, torch 2.13 with oneDNN, one thread:
at 500 MiB of live tensors and more it was 1.00 to 1.04 in float32 and 1.00 to 1.37 in bfloat16, where oneDNN holds
more copies in its own layout.
"""
BACKEND_BYTES = 192 * MIB
"""What it grows by beside that; 40 to 165 MiB were measured where maps are small."""
USABLE_SHARE = 0.9
"""Of what is free; the rest is for other programs."""
UNTOLD_BYTES = 4 * GIB
"""Taken as free where the system does not tell."""
_NO_LIMIT = 1 << 60
"""A container's limit above this is none; version 1 writes a huge number there."""


def inference_bytes(network: Network, shape_hw: tuple[int, int], *, dtype: torch.dtype) -> int:
    """What restoring one piece of (h, w) adds to a process, its images in float32 with it."""
    height, width = shape_hw
    live = live_peak_bytes(network, (1, network.channels, height, width), dtype=dtype)
    return int(RESIDENT_PER_LIVE[dtype] * live) + BACKEND_BYTES


def free_bytes(device: torch.device) -> int:
    """What a process may still take on the device: the least of what machine and containers leave it."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(USABLE_SHARE * (free + kept))
    return int(USABLE_SHARE * free_host_bytes())


def free_host_bytes(root: Path = Path("/")) -> int:
    """The least of the machine's free memory and what each container around this process leaves.

    Args:
        root: where `proc` and `sys` are mounted.
    """
    return max(0, min([_machine_bytes(root / "proc/meminfo"), *_container_bytes(root)]))


def _machine_bytes(meminfo: Path) -> int:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return UNTOLD_BYTES
    found = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return UNTOLD_BYTES if found is None else int(found) * 1024


def _container_bytes(root: Path) -> list[int]:
    """What each control group from this process' own upwards leaves; see cgroups(7)."""
    try:
        memberships = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in memberships:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
        )
        inside = Path(group.lstrip("/"))
        found += [_left_in(base / part, *names) for part in (inside, *inside.parents)]
    return [left for left in found if left is not None]


def _left_in(folder: Path, limit_name: str, usage_name: str) -> int | None:
    try:
        limit, usage = (folder / limit_name).read_text(), (folder / usage_name).read_text()
        if limit.strip() == "max" or int(limit) > _NO_LIMIT:
            return None
        # File pages count as used, and are given up when memory is wanted.
        rows = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        reclaimable = sum(int(row[1]) for row in rows if row[0] == "inactive_file")
    except (OSError, ValueError, IndexError):
        return None
    return int(limit) - int(usage) + reclaimable
