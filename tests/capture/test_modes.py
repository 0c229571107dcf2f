"""Every way to trigger, every pixel format and every kind of take, judged by the numbers in the pixels."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from twinlens.capture.capture import CaptureReport, Take, capture
from twinlens.capture.manifest import MANIFEST
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.virtual.camera_log import read_log
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.loop import LoopSettings, LoopSource
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.source import Shot
from twinlens.capture.virtual.stamp import read_trigger

ADDRESSES, FAULTY_ADDRESSES = ("127.0.8.2", "127.0.8.3"), ("127.0.8.12", "127.0.8.13")
SERIALS = ("MA01", "MB01")
LOOP = LoopSettings(shape_hw=(64, 96), frames=1)


@pytest.fixture(scope="module")
def served() -> Iterator[None]:
    with virtual_rig(LOOP, addresses=ADDRESSES, serials=SERIALS):
        yield


def rig(**settings: object) -> RigSettings:
    known = {"a": SERIALS[0], "b": SERIALS[1], "exposure_us": 500.0, "frame_timeout_s": 2.0}
    return RigSettings(**{**known, **settings})


def record(settings: RigSettings, takes: Iterable[Take], out: Path, resume: Path | None = None) -> CaptureReport:
    with closing(capture(settings, takes, out=out, resume=resume)) as reports:
        for report in reports:
            last = report
    return last


def right_pairs(report: CaptureReport) -> list[int]:
    """The triggers of the pairs of a session, after a look at the numbers in their pixels."""
    pairs = Session(Path(report.folder)).pairs()
    for pair in pairs:
        assert read_trigger(pair.a.pixels) == read_trigger(pair.b.pixels)
    return [pair.trigger_index for pair in pairs]


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("pixel_format", ["Mono10", "Mono10p", "Mono10Packed"])
def test_ten_bits_reach_the_disk_as_the_sensor_gave_them(tmp_path: Path, pixel_format: str) -> None:
    report = record(rig(pixel_format=pixel_format), [Take("x", 2)], tmp_path)
    session = Session(Path(report.folder))
    assert session.manifest.bit_depth == 10
    shot = Shot(0, 0, 0, exposure_us=500.0, gain_db=0.0, bit_depth=10)
    for pair in session.pairs():
        for frame in (pair.a, pair.b):
            truth = LoopSource(LOOP, role=frame.record.camera).frame(shot)
            assert (frame.bit_depth, frame.pixels.dtype) == (10, np.dtype(np.uint16))
            assert np.array_equal(frame.pixels[1:], truth[1:])


@pytest.mark.usefixtures("served")
def test_one_pair_at_a_rate_takes_one_trigger(tmp_path: Path) -> None:
    report = record(rig(rate_hz=10.0), [Take("x", 1)], tmp_path)
    assert (report.pairs, report.triggers, report.ledger) == (1, 1, ())


@pytest.mark.usefixtures("served")
def test_every_frame_of_a_timed_take_is_in_the_account(tmp_path: Path) -> None:
    report = record(rig(rate_hz=50.0), [Take("x", duration_s=0.4)], tmp_path)
    assert right_pairs(report) == list(range(report.triggers))
    assert report.frames == {"a": report.triggers, "b": report.triggers}


@pytest.mark.usefixtures("served")
def test_free_running_cameras_are_paired_and_called_unsynchronised(tmp_path: Path) -> None:
    report = record(rig(trigger="free", rate_hz=20.0), [Take("x", 8)], tmp_path)
    assert (report.pairs, report.synchronised) == (8, False)


@pytest.mark.usefixtures("served")
def test_a_session_of_the_first_format_goes_on_with_all_its_frames(tmp_path: Path) -> None:
    folder = Path(record(rig(), [Take("x", 3)], tmp_path).folder)
    values = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**values, "schema_version": "1.0.0", "runs": []}))
    record(rig(), [Take("y", 2)], tmp_path, resume=folder)
    assert Session(folder).pairs().scenes == ("x",) * 3 + ("y",) * 2


@pytest.mark.usefixtures("served")
def test_a_session_that_should_have_gone_on_and_did_not_is_as_it_was(tmp_path: Path) -> None:
    folder = Path(record(rig(), [Take("x", 2)], tmp_path).folder)
    before = Session(folder).manifest
    with closing(capture(rig(), iter([None] * 1000), out=tmp_path, resume=folder)) as reports:
        next(reports)
    assert Session(folder).manifest == before


def test_a_trigger_missed_before_the_first_frame_is_told_from_a_lost_frame(tmp_path: Path) -> None:
    faults = (Faults(lost_frames=(0,)), Faults(missed_triggers=(0,), extra_frames=2))
    with virtual_rig(LOOP, addresses=FAULTY_ADDRESSES, serials=SERIALS, faults=faults):
        report = record(rig(frame_timeout_s=0.5), [Take("x", 4)], tmp_path)
    assert right_pairs(report) == [1, 2, 3, 4]
    told = {(gap.trigger_index, gap.camera): gap.reason for gap in report.ledger}
    assert told == {(0, "a"): "lost on the network", (0, "b"): "not triggered"}


def test_a_chain_accounts_for_every_trigger_of_both_cameras(tmp_path: Path) -> None:
    faults = (Faults(missed_triggers=(3,)), Faults(missed_triggers=(7,), lost_frames=(9,)))
    with virtual_rig(LOOP, addresses=FAULTY_ADDRESSES, serials=SERIALS, faults=faults, chained=True):
        report = record(rig(trigger="chain", rate_hz=20.0), [Take("x", 12)], tmp_path)
    assert right_pairs(report) == [i for i in range(report.triggers) if i not in (3, 7, 9)][:12]
    told = {(gap.trigger_index, gap.camera): gap.reason for gap in report.ledger}
    assert told == {
        (3, "a"): "not triggered",
        (3, "b"): "not triggered",
        (7, "b"): "not triggered",
        (9, "b"): "lost on the network",
    }


def test_no_frame_of_a_take_was_exposed_before_it_began(tmp_path: Path) -> None:
    """The mirror moves between takes; at 10 Hz and 80 ms most moments lie within an exposure."""
    logs = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    seen: list[int] = []

    def takes() -> Iterator[Take]:
        for number in range(6):
            seen.append(time.monotonic_ns())
            yield Take(str(number), 1)

    with virtual_rig(LOOP, addresses=FAULTY_ADDRESSES, serials=SERIALS, pulses_hz=10.0, logs=logs):
        report = record(rig(trigger="hardware", exposure_us=80_000.0), takes(), tmp_path)
    exposed_ns = {entry.trigger: entry.time_ns for entry in read_log(logs[0]) if entry.event == "sent"}
    for pair in Session(Path(report.folder)).pairs():
        number = read_trigger(pair.a.pixels)
        assert number == read_trigger(pair.b.pixels)
        assert exposed_ns[number] > seen[int(pair.scene)]


def test_a_late_first_frame_does_not_spoil_the_clock(tmp_path: Path) -> None:
    faults = (Faults(late_triggers=(0,), late_ms=49.0), Faults())
    with virtual_rig(LOOP, addresses=FAULTY_ADDRESSES, serials=SERIALS, faults=faults):
        report = record(rig(), [Take("x", 6)], tmp_path)
    assert len(right_pairs(report)) == 6
    assert report.triggers <= 7
