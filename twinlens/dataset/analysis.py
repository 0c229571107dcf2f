"""A dataset in figures: grey levels, noise, sharpness, spectra, likeness, and which pairs are worst."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinlens.dataset.leaks import near_pairs
from twinlens.dataset.looks import FREQUENCIES, LEVEL_BINS, Looks, looks_of, power_spectrum, spectrum_window
from twinlens.dataset.luma import luma
from twinlens.dataset.paired import PairedDataset
from twinlens.dataset.schema import FLAG_COARSE, SPLITS
from twinlens.dataset.stored_schemes import PARTS
from twinlens.dataset.summary import DatasetReport, Spread, known_spread, spread
from twinlens.dataset.tables import numbered_groups
from twinlens.pixels import Mask, Picture

MOST_PAIRS = 200
"""Pairs whose pixels are read: beyond that, evenly spread over the rows."""
MOST_SCORED = 24
"""Pairs whose likeness is computed, which is slow."""
FAR_RESIDUAL, FAR_DB, FAR_SHARE, FAR_SHARPNESS = 3.0, 6.0, 0.05, 0.1
"""What makes a pair poor: its residual against the median, dB below the median, clipped share, and Laplacian
variance of its target against the median. Rules of thumb that sort a contact sheet and refuse nothing."""

_LAPLACIAN_NOISE = 20
"""Sum of the squares of the 3x3 Laplacian: its variance on noise of variance 1."""

Likeness = Callable[[Picture, Picture, Mask, float], float]
"""Input, target, mask and white level to a score such as SSIM."""


@dataclass(frozen=True, slots=True)
class PairFigures:
    """One pair; what needs its pixels is None where they were not read."""

    row: int
    pair_id: str
    scene: str
    split: str
    mirror_state: str
    psnr_db: float
    residual_px: float
    ceiling_db: float
    skew_us: float
    """nan where nobody measured it, as in files of somebody else."""
    exposure_us: float
    sharpness_input: float
    """Variance of the Laplacian over valid pixels, grey levels squared."""
    sharpness_target: float
    looks: Looks | None
    likeness: float | None
    faults: tuple[str, ...]
    """Why it is poor, in words."""


@dataclass(frozen=True, slots=True)
class DatasetAnalysis:
    """A dataset's figures."""

    summary: DatasetReport
    pairs: tuple[PairFigures, ...]
    """Worst first: most faults, then the lowest input PSNR."""
    read: int
    """How many pairs' pixels were read."""
    scored: int
    """For how many of them likeness was computed."""
    dates: tuple[tuple[str, int], ...]
    """Pairs by the date in their session's name; empty where names hold none."""
    levels_input: tuple[float, ...]
    """Share of pixels in each of 64 equal steps of grey levels, black first."""
    levels_target: tuple[float, ...]
    frequencies: tuple[float, ...]
    """In cycles per px."""
    spectrum_ratio_db: tuple[float, ...]
    """Power of the input against that of the target at each frequency."""
    residual_px: Spread | None
    ceiling_db: Spread | None
    psnr_db: Spread
    test_psnr_db: float | None
    """Mean over the default scheme's test split: what a network must beat there; None where that is empty."""
    likeness: Spread | None
    sharpness_ratio: Spread
    """Laplacian variance of the target against the input's: below 1 the input is the sharper."""
    noise_input: Spread
    """Grey levels."""
    noise_target: Spread
    same_pixels: int
    """Pairs whose target another pair has too."""
    near_groups: int | None
    """Edges between pairs of different groups whose targets look nearly the same; None without their hashes."""
    near_across_splits: int | None
    """Those of them that cross splits of the default scheme."""


def analyse(
    dataset: PairedDataset,
    *,
    likeness: Likeness | None = None,
    most_pairs: int = MOST_PAIRS,
    on_pair: Callable[[int, int], None] = lambda _done, _of: None,
) -> DatasetAnalysis:
    """The figures of `dataset`; pixels of at most `most_pairs` pairs are read, one pair in memory at a time.

    Raises:
        DatasetError: the file is damaged or changes meanwhile.
    """
    rows = np.unique(np.linspace(0, len(dataset) - 1, min(most_pairs, len(dataset))).astype(int))
    every = max(1, -(-len(rows) // MOST_SCORED))
    reading = _Reading(dataset)
    for done, row in enumerate(rows.tolist()):
        reading.read(row, likeness if done % every == 0 else None)
        on_pair(done + 1, len(rows))
    table = dataset.contents.table
    pairs = _pairs(dataset, reading)
    names = [dataset.contents.group_of.get(scene, scene) for scene in dataset.scenes]
    group_of, split_of = numbered_groups(names, table["group_id"]), dataset.contents.parts.astype(np.int64)
    split_of = np.where(split_of < len(SPLITS), split_of, -1)
    test = dataset.split("test").indices
    noises = [(looks.noise_input, looks.noise_target) for looks in reading.looks.values()]
    return DatasetAnalysis(
        summary=dataset.summary(),
        pairs=tuple(sorted(pairs, key=lambda pair: (-len(pair.faults), pair.psnr_db))),
        read=len(rows),
        scored=len(reading.likeness),
        dates=_dates(table["session_id"].tolist()),
        levels_input=_shares(reading.levels[0]),
        levels_target=_shares(reading.levels[1]),
        frequencies=tuple(FREQUENCIES.tolist()),
        spectrum_ratio_db=reading.spectrum_ratio_db(),
        residual_px=known_spread(table["residual_px"]),
        ceiling_db=known_spread(table["ceiling_db"]),
        psnr_db=spread(table["psnr_db"]),
        test_psnr_db=float(table["psnr_db"][test].mean()) if test.size else None,
        likeness=spread(np.array(list(reading.likeness.values()))) if reading.likeness else None,
        sharpness_ratio=spread(_ratio(table)),
        noise_input=spread(np.array([one for one, _ in noises])),
        noise_target=spread(np.array([one for _, one in noises])),
        same_pixels=len(table) - len(np.unique(table["xxh_tg"])),
        near_groups=_edges(table["phash_tg"], group_of, group_of),
        near_across_splits=_edges(table["phash_tg"], split_of, group_of),
    )


class _Reading:
    """What pixels say, summed up pair by pair."""

    def __init__(self, dataset: PairedDataset) -> None:
        self._dataset = dataset
        self._power = np.zeros((2, len(FREQUENCIES)))
        self.levels = np.zeros((2, LEVEL_BINS), np.int64)
        self.looks: dict[int, Looks] = {}
        self.likeness: dict[int, float] = {}

    def read(self, row: int, likeness: Likeness | None) -> None:
        pair = self._dataset[row]
        grey = luma(pair.input), luma(pair.target)
        looks, levels = looks_of(*grey, pair.mask, bit_depth=pair.bit_depth)
        self.looks[row] = looks
        self.levels += levels
        window = spectrum_window(pair.mask)
        self._power += [power_spectrum(frame[window]) for frame in grey]
        if likeness is not None:
            self.likeness[row] = likeness(pair.input, pair.target, pair.mask, float(2**pair.bit_depth - 1))

    def spectrum_ratio_db(self) -> tuple[float, ...]:
        quiet = np.finfo(np.float64).tiny
        ratio = (self._power[0] + quiet) / (self._power[1] + quiet)
        return tuple((10 * np.log10(ratio)).tolist())


def _pairs(dataset: PairedDataset, reading: _Reading) -> list[PairFigures]:
    found, table = dataset.contents, dataset.contents.table
    usual = {name: float(np.nanmedian(table[name])) for name in ("psnr_db", "lapvar_tg")}
    known = table["residual_px"][~np.isnan(table["residual_px"])]
    usual["residual_px"] = float(np.median(known)) if known.size else np.inf
    unknown_skew = np.isnan(table["exposure_us"]) & (table["skew_ns"] == 0)
    unknown_skew &= dataset.imported_from() is not None
    return [
        PairFigures(
            row=k,
            pair_id=row["pair_id"].decode(),
            scene=found.scenes[row["group_id"]],
            split=PARTS[found.parts[k]],
            mirror_state=found.mirror_states[row["mirror_state"]].label,
            psnr_db=float(row["psnr_db"]),
            residual_px=float(row["residual_px"]),
            ceiling_db=float(row["ceiling_db"]),
            skew_us=np.nan if unknown_skew[k] else float(row["skew_ns"]) / 1000,
            exposure_us=float(row["exposure_us"]),
            sharpness_input=float(row["lapvar_in"]),
            sharpness_target=float(row["lapvar_tg"]),
            looks=reading.looks.get(k),
            likeness=reading.likeness.get(k),
            faults=tuple(_faults(row, reading.looks.get(k), usual)),
        )
        for k, row in enumerate(table)
    ]


def _faults(row: Any, looks: Looks | None, usual: dict[str, float]) -> Sequence[str]:
    found = []
    if row["flags"] & FLAG_COARSE:
        found.append("registration called it coarse")
    if _is_sharper(row, looks):
        found.append("the input is sharper than the target: swapped?")
    if row["lapvar_tg"] < FAR_SHARPNESS * usual["lapvar_tg"]:
        found.append(f"the target has little detail: {row['lapvar_tg']:.1f}, median {usual['lapvar_tg']:.1f}")
    if row["residual_px"] > FAR_RESIDUAL * usual["residual_px"]:
        found.append(f"residual {row['residual_px']:.3f} px, median {usual['residual_px']:.3f} px")
    if row["psnr_db"] < usual["psnr_db"] - FAR_DB:
        found.append(f"input PSNR {row['psnr_db']:.1f} dB, median {usual['psnr_db']:.1f} dB")
    for what, share in () if looks is None else looks.clipped():
        if share > FAR_SHARE:
            found.append(f"{100 * share:.0f} % of the {what}")
    return found


def _is_sharper(row: Any, looks: Looks | None) -> bool:
    """Whether the input is the sharper by more than its noise."""
    if looks is None:
        return bool(row["lapvar_in"] > row["lapvar_tg"])
    noise_in, noise_tg = (_LAPLACIAN_NOISE * sigma**2 for sigma in (looks.noise_input, looks.noise_target))
    detail_in, detail_tg = row["lapvar_in"] - noise_in, row["lapvar_tg"] - noise_tg
    return bool(detail_in > max(detail_tg, noise_in))


def _ratio(table: NDArray[Any]) -> NDArray[np.float64]:
    rounding = 1 / 12  # grey levels squared: a flat picture has no less
    return (table["lapvar_tg"].astype(float) + rounding) / (table["lapvar_in"].astype(float) + rounding)


def _edges(hashes: NDArray[np.uint64], split_of: NDArray[np.int64], group_of: NDArray[np.int64]) -> int | None:
    return len(near_pairs(hashes, split_of, group_of)) if hashes.any() else None


def _dates(session_ids: list[bytes]) -> tuple[tuple[str, int], ...]:
    dates = (re.search(r"\d{4}-\d{2}-\d{2}", one.decode("utf-8", "replace")) for one in session_ids)
    return tuple(sorted(Counter(date.group() for date in dates if date is not None).items()))


def _shares(counts: NDArray[np.int64]) -> tuple[float, ...]:
    return tuple((counts / max(int(counts.sum()), 1)).tolist())
