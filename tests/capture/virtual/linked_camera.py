"""Run by test_link in namespaces of its own: a host and a camera at the two ends of an Ethernet cable (veth)."""

import json
import socket
import struct
import subprocess
import sys

import numpy as np

from twinlens.capture.virtual.camera import VirtualCamera

HOST, CAMERA, OTHER = "169.254.1.1", "169.254.1.2", "169.254.1.9"
PORT = 3956
DISCOVERY, FORCEIP = 2, 4


class Grey:
    shape_hw = (64, 96)
    scene_count = mirror_state_count = 1

    def frame(self, _shot):
        return np.full(self.shape_hw, 128, np.uint8)


def camera_end() -> None:
    sys.stdin.readline()  # the cable is plugged in
    with VirtualCamera(Grey(), address=CAMERA):
        sys.stdout.write("up\n")
        sys.stdout.flush()
        sys.stdin.readline()


def ip(*words: str, inside: int | None = None) -> None:
    enter = [] if inside is None else ["nsenter", "-t", str(inside), "-n"]
    subprocess.run([*enter, "ip", *words], check=True)


def host_end() -> dict:
    with subprocess.Popen(
        ["unshare", "-n", sys.executable, __file__, "camera"], stdin=-1, stdout=-1, text=True
    ) as camera:
        ip("link", "add", "va", "mtu", "9000", "type", "veth", "peer", "name", "vb", "mtu", "9000")
        ip("link", "set", "vb", "netns", str(camera.pid))
        ip("addr", "add", f"{HOST}/16", "broadcast", "+", "dev", "va")
        ip("link", "set", "va", "up")
        for address in (CAMERA, OTHER):
            ip("addr", "add", f"{address}/16", "broadcast", "+", "dev", "vb", inside=camera.pid)
        ip("link", "set", "vb", "up", inside=camera.pid)
        print("plugged in", file=camera.stdin, flush=True)
        assert camera.stdout.readline() == "up\n"
        try:
            return talk()
        finally:
            camera.communicate("enough\n", timeout=20)


def talk() -> dict:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        asker.bind((HOST, 0))
        asker.settimeout(5.0)
        found = {to: ask(asker, DISCOVERY, to=to) for to in ("255.255.255.255", "169.254.255.255")}
        mac = found["255.255.255.255"][1][10:16]
        moved = ask(asker, FORCEIP, force_ip(mac, OTHER))
        after = ask(asker, DISCOVERY)
        return {
            "answered": [sender for sender, _payload, _status in found.values()],
            "told": socket.inet_ntoa(found["255.255.255.255"][1][0x24:0x28]),
            "test_packet": largest_packet(asker, OTHER),
            "moved": moved[2],
            "moved_to": [after[0], socket.inet_ntoa(after[1][0x24:0x28])],
            "same_mac": after[1][10:16] == mac,
            "impossible": ask(asker, FORCEIP, force_ip(mac, "10.1.2.3"))[2],
            "owned": refuses_while_owned(asker, mac),
        }


def ask(asker: socket.socket, code: int, payload: bytes = b"", *, to: str = "255.255.255.255") -> tuple:
    """(sender's address, payload, status) of the answer."""
    ask.request_id += 1
    asker.sendto(struct.pack(">BBHHH", 0x42, 0x11, code, len(payload), ask.request_id) + payload, (to, PORT))
    answer, (sender, _port) = asker.recvfrom(2048)
    assert struct.unpack_from(">HHH", answer, 2) == (code + 1, len(answer) - 8, ask.request_id)
    return sender, answer[8:], int.from_bytes(answer[:2], "big")


ask.request_id = 0


def force_ip(mac: bytes, address: str) -> bytes:
    return bytes(2) + mac + bytes(12) + socket.inet_aton(address) + bytes(12) + b"\xff\xff\0\0" + bytes(16)


def largest_packet(asker: socket.socket, camera: str) -> int:
    """Bytes of the test packet of 9000 that arrived unfragmented, headers included."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind((HOST, 0))
        ear.settimeout(5.0)
        port, own = ear.getsockname()[1], int.from_bytes(socket.inet_aton(HOST), "big")
        for address, value in ((0xA00, 2), (0xD18, own), (0xD00, port), (0xD04, 0xC0000000 | 9000), (0xA00, 0)):
            assert ask(asker, 0x82, struct.pack(">II", address, value), to=camera)[2] == 0
        return len(ear.recv(65535)) + 28


def refuses_while_owned(asker: socket.socket, mac: bytes) -> int:
    assert ask(asker, 0x82, struct.pack(">II", 0xA00, 2), to=OTHER)[2] == 0
    return ask(asker, FORCEIP, force_ip(mac, CAMERA))[2]


if __name__ == "__main__":
    if sys.argv[1:] == ["camera"]:
        camera_end()
    else:
        ip("link", "set", "lo", "up")
        sys.stdout.write(json.dumps(host_end()))
