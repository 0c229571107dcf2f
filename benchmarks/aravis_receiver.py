"""Receives one camera's frames with Aravis, as a peer for benchmarks/capture.py; writes nothing to disk.

For the system's own Python (Debian package gir1.2-aravis-0.8): Aravis' bindings are not on PyPI, so nothing of
twinlens is imported here. The camera is set to take its triggers from Line0. Says "armed" once it streams, and
ends with one line of JSON. Without arguments it only says whether Aravis is there.
Run: python3 benchmarks/aravis_receiver.py ADDRESS SECONDS PACKET_SIZE EXPOSURE_US
"""

import json
import sys
import time

BUFFERS = 16
"""As many as twinlens announces."""
POLL_US = 200_000


def main() -> None:
    try:
        import gi  # noqa: PLC0415 - its absence is an answer

        gi.require_version("Aravis", "0.8")
        from gi.repository import Aravis  # noqa: PLC0415
    except (ImportError, ValueError) as cause:
        print(f"Aravis is not installed (Debian package gir1.2-aravis-0.8): {cause}")
        return
    if len(sys.argv) == 1:
        print("Aravis is there")
        return
    address, seconds, packet_size, exposure_us = sys.argv[1], *(float(text) for text in sys.argv[2:])
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


def receive(aravis, camera, seconds):  # noqa: ANN001, ANN201 - Aravis has no types
    """Stream for so long; frames by status, the span of block ids, CPU seconds, and what Aravis counted."""
    stream = camera.create_stream(None, None)
    stream.set_property("socket-buffer", aravis.GvStreamSocketBuffer.AUTO)  # as much as a frame needs
    for _ in range(BUFFERS):
        stream.push_buffer(aravis.Buffer.new_allocate(camera.get_payload()))
    camera.start_acquisition()
    print("armed", flush=True)
    statuses, ids, checksum = {}, [], 0
    cpu_s, until_s = None, float("inf")
    while time.monotonic() < until_s:
        buffer = stream.timeout_pop_buffer(POLL_US)
        if buffer is None:
            continue
        if cpu_s is None:  # from the first frame on
            cpu_s, began_s = time.process_time(), time.monotonic()
            until_s = began_s + seconds
        status = buffer.get_status().value_nick
        statuses[status] = statuses.get(status, 0) + 1
        if status == "success":
            ids.append(buffer.get_frame_id())
            checksum ^= buffer.get_data()[0]  # get_data copies the frame, as twinlens does
        stream.push_buffer(buffer)
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - began_s
    camera.stop_acquisition()
    infos = {stream.get_info_name(i): stream.get_info_uint64_by_name(stream.get_info_name(i))
             for i in range(stream.get_n_infos()) if stream.get_info_name(i).startswith("n_")}  # fmt: skip
    return {
        "complete": statuses.get("success", 0),
        "statuses": statuses,
        "first_id": min(ids),
        "last_id": max(ids),
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "infos": infos,
    }


if __name__ == "__main__":
    main()
