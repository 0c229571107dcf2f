"""Two virtual cameras, served until someone says stop."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from twinlens.capture.virtual.camera import VirtualCamera, VirtualCameraSettings
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.lines import PulseGenerator, Wire
from twinlens.capture.virtual.source import ImageSource
from twinlens.errors import SettingsError

log = logging.getLogger(__name__)

DEFAULT_ADDRESSES = ("127.0.0.2", "127.0.0.3")
DEFAULT_SERIALS = ("VA0001", "VB0001")
_LOOK_S = 0.2


def serve_rig(  # noqa: PLR0913 - one keyword for each thing on the bench
    views: tuple[ImageSource, ImageSource],
    stop: threading.Event,
    *,
    addresses: Sequence[str] = DEFAULT_ADDRESSES,
    serials: Sequence[str] = DEFAULT_SERIALS,
    on_ready: Callable[[], None] = lambda: None,
    settings: tuple[VirtualCameraSettings, VirtualCameraSettings] | None = None,
    faults: tuple[Faults, Faults] | None = None,
    pulses_hz: float = 0.0,
    chained: bool = False,
    logs: tuple[Path, Path] | None = None,
) -> None:
    """Serve camera A's and camera B's view at their addresses until `stop` is set.

    `on_ready` is called once both cameras answer. Above 0, a pulse generator of `pulses_hz` is wired to Line0 of
    both cameras; `chained` wires A's Line1 to B's Line0 instead, and the generator to A alone.

    Raises:
        SettingsError: not two different addresses and serials.
        HostLimitError: an address or the port cannot be used, or a log cannot be written.
        CaptureError: a camera failed while serving.
    """
    for what, given in (("addresses", addresses), ("serial numbers", serials)):
        if len(given) != 2 or given[0] == given[1]:
            raise SettingsError(
                f"two different {what} are needed for the virtual rig, got: {', '.join(given) or 'none'}",
                hint="give camera A's first and camera B's second",
            )
    chosen = settings or (VirtualCameraSettings(), VirtualCameraSettings())
    with ExitStack() as stack:
        cameras = [
            stack.enter_context(
                VirtualCamera(
                    views[i],
                    address=addresses[i],
                    serial=serials[i],
                    settings=replace(chosen[i], user_name=chosen[i].user_name or "ab"[i]),
                    faults=faults[i] if faults is not None else None,
                    log_path=logs[i] if logs is not None else None,
                )
            )
            for i in (0, 1)
        ]
        if chained:
            Wire(cameras[0], cameras[1])
        if pulses_hz:
            stack.enter_context(PulseGenerator(pulses_hz)).wire(*(cameras[:1] if chained else cameras))
        log.info("virtual cameras %s at %s", " and ".join(serials), " and ".join(addresses))
        on_ready()
        while not stop.wait(_LOOK_S):
            for camera in cameras:
                camera.check()
