"""Aravis as a peer for benchmarks/capture.py: its receiver for one camera, which writes nothing, and its own test.

The receiver runs in the system's own Python (Debian package gir1.2-aravis-0.8), since Aravis' bindings are not on
PyPI; so nothing of twinlens is imported here. It lets the camera take its triggers from Line0 and ends with a line
of JSON. Without arguments it only says whether Aravis is there.
Run: python3 benchmarks/aravis_receiver.py ADDRESS SECONDS PACKET_SIZE EXPOSURE_US
"""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SYSTEM_PYTHON = "/usr/bin/python3"
BUFFERS = 16
"""As many as twinlens announces."""
POLL_US = 200_000
FIRST_FRAME_TIMEOUT_S = 20.0
THERE = "Aravis is there"


def why_missing() -> str:
    """Why there is no Aravis to compare with; empty if there is."""
    if not Path(SYSTEM_PYTHON).exists():
        return f"{SYSTEM_PYTHON} is missing"
    asked = subprocess.run([SYSTEM_PYTHON, __file__], capture_output=True, text=True, timeout=30, check=False)
    return "" if asked.stdout.strip() == THERE else asked.stdout.strip() or asked.stderr.strip()


def start(address: str, *, seconds: float, packet_size: int, exposure_us: float) -> subprocess.Popen[str]:
    """A receiver of its own process for one camera."""
    options = [address, f"{seconds:g}", str(packet_size), f"{exposure_us:g}"]
    return subprocess.Popen(
        [SYSTEM_PYTHON, __file__, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def results(peers: Sequence[subprocess.Popen[str]], *, timeout_s: float) -> list[dict[str, Any]]:
    """What each receiver found; empty, and the reason printed, unless all of them ended well."""
    answers = [peer.communicate(timeout=timeout_s) for peer in peers]
    for said, complained in answers:
        if not said.startswith("{"):
            print(f"  no reference: {complained.strip() or said.strip()}")
            return []
    return [json.loads(said) for said, _ in answers]


def test_camera(serial: str, *, seconds: int) -> str:
    """What arv-camera-test says of one camera at 20 Hz, in one line; it reads raw packets where it may."""
    tool = shutil.which("arv-camera-test-0.8")
    if tool is None:
        return "not installed (Debian package aravis-tools)"
    name = f"twinlens-MER-530-20GM-virtual-{serial}"
    options = ("--frequency=20", f"--duration={seconds}", "--gv-packet-size=8000")
    told = subprocess.run([tool, "-n", name, *options], capture_output=True, text=True, timeout=60, check=False)
    found = dict(re.findall(r"^n_(\w+) *= (\d+)", told.stdout, flags=re.MULTILINE))
    if not found:
        return told.stderr.strip() or told.stdout.strip()
    names = ("completed_buffers", "failures", "missing_packets", "received_packets")
    return ", ".join(f"{name.replace('_', ' ')} {found.get(name, '?')}" for name in names)


def main() -> None:
    try:
        import gi  # noqa: PLC0415 - its absence is an answer

        gi.require_version("Aravis", "0.8")
        from gi.repository import Aravis  # noqa: PLC0415
    except (ImportError, ValueError) as cause:
        print(f"Aravis is not installed (Debian package gir1.2-aravis-0.8): {cause}")
        return
    if len(sys.argv) == 1:
        print(THERE)
        return
    address, (seconds, packet_size, exposure_us) = sys.argv[1], (float(text) for text in sys.argv[2:])
    camera = Aravis.Camera.new(address)
    camera.gv_set_packet_size_adjustment(Aravis.GvPacketSizeAdjustment.NEVER)
    camera.gv_set_packet_size(int(packet_size))
    # Its raw packet socket sees the virtual cameras' packets before the kernel has cut them to size.
    camera.gv_set_stream_options(Aravis.GvStreamOption.PACKET_SOCKET_DISABLED)
    camera.set_string("TriggerSelector", "FrameStart")
    camera.set_string("TriggerMode", "On")
    camera.set_string("TriggerSource", "Line0")
    camera.set_float("ExposureTime", exposure_us)
    print(json.dumps(receive(Aravis, camera, seconds)), flush=True)


def receive(aravis: Any, camera: Any, seconds: float) -> dict[str, Any]:
    """Stream for so long from the first frame on: frames, the span of block ids, CPU, and what Aravis counted."""
    stream = camera.create_stream(None, None)
    stream.set_property("socket-buffer", aravis.GvStreamSocketBuffer.AUTO)  # as much as a frame needs
    for _ in range(BUFFERS):
        stream.push_buffer(aravis.Buffer.new_allocate(camera.get_payload()))
    camera.start_acquisition()
    ids: list[int] = []
    checksum, began_s, cpu_s, until_s = 0, 0.0, 0.0, time.monotonic() + FIRST_FRAME_TIMEOUT_S
    while time.monotonic() < until_s:
        buffer = stream.timeout_pop_buffer(POLL_US)
        if buffer is None:
            continue
        if buffer.get_status() == aravis.BufferStatus.SUCCESS:
            if not ids:
                cpu_s, began_s = time.process_time(), time.monotonic()
                until_s = began_s + seconds
            ids.append(buffer.get_frame_id())
            checksum ^= buffer.get_data()[0]  # get_data copies the frame, as twinlens does
        stream.push_buffer(buffer)
    if not ids:
        raise SystemExit(f"not one frame in {FIRST_FRAME_TIMEOUT_S:g} s")
    used = {"cpu_s": time.process_time() - cpu_s, "wall_s": time.monotonic() - began_s}
    camera.stop_acquisition()
    counters = ("n_resend_requests", "n_missing_packets", "n_underruns")
    counted = {name: stream.get_info_uint64_by_name(name) for name in counters}
    return {"complete": len(ids), "first_id": ids[0], "last_id": ids[-1], **used, **counted}


if __name__ == "__main__":
    main()
