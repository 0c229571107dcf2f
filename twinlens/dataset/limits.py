"""The gates: what a pair's passport must show before the pair enters a dataset."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from twinlens.dataset.entry import Entry
from twinlens.dataset.schema import FLAG_COARSE, Reject
from twinlens.errors import SettingsError
from twinlens.settings import Settings


@dataclass(frozen=True, kw_only=True)
class PassportLimits(Settings):
    """Limits on a pair's figures; None asks nothing. A figure that nobody measured (nan) meets no limit."""

    max_residual_px: float | None = None
    """Median shift that the pair's tiles still ask for."""
    max_residual_p95_px: float | None = None
    """95th percentile of the same."""
    max_departure_px: float | None = None
    """By which the pair's own mapping leaves the session's; beyond 0.3 px registration refuses it anyway."""
    min_ncc: float | None = None
    """Median correlation of tiles after registration, 0 to 1."""
    max_skew_us: float | None = None
    """Between the exposures of A and B, either way."""
    max_saturated_fraction: float | None = None
    min_overlap: float | None = None
    """Share of B's frame that A sees."""
    max_moving_share: float | None = None
    """Share of tiles that moved or show something else."""
    min_ceiling_db: float | None = None
    """PSNR that a perfect restoration could reach, given the residual."""
    allow_coarse: bool = False
    """Let in pairs whose registration is called coarse; their rows are flagged."""

    def check(self) -> None:
        """Raise `SettingsError` where a limit is no number."""
        for name, value in self.as_dict().items():
            if value is not None and math.isnan(value):
                raise SettingsError(f"PassportLimits.{name} is nan", hint="give a number, or leave it out")

    def missed_by(self, entry: Entry) -> Reject | None:
        """The first limit that `entry` misses; None where it meets all."""
        row = entry.row
        if np.isnan(row["psnr_db"]):
            return _reject(entry, "mask", "no pixel of it is valid")
        if row["flags"] & FLAG_COARSE and not self.allow_coarse:
            return _reject(entry, "coarse", "its registration is called coarse")
        figures = (
            ("residual_px", float(row["residual_px"]), "px", None, self.max_residual_px),
            ("residual_p95_px", float(row["residual_p95_px"]), "px", None, self.max_residual_p95_px),
            ("departure_px", float(row["departure_px"]), "px", None, self.max_departure_px),
            ("ncc", float(row["ncc"]), "", self.min_ncc, None),
            ("skew_us", abs(int(row["skew_ns"])) / 1000, "us", None, self.max_skew_us),
            ("saturated_fraction", float(row["sat_frac"]), "", None, self.max_saturated_fraction),
            ("overlap", float(row["overlap"]), "", self.min_overlap, None),
            ("moving_share", float(row["moving_share"]), "", None, self.max_moving_share),
            ("ceiling_db", float(row["ceiling_db"]), "dB", self.min_ceiling_db, None),
        )
        for name, value, unit, minimum, maximum in figures:
            if minimum is not None and not value >= minimum:
                return _reject(entry, name, _told(name, value, unit, f"at least {minimum:g}"))
            if maximum is not None and not value <= maximum:
                return _reject(entry, name, _told(name, value, unit, f"at most {maximum:g}"))
        return None


def gated(found: Iterable[Entry | Reject], limits: PassportLimits) -> Iterator[Entry | Reject]:
    """What is found, with a reject in the place of every entry that misses a limit."""
    for one in found:
        yield (limits.missed_by(one) or one) if isinstance(one, Entry) else one


def _told(name: str, value: float, unit: str, wanted: str) -> str:
    seen = "unknown" if np.isnan(value) else f"{value:.4g} {unit}".strip()
    return f"{name} is {seen}, {wanted} is asked for"


def _reject(entry: Entry, reason: str, text: str) -> Reject:
    row = entry.row
    return Reject(
        session_id=row["session_id"].decode(),
        trigger_index=int(row["trigger_index"]),
        scene=entry.scene,
        mirror_state=entry.mirror_state,
        reason=reason,
        text=text,
    )
