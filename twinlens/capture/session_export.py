"""Writes the pairs of a session as picture files that any program opens, and a table of what is known of them."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2

from twinlens.capture.frame import Frame, FramePair
from twinlens.capture.session import Session, SessionPairs
from twinlens.errors import HostLimitError, SessionError
from twinlens.storage import require_free, sealed

PictureType = Literal["tiff", "png"]
TABLE = "frames.csv"
COLUMNS = (
    "file",
    "scene",
    "mirror_state",
    "trigger_index",
    "camera",
    "frame_id",
    "camera_time_ns",
    "host_time_ns",
    "skew_ns",
    "exposure_us",
    "gain_db",
    "bit_depth",
    "arming",
    "take",
    "xxh3_64",
)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written."""

    folder: str
    pairs: int
    bytes: int
    table: str


def export_session(
    session: Session,
    out: Path,
    *,
    picture_type: PictureType,
    pairs: SessionPairs | None = None,
    on_pair: Callable[[int], None] | None = None,
) -> ExportReport:
    """Write pairs (all, if none are given) as `out`/SCENE/SESSION_NNNNNN_a.png and _b.png, and `out`/frames.csv.

    N is the trigger index. Pixels are written as they are: 10-bit frames as 16-bit pictures of 0 to 1023. One pair
    is in memory at a time. `on_pair` is told how many are done.

    Raises:
        SessionError: there is no pair to write, a file is there already, or a frame cannot be read.
        HostLimitError: there is no room for the pictures.
    """
    chosen = session.pairs() if pairs is None else pairs
    if not len(chosen):
        raise SessionError(f"{session.folder} has no such pair", hint="ask 'twinlens info' what the session holds")
    _require_room(out, chosen)
    table, written = out / TABLE, 0
    if table.exists():
        raise _is_there(table)
    with sealed(table) as part, part.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for done, pair in enumerate(chosen):
            for frame in (pair.a, pair.b):
                name = _name(session.id, pair, frame, picture_type)
                written += _write(frame, out / name)
                rows.writerow(_row(name, pair, frame))
            if on_pair is not None:
                on_pair(done + 1)
    return ExportReport(str(out), len(chosen), written, str(table))


def _require_room(out: Path, pairs: SessionPairs) -> None:
    first = pairs[0]
    wanted = len(pairs) * (first.a.pixels.nbytes + first.b.pixels.nbytes)
    out.mkdir(parents=True, exist_ok=True)
    try:
        require_free(out, wanted)
    except OSError as cause:
        raise HostLimitError(
            f"{len(pairs)} pairs may take {wanted / 1e9:.1f} GB, {out} has no room for them",
            hint="export fewer with --pairs, or to another disk",
        ) from cause


def _name(session_id: str, pair: FramePair, frame: Frame, picture_type: PictureType) -> str:
    scene = re.sub(r"[^\w.-]+", "_", pair.scene).strip(".") or "scene"
    return f"{scene}/{session_id}_{pair.trigger_index:06d}_{frame.record.camera}.{picture_type}"


def _write(frame: Frame, path: Path) -> int:
    if path.exists():
        raise _is_there(path)
    encoded, data = cv2.imencode(path.suffix, frame.pixels)
    if not encoded:
        raise SessionError(f"{path} cannot be encoded", hint="choose the other of tiff and png")
    with sealed(path) as part:
        part.write_bytes(data.tobytes())
    return int(data.nbytes)


def _is_there(path: Path) -> SessionError:
    return SessionError(f"{path} exists already", hint="choose an empty folder with --out")


def _row(name: str, pair: FramePair, frame: Frame) -> tuple[object, ...]:
    record = frame.record
    return (
        name,
        pair.scene,
        pair.mirror_state.label,
        pair.trigger_index,
        record.camera,
        record.frame_id,
        record.camera_time_ns,
        record.host_time_ns,
        pair.skew_ns,
        record.exposure_us,
        record.gain_db,
        frame.bit_depth,
        record.arming,
        record.take,
        f"{record.xxh3:016x}",
    )
