"""Cameras that share one clock (IEEE 1588), so that an action can be scheduled for one moment."""

import time

from twinlens.capture.daheng import Capabilities
from twinlens.capture.genicam import Camera
from twinlens.errors import CaptureError, SettingsError

SETTLED = ("Master", "Slave")
SETTLE_TIMEOUT_S = 30.0
"""Roles are clear after about 8 s (comment in Daheng's sample); below 1 us takes minutes more."""
_POLL_S = 0.2


def follow_ptp(camera: Camera, able: Capabilities) -> None:
    """Let a camera's clock take part in PTP, and wait until it has its role.

    Raises:
        SettingsError: the camera knows no scheduled action, or no PTP.
        CaptureError: it finds no other clock in time.
    """
    if not (able.scheduled_action and able.ptp):
        lacks = "PTP" if able.scheduled_action else "scheduled action"
        raise SettingsError(
            f"camera {camera.info.serial} ({camera.info.model}) cannot obey an action at a given time: no {lacks}",
            hint="set action_lead_ms = 0 in rig.toml: actions are then obeyed as they arrive",
        )
    camera.write(able.ptp, True)  # noqa: FBT003 - a feature's value
    until_s = time.monotonic() + SETTLE_TIMEOUT_S
    while (status := camera.read("PtpStatus") if camera.has("PtpStatus") else SETTLED[0]) not in SETTLED:
        if time.monotonic() > until_s:
            raise CaptureError(
                f"camera {camera.info.serial}: PTP is {status} after {SETTLE_TIMEOUT_S:g} s",
                hint="both cameras need one network with a PTP master, or each other",
            )
        time.sleep(_POLL_S)
