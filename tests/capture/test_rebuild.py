"""Sessions whose recording was killed: every frame that was flushed comes back, in the right pair."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinlens.capture.rebuild import rebuild_session
from twinlens.capture.session import Session
from twinlens.capture.virtual.loop import LoopSettings
from twinlens.capture.virtual.rehearse import virtual_rig
from twinlens.capture.virtual.stamp import read_trigger
from twinlens.errors import SessionError

ADDRESSES = ("127.0.3.42", "127.0.3.43")
RECORD = """
import sys, time
from pathlib import Path
from twinlens.capture.capture import Take, capture
from twinlens.capture.rig_file import RigSettings
from twinlens.errors import CaptureError

if __name__ == "__main__":
    rig = RigSettings(a="RA", b="RB", trigger=sys.argv[2], rate_hz=15.0 if sys.argv[2] == "software" else 0.0,
                      exposure_us=1000.0)
    takes = [Take("first", 10), Take("second", 100_000)]
    for attempt in range(10):
        try:
            for report in capture(rig, takes, out=Path(sys.argv[1])):
                print(report.pairs, flush=True)
        except CaptureError as error:  # a killed owner's cameras are free again after its heartbeat timeout
            if "another application" not in str(error):
                raise
            time.sleep(1.0)
"""


@pytest.fixture(scope="module")
def served() -> Iterator[None]:
    loop = LoopSettings(shape_hw=(64, 96), frames=2)
    with virtual_rig(loop, addresses=ADDRESSES, serials=("RA", "RB"), pulses_hz=15.0):
        yield


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("trigger", ["software", "hardware"])
@pytest.mark.parametrize("who", ["parent", "everyone"])
def test_a_killed_recording_loses_at_most_its_last_second(tmp_path: Path, trigger: str, who: str) -> None:
    script = tmp_path / "record.py"
    script.write_text(RECORD)
    out = tmp_path / "out"
    child = subprocess.Popen(
        [sys.executable, str(script), str(out), trigger],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    seen = [(time.monotonic(), int(line)) for line in iter_until(child, pairs=40)]
    killed_s = time.monotonic()
    if who == "parent":
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    (part,) = out.iterdir()
    assert part.suffix == ".part"
    wait_for_writers(part)

    folder, _ = rebuild_session(part)
    assert [path.name for path in out.iterdir()] == [folder.name]
    session = Session(folder)
    pairs = session.pairs()
    for pair in pairs:
        assert read_trigger(pair.a.pixels) == read_trigger(pair.b.pixels)
    assert pairs.scenes.count("first") == 10
    safe = max(count for at_s, count in seen if at_s < killed_s - 1.0)
    assert len(pairs) >= safe
    assert not session.manifest.complete
    assert "killed" in session.manifest.ended


def iter_until(child: "subprocess.Popen[str]", *, pairs: int) -> Iterator[str]:
    assert child.stdout is not None
    for line in child.stdout:
        yield line
        if int(line) >= pairs:
            return


def wait_for_writers(part: Path) -> None:
    """Camera processes that outlive their parent notice that it is gone, seal and leave."""
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        before = sorted((path.name, path.stat().st_size) for path in part.glob("[ab]/*"))
        time.sleep(1.0)
        if before == sorted((path.name, path.stat().st_size) for path in part.glob("[ab]/*")):
            return
    pytest.fail("a camera's process still writes after 20 s")


def test_only_an_unsealed_session_is_mended(tmp_path: Path) -> None:
    (tmp_path / "session_x").mkdir()
    with pytest.raises(SessionError, match=r"no unsealed session"):
        rebuild_session(tmp_path / "session_x")
