"""What makes a pair and a dataset the same: hashes over content, blind to dates, paths and order.

blake2b here is identity, which must resist accidents and mischief; xxh3 in the table only finds damage.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from twinlens.dataset.schema import PAIR_ID_BYTES
from twinlens.pixels import Homography, Mask, Picture

HASHED_COLUMNS = (
    "pair_id",
    "session_id",
    "trigger_index",
    "skew_ns",
    "bit_depth",
    "exposure_us",
    "gain_db",
    "residual_px",
    "residual_p95_px",
    "zone_residual_px",
    "departure_px",
    "ncc",
    "tiles",
    "inliers",
    "moving_share",
    "kernel_sigma_px",
    "overlap",
    "sat_frac",
    "ceiling_db",
    "flags",
)
"""The passport. Left out: row numbers, which depend on order, and what can be computed again from the pixels."""


def pair_id(session_id: str, trigger_index: int) -> str:
    """The name of a pair: 26 characters that are the same whenever and wherever it is built."""
    digest = hashlib.blake2b(f"{session_id}\n{trigger_index}".encode(), digest_size=16).digest()
    return base64.b32encode(digest).decode()[:PAIR_ID_BYTES].lower()


def pair_hash(
    row: np.void,
    *,
    frames: tuple[Picture, Picture, Mask],
    labels: tuple[str, str],
    b_from_a: Homography,
    photometric: tuple[float, float],
) -> bytes:
    """Digest (32 bytes) of everything measured about one pair.

    `row` is its `PAIR_ROW`; `frames` are input, target and mask; `labels` scene and mirror state; `photometric`
    gain and offset.
    """
    digest = hashlib.blake2b(digest_size=32)
    for name in HASHED_COLUMNS:
        digest.update(row[name].tobytes())
    digest.update("\n".join((*labels, "")).encode())
    digest.update(np.asarray(b_from_a, "<f8").tobytes())
    digest.update(np.asarray(photometric, "<f4").tobytes())
    for frame in frames:
        # Shape and type first: a wide picture must not pass for a tall one with the same bytes.
        little_endian: np.dtype[Any] = frame.dtype.newbyteorder("<")
        digest.update(f"{frame.shape} {little_endian.str}\n".encode())
        digest.update(np.ascontiguousarray(frame, little_endian).data)
    return digest.digest()


def content_hash(pair_hashes: Sequence[bytes], schemes: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    """Hex digest (64 characters) of a dataset: all its pairs, and where each scheme puts them.

    `schemes` gives the pair ids of train, val, test and unused under every scheme's name.
    """
    digest = hashlib.blake2b(digest_size=32)
    for one in sorted(pair_hashes):
        digest.update(one)
    for scheme, ids_of in sorted(schemes.items()):
        for part, ids in sorted(ids_of.items()):
            digest.update("\n".join((scheme, part, *sorted(ids), "")).encode())
    return digest.hexdigest()
