"""While a recording waits for a person or a mirror, the cameras are not forgotten."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from twinlens.capture.capture import CaptureReport, Take, capture
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.virtual.faults import Faults
from twinlens.capture.virtual.loop import LoopSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.errors import CameraLostError

LOOP = LoopSettings(shape_hw=(64, 64), frames=1)
RIG = RigSettings(a="WA", b="WB", trigger="hardware", rate_hz=20.0, frame_timeout_s=2.0)
BENCH = {"addresses": ("127.0.5.2", "127.0.5.3"), "serials": ("WA", "WB"), "pulses_hz": 20.0}
UNPLUG_AFTER_FRAMES = 40
"""Pulses go on while nobody asks for a pair: camera B vanishes about 2 s after it was armed."""


@pytest.fixture(autouse=True)
def _bundled_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)


def test_a_camera_lost_while_nobody_asks_for_a_pair_ends_the_session(tmp_path: Path) -> None:
    takes: Iterator[Take | None] = itertools.chain([Take("x", 2)], itertools.repeat(None))
    faults = (Faults(), Faults(unplug_after_frames=UNPLUG_AFTER_FRAMES))
    reports: list[CaptureReport] = []
    with (
        virtual_rig(LOOP, faults=faults, **BENCH),
        closing(capture(RIG, takes, out=tmp_path)) as recording,
        pytest.raises(CameraLostError),
    ):
        reports.extend(recording)
    assert reports[-1].pairs == 2
    assert reports[-1].ended  # the last report comes before the error
    assert len(Session(Path(reports[-1].folder)).pairs()) == 2


def test_a_camera_that_comes_back_while_nobody_asks_for_a_pair_is_used_again(tmp_path: Path) -> None:
    armings = 1

    def takes() -> Iterator[Take | None]:
        yield Take("before", 2)
        while armings == 1:
            yield None
        yield Take("after", 2)

    faults = (Faults(), Faults(unplug_after_frames=UNPLUG_AFTER_FRAMES, replug_after_s=1.0))
    with (
        virtual_rig(LOOP, faults=faults, **BENCH),
        closing(capture(RIG, takes(), out=tmp_path, reconnect=True)) as recording,
    ):
        for report in recording:
            armings = report.armings
    assert (report.pairs, report.armings, report.ended) == (4, 2, "")
    assert Session(Path(report.folder)).pairs().scenes == ("before", "before", "after", "after")
