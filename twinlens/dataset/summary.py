"""What is in a paired dataset, in numbers."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.contents import Contents
from twinlens.dataset.schema import DEFAULT_SCHEME
from twinlens.dataset.stored_schemes import PARTS


@dataclass(frozen=True, slots=True)
class Spread:
    """How one number is spread over the pairs."""

    minimum: float
    median: float
    p95: float
    maximum: float
    mean: float


@dataclass(frozen=True, slots=True)
class SplitCount:
    """How much one split holds."""

    split: str
    """train, val, test or unused."""
    scenes: int
    pairs: int


@dataclass(frozen=True, slots=True)
class SceneCount:
    """How much one scene holds, and where it went."""

    scene: str
    split: str
    """Where all its pairs went; "several" where some are unused or the scheme is leaky."""
    pairs: int
    input_psnr_db: float
    """Mean over its pairs."""


@dataclass(frozen=True, slots=True)
class MirrorCount:
    """How many pairs were taken at one mirror state."""

    mirror_state: str
    pairs: int


@dataclass(frozen=True, slots=True)
class RejectCount:
    """How many pairs missed one limit."""

    reason: str
    pairs: int


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """A dataset in numbers; every field is plain, and `dataclasses.asdict` gives JSON."""

    name: str
    version: str
    content_hash: str
    pairs: int
    scenes: int
    sessions: int
    shape_hw: tuple[int, int]
    bit_depth: int
    splits: tuple[SplitCount, ...]
    """Train, val, test, and unused where pairs are, by the default scheme."""
    scene_counts: tuple[SceneCount, ...]
    mirror_states: tuple[MirrorCount, ...]
    residual_px: Spread | None
    """None where nobody measured it, as after an import."""
    ncc: Spread | None
    input_psnr_db: Spread
    """Input against target: what a network must beat."""
    saturated_fraction_mean: float
    overlap_mean: float
    bytes_on_disk: int
    is_corrected: bool = False
    """Whether frames have had their camera's dark, gain and defect correction."""
    layout: str = "contiguous"
    schemes: tuple[str, ...] = (DEFAULT_SCHEME,)
    groups: int = 0
    """Sets of scenes that no split divides."""
    rejects: tuple[RejectCount, ...] = ()
    """Left out when it was built, most frequent first."""
    ceiling_db: Spread | None = None
    """PSNR that a perfect restoration could reach, given the pairs' residuals."""
    is_leaky: bool = False
    """The default scheme divides groups, because the user said so."""
    channels: int = 1
    """3 where pictures are RGB."""


def summarise(contents: Contents) -> DatasetReport:
    """The numbers of an opened file."""
    table = contents.table
    default = contents.schemes[DEFAULT_SCHEME]
    states = np.bincount(table["mirror_state"], minlength=len(contents.mirror_states))
    reasons = Counter(reject.reason for reject in contents.rejects)
    parts = [part for part in PARTS if part != "unused" or len(default.rows[part])]
    return DatasetReport(
        name=contents.name,
        version=contents.version,
        content_hash=contents.content_hash,
        pairs=len(table),
        scenes=len(contents.scenes),
        sessions=len(np.unique(table["session_id"])),
        shape_hw=contents.input.shape_hw,
        bit_depth=contents.bit_depth,
        splits=tuple(_split_count(contents, part) for part in parts),
        scene_counts=tuple(_scene_count(contents, k) for k in range(len(contents.scenes))),
        mirror_states=tuple(
            MirrorCount(state.label, int(count))
            for state, count in zip(contents.mirror_states, states, strict=True)
        ),
        residual_px=known_spread(table["residual_px"]),
        ncc=known_spread(table["ncc"]),
        input_psnr_db=spread(table["psnr_db"]),
        saturated_fraction_mean=float(table["sat_frac"].mean()),
        overlap_mean=float(table["overlap"].mean()),
        bytes_on_disk=contents.path.stat().st_size,
        is_corrected=contents.is_corrected,
        layout=contents.layout,
        schemes=tuple(contents.schemes),
        groups=len(set(contents.group_of.values())),
        rejects=tuple(RejectCount(reason, count) for reason, count in reasons.most_common()),
        ceiling_db=known_spread(table["ceiling_db"]),
        is_leaky=default.is_leaky,
        channels=contents.channels,
    )


def _split_count(contents: Contents, part: str) -> SplitCount:
    rows = contents.schemes[DEFAULT_SCHEME].rows[part]
    return SplitCount(part, np.unique(contents.table["group_id"][rows]).size, len(rows))


def _scene_count(contents: Contents, group_id: int) -> SceneCount:
    rows = np.flatnonzero(contents.table["group_id"] == group_id)
    parts = np.unique(contents.parts[rows]).tolist()
    return SceneCount(
        scene=contents.scenes[group_id],
        split=PARTS[parts[0]] if len(parts) == 1 else "several",
        pairs=rows.size,
        input_psnr_db=float(contents.table["psnr_db"][rows].mean()),
    )


def known_spread(values: NDArray[Any]) -> Spread | None:
    """Describe what is known of an array; None where nothing is."""
    known = values[~np.isnan(values)]
    return spread(known) if known.size else None


def spread(values: NDArray[Any]) -> Spread:
    """Describe a non-empty array."""
    numbers = np.asarray(values, np.float64)
    return Spread(
        minimum=float(numbers.min()),
        median=float(np.median(numbers)),
        p95=float(np.percentile(numbers, 95)),
        maximum=float(numbers.max()),
        mean=float(numbers.mean()),
    )
