"""The page in a real browser: nothing overlaps or sticks out, and every photograph is sharp."""

import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROBE = Path(__file__).with_name("layout_probe.js")
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
    probed = folder / "probed.html"
    probed.write_text(page.replace("</body>", f"<script>{PROBE.read_text()}</script></body>"))
    command = [chromium, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width_px},1000"]
    ran = subprocess.run(
        [*command, "--dump-dom", probed.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    answer = re.search(r'<pre id="layout">(.*?)</pre>', ran.stdout, re.DOTALL)
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
