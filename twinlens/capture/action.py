"""GigE Vision action commands: one datagram (or one per camera) that triggers every camera that shares the keys.

Header and payload after the GigE Vision 2.0 specification, ACTION_CMD 0x0100; sent by this host itself, because
producers differ in what they offer. The time of a scheduled action counts ticks of the PTP clock, 1 ns each.
"""

import socket
import struct
import time
from collections.abc import Mapping

from twinlens.capture.clock import ClockLatch
from twinlens.capture.frame import CameraRole
from twinlens.capture.match_commands import Commanded
from twinlens.capture.messages import Opened
from twinlens.capture.rig_file import RigSettings
from twinlens.errors import CaptureError

GVCP_PORT = 3956
ACTION_CMD, ACTION_ACK = 0x0100, 0x0101
_KEY, _WANTS_ACK, _HAS_TIME = 0x42, 0x01, 0x80
ACK_TIMEOUT_S = 0.1


class ActionSender:
    """A socket that sends action commands and hears which cameras got them."""

    def __init__(self, settings: RigSettings, cameras: Mapping[CameraRole, Opened]) -> None:
        """Look up where the cameras are.

        Raises:
            CaptureError: a camera does not tell its address.
        """
        self._cameras: dict[str, CameraRole] = {opened.setting.address: role for role, opened in cameras.items()}
        if "" in self._cameras:
            raise CaptureError(
                f"camera {self._cameras[''].upper()} does not tell its address, which action commands need",
                hint='use trigger = "hardware" or "software"',
            )
        self._lead_ns = int(settings.action_lead_ms * 1e6)
        self._keys = (settings.action_device_key, settings.action_group_key, settings.action_group_mask)
        self._targets = [settings.action_address] if settings.action_address else sorted(self._cameras)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def send(self, trigger_index: int, latch: ClockLatch | None) -> list[Commanded]:
        """Send one action; when each camera got it, as far as they answer, or when it will obey.

        A camera that does not answer in time is taken to have got it when it was sent: its frame will tell.
        `latch`: a reading of the cameras' common clock, by which a scheduled action gets its time.

        Raises:
            CaptureError: a scheduled action is asked for, and the cameras' clock is not known.
        """
        request = trigger_index % 0xFFFF + 1
        before_ns = time.monotonic_ns()
        packet = self._packet(request, before_ns + self._lead_ns, latch)
        for target in self._targets:
            self._socket.sendto(packet, (target, GVCP_PORT))
        sent_ns = time.monotonic_ns()
        heard_ns = self._hear(request)
        if self._lead_ns and latch is not None:
            due_ns, off_ns = before_ns + self._lead_ns, latch.uncertainty_ns
            return [
                Commanded(role, trigger_index, due_ns - off_ns, due_ns + off_ns) for role in self._cameras.values()
            ]
        return [
            Commanded(role, trigger_index, before_ns, heard_ns.get(address, sent_ns))
            for address, role in self._cameras.items()
        ]

    def _packet(self, request: int, due_ns: int, latch: ClockLatch | None) -> bytes:
        if not self._lead_ns:
            return struct.pack(">BBHHHIII", _KEY, _WANTS_ACK, ACTION_CMD, 12, request, *self._keys)
        if latch is None:
            raise CaptureError(
                "the cameras' clock cannot be read, so no action can be scheduled", hint="set action_lead_ms = 0"
            )
        flags, at_ns = _WANTS_ACK | _HAS_TIME, latch.camera_time_ns + due_ns - latch.host_time_ns
        return struct.pack(">BBHHHIIIQ", _KEY, flags, ACTION_CMD, 20, request, *self._keys, at_ns)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _hear(self, request: int) -> dict[str, int]:
        """When each camera acknowledged, on the host's monotonic clock."""
        heard: dict[str, int] = {}
        deadline = time.monotonic() + ACK_TIMEOUT_S
        while len(heard) < len(self._cameras) and (left_s := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                data, (address, _) = self._socket.recvfrom(64)
            except (TimeoutError, ConnectionError):
                break
            if len(data) >= 8 and struct.unpack(">HHHH", data[:8])[1:] == (ACTION_ACK, 0, request):
                heard[address] = time.monotonic_ns()
        return heard
