"""What both virtual cameras cost at full rate: frames per second, gaps, and the share of a core they take.

Two cameras of 2592x2048 Mono8 run freely at 20 fps in one process, out of looped pictures; this process takes the
packets and judges frames by block id, packet count and camera time.
Reference: the same packets sent with one plain `sendto` each, as fast as they go, by a process that does nothing
else. On the loopback a sender's time includes bringing each packet to the receiver's socket.
Run: python benchmarks/virtual.py [--seconds N] [--receive-buffer BYTES]
"""

import argparse
import itertools
import multiprocessing
import os
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from twinlens.capture.virtual import gvsp
from twinlens.capture.virtual.bootstrap import Abilities, Identity
from twinlens.capture.virtual.camera_settings import VirtualCameraSettings
from twinlens.capture.virtual.gvcp import GVCP_PORT, Command, command
from twinlens.capture.virtual.loop import LoopSettings, LoopSource
from twinlens.capture.virtual.memory import power_up_memory
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.serve import DEFAULT_ADDRESSES

RATE_HZ = 20.0
SHAPE_HW = (2048, 2592)
UDP_GRO = 104
CASES = (("offload", 1500, True), ("offload", 8000, True), ("single packets", 8000, False),
         ("single packets", 1500, False))  # fmt: skip


@dataclass
class Taken:
    """What came from one camera."""

    packets: int = 0
    complete: int = 0
    blocks: list[int] = field(default_factory=list)
    stamps_ns: list[int] = field(default_factory=list)


class Host:
    """One host's control of a camera, without retries: nothing else runs on this loopback."""

    def __init__(self, address: str, addresses_of: dict[str, int]) -> None:
        self._addresses_of = addresses_of
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((address, GVCP_PORT))
        self._socket.settimeout(2.0)
        self._ids = itertools.count(1)

    def write(self, name: str, data: bytes) -> None:
        """Write a register."""
        payload = struct.pack(">I", self._addresses_of[name]) + data
        self._socket.send(command(Command.WRITEMEM, payload, request_id=next(self._ids)))
        status = struct.unpack_from(">H", self._socket.recv(600))[0]
        if status:
            raise SystemExit(f"the camera refused {name}: {status:#06x}")

    def beat(self) -> None:
        """Stay the owner."""
        payload = struct.pack(">I", self._addresses_of["GevCCP"])
        self._socket.send(command(Command.READREG, payload, request_id=next(self._ids)))
        self._socket.recv(600)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each run")
    parser.add_argument("--receive-buffer", type=int, default=4 << 20, help="of each receiving socket, bytes")
    asked = parser.parse_args()
    print(f"2 x {SHAPE_HW[1]}x{SHAPE_HW[0]} Mono8 at {RATE_HZ:g} fps, {asked.seconds:g} s each")
    print(f"{'cameras send':16}{'packet':>8}{'fps a':>8}{'fps b':>8}{'frames':>8}{'incompl.':>9}{'gaps':>6}"
          f"{'core':>8}{'plain':>8}{'ratio':>7}")  # fmt: skip
    for name, packet_size, use_segmentation in CASES:
        settings = VirtualCameraSettings(use_segmentation=use_segmentation)
        taken, share = stream(settings, packet_size, asked.seconds, receive_buffer=asked.receive_buffer)
        plain = 2 * RATE_HZ * plain_cost_s(packet_size)
        rates = [rate_hz(of_one) for of_one in taken]
        frames = sum(len(of_one.blocks) for of_one in taken)
        complete = sum(of_one.complete for of_one in taken)
        gaps = sum(later - before != 1 for t in taken for before, later in itertools.pairwise(t.blocks))
        print(f"{name:16}{packet_size:8}{rates[0]:8.2f}{rates[1]:8.2f}{frames:8}{frames - complete:9}{gaps:6}"
              f"{share:8.1%}{plain:8.1%}{share / plain:7.2f}", flush=True)  # fmt: skip


def stream(
    settings: VirtualCameraSettings, packet_size: int, seconds: float, *, receive_buffer: int
) -> tuple[list[Taken], float]:
    """What came from both cameras, and the share of a core that their process took meanwhile."""
    addresses_of = register_addresses()
    with virtual_rig(LoopSettings(), settings=(settings, settings)):
        (process,) = multiprocessing.active_children()
        taken, stop = [Taken(), Taken()], threading.Event()
        receivers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in taken]
        threads = [
            threading.Thread(target=take, args=(receiver, of_one, stop), daemon=True)
            for receiver, of_one in zip(receivers, taken, strict=True)
        ]
        hosts = [Host(address, addresses_of) for address in DEFAULT_ADDRESSES]
        for receiver, thread, host in zip(receivers, threads, hosts, strict=True):
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            receiver.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(0.2)
            thread.start()
            start(host, receiver.getsockname()[1], packet_size)
        wait(1.0, hosts)  # every looped picture has been packed once
        began, cpu_before = time.monotonic(), cpu_s(process.pid)
        wait(seconds, hosts)
        share = (cpu_s(process.pid) - cpu_before) / (time.monotonic() - began)
        for host in hosts:
            host.write("AcquisitionStop", struct.pack(">I", 1))
        time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
    return taken, share


def start(host: Host, port: int, packet_size: int) -> None:
    host.write("GevCCP", struct.pack(">I", 2))
    host.write("GevSCPS", struct.pack(">I", packet_size))
    host.write("GevSCDA", socket.inet_aton("127.0.0.1"))
    host.write("GevSCPHostPort", struct.pack(">I", port))
    host.write("AcquisitionFrameRate", struct.pack(">d", RATE_HZ))
    host.write("TriggerMode", struct.pack(">I", 0))
    host.write("AcquisitionStart", struct.pack(">I", 1))


def wait(seconds: float, hosts: list[Host]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(0.5, left))
        for host in hosts:
            host.beat()


def take(receiver: socket.socket, taken: Taken, stop: threading.Event) -> None:
    """Count what comes until `stop`; the kernel hands over packets of one send in one piece where it can."""
    room, in_frame = bytearray(1 << 16), 0
    while not stop.is_set():
        try:
            size, control, _flags, _peer = receiver.recvmsg_into([room], 64)
        except TimeoutError:
            continue
        packet_bytes = struct.unpack_from("=i", control[0][2])[0] if control else size
        in_frame += -(-size // packet_bytes)
        kind = room[4]
        if kind == 1:
            taken.blocks.append(int.from_bytes(room[2:4], "big"))
            taken.stamps_ns.append(struct.unpack_from(">Q", room, 12)[0])
            in_frame = 1
        elif kind == 2:
            taken.complete += in_frame == int.from_bytes(room[5:8], "big") + 1
            taken.packets += in_frame


def rate_hz(taken: Taken) -> float:
    """Frames per second of the camera's clock, lost ones included."""
    spans = len(taken.blocks) - 1
    if spans < 1:
        return 0.0
    return (taken.blocks[-1] - taken.blocks[0]) / (taken.stamps_ns[-1] - taken.stamps_ns[0]) * 1e9


def plain_cost_s(packet_size: int) -> float:
    """Processor seconds for the packets of one frame with one `sendto` each, to a socket that somebody reads."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.2)
        stop = threading.Event()
        reader = threading.Thread(target=take, args=(receiver, Taken(), stop), daemon=True)
        reader.start()
        process = context.Process(target=send_plainly, args=(far, receiver.getsockname(), packet_size))
        process.start()
        cost_s = float(near.recv())
        process.join()
        stop.set()
        reader.join()
    return cost_s


def send_plainly(far: "multiprocessing.connection.Connection", host: tuple[str, int], packet_size: int) -> None:
    packets = gvsp.PayloadPackets(SHAPE_HW[0] * SHAPE_HW[1], packet_size=packet_size)
    packets.fill(np.zeros(packets.payload_bytes, np.uint8))
    parts = [packets.packets(i, i) for i in range(1, packets.count + 1)]
    frames = 20
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for part in parts:
            sender.sendto(part, host)
        began = time.process_time()
        for _ in range(frames):
            for part in parts:
                sender.sendto(part, host)
        far.send((time.process_time() - began) / frames)


def register_addresses() -> dict[str, int]:
    """Where a virtual camera keeps what this script writes."""
    identity = Identity(address="127.0.0.2", serial="S", user_name="")
    source = LoopSource(LoopSettings(shape_hw=(64, 96), frames=1))
    memory = power_up_memory(source, identity, netmask="255.0.0.0", abilities=Abilities())
    names = ("GevCCP", "GevSCPS", "GevSCDA", "GevSCPHostPort", "AcquisitionFrameRate", "TriggerMode",
             "AcquisitionStart", "AcquisitionStop")  # fmt: skip
    return {name: memory.address(name) for name in names}


def cpu_s(pid: int | None) -> float:
    """Processor time a process has used, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
