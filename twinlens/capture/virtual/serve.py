"""Two virtual cameras, served until someone says stop."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from twinlens.capture.virtual.camera import VirtualCamera, VirtualCameraSettings
from twinlens.capture.virtual.source import ImageSource
from twinlens.errors import SettingsError

log = logging.getLogger(__name__)

DEFAULT_ADDRESSES = ("127.0.0.2", "127.0.0.3")
DEFAULT_SERIALS = ("VA0001", "VB0001")
_LOOK_S = 0.2


def serve_rig(
    views: tuple[ImageSource, ImageSource],
    stop: threading.Event,
    *,
    addresses: Sequence[str] = DEFAULT_ADDRESSES,
    serials: Sequence[str] = DEFAULT_SERIALS,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve camera A's and camera B's view at their addresses until `stop` is set.

    `on_ready` is called once both cameras answer.

    Raises:
        SettingsError: not two different addresses and serials.
        HostLimitError: an address or the port cannot be used.
        CaptureError: a camera failed while serving.
    """
    for what, given in (("addresses", addresses), ("serial numbers", serials)):
        if len(given) != 2 or given[0] == given[1]:
            raise SettingsError(
                f"two different {what} are needed for the virtual rig, got: {', '.join(given) or 'none'}",
                hint="give camera A's first and camera B's second",
            )
    with ExitStack() as stack:
        cameras = [
            stack.enter_context(
                VirtualCamera(view, address=address, serial=serial, settings=VirtualCameraSettings(user_name=name))
            )
            for view, address, serial, name in zip(views, addresses, serials, ("a", "b"), strict=True)
        ]
        log.info("virtual cameras %s at %s", " and ".join(serials), " and ".join(addresses))
        on_ready()
        while not stop.wait(_LOOK_S):
            for camera in cameras:
                camera.check()
