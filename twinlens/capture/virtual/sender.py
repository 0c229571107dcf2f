"""A camera's stream socket: packets out at the pace of its link, many per system call where the kernel can."""

import errno
import logging
import os
import socket
import struct
import time

from twinlens.capture.virtual.gvsp import IP_UDP_BYTES
from twinlens.capture.virtual.pace import Pace

log = logging.getLogger(__name__)

_UDP_SEGMENT = 103
"""Linux: cut one send into datagrams of this size."""
_SEGMENTS_MAX = 64
_BURST_BYTES = 48_000
"""A quarter of the socket buffer that a receiver has by default, 208 kB; more would save little time."""
_NAP_NS = 100_000
"""Shorter pauses are not worth a sleep; what is left out is made up for at the next."""
_ETHERNET_BYTES = 38
"""Preamble, header, checksum and gap of one Ethernet frame."""


class PacedSender:
    """Sends datagrams from one UDP port, paced; threads may share it."""

    def __init__(self, address: str, *, bytes_per_s: float, use_segmentation: bool) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        # Python's own timeout would cost a poll for every send.
        second = struct.pack("@ll", 1, 0) if os.name == "posix" else struct.pack("@L", 1000)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, second)
        self._socket.bind((address, 0))
        self.pace = Pace(bytes_per_s)
        self._use_segmentation = use_segmentation and _can_segment(self._socket)
        self.failed_sends = 0
        """Sends the kernel refused: too big for the path, or no route."""

    @property
    def port(self) -> int:
        """The port packets come from."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def forbid_fragments(self, *, forbid: bool) -> None:
        """Whether a packet too big for the path is dropped instead of cut."""
        mode = getattr(socket, "IP_PMTUDISC_DO", 2) if forbid else getattr(socket, "IP_PMTUDISC_DONT", 0)
        self._socket.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_MTU_DISCOVER", 10), mode)

    def burst_packets(self, datagram_bytes: int) -> int:
        """How many packets of this size go out between two pauses."""
        return max(1, min(_SEGMENTS_MAX, _BURST_BYTES // datagram_bytes))

    def send(self, packets: bytes | memoryview, host: tuple[str, int], *, datagram_bytes: int) -> None:
        """Send packets of `datagram_bytes` each (the last may be shorter) without pausing."""
        if len(packets) > datagram_bytes:
            if self._use_segmentation and self._send_segmented(packets, host, datagram_bytes):
                return
            for start in range(0, len(packets), datagram_bytes):
                self._send(packets[start : start + datagram_bytes], host)
        else:
            self._send(packets, host)

    def pause(self, sent_bytes: int, *, packets: int, delay_ns: int) -> None:
        """Wait until the link would have carried what was sent, with `delay_ns` between packets."""
        wire_bytes = sent_bytes + packets * (IP_UDP_BYTES + _ETHERNET_BYTES)
        wait_ns = self.pace.charge(wire_bytes, delay_ns=packets * delay_ns)
        if wait_ns > _NAP_NS:
            time.sleep(wait_ns / 1e9)

    def _send_segmented(self, packets: bytes | memoryview, host: tuple[str, int], datagram_bytes: int) -> bool:
        # With the call, not as a socket option: the other thread's sends are cut differently.
        size = [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", datagram_bytes))]
        try:
            self._socket.sendmsg([packets], size, 0, host)
        except OSError as error:
            # Segments larger than the path's MTU are refused; single packets are cut into fragments there.
            if error.errno in (errno.EINVAL, errno.EMSGSIZE):
                return False
            self._note(error, len(packets), host)
        return True

    def _send(self, data: bytes | memoryview, host: tuple[str, int]) -> None:
        try:
            self._socket.sendto(data, host)
        except OSError as error:
            self._note(error, len(data), host)

    def _note(self, error: OSError, size: int, host: tuple[str, int]) -> None:
        self.failed_sends += 1
        if self.failed_sends == 1:
            name = errno.errorcode.get(error.errno or 0, "timeout")
            log.warning("stream to %s:%d: a send of %d bytes failed: %s", *host, size, name)


def _can_segment(stream: socket.socket) -> bool:
    try:
        stream.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, 0)
    except OSError:
        return False
    return True
