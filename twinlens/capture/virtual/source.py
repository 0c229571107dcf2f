"""What a virtual camera looks at: anything that makes one full-sensor frame for one trigger."""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

from twinlens.pixels import Mono

Shutter = Literal["Open", "Closed", "EvenLight"]
"""What is in front of a lens: the scene, a cap, or an evenly lit screen."""
SHUTTERS: tuple[Shutter, ...] = get_args(Shutter)


@dataclass(frozen=True, slots=True)
class Shot:
    """One exposure: when, of what, and how."""

    trigger_index: int
    """0 for the first trigger after arming; both cameras' shots of one trigger carry the same."""
    scene_index: int
    mirror_state_index: int
    exposure_us: float
    gain_db: float
    bit_depth: int = 8
    """What the camera's pixel format carries, 8 or 10; a source may give frames of the other depth."""
    shutter: Shutter = "Open"


@runtime_checkable
class ImageSource(Protocol):
    """The world in front of one virtual camera."""

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width of the sensor in px."""
        ...

    @property
    def scene_count(self) -> int:
        """How many scenes the feature TwinSceneSelector can choose from."""
        ...

    @property
    def mirror_state_count(self) -> int:
        """How many states the feature TwinMirrorStateSelector can choose from."""
        ...

    def frame(self, shot: Shot) -> Mono:
        """The whole sensor as exposed by `shot`, before the trigger stamp, for reading only.

        (h, w) uint8 with 8 bits, or uint16 with 10. An array that is marked read-only never changes, and the same
        one may come again.
        """
        ...
