"""Reading a session again finds every damage, mending keeps what is whole, exporting writes it as pictures."""

import csv
import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from twinlens.capture.frame import CameraRole, Frame, FrameRecord, MirrorState
from twinlens.capture.manifest import MANIFEST, Manifest, RecordedTake, read_manifest
from twinlens.capture.pairing import Gap, Run
from twinlens.capture.recorder import Recorder
from twinlens.capture.rows import DETECTOR, FRAME_ROW
from twinlens.capture.session import Session
from twinlens.capture.session_export import export_session
from twinlens.capture.session_mend import mend_session
from twinlens.capture.session_verify import SessionCheck, verify_session
from twinlens.cli import run
from twinlens.errors import SessionError

TRIGGERS = 6
SHAPE_HW = (8, 10)


def pixels_of(camera: CameraRole, trigger_index: int) -> np.ndarray:
    rng = np.random.default_rng([trigger_index, camera == "b"])
    return rng.integers(0, 1024, SHAPE_HW, dtype=np.uint16)


def write_session(folder: Path) -> Path:
    """Six triggers, the second not answered by A; two scenes; two segments per camera."""
    for camera in ("a", "b"):
        for first in (0, 3):
            recorder = Recorder(
                folder / camera, camera, attributes={"session_id": "s_x"}, on_written=lambda _: None
            )
            for i in range(first, first + 3):
                if (camera, i) == ("a", 1):
                    continue
                record = FrameRecord(camera, i, i + 1, 1 + i * 1000, i, 10.0, 0.0, True, 0, 0)  # noqa: FBT003
                recorder.put(Frame(pixels_of(camera, i), record, 10))
            recorder.close()
    Manifest(
        id="s_x",
        complete=False,
        cameras={"a": {"serial": "A"}, "b": {"serial": "B"}},
        settings={"skew": 0.1},
        producer="x.cti",
        shape_hw=SHAPE_HW,
        bit_depth=10,
        takes=(
            RecordedTake("house", MirrorState("flat"), 0),
            RecordedTake("old town/gate", MirrorState("bent", (0.5,), "V"), 3),
        ),
        triggers=TRIGGERS,
        ledger=(Gap(1, "a", "incomplete"),),
        stream={},
        runs=(Run("a", 0, 0, 0, 0, 0), Run("a", 0, 0, 2, 5, 0), Run("b", 0, 0, 0, 5, 0)),
    ).write(folder)
    return folder


@pytest.fixture
def session(tmp_path: Path) -> Path:
    return write_session(tmp_path / "s_x")


def told(check: SessionCheck) -> str:
    return "\n".join(f"{problem.where}: {problem.what}" for problem in check.problems)


def test_a_session_that_nobody_touched_is_intact(session: Path) -> None:
    check = verify_session(session)
    assert told(check) == ""
    assert check.is_intact
    assert (check.frames, check.pairs, check.gaps) == ({"a": 5, "b": 6}, 5, 1)


@pytest.mark.parametrize("what", ["pixels", "rows"])
@pytest.mark.parametrize("seed", range(6))
def test_one_flipped_bit_in_pixels_or_rows_is_found(session: Path, what: str, seed: int) -> None:
    rng = random.Random(seed)
    path = session / "b" / "seg_000001.h5"
    with h5py.File(path) as file:
        name, size = (
            ("data", 3 * 2 * SHAPE_HW[0] * SHAPE_HW[1]) if what == "pixels" else ("frames", 3 * FRAME_ROW.itemsize)
        )
        frame_bytes = size // 3
        chunk = rng.randrange(3) if what == "pixels" else 0
        start = file[f"{DETECTOR}/{name}"].id.get_chunk_info(chunk).byte_offset
    content = bytearray(path.read_bytes())
    content[start + rng.randrange(frame_bytes if what == "pixels" else size)] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    check = verify_session(session)
    assert "b/seg_000001.h5: frame" in told(check)
    assert check.frames == {"a": 5, "b": 5}


def test_no_flipped_bit_anywhere_changes_what_is_read_without_being_found(session: Path) -> None:
    path = session / "a" / "seg_000000.h5"
    content = path.read_bytes()

    def read() -> list[object]:
        with h5py.File(path) as file:
            rows, data = file[f"{DETECTOR}/frames"][:].tobytes(), file[f"{DETECTOR}/data"][:].tobytes()
            return [rows, data, file[DETECTOR].attrs.items(), sorted(map(str, file.attrs.items()))]

    truth = [str(part) for part in read()]
    rng = random.Random(4)
    used = [i for i, byte in enumerate(content) if byte]
    missed = []
    for position in rng.sample(used, 150):
        path.write_bytes(
            content[:position] + bytes([content[position] ^ 1 << rng.randrange(8)]) + content[position + 1 :]
        )
        if verify_session(session).is_intact and [str(part) for part in read()] != truth:
            missed.append(position)
    assert missed == []


def test_an_edited_manifest_is_found(session: Path) -> None:
    path = session / MANIFEST
    path.write_text(path.read_text().replace('"skew": 0.1', '"skew": 0.2'))
    assert told(verify_session(session)) == "session.json: was changed after it was written"


def test_a_missing_segment_is_named_with_the_triggers_that_went_with_it(session: Path) -> None:
    (session / "a" / "seg_000000.h5").unlink()
    assert told(verify_session(session)).splitlines() == [
        "a/seg_000000.h5: is missing",
        "session.json: camera A: trigger 0 and 1 more up to 2: no frame, and no gap in the ledger",
    ]


def test_a_cut_segment_and_one_from_another_place_are_named(session: Path) -> None:
    cut = session / "a" / "seg_000001.h5"
    cut.write_bytes(cut.read_bytes()[:3000])
    shutil.copy(session / "b" / "seg_000000.h5", session / "b" / "seg_000001.h5")
    text = told(verify_session(session))
    assert "a/seg_000001.h5: cannot be read" in text
    assert "b/seg_000001.h5: was recorded as b/seg_000000.h5" in text
    assert "camera B: trigger 0 and 2 more up to 2: more than one frame" in text


def test_a_ledger_that_contradicts_the_frames_is_found(session: Path) -> None:
    manifest = read_manifest(session)
    replace(manifest, ledger=(Gap(0, "b", "incomplete"),), triggers=5).write(session)
    assert told(verify_session(session)).splitlines() == [
        "session.json: camera B: trigger 0: the ledger calls lost what is there",
        "session.json: camera A: trigger 1: no frame, and no gap in the ledger",
        "session.json: camera A: trigger 5: a frame beyond the last trigger",
        "session.json: camera B: trigger 5: a frame beyond the last trigger",
    ]


def test_what_is_no_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="holds no session"):
        verify_session(tmp_path)


def test_the_verb_lists_what_is_wrong_and_repairs_it(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(session)]) == 0
    path = session / "b" / "seg_000001.h5"
    content = bytearray(path.read_bytes())
    content[content.index(pixels_of("b", 4).tobytes())] ^= 1
    path.write_bytes(content)
    capsys.readouterr()
    assert run(["verify", str(session), "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["problems"] == [
        {"where": "b/seg_000001.h5", "what": "frame 1 (block 5) does not have its hash"},
        {"where": "session.json", "what": "camera B: trigger 4: no frame, and no gap in the ledger"},
    ]
    assert "--repair" in err
    assert run(["verify", "--repair", str(session)]) == 0
    assert "1 frames were not whole" in capsys.readouterr().out
    assert (session / "b" / "seg_000001.h5.damaged").exists()
    assert Gap(4, "b", "not written") in Session(session).ledger
    assert [pair.trigger_index for pair in Session(session).pairs()] == [0, 2, 3, 5]
    assert run(["verify", str(session)]) == 0


def test_a_session_that_is_being_recorded_is_not_mended(session: Path) -> None:
    part = session.rename(session.with_name("s_x.part"))
    recorder = Recorder(part / "a", "a", attributes={}, on_written=lambda _: None)
    with pytest.raises(SessionError, match="is being recorded into"):
        mend_session(part)
    recorder.close()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_exported_pictures_hold_the_recorded_pixels(session: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "pictures"
    assert run(["export", str(session), "--to", suffix, "-o", str(out)]) == 0
    with (out / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["trigger_index"], row["camera"]) for row in rows] == [(i, c) for i in "02345" for c in "ab"]
    for row in rows:
        picture = cv2.imread(str(out / row["file"]), cv2.IMREAD_UNCHANGED)
        assert picture.dtype == np.uint16
        assert np.array_equal(picture, pixels_of(row["camera"], int(row["trigger_index"])))
        assert row["bit_depth"] == "10"
    assert rows[-1]["file"] == f"old_town_gate/s_x_000005_b.{suffix}"
    assert rows[-1]["mirror_state"] == "bent"


def test_an_export_overwrites_nothing_and_takes_a_part(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pictures"
    assert run(["export", str(session), "-o", str(out), "--pairs", "1:3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 2
    assert sorted(path.name for path in out.rglob("*.png")) == [
        f"s_x_00000{i}_{camera}.png" for i in (2, 3) for camera in "ab"
    ]
    assert run(["export", str(session), "-o", str(out), "--pairs", "0:1"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert run(["export", str(session), "-o", str(tmp_path / "none"), "--pairs", "7:9"]) == 1
    assert run(["export", str(session), "-o", str(tmp_path / "none"), "--pairs", "3:1"]) == 2


def test_an_export_that_fails_leaves_no_table(session: Path, tmp_path: Path) -> None:
    opened = Session(session)
    (session / "b" / "seg_000001.h5").unlink()
    with pytest.raises(SessionError, match="cannot be read"):
        export_session(opened, tmp_path / "out", picture_type="png")
    assert not (tmp_path / "out" / "frames.csv").exists()
