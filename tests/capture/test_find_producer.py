"""How the GenTL producer is chosen: a setting, the environment, the bundled one; never a guess, never a crash."""

import os
import shutil
import sys
from pathlib import Path

import genicam
import pytest

from twinlens.capture.producers import bundled_producer, find_producer
from twinlens.errors import CaptureError, SettingsError

VIKY = Path(genicam.__file__).with_name("viky.cti")


def test_without_settings_the_bundled_producer_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    assert find_producer(None) == bundled_producer()
    assert bundled_producer().name == "twinlens_gev.cti"


def test_the_environment_comes_before_the_bundled_and_a_setting_before_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GENICAM_GENTL64_PATH", f"{tmp_path}{os.pathsep}{VIKY.parent}")
    assert find_producer(None) == VIKY.resolve()
    assert find_producer(str(bundled_producer())) == bundled_producer()


def test_two_producers_in_the_environment_are_named_not_guessed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(bundled_producer(), tmp_path / "other.cti")
    monkeypatch.setenv("GENICAM_GENTL64_PATH", f"{VIKY.parent}{os.pathsep}{tmp_path}")
    with pytest.raises(SettingsError, match=r"2 producers: .*viky\.cti, .*other\.cti"):
        find_producer(None)


def test_an_environment_without_a_producer_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"holds no \.cti file"):
        find_producer(None)


def test_a_configured_file_must_be_there_load_and_be_a_producer(tmp_path: Path) -> None:
    text = tmp_path / "text.cti"
    text.write_text("not a library")
    with pytest.raises(SettingsError, match="is not a file"):
        find_producer(str(tmp_path / "missing.cti"))
    with pytest.raises(CaptureError, match=r"text\.cti does not load"):
        find_producer(str(text))
    library = next(Path(module.__file__) for name in ("_ctypes", "_socket") if (module := sys.modules.get(name)))
    with pytest.raises(CaptureError, match="no GenTL producer: it has no function GCInitLib"):
        find_producer(str(library))
