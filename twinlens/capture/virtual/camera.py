"""One virtual GigE Vision camera: its sockets and the thread that answers on them."""

import logging
import selectors
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from twinlens.capture.virtual import bootstrap, discovery, gvcp
from twinlens.capture.virtual.control import Control
from twinlens.capture.virtual.firmware import Firmware
from twinlens.capture.virtual.sender import PacedSender
from twinlens.capture.virtual.source import ImageSource
from twinlens.errors import CaptureError
from twinlens.settings import Settings

log = logging.getLogger(__name__)

_TICK_S = 0.1
_JOIN_TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class VirtualCameraSettings(Settings):
    """How a virtual camera behaves on the network."""

    bytes_per_s: float = 125e6
    """Pace of the stream: what a 1 GbE link carries."""
    use_segmentation: bool = True
    """Hand the kernel many packets at once (UDP_SEGMENT). Receivers that read raw packets need False."""
    trigger_queue: int = 4
    """Triggers that may wait while a frame is being sent."""
    user_name: str = ""
    """DeviceUserID after power-up."""

    def check(self) -> None:
        """Raise `SettingsError` where a value cannot work."""
        self.require("bytes_per_s", minimum=1e5, maximum=1e11)
        self.require("trigger_queue", minimum=1, maximum=1000)


class VirtualCamera:
    """A camera at `address` that looks at `source`; it lives until `close`."""

    def __init__(
        self,
        source: ImageSource,
        *,
        address: str = "127.0.0.2",
        serial: str = "VA0001",
        port: int = gvcp.GVCP_PORT,
        settings: VirtualCameraSettings | None = None,
    ) -> None:
        """Start answering.

        Raises:
            SettingsError: no such address, or the serial number is empty or too long.
            HostLimitError: address or port cannot be used.
        """
        settings = settings or VirtualCameraSettings()
        self.serial = serial
        self.address = address
        self._interface, netmask = discovery.interface_of(address)
        identity = bootstrap.Identity(address=address, serial=serial, user_name=settings.user_name)
        with ExitStack() as opened:
            self._own = opened.enter_context(discovery.control_socket(address, port))
            self._ear = opened.enter_context(discovery.broadcast_socket(port))
            sender = PacedSender(
                address, bytes_per_s=settings.bytes_per_s, use_segmentation=settings.use_segmentation
            )
            opened.callback(sender.close)
            self._firmware = Firmware(
                source, sender, identity=identity, netmask=netmask, queue_length=settings.trigger_queue
            )
            opened.callback(self._firmware.close)
            self._opened = opened.pop_all()
        self._control = Control(self._firmware.registers, on_owner_change=self._firmware.free)
        self.failure: BaseException | None = None
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"camera {serial}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the network; raise `CaptureError` if one of the camera's threads had failed."""
        self._is_closing.set()
        self._thread.join(_JOIN_TIMEOUT_S)
        self._opened.close()
        self.check()

    def check(self) -> None:
        """Raise `CaptureError` if one of the camera's threads has failed."""
        failure = self.failure or self._firmware.failure
        if failure is not None:
            raise CaptureError(
                f"virtual camera {self.serial} failed: {failure!r}", hint="start it again; the log has the trace"
            ) from failure

    def _live(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._own, selectors.EVENT_READ)
                selector.register(self._ear, selectors.EVENT_READ)
                while not self._is_closing.is_set():
                    for key, _events in selector.select(_TICK_S):
                        self._listen(is_broadcast=key.fileobj is self._ear)
                    self._control.check_heartbeat()
        except Exception as error:  # the top of a thread: kept for whoever closes the camera
            log.exception("virtual camera %s ended", self.serial)
            self.failure = error

    def _listen(self, *, is_broadcast: bool) -> None:
        try:
            if is_broadcast:
                datagram, peer, interface = discovery.receive_broadcast(self._ear)
                # With two links, a camera that answers on both is listed twice.
                if self._interface not in (0, interface) or datagram[2:4] != b"\x00\x02":
                    return
            else:
                datagram, peer = self._own.recvfrom(2048)
            answer = self._control.answer(datagram, peer)
            if answer is not None:
                self._own.sendto(answer, peer)
        except OSError as error:  # the host went away, or its network did; it will ask again
            log.debug("camera %s: %s", self.serial, error)
