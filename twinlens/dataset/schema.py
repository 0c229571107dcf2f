"""The names and types inside a `twinlens.pairs` file, and the plain values that describe where it comes from.

`/pairs/{input,target,mask}` are (n, h, w), input and target in colour (n, h, w, 3) RGB; `layout.py` says in which
chunks. `/splits/<scheme>/` holds the rows of train, val and test, and of the pairs a scheme leaves `unused`;
`/rejects/table` what the gates kept out.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

SCHEMA = "twinlens.pairs"
SCHEMA_VERSION = "1.2.0"
LIBVER = ("v110", "v110")
"""Superblock 3: checksummed metadata, and every HDF5 since 1.10 reads it, whichever release wrote it."""

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
SPLITS_GROUP = "/splits"
DEFAULT_SCHEME = "default"
UNUSED = "unused"
REJECTS = "/rejects/table"
CORRECTIONS = "/corrections"
"""Where cameras were corrected: groups a and b, each with dark, gain and defects of the whole sensor as
`CameraCorrection.packed` gives them, and its facts as attributes. Frames in `/pairs` are corrected already."""

ID_BYTES = 96
PAIR_ID_BYTES = 26
"""128 bits in base 32."""

PAIR_ROW = np.dtype(
    [
        ("pair_id", f"S{PAIR_ID_BYTES}"),
        ("group_id", "<i4"),
        ("session_id", f"S{ID_BYTES}"),
        ("trigger_index", "<u8"),
        ("skew_ns", "<i8"),
        ("mirror_state", "<i4"),
        ("bit_depth", "u1"),
        ("exposure_us", "<f4"),
        ("gain_db", "<f4"),
        ("host_time_ns", "<i8"),
        ("residual_px", "<f4"),
        ("residual_p95_px", "<f4"),
        ("zone_residual_px", "<f4", (9,)),
        ("departure_px", "<f4"),
        ("ncc", "<f4"),
        ("tiles", "<i4"),
        ("inliers", "<i4"),
        ("moving_share", "<f4"),
        ("kernel_sigma_px", "<f4"),
        ("overlap", "<f4"),
        ("sat_frac", "<f4"),
        ("ceiling_db", "<f4"),
        ("psnr_db", "<f4"),
        ("lapvar_in", "<f4"),
        ("lapvar_tg", "<f4"),
        ("phash_in", "<u8"),
        ("phash_tg", "<u8"),
        ("xxh_in", "<u8"),
        ("xxh_tg", "<u8"),
        ("pair_hash", "u1", (32,)),
        ("flags", "<u4"),
    ]
)
"""One row of `/pairs/table`. `group_id` and `mirror_state` are rows of `/groups/table` and `/mirror_states`;
psnr_db and lapvar are over valid pixels; host_time_ns is 0 and floats are nan where nothing is known."""

FLAG_COARSE = 1
"""Bit of `flags`: the registration called the pair's fit coarse, and the builder's limits let it in."""

GROUP_COLUMNS = ("group_id", "name", "scene", "session_id", "place")
"""One row of `/groups/table`, one scene. `name` is the group it belongs to, which no split divides: its own name,
or that of the first scene it shares a place or pictures with. `session_id` lists the sessions that saw it, one per
line."""

MIRROR_COLUMNS = ("label", "values", "unit")
"""One row of `/mirror_states`; `values` are float64, nan behind the last one."""

SOURCE_COLUMNS = ("session_id", "path", "sha256")
"""One row of `/provenance/sources`."""

REJECT_COLUMNS = ("session_id", "trigger_index", "scene", "mirror_state", "reason", "text")
"""One row of `/rejects/table`; `reason` is the limit's name, `text` what was seen and needed."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A pair that was left out."""

    session_id: str
    trigger_index: int
    scene: str
    mirror_state: str
    reason: str
    """The limit it missed, such as residual_px, or `registration` where no figure could be had."""
    text: str


@dataclass(frozen=True, slots=True)
class MirrorStateRecord:
    """What the deformable mirror was told to do, as far as it is known."""

    label: str
    values: tuple[float, ...] = ()
    """Drive values in `unit`; empty when unknown."""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A session that pairs were taken from."""

    session_id: str
    path: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a dataset comes from; none of it enters the content hash."""

    config_json: str = "{}"
    """The settings of every stage that had a part in it."""
    calibration_json: str = "{}"
    sources: tuple[Source, ...] = ()
    parent: str = ""
    """Content hash of the dataset that this one was derived from."""
    mirror_states: tuple[MirrorStateRecord, ...] = ()
    """Drive values by label; a label that pairs use and that is missing here is stored without values."""
