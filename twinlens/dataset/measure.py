"""The numbers a pair gets when it is stored: how far input is from target, and how sharp each is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import xxhash

from twinlens.calibrate.align import AlignedPair
from twinlens.dataset.duplicates import phash
from twinlens.dataset.entry import Entry
from twinlens.dataset.identity import pair_hash, pair_id
from twinlens.dataset.luma import luma
from twinlens.dataset.schema import FLAG_COARSE, ID_BYTES, PAIR_ROW
from twinlens.errors import CorruptError, DatasetError
from twinlens.pixels import Mask, Picture

ROUNDING_MSE = 1 / 12
"""Variance in grey levels squared of rounding to integers: no two pictures are known to agree better."""
_ZONES = 9


def entry_of(pair: AlignedPair) -> Entry:
    """Measure a pair for storing.

    Raises:
        DatasetError: its frames do not match each other, or its session's name is too long.
    """
    _require_storable(pair)
    passport = pair.passport
    values: dict[str, Any] = {
        "pair_id": pair_id(pair.session_id, pair.trigger_index),
        "session_id": pair.session_id.encode(),
        "trigger_index": pair.trigger_index,
        "skew_ns": pair.skew_ns,
        "bit_depth": pair.bit_depth,
        "exposure_us": pair.exposure_us,
        "gain_db": pair.gain_db,
        "host_time_ns": pair.host_time_ns,
        "residual_px": passport.residual_px,
        "residual_p95_px": passport.residual_p95_px,
        "zone_residual_px": _zones(passport.zone_residual_px),
        "departure_px": passport.departure_px,
        "ncc": passport.ncc,
        "tiles": passport.tiles,
        "inliers": passport.inliers,
        "moving_share": passport.moving_share,
        "kernel_sigma_px": passport.kernel_sigma_px,
        "overlap": passport.overlap,
        "sat_frac": passport.saturated_fraction,
        "ceiling_db": np.nan if passport.ceiling_db is None else passport.ceiling_db,
        "flags": FLAG_COARSE * (passport.verdict == "coarse"),
    }
    row = np.zeros(1, PAIR_ROW)[0]
    for column, value in values.items():
        row[column] = value
    photometric = (float(np.float32(passport.gain)), float(np.float32(passport.offset)))
    return measured(
        Entry(
            row=row,
            input=pair.input,
            target=pair.target,
            mask=pair.mask,
            scene=pair.scene,
            mirror_state=pair.mirror_state,
            b_from_a=pair.b_from_a,
            photometric=photometric,
        )
    )


def measured(entry: Entry) -> Entry:
    """The entry with everything in its row that follows from its pixels, and its hash."""
    row, bit_depth = entry.row, int(entry.row["bit_depth"])
    valid = valid_rectangle(entry.mask)
    row["psnr_db"] = psnr_db(entry.input, entry.target, entry.mask, bit_depth=bit_depth)
    for role, frame in (("in", entry.input), ("tg", entry.target)):
        row[f"lapvar_{role}"] = laplacian_variance(frame, entry.mask)
        row[f"phash_{role}"] = phash(frame[valid])
        row[f"xxh_{role}"] = xxhash.xxh3_64_intdigest(np.ascontiguousarray(frame).data)
    row["pair_hash"] = np.frombuffer(_hash_of(entry), np.uint8)
    return entry


def _hash_of(entry: Entry) -> bytes:
    return pair_hash(
        entry.row,
        frames=(entry.input, entry.target, entry.mask),
        labels=(entry.scene, entry.mirror_state),
        b_from_a=entry.b_from_a,
        photometric=entry.photometric,
    )


def require_intact(entry: Entry, path: Path) -> Entry:
    """The entry, whose pixels, mask and passport are those that were stored in `path`; hashed, if it was not.

    Raises:
        CorruptError: they are not.
    """
    damaged = [
        name
        for name, frame, known in (
            ("input", entry.input, entry.row["xxh_in"]),
            ("target", entry.target, entry.row["xxh_tg"]),
        )
        if xxhash.xxh3_64_intdigest(np.ascontiguousarray(frame).data) != known
    ]
    is_hashed = bool(entry.row["pair_hash"].any())  # not in files older than schema 1.2
    if not damaged and is_hashed and _hash_of(entry) != entry.row["pair_hash"].tobytes():
        damaged = ["mask or passport"]
    if damaged:
        raise CorruptError(
            f"{path}: the {' and '.join(damaged)} of {entry.where} is not what was written",
            hint="restore the file from a copy, or build it again",
        )
    return entry if is_hashed else measured(replace(entry, row=entry.row.copy()))


def valid_rectangle(mask: Mask) -> tuple[slice, slice]:
    """From the first to the last row and column that are mostly valid: margins make pictures look alike."""
    rows, columns = (np.flatnonzero(mask.mean(axis=axis) > 0.5) for axis in (1, 0))
    if not (rows.size and columns.size):
        return slice(None), slice(None)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _zones(residuals_px: tuple[float | None, ...]) -> list[float]:
    known = [np.nan if value is None else value for value in residuals_px]
    return known or [np.nan] * _ZONES


def _require_storable(pair: AlignedPair) -> None:
    where = f"trigger {pair.trigger_index} of session {pair.session_id}"
    if len(pair.session_id.encode()) > ID_BYTES:
        raise DatasetError(
            f"the session id {pair.session_id!r} is longer than {ID_BYTES} bytes", hint="shorten it"
        )
    seen = {f"{frame.shape[1]}x{frame.shape[0]} px" for frame in (pair.input, pair.target, pair.mask)}
    types = {str(pair.input.dtype), str(pair.target.dtype)}
    needed = "uint8" if pair.bit_depth <= 8 else "uint16"
    if len(seen) != 1 or types != {needed}:
        raise DatasetError(
            f"{where}: input, target and mask are {', '.join(sorted(seen))} of {', '.join(sorted(types))} "
            f"at {pair.bit_depth} bit; one size of {needed} is needed",
            hint="align the pair again with the calibration of its own session",
        )
    if pair.input.shape != pair.target.shape or pair.input.shape[2:] not in ((), (3,)) or pair.mask.ndim != 2:
        raise DatasetError(
            f"{where}: input is {pair.input.shape}, target {pair.target.shape}, mask {pair.mask.shape}; both "
            "pictures (h, w) or both (h, w, 3), and a mask (h, w) are needed",
            hint="convert the grey one to RGB, or the coloured one to grey",
        )


def psnr_db(
    input: Picture,  # noqa: A002 -- the role's name
    target: Picture,
    mask: Mask,
    *,
    bit_depth: int,
) -> float:
    """PSNR of `input` against `target` over valid pixels of all channels, at the full scale 2**bit_depth - 1.

    At least `ROUNDING_MSE` counts as error, so that equal pictures have a finite value (58.9 dB at 8 bit); nan
    where no pixel is valid.
    """
    valid = int(np.count_nonzero(mask)) * (1 if input.ndim == 2 else input.shape[2])
    if valid == 0:
        return float("nan")
    squared = cv2.norm(input, target, cv2.NORM_L2SQR, mask.view(np.uint8))
    return float(10 * np.log10((2**bit_depth - 1) ** 2 / max(squared / valid, ROUNDING_MSE)))


def laplacian_variance(pixels: Picture, mask: Mask) -> float:
    """Variance of the 3x3 Laplacian over valid pixels, in grey levels squared: large where edges are sharp."""
    laplacian = cv2.Laplacian(luma(pixels), cv2.CV_32F)
    _, deviation = cv2.meanStdDev(laplacian, mask=mask.view(np.uint8))
    return float(deviation.item() ** 2)
