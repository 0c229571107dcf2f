"""Facts about this computer: socket buffers, processor, clock and disk; its network is in interfaces.py.

Places in /sys are arguments, so that a test can show another computer.
"""

import os
import shutil
import socket
import time
import uuid
from pathlib import Path

import numpy as np

from twinlens.errors import HostLimitError

SYS = Path("/sys")
RECEIVE_BUFFER_NEEDED = 4 << 20
"""Bytes per camera: with 4 MiB no frame of 2 x 20 fps was lost, with 208 kB most were (bursty virtual cameras)."""
_PROBE_BLOCK = 4 << 20
_BLOCKS_PER_SYNC = 8
"""A recorder syncs once a second: waits for syncs should not count more here than they do there."""


def granted_receive_buffer(wanted: int = 64 << 20) -> int:
    """Bytes of socket buffer that the kernel grants a user who asks for `wanted`: at most net.core.rmem_max."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
        granted = probe.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    return granted // 2 if (SYS / "class").is_dir() else granted  # Linux tells twice what it grants


def cpu_governors(sys: Path = SYS) -> tuple[str, ...]:
    """The frequency governors in use; none where nothing governs (virtual machines, fixed clocks)."""
    places = (sys / "devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return tuple(sorted({place.read_text().strip() for place in places}))


def clock_source(sys: Path = SYS) -> tuple[str, tuple[str, ...]]:
    """(what the kernel's clock is read from, what else it could be read from); ("", ()) where it does not tell."""
    folder = sys / "devices/system/clocksource/clocksource0"
    try:
        current = (folder / "current_clocksource").read_text().strip()
        others = (folder / "available_clocksource").read_text().split()
    except OSError:
        return "", ()
    return current, tuple(name for name in others if name != current)


def existing_parent(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())


def free_bytes(folder: Path) -> int:
    """Bytes that can still be written below a folder, which need not exist yet."""
    return shutil.disk_usage(existing_parent(folder)).free


def disk_rate(folder: Path, *, size_bytes: int = 128 << 20, time_s: float = 1.5) -> float:
    """Bytes per second that reach the disk below a folder: writes for a moment, syncs, and removes it again.

    Raises:
        HostLimitError: the folder cannot be written to.
    """
    place = existing_parent(folder) / f".twinlens-disk-probe-{uuid.uuid4().hex[:8]}"
    block = np.random.default_rng(0).bytes(_PROBE_BLOCK)  # noise: a file system that compresses gains nothing
    sync = getattr(os, "fdatasync", os.fsync)
    written, started = 0, time.monotonic()
    try:
        with place.open("xb", buffering=0) as file:
            while written < size_bytes and time.monotonic() - started < time_s:
                written += sum(file.write(block) for _ in range(_BLOCKS_PER_SYNC))
                sync(file.fileno())
            seconds = time.monotonic() - started
    except OSError as cause:
        raise HostLimitError(
            f"{existing_parent(folder)} cannot be written to: {cause.strerror}",
            hint="give a folder that is yours on a disk with room, e.g. with --out",
        ) from cause
    finally:
        place.unlink(missing_ok=True)
    return written / max(seconds, 1e-9)


def require_disk(folder: Path, bytes_per_s: float, seconds: float) -> None:
    """Refuse a recording that the disk cannot take, for lack of room or of speed.

    Args:
        bytes_per_s: what both cameras send together.
        seconds: how long they send; 0 where nobody knows, then only the speed counts.

    Raises:
        HostLimitError: it cannot; the message says what was found and what is needed.
    """
    needed, free = int(bytes_per_s * seconds), free_bytes(folder)
    if needed > free:
        raise HostLimitError(
            f"{existing_parent(folder)} has {free / 1e9:.1f} GB left, the recording takes {needed / 1e9:.1f} GB",
            hint="free some room, record less, or give another folder with --out",
        )
    # As much as a second of frames; a disk that was busy for a moment gets another chance.
    size_bytes = int(min(bytes_per_s, 256e6))
    found = 0.0
    for _attempt in range(3):
        if found < bytes_per_s:
            found = max(found, disk_rate(folder, size_bytes=size_bytes))
    if found < bytes_per_s:
        raise HostLimitError(
            f"{existing_parent(folder)} takes {found / 1e6:.0f} MB/s, the cameras send "
            f"{bytes_per_s / 1e6:.0f} MB/s",
            hint="record to a faster disk, lower rate_hz, or choose a smaller region",
        )
