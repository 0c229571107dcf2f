"""Where triggers come from: commands of this host, a wire, or nowhere (free-running cameras)."""

import time
from types import TracebackType
from typing import Self

from twinlens.capture.action import ActionSender
from twinlens.capture.clock import ClockLatch
from twinlens.capture.frame import CameraRole
from twinlens.capture.match_commands import Commanded
from twinlens.capture.rig import ARMING_ORDER, Rig
from twinlens.capture.rig_file import RigSettings


class Trigger:
    """Fires the rig in the way its settings ask."""

    def __init__(self, settings: RigSettings, rig: Rig) -> None:
        """Prepare to fire.

        Raises:
            CaptureError: an action command needs addresses that the cameras do not tell.
        """
        self._mode = settings.trigger
        self._rig = rig
        self._period_ns = int(1e9 / settings.rate_hz) if settings.rate_hz else 0
        self._due_ns = time.monotonic_ns()
        self._actions = ActionSender(settings, rig.cameras) if self._mode == "action" else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._actions is not None:
            self._actions.close()

    @property
    def is_ours(self) -> bool:
        """Whether frames come only when this host asks for them."""
        return self._mode in ("software", "action", "chain")

    @property
    def is_steady(self) -> bool:
        """Whether frames follow each other without waiting for the one before."""
        return not self.is_ours or self._period_ns > 0

    def wait_s(self) -> float:
        """Time until the next trigger is due."""
        return max(0.0, (self._due_ns - time.monotonic_ns()) / 1e9)

    def fire(self, trigger_index: int, latch: ClockLatch | None) -> list[Commanded]:
        """Send one trigger; the commands that are known to have arrived already.

        `latch`: a reading of A's clock, which a scheduled action needs.
        """
        now_ns = time.monotonic_ns()
        # A trigger that comes late does not make the following ones hurry: frames would be refused as too fast.
        self._due_ns = max(self._due_ns + self._period_ns, now_ns + self._period_ns // 2)
        if self._actions is not None:
            return self._actions.send(trigger_index, latch)
        roles: tuple[CameraRole, ...] = ("a",) if self._mode == "chain" else ARMING_ORDER
        self._rig.fire(trigger_index, roles)
        return []
