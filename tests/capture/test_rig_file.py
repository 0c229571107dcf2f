"""rig.toml: what is written is read, and what cannot work is refused by name."""

from pathlib import Path

import pytest

from twinlens.capture.rig_file import RigSettings, read_rig_file, write_rig_file
from twinlens.errors import SettingsError


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    settings = RigSettings(
        a='quote"back\\slash',
        b="B",
        exposure_us=250.5,
        gain_db=6,
        producer="/opt/x.cti",
        pixel_format="Mono10p",
        trigger="action",
        rate_hz=12.5,
        shared_link=True,
        action_device_key=0xFFFF_FFFF,
        black_level=3,
    )
    write_rig_file(tmp_path / "rig.toml", settings)
    assert read_rig_file(tmp_path / "rig.toml") == settings


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("exposure_us = 4", "4"),
        ("exposure_us = 1000001", "1000001"),
        ("exposure_us = 'long'", "'long'"),
        ("exposures_us = 10", "exposures_us"),
        ("pixel_format = 'Mono12'", "Mono12"),
        ("pixel_format = 'Mono8 '", "one of Mono8, Mono10, Mono10p, Mono10Packed"),
        ("trigger = 'line0'", "one of software, hardware, chain, action, free"),
        ("rate_hz = -1", "-1"),
        ("action_group_mask = 0", "0"),
        ("shared_link = 1", "a bool is needed"),
        ("link_mbit = true", "True"),
        ("a = 'X'\nb = 'X'", "X"),
        ("a = ", "TOML"),
    ],
)
def test_a_bad_line_is_refused_with_what_was_seen(tmp_path: Path, text: str, seen: str) -> None:
    (tmp_path / "rig.toml").write_text(text)
    with pytest.raises(SettingsError, match=seen) as caught:
        read_rig_file(tmp_path / "rig.toml")
    assert caught.value.hint


def test_a_rig_file_of_an_earlier_release_still_reads(tmp_path: Path) -> None:
    (tmp_path / "rig.toml").write_text('a = "A1"\nb = "B1"\nexposure_us = 20\ntrigger = "software"\n')
    assert read_rig_file(tmp_path / "rig.toml") == RigSettings(a="A1", b="B1", exposure_us=20)


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_rig_file(tmp_path / "rig.toml")
    assert "--assign" in caught.value.hint


def test_which_camera_is_a_is_never_guessed() -> None:
    with pytest.raises(SettingsError, match="which camera is A"):
        RigSettings(a="A1").require_assigned()
