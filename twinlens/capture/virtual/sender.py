"""A camera's stream socket: packets out at the pace of a 1 GbE link, many per system call where the kernel can."""

import ctypes
import errno
import logging
import socket
import time

from twinlens.capture.virtual.gvsp import IP_UDP_BYTES

log = logging.getLogger(__name__)

_UDP_SEGMENT = 103
"""Linux: cut one send into datagrams of this size."""
_SEGMENTS_MAX = 64
_BURST_BYTES = 64_000
"""Small against the 208 kB of socket buffer that a receiver has by default; a send is at most 64 kB."""
_ETHERNET_BYTES = 38
"""Preamble, header, checksum and gap of one Ethernet frame."""
_SLACK_NS = 500_000
"""How far behind its pace a sender may catch up in one go: 62 kB at the pace of 1 GbE. With less, every sleep that
ends late slows the stream down, and 20 fps leave only 15 % to spare."""
_PR_SET_TIMERSLACK = 29
_TIMER_SLACK_NS = 1_000
"""Linux lets a thread's sleeps end 50 us late by default, a fifth of the time that a burst takes."""


def sharpen_sleeps() -> None:
    """Let this thread's sleeps end on time, where the system can."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, _TIMER_SLACK_NS, 0, 0, 0)
    except (AttributeError, OSError):
        log.debug("sleeps stay as they are: no prctl here")


class PacedSender:
    """Sends datagrams from one UDP port, paced; how often it may send is the caller's lock's business."""

    def __init__(self, address: str, *, bytes_per_s: float, use_segmentation: bool) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._socket.settimeout(1.0)
        self._socket.bind((address, 0))
        self._ns_per_byte = 1e9 / bytes_per_s
        self._use_segmentation = use_segmentation and self._set_segment(0)
        self._due_ns = 0
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

    def send_one(self, datagram: bytes, host: tuple[str, int]) -> None:
        """Send a single datagram."""
        self._set_segment(0)
        self._send(datagram, host)

    def burst_bytes(self, datagram_bytes: int) -> int:
        """How many bytes of packets go out between two pauses."""
        return datagram_bytes * max(1, min(_SEGMENTS_MAX, _BURST_BYTES // datagram_bytes))

    def send_burst(self, packets: memoryview, host: tuple[str, int], *, datagram_bytes: int) -> None:
        """Send packets of `datagram_bytes` each (the last may be shorter) without pausing."""
        if self._use_segmentation and len(packets) > datagram_bytes and self._set_segment(datagram_bytes):
            self._send(packets, host)
            return
        self._set_segment(0)
        for start in range(0, len(packets), datagram_bytes):
            self._send(packets[start : start + datagram_bytes], host)

    def pause(self, sent_bytes: int, *, packets: int, delay_ns: int) -> None:
        """Wait until the link would have carried what was sent, with `delay_ns` between packets."""
        wire_bytes = sent_bytes + packets * (IP_UDP_BYTES + _ETHERNET_BYTES)
        now_ns = time.monotonic_ns()
        self._due_ns = max(self._due_ns, now_ns - _SLACK_NS)
        self._due_ns += int(wire_bytes * self._ns_per_byte) + packets * delay_ns
        if self._due_ns > now_ns:
            time.sleep((self._due_ns - now_ns) / 1e9)

    def _set_segment(self, size: int) -> bool:
        try:
            self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, size)
        except OSError:
            return False
        return True

    def _send(self, data: bytes | memoryview, host: tuple[str, int]) -> None:
        try:
            self._socket.sendto(data, host)
        except OSError as error:
            self.failed_sends += 1
            if self.failed_sends == 1:
                name = errno.errorcode.get(error.errno or 0, "timeout")
                log.warning("stream to %s:%d: a send of %d bytes failed: %s", *host, len(data), name)
