"""The page in a real browser: nothing overlaps or sticks out, and every photograph is sharp."""

import dataclasses
import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twinlens.calibrate.reports import CalibrationReport, StateReport
from twinlens.report.pages import write_report
from twinlens.report.street import PairVerdict, Street, registration_street

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def layout(chromium: str, page: str, folder: Path, *, width_px: int) -> dict[str, Any]:
    """What the probe finds in the page, laid out in a window of this width."""
    return probed([chromium, f"--window-size={width_px},1000"], page, folder, probe="layout")


def probed(command: list[str], page: str, folder: Path, *, probe: str) -> dict[str, Any]:
    """What a probe that runs inside the page writes into it."""
    script = Path(__file__).with_name(f"{probe}_probe.js").read_text()
    path = folder / "probed.html"
    path.write_text(page.replace("</body>", f"<script>{script}</script></body>"))
    ran = subprocess.run(
        [*command, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answer = re.search(rf'<pre id="{probe}">(.*?)</pre>', ran.stdout, re.DOTALL)
    assert answer, ran.stderr[-2000:]
    found: dict[str, Any] = json.loads(html.unescape(answer[1]))
    return found


@pytest.mark.parametrize("width_px", [1400, 800])
def test_nothing_overlaps_and_pictures_are_sharp(
    width_px: int, report: Path, system_tool: Callable[[str, str], str], tmp_path: Path
) -> None:
    seen = layout(system_tool("chromium", "chromium"), report.read_text(), tmp_path, width_px=width_px)
    assert seen["width"] == width_px
    assert seen["pictures"] > 20
    assert seen["found"] == []


def test_the_probe_sees_overlapping_tiles_and_stretched_pictures(
    report: Path, system_tool: Callable[[str, str], str], tmp_path: Path
) -> None:
    spoilt = report.read_text().replace(
        "</style>", ".tile { margin-right: -90px; } .panel img.native { width: 290px; }</style>"
    )
    found = layout(system_tool("chromium", "chromium"), spoilt, tmp_path, width_px=1400)["found"]
    assert any("overlaps" in line for line in found)
    assert any("not pixel for pixel" in line for line in found)


@pytest.mark.parametrize("width_px", [1400, 800])
def test_pages_of_a_calibration_alone_and_of_judged_photographs_are_laid_out(
    width_px: int, street: Street, state: StateReport, system_tool: Callable[[str, str], str], tmp_path: Path
) -> None:
    shown = street.registration[0]
    verdict = PairVerdict("a-photograph-with-a-rather-long-name_0001.tiff", "coarse", "few tiles " * 9, 0.6, 0.4)
    refused = dataclasses.replace(verdict, verdict="refused", residual_px=None, overlap=None)
    pairs = (
        shown,
        dataclasses.replace(shown, verdict=verdict),
        dataclasses.replace(shown, verdict=refused, a_registered=None),
    )
    states = tuple(
        dataclasses.replace(state, mirror_state=label) for label in (shown.mirror_state, "a state of 1.25 waves")
    )
    alone = registration_street(CalibrationReport(states), pairs, title="alone", drift_limit_px=0.25)
    page = write_report(alone, tmp_path).read_text()
    assert layout(system_tool("chromium", "chromium"), page, tmp_path, width_px=width_px)["found"] == []


def test_the_flicker_mixes_plays_and_pauses(
    report: Path, system_tool: Callable[[str, str], str], tmp_path: Path
) -> None:
    chromium = [system_tool("chromium", "chromium"), "--virtual-time-budget=3000"]
    worked = probed(chromium, report.read_text(), tmp_path, probe="blink")
    loaded, mixed, played, waited, paused = worked["seen"]
    assert not worked["hidden"]
    assert (loaded["button"], loaded["a"]) == ("Play", "1")
    assert "50%" in loaded["clip"]
    assert (mixed["button"], mixed["a"], mixed["clip"]) == ("Play", "0.7", "none")
    assert (played["button"], played["a"]) == ("Pause", "0")
    assert (waited["button"], waited["a"]) == ("Pause", "1")
    assert (paused["button"], paused["a"]) == ("Play", "1")


def test_who_asked_for_less_motion_switches_by_hand(
    report: Path, system_tool: Callable[[str, str], str], tmp_path: Path
) -> None:
    chromium = [
        system_tool("chromium", "chromium"),
        "--virtual-time-budget=3000",
        "--force-prefers-reduced-motion",
    ]
    seen = probed(chromium, report.read_text(), tmp_path, probe="blink")["seen"]
    assert [look["button"] for look in seen] == ["Switch"] * 5
    assert [look["a"] for look in seen] == ["1", "0.7", "0", "0", "1"]
