"""Action commands, at once and scheduled by the cameras' common clock."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from twinlens.capture.capture import CaptureReport, Take, capture
from twinlens.capture.rig_file import RigSettings
from twinlens.capture.session import Session
from twinlens.capture.virtual.camera_settings import VirtualCameraSettings
from twinlens.capture.virtual.loop import LoopSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.stamp import read_trigger
from twinlens.errors import SettingsError

ADDRESSES, SERIALS = ("127.0.3.52", "127.0.3.53"), ("XA", "XB")
LOOP = LoopSettings(shape_hw=(64, 96), frames=2)


def rig(**settings: float | str) -> RigSettings:
    return RigSettings(a="XA", b="XB", trigger="action", rate_hz=10.0, exposure_us=500.0, **settings)  # type: ignore[arg-type]


def record(settings: RigSettings, out: Path) -> CaptureReport:
    with closing(capture(settings, [Take("x", 8)], out=out)) as reports:
        return list(reports)[-1]


@pytest.fixture(scope="module")
def served() -> Iterator[None]:
    with_ptp = VirtualCameraSettings(offers_ptp=True)
    with virtual_rig(LOOP, addresses=ADDRESSES, serials=SERIALS, settings=(with_ptp, with_ptp)):
        yield


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("lead_ms", [0.0, 25.0])
def test_one_action_triggers_both_cameras(tmp_path: Path, lead_ms: float) -> None:
    report = record(rig(action_lead_ms=lead_ms), tmp_path)
    assert (report.pairs, report.triggers, report.frames_lost) == (8, 8, 0)
    for pair in Session(Path(report.folder)).pairs():
        assert read_trigger(pair.a.pixels) == read_trigger(pair.b.pixels)
    if lead_ms:  # both cameras expose at the same tick of the same clock, whenever the datagrams arrive
        assert report.skew is not None
        assert report.skew.max_us < 1.0


def test_an_action_cannot_be_scheduled_without_ptp(tmp_path: Path) -> None:
    with (
        virtual_rig(LOOP, addresses=("127.0.3.54", "127.0.3.55"), serials=SERIALS),
        pytest.raises(SettingsError, match="cannot obey an action at a given time"),
    ):
        record(rig(action_lead_ms=25.0), tmp_path)
    assert list(tmp_path.iterdir()) == []
