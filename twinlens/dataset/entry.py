"""One pair as a dataset stores it: pixels, labels and its row, whoever made it."""

from dataclasses import dataclass

import numpy as np

from twinlens.dataset.groups import Member
from twinlens.pixels import Homography, Mask, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A pair and its row; `group_id` and `mirror_state` in the row are numbered by the file it is written to."""

    row: np.void
    """`PAIR_ROW`"""
    input: Picture
    target: Picture
    mask: Mask
    scene: str
    mirror_state: str
    b_from_a: Homography
    photometric: tuple[float, float]
    """Gain and offset."""

    @property
    def where(self) -> str:
        """The pair's name for people."""
        return f"trigger {int(self.row['trigger_index'])} of session {self.row['session_id'].decode()}"

    @property
    def member(self) -> Member:
        """Who it is, as far as splits are concerned."""
        return Member(
            pair_id=self.row["pair_id"].decode(),
            scene=self.scene,
            session_id=self.row["session_id"].decode(),
            trigger_index=int(self.row["trigger_index"]),
            mirror_state=self.mirror_state,
        )

    @property
    def likeness(self) -> str:
        """What all pairs of a dataset share, in words."""
        height, width, *channels = self.input.shape
        colour = " in colour" if channels else ""
        return f"{width}x{height} px, {self.input.dtype}, {int(self.row['bit_depth'])} bit{colour}"
