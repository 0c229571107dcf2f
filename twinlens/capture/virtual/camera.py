"""One virtual GigE Vision camera: its sockets, the thread that answers on them, and its power supply."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from twinlens.capture.virtual import bootstrap, gvcp
from twinlens.capture.virtual.body import Body, Move
from twinlens.capture.virtual.camera_log import CameraLog
from twinlens.capture.virtual.camera_settings import VirtualCameraSettings
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.firmware import Surroundings
from twinlens.capture.virtual.lines import Pulse
from twinlens.capture.virtual.source import ImageSource
from twinlens.errors import CaptureError

log = logging.getLogger(__name__)

__all__ = ["VirtualCamera", "VirtualCameraSettings"]

_JOIN_TIMEOUT_S = 10.0


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
        faults: Faults | None = None,
        log_path: Path | None = None,
    ) -> None:
        """Start answering.

        Raises:
            SettingsError: no such address, or the serial number is empty or too long.
            HostLimitError: address or port cannot be used, or the log cannot be written.
        """
        self.serial = serial
        self._source, self._port = source, port
        self._settings = settings or VirtualCameraSettings()
        self._faults = faults or Faults()
        self._identity = bootstrap.Identity(
            address=address, serial=serial, user_name=self._settings.user_name, first_address=address
        )
        self._sinks: tuple[Callable[[Pulse], None], ...] = ()
        self.log = CameraLog(log_path)
        """What the camera really did."""
        self._is_unplugged, self._is_closing = threading.Event(), threading.Event()
        self.failure: BaseException | None = None
        try:
            self._body: Body | None = self._boot()
        except BaseException:
            self.log.close()
            raise
        self._thread = threading.Thread(target=self._live, name=f"camera {serial}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Where the camera answers, as long as it has power."""
        return self._identity.address

    @property
    def is_powered(self) -> bool:
        """False from unplugging to plugging in again."""
        return self._body is not None and not self._is_unplugged.is_set()

    def receive(self, pulse: Pulse) -> None:
        """Take a pulse at Line0."""
        body = self._body
        if body is not None and self.is_powered:
            body.firmware.trigger_input.receive(pulse)

    def connect(self, sink: Callable[[Pulse], None]) -> None:
        """Hand every pulse of Line1 to `sink` from now on."""
        self._sinks = (*self._sinks, sink)

    def close(self) -> None:
        """Leave the network; raise `CaptureError` if one of the camera's threads had failed."""
        self._is_closing.set()
        self._thread.join(_JOIN_TIMEOUT_S)
        self.log.close()
        self.check()

    def check(self) -> None:
        """Raise `CaptureError` if one of the camera's threads has failed."""
        failure = self.failure or (self._body.firmware.failure if self._body is not None else None)
        if failure is not None:
            raise CaptureError(
                f"virtual camera {self.serial} failed: {failure!r}", hint="start it again; the log has the trace"
            ) from failure

    def _live(self) -> None:
        try:
            while not self._is_closing.is_set():
                if self._body is None:
                    self._wait_for_power()
                elif self._is_unplugged.is_set():
                    self._cut()
                elif (move := self._body.listen()) is not None:
                    self._move(move)
        except Exception as error:  # the top of a thread: kept for whoever closes the camera
            log.exception("virtual camera %s ended", self.serial)
            self.failure = error
        finally:
            self._cut()

    def _boot(self) -> Body:
        around = Surroundings(log=self.log, emit=self._emit, unplug=self._is_unplugged.set)
        return Body(
            self._source,
            self._identity,
            port=self._port,
            settings=self._settings,
            faults=self._faults,
            around=around,
            is_dead=self._is_unplugged.is_set,
        )

    def _emit(self, pulse: Pulse) -> None:
        for sink in self._sinks:
            sink(pulse)

    def _cut(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            self.failure = self.failure or body.firmware.failure
            body.close()
            self.log.flush()

    def _wait_for_power(self) -> None:
        self._is_closing.wait(self._faults.replug_after_s or None)
        if not self._is_closing.is_set():
            self._faults = replace(self._faults, unplug_after_frames=-1)
            self._is_unplugged.clear()
            self._body = self._boot()
            log.info("virtual camera %s is plugged in again", self.serial)

    def _move(self, move: Move) -> None:
        log.info("virtual camera %s moves from %s to %s", self.serial, self.address, move.address)
        self._cut()
        self._identity = replace(self._identity, address=move.address)
        self._body = self._boot()
        self._body.say(move.unsaid)
