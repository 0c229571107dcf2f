"""GenICam cameras through harvesters: find, open, set features, stream.

The only file that imports harvesters or genicam. It copies each image out of the producer's buffer and gives
the buffer back at once, counts the incomplete frames that harvesters discards, and turns vendor exceptions
into ours. One process should hold one camera: harvesters keeps the GIL while it waits for a frame.
"""

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from genicam import genapi, gentl
from harvesters.core import Callback, Harvester, ImageAcquirer

from twinlens.capture.pixel_formats import decode
from twinlens.errors import CameraLostError, CameraNotFoundError, CaptureError, SettingsError
from twinlens.pixels import Mono

log = logging.getLogger(__name__)
# harvesters logs a traceback for each condition that it also raises or that we count.
logging.getLogger("harvesters").setLevel(logging.CRITICAL)

# A value of the wrong type ends in the binding's TypeError, a command that is written to in an AttributeError.
_REFUSALS = (genapi.OutOfRangeException, genapi.InvalidArgumentException, genapi.AccessException, AttributeError)

FeatureValue = int | float | str | bool

_COUNTERS = (
    "StreamDeliveredFrameCount",
    "StreamIncompleteFrameCount",
    "StreamLostFrameCount",
    "StreamLostPacketCount",
    "StreamResendRequestCount",
    "StreamResendPacketCount",
    "StreamUnderrunCount",
    "StreamDuplicatePacketCount",
    "StreamInvalidPacketCount",
    "StreamPacketSize",
    "StreamReceiveBufferSize",
)


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """How a camera introduces itself."""

    serial: str
    vendor: str
    model: str
    user_name: str


@dataclass(frozen=True, slots=True)
class FeatureLimits:
    """The range a numeric feature accepts, in the feature's own unit."""

    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """One complete image as the producer delivered it."""

    pixels: Mono
    frame_id: int
    camera_time_ns: int
    """0 when the producer gives no time."""
    host_time_ns: int


class Camera:
    """One open camera."""

    def __init__(self, acquirer: ImageAcquirer, info: CameraInfo) -> None:
        self.info = info
        self.incomplete_frames = 0
        self._acquirer = acquirer
        self._incomplete: list[int | None] = []
        self._nodes = acquirer.remote_device.node_map
        acquirer.add_callback(ImageAcquirer.Events.INCOMPLETE_BUFFER, _CountIncomplete(self))

    def has(self, name: str) -> bool:
        """Whether the camera knows the feature `name`."""
        return hasattr(self._nodes, name)

    def read(self, name: str) -> FeatureValue:
        """The value of a feature."""
        with self._talking(f"reading {name}"):
            value: FeatureValue = self._node(name).value
            return value

    def limits(self, name: str) -> FeatureLimits:
        """The range a numeric feature accepts."""
        with self._talking(f"reading the limits of {name}"):
            node = self._node(name)
            return FeatureLimits(float(node.min), float(node.max))

    def write(self, name: str, value: FeatureValue) -> None:
        """Set a feature.

        Raises:
            SettingsError: the camera has no such feature or refuses the value; nothing is clipped.
            CameraLostError: the camera does not answer.
        """
        with self._talking(f"setting {name} to {value!r}"):
            self._node(name).value = value

    def execute(self, name: str) -> None:
        """Run a command feature."""
        with self._talking(f"executing {name}"):
            self._node(name).execute()

    def start(self, *, buffers: int) -> None:
        """Announce `buffers` buffers and start streaming."""
        with self._talking("starting the stream"):
            self._acquirer.num_buffers = buffers
            self._acquirer.start()

    def stop(self) -> None:
        """Stop streaming."""
        with self._talking("stopping the stream"):
            self._acquirer.stop()

    def fetch(self, *, timeout_s: float) -> ReceivedFrame | None:
        """The next complete frame, or None after `timeout_s` or after an incomplete one (which is counted)."""
        with self._talking("waiting for a frame"):
            buffer = self._acquirer.try_fetch(timeout=timeout_s)
        if buffer is None:
            return None
        host_time_ns = time.monotonic_ns()
        with buffer:
            component = buffer.payload.components[0]
            # harvesters' own reading of packed pixels is wrong: 10240 of 12288 in Mono10Packed.
            payload = np.frombuffer(buffer.module.raw_buffer, np.uint8)
            pixels = decode(payload, str(component.data_format), (int(component.height), int(component.width)))
            return ReceivedFrame(pixels, int(buffer.frame_id), _camera_time_ns(buffer), host_time_ns)

    def note_incomplete(self) -> None:
        """Harvesters discarded an incomplete frame; its block id is still in the buffer it queued again."""
        self.incomplete_frames += 1
        monitors = getattr(self._acquirer, "_new_buffer_event_monitor_dict", {})  # told nowhere else
        try:
            ids = [int(monitor.buffer.frame_id) for monitor in monitors.values()]
        except (gentl.GenericException, AttributeError):
            ids = []
        self._incomplete.append(ids[0] if len(ids) == 1 else None)

    def take_incomplete(self) -> list[int | None]:
        """Block ids of the incomplete frames since the last call; None where the producer does not tell."""
        taken, self._incomplete = self._incomplete, []
        return taken

    def stream_statistics(self) -> dict[str, int]:
        """The producer's own counters (names as in its stream module), as far as it has any."""
        nodes = self._acquirer.data_streams[0].node_map
        return {name: int(getattr(nodes, name).value) for name in _COUNTERS if nodes and hasattr(nodes, name)}

    def close(self) -> None:
        """Give the camera back; a camera that is gone already is only logged."""
        try:
            self._acquirer.destroy()
        except (genapi.GenericException, gentl.GenericException) as error:
            log.warning("camera %s could not be stopped: %s", self.info.serial, _first_line(error))
            # harvesters stops before it frees and lets an error of the first prevent the second.
            with suppress(genapi.GenericException, gentl.GenericException):
                self._acquirer.destroy()

    def _node(self, name: str) -> Any:
        try:
            return getattr(self._nodes, name)
        except AttributeError as cause:
            raise SettingsError(
                f"camera {self.info.serial} ({self.info.model}) has no feature {name}",
                hint="features are listed in the camera's manual; names follow the SFNC",
            ) from cause

    @contextmanager
    def _talking(self, what: str) -> Iterator[None]:
        who = f"camera {self.info.serial}"
        try:
            yield
        except (*_REFUSALS, TypeError, ValueError) as cause:
            raise SettingsError(
                f"{who} refused {what}: {_first_line(cause)}",
                hint="choose a value the camera offers, and set locked features before streaming",
            ) from cause
        except (genapi.GenericException, gentl.GenericException) as cause:
            raise CameraLostError(
                f"{who} failed while {what}: {_first_line(cause)}",
                hint="check cable and power, and that no other program controls the camera",
            ) from cause


class Producer:
    """A loaded GenTL producer; a context manager that closes every camera it opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._harvester = Harvester()
        self._harvester.add_file(str(path), check_existence=True, check_validity=True)
        self._harvester.update()
        if not self._harvester.has_revised_device_info_list:
            self._harvester.reset()
            raise CaptureError(
                f"{path.name} could not look for cameras",
                hint="check TWINLENS_GEV_DEVICES, or the vendor's own viewer with a vendor's producer",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._harvester.reset()

    def cameras(self) -> tuple[CameraInfo, ...]:
        """Every camera that answered, sorted by serial number."""
        found = (_describe(device) for device in self._harvester.device_info_list)
        return tuple(sorted(found, key=lambda info: info.serial))

    def open(self, serial: str) -> Camera:
        """Open one camera for exclusive control.

        Raises:
            CameraNotFoundError: no camera, or another one, answered.
            CaptureError: the camera is there and cannot be opened.
        """
        found = self.cameras()
        info = next((info for info in found if info.serial == serial), None)
        if info is None:
            seen = ", ".join(camera.serial for camera in found) or "none"
            raise CameraNotFoundError(
                f"camera {serial} did not answer; cameras found through {self.path.name}: {seen}",
                hint="check power and cable, list what answers with 'twinlens cameras', "
                "or start the virtual rig with 'twinlens simulate'",
            )
        on_interrupt = signal.getsignal(signal.SIGINT)
        try:
            return Camera(self._harvester.create({"serial_number": serial}), info)
        except (genapi.GenericException, gentl.GenericException) as cause:
            raise CaptureError(
                f"camera {serial} cannot be opened: {_first_line(cause)}",
                hint="close the other program that controls it, or wait 3 s for its heartbeat to end",
            ) from cause
        finally:
            if threading.current_thread() is threading.main_thread():  # harvesters takes Ctrl-C for itself
                signal.signal(signal.SIGINT, on_interrupt)


class _CountIncomplete(Callback):  # type: ignore[misc]
    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    def emit(self, context: object | None = None) -> None:  # noqa: ARG002 - harvesters' signature
        self._camera.note_incomplete()


def _describe(device: Any) -> CameraInfo:
    def text(name: str) -> str:
        try:
            return str(getattr(device, name) or "")
        except gentl.GenericException:  # a producer may leave any of these out
            return ""

    # Some producers (viky) give no serial number; the device id is unique as well.
    serial = text("serial_number") or text("id_")
    return CameraInfo(serial, text("vendor"), text("model"), text("user_defined_name"))


def _camera_time_ns(buffer: Any) -> int:
    ticks_per_s = int(buffer.timestamp_frequency)
    return int(buffer.timestamp) * 1_000_000_000 // ticks_per_s if ticks_per_s else 0


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
