"""The camera's log and the faults it is asked for."""

import pytest

from twinlens.capture.virtual.camera_log import CameraLog, LogEntry, read_log
from twinlens.capture.virtual.faults import Faults
from twinlens.errors import HostLimitError, SettingsError


def test_the_file_tells_what_the_memory_does_and_late_resends_too(tmp_path):
    path = tmp_path / "a.jsonl"
    log = CameraLog(path)
    numbers = [log.add(LogEntry(trigger=i, block_id=i + 1, event="sent", time_ns=i)) for i in range(100)]
    log.add_resent(numbers[90], 3)
    log.add_resent(numbers[90], 2)
    log.close()
    assert read_log(path) == log.entries() == list(log)
    assert [(e.trigger, e.resent_packets) for e in log if e.resent_packets] == [(90, 5)]


def test_entries_are_found_by_event():
    log = CameraLog()
    log.add(LogEntry(trigger=0, block_id=1, event="sent"))
    log.add(LogEntry(trigger=1, block_id=0, event="missed"))
    assert [entry.trigger for entry in log.entries("missed", "lost")] == [1]
    log.close()


def test_a_log_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(HostLimitError, match=r"nowhere/a\.jsonl cannot be written"):
        CameraLog(tmp_path / "nowhere" / "a.jsonl")


def test_a_camera_has_no_faults_unless_asked():
    assert Faults().is_none
    assert Faults(seed=3).is_none
    assert not Faults(missed_triggers=(3,)).is_none
    assert Faults.from_dict({"lost_frames": [1, 2]}).lost_frames == (1, 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"drop": 1.5}, r"Faults\.drop is 1\.5"),
        ({"drop_burst": 0}, "drop_burst is 0"),
        ({"first_block_id": 0}, "first_block_id is 0"),
        ({"missed_triggers": (2, -1)}, "counted from 0"),
        ({"clock_drift_ppm": float("nan")}, "clock_drift_ppm is nan"),
    ],
)
def test_faults_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(SettingsError, match=message):
        Faults(**wrong)
