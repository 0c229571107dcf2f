"""Section `defocus`: photographs of one scene between which a lens was refocused, beside SIFT + MAGSAC and ORB.

`--defocus` takes folders and files. Files are pairs in turn: A, B, A, B. In a folder `NAME_a.*` and `NAME_b.*` are
a pair, A sharp; all its other pictures are one focus bracket, of which every two are a pair, the sharper one (by
`blur_sigma_px`) being A. Without `--defocus` stand-ins are rendered and called so: they are no photographs.

Nobody knows a photograph's truth, so each way is judged by what needs none (`registration_agreement.py`):
  off       distance of B's squares from where the map puts them, px: median, and 95 %
  ncc       their median correlation
  held out  the same distance in the half of the frame (left, right) that the map was not fitted on
  halves    mean distance over the frame between the maps of the two halves
  back      mean distance of points mapped to B and, by a fit of B to A, back again
  crop      mean distance between the map of the frames and that of frames cut by some px
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from registration_agreement import Fit, Frame, Map, Squares, apart_px, frame_points, homography_map, squares
from registration_methods import orb_homography
from registration_pictures import pictured
from registration_real import sift_homography
from registration_run import Run
from registration_stand_in import stand_ins
from registration_truth import FloatArray

from twinlens.calibrate import Registration, register
from twinlens.calibrate.equalise import blur_sigma_px
from twinlens.calibrate.mapping import Mapping
from twinlens.errors import CalibrationError
from twinlens.report.street import RegistrationPictures

PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}
SIFT_MOST_PX = 3_000_000
"""Larger frames are halved for SIFT, as in the section `real`: grain costs it matches there."""
CUTS_PX = ((17, 11, 0, 0), (0, 0, 23, 13))
"""Left, top, right and bottom margins of frames that are fitted again."""
NO_WORSE_PX = 0.02
"""What the meter itself is worth."""
CRITERIA = ("off", "95 %", "1 - ncc", "held out", "halves", "back", "crop", "truth")


@dataclass(frozen=True)
class Task:
    """One pair and what is known of it."""

    name: str
    a: Frame
    b: Frame
    truth: FloatArray | None = None
    """B's pixels of A's (3, 3), of a stand-in."""


@dataclass(frozen=True)
class Finding:
    """What became of one pair."""

    sigma_px: float
    pictures: RegistrationPictures
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    """Method -> criterion -> figure, lower is better; NaN where there is none, infinite where it gave up."""


def run_defocus(run: Run) -> None:
    tasks = list(pairs_of(run.defocus)) if run.defocus else list(stand_ins_of(run))
    kind = "photographs" if run.defocus else "STAND-INS, rendered, no photographs"
    print(f"\ndefocus, {len(tasks)} pairs: {kind}; all figures px, lower is better")
    print(
        f"{'pair':34} {'blur':>5} {'method':9} {' '.join(f'{name:>8}' for name in (*CRITERIA, 'cpu s'))}",
        flush=True,
    )
    found = []
    for task, one in zip(tasks, run.map(attempt, tasks), strict=True):
        found.append(one)
        run.pictures.append(one.pictures)
        for method, figures in one.figures.items():
            told = " ".join(f"{figures[name]:8.3f}" for name in (*CRITERIA, "cpu s"))
            print(f"{task.name:34} {one.sigma_px:5.2f} {method:9} {told}", flush=True)
    if found:
        told_against_sift(run, found)


def told_against_sift(run: Run, found: Sequence[Finding]) -> None:
    """On how many pairs which of the two is better, and the bars."""
    for name in CRITERIA:
        both = [(one.figures["ours"][name], one.figures["SIFT"][name]) for one in found]
        both = [(ours, sift) for ours, sift in both if not np.isnan(ours) and not np.isnan(sift)]
        if both:
            better, worse = sum(ours < sift for ours, sift in both), sum(ours > sift for ours, sift in both)
            ours, sift = (float(np.median(column)) for column in zip(*both, strict=True))
            print(f"  {name:9} medians {ours:.3f}, SIFT {sift:.3f}; better on {better}, SIFT on {worse}")
    for name in ("off", "held out", "truth"):
        apart = [one.figures["ours"][name] - one.figures["SIFT"][name] for one in found]
        if known := [gap for gap in apart if not np.isnan(gap)]:
            run.bar(f"defocus: {name}, ours less SIFT, median", float(np.median(known)), NO_WORSE_PX)


def attempt(task: Task) -> Finding:
    try:
        decided: Registration | CalibrationError = register(task.a, task.b)
    except CalibrationError as refusal:
        decided = refusal
    shown = pictured(task.name, task.a, task.b, decided)
    fits = {method: figures_of(fit, task) for method, fit in METHODS.items()}
    counts = np.all([np.isfinite(whole.off_px) for _, whole, _ in fits.values() if whole], axis=0)
    figures = {}
    for method, (known, whole, others) in fits.items():
        if whole is not None:
            known |= {
                "off": float(np.median(whole.off_px[counts])),
                "95 %": float(np.percentile(whole.off_px[counts], 95)),
                "1 - ncc": float(1 - np.median(whole.ncc[counts])),
            }
        if others is not None:
            known["held out"] = float(np.median(others[counts & np.isfinite(others)]))
        figures[method] = dict.fromkeys(CRITERIA, np.nan) | known
    return Finding(blur_sigma_px(task.a, task.b), shown, figures)


def figures_of(fit: Fit, task: Task) -> tuple[dict[str, float], Squares | None, FloatArray | None]:
    """Figures that need no other method, the whole fit's squares, and how far off held-out squares are (n,)."""
    a, b = task.a, task.b
    shape_hw = (a.shape[0], a.shape[1])
    began = time.process_time()
    try:
        whole = fit(a, b)
    except CalibrationError:
        return dict.fromkeys(CRITERIA, np.inf) | {"cpu s": time.process_time() - began}, None, None
    known = {"cpu s": time.process_time() - began}
    if task.truth is not None:
        known["truth"] = apart_px(whole, homography_map(task.truth), shape_hw)
    middle = a.shape[1] // 2
    halves = [part_fit(fit, task, (0, 0, a.shape[1] - middle, 0)), part_fit(fit, task, (middle, 0, 0, 0))]
    cuts = [cut for cut in (part_fit(fit, task, margins) for margins in CUTS_PX) if cut]
    known["crop"] = float(np.mean([apart_px(whole, cut, shape_hw) for cut in cuts])) if cuts else np.inf
    try:
        back = fit(b, a)
        points = frame_points(shape_hw)
        known["back"] = float(np.hypot(*(back.b_from_a(whole.b_from_a(points)) - points).T).mean())
    except CalibrationError:  # ours will not take the blurred picture for the sharp one
        known["back"] = np.nan
    left, right = halves
    if left is None or right is None:
        return known | {"halves": np.inf, "held out": np.inf}, squares(a, b, whole), None
    known["halves"] = apart_px(left, right, shape_hw)
    of_left, of_right = squares(a, b, left), squares(a, b, right)
    others = np.where(of_left.left >= middle, of_left.off_px, of_right.off_px)
    return known, squares(a, b, whole), others


def part_fit(fit: Fit, task: Task, margins: tuple[int, int, int, int]) -> Map | None:
    """The map of frames without their left, top, right and bottom margins (px); None where it gives up."""
    left, top, right, bottom = margins
    height, width = task.a.shape
    part = slice(top, height - bottom), slice(left, width - right)
    try:
        return fit(np.ascontiguousarray(task.a[part]), np.ascontiguousarray(task.b[part])).moved(left, top)
    except CalibrationError:
        return None


def ours(a: Frame, b: Frame) -> Map:
    found = register(a, b)
    mapping = Mapping(found.b_from_a, found.field)
    return Map(mapping.map_b_from_a, mapping.map_a_from_b)


def ours_straight(a: Frame, b: Frame) -> Map:
    """Ours, its field left off: a homography like those of the others."""
    return homography_map(register(a, b).b_from_a)


def sift(a: Frame, b: Frame) -> Map:
    return homography_map(sift_homography(a, b, 1.0 if a.size <= SIFT_MOST_PX else 0.5)[0])


def orb(a: Frame, b: Frame) -> Map:
    return homography_map(orb_homography([(a, b)]))


def unmoved(_a: Frame, _b: Frame) -> Map:
    """No registration at all."""
    return homography_map(np.eye(3))


METHODS: dict[str, Fit] = {"ours": ours, "ours, H": ours_straight, "SIFT": sift, "ORB": orb, "none": unmoved}


def pairs_of(paths: Sequence[Path]) -> Iterator[Task]:
    """The pairs that folders and files hold, by the rule above."""
    files = [path for path in paths if not path.is_dir()]
    if len(files) % 2:
        raise SystemExit(f"--defocus: {len(files)} files are no pairs; name A, B, A, B, or folders")
    for a, b in zip(files[::2], files[1::2], strict=True):
        yield Task(f"{a.stem} → {b.stem}", grey(a), grey(b))
    for folder in (path for path in paths if path.is_dir()):
        pictures = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in PICTURES]
        named = {path.stem.lower(): path for path in pictures}
        sharp = {
            path: named.get(f"{path.stem[:-2].lower()}_b") for path in pictures if path.stem.lower()[-2:] == "_a"
        }
        pairs = [(a, b) for a, b in sharp.items() if b is not None]
        yield from (Task(f"{a.stem} → {b.stem}", grey(a), grey(b)) for a, b in pairs)
        taken = {path for pair in pairs for path in pair}
        for first, second in combinations([path for path in pictures if path not in taken], 2):
            a, b = (first, second) if blur_sigma_px(grey(first), grey(second)) >= 0 else (second, first)
            yield Task(f"{a.stem} → {b.stem}", grey(a), grey(b))


def stand_ins_of(run: Run) -> Iterator[Task]:
    for name, a, b, b_from_a in stand_ins(run.scenes, few=run.quick):
        yield Task(name, a, b, b_from_a)


def grey(path: Path) -> Frame:
    """The picture (h, w)."""
    levels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if levels is None:
        raise SystemExit(f"--defocus: {path} is no picture")
    return np.asarray(levels, np.uint8)
